"""What lies below the units of a layer, and the shares of those units in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from circuits.attribution.gradient import Readout
from circuits.attribution.modes import attribute
from circuits.attribution.parts import PackedLayer, attribute_parts
from circuits.errors import InputError
from circuits.groups.coding import Code
from circuits.network.segments import Segment
from circuits.shapes import Activation, Scores
from circuits.units import Address, Group, Unit

MOST_ABLATED = 8192
"""Units below another one of which each may be ablated in a pass of its own."""


@dataclass(frozen=True, eq=False)
class LayersBelow:
    """What lies below the units of a layer: the nearest layers below it, and how it is computed from them.

    Args:
        piece: from the lower layers to the upper one.
        activation: of the lower layers, and of the image if it is reached past them, packed, (1, c, h, w).
        widths: number of channels of each lower layer, in the order of the channels.
        codes: of those whose units are groups.
    """

    piece: Segment
    activation: Activation
    widths: dict[str, int]
    codes: Mapping[str, Code] = field(default_factory=dict)

    def start(self, layer: str) -> int:
        """The first of a layer's channels."""
        names = list(self.widths)
        return sum(self.widths[name] for name in names[: names.index(layer)])

    @property
    def layers(self) -> dict[str, PackedLayer]:
        """Each lower layer's place among the channels, and its code."""
        return {name: PackedLayer(self.start(name), width, self.codes.get(name)) for name, width in self.widths.items()}

    def address(self, place: int) -> Address:
        """The unit with a place in the order of the shares: a layer's channels, or its groups and last the residual."""
        for name, layer in self.layers.items():
            if place < layer.units:
                last = layer.units - 1
                return Unit(name, place) if layer.code is None else Group(name, None if place == last else place)
            place -= layer.units
        raise IndexError(place)

    def place(self, unit: Address) -> int:
        """A unit's place in the order of the shares."""
        before = list(self.widths).index(unit.layer)
        start = sum(layer.units for layer in list(self.layers.values())[:before])
        if isinstance(unit, Unit):
            return start + unit.channel
        return start + (self.codes[unit.layer].dictionary.groups if unit.number is None else unit.number)

    @property
    def units(self) -> int:
        """Number of units; the image's colours, which come after them, are none."""
        return sum(layer.units for layer in self.layers.values())

    def shares(self, mode: str, readouts: Iterator[Readout]) -> Iterator[Scores]:
        """Shares of several values in a mode, one after the other, in the order of the units; the image's come last."""
        if mode == "ablate" and self.units > MOST_ABLATED:
            raise InputError(
                f"There are {self.units} units below, too many to ablate one by one; choose another mode, such as sum, "
                "and measure what it shows (--measure)."
            )
        if self.codes:
            return attribute_parts(mode, self.piece, self.activation, readouts, list(self.layers.values()))
        return attribute(mode, self.piece, self.activation, readouts)
