"""What a group of channels is made of: its strongest channels with their pictures, and the groups next to it."""

from collections.abc import Sequence
from typing import Any

from dash import html

from circuits.report.text import number, percent
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import cosines
from circuits.tracing.node import Node
from circuits.units import Group, Unit
from dashboard.components import attributes, section, sends
from dashboard.library import Library
from dashboard.session.state import Session
from dashboard.work.previews import Previews
from dashboard.work.tiles import Tile, unit_tile

Component = Any
MEMBERS = 8
"""Channels of a group that are shown."""
_NEAR = 0.8
"""Cosine from which two directions are nearly the same."""


def group_of(node: Node) -> Group | None:
    """The group that a node stands for; `None` of a channel, and of what is in no group."""
    return node.unit if isinstance(node.unit, Group) and node.unit.number is not None else None


def members(circuit: Circuit, node: Node) -> list[tuple[Unit, float]]:
    """The strongest channels of a node's group with their weights; none if it is no group."""
    group = group_of(node)
    if group is None or group.number is None:
        return []
    found = circuit.dictionaries[group.layer].strongest_channels(group.number, MEMBERS)
    return [(Unit(group.layer, channel), weight) for channel, weight in found]


def chosen_members(session: Session, library: Library) -> list[Unit]:
    """The channels of the chosen group, whose pictures are to be drawn."""
    circuit, name = session.work.circuit, session.work.selected
    if circuit is None or session.work.edge is not None or name not in circuit.nodes or not library.fit.is_own(circuit):
        return []
    return [unit for unit, _ in members(circuit, circuit.nodes[name])]


def member_tiles(session: Session, library: Library, previews: Previews, *, waiting: bool) -> list[Tile]:
    """What stands for each channel of the chosen group."""
    return [unit_tile(unit, library, previews, waiting=waiting) for unit in chosen_members(session, library)]


def made_of(circuit: Circuit, node: Node, tiles: Sequence[Tile]) -> list[Component]:
    """A group's channels, each of which can be opened, and the groups whose directions are close to its own.

    Args:
        circuit: that it is in.
        node: of the group.
        tiles: what stands for its channels; none where this network cannot draw them.
    """
    found, group = members(circuit, node), group_of(node)
    if group is None or group.number is None:
        return []
    shown = [*tiles, *(Tile("none") for _ in found[len(tiles) :])]
    items = [_member(unit, weight, tile) for (unit, weight), tile in zip(found, shown, strict=True)]
    words = [html.P(in_words(circuit, group), className="small muted")]
    near = near_in_words(circuit, group)
    return [
        section("Channels in this group", "members", [html.Ul(items, className="patches members"), *words, *near]),
    ]


def in_words(circuit: Circuit, group: Group) -> str:
    """How much of a group's direction the channels shown are, by the squares of their weights."""
    assert group.number is not None
    direction = circuit.dictionaries[group.layer].directions[group.number].double()
    found = circuit.dictionaries[group.layer].strongest_channels(group.number, MEMBERS)
    part = sum(weight**2 for _, weight in found) / float(direction.square().sum())
    count = int((direction != 0).sum())
    if count <= len(found):
        return f"All {count} channels of its direction, with their weights in it."
    return (
        f"The {len(found)} strongest of {count} channels, with their weights in its direction: {percent(part)} of it, "
        "by the squares of the weights."
    )


def near_in_words(circuit: Circuit, group: Group) -> list[Component]:
    """The groups with nearly the same direction or, if there are none, the nearest one."""
    assert group.number is not None
    others = cosines(circuit.dictionaries[group.layer], group.number)
    if not others:
        return []
    near = [each for each in others if each[1] >= _NEAR]
    shown = near or others[:1]
    named = [_other(circuit, Group(group.layer, number_), cosine) for number_, cosine in shown]
    start = "Nearly the same direction as " if near else "The group nearest to it is "
    words: list[Component] = [start]
    for place, each in enumerate(named):
        words += [", " if place else "", *each]
    return [html.P([*words, "."], className="small")]


def _other(circuit: Circuit, group: Group, cosine: float) -> list[Component]:
    name, said = str(group), f" (cosine {number(cosine)})"
    if name not in circuit.visible:
        return [html.Span(name), said]
    link = html.Button(circuit.nodes[name].called, type="button", className="link", **sends("select", unit=name))
    return [link, said]


def _member(unit: Unit, weight: float, tile: Tile) -> Component:
    """A channel's picture, or a plain tile, that opens the channel."""
    title = f"Show {unit} among all channels of {unit.layer}"
    image: Component = html.Div(className="large placeholder" + (" waiting" if tile.state == "waiting" else ""))
    if tile.picture:
        image = html.Img(src=tile.picture, alt="", className="large")
    opens = html.Button(
        [image, html.Span(str(unit.channel), className="numbers")], type="button", className="open-channel",
        title=title, **sends("channel", unit=str(unit)), **attributes(aria_label=f"{unit}, weight {number(weight)}"),
    )  # fmt: skip
    return html.Li([opens, html.Span(number(weight), className="numbers")], key=str(unit))
