"""The job: which units are expanded, on which network and photo, and the network as the other tools can read it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, fx, nn

from circuits import Network, Photo, load_network, load_photo, trace

Parent = tuple[str, str, int]
"""The layer of a unit, the layer below, and the unit's channel."""
Scores = dict[tuple[str, int], Tensor]
"""By layer and channel of a unit the share of each channel below, (c,)."""
Tool = Callable[["Job"], Callable[[], Scores]]
"""Prepares what a tool needs once; the function that it returns is timed."""


@dataclass(frozen=True)
class Job:
    """Units to expand.

    Args:
        network: prepared by `circuits`: batch norm folded, channels last, frozen. Every tool gets it.
        image: a photo, preprocessed.
        parents: the units.
    """

    network: Network
    image: Tensor
    parents: tuple[Parent, ...]

    @cached_property
    def groups(self) -> dict[tuple[str, str], list[int]]:
        """Channels of the units by their layer and the one below."""
        found: dict[tuple[str, str], list[int]] = {}
        for upper, lower, channel in self.parents:
            found.setdefault((upper, lower), []).append(channel)
        return found


def noise_photo() -> Photo:
    """A photo of noise, the same for every tool."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    return load_photo(noise, name="noise")


def make_job(name: str, parents: tuple[Parent, ...]) -> Job:
    """The job on a network of torchvision with random weights."""
    network = load_network(name, weights="random")
    return Job(network, network.preprocessing.to_tensor(noise_photo().image), parents)


def find_parents(network: Network, depth: int, top: int) -> tuple[Parent, ...]:
    """Every unit that the circuit of this depth and width expands."""
    circuit = trace(network, noise_photo(), depth=depth, top=top)
    expanded = [node.unit for node in circuit.nodes.values() if node.expanded]
    below = {unit.layer: network.below(unit.layer) for unit in expanded}
    return tuple((unit.layer, lower, unit.channel) for unit in expanded if (lower := below[unit.layer]) is not None)


def marker(layer: str) -> str:
    """Name of the identity module that stands at a layer."""
    return "at_" + layer.replace(".", "_")


def with_markers(network: Network, top: str | None = None) -> fx.GraphModule:
    """The prepared network with an identity module at every layer, for tools that watch modules; cut above `top`."""
    graph = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    known = {layer.node: layer.name for layer in network.layer_list}
    body = nn.Module()
    for name, module in network.traced.named_children():
        body.add_module(name, module)
    for node in network.traced.graph.nodes:
        copied[node] = graph.node_copy(node, copied.__getitem__)
        if node in known:
            body.add_module(marker(known[node]), nn.Identity())
            copied[node] = graph.call_module(marker(known[node]), (copied[node],))
        if top is not None and node is network.layer(top).node:
            graph.output(copied[node])
            break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fx.GraphModule(body, graph)


def summed(activation: Tensor) -> Tensor:
    """Each channel summed over space, (N, C)."""
    return activation.flatten(2).sum(2) if activation.dim() > 2 else activation


def check_same(ours: Scores, theirs: Scores) -> float:
    """The largest difference, as a part of the largest share of its unit.

    Raises:
        AssertionError: if a unit differs by more than float32 explains.
    """
    worst = 0.0
    assert ours.keys() == theirs.keys()
    for key, mine in ours.items():
        scale = float(mine.abs().max().clamp_min(1e-30))
        torch.testing.assert_close(mine, theirs[key], rtol=1e-3, atol=1e-4 * scale)
        worst = max(worst, float((mine - theirs[key]).abs().max()) / scale)
    return worst
