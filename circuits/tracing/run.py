"""One photo's run through a network: activations, gradients and codes, each computed once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from circuits.attribution.baseline import Baseline
from circuits.attribution.gradient import Readout, gradient_down
from circuits.groups.coding import RESIDUAL, Code, encode, importance_of
from circuits.groups.dictionary import Dictionary
from circuits.network.network import Network
from circuits.network.subgraphs import subgraph_below
from circuits.shapes import Activation, Images, Maps, Scores
from circuits.tracing.layers_below import LayersBelow
from circuits.tracing.run_back import run_back
from circuits.tracing.targets import Target, readout_of
from circuits.units import Address, Group

IMAGE = ""
"""Key of the photo among a run's activations; no layer is called so."""


@dataclass(eq=False)
class ForwardCache:
    """One photo's way through a network: the activation of each layer, and each target's gradient by layer.

    Where the layers form no chain, the photo itself is kept too, under `IMAGE`. Shares are measured from the baseline.
    """

    network: Network
    activations: dict[str, Activation]
    gradients: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    dictionaries: Mapping[str, Dictionary] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline.zero)
    _codes: dict[tuple[str, str], Code] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, image: Images) -> "ForwardCache":
        """The way of a preprocessed photo, (1, c, h, w)."""
        image = image.to(network.device)
        activations = network.activations(image)
        return cls(network, {**activations, IMAGE: image} if network.branched else activations)

    def with_groups(self, dictionaries: Mapping[str, Dictionary]) -> "ForwardCache":
        """The same run, in which some layers' units are the groups of a dictionary."""
        return self if dictionaries is self.dictionaries else replace(self, dictionaries=dictionaries, _codes={})

    def from_baseline(self, baseline: Baseline) -> "ForwardCache":
        """The same run, whose shares are measured from a baseline."""
        return self if baseline is self.baseline else replace(self, baseline=baseline)

    def code(self, target: Target, layer: str) -> Code:
        """The photo's code in a layer's dictionary, weighed by the target where the dictionary is."""
        dictionary = self.dictionaries[layer]
        key = (target.id if dictionary.weighted else "", layer)
        if key not in self._codes:
            importance = importance_of(self.gradient(target, layer)[0]) if dictionary.weighted else None
            self._codes[key] = encode(dictionary, self.activations[layer], importance)
        return self._codes[key]

    def below(self, layer: str, target: Target | None = None) -> LayersBelow:
        """What lies below the units of a layer, groups where a target is given; refused if that is only the image."""
        piece, upper = subgraph_below(self.network, layer), self.network.layer(layer)
        activations = {name: self.activations[name] for name in upper.below}
        codes = {name: self.code(target, name) for name in activations if target and name in self.dictionaries}
        return LayersBelow(piece, activations, codes, self.baseline, self.activations[IMAGE] if upper.is_open else None)

    def gradient(self, target: Target, layer: str) -> Activation:
        """∂T/∂a of the target's layer or one below it, (1, C, H, W), along all paths; zero if none leads there."""
        key = (target.id, layer)
        if layer == target.unit.layer:
            gradient, readout = torch.zeros_like(self.activations[layer]), target.readout(self.network)
            gradient[0, list(readout.channels)] = 1.0 if readout.weights is None else readout.weights.to(gradient)
            return gradient
        if key not in self.gradients:
            if self.network.branched:
                self.gradients |= {(target.id, name): each for name, each in self._gradients(target, layer).items()}
                return self.gradients[key]
            above = self.network.layers[self.network.layers.index(layer) + 1]
            upper = target.readout(self.network) if above == target.unit.layer else self.gradient(target, above)
            self.gradients[key] = gradient_down(self.network.segment(layer, above), self.activations[layer], upper)
        return self.gradients[key]

    def shared(self, layer: str) -> Activation:
        """What is shared out of a layer's activation, a - b, (1, C, H, W): all of the logits', which have no mean."""
        activation = self.activations[layer]
        return activation - self.baseline.of(layer, activation) if layer in self.baseline.means else activation

    def part(self, target: Target | None, unit: Address) -> Activation:
        """A unit's part of what is shared out of its layer's activation, (1, C, H, W): all else is zero.

        Of a channel a_j - b_j, of a neuron that of its position; of a group h_g(p) · d_g, of what is in no group the
        residual, each less that of the baseline. Of all channels, or all groups and the residual, they make `shared`.
        """
        if isinstance(unit, Group):
            assert target is not None
            code, number = self.code(target, unit.layer), number_of(unit)
            usual = code.at_baseline(self.baseline.of(unit.layer, code.activation))
            return (code.part(number) if usual is None else code.part(number) - usual.part(number))[None]
        whole = self.shared(unit.layer)
        part = torch.zeros_like(whole)
        at = (slice(None), slice(None)) if unit.position is None else unit.position
        part[0, unit.channel, at[0], at[1]] = whole[0, unit.channel, at[0], at[1]]
        return part

    def attribution_maps(self, target: Target, layer: str, *, dtype: torch.dtype | None = None) -> Maps:
        """(a_j - b_j) · ∂T/∂a_j of each channel of the target's layer or one below, along all paths, (C, H, W)."""
        activation, gradient = self.shared(layer)[0], self.gradient(target, layer)[0]
        return activation * gradient if dtype is None else activation.cpu().to(dtype) * gradient.cpu()

    def attributions(self, target: Target, layer: str, *, dtype: torch.dtype | None = None) -> Scores:
        """What each channel contributes to the target along all paths, A_j = Σ_hw (a_j - b_j) · ∂T/∂a_j, (C,)."""
        return self.attribution_maps(target, layer, dtype=dtype).sum((1, 2))

    def _gradients(self, target: Target, layer: str) -> dict[str, Activation]:
        """∂T/∂a by one pass back: down to the layer and all layers of groups, or, asked again, to the lowest of all."""
        layers, is_again = self.network.layers, any(name == target.id for name, _ in self.gradients)
        lowest = 0 if is_again else min(map(layers.index, [layer, *self.dictionaries]))
        return run_back(self.network, self.activations[IMAGE], target, layers[lowest:], self.activations)[1]

    def readout(self, target: Target, unit: Address, mode: str, *, is_root: bool) -> Readout:
        """The value of a unit that its edges share out; in mode `target` what it contributes to the target."""
        if is_root:
            return target.readout(self.network)
        if isinstance(unit, Group):
            code, gradient = self.code(target, unit.layer), self.gradient(target, unit.layer)[0]
            weights = code.reading(number_of(unit), gradient if mode == "target" else None)
            return Readout(tuple(range(len(weights))), weights)
        if mode == "target":
            weights = self.gradient(target, unit.layer)[0, unit.channel]
            return Readout((unit.channel,), weights[None])
        return readout_of(self.network, unit)


def number_of(group: Group) -> int:
    """A group's number in a code."""
    return RESIDUAL if group.number is None else group.number
