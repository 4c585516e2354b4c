"""A unit that is not in the circuit: what can be found out of it without one, and its right pane."""

import hashlib
from functools import lru_cache
from typing import Any

from dash import html

from circuits.evidence.layer_statistics import LayerTable, layer_table
from circuits.image.photo import Photo
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.units import Unit
from dashboard.components import Pane, failed, figure, section, waiting
from dashboard.features.layer.actions import layer_of, network_of, source_of, stranger
from dashboard.features.target.view import attributes, button
from dashboard.features.unit.evidence import Evidence
from dashboard.features.unit.exemplars_panel import elsewhere
from dashboard.features.unit.in_photo import marked, patches
from dashboard.library import Explorer
from dashboard.session.state import Session
from dashboard.work.findings import Failure, Shot
from dashboard.work.tiles import DEAD, Tile
from dashboard.work.topics import Found, Topic, topics

Component = Any
TABLE = "layer"


def wanted(session: Session, evidence: Evidence) -> list[Topic]:
    """What is to be found out: the table of the wall's layer, and evidence for the chosen unit wherever it is."""
    unit = stranger(session, evidence.explorer)
    table = table_of(session, evidence.explorer, unit)
    rest = _of(unit, session, evidence) if unit is not None else topics(session, evidence)
    return rest if table is None else [table, *rest]


def table_of(session: Session, explorer: Explorer, unit: Unit | None = None) -> Topic | None:
    """What every unit of a layer did: of the wall's, or of the one that a chosen unit lies in."""
    source, showing = source_of(session), session.showing
    if source is None or (showing.page != "layers" and unit is None):
        return None
    network = network_of(session, explorer)
    layer = layer_of(session, explorer) if showing.page == "layers" else unit.layer if unit is not None else ""
    facts = (*_facts(source), network.sha256, " ".join(network.layers), layer)
    key = f"{TABLE}/{_digest(*facts)}"
    return Topic(TABLE, key, lambda _: layer_table(network, source, layer))


def _of(unit: Unit, session: Session, evidence: Evidence) -> list[Topic]:
    source, network = source_of(session), network_of(session, evidence.explorer)
    if source is None:
        return []
    subject = f"{_digest(*_facts(source, rooted=False))}/{unit}"
    found = [Topic("heat", f"{subject}/heat-outside", lambda _: evidence.heat_of(network, source, unit))]
    layer = network.layer(unit.layer)
    if layer.height * layer.width > 1:
        found.append(Topic("places", f"{subject}/places-outside", lambda _: evidence.places_of(network, source, unit)))
    stamp = evidence.collection.stamp()
    found.append(
        Topic(
            "elsewhere",
            f"{subject}/elsewhere-outside/{stamp}",
            lambda progress: evidence.elsewhere_of(network, source, unit, progress),
        )
    )
    return found


def _facts(source: Circuit | Photo, *, rooted: bool = True) -> tuple[str, ...]:
    """What answers depend on: the photo as the network sees it, and the target if that matters."""
    if isinstance(source, Photo):
        return source.sha256, str(source.window), str(source.whole), ""
    return source.photo_info.thumbnail, source.root if rooted else ""


@lru_cache(maxsize=64)
def _digest(*facts: str) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def pane(session: Session, unit: Unit, tile: Tile, activation: float | None, found: Found, explorer: Explorer) -> Pane:
    """The right pane of a unit that is not in the circuit.

    Args:
        session: whose unit.
        unit: which.
        tile: what it shows.
        activation: what its picture reached, if that is known.
        found: what was found out, by topic.
        explorer: knows what it is called.
    """
    label = network_of(session, explorer).unit_label(unit)
    node = Node(str(unit), unit, label, 0.0, 0.0, (0, 0), expanded=False, discarded=False, note="", books=None)
    parts: list[Component] = []
    if "places" in found:
        parts = [section("In this photo", "in-photo", patches(node, found["places"], None))]
    reached = activation if tile.state == "ready" else None
    return Pane(
        _head(session, unit, label),
        [_looks_for(label, tile, activation)],
        [_fired(label, found)],
        in_its_layer(session, unit, found),
        [*parts, *elsewhere(node, found, reached)],
    )


def _head(session: Session, unit: Unit, label: str) -> list[Component]:
    circuit, locked = session.work.circuit, session.work.locked
    where = f"layer {unit.layer}, channel {unit.channel}"
    outside = "; not in the circuit" if circuit is not None else ""
    name = circuit.nodes[str(unit)].name if circuit is not None and str(unit) in circuit.nodes and not locked else ""
    why = button(
        "Why did this fire here?", "root", str(unit), className="main", disabled=source_of(session) is None,
        title="Find the circuit behind this unit, with it as the target; undo brings the present one back",
    )  # fmt: skip
    reason = locked or ("" if session.work.photo is not None else "Choose a photo to ask what it did there.")
    return [
        html.H2(name or label, className="unit-title"),
        html.P(f"{where}{outside}", className="muted small"),
        html.Div([why], className="deeds"),
        *([html.P(reason, className="reason")] if reason else []),
    ]


def _looks_for(label: str, tile: Tile, activation: float | None) -> Component:
    title, spoken = "What it looks for", f"What {label} looks for"
    if tile.state == "drawing":
        return figure(title, tile.picture, f"{spoken}, unfinished", tile.said, "", unfinished=tile.drawn)
    if tile.state == "dead":
        return figure(title, "", spoken, "", DEAD)
    reached = "" if activation is None or not tile.picture else f"activation up to {number(activation)} in this picture"
    missing = "on its way …" if tile.state == "waiting" else "not drawn yet"
    return figure(title, tile.picture, spoken, reached, missing)


def _fired(label: str, found: Found) -> Component:
    title, heat = "Where it fired", found.get("heat")
    if isinstance(heat, Shot):
        return figure(title, heat.address, f"Where {label} fired, over the photo", "", "", marks=marked(found))
    if "heat" in found:
        return waiting(title, heat)
    return figure(title, "", "", "", "needs the photo and its network")


def in_its_layer(session: Session, unit: Unit, found: Found) -> list[Component]:
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
        words = f"for {circuit.nodes[circuit.root].label}"
        rows.append(
            (words, f"{number(part, sign=True)} ({signed(float(shares[unit.channel]))})", f"{place} of {count}")
        )
    cells = [
        html.Tr([html.Th(word, scope="row"), html.Td(value, className="numbers"), html.Td(place)])
        for word, value, place in rows
    ]
    head = html.Tr([html.Th(""), html.Th("value", scope="col"), html.Th("place", scope="col")])
    return [
        html.H2("In its layer"),
        html.Table([html.Thead(head), html.Tbody(cells)], className="places-table", **attributes(data_unit=str(unit))),
    ]


def signed(share: float) -> str:
    """A signed share with one decimal.

    >>> signed(0.0412), signed(-0.003), signed(0.0), signed(0.0001)
    ('+4.1 %', '−0.3 %', '0 %', '+< 0.1 %')
    """
    if share == 0:
        return "0 %"
    sign, size = "−" if share < 0 else "+", abs(100 * share)
    return f"{sign}{size:.1f} %" if size >= 0.05 else f"{sign}< 0.1 %"
