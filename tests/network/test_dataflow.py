"""Reading a size, a dtype or a device is no path: layers, fields, interventions and shares of networks that do it."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.attribution.gradient import Readout, ablation, gradient_times_activation
from circuits.image.photo import load_photo
from circuits.network.operations import as_maps
from circuits.network.receptive_field import receptive_field
from circuits.tracing.intervene import intervene
from circuits.tracing.run import ForwardCache
from circuits.tracing.trace import trace
from tests.support import reference
from tests.support.nets import difference, image_for, ready


class ReadsSizes(nn.Module):
    """Three convolutions of 3 by 3 with relu; `end` makes the logits of their result and the image."""

    def __init__(self, end: "Callable[[ReadsSizes, Tensor, Tensor], Tensor]") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1), nn.Conv2d(5, 6, 3)
        self.fc, self.map, self.end = nn.Linear(6, 3), nn.Conv2d(6, 3, 1), end
        self.zero = nn.Parameter(torch.zeros(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self, F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))))), x)


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


ENDS: dict[str, Callable[[ReadsSizes, Tensor, Tensor], Tensor]] = {
    "size": lambda net, y, x: net.fc(F.adaptive_avg_pool2d(y, 1).view(x.size(0), -1)),
    "shape": lambda net, y, x: net.fc(F.avg_pool2d(y, y.shape[2:]).reshape(x.shape[0], -1)),
    "numel": lambda net, y, x: net.fc(y.sum((2, 3)) / x.shape[2:].numel()),
    "expanded": lambda net, y, x: torch.cat([net.fc(_mean(y)), net.zero.expand(x.size(0), 1)], 1),
    "new": lambda net, y, x: torch.cat([net.fc(_mean(y)), x.new_zeros(x.shape[0], 1)], 1),
    "full": lambda net, y, x: net.fc(_mean(y) + torch.full_like(x[:, :1, 0, 0], 2.0)),
    "dtype": lambda net, y, x: net.fc(_mean(y.to(x.dtype))),
    "kind": lambda net, y, x: net.fc(_mean(y) + torch.ones(6).to(x)),
    "as": lambda net, y, x: net.fc(_mean(y).type_as(x)).view_as(torch.ones_like(x[:, :, 0, 0])),
    "resized": lambda net, y, x: net.fc(_mean(F.interpolate(net.map(y), size=x.shape[-2:]).repeat(1, 2, 1, 1))),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_layer_is_lost_to_one_who_reads_a_size(end: str) -> None:
    module = ReadsSizes(ENDS[end]).eval()
    network = ready(module, 8)
    assert network.layers[:3] == ("a", "b", "c")
    assert not network.branched
    images = image_for(network, 3)
    with torch.no_grad():
        assert difference(network.logits(images), module(images)) <= 1e-5


@pytest.mark.parametrize("end", ENDS)
def test_shares_through_it_are_those_of_autograd_through_the_module(end: str) -> None:
    module = ReadsSizes(ENDS[end]).eval().double().requires_grad_(False)
    network = ready(module, 8)
    network.traced.double()
    image = image_for(network).double()
    activation = ForwardCache.of(network, image).activations["c"]
    segment, wanted = network.segment("c", network.layers[-1]), Readout.of_unit(1)

    def slow(a: Tensor) -> Tensor:
        return module.end(module, a, image)[0, 1].sum()

    expected = reference.gradient_times_activation(slow, activation)
    assert torch.allclose(gradient_times_activation(segment, activation, wanted), expected, atol=1e-6)
    # Each channel's ablation is a photo of its own in one batch.
    assert torch.allclose(ablation(segment, activation, wanted), reference.ablation(slow, activation), atol=1e-6)


@pytest.mark.parametrize("end", ["size", "new", "resized"])
def test_a_circuit_and_what_if_of_it_are_those_of_the_network(end: str) -> None:
    module = ReadsSizes(ENDS[end]).eval()
    network = ready(module, 8)
    circuit = trace(network, "example:cat", depth=3, signs="both", target=f"{network.layers[-1]}:1")
    assert {node.unit.layer for node in circuit.nodes.values()} >= {"a", "b", "c"}
    outcome = intervene(network, "example:cat", {"b:2": 0.0})
    edited = (
        ForwardCache.of(network, network.preprocessing.input_of(load_photo("example:cat"))).activations["b"].clone()
    )
    edited[:, 2] = 0
    with torch.no_grad():
        expected = module.end(module, F.relu(module.c(edited)), torch.zeros(1, 3, 8, 8))
    assert difference(outcome.after, as_maps(expected).sum((2, 3))[0]) <= 1e-5


def test_the_field_of_a_layer_does_not_grow_by_a_size() -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = F.relu(self.a(x)) + torch.zeros_like(x[:, :1, 2:, 2:])
            n, c, h, w = x.shape
            return self.fc(_mean(F.relu(self.b(y)).reshape(n, c + 1, h - 4, w - 4)))

    network = ready(Sized(), 9)
    assert network.layers[1:] == ("b", "fc")
    assert receptive_field(network, "b").size == (5, 5)
