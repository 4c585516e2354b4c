"""Which parts of the page are sent: only those that the browser does not show already.

Dash makes a part anew when it is sent, also if nothing in it changed: a button between press and release loses its
click, a field its focus, an open menu its place. So the view names every part by a digest of what it shows; the browser
says by the store `have` which it shows, and those are left out. A part that was left out although the browser shows
another one (two answers crossed) is noticed in `merge.js`, which then asks for everything.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from dash import no_update
from plotly.io.json import to_json_plotly

PARTS = (
    "photo", "strip", "spot", "explained", "predictions", "settings", "head", "looks", "fired", "books", "evidence",
    "foot", "story", "invitation", "compare",
)  # fmt: skip


def less(page: dict[str, Any], have: Mapping[str, Any] | None) -> dict[str, Any]:
    """The page without the parts that the browser shows already; its view says which parts there are.

    Args:
        page: every output by name, with the view; `no_update` where nothing is sent anyway.
        have: what the browser has; all of the page is sent without it.

    Example:
        >>> page = {"view": {}, "story": ["Why cat?"], "page": "circuit"}
        >>> first = less(page, None)
        >>> second = less(page, {"parts": first["view"]["parts"]})
        >>> first["story"], first["view"]["kept"], second["story"] is no_update, second["view"]["kept"]
        (['Why cat?'], [], True, ['story'])
    """
    shown = (have or {}).get("parts") or {}
    parts = {name: _digest(page[name]) for name in PARTS if name in page and page[name] is not no_update}
    kept = [name for name, digest in parts.items() if shown.get(name) == digest]
    view = {**page["view"], "parts": parts, "kept": kept}
    return {**page, **dict.fromkeys(kept, no_update), "view": view}


def _digest(part: Any) -> str:
    return blake2b(to_json_plotly(part).encode(), digest_size=8).hexdigest()
