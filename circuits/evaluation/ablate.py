"""A photo run through a network with channels of some layers replaced, in many ways at once.

1. What no replaced channel can change is taken from the photo's own run, or computed once.
2. The rest is run for all ways together, in batches of a bounded size, each node once; what comes out of a replaced
   layer is put together from what arrives and from the baseline before anything reads it.

It makes no difference whether the layers form a chain.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from circuits.attribution.ablation import Baseline
from circuits.network import operations as ops
from circuits.network.execute import execute, image_node, nodes_needed
from circuits.network.operations import as_maps
from circuits.shapes import Activations
from circuits.tracing.run import IMAGE, ForwardCache

_BATCH_BYTES = 32 * 2**20


class Ablating:
    """Runs one photo to a layer, with channels of some lower layers replaced.

    Args:
        run: of the photo.
        top: the layer that is wanted.
        layers: those with replaced channels, from the image up.
        baseline: what stands in the place of replaced channels.

    Raises:
        UnknownError: if the baseline knows nothing of a layer.
    """

    def __init__(self, run: ForwardCache, top: str, layers: Sequence[str], baseline: Baseline) -> None:
        network = run.network
        self._traced = network.traced
        self._top = network.layer(top).node
        self._stations = {network.layer(name).node: name for name in layers}
        self._baselines = {node: baseline.of(name, run.activations[name]) for node, name in self._stations.items()}
        starts = np.cumsum([0, *(network.layer(name).channels for name in layers)])
        self._columns = {
            node: slice(int(start), int(end))
            for node, start, end in zip(self._stations, starts[:-1], starts[1:], strict=True)
        }
        known = self._known(run)
        order = nodes_needed([self._top], known)
        each = self._changing(order)
        inputs = {read for node in each for read in node.all_input_nodes}
        shared = ({*inputs, *self._stations, self._top} & {*known, *order}) - {*each}
        with torch.no_grad():
            values = execute(self._traced, known, sorted(shared))
        self._shared = {node: values[node] for node in shared}
        self._of_image = self._depending_on_image()
        self._first = [node for node in self._stations if node in known]
        largest = max(math.prod(ops.shape(node) or ()) for node in (*each, *self._first))
        self._at_once = max(1, min(64, _BATCH_BYTES // (4 * largest)))

    def _known(self, run: ForwardCache) -> dict[fx.Node, Tensor]:
        """The photo's activations of the layers that no replaced channel can change, before any is replaced."""
        after: set[fx.Node] = set()
        for node in self._traced.graph.nodes:
            if any(read in self._stations or read in after for read in node.all_input_nodes):
                after.add(node)
        found = {layer.node: run.activations[layer.name] for layer in run.network.layer_list if layer.node not in after}
        known = {node: value.flatten(1) if len(ops.shape(node) or ()) == 2 else value for node, value in found.items()}
        if IMAGE in run.activations:
            known[image_node(self._traced)] = run.activations[IMAGE]
        return known

    def _changing(self, order: Sequence[fx.Node]) -> list[fx.Node]:
        """The nodes that are run for every way: above a replaced channel, or telling of the size of the batch."""
        found: dict[fx.Node, None] = {}
        for node in order:
            reads = node.all_input_nodes
            above = any(read in found or read in self._stations for read in reads)
            if above or (reads and ops.shape(node) is None):
                found[node] = None
        return list(found)

    def _depending_on_image(self) -> set[fx.Node]:
        """Nodes whose first dimension counts photos; the others are parameters."""
        found = {image_node(self._traced)}
        for node in self._traced.graph.nodes:
            if any(read in found for read in node.all_input_nodes):
                found.add(node)
        return found

    def __call__(self, kept: NDArray[np.bool_]) -> Activations:
        """The wanted layer's activation for each way.

        Args:
            kept: which channels of the replaced layers are kept, (ways, channels), those of all layers one after the
                other.

        Returns:
            (ways, C, H, W).
        """
        with torch.no_grad():
            masks = torch.from_numpy(kept)
            return torch.cat([self._run(some) for some in torch.split(masks, self._at_once)])

    def _run(self, masks: Tensor) -> Tensor:
        ways = len(masks)
        values: dict[fx.Node, Any] = {}
        for node, value in self._shared.items():
            values[node] = value.expand(ways, *value.shape[1:]) if node in self._of_image else value
        for node in self._first:
            values[node] = self._replaced(node, values[node], masks)

        def run_and_replace(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
            value = ops.run_node(self._traced, node, values)
            return self._replaced(node, value, masks) if node in self._stations else value

        return as_maps(execute(self._traced, values, [self._top], on_node=run_and_replace)[self._top])

    def _replaced(self, node: fx.Node, value: Tensor, masks: Tensor) -> Tensor:
        kept = masks[:, self._columns[node], None, None]
        found = torch.where(kept, as_maps(value), self._baselines[node].to(value))
        if value.dim() == 2:
            return found.flatten(1)
        return found.contiguous(memory_format=torch.channels_last)
