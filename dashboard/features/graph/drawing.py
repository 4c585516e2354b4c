"""A circuit as it is drawn: units in the order of their rows, with words, edges with widths. Made once for each.

A drawing does not depend on what is chosen, on pictures, nor on the size of the window, in which `arrange.js` places
its units; so the page keeps it while a person looks around, and it is sent again only when it is another one.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from circuits.report.atlas_sentences import estimated
from circuits.report.edge_words import WARNING_LABELS, WARNING_SIGNS
from circuits.report.layout import layered
from circuits.report.text import many, number, percent
from circuits.tracing.circuit import Circuit
from circuits.tracing.named_sets import names_of
from circuits.tracing.node import Node
from circuits.units import is_residual
from dashboard.answers import Groups
from dashboard.components import caption, edge_in_words
from dashboard.features.graph.folding import Folds, Merged, folds, merged
from dashboard.library import closed
from dashboard.once import Once

# Beyond so many edges each is drawn fainter, or they hide one another.
_MANY = 60
_FADE = 0.55
_KEPT = 16

Channels = Callable[[Circuit, str], int | None]
"""Number of channels of a circuit's layer, or `None` if it is not known."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """What `graph.js` draws of a circuit.

    Args:
        key: tells it from any other drawing.
        circuit: the circuit.
        fold: its near-duplicates.
        nodes: the units that are drawn, row after row from the top, each in its order.
        edges: the lines between them.
        rows: the layers from the top down.
    """

    key: str
    circuit: Circuit
    fold: Folds
    nodes: tuple[dict[str, Any], ...]
    edges: tuple[dict[str, Any], ...]
    rows: tuple[dict[str, Any], ...]


class Drawings:
    """The last drawings that were made; for many threads.

    Args:
        channels: of a layer of a circuit.
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._once = Once(_KEPT)

    def of(self, circuit: Circuit, groups: Groups, folded: frozenset[str], *, locked: bool) -> Drawing:
        """The drawing of a circuit.

        Args:
            circuit: the circuit.
            groups: its near-duplicates.
            folded: ids of those into which their groups are folded.
            locked: whether it cannot be expanded.
        """
        # The drawing holds the circuit, so that no other one takes over its id.
        key = (id(circuit), groups, folded)
        return self._once(key, lambda: draw(circuit, folds(circuit, groups, folded), self._channels, locked=locked))


def draw(circuit: Circuit, fold: Folds, channels: Channels, *, locked: bool) -> Drawing:
    """The drawing of a circuit.

    Args:
        circuit: the circuit.
        fold: its near-duplicates.
        channels: of a layer of the circuit.
        locked: whether the circuit cannot be expanded.
    """
    order = list(layered(circuit, hidden=fold.into, wrap=len(circuit.visible), ranked=True))
    edges = merged(circuit, fold, order)
    above: dict[str, list[Merged]] = {}
    for edge in edges:
        above.setdefault(edge.source, []).append(edge)
    waiting = set() if locked else set(closed(circuit))
    nodes = tuple(_unit(circuit, fold, name, above.get(name, [])) | {"closed": name in waiting} for name in order)
    fade = _FADE if len(edges) > _MANY else 1.0
    lines = tuple(_line(circuit, fold, edge, fade) for edge in edges)
    layers = [circuit.nodes[name].unit.layer for name in waiting]
    shown = dict.fromkeys(circuit.nodes[name].unit.layer for name in order)
    rows = tuple(_row(circuit, layer, channels, layers.count(layer)) for layer in shown)
    text = json.dumps([circuit.root, circuit.network.sha256, nodes, lines, rows], sort_keys=True)
    return Drawing(hashlib.sha256(text.encode()).hexdigest()[:20], circuit, fold, nodes, lines, rows)


def _row(circuit: Circuit, layer: str, channels: Channels, waiting: int) -> dict[str, Any]:
    """A layer; `closed` counts its units that can be expanded and are not."""
    own, count = circuit.network.layers[-1], channels(circuit, layer)
    kind = "classes" if layer == own and (circuit.predictions or circuit.collection) else "channels"
    detail = "" if count is None else f"{count} {kind}"
    if layer in circuit.dictionaries and any(name_.startswith(f"{layer}/") for name_ in circuit.visible):
        groups = many(circuit.dictionaries[layer].groups, "group")
        detail = f"{groups} of {detail}" if detail else groups
    return {"layer": layer, "detail": detail, "title": f"Layer {layer}", "closed": waiting}


def _part(circuit: Circuit, fold: Folds, edge: Merged) -> float:
    """Signed share of the gross attribution of the units above that an edge accounts for, -1 to 1."""
    if len(fold.members(edge.target)) == 1 and len(edge.parts) == 1:
        return circuit.share(edge.parts[0])
    gross = _gross(circuit, fold, edge.target)
    return edge.attribution / gross if gross > 0 else 0.0


def _gross(circuit: Circuit, fold: Folds, name: str) -> float:
    books = (circuit.nodes[member].books for member in fold.members(name))
    return sum(each.gross for each in books if each is not None)


def _brief(value: float) -> float:
    """A number to seven figures, as many as attributions have."""
    return float(f"{value:.7g}")


def _coverage(circuit: Circuit, fold: Folds, name: str) -> str:
    """Shown share of what lies below a drawn unit; "" if it is not expanded."""
    found = [books for member in fold.members(name) if (books := circuit.nodes[member].books) is not None]
    gross = sum(books.gross for books in found)
    if not found:
        return ""
    return percent(sum(books.coverage * books.gross for books in found) / gross if gross > 0 else 0.0)


def _unit(circuit: Circuit, fold: Folds, name: str, above: Collection[Merged]) -> dict[str, Any]:
    node, members = circuit.nodes[name], fold.members(name)
    shares = {edge.target: _part(circuit, fold, edge) for edge in above}
    strongest = max(above, key=lambda edge: abs(shares[edge.target]), default=None)
    part = shares[strongest.target] if strongest is not None else 0.0
    held = _coverage(circuit, fold, name)
    root = name == circuit.root
    group = fold.groups.get(name, ())
    sets = list(dict.fromkeys(each for member in members for each in names_of(circuit, member)))
    return ({"sets": sets} if sets else {}) | {
        "id": name,
        "layer": node.unit.layer,
        "label": node.name or (node.label if root else caption(node)),
        "residual": is_residual(name),
        "named": bool(node.name),
        "root": root,
        "share": f"value {number(node.value)}" if root else percent(part),
        "shown": held,
        "inhibits": part < 0,
        "expanded": bool(held),
        "place": node.place,
        "alike": len(group),
        "folded": len(members) if len(members) > 1 else 0,
        "strongest": group[0] if group else "",
        "gross": _brief(_gross(circuit, fold, name)),
        "title": _title(circuit, fold, node, shares, above),
        "spoken": _spoken(circuit, node, strongest, part, held, len(group), folded=len(members) > 1),
    }


def _title(circuit: Circuit, fold: Folds, node: Node, shares: Mapping[str, float], above: Collection[Merged]) -> str:
    called = node.called
    lines = [f"{called} ({node.id})" if called != node.id else called]
    lines.append(f"value {number(node.value)}, highest activation {number(node.max)}")
    for edge in sorted(above, key=lambda edge: -abs(edge.attribution)):
        told = estimated(edge.parts[0]) if len(edge.parts) == 1 else number(edge.attribution, sign=True)
        part = f"{told} to {circuit.nodes[edge.target].called}"
        rank = f", rank {edge.parts[0].rank}" if len(edge.parts) == 1 else ""
        lines.append(f"{part}: {percent(shares[edge.target])}{rank}")
    if node.books is not None:
        lines.append(f"expanded: the units shown account for {percent(node.books.coverage)} of its gross attribution")
    members = fold.members(node.id)
    if len(members) > 1:
        lines.append(f"stands for {', '.join(members)}, which fire in nearly the same places (f unfolds)")
    elif node.id in fold.groups:
        others = ", ".join(each for each in fold.groups[node.id] if each != node.id)
        lines.append(f"fires in nearly the same places as {others} (f folds them into one)")
    for name in names_of(circuit, node.id):
        lines.append(f"in the set {name}")
    if node.place is not None:
        lines.append("locked in place (p releases it)")
    return "\n".join(lines)


def _spoken(
    circuit: Circuit, node: Node, strongest: Merged | None, part: float, held: str, alike: int, *, folded: bool
) -> str:
    words = [node.called if node.called == node.label else f"{node.called}, {node.label}"]
    if strongest is not None:
        verb = "inhibits" if part < 0 else "excites"
        words.append(f"{verb} {circuit.nodes[strongest.target].called}, {percent(abs(part))}")
    words.append(f"expanded, {held} of its gross attribution is shown" if held else "not expanded")
    if folded:
        words.append(f"stands for {alike} that fire in nearly the same places")
    elif alike:
        words.append(f"one of {alike} that fire in nearly the same places")
    words += [f"in the set {name}" for name in names_of(circuit, node.id)]
    if node.place is not None:
        words.append("locked in place")
    return ", ".join(words)


def _line(circuit: Circuit, fold: Folds, edge: Merged, fade: float) -> dict[str, Any]:
    part = _part(circuit, fold, edge)
    strength = abs(part) ** 0.5
    best = edge.parts[0]
    return {
        "source": edge.source,
        "target": edge.target,
        "chosen_as": {"lower": best.source, "upper": best.target},
        "share": percent(part),
        "part": round(abs(part) * 100, 4),
        "size": _brief(edge.size),
        "spoken": _line_in_words(circuit, edge, part),
        "inhibits": edge.attribution < 0,
        "residual": is_residual(edge.source),
        "disagrees": edge.disagrees,
        "marks": "".join(WARNING_SIGNS[name] for name in edge.warnings if name != "disagrees"),
        "width": round(1.2 + 15.0 * strength, 2),
        "strength": round(fade * min(0.9, 0.35 + 0.7 * strength), 3),
    }


def _line_in_words(circuit: Circuit, edge: Merged, part: float) -> str:
    """An edge in words, with what the ablation found if it was measured."""
    if len(edge.parts) == 1:
        best = edge.parts[0]
        measured = ""
        if best.ablated is not None:
            measured = f"; measured by ablation: {number(best.ablated, sign=True)}"
        sure = "" if best.photos is None else f", {estimated(best)}"
        return f"{edge_in_words(circuit, best)}{sure}{measured}{_doubts(edge)}"
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    verb = "inhibits" if edge.attribution < 0 else "excites"
    measured = "; measured by ablation" if edge.warnings else ""
    return f"{lower} {verb} {upper}, {percent(abs(part))}, {len(edge.parts)} edges in one{measured}{_doubts(edge)}"


def _doubts(edge: Merged) -> str:
    others = "".join(f", {WARNING_LABELS[name]}" for name in edge.warnings if name != "disagrees")
    return others + (", disagrees" if edge.disagrees else "")
