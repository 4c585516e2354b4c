"""The switch over the graph: channels, or groups of channels and how many of them a layer has."""

from typing import Any

from dash import html

from circuits.report.atlas_sentences import CLASS_BY_CHANNELS
from dashboard.components import attributes, sends
from dashboard.session.selection import GROUPS, groups_of
from dashboard.session.state import Session

Component = Any
_USUAL = 8
_CHANNELS = "Explain by single channels"
_GROUPED = (
    "Explain by groups of channels, found in this photo for this target: few groups hold what hundreds of channels do"
)


def units_switch(session: Session) -> list[Component]:
    """What the units of the circuit are; another choice explains the same target of the same photo anew.

    Nothing before there is a photo. Beside the circuit of a class, of which an atlas knows only the channels, those who
    have chosen groups are told how to get them.
    """
    if session.work.photo is None and session.work.circuit is None:
        return []
    if session.work.of_class:
        asked = session.choices.groups and not groups_of(session)
        return [html.P(CLASS_BY_CHANNELS, className="small muted")] if asked else []
    count, locked = groups_of(session), session.work.locked
    last = session.choices.groups or _USUAL
    kinds = [
        _segment("Channels", 0, _CHANNELS, pressed=not count, locked=locked),
        _segment("Groups", count or last, _GROUPED, pressed=bool(count), locked=locked),
    ]
    numbers = [
        _segment(str(each), each, f"At most {each} groups in each layer", pressed=each == count, locked=locked)
        for each in GROUPS
    ]
    parts = [html.Div(kinds, className="segments", role="group", **attributes(aria_label="Units of the circuit"))]
    if count:
        parts.append(html.Div(numbers, className="segments", role="group", **attributes(aria_label="Groups a layer")))
    return parts


def _segment(label: str, groups: int, title: str, *, pressed: bool, locked: str) -> Component:
    return html.Button(
        label, type="button", title=locked or title, disabled=bool(locked),
        **sends("groups", groups=groups), **attributes(aria_pressed=str(pressed).lower()),
    )  # fmt: skip
