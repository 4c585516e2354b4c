"""What lies below the units of a layer, and the shares of those units in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from circuits.attribution.baseline import Baseline
from circuits.attribution.decomposition import Decomposition, decompose
from circuits.attribution.gradient import Readout, strongest
from circuits.attribution.modes import attribute
from circuits.attribution.parts import PackedLayer, attribute_parts
from circuits.errors import InputError
from circuits.groups.coding import Code
from circuits.network.segments import Segment
from circuits.shapes import Activation, PerChannel, Scores
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
        baseline: what shares are measured from.
    """

    piece: Segment
    activation: Activation
    widths: dict[str, int]
    codes: Mapping[str, Code] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline.zero)

    @cached_property
    def instead(self) -> PerChannel | None:
        """What the units' shares are measured from, packed; `None` for zero."""
        return None if self.baseline.name == "zero" else self.at(self.baseline)

    def at(self, baseline: Baseline) -> PerChannel:
        """What stands in the place of each packed channel; an image that is reached past the layers has zeros."""
        start, instead = 0, torch.zeros_like(self.activation[:, :, :1, :1])
        for layer, width in self.widths.items():
            instead[:, start : start + width] = baseline.of(layer, self.activation[:, start : start + width])
            start += width
        return instead

    def start(self, layer: str) -> int:
        """The first of a layer's channels."""
        names = list(self.widths)
        return sum(self.widths[name] for name in names[: names.index(layer)])

    @cached_property
    def layers(self) -> dict[str, PackedLayer]:
        """Each lower layer's place among the channels, its code, and what its shares are measured from."""
        packed = {}
        for name, width in self.widths.items():
            start = self.start(name)
            instead = None if self.instead is None else self.instead[:, start : start + width]
            packed[name] = PackedLayer(start, width, self.codes.get(name), instead)
        return packed

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
            layers = list(self.layers.values())
            return attribute_parts(mode, self.piece, self.activation, readouts, layers, self.instead)
        return attribute(mode, self.piece, self.activation, readouts, self.instead)


@dataclass(frozen=True, eq=False)
class Shares:
    """What each channel of the layers below accounts for in one unit.

    Args:
        name: id of the unit's node.
        lower: the layers below.
        value: what is shared out.
        scores: signed, one a channel; the colours of an image that is reached past these layers come last.
        exact: whether what the scores leave of the value is the effective bias.
    """

    name: str
    lower: LayersBelow
    value: float
    scores: Scores
    exact: bool

    def strongest(self, top: int, signs: str) -> list[int]:
        """The units to show, over all layers below together; a residual that is not zero always, whatever its sign."""
        scores = self.scores[: self.lower.units]
        if not self.residuals:
            return strongest(scores, top, signs)
        held = scores.clone()
        held[self.residuals] = 0
        shown = strongest(held, top, signs) + [place for place in self.residuals if scores[place] != 0]
        return sorted(shown, key=lambda place: -float(scores[place] if signs == "positive" else scores[place].abs()))

    @property
    def residuals(self) -> list[int]:
        """Where the residuals of the lower layers stand, of those whose units are groups."""
        return [self.lower.place(Group(layer, None)) for layer in self.lower.codes]

    def decomposition(self, shown: Sequence[int]) -> Decomposition:
        """Of the value, when these units are shown."""
        residuals, from_mean = self.residuals, self.lower.baseline.name == "mean"
        return decompose(self.value, self.scores, shown, exact=self.exact, residuals=residuals, from_mean=from_mean)
