"""One pass through a network and back: activations of layers, and the gradient of a target in them."""

from collections.abc import Sequence

import torch

from circuits.network.execute import execute, image_node
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.shapes import Activations, Images
from circuits.tracing.targets import Target


def run_back(
    network: Network, images: Images, target: Target, layers: Sequence[str]
) -> tuple[dict[str, Activations], dict[str, Activations]]:
    """Activations of some layers for photos at once, and ∂T/∂a of each; zero where no path leads to the target."""
    traced, nodes = network.traced, {name: network.layer(name).node for name in layers}
    top = network.layer(target.unit.layer).node
    with torch.enable_grad():
        image = images.detach().requires_grad_()
        values = execute(traced, {image_node(traced): image}, [*nodes.values(), top])
        value = target.readout(network).value(as_maps(values[top])).sum()
        points = [values[node] for node in nodes.values()]
        gradients = torch.autograd.grad(value, points, allow_unused=True, materialize_grads=True)
    activations = {name: as_maps(values[node]).detach() for name, node in nodes.items()}
    return activations, dict(zip(nodes, map(as_maps, gradients), strict=True))
