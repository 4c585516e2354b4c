"""A node of a circuit: one unit, with what was found of it and what a person said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circuits.attribution.agreement import Agreement
from circuits.attribution.decomposition import CLOSING, Decomposition
from circuits.errors import InputError
from circuits.notebook import Reported
from circuits.tracing.edge import Edge
from circuits.units import Address, Group, Unit, is_residual


@dataclass(frozen=True)
class Node(Reported):
    """One unit of a circuit.

    Args:
        id: unique in the circuit: the unit's address, or `fc:3-5` for the difference of two classes.
        unit: its address (of the first class, for a difference): a channel, a neuron, or a group of channels.
        label: what to call it.
        value: sum of its activation over its positions (mode `target`: its share of the target).
        max: its highest activation.
        peak: (row, column) of the highest.
        expanded: whether the layer below was searched.
        discarded: whether a person threw it out.
        note: a person's note.
        books: value = shown + rest + residual + bias, if expanded; only units that are visible count as shown.
        picture: data URI of its feature visualisation, if the file carries one.
        name: what a person calls it; empty if nobody named it.
        place: (x, y) where a person locked it on the page; `None` where it may move.
        measured: how well the attributions below it agree with ablation, by baseline, if `measure` has been asked.
        error: standard error of the value, which is a mean over photos, in the circuit of a class.
    """

    id: str
    unit: Address
    label: str
    value: float
    max: float
    peak: tuple[int, int]
    expanded: bool
    discarded: bool
    note: str
    books: Decomposition | None
    picture: str | None = field(default=None, repr=False)
    name: str = ""
    place: tuple[float, float] | None = None
    measured: tuple[Agreement, ...] = ()
    error: float | None = None

    @classmethod
    def of_row(cls, name: str, row: Mapping[str, Any], edges: Sequence[Edge]) -> "Node":
        """The node that a graph or a file says there is, with the edges into it that are shown."""
        books = None
        if row["expanded"]:
            closing = next(key for key in CLOSING if key in row)
            exact, from_mean = closing != "remainder", closing == "base"
            whole = Decomposition(row["value"], 0.0, 0.0, row[closing], 0.0, row["gross"], exact, from_mean=from_mean)
            residual = sum((edge.attribution for edge in edges if is_residual(edge.source)), 0.0)
            books = whole.showing([edge.attribution for edge in edges if not is_residual(edge.source)], residual)
        shown = [edge.source for edge in edges]
        as_written = ("label", "value", "max", "expanded", "discarded", "note", "picture", "name", "error")
        return cls(
            id=name,
            unit=address_of(row),
            peak=(row["peak"][0], row["peak"][1]),
            books=books,
            place=_pair(row.get("place")),
            measured=tuple(Agreement.of_row(agreement, shown) for agreement in row.get("measured", ())),
            **{key: row[key] for key in as_written if key in row},
        )

    @property
    def channel(self) -> Unit:
        """Its address where it is a channel or a neuron.

        Raises:
            InputError: if it is a group, of which what is asked cannot be said.
        """
        if isinstance(self.unit, Group):
            raise InputError(f"{self.id} is a group of channels; ask for one of its channels instead.")
        return self.unit

    @property
    def number(self) -> str:
        """What tells it from others of its layer: its channel, the number of a group, or what a residual is called."""
        if isinstance(self.unit, Group):
            return self.label if self.unit.number is None else str(self.unit.number)
        return str(self.unit.channel)

    @property
    def position(self) -> tuple[int, int] | None:
        """Row and column of a neuron."""
        return self.unit.position if isinstance(self.unit, Unit) else None

    @property
    def called(self) -> str:
        """The name that a person gave it, else its label."""
        return self.name or self.label


def address_of(row: Mapping[str, Any]) -> Address:
    """The address that a node's row says."""
    if "group" in row:
        return Group(row["layer"], None if row["group"] == "rest" else row["group"])
    return Unit(row["layer"], row["channel"], _pair(row.get("position")))


def index_of(unit: Address) -> int:
    """A unit's number among those of its layer: its channel, or that of a group."""
    if isinstance(unit, Unit):
        return unit.channel
    if unit.number is None:
        raise ValueError(f"{unit} has no number")
    return unit.number


def _pair(values: Sequence[Any] | None) -> tuple[Any, Any] | None:
    return None if values is None else (values[0], values[1])
