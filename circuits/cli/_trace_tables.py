"""What `circuits trace` prints: the circuit layer by layer, and with `--measure` how its edges agree with ablation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table

from circuits.attribution.baseline import Baseline
from circuits.attribution.decomposition import Decomposition
from circuits.cli.console import wrapped
from circuits.errors import printable
from circuits.report.sentences import from_mean_in_words, held_in_words
from circuits.report.text import (
    chance,
    decimals,
    network_and_source,
    number,
    percent,
    predictions_heading,
    remark,
    units_in_words,
)
from circuits.tracing.circuit import Circuit
from circuits.tracing.edge import Edge
from circuits.tracing.node import Node
from circuits.tracing.paths import strongest_path
from circuits.units import is_residual

NOTHING = 1e-6
"""Of all that adds up to a value: what is smaller is no more than rounding."""
_GAP = 3
"""Columns between two of the table."""
_TWO_PARTS = 36
"""Columns that two lower units need."""
_ENDLESS = 10**9
_NAMED = 10
"""Edges that are listed under a warning."""


def summary(circuit: Circuit, width: int | None = None) -> str:
    """What was predicted, in lines of that width, and what is explained."""
    classes = [f"{row.label} {chance(row.probability)}" for row in circuit.predictions] or ["it names no classes"]
    network = circuit.network
    name = network_and_source(network.name, network.source, network.explained)
    how = remark(multi_label=network.multi_label, one_at_a_time=network.one_at_a_time)
    classes[0] = f"{predictions_heading(name, circuit.photo_info.name)}{how}: {classes[0]}"
    return f"{wrapped(classes, width or _ENDLESS, between='; ')}.\n{_explained(circuit)}"


def class_summary(circuit: Circuit) -> str:
    """What the circuit of a class rests on, and what is explained."""
    network = circuit.network
    name = network_and_source(network.name, network.source, network.explained).removesuffix(",")
    return f"{name} on {circuit.photo_info.name}.\n{_explained(circuit)}"


def _explained(circuit: Circuit) -> str:
    words = "".join(f"{each} " for each in (held_in_words(circuit), from_mean_in_words(circuit)) if each)
    value = number(circuit.target.value)
    what = f"The circuit of {circuit.target.label} ({circuit.root}, {value})"
    if circuit.collection is not None and circuit.target.kind == "unit":
        what = f"What {circuit.root} is made of, whatever the class ({value}, its activation summed over positions)"
    is_part = circuit.settings.mode == "target"
    own = f"what it contributes to {circuit.target.label}" if is_part else "its activation summed over positions"
    return (
        f"{what}, layer by layer. "
        f"{words}For each unit: its value ({own}), its strongest contributions from the layer below, and their share "
        "of the gross attribution:"
    )


@dataclass(frozen=True)
class _TraceRow:
    """A unit that was expanded, or the units of a layer that were not.

    Args:
        layer: of the units.
        units: how many.
        cells: the name and the numbers.
        parts: what stands in the last column.
        note: above it.
    """

    layer: str
    units: int
    cells: tuple[str, ...]
    parts: list[str]
    note: str = ""


def circuit_table(circuit: Circuit, width: int, most: int | None = None) -> str:
    """The circuit layer by layer from the target down: each unit's decomposition and its strongest lower units.

    The lower units stand beside the numbers where two of them fit there, and else below them; no number is ever cut.

    Args:
        circuit: the circuit.
        width: of the terminal, in columns.
        most: lines, after which units are only counted; `None` for all.
    """
    rows = _rows(circuit)
    closing = {books.bias_name for name in circuit.visible if (books := circuit.nodes[name].books) is not None}
    last = closing.pop() if len(closing) == 1 else "remainder"
    residual = ("no group",) if circuit.dictionaries else ()
    heads = ("unit", "value", "shown", "other groups" if residual else "rest", *residual, last, "coverage")
    blocks = _blocks(heads, rows, width)
    lines = list(blocks[0])
    for at, (row, block) in enumerate(zip(rows, blocks[1:], strict=True)):
        space = [""] if at and row.layer != rows[at - 1].layer else []
        if at and most is not None and len(lines) + len(space) + len(block) > most:
            left = sum(each.units for each in rows[at:])
            lines += ["", f"… and {left} more of {units_in_words(circuit)}; --all prints them all, --json in full."]
            break
        lines += [*space, *block]
    path = strongest_path(circuit)
    if path:
        below = [(circuit.nodes[edge.source], percent(circuit.share(edge))) for edge in path]
        steps = [f"{_address(node)}{_name(node)} ({share})" for node, share in below]
        lines += ["", wrapped([f"Strongest path: {circuit.target.label}", *steps], width, between=" ← ")]
    return "\n".join(lines)


def _blocks(heads: tuple[str, ...], rows: list[_TraceRow], width: int) -> list[list[str]]:
    """The lines of the heading and of each row."""
    names, *numbers = zip(heads, *(row.cells for row in rows), strict=True)
    sizes = [max(map(cell_len, column)) for column in numbers]
    longest = max((cell_len(part) + 1 for row in rows for part in row.parts), default=0)
    name = max(map(cell_len, names))
    whole = name + sum(sizes) + _GAP * len(sizes)
    room = width - whole - _GAP
    beside, one_line = room >= max(longest, _TWO_PARTS), whole <= width

    def line(cells: tuple[str, ...]) -> str:
        figures = "".join(
            " " * (_GAP + size - cell_len(cell)) + cell for cell, size in zip(cells[1:], sizes, strict=True)
        )
        return cells[0] + " " * (name - cell_len(cells[0])) + figures if one_line else f"{cells[0]}\n{figures}"

    def block(row: _TraceRow) -> list[str]:
        parts = wrapped(row.parts, room if beside else width, indent=0 if beside else 2).split("\n")
        if not beside:
            return [*(f"{row.cells[0]} {row.note}" if row.note else line(row.cells)).split("\n"), *parts]
        first, *others = [*([row.note] if row.note else []), *parts]
        return [f"{line(row.cells)}{' ' * _GAP}{first}", *(" " * (whole + _GAP) + other for other in others)]

    heading = (line(heads) + (" " * _GAP + "from the layer below" if beside else "")).split("\n")
    blocks = [block(row) for row in rows]
    rule = "─" * max(cell_len(each) for lines in (heading, *blocks) for each in lines)
    return [[*heading, rule], *blocks]


def _rows(circuit: Circuit) -> list[_TraceRow]:
    nodes = [circuit.nodes[name] for name in circuit.visible]
    chain, rows = _is_chain(circuit), []
    for layer in reversed(circuit.layers):
        members = sorted((node for node in nodes if node.unit.layer == layer), key=lambda node: -node.value)
        rows += [_row(circuit, node, node.books, chain=chain) for node in members if node.books is not None]
        bottom = [node for node in members if not node.expanded]
        if bottom:
            count = sum(not is_residual(node.id) for node in bottom)
            name = f"{count} of {layer}" if count else layer
            blank = [""] * (6 if circuit.dictionaries else 5)
            parts = [f"{_number(node)}{_name(node)}: {number(node.value)}" for node in bottom]
            rows.append(_TraceRow(layer, len(bottom), (name, *blank), parts, "not expanded, by value:"))
    return rows


def _number(node: Node) -> str:
    """What tells a unit from others of its layer, in a word."""
    return "no group" if is_residual(node.id) else node.number


def _address(node: Node) -> str:
    """A unit's whole name."""
    return f"no group of {node.unit.layer}" if is_residual(node.id) else node.id


def _name(node: Node) -> str:
    """What a person calls it, after a blank."""
    return printable(f" {node.name}") if node.name else ""


def _is_chain(circuit: Circuit) -> bool:
    """Whether every edge comes from the next layer, so that its channel says all."""
    nodes, height = circuit.nodes, circuit.layers.index
    return all(
        height(nodes[name].unit.layer) - height(nodes[edge.source].unit.layer) == 1
        for name in circuit.visible
        for edge in circuit.edges_into(name)
    )


def _row(circuit: Circuit, node: Node, books: Decomposition, *, chain: bool) -> _TraceRow:
    called = node.called if node.called.startswith(node.id) else f"{node.id} {node.called.partition(',')[0]}"
    called = _address(node) if is_residual(node.id) else called
    parts = []
    for edge in circuit.edges_into(node.id):
        share = percent(abs(circuit.share(edge)))
        source = (_number if chain else _address)(circuit.nodes[edge.source])
        if edge.entrance is not None and not chain:
            source += f" as {edge.entrance}"  # its channel in the concatenation that it enters on its way
        parts.append(f"{source}: {number(edge.attribution, sign=True)} ({share})")
    residual = (books.residual,) if circuit.dictionaries else ()
    nothing = NOTHING * (books.gross + abs(books.bias))
    parts_of = (books.shown, books.rest, *residual, books.bias)
    signed = [number(value if abs(value) > nothing else 0.0, sign=True) for value in parts_of]
    cells = printable(called), number(node.value), *signed, percent(books.coverage)
    return _TraceRow(node.unit.layer, 1, cells, parts)


def warnings(circuit: Circuit) -> str:
    """How many of the edges that were measured are doubtful, why, and which."""
    edges = [edge for name in circuit.visible for edge in circuit.edges_into(name) if edge.ablated is not None]
    edges.sort(key=lambda edge: (edge.target, edge.rank))
    kinds: tuple[tuple[str, str, Callable[[Edge], str]], ...] = (
        (
            "disagrees", "Measured by ablation: {} disagree (another sign, or one more than twice the other)",
            lambda edge: f"{_signed(edge.attribution)}, ablated {_signed(edge.ablated)}",
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


def agreement_heading(circuit: Circuit, baseline: Baseline) -> str:
    """What stands above a table of agreement."""
    instead = f"their mean over {baseline.source}" if baseline.source else baseline.name
    ranked = [each for node in circuit.nodes.values() for each in node.measured if each.sampled]
    sampled = f"; ranks over a random sample of {ranked[0].sampled} units" if ranked else ""
    return f"Agreement of attributions with the drop when units below are set to {instead}, medians by layer{sampled}:"


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
    for head in ("measured", "rank correlation", "error", "together / sum"):
        table.add_column(head, justify="right", no_wrap=True)
    for layer in reversed(circuit.layers):
        if layer in rows:
            ranks, errors, shares = (_known_median(column) for column in zip(*rows[layer], strict=True))
            table.add_row(
                layer,
                str(len(rows[layer])),
                "" if ranks is None else decimals(ranks),
                *("" if share is None else percent(round(share, 3)) for share in (errors, shares)),
            )
    return table


def _known_median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
