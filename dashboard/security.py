"""What the page refuses: other hosts' names, other sites' requests, strangers, large bodies, scripts not its own.

The server listens on this machine only, but every web page that is open in the browser can send requests to it.
Where it listens for other machines too, only those who know its token are let in:

1. The token comes once in the address, `/?token=…`, is kept as a cookie that scripts and other sites cannot use, and
   the browser is sent to the same address without it.
2. Every request without that cookie is answered with 403, pictures and scripts too.
3. A browser that follows a link from another site leaves the cookie out; the page that it gets loads itself again,
   which counts as coming from this one.
"""

import hashlib
import hmac
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dash import Dash
from dash._utils import split_callback_id
from flask import Flask, Response, abort, redirect, request
from werkzeug.wrappers import Response as Answer

MAX_BODY = 16 * 2**20
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ANY = frozenset({"0.0.0.0", "::", ""})
_STRANGER = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{again}
<title>Circuit explorer: not let in</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34em; margin: 12vh auto; padding: 0 1em; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #12151b; color: #e7eaf0; }} }}</style></head>
<body><h1>This page needs its whole address</h1><p>Open the address that <code>circuits explore</code> shows in its
terminal, with all that follows <code>?token=</code>. After a restart of the server it is another one.</p></body></html>
"""
_AGAIN = '<meta http-equiv="refresh" content="0{where}">'


def protect(app: Dash, *, host: str, token: str = "") -> None:
    """Add the checks and headers to an app. Call it when all callbacks exist, for their hashes.

    Args:
        app: the Dash app.
        host: the address that it is served at.
        token: what a browser must know to be let in; "" if everyone on this machine is.
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
        if _address(f"//{request.host}").hostname not in trusted:
            abort(400)

    def add_headers(response: Response) -> Response:
        response.headers.update(headers)
        return response

    server.before_request(refuse_other_hosts)
    if token:
        server.before_request(partial(refuse_strangers, token))
    server.before_request(refuse_other_sites)
    server.before_request(partial(refuse_malformed, app.callback_map))
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
        names.add(own_address())
    else:
        names.add(host.lower())
    return frozenset(names)


def new_token() -> str:
    """A token that nobody guesses: 24 random bytes as text for an address."""
    return secrets.token_urlsafe(24)


def refuse_strangers(token: str) -> Answer | None:
    """Let in who knows the token; everyone else gets 403 and a page that says what to do."""
    # Cookies are shared by all ports of a host, and another library there has another token.
    name = "circuits-" + hashlib.sha256(token.encode()).hexdigest()[:12]
    from_elsewhere = request.headers.get("Sec-Fetch-Site", "same-origin") in ("cross-site", "same-site")
    if _same(request.args.get("token", ""), token) and request.method == "GET":
        answer: Answer = redirect(request.path, 303)
        if from_elsewhere:
            answer = Response(_STRANGER.format(again=_AGAIN.format(where=f";url={request.path}")), mimetype="text/html")
        answer.set_cookie(name, token, httponly=True, samesite="Strict", path="/")
        answer.headers["Cache-Control"] = "no-store"
        return answer
    if _same(request.cookies.get(name, ""), token):
        return None
    again = _AGAIN.format(where="") if from_elsewhere and request.method == "GET" else ""
    refusal = Response(_STRANGER.format(again=again), 403, mimetype="text/html")
    refusal.headers["Cache-Control"] = "no-store"
    return refusal


def _same(given: str, token: str) -> bool:
    """Whether two tokens are the same, found out in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def own_address() -> str:
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
    if origin is not None and _address(origin).netloc != request.host:
        abort(403)


def refuse_malformed(callbacks: Mapping[str, Any]) -> None:
    """Answer 400 to what asks for a callback in another form than Dash's renderer does, which Dash would fail at."""
    if request.endpoint is None or not request.path.endswith("/_dash-update-component"):
        return
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("output"), str):
        abort(400)
    callback, changed = callbacks.get(body["output"]), body.get("changedPropIds", [])
    outputs = split_callback_id(body["output"])  # type: ignore[no-untyped-call]
    if callback is None or not isinstance(changed, list) or not all(isinstance(each, str) for each in changed):
        abort(400)
    for key, wanted in (("outputs", outputs), ("inputs", callback["inputs"]), ("state", callback["state"])):
        if _properties(body.get(key, [])) != _properties(wanted):
            abort(400)


def _properties(parts: Any) -> list[tuple[Any, Any]] | None:
    """Ids and names of the properties in a part of a callback; `None` if it has another form."""
    rows = [parts] if isinstance(parts, dict) else parts
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return [(row.get("id"), row.get("property")) for row in rows]


def _address(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # as in `http://[`
        abort(400)


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
