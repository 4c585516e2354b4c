"""Addresses: a unit, one channel of a layer, and a group of channels, with their text form. Knows nothing of torch."""

import re
from collections.abc import Callable
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

    @property
    def order(self) -> tuple[Any, ...]:
        """What units are ordered by; groups of a layer come behind its channels."""
        return (self.layer, 0, self.channel, self.position or (-1, -1))

    def __lt__(self, other: "Unit") -> bool:
        return self.order < other.order

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


_GROUP = re.compile(r"(?P<layer>[^\s:@]+)/(?P<number>\d{1,9}|rest)")


@dataclass(frozen=True)
class Group:
    """A group of a layer's channels, one direction of its dictionary, or what lies in no group.

    Its number stands after a slash, as what lies in a folder does: `conv7/3` is a group of the layer of which `conv7:3`
    is a channel. With another character than the colon, nobody takes the one for the other.

    Args:
        layer: name of the layer.
        number: of the group, from 0; `None` for the residual, what no group of the layer holds.

    Raises:
        InputError: if the number is negative.

    Example:
        >>> str(Group("inception4a", 3)), str(Group("inception4a", None))
        ('inception4a/3', 'inception4a/rest')
    """

    layer: str
    number: int | None

    def __post_init__(self) -> None:
        if self.number is not None and self.number < 0:
            raise InputError(f"Group {self} has a negative number; groups count from 0.")

    def __str__(self) -> str:
        return f"{self.layer}/{'rest' if self.number is None else self.number}"

    @classmethod
    def parse(cls, text: str) -> "Group":
        """Read a group as it is written: `layer/number` or `layer/rest`.

        Raises:
            InputError: if the text has another form.

        Example:
            >>> Group.parse("features.7/3")
            Group(layer='features.7', number=3)
        """
        found = _GROUP.fullmatch(text.strip())
        if found is None:
            raise InputError(f"{text!r} is not a group; write layer/number or layer/rest, such as conv4/3.")
        return cls(found["layer"], None if found["number"] == "rest" else int(found["number"]))

    @property
    def whole(self) -> "Group":
        """The group itself, which has no neurons."""
        return self

    @property
    def order(self) -> tuple[Any, ...]:
        """What groups are ordered by: their number, the residual last."""
        return (self.layer, 1, 10**9 if self.number is None else self.number, (-1, -1))


Address = Unit | Group
"""What a node of a circuit stands for."""


IN_NO_GROUP = "not in any group"
"""What the residual of a layer of groups is called."""


def is_residual(name: str) -> bool:
    """Whether a node of that id is what lies in no group of its layer.

    >>> is_residual("conv7/rest"), is_residual("conv7/3"), is_residual("conv7:3")
    (True, False, False)
    """
    return name.endswith("/rest")


def as_address(given: Address | str) -> Address:
    """A unit or a group, given as such or as text.

    Example:
        >>> as_address("conv7/2")
        Group(layer='conv7', number=2)
    """
    return parse_address(given) if isinstance(given, str) else given


def parse_address(text: str) -> Address:
    """A unit or a group, by its text.

    Raises:
        InputError: if it is neither.

    Example:
        >>> parse_address("conv4:3"), parse_address("conv4/rest")
        (Unit(layer='conv4', channel=3, position=None), Group(layer='conv4', number=None))
    """
    return Group.parse(text) if _GROUP.fullmatch(text.strip()) else Unit.parse(text)
