"""The keys of the page: all of them in a dialog, and those that one begins with."""

from typing import Any

from dash import html

from dashboard.features.target.view import attributes

Component = Any
_Keys = tuple[tuple[str, str], ...]

BEGIN: _Keys = (
    ("click", "choose a unit, or a line between two"),
    ("double click", "expand a unit: show what is below it"),
    ("drag", "move a unit, or the whole graph"),
    ("← ↑ ↓ →", "go to its neighbours"),
    ("e", "expand"),
    ("x", "discard"),
    ("Ctrl Z", "undo"),
    ("?", "all keys"),
)
"""What is shown while nothing is chosen."""

ALL: dict[str, _Keys] = {
    "Everywhere": (
        ("/", "find a class or a unit"),
        ("Tab", "go on to the next control; Shift Tab goes back"),
        ("Ctrl Z", "undo; Ctrl Shift Z or Ctrl Y redoes"),
        ("Ctrl V", "paste a photo"),
        ("Esc", "close what is open, then leave the edge, then choose nothing"),
        ("?", "these keys"),
    ),
    "In the graph": (
        ("← ↑ ↓ →", "go to a neighbouring unit"),
        ("Enter", "choose it"),
        ("e", "expand it; Shift e expands its whole layer"),
        ("c", "collapse it"),
        ("x", "discard it"),
        ("l", "go to its edges: ← → to the next one, Enter chooses, ↑ ↓ to its ends"),
        ("f", "fold its near-duplicates into one, or unfold them"),
        ("p", "lock it in its place, or release it"),
        ("Alt ← ↑ ↓ →", "move it"),
        ("+ − 0", "zoom in, zoom out, fit the graph"),
    ),
    "In the search field": (
        ("↑ ↓", "choose a result"),
        ("Enter", "ask why of it"),
        ("Shift Enter", "do what else it offers, such as why not"),
    ),
    "On the photo, after What fires here?": (
        ("← ↑ ↓ →", "move the crosshair; Shift moves it far"),
        ("Enter", "ask what fires there"),
    ),
    "While the crop is moved": (
        ("← ↑ ↓ →", "move the frame; Shift moves it far"),
        ("+ −", "change its size"),
        ("Enter", "use it"),
    ),
    "In the layer's wall": (
        ("← ↑ ↓ →", "go to another unit; Page, Home and End go far"),
        ("Enter", "choose it"),
    ),
}
"""All keys, by where they count."""


def dialog() -> Component:
    """The dialog with all keys; `help.js` opens and closes it."""
    groups = [
        html.Section([html.H3(where, id=f"keys-{place}"), listed(keys)], **attributes(aria_labelledby=f"keys-{place}"))
        for place, (where, keys) in enumerate(ALL.items())
    ]
    close = html.Button(
        "×", type="button", className="button round", title="Close (Esc)",
        **attributes(data_keys="close", aria_label="Close the keys"),
    )  # fmt: skip
    head = html.Div([html.H2("Keys", id="keys-title"), close], className="titled")
    return html.Dialog(
        [head, html.Div(groups, className="all-keys")], id="keys", **attributes(aria_labelledby="keys-title")
    )


def listed(keys: _Keys) -> Component:
    """Keys with what they do."""
    rows = [part for key, meaning in keys for part in (html.Dt(html.Kbd(key)), html.Dd(meaning))]
    return html.Dl(rows, className="keys")
