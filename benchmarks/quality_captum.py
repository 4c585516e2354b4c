"""What captum says of the units of a network, asked as a person would ask it; on the part of the network above a layer.

The part begins at the lowest layer that is scored, with the activation that the photo has there. What lies below does
not enter any of these scores, so they are those of the whole network, in less time.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence

import torch
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from torch import Tensor, fx, nn

from circuits import Network
from circuits.evaluation.controls import neutral
from circuits.network import operations as ops
from circuits.network.execute import nodes_between
from circuits.shapes import Scores
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target

_BATCH = 8
"""Parents at once; `bench_trace` finds it the fastest."""


class Captum:
    """A network cut below a layer and above another, with an identity at every layer for captum to watch.

    Args:
        network: the network.
        layers: the layers that are scored, from the top down.
    """

    def __init__(self, network: Network, layers: Sequence[str]) -> None:
        self._network, self._layers = network, layers
        self._parts: dict[str, nn.Module] = {}
        self._grey = self._start(ForwardCache.of(network, neutral(network)))

    def gradient(self, run: ForwardCache, target: Target) -> dict[str, Scores]:
        """`LayerGradientXActivation` of the class at each layer, summed over space."""
        part = self._part(target.unit.layer)
        found = {}
        for layer in self._layers:
            explain = LayerGradientXActivation(part, getattr(part.body, _marker(layer)))
            found[layer] = _summed(explain.attribute(self._start(run), target=target.unit.channel))[0]
        return found

    def integrated(self, run: ForwardCache, target: Target, steps: int) -> dict[str, Scores]:
        """`LayerIntegratedGradients` of the class at each layer, from a grey image's activation, summed over space."""
        part = self._part(target.unit.layer)
        found = {}
        for layer in self._layers:
            explain = LayerIntegratedGradients(part, getattr(part.body, _marker(layer)))
            attributions = explain.attribute(
                self._start(run), baselines=self._grey, target=target.unit.channel, n_steps=steps
            )
            found[layer] = _summed(attributions)[0]
        return found

    def below(self, run: ForwardCache, upper: str, channels: Sequence[int]) -> Iterator[Scores]:
        """`LayerGradientXActivation` of some units of a layer, each summed over space, at the layer below."""
        part = self._part(upper)
        lower = self._layers[0] if upper not in self._layers else self._layers[self._layers.index(upper) + 1]
        explain = LayerGradientXActivation(part, getattr(part.body, _marker(lower)))
        for start in range(0, len(channels), _BATCH):
            some = list(channels[start : start + _BATCH])
            batch = self._start(run).expand(len(some), *self._grey.shape[1:])
            yield from _summed(explain.attribute(batch, target=some))

    def _start(self, run: ForwardCache) -> Tensor:
        """What a photo has at the lowest layer, as the network makes it; captum marks it as wanting a gradient."""
        activation = run.activations[self._layers[-1]].detach()
        flat = len(ops.shape(self._network.layer(self._layers[-1]).node) or ()) == 2
        return activation.flatten(1) if flat else activation

    def _part(self, top: str) -> "_Summed":
        if top not in self._parts:
            self._parts[top] = _Summed(_marked(self._network, self._layers[-1], top))
        found = self._parts[top]
        assert isinstance(found, _Summed)
        return found


class _Summed(nn.Module):
    """Sums each channel over space, which is the number that captum is asked to explain."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return ops.as_maps(self.body(x)).sum((2, 3))


def _marked(network: Network, lowest: str, top: str) -> fx.GraphModule:
    """The network from a layer to a higher one."""
    graph, body = fx.Graph(), nn.Module()
    for name, module in network.traced.named_children():
        body.add_module(name, module)
    for name, parameter in network.traced.named_parameters(recurse=False):
        body.register_parameter(name, nn.Parameter(parameter, requires_grad=False))
    known = {layer.node: layer.name for layer in network.layer_list}
    bottom, last = network.layer(lowest).node, network.layer(top).node
    steps = set(nodes_between(bottom, last))
    copied: dict[fx.Node, fx.Node] = {}
    for node in network.traced.graph.nodes:
        if node is bottom:
            copied[node] = graph.placeholder("start")
        elif node in steps or node.op == "get_attr":
            copied[node] = graph.node_copy(node, copied.__getitem__)
        else:
            continue
        if node in known:
            body.add_module(_marker(known[node]), nn.Identity())
            copied[node] = graph.call_module(_marker(known[node]), (copied[node],))
    graph.output(copied[last])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fx.GraphModule(body, graph)


def _marker(layer: str) -> str:
    return "at_" + layer.replace(".", "_")


def _summed(attributions: Tensor) -> Tensor:
    return ops.as_maps(attributions.detach()).sum((2, 3))


def differing(one: Iterable[Sequence[int]], other: Iterable[Sequence[int]]) -> int:
    """How many units of one circuit are not in another of the same size."""
    return sum(len(set(left) - set(right)) for left, right in zip(one, other, strict=True))


def check_equal(ours: Scores, theirs: Scores) -> None:
    """Raise an `AssertionError` if two scores of the same channels are not equal within float error."""
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(ours.abs().max()))
