"""A unit that is not in the circuit: what can be found out of it without one, and its right pane."""

from typing import Any

from dash import html

from circuits.evidence.layer_statistics import LayerTable
from circuits.numbers import number, signed_share
from circuits.tracing.node import Node
from circuits.units import Unit
from dashboard.answers import Failure
from dashboard.components import Pane, attributes, button, failed, section
from dashboard.features.unit.atlas_panel import in_atlas
from dashboard.features.unit.exemplars_panel import exemplars, outdone_in_words
from dashboard.features.unit.in_photo import patches
from dashboard.features.unit.pushes_panel import pushes
from dashboard.features.unit.view import fired, looks_for
from dashboard.glossary import term, with_term
from dashboard.library import Library
from dashboard.session.names import outside_name
from dashboard.session.selection import network_of, source_of
from dashboard.session.state import Session
from dashboard.work.evidence import TABLE
from dashboard.work.results import Answers
from dashboard.work.tiles import Tile

Component = Any


def pane(session: Session, unit: Unit, tile: Tile, activation: float | None, found: Answers, library: Library) -> Pane:
    """The right pane of a unit that is not in the circuit.

    Args:
        session: whose unit.
        unit: which.
        tile: what it shows.
        activation: what its picture reached, if that is known.
        found: what was found out, by query.
        library: knows what it is called.
    """
    name = outside_name(session, unit, library).name
    label = name or network_of(session, library).unit_label(unit)
    node = Node(str(unit), unit, label, 0.0, 0.0, (0, 0), expanded=False, discarded=False, note="", books=None)
    parts: list[Component] = []
    if "places" in found:
        parts = [section("In this photo", "in-photo", patches(node, found["places"], None))]
    reached = activation if tile.state == "ready" else None
    caption = "" if activation is None else f"activation up to {number(activation)} in this picture"
    caption += outdone_in_words(reached, found)
    return Pane(
        _head(session, unit, label),
        [looks_for(label, tile, caption)],
        [fired(unit, label, found, "")],
        in_its_layer(session, unit, found),
        [*in_atlas(label, found), *pushes(label, found), *parts, *exemplars(node, found, reached)],
    )


def _head(session: Session, unit: Unit, label: str) -> list[Component]:
    circuit, locked = session.work.circuit, session.work.locked
    where = [term("layer"), f" {unit.layer}, ", term("channel"), f" {unit.channel}"]
    outside = "; not in the circuit" if circuit is not None else ""
    why = button(
        "Why did this fire here?", "root", {"target": str(unit)}, className="main", disabled=source_of(session) is None,
        title="Trace the circuit of this unit; Undo brings the current one back",
    )  # fmt: skip
    reason = locked or ("" if session.work.photo is not None else "Choose a photo to see its activation in it.")
    return [
        html.H2(label, className="unit-title"),
        html.P([*where, outside], className="muted small"),
        html.Div([why], className="buttons"),
        *([html.P(reason, className="reason")] if reason else []),
    ]


def _explained(words: str) -> list[Component]:
    return with_term(words, "attribution" if words.startswith("attribution") else "activation")


def in_its_layer(session: Session, unit: Unit, found: Answers) -> list[Component]:
    """What a unit did beside the others of its layer: its activation and its share of the attribution, with ranks."""
    table = found.get(TABLE)
    if isinstance(table, Failure):
        return failed(table)
    if not isinstance(table, LayerTable) or table.layer != unit.layer:
        return []
    peak, count = float(table.peaks[unit.channel]), table.peaks.size
    rank = 1 + int((table.peaks > peak).sum())
    rows = [("activation here", number(peak), "silent" if table.silent[unit.channel] else f"{rank} of {count}")]
    shares, circuit = table.shares, session.work.circuit
    if shares is not None and circuit is not None and table.attributions is not None:
        part = float(table.attributions[unit.channel])
        place = 1 + int((table.attributions > part).sum())
        words = f"attribution to {circuit.nodes[circuit.root].label}"
        rows.append(
            (words, f"{number(part, sign=True)} ({signed_share(float(shares[unit.channel]))})", f"{place} of {count}")
        )
    cells = [
        html.Tr([html.Th(_explained(word), scope="row"), html.Td(value, className="numbers"), html.Td(place)])
        for word, value, place in rows
    ]
    head = html.Tr([html.Td(""), html.Th("value", scope="col"), html.Th("rank", scope="col")])
    return [
        html.H2("In its layer"),
        html.Table([html.Thead(head), html.Tbody(cells)], className="places-table", **attributes(data_unit=str(unit))),
    ]
