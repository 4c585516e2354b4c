"""One pass through a network and back: activations of layers, and the gradient of a target in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from circuits.network.execute import execute, image_node
from circuits.network.network import Network
from circuits.network.operations import as_maps, run_node, stored
from circuits.shapes import Activations, Images
from circuits.tracing.targets import Target


def run_back(
    network: Network,
    images: Images,
    target: Target,
    layers: Sequence[str],
    known: Mapping[str, Activations] | None = None,
) -> tuple[dict[str, Activations], dict[str, Activations]]:
    """Activations of some layers for photos at once, and ∂T/∂a of each; zero where no path leads to the target.

    Args:
        network: the network.
        images: the photos, preprocessed.
        target: T.
        layers: those whose activations and gradients are wanted.
        known: the photos' activations, if they were run before: what lies below the wanted layers is not run again.
    """
    traced, nodes = network.traced, {name: network.layer(name).node for name in layers}
    top = network.layer(target.unit.layer).node
    wanted, lowest = {*nodes.values(), top}, min(nodes.values())
    start: dict[fx.Node, Tensor] = {image_node(traced): images}
    for name, activation in (known or {}).items():
        if name in network.layers and (node := network.layer(name).node) <= lowest:
            start[node] = stored(node, activation)

    def watched(node: fx.Node, value: Any) -> Any:
        """The value, from which there is a way back if it is wanted; below the lowest that are wanted there is none."""
        return value.detach().requires_grad_() if node in wanted and not value.requires_grad else value

    with torch.enable_grad():
        start = {node: watched(node, value.detach()) for node, value in start.items()}
        values = execute(
            traced, start, sorted(wanted), on_node=lambda node, read: watched(node, run_node(traced, node, read))
        )
        value = target.readout(network).value(as_maps(values[top])).sum()
        points = [values[node] for node in nodes.values()]
        gradients = torch.autograd.grad(value, points, allow_unused=True, materialize_grads=True)
    activations = {name: as_maps(values[node]).detach() for name, node in nodes.items()}
    return activations, dict(zip(nodes, map(as_maps, gradients), strict=True))
