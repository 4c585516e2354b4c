"""The page while the program starts: it is there before PyTorch is, and gives way to the real one by itself.

Importing PyTorch and loading a network takes seconds. The port is bound first, and until everything is loaded a thread
answers whatever is asked with a small page that says so. Its script asks again five times a second, and loads the page
anew as soon as the answer comes from somebody else. Nothing heavy is imported here.
"""

import selectors
import socket
import threading
import time
import webbrowser
from contextlib import suppress
from typing import Any

from circuits.errors import InputError
from dashboard.addresses import PORT, address, bound, is_local

STARTING = "X-Circuits-Starting"
"""Header of the answers of this page, by which its script knows them."""
_LONGEST = 65536
_PATIENCE = 2.0
_MOST = 100

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Circuit explorer</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 96vh; margin: 0 }}
main {{ text-align: center; padding: 1rem }}
h1 {{ font-size: 1.3rem; margin: 0 0 .4rem }}
p {{ margin: 0; opacity: .75 }}
i {{ display: block; width: 12rem; height: 4px; margin: 1.2rem auto 0; border-radius: 2px; background: #8884;
  overflow: hidden }}
i::before {{ content: ""; display: block; width: 35%; height: 100%; border-radius: 2px; background: #3350cc }}
@media (prefers-reduced-motion: no-preference) {{
  i::before {{ animation: along 1.4s ease-in-out infinite alternate }}
}}
@keyframes along {{ to {{ transform: translateX(186%) }} }}
</style>
<noscript><meta http-equiv="refresh" content="1"></noscript></head>
<body><main role="status"><h1>Circuit explorer</h1><p id="said">{said}</p><i aria-hidden="true"></i></main>
<script>
let failures = 0
async function ask() {{
  try {{
    const answer = await fetch(location.href, {{method: "HEAD", cache: "no-store"}})
    failures = 0
    if (!answer.headers.get("{header}")) return location.reload()
  }} catch {{
    failures += 1
    if (failures === 10) {{
      document.getElementById("said").textContent =
        "circuits has stopped. The terminal that it was started in says why."
      document.querySelector("i").remove()
    }}
  }}
  setTimeout(ask, 200)
}}
ask()
</script></body></html>
"""


class WaitingRoom:
    """Answers at an address until the page is ready, which then is served at the very same socket.

    Args:
        host: address to listen at; one that other machines cannot reach.
        port: 0 for any free one; the page's usual one if `None`.
        said: what is under way, in a sentence.
        open_browser: open it in the person's browser.

    Raises:
        InputError: if the port is taken or cannot be used, or other machines can reach the address.

    Example:
        >>> from urllib.request import urlopen
        >>> room = WaitingRoom("127.0.0.1", 0, "Loading PyTorch.")
        >>> with urlopen(room.url) as answer:
        ...     "Loading PyTorch." in answer.read().decode(), answer.headers[STARTING]
        (True, '1')
        >>> room.hand_over().close()
    """

    def __init__(self, host: str, port: int | None, said: str, *, open_browser: bool = False) -> None:
        if not is_local(host):
            raise InputError(f"{host} can be reached by others, who need a token that is not made yet.")
        self._socket = bound(host, PORT if port is None else port)
        self._socket.setblocking(False)  # whoever knocked may have gone before the door is opened
        self._stop, self._stopped = socket.socketpair()
        body = _PAGE.format(said=said, header=STARTING).encode()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n{STARTING}: 1\r\nCache-Control: no-store\r\n"
            "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
            "connect-src 'self'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n"
        ).encode()
        self._answers = {True: head, False: head + body}
        self.url = address(host, self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._answer_all, name="waiting room", daemon=True)
        self._thread.start()
        if open_browser:
            # In a thread, because some browsers are waited for.
            threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()

    def hand_over(self) -> socket.socket:
        """Answer nobody any more; the socket, at which others still knock."""
        self._stop.close()
        self._thread.join(_PATIENCE)
        return self._socket

    def close(self) -> None:
        """End without a page; closing twice, or after the socket was handed over and closed, does nothing."""
        self.hand_over().close()

    def __enter__(self) -> "WaitingRoom":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def _answer_all(self) -> None:
        with self._stopped, selectors.DefaultSelector() as knocking:
            for each in (self._socket, self._stopped):
                knocking.register(each, selectors.EVENT_READ)
            while self._stopped not in [key.fileobj for key, _ in knocking.select()]:
                with suppress(OSError):  # whoever knocked has gone
                    connection, _ = self._socket.accept()
                    self._let_in(connection)

    def _let_in(self, connection: socket.socket) -> None:
        """Answer in a thread, so that whoever says nothing keeps nobody waiting; where there are many, close it."""
        if threading.active_count() > _MOST:
            connection.close()
        else:
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        said, until = b"", time.monotonic() + _PATIENCE
        with connection, suppress(OSError):  # it took too long, or has gone
            while b"\r\n\r\n" not in said and len(said) < _LONGEST:
                connection.settimeout(max(until - time.monotonic(), 0.001))
                part = connection.recv(4096)
                if not part or time.monotonic() > until:
                    return
                said += part
            connection.sendall(self._answers[said.startswith(b"HEAD ")])
            connection.shutdown(socket.SHUT_WR)
