"""What the page refuses: other hosts' names, other sites' requests, large bodies, scripts that are not its own.

The server listens on this machine only, but every web page that is open in the browser can send requests to it.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from dash import Dash
from flask import Flask, Response, abort, request

MAX_BODY = 16 * 2**20
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ANY = frozenset({"0.0.0.0", "::", ""})


def protect(app: Dash, *, host: str) -> None:
    """Add the checks and headers to an app. Call it when all callbacks exist, for their hashes.

    Args:
        app: the Dash app.
        host: the address that it is served at.
    """
    server: Flask = app.server
    server.config.update(MAX_CONTENT_LENGTH=MAX_BODY)
    trusted = trusted_hosts(host)
    headers = {
        "Content-Security-Policy": content_security_policy(app.csp_hashes()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    def refuse_other_hosts() -> None:
        # Flask's own TRUSTED_HOSTS does not know IPv6 addresses.
        if urlsplit(f"//{request.host}").hostname not in trusted:
            abort(400)

    def add_headers(response: Response) -> Response:
        response.headers.update(headers)
        return response

    server.before_request(refuse_other_hosts)
    server.before_request(refuse_other_sites)
    server.after_request(add_headers)


def trusted_hosts(host: str) -> frozenset[str]:
    """Names under which the page may be asked for; any other is DNS rebinding and answered with 400.

    Example:
        >>> sorted(trusted_hosts("127.0.0.1"))
        ['127.0.0.1', '::1', 'localhost']
    """
    names = {"127.0.0.1", "localhost", "::1"}
    if host in _ANY:
        machine = socket.gethostname()
        names |= {machine.lower(), socket.getfqdn().lower()}
        with suppress(OSError):
            names |= set(socket.gethostbyname_ex(machine)[2])
        names.add(_own_address())
    else:
        names.add(host.lower())
    return frozenset(names)


def _own_address() -> str:
    """The address that this machine has towards others; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def refuse_other_sites() -> None:
    """Answer 403 to a request that changes something and comes from another site's page."""
    if request.method in _SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403)


def content_security_policy(hashes: Sequence[str]) -> str:
    """The policy: the page's own scripts and Dash's inline ones (by hash), pictures as data, nothing from elsewhere."""
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *hashes)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
