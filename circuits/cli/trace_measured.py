"""What `circuits trace --measure` tells: warnings about edges, and how well attribution predicts ablation."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from circuits.errors import InputError
from circuits.report.text import number, percent

if TYPE_CHECKING:
    from rich.table import Table

    from circuits.attribution.ablation import Baseline
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit
    from circuits.units import Edge


_NAMED = 10


def baseline_of(network: "Network", name: str, exemplars: Path | None) -> "Baseline":
    """The baseline that a person asks for, a mean over the newest index of exemplars.

    Raises:
        InputError: if there is no such baseline, or no index.
    """
    from circuits.attribution.ablation import Baseline

    if name == "zero":
        return Baseline.zero()
    if name != "mean":
        raise InputError(f"--baseline {name!r} does not exist; write zero or mean.")
    from circuits.exemplars.exemplars import find_exemplars

    index = find_exemplars(network, exemplars)
    if index is None:
        where = f" in {exemplars}" if exemplars is not None else ""
        raise InputError(
            f"There is no index of exemplars of {network.name}{where} to take means over; make one with "
            "`circuits exemplars FOLDER` and the same network, or leave out --baseline mean."
        )
    return Baseline.mean(index)


def warnings(circuit: "Circuit") -> str:
    """How many of the edges that were measured are doubtful, why, and which."""
    edges = [edge for name in circuit.visible for edge in circuit.edges_into(name) if edge.ablation is not None]
    edges.sort(key=lambda edge: (edge.target, edge.rank))
    told = [
        *_told(
            edges, "disagrees", "Measured by ablation: {} disagree (another sign, or one more than twice the other)",
            lambda edge: f"{_plus(edge.attribution)}, ablated {_plus(edge.ablation)}",
        ),
        *_told(
            edges, "cancels", "Parts that cancel: {} (net under a tenth of gross)",
            lambda edge: f"{_plus(edge.attribution)}, of {_plus(edge.positive)} and {_plus(edge.negative)}",
        ),
        *_told(
            edges, "saturates", "Saturated or past a threshold: {} (gradient and integrated gradient differ as much)",
            lambda edge: (
                f"{_plus((edge.positive or 0.0) + (edge.negative or 0.0))}, integrated {_plus(edge.integrated)}"
            ),
        ),
    ]  # fmt: skip
    return "\n".join(told)


def _told(edges: Sequence["Edge"], name: str, head: str, say: Callable[["Edge"], str]) -> Iterator[str]:
    found = [edge for edge in edges if getattr(edge, name)]
    yield head.format(f"{len(found)} of {len(edges)} edges") + (":" if found else ".")
    for edge in found[:_NAMED]:
        yield f"  {edge.source} → {edge.target}: {say(edge)}"
    if len(found) > _NAMED:
        yield f"  and {len(found) - _NAMED} more"


def _plus(value: float | None) -> str:
    return number(value or 0.0, sign=True)


def agreement(circuit: "Circuit", baseline: str) -> "Table":
    """Layer by layer, how well attribution predicts ablation with a baseline: medians over the units measured.

    Args:
        circuit: that was measured.
        baseline: `zero` or `mean`.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    rows: dict[str, list[tuple[float | None, float | None, float | None]]] = {}
    for name in circuit.visible:
        node = circuit.nodes[name]
        for found in node.measured:
            if found.baseline == baseline and node.books is not None:
                kept = None if found.joint is None or not node.books.shown else found.joint / node.books.shown
                rows.setdefault(node.unit.layer, []).append((found.spearman, found.error, kept))
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    grid.add_column("units of", no_wrap=True)
    for head in ("measured", "ranks agree", "off by", "together, of shown"):
        grid.add_column(head, justify="right", no_wrap=True)
    for layer in reversed(circuit.layers):
        if layer in rows:
            ranks, errors, shares = (_middle(column) for column in zip(*rows[layer], strict=True))
            grid.add_row(
                layer,
                str(len(rows[layer])),
                "" if ranks is None else f"{ranks:.2f}".replace("-", "\N{MINUS SIGN}"),
                "" if errors is None else percent(round(errors, 3)),
                "" if shares is None else percent(round(shares, 3)),
            )
    return grid


def heading(baseline: "Baseline") -> str:
    """What stands above a table of agreement."""
    instead = f"their mean over {baseline.source}" if baseline.source else baseline.name
    return f"Agreement of attributions with what is lost when units below are set to {instead}, medians by layer:"


def _middle(values: Sequence[float | None]) -> float | None:
    """The median of the values that are known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
