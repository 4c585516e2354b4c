"""The job: which units are expanded, on which network and photo, and the network as the other tools can read it."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, fx, nn
from torchvision import models

from circuits import Network, Photo, load_network, load_photo, prepare, trace

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


def load(name: str, photos: str = "") -> tuple[Network, Photo]:
    """A network and the photo to explain.

    Without photos torchvision's random weights and noise. With a folder of photos the first of them, and random weights
    whose batch norms have seen some of the others (`calibrated`), so that as large a part of the activations is zero as
    in a trained network; or the weights in a file, `NAME=FILE`.
    """
    name, _, weights = name.partition("=")
    if not photos:
        return load_network(name, weights=weights or "random"), noise_photo()
    first, *others = sorted(Path(photos).glob("*.jpg"))
    return (load_network(name, weights=weights) if weights else calibrated(name, others)), load_photo(first)


def calibrated(name: str, photos: Sequence[Path], batches: int = 2, at_once: int = 8) -> Network:
    """One of torchvision's networks with seeded random weights and the batch statistics of some photos."""
    preprocessing = load_network(name, weights="random").preprocessing
    torch.manual_seed(0)
    module = models.get_model(name, weights=None).eval()
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    some = photos[:: max(1, len(photos) // (batches * at_once))][: batches * at_once]
    images = torch.cat([preprocessing.to_tensor(load_photo(photo).image) for photo in some])
    with torch.no_grad():
        for batch in images.split(at_once):
            module(batch)
    return prepare(module.eval(), name=name, preprocessing=preprocessing)


def make_job(name: str, photos: str, parents: tuple[Parent, ...]) -> Job:
    """The job on a network (`load`)."""
    network, photo = load(name, photos)
    return Job(network, network.preprocessing.to_tensor(photo.image), parents)


def find_parents(network: Network, photo: Photo, depth: int, top: int) -> tuple[Parent, ...]:
    """Every unit that the circuit of this depth and width expands."""
    circuit = trace(network, photo, depth=depth, top=top)
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
