"""Statistics of every unit in a batch of photos, in one pass: its peaks, where they lie, and its means.

1. Every layer is followed down to the tensors that it is put together from (`_parts`): a concatenation to its inputs,
   an activation function to its input, the pre-activation.
2. The network is run node by node. As soon as a pre-activation is there, and while it is in the processor's cache, its
   peaks and their positions are taken; of an activation its means.
3. A rectifier whose input nothing else reads then overwrites it, which saves most of the memory traffic of step 2.

The peak activation of a rectified unit is max(0, z) of its peak pre-activation z.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from jaxtyping import Bool, Float, Int
from torch import Tensor, fx

from circuits.network import operations as ops
from circuits.network.device import device_of, halving
from circuits.network.execute import execute, image_node
from circuits.network.layers import Layer
from circuits.network.network import Network
from circuits.shapes import Images


@dataclass(frozen=True, eq=False)
class UnitStatistics:
    """What every unit did in some photos, over positions; the units of all layers lie one after the other.

    Args:
        peaks: z, the highest pre-activation.
        positions: the first position of z, as row · width + column.
        activations: the highest activation.
        means: of the activation.
    """

    peaks: Float[Tensor, "photos units"]
    positions: Int[Tensor, "photos units"]
    activations: Float[Tensor, "photos units"]
    means: Float[Tensor, "photos units"]

    def __getitem__(self, photos: slice | Bool[Tensor, " photos"]) -> "UnitStatistics":
        return UnitStatistics(self.peaks[photos], self.positions[photos], self.activations[photos], self.means[photos])

    @property
    def finite(self) -> Bool[Tensor, " photos"]:
        """In which photos no unit overflowed."""
        return (self.peaks.isfinite() & self.activations.isfinite() & self.means.isfinite()).all(1)

    @classmethod
    def together(cls, batches: Sequence["UnitStatistics"]) -> "UnitStatistics":
        """The photos of all of them, in order."""
        return cls(*(torch.cat([getattr(each, field.name) for each in batches]) for field in fields(cls)))


@dataclass(frozen=True, eq=False)
class _Partial:
    """A tensor that a layer is put together from, before and after its activation function, which may be a relu."""

    before: fx.Node
    after: fx.Node
    is_rectified: bool


class StatisticsCollector:
    """Runs a network and takes the statistics of the units of some of its layers, in the given order."""

    def __init__(self, network: Network, layers: tuple[Layer, ...]) -> None:
        self._traced = network.traced
        self._image = image_node(network.traced)
        self._parts = [part for layer in layers for part in _parts(network.traced, layer.node)]
        self._peaked = {part.before for part in self._parts} | {p.after for p in self._parts if not p.is_rectified}
        self._averaged = {part.after for part in self._parts}
        self._top = max(part.after for part in self._parts)

    def __call__(self, images: Images) -> UnitStatistics:
        """Of preprocessed images, (N, c, h, w)."""
        return UnitStatistics.together(halving(self._collect, images))

    def _collect(self, images: Images) -> UnitStatistics:
        images = images.to(device_of(self._traced)).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            peaks, means = self._run(images)
            activations = [
                peaks[part.before][0].relu() if part.is_rectified else peaks[part.after][0] for part in self._parts
            ]
            return UnitStatistics(
                torch.cat([peaks[part.before][0] for part in self._parts], dim=1).cpu(),
                torch.cat([peaks[part.before][1] for part in self._parts], dim=1).to(torch.int32).cpu(),
                torch.cat(activations, dim=1).cpu(),
                torch.cat([means[part.after] for part in self._parts], dim=1).cpu(),
            )

    def _run(self, images: Tensor) -> tuple[dict[fx.Node, tuple[Tensor, Tensor]], dict[fx.Node, Tensor]]:
        peaks: dict[fx.Node, tuple[Tensor, Tensor]] = {}
        means: dict[fx.Node, Tensor] = {}

        def run_and_note(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
            value = self._value(node, values)
            if node in self._peaked:
                peaks[node] = _peaks(value)
            if node in self._averaged:
                means[node] = ops.as_maps(value).mean((2, 3))
            return value

        execute(self._traced, {self._image: images}, [self._top], on_node=run_and_note)
        return peaks, means

    def _value(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        if _is_relu(self._traced, node) and len(node.all_input_nodes) == 1:
            [read] = node.all_input_nodes
            if len(read.users) == 1 and _makes_new_tensor(self._traced, read):
                return torch.relu_(values[read])
        return ops.run_node(self._traced, node, values)


def _is_relu(traced: fx.GraphModule, node: fx.Node) -> bool:
    return ops.operation(traced, node).cap == inf


def _makes_new_tensor(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a result is never a view of another tensor, so that it may be overwritten."""
    is_new = ops.operation(traced, node).role in ("mixing", "addition")
    return is_new and ops.kind(traced, node) is not torch.einsum


def _parts(traced: fx.GraphModule, node: fx.Node) -> list[_Partial]:
    if parts := ops.concatenated(traced, node):
        return [part for each in parts for part in _parts(traced, each)]
    first = node.args[0] if node.args else None
    if ops.operation(traced, node).is_activation and isinstance(first, fx.Node):
        return [_Partial(first, node, _is_relu(traced, node))]
    return [_Partial(node, node, False)]


def _peaks(value: Tensor) -> tuple[Tensor, Tensor]:
    """Highest value over positions and the first position that has it; both (N, C)."""
    # This pooling finds both at the price of amax alone, and several times as fast as max does along strided positions.
    highest, places = F.adaptive_max_pool2d(ops.as_maps(value), 1, return_indices=True)
    return highest.flatten(1), places.flatten(1)
