"""The page of the atlas as Dash components: all classes, one class, or a map of a layer's units."""

import json
from collections.abc import Mapping
from typing import Any

from dash import dcc, html

from circuits.atlas.atlas import Atlas
from circuits.atlas.facts import AtlasUnit
from circuits.atlas.unit_map import METHODS
from circuits.naming.store import names_of
from circuits.report.atlas_sentences import estimate, without_atlas
from circuits.report.text import many, number, percent
from circuits.units import Unit
from dashboard.answers import Failure
from dashboard.atlas_answers import ClassPage, UnitMap
from dashboard.components import WAITING, attributes, button, failed, sends, with_code
from dashboard.features.atlas.chart import scatter
from dashboard.glossary import each_once, with_term
from dashboard.library import Library
from dashboard.session.state import Session
from dashboard.work.results import Answers

Component = Any
DRAWN = 48
"""Units on the page of a class whose missing pictures are drawn; of lower layers those are shown that there are."""
NAME = "atlas "
"""Before the ids of units, where tiles are named: the circuit on the page may have the same ids."""


def panel(session: Session, library: Library, found: Answers) -> list[Component]:
    """What the page shows of the atlas.

    Args:
        session: whose.
        library: with the atlas, and the pictures.
        found: what was found out, by query.
    """
    atlas, showing = library.atlas, session.showing
    if atlas is None:
        return [
            html.Div(
                html.Div([html.Strong("No atlas"), html.P(with_code(without_atlas(library.network.name)))]),
                className="nothing-yet",
            )
        ]
    if showing.map:
        body = _map(atlas, showing.map, showing.spread, found.get("unit_map"), library)
    elif showing.of:
        body = _class(int(showing.of), atlas, found.get("class_page"), library)
    else:
        body = _all(atlas, library)
    return [_tools(atlas, session), each_once(html.Div(body, className="atlas-body"))]


def _tools(atlas: Atlas, session: Session) -> Component:
    showing = session.showing
    listing, mapped = not showing.of and not showing.map, bool(showing.map)
    kinds = [
        ("Classes", "atlas-class", {"of": ""}, "All classes of the atlas", listing),
        ("Map of units", "atlas-map", {}, "Units that fire in the same photos lie near each other", mapped),
    ]
    segments = [
        html.Button(
            label, type="button", title=title, **sends(action, **payload), **attributes(aria_pressed=str(on).lower())
        )
        for label, action, payload, title, on in kinds
    ]
    return html.Div(
        [
            html.Div(segments, className="segments", role="group", **attributes(aria_label="The atlas shows")),
            html.Span(id="atlas-search"),  # `atlas.js` puts its field there
        ],
        className="tools atlas-tools", role="toolbar", **attributes(aria_label="Atlas"),
    )  # fmt: skip


def _all(atlas: Atlas, library: Library) -> list[Component]:
    """Every class, as a picture of what its logit looks for, if there is one; `atlas.js` makes the cards."""
    top, gallery = atlas.layers[-1].name, library.gallery
    cards = []
    for each in atlas.classes:
        key = gallery.key(Unit(top, each.number))
        picture = f"picture/{key}.webp" if gallery.file(key) is not None else ""
        photos = many(each.photos, "photo")
        cards.append({"of": str(each.number), "label": each.label, "photos": photos, "picture": picture})
    size = f"{many(len(atlas.classes), 'class', 'classes')}, {many(atlas.photos, 'photo')}"
    purpose = (
        f"{size}. What each class of {atlas.network} is "
        "made of, over all of its photos in the atlas: its strongest units, and its circuit."
    )
    return [
        html.P(with_term(purpose, "atlas"), className="small muted"),
        html.Ul(className="classes", **attributes(data_classes=json.dumps(cards))),
        html.P("No class of the atlas is called so.", id="atlas-none", className="muted", hidden=True),
    ]


def _class(of: int, atlas: Atlas, told: Any, library: Library) -> list[Component]:
    found = atlas.find(of)
    show = button(
        "Show its circuit",
        "class-circuit",
        {"number": of},
        className="main",
        title="The circuit of the class, over all of its photos",
    )
    logit = f" · logit {estimate(told.logit.mean, told.logit.error, sign=False)}" if isinstance(told, ClassPage) else ""
    head = html.Div(
        [
            html.H2(found.label, className="unit-title"),
            html.P(f"{many(found.photos, 'photo')}{logit}", className="muted small"),
            show,
        ],
        className="class-head",
    )
    if isinstance(told, Failure):
        return [head, *failed(told)]
    if not isinstance(told, ClassPage):
        return [head, html.Div(html.Span(WAITING, className="spoken"), className="placeholder waiting class-room")]
    return [
        head,
        *_photos(told, found.label),
        *_strongest(told, library, found.label),
    ]


def _photos(told: ClassPage, label: str) -> list[Component]:
    if not told.photos:
        return [html.P("The photos themselves are not at hand; what was found in them is.", className="small muted")]
    images = [
        html.Li(html.Img(src=each.address, alt=f"A photo of {label}", width=84, height=84)) for each in told.photos
    ]
    return [html.Ul(images, className="class-photos", **attributes(aria_label=f"Some photos of {label}"))]


def _strongest(told: ClassPage, library: Library, label: str) -> list[Component]:
    words = (
        "The units that contribute most to its logit, along all paths: the contribution with its standard error over "
        "the photos and, below it, the selectivity."
    )
    titles = ("Layer", "Strongest units")
    head = html.Tr([html.Th(title, scope="col") for title in titles])
    names, rows, count = names_of(library.network.sha256), [], 0
    for row in told.rows:
        cards = []
        for each, selective in zip(row.units, row.selectivity, strict=True):
            frame = _frame(each.unit, library, drawn=count < DRAWN)
            cards.append(_card(each, selective, label, names.of(each.unit).name, frame))
            count += 1
        rows.append(
            html.Tr(
                [
                    html.Th(row.layer, scope="row"),
                    html.Td(html.Ul(className="units", **attributes(data_cards=json.dumps(cards)))),
                ]
            )
        )
    return [
        html.P(with_term(words, "selectivity"), className="small muted"),
        html.Table([html.Thead(head), html.Tbody(rows)], className="compared strongest"),
    ]


def _frame(unit: Unit, library: Library, *, drawn: bool) -> dict[str, str]:
    """The picture of a unit: one that is drawn comes later, and of others there is what was made before."""
    if drawn:
        return {"tile": f"{NAME}{unit}", "picture": ""}
    key = library.gallery.key(unit)
    there = library.gallery.file(key) is not None and not library.gallery.dead(unit)
    return {"tile": "", "picture": f"picture/{key}.webp" if there else ""}


def _card(told: AtlasUnit, selective: float, label: str, name: str, frame: dict[str, str]) -> dict[str, str]:
    """What `atlas.js` makes a card of; as components of Dash hundreds of them would slow the page down."""
    contribution = estimate(told.contribution.mean, told.contribution.error)
    called = f"{told.unit} {name}".rstrip()
    spoken = (
        f"{called} contributes {contribution} to {label}, selectivity {number(selective, sign=True)}, fires in "
        f"{percent(told.fires)} of {many(told.photos, 'photo')}"
    )
    return {
        "unit": str(told.unit), "name": name or str(told.unit.channel), "spoken": spoken,
        "contribution": contribution, "selectivity": number(selective, sign=True), **frame,
    }  # fmt: skip


def _map(atlas: Atlas, layer: str, spread: str, told: Any, library: Library) -> list[Component]:
    layers = [
        html.Button(
            each.name,
            type="button",
            **sends("atlas-map", layer=each.name),
            **attributes(aria_pressed=str(each.name == layer).lower()),
        )
        for each in atlas.layers[:-1]
    ]
    ways = [
        html.Button(
            words,
            type="button",
            title=METHODS[name],
            **sends("atlas-map", spread=name),
            **attributes(aria_pressed=str(name == spread).lower()),
        )
        for name, words in (("tsne", "t-SNE"), ("pca", "PCA"))
    ]
    choice = html.Div(
        [
            html.Div(layers, className="segments", role="group", **attributes(aria_label="Layer")),
            html.Div(ways, className="segments", role="group", **attributes(aria_label="Places of the units")),
        ],
        className="map-tools",
    )
    if isinstance(told, Failure):
        return [choice, *failed(told)]
    if not isinstance(told, UnitMap) or told.layer != layer:
        words = f"Placing the {many(atlas.layer(layer).channels, 'unit')} of {layer} …"
        return [choice, html.Div(html.Span(words), className="placeholder waiting map-room", role="status")]
    if told.missing:
        return [html.P(with_code(told.missing), className="muted")]
    words = (
        f"Units of {layer} that fire in the same of {many(told.photos, 'photo')} lie near each other. {METHODS[spread]}"
    )
    chart = dcc.Graph(
        id="unit-map", figure=scatter(told, _pictures(told, library), names_of(library.network.sha256)),
        className="chart unit-map",
        config={"displayModeBar": False, "responsive": True, "scrollZoom": True},
    )  # fmt: skip
    return [
        choice,
        html.P(words, className="small muted"),
        chart,
        html.Div(id="map-card", className="wall-zoom", hidden=True),
    ]


def _pictures(told: UnitMap, library: Library) -> Mapping[int, str]:
    """Addresses of the pictures that there are, by channel."""
    gallery, found = library.gallery, {}
    for channel in range(len(told.places)):
        unit = Unit(told.layer, channel)
        key = gallery.key(unit)
        if gallery.file(key) is not None and not gallery.dead(unit):
            found[channel] = f"picture/{key}.webp"
    return found
