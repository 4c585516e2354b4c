"""What fires at a place of the photo, in the left pane."""

from collections.abc import Mapping
from typing import Any

from dash import html

from circuits.evidence.layer_statistics import Firing
from circuits.report.text import number, percent, place_in_words
from dashboard.answers import Failure
from dashboard.components import attributes, button
from dashboard.features.point.queries import PREFIX, UnitsAtPoint
from dashboard.library import Library
from dashboard.session.questions import Wish
from dashboard.session.selection import spot_layer
from dashboard.session.state import Session
from dashboard.work.tiles import Tile

Component = Any
Tiles = Mapping[str, Tile]
_NO_TILE = Tile("none")


def panel(session: Session, library: Library, finding: object, tiles: Tiles) -> list[Component]:
    """The units of a layer that are strongest at the spot that was chosen; nothing if none was.

    Args:
        session: whose.
        library: knows the layers.
        finding: what was found out, `UnitsAtPoint` or a `Failure`; `None` while it is being found out.
        tiles: what units show, as the page is told.
    """
    if session.work.spot is None or session.work.locked:
        return []
    layer = finding.layer if isinstance(finding, UnitsAtPoint) else spot_layer(session, library) or library.placed[-1]
    close = button(
        "×", "point", className="round", title="Esc",
        **attributes(aria_label="Close what fires here"),
    )  # fmt: skip
    title = html.Div([html.H2("What fires here?", id="spot-title"), _choice(library, layer), close], className="titled")
    parts = [title, *_found(session, library, finding, tiles)]
    return [html.Section(parts, className="spotted", **attributes(aria_labelledby="spot-title"))]


def _choice(library: Library, layer: str) -> Component:
    """The layers with positions, the highest first; `spot.js` keeps it in step and sends what is chosen."""
    options = [html.Option(name, value=name) for name in reversed(library.placed)]
    return html.Select(options, id="spot-layer", **attributes(aria_label="Layer", data_value=layer))


def _found(session: Session, library: Library, finding: object, tiles: Tiles) -> list[Component]:
    if isinstance(finding, Failure):
        return [html.P(finding.sentence, className="failed small")]
    if not isinstance(finding, UnitsAtPoint):
        return [html.P("Looking …", className="muted small")]
    apart = _apart(session, library, finding)
    if not finding.units:
        return [*apart, html.P(f"No unit of {finding.layer} is above zero here.", className="muted small")]
    lowest = library.network.below(finding.layer) is None
    reason = f"{finding.layer} is the lowest layer; only the image is below it." if lowest else ""
    rows = [
        _row(session, firing, tiles.get(f"{PREFIX}{firing.unit.whole}", _NO_TILE), reason) for firing in finding.units
    ]
    return [*apart, html.Ul(rows), *([html.P(reason, className="muted small")] if reason else [])]


def _apart(session: Session, library: Library, finding: UnitsAtPoint) -> list[Component]:
    """That nothing goes from here to what is explained, of a layer above those that something goes from."""
    placed, reaching, work = library.placed, finding.reaching, session.work
    is_known = reaching in placed
    if (is_known and placed.index(finding.layer) <= placed.index(reaching)) or (reaching and not is_known):
        return []
    said = work.predictions[0].label if work.predictions else "the answer"
    what = said if work.circuit is None else work.circuit.nodes[work.circuit.root].called
    words = f"No unit of {finding.layer} has a share in {what} at this place."
    offer = button(
        f"Show {reaching}", "point-layer", {"layer": reaching}, className="link",
        title="The highest layer whose units have a share here",
    )  # fmt: skip
    return [html.P([words, *([" ", offer] if is_known else [])], className="muted small")]


def _row(session: Session, firing: Firing, tile: Tile, reason: str) -> Component:
    unit, circuit = firing.unit, session.work.circuit
    name, address = str(unit.whole), str(unit)
    share = f"{percent(firing.share)} of the positive activation of {unit.layer} here"
    words = [html.Span(number(firing.value), className="numbers", title=share)]
    if firing.peak_here:
        words.append(html.Span("peak", className="peak", title=f"the highest activation of {name} in this photo"))
    asked = session.is_waiting("why", Wish(address))
    buttons = [
        button(
            "…" if asked else "why?", "root", {"target": address}, disabled=bool(reason),
            title=reason or f"Why did {name} fire here, {place_in_words(unit.layer, unit.position or (0, 0))}?",
            **attributes(aria_label=f"why did {name} fire here?"),
        )
    ]  # fmt: skip
    inside = next((each for each in (address, name) if circuit is not None and each in circuit.visible), "")
    if inside:
        buttons.append(
            button(
                "show",
                "select",
                {"unit": inside},
                title=f"{name} in the graph",
                **attributes(aria_label=f"show {name}"),
            )
        )
    # The layer stands in the menu above.
    called = html.Span(name.removeprefix(unit.layer).lstrip(":/"), className="address", title=name)
    return html.Li(
        [
            picture(name, tile),
            html.Span([called, html.Span(words, className="small")], className="said"),
            *buttons,
        ],
        key=name,
    )


def picture(name: str, tile: Tile) -> Component:
    """The picture of a unit as a small tile, which `spot.js` keeps up to date."""
    image = html.Img(src=tile.picture or None, alt="", width=32, height=32)
    return html.Span(
        image,
        className="unit-tile",
        title=tile.said or f"What {name} looks for",
        **attributes(data_tile=name, data_state=tile.state),
    )
