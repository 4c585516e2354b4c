"""Where the page is served: a socket that is bound to its port, and the address that a browser opens."""

import errno
import ipaddress
import socket
import sys

from circuits.errors import InputError

PORT = 8050
"""Where the page is, unless another port is asked for."""


def address(host: str, port: int, token: str = "") -> str:
    """Where a browser on this machine opens what is served at a host.

    Example:
        >>> address("0.0.0.0", 8050), address("::", 80, "abc"), address("fe80::1%eth0", 8050)
        ('http://127.0.0.1:8050/', 'http://[::1]:80/?token=abc', 'http://[fe80::1%25eth0]:8050/')
    """
    shown = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
    if ":" in shown:
        shown = f"[{shown.replace('%', '%25')}]"
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def bound(host: str, port: int) -> socket.socket:
    """A socket bound to an address.

    Raises:
        InputError: if it cannot be; the sentence says why and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        # waitress only serves; without this a second server could bind the same port.
        made.listen(1024)
    except (OSError, OverflowError) as error:
        made.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise InputError(
                f"Port {port} of {host} is taken by another program; choose another with --port, "
                "or any free one with --port 0."
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The page cannot be served at {host}, port {port}: {reason}.") from error
    return made


def is_local(host: str) -> bool:
    """Whether only this machine can reach what is served at an address.

    Example:
        >>> [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.0.9", "::")]
        [True, True, True, False, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
