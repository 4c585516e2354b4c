"""What lies below the units of a layer, and the shares of those units in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from circuits.attribution.baseline import Baseline
from circuits.attribution.decomposition import Decomposition, decompose
from circuits.attribution.gradient import Readout, strongest
from circuits.attribution.modes import attribute
from circuits.attribution.parts import Ablations, PackedLayer, attribute_parts, packed_baseline
from circuits.errors import InputError
from circuits.groups.coding import Code
from circuits.network.branches import pack
from circuits.network.segments import Segment
from circuits.shapes import Activation, Activations, Images, PerChannel, Scores
from circuits.units import Address, Group, Unit

MOST_ABLATED = 8192
"""Units below another one of which each may be ablated in a pass of its own."""


@dataclass(frozen=True, eq=False)
class LayersBelow:
    """What lies below the units of a layer: the nearest layers below it, and how it is computed from them.

    Args:
        piece: from the lower layers to the upper one.
        activations: of each lower layer.
        codes: of those whose units are groups.
        baseline: what shares are measured from.
        image: the photo, if it is reached past these layers.
    """

    piece: Segment
    activations: Mapping[str, Activations]
    codes: Mapping[str, Code] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline.zero)
    image: Images | None = None

    @cached_property
    def activation(self) -> Activation:
        """The input of the segment: the lower layers, and the image as the last, packed."""
        return pack([*self.activations.values(), *([] if self.image is None else [self.image])])

    @cached_property
    def instead(self) -> PerChannel | None:
        """What shares are measured from, of each packed number; `None` for zero."""
        return packed_baseline(self.activation, self.packed)

    @cached_property
    def layers(self) -> dict[str, PackedLayer]:
        """Each lower layer's place among the packed numbers, its code, and what its shares are measured from."""
        return self.layers_at(self.baseline)

    def layers_at(self, baseline: Baseline) -> dict[str, PackedLayer]:
        """The same, from another baseline."""
        packed, start = {}, 0
        for name, part in self.activations.items():
            instead = None if baseline.name == "zero" else baseline.of(name, part)
            packed[name] = PackedLayer(start, part.shape[1:], self.codes.get(name), instead)
            start += part[0].numel()
        return packed

    @cached_property
    def packed(self) -> list[PackedLayer]:
        """The layers, and the image as the last."""
        layers = list(self.layers.values())
        if self.image is None:
            return layers
        return [*layers, PackedLayer(self.activation[0].numel() - self.image[0].numel(), self.image.shape[1:])]

    def ablations(self, baseline: Baseline) -> Ablations:
        """Ablates units by their places."""
        return Ablations(self.activation, list(self.layers_at(baseline).values()))

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
        before = list(self.layers).index(unit.layer)
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
        if self.codes or len(self.packed) > 1:
            return attribute_parts(mode, self.piece, self.activation, readouts, self.packed)
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
