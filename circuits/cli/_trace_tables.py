"""What `circuits trace` prints: the circuit layer by layer, and with `--measure` how its edges agree with ablation."""

from collections.abc import Callable, Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.table import Table

from circuits.attribution.ablation import Baseline
from circuits.attribution.decomposition import Decomposition
from circuits.report.text import network_and_source, number, percent, remark
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.units import Edge

_NAMED = 10
"""Edges that are listed under a warning."""


def summary(circuit: Circuit) -> str:
    """What was seen and what is explained, in two lines."""
    classes = "; ".join(f"{row.label} {percent(row.probability)}" for row in circuit.predictions)
    network = circuit.network
    name = network_and_source(network.name, network.source, network.explained)
    how = remark(multi_label=network.multi_label, one_at_a_time=network.one_at_a_time)
    seen = f"{name} sees in {circuit.photo_info.name}{how}: {classes}." if classes else f"{name} names no classes{how}."
    return (
        f"{seen}\n"
        f"The circuit of {circuit.target.label} ({circuit.root}, {number(circuit.target.value)}), "
        "layer by layer; what each unit gets from the layer below, and the share of it:"
    )


def circuit_table(circuit: Circuit) -> Table:
    """The circuit layer by layer from the target down: each unit's decomposition and its strongest lower units."""
    nodes = [circuit.nodes[name] for name in circuit.visible]
    exact = all(node.books.exact for node in nodes if node.books is not None)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("unit", no_wrap=True)
    for head in ("value", "shown", "rest", "bias" if exact else "remainder", "coverage"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("from the layer below", min_width=24, overflow="fold")
    chain = _is_chain(circuit)
    for layer in reversed(circuit.layers):
        members = sorted((node for node in nodes if node.unit.layer == layer), key=lambda node: -node.value)
        for node in members:
            if node.books is not None:
                table.add_row(*_cells(circuit, node, node.books, chain=chain))
        bottom = [f"{node.unit.channel}: {number(node.value)}" for node in members if not node.expanded]
        if bottom:
            table.add_row(f"{len(bottom)} of {layer}", *[""] * 5, "not expanded, by value:\n" + _in_lines(bottom, 5))
        if members:
            table.add_section()
    return table


def _is_chain(circuit: Circuit) -> bool:
    """Whether every edge comes from the next layer, so that its channel says all."""
    nodes, height = circuit.nodes, circuit.layers.index
    return all(
        height(nodes[name].unit.layer) - height(nodes[edge.source].unit.layer) == 1
        for name in circuit.visible
        for edge in circuit.edges_into(name)
    )


def _cells(circuit: Circuit, node: Node, books: Decomposition, *, chain: bool) -> list[str]:
    called = node.id if node.called == node.id else f"{node.id} {node.called.partition(',')[0]}"
    parts = []
    for edge in circuit.edges_into(node.id):
        share = percent(abs(circuit.share(edge)))
        source = str(circuit.nodes[edge.source].unit.channel) if chain else edge.source
        if edge.entrance is not None and not chain:
            source += f" as {edge.entrance}"  # its channel in the concatenation that it enters on its way
        parts.append(f"{source}: {number(edge.attribution, sign=True)} ({share})")
    signed = [number(value, sign=True) for value in (books.shown, books.rest, books.bias)]
    return [called, number(node.value), *signed, percent(books.coverage), _in_lines(parts, 3 if chain else 1)]


def _in_lines(parts: list[str], count: int) -> str:
    """Parts with commas between, broken after every so many rather than within one."""
    lines = [", ".join(parts[start : start + count]) for start in range(0, len(parts), count)]
    return ",\n".join(lines)


def warnings(circuit: Circuit) -> str:
    """How many of the edges that were measured are doubtful, why, and which."""
    edges = [edge for name in circuit.visible for edge in circuit.edges_into(name) if edge.ablation is not None]
    edges.sort(key=lambda edge: (edge.target, edge.rank))
    kinds: tuple[tuple[str, str, Callable[[Edge], str]], ...] = (
        (
            "disagrees", "Measured by ablation: {} disagree (another sign, or one more than twice the other)",
            lambda edge: f"{_signed(edge.attribution)}, ablated {_signed(edge.ablation)}",
        ),
        (
            "cancels", "Parts that cancel: {} (net under a tenth of gross)",
            lambda edge: f"{_signed(edge.attribution)}, of {_signed(edge.positive)} and {_signed(edge.negative)}",
        ),
        (
            "saturates", "Saturated or past a threshold: {} (gradient and integrated gradient differ as much)",
            lambda edge: (
                f"{_signed((edge.positive or 0.0) + (edge.negative or 0.0))}, integrated {_signed(edge.integrated)}"
            ),
        ),
    )  # fmt: skip
    lines = []
    for name, head, numbers in kinds:
        doubtful = [edge for edge in edges if getattr(edge, name)]
        lines.append(head.format(f"{len(doubtful)} of {len(edges)} edges") + (":" if doubtful else "."))
        lines += [f"  {edge.source} → {edge.target}: {numbers(edge)}" for edge in doubtful[:_NAMED]]
        if len(doubtful) > _NAMED:
            lines.append(f"  and {len(doubtful) - _NAMED} more")
    return "\n".join(lines)


def _signed(value: float | None) -> str:
    return number(value or 0.0, sign=True)


def agreement_heading(baseline: Baseline) -> str:
    """What stands above a table of agreement."""
    instead = f"their mean over {baseline.source}" if baseline.source else baseline.name
    return f"Agreement of attributions with what is lost when units below are set to {instead}, medians by layer:"


def agreement_table(circuit: Circuit, baseline: str) -> Table:
    """Layer by layer, how well attribution predicts ablation with a baseline: medians over the units measured."""
    rows: dict[str, list[tuple[float | None, float | None, float | None]]] = {}
    for name in circuit.visible:
        node = circuit.nodes[name]
        for measured in node.measured:
            if measured.baseline == baseline and node.books is not None:
                shown = node.books.shown
                kept = None if measured.joint is None or not shown else measured.joint / shown
                rows.setdefault(node.unit.layer, []).append((measured.spearman, measured.error, kept))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("units of", no_wrap=True)
    for head in ("measured", "ranks agree", "off by", "together, of shown"):
        table.add_column(head, justify="right", no_wrap=True)
    for layer in reversed(circuit.layers):
        if layer in rows:
            ranks, errors, shares = (_known_median(column) for column in zip(*rows[layer], strict=True))
            table.add_row(
                layer,
                str(len(rows[layer])),
                "" if ranks is None else f"{ranks:.2f}".replace("-", "\N{MINUS SIGN}"),
                *("" if share is None else percent(round(share, 3)) for share in (errors, shares)),
            )
    return table


def _known_median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
