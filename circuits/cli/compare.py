"""`circuits compare`: what two circuits share, and what only one of them shows."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from circuits.cli.console import note, output, say
from circuits.cli.files import check_output, get_circuit
from circuits.cli.options import argument, file_option
from circuits.errors import InputError
from circuits.files import write_atomically
from circuits.report.text import method_in_words, methods_differ, number, percent, question
from circuits.units import is_residual

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.compare import Comparison, SharedUnit


def compare(
    left: Path = argument("A.json", "A circuit, from trace -o.", readable=False),
    right: Path = argument("B.json", "Another.", readable=False),
    file: Path | None = file_option("Write the comparison as JSON.", "--output", "-o"),
) -> None:
    """Compare two circuits: of two photos, two targets or two networks. Needs only their files."""
    from circuits.tracing.compare import compare as compare_circuits

    if file is not None:
        check_output("--output", file, "JSON", (".json",))
        if file.resolve() in (left.resolve(), right.resolve()):
            raise InputError(f"{file} is one of the circuits; give the comparison a name of its own.")
    one, other = get_circuit(left), get_circuit(right)
    comparison = compare_circuits(one, other)
    console = output()
    say(console, summary(one, other, comparison))
    console.print(table(comparison, numbers=not methods_differ(one, other)))
    if file is not None:
        write_atomically(file, json.dumps(comparison.to_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n")
        note(f"Wrote {file}.")


def summary(left: "Circuit", right: "Circuit", comparison: "Comparison") -> str:
    """What is compared, and how alike it is."""
    named = [f"{name}: {_question(circuit)}" for name, circuit in (("A", left), ("B", right))]
    if not comparison.same_network:
        named.append("The networks differ, so equal addresses of units mean nothing.")
    if methods_differ(left, right):
        named.append(
            f"The methods differ ({method_in_words(left)}; {method_in_words(right)}), so values and shares cannot be "
            "compared, and are not listed."
        )
    units = _counted("unit", len(comparison.shared), len(comparison.left), len(comparison.right))
    edges = _counted("edge", len(comparison.shared_edges), len(comparison.left_edges), len(comparison.right_edges))
    named += [
        f"{units} (Jaccard index {comparison.unit_index:.2f}).",
        f"{edges} (Jaccard index {comparison.edge_index:.2f}).",
    ]
    if not methods_differ(left, right):
        named.append("For each shared unit: its value in A and B, and its largest share of a unit above.")
    return "\n".join(named)


def _counted(what: str, shared: int, left: int, right: int) -> str:
    return f"{shared} {what if shared == 1 else what + 's'} shared, {left} only in A, {right} only in B"


def _question(circuit: "Circuit") -> str:
    return f"{question(circuit)} {circuit.network.name} on {circuit.photo_info.name}"


def table(comparison: "Comparison", *, numbers: bool = True) -> Table:
    """Layer by layer from the top: the shared units with their values and shares, and those of one circuit alone.

    Args:
        comparison: of two circuits.
        numbers: whether their values and shares can be compared.
    """
    from rich.table import Table

    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    grid.add_column("layer", no_wrap=True)
    grid.add_column("shared", no_wrap=True)
    for head in ("value A", "value B", "share A", "share B") if numbers else ():
        grid.add_column(head, justify="right", no_wrap=True)
    for head in ("only A", "only B"):
        grid.add_column(head, overflow="fold", max_width=32)
    for row in comparison.layers:
        lines = [_cells(unit) for unit in row.shared] or [("none", "", "", "", "")]
        columns = ["\n".join(column) for column in zip(*lines, strict=True)][: None if numbers else 1]
        alone = [", ".join(map(_within_layer, names)) for names in (row.left, row.right)]
        grid.add_row(row.layer, *columns, *alone)
        grid.add_section()
    return grid


def _cells(unit: "SharedUnit") -> tuple[str, str, str, str, str]:
    short = _within_layer(unit.id)
    if unit.right_id != unit.id:
        short += f" = {_within_layer(unit.right_id)}"
    called = short if unit.called == unit.id or is_residual(unit.id) else f"{short} {unit.called.partition(',')[0]}"
    shares = ["" if share is None else percent(share) for share in (unit.left_share, unit.right_share)]
    return called, number(unit.left), number(unit.right), shares[0], shares[1]


def _within_layer(name: str) -> str:
    """What stands after the layer in the id of a node.

    Example:
        >>> _within_layer("features.7:3@1,2"), _within_layer("conv7/rest"), _within_layer("fc:3-5")
        ('3@1,2', 'no group', '3-5')
    """
    if is_residual(name):
        return "no group"
    return re.split("[/:](?=[^/:]*$)", name)[-1]
