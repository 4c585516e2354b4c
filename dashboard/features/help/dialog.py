"""Help on the page: four steps, shown once by themselves, and a dialog with them, all keys, and the documentation."""

from typing import Any

from dash import html

from dashboard.components import Component, Keys, attributes, button, listed

STEPS = (
    ("Why?", "Press “why?” beside a prediction: the graph shows the units that contributed most to it."),
    ("Expand", "Press + on a unit, or e: the units that contributed most to it appear below it."),
    ("What if?", "Choose a unit and switch it off in the right pane: see how the predictions change."),
    ("Score", "Press “How good is this circuit?”: see how much of the prediction its units keep by themselves."),
)
"""What a person does first, in this order."""

GUIDES = {
    "tour": "A tour of ten minutes",
    "page": "Everything on this page",
    "glossary": "Glossary",
    "methods": "Formulas, and where they fail",
    "": "All documentation",
}
"""The documentation that is named in the dialog, by its address under `/help/`."""

ALL: dict[str, Keys] = {
    "Everywhere": (
        ("/", "find a class or a unit"),
        ("Tab", "go on to the next control; Shift Tab goes back"),
        ("Ctrl Z", "undo; Ctrl Shift Z or Ctrl Y redoes"),
        ("Ctrl V", "paste a photo"),
        ("Esc", "close what is open, then deselect"),
        ("?", "this help"),
    ),
    "In the graph": (
        ("← ↑ ↓ →", "go to a neighbouring unit"),
        ("Enter", "choose it"),
        ("e", "expand it; Shift e expands its whole layer"),
        ("c", "collapse it"),
        ("x", "discard it"),
        ("l", "go to its edges: ← → to the next one, Enter chooses, ↑ ↓ to its ends"),
        ("f", "fold its near-duplicates into one, or unfold them"),
        ("m", "mark it (or Shift click, Ctrl click), to put several units under one name"),
        ("p", "lock it in its place, or release it"),
        ("Alt ← ↑ ↓ →", "move it"),
        ("+ − 0", "zoom in, zoom out, fit the graph"),
    ),
    "In the search field": (
        ("↑ ↓", "choose a result"),
        ("Enter", "explain it: why?"),
        ("Shift Enter", "its second action, such as why not?"),
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


def opens_help() -> dict[str, Any]:
    """Attributes of a button that opens the dialog."""
    return attributes(data_help="open", aria_haspopup="dialog")


def first_steps() -> Component:
    """The four steps in the right pane, until they are put away; `help.js` remembers that."""
    away = button("Got it", **attributes(data_help="got-it"), title="Put this away; Help shows it again")
    head = html.Div([html.H2("Four steps", id="first-steps-title"), away], className="titled")
    return html.Section([head, _steps()], id="first-steps", **attributes(aria_labelledby="first-steps-title"))


def help_dialog() -> Component:
    """The dialog; `help.js` opens and closes it."""
    close = html.Button(
        "×", type="button", className="button round", title="Close (Esc)",
        **attributes(data_help="close", aria_label="Close the help"),
    )  # fmt: skip
    guides = [
        html.Li(html.A(name, href=f"help/{page}", target="_blank", rel="noopener")) for page, name in GUIDES.items()
    ]
    groups = [
        html.Section([html.H3(where, id=f"keys-{place}"), listed(keys)], **attributes(aria_labelledby=f"keys-{place}"))
        for place, (where, keys) in enumerate(ALL.items())
    ]
    parts = [
        html.Div([html.H2("Help", id="help-title"), close], className="titled"),
        html.Div(
            [
                html.Section([html.H3("Four steps"), _steps()]),
                html.Section([html.H3("Documentation, in a new tab"), html.Ul(guides)]),
            ],
            className="help-top",
        ),
        html.Div(groups, className="all-keys"),
    ]
    return html.Dialog(parts, id="help", **attributes(aria_labelledby="help-title"))


def _steps() -> Component:
    return html.Ol([html.Li([html.B(name), " ", text]) for name, text in STEPS], className="steps")
