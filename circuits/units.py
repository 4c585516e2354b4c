"""Addresses of units and the edges between them, with their text form. Knows nothing of torch."""

import re
from dataclasses import dataclass
from functools import total_ordering

from circuits.errors import InputError

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


@dataclass(frozen=True)
class Edge:
    """A lower unit's share of an upper unit's value; the arrow follows the data.

    Args:
        source: id of the lower node.
        target: id of the upper node.
        attribution: signed share, in units of the upper unit's value (mode `target`: of the target).
        rank: 1 for the strongest of its target's edges.
        ablation: what the upper unit's value really loses without the lower unit, in the same units, if `measure` has
            been asked; `None` if not.
        entrance: the channel of a concatenation as which a unit of a branch enters on its way to the upper unit, such
            as `inception4a:209`, where that concatenation is no layer itself; `None` if there is none.
    """

    source: str
    target: str
    attribution: float
    rank: int
    ablation: float | None = None
    entrance: str | None = None

    @property
    def disagrees(self) -> bool:
        """Whether the ablation was measured and contradicts the attribution.

        It does where the two have different signs, or one is more than twice as large as the other.

        Example:
            >>> [Edge("conv1:0", "conv2:0", 2.0, 1, ablation).disagrees for ablation in (None, 1.0, 4.1, 0.9, -2.0)]
            [False, False, True, True, True]
        """
        if self.ablation is None:
            return False
        small, large = sorted((abs(self.attribution), abs(self.ablation)))
        return self.attribution * self.ablation < 0 or large > 2 * small
