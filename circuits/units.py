"""Addresses of units and the edges between them, with their text form. Knows nothing of torch."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

from circuits.errors import InputError

Progress = Callable[[int, int, str], None]
"""Called with (done, known, what is under way); an exception that it raises ends the work."""

_UNIT = re.compile(r"(?P<layer>[^\s:@]+):(?P<channel>\d{1,9})(?:@(?P<row>\d{1,9}),(?P<column>\d{1,9}))?")


@total_ordering
@dataclass(frozen=True)
class Unit:
    """One channel of a layer or, with a position, one neuron of that channel.

    Units are ordered by layer, channel and position, a whole channel before its neurons.

    Args:
        layer: name of the layer.
        channel: index of the channel, from 0.
        position: (row, column) in the layer's own grid; `None` means the whole channel.

    Raises:
        InputError: if the channel or the position is negative.

    Example:
        >>> Unit("inception4a", 17)
        Unit(layer='inception4a', channel=17, position=None)
        >>> str(Unit("inception4a", 17, (7, 5)))
        'inception4a:17@7,5'
    """

    layer: str
    channel: int
    position: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.channel < 0 or (self.position is not None and min(self.position) < 0):
            raise InputError(f"Unit {self} has a negative number; channels and positions count from 0.")

    def __lt__(self, other: "Unit") -> bool:
        mine, others = self.position or (-1, -1), other.position or (-1, -1)
        return (self.layer, self.channel, mine) < (other.layer, other.channel, others)

    def __str__(self) -> str:
        at = "" if self.position is None else f"@{self.position[0]},{self.position[1]}"
        return f"{self.layer}:{self.channel}{at}"

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """Read a unit as it is written: `layer:channel` or `layer:channel@row,column`.

        Raises:
            InputError: if the text has another form.

        Example:
            >>> Unit.parse("features.7:3@0,12")
            Unit(layer='features.7', channel=3, position=(0, 12))
        """
        found = _UNIT.fullmatch(text.strip())
        if found is None:
            raise InputError(
                f"{text!r} is not a unit; write layer:channel or layer:channel@row,column, such as conv4:17@3,5."
            )
        row, column = found["row"], found["column"]
        return cls(found["layer"], int(found["channel"]), None if row is None else (int(row), int(column)))

    @property
    def whole(self) -> "Unit":
        """The channel that this neuron is part of.

        Example:
            >>> Unit("conv1", 3, (0, 1)).whole
            Unit(layer='conv1', channel=3, position=None)
        """
        return Unit(self.layer, self.channel)


def as_unit(unit: "Unit | str") -> Unit:
    """A unit given as such or as text.

    Example:
        >>> as_unit("fc:284")
        Unit(layer='fc', channel=284, position=None)
    """
    return unit if isinstance(unit, Unit) else Unit.parse(unit)


MEASURED = ("ablation", "ablation_mean", "positive", "negative", "integrated")
"""What `measure` writes on an edge, as the file calls it."""
WARNINGS = ("disagrees", "cancels", "saturates")
"""What may be doubtful about an edge, by the name of its property."""
_NET = 0.1


@dataclass(frozen=True)
class Edge:
    """A lower unit's share of an upper unit's value; the arrow follows the data.

    What was measured is in the units of the attribution, and `None` unless `measure` has been asked.

    Args:
        source: id of the lower node.
        target: id of the upper node.
        attribution: signed share, in units of the upper unit's value (mode `target`: of the target).
        rank: 1 for the strongest of its target's edges.
        ablation: what the upper unit's value really loses without the lower unit, when that is set to zero.
        entrance: the channel of a concatenation as which a unit of a branch enters on its way to the upper unit, such
            as `inception4a:209`, where that concatenation is no layer itself; `None` if there is none.
        ablation_mean: what it loses when the lower unit is set to its mean over photos (`Baseline.mean`).
        positive: what argues for it in gradient × activation, Σ_hw max(0, a · ∂f/∂a).
        negative: what argues against it there, Σ_hw min(0, a · ∂f/∂a).
        integrated: its share by integrated gradients.
    """

    source: str
    target: str
    attribution: float
    rank: int
    ablation: float | None = None
    entrance: str | None = None
    ablation_mean: float | None = None
    positive: float | None = None
    negative: float | None = None
    integrated: float | None = None

    @classmethod
    def of_row(cls, source: str, target: str, row: Mapping[str, Any]) -> "Edge":
        """The edge that a graph or a file says there is."""
        measured = {key: row.get(key) for key in (*MEASURED, "entrance")}
        return cls(source, target, row["attribution"], row["rank"], **measured)

    @property
    def disagrees(self) -> bool:
        """Whether the ablation was measured and contradicts the attribution.

        It does where the two have different signs, or one is more than twice as large as the other.

        Example:
            >>> [Edge("conv1:0", "conv2:0", 2.0, 1, ablation).disagrees for ablation in (None, 1.0, 4.1, 0.9, -2.0)]
            [False, False, True, True, True]
        """
        return self.ablation is not None and _differ(self.attribution, self.ablation)

    @property
    def cancels(self) -> bool:
        """Whether what argues for it and against it, at different positions, nearly cancels.

        It does where |positive + negative| < 0.1 · (positive - negative), net against gross: its sign then hangs on
        less than a fifth of either part.

        Example:
            >>> parts = [(None, None), (5.5, -4.4), (5.0, -4.6), (0.0, 0.0)]
            >>> [Edge("conv1:0", "conv2:0", 1.0, 1, positive=p, negative=n).cancels for p, n in parts]
            [False, False, True, False]
        """
        if self.positive is None or self.negative is None:
            return False
        return abs(self.positive + self.negative) < _NET * (self.positive - self.negative)

    @property
    def saturates(self) -> bool:
        """Whether the gradient at the photo tells another story than the whole way there from zero.

        It does where gradient × activation and integrated gradients have different signs, or one is more than twice
        as large as the other: their difference is more than half of the larger.

        Example:
            >>> found = [None, 1.0, 4.1, 0.9]
            >>> [Edge("a:0", "b:0", 2.0, 1, positive=2.0, negative=0.0, integrated=ig).saturates for ig in found]
            [False, False, True, True]
        """
        if self.positive is None or self.negative is None or self.integrated is None:
            return False
        return _differ(self.positive + self.negative, self.integrated)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which of `WARNINGS` hold.

        Example:
            >>> Edge("conv1:0", "conv2:0", 2.0, 1, ablation=-1.0, positive=2.0, negative=0.0, integrated=9.0).warnings
            ('disagrees', 'saturates')
        """
        return tuple(name for name in WARNINGS if getattr(self, name))


def _differ(one: float, other: float) -> bool:
    """Whether two numbers have different signs, or one is more than twice as large as the other."""
    small, large = sorted((abs(one), abs(other)))
    return one * other < 0 or large > 2 * small
