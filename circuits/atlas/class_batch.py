"""Photos of a class, some at once: what lies below a unit in each of them, units being channels or groups of these.

The formulas are those of one photo (`tracing.run`, `attribution.parts`): photos do not act on each other, so that the
gradient of a sum over photos holds that of each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from circuits.attribution.baseline import Baseline
from circuits.attribution.gradient import away_from
from circuits.attribution.parts import PackedLayer
from circuits.groups.coding import RESIDUAL, Code, encode, importance_of
from circuits.groups.dictionary import Dictionary
from circuits.network.network import Network
from circuits.network.subgraphs import subgraph_below
from circuits.shapes import Activations, Images
from circuits.tracing.layers_below import LayersBelow
from circuits.tracing.run import number_of
from circuits.tracing.run_back import run_back
from circuits.tracing.targets import Target
from circuits.units import Address, Group

MOST_KEPT = 2**30
"""Bytes of batches that are kept; of more photos the others are run again at each level."""


@dataclass(frozen=True, eq=False)
class ClassBatch:
    """Some photos in the network.

    Args:
        network: the network.
        target: what is explained.
        images: the photos, preprocessed.
        activations: of the target's layer and of those below it that are explained.
        gradients: ∂T/∂a of the same layers.
        codes: of layers whose units are groups, one a photo.
        baseline: what shares are measured from.
    """

    network: Network
    target: Target
    images: Images
    activations: Mapping[str, Activations]
    gradients: Mapping[str, Activations]
    codes: Mapping[str, Sequence[Code]]
    baseline: Baseline = field(default_factory=Baseline.zero)

    @classmethod
    def of(
        cls,
        network: Network,
        target: Target,
        images: Images,
        layers: Sequence[str],
        dictionaries: Mapping[str, Dictionary],
        baseline: Baseline | None = None,
    ) -> "ClassBatch":
        """Run some photos.

        Args:
            network: the network.
            target: what is explained.
            images: the photos, preprocessed.
            layers: those below the target that are explained.
            dictionaries: of those whose units are groups.
            baseline: what shares are measured from; zero if `None`.
        """
        images = images.to(network.device).contiguous(memory_format=torch.channels_last)
        activations, gradients = run_back(network, images, target, [target.unit.layer, *layers])
        codes = {
            layer: [
                encode(each, activation[None], importance_of(gradient) if each.weighted else None)
                for activation, gradient in zip(activations[layer], gradients[layer], strict=True)
            ]
            for layer, each in dictionaries.items()
        }
        return cls(network, target, images, activations, gradients, codes, baseline or Baseline.zero())

    def __len__(self) -> int:
        return len(self.images)

    @property
    def bytes(self) -> int:
        """What it takes of the memory."""
        codes = [code for each in self.codes.values() for code in each]
        parts = [self.images, *self.activations.values(), *self.gradients.values()]
        parts += [part for code in codes for part in (code.weights, code.inverse, code.importance) if part is not None]
        return sum(part.nbytes for part in parts)

    @property
    def logits(self) -> Tensor:
        """Value of the target, (N,)."""
        return self.target.readout(self.network).value(self.activations[self.target.unit.layer])

    def contributions(self, layer: str) -> Tensor:
        """What each unit of a layer contributes to the target along all paths, (N, units), a residual last.

        From a mean that is Σ (part - its baseline) · ∂T/∂a; of the target's own layer the whole value.
        """
        activation, gradients = self.activations[layer], self.gradients[layer]
        is_whole = layer == self.target.unit.layer or self.baseline.name == "zero"
        instead = None if is_whole else self.baseline.of(layer, activation)
        if layer not in self.codes:
            return (away_from(instead, activation) * gradients).sum((2, 3))
        packed = [PackedLayer(0, activation.shape[1:], code, instead) for code in self.codes[layer]]
        pairs = zip(packed, activation, gradients, strict=True)
        return torch.stack([each.shares(own[None], gradient[None]) for each, own, gradient in pairs])

    def peaks(self, layer: str) -> Tensor:
        """The highest activation of each unit of a layer, (N, units)."""
        if layer not in self.codes:
            return self.activations[layer].amax((2, 3))
        return torch.stack([
            torch.stack([code.map(group).max() for group in (*range(code.dictionary.groups), RESIDUAL)])
            for code in self.codes[layer]
        ])  # fmt: skip

    def below(self, layer: str, photo: int = 0) -> LayersBelow:
        """What lies below the units of a layer in one of the photos."""
        upper = self.network.layer(layer)
        activations = {name: self.activations[name][[photo]] for name in upper.below}
        codes = {name: self.codes[name][photo] for name in upper.below if name in self.codes}
        image = self.images[[photo]] if upper.is_open else None
        return LayersBelow(subgraph_below(self.network, layer), activations, codes, self.baseline, image)

    def shares(self, layer: str, units: Sequence[Address]) -> Iterator[Tensor]:
        """What each unit below accounts for in some units of a layer, one after the other, (N, units below).

        In the order of `LayersBelow.address`; the colours of an image that is reached past the layers come last.
        """
        lowers = [self.below(layer, photo) for photo in range(len(self))]
        point = torch.cat([lower.activation for lower in lowers]).requires_grad_()
        read = lru_cache(maxsize=1)(subgraph_below(self.network, layer).reader(point))  # of groups all read all of it
        for unit in units:
            channels, weights = self._readout(unit)
            with torch.enable_grad():
                value = (read(channels) * weights).sum()
            [gradient] = torch.autograd.grad(value, point, retain_graph=True, allow_unused=True, materialize_grads=True)
            yield torch.stack([
                torch.cat([each.shares(lower.activation, slope[None]) for each in lower.packed])
                for lower, slope in zip(lowers, gradient, strict=True)
            ])  # fmt: skip

    def _readout(self, unit: Address) -> tuple[tuple[int, ...], Tensor]:
        """The channels that a unit's value reads, and the weight of each at each position of each photo."""
        gradient = self.gradients[unit.layer]
        if isinstance(unit, Group):
            number = number_of(unit)
            codes = zip(self.codes[unit.layer], gradient, strict=True)
            return tuple(range(gradient.shape[1])), torch.stack([code.reading(number, each) for code, each in codes])
        return (unit.channel,), gradient[:, [unit.channel]]


class ClassPhotos:
    """The photos of a class in batches; those that fit into the memory are run once.

    Args:
        count: how many photos there are.
        size: of a batch.
        run: runs those from one number to another.
    """

    def __init__(self, count: int, size: int, run: Callable[[int, int], ClassBatch]) -> None:
        self.count, self.size, self._run = count, size, run
        self._kept: dict[int, ClassBatch] = {}

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return -(-self.count // self.size)

    def __iter__(self) -> Iterator[ClassBatch]:
        room = MOST_KEPT - sum(batch.bytes for batch in self._kept.values())
        for start in range(0, self.count, self.size):
            batch = self._kept.get(start) or self._run(start, min(self.count, start + self.size))
            if start not in self._kept and batch.bytes <= room:
                self._kept[start], room = batch, room - batch.bytes
            yield batch
