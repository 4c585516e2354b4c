"""What the value of a unit is made of, as its pane shows it: the units below it, the rest, and the bias."""

import circuits
from circuits.attribution.decomposition import Decomposition
from circuits.tracing.circuit import Circuit
from circuits.units import IN_NO_GROUP, is_residual
from dashboard.answers import Breakdown, Inspection, Part
from dashboard.library import Library
from dashboard.session.state import Choices


def inspect(library: Library, circuit: Circuit, name: str, locked: str) -> Inspection:
    """What the page says of a unit without asking the network."""
    node = circuit.nodes[name]
    breakdown = _shown(library, circuit, name, node.books) if node.books is not None else None
    frozen = library.fit.why_not_expand(circuit, name, locked)
    in_target_units = circuit.settings.mode == "target"
    return Inspection(breakdown, frozen, in_target_units, library.methods, library.fit.most_below(circuit))


def would_show(library: Library, circuit: Circuit, name: str, choices: Choices) -> Breakdown:
    """What a unit's value would be made of if it were expanded."""
    found = circuits.contributions(library.network, circuit, name, top=choices.top)
    books = found.books
    parts = tuple(
        Part(str(unit), IN_NO_GROUP if is_residual(str(unit)) else str(unit), attribution)
        for unit, attribution in found.shares
    )
    return Breakdown(
        parts, books.rest, found.others, books.bias, books.bias_name, books.value, books.coverage, books.gross,
        books.exact, expanded=False, residual=_residual(library, circuit, circuit.nodes[name].unit.layer, books),
    )  # fmt: skip


def _shown(library: Library, circuit: Circuit, name: str, books: Decomposition) -> Breakdown:
    parts = tuple(
        Part(edge.source, circuit.nodes[edge.source].label, edge.attribution)
        for edge in circuit.edges_into(name)
        if edge.source in circuit.visible
    )
    layer = circuit.nodes[name].unit.layer
    below, named = _below(library, circuit, layer), sum(not is_residual(part.name) for part in parts)
    rest = 0.0 if below == named else books.rest  # of no unit it is what rounding leaves
    return Breakdown(
        parts, rest, None if below is None else below - named, books.bias, books.bias_name,
        books.value, books.coverage, books.gross, books.exact, expanded=True,
        residual=_residual(library, circuit, layer, books),
    )  # fmt: skip


def _below(library: Library, circuit: Circuit, layer: str) -> int | None:
    """Units that the layers below one have; `None` if there are none, or that is not known.

    Beside layers with groups those without, in which the fit found nothing that matters, have none to show.
    """
    if not library.fit.is_known(circuit):
        return None
    network, groups = library.fit.cut(circuit), circuit.dictionaries
    below = network.layers_below(layer)
    grouped = [groups[name].groups for name in below if name in groups]
    return sum(grouped or (network.layer(name).channels for name in below)) if below else None


def _residual(library: Library, circuit: Circuit, layer: str, books: Decomposition) -> float | None:
    """What is in no group of the layers below one; `None` if their units are channels, or that is not known."""
    if library.fit.why_locked(circuit):
        return books.residual or None
    below = library.fit.cut(circuit).layers_below(layer)
    return books.residual if any(name in circuit.dictionaries for name in below) else None
