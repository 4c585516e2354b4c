"""A photo run through a network with channels of some layers ablated, for many sets of channels at once.

1. What no ablated channel can change is taken from the photo's own run, or computed once.
2. The rest is run for all sets together, in batches of a bounded size, each node once; the output of an ablated layer
   is put together from what arrives and from the baseline before anything reads it.

It makes no difference whether the layers form a chain.
"""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise
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


class AblatedNetwork:
    """Runs one photo up to a layer `top` with channels of lower layers, named from the image up, at a baseline."""

    def __init__(self, run: ForwardCache, top: str, layers: Sequence[str], baseline: Baseline) -> None:
        network = run.network
        self._traced = network.traced
        self._top = network.layer(top).node
        ablated = {network.layer(name).node: name for name in layers}
        self._baselines = {node: baseline.of(name, run.activations[name]) for node, name in ablated.items()}
        ends = np.cumsum([network.layer(name).channels for name in layers]).tolist()
        self._columns = {node: slice(*pair) for node, pair in zip(ablated, pairwise([0, *ends]), strict=True)}
        known = self._known(run)
        order = nodes_needed([self._top], known)
        each = self._changing(order)
        inputs = {read for node in each for read in node.all_input_nodes}
        shared = ({*inputs, *ablated, self._top} & {*known, *order}) - {*each}
        with torch.no_grad():
            values = execute(self._traced, known, sorted(shared))
        self._shared = {node: values[node] for node in shared}
        image = image_node(self._traced)
        # The first dimension of these counts photos; the others are parameters.
        self._of_image = {image, *self._above({image})}
        self._first = [node for node in ablated if node in known]
        largest = max(math.prod(ops.shape(node) or ()) for node in (*each, *self._first))
        self._at_once = max(1, min(64, _BATCH_BYTES // (4 * largest)))

    def _known(self, run: ForwardCache) -> dict[fx.Node, Tensor]:
        """The photo's activations of the layers that no ablated channel can change."""
        above = self._above(self._baselines)
        maps = {layer.node: run.activations[layer.name] for layer in run.network.layer_list if layer.node not in above}
        known = {node: value.flatten(1) if len(ops.shape(node) or ()) == 2 else value for node, value in maps.items()}
        if IMAGE in run.activations:
            known[image_node(self._traced)] = run.activations[IMAGE]
        return known

    def _above(self, nodes: Collection[fx.Node]) -> set[fx.Node]:
        """The nodes that depend on some others."""
        above: set[fx.Node] = set()
        for node in self._traced.graph.nodes:
            if any(read in nodes or read in above for read in node.all_input_nodes):
                above.add(node)
        return above

    def _changing(self, order: Sequence[fx.Node]) -> list[fx.Node]:
        """The nodes that are run for every set: above an ablated channel, or telling of the size of the batch."""
        changing: dict[fx.Node, None] = {}
        for node in order:
            reads = node.all_input_nodes
            above = any(read in changing or read in self._baselines for read in reads)
            if above or (reads and ops.shape(node) is None):
                changing[node] = None
        return list(changing)

    def __call__(self, kept: NDArray[np.bool_]) -> Activations:
        """The top layer's activation for each set, (sets, C, H, W).

        Args:
            kept: which channels are kept, (sets, channels), those of all ablated layers one after the other.
        """
        with torch.no_grad():
            masks = torch.from_numpy(kept)
            return torch.cat([self._run(some) for some in torch.split(masks, self._at_once)])

    def _run(self, masks: Tensor) -> Tensor:
        values: dict[fx.Node, Any] = {}
        for node, value in self._shared.items():
            values[node] = value.expand(len(masks), *value.shape[1:]) if node in self._of_image else value
        for node in self._first:
            values[node] = self._ablated(node, values[node], masks)

        def run_and_ablate(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
            value = ops.run_node(self._traced, node, values)
            return self._ablated(node, value, masks) if node in self._baselines else value

        return as_maps(execute(self._traced, values, [self._top], on_node=run_and_ablate)[self._top])

    def _ablated(self, node: fx.Node, value: Tensor, masks: Tensor) -> Tensor:
        kept = masks[:, self._columns[node], None, None]
        ablated = torch.where(kept, as_maps(value), self._baselines[node].to(value))
        return ablated.flatten(1) if value.dim() == 2 else ablated.contiguous(memory_format=torch.channels_last)
