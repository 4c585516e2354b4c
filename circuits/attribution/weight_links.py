"""Links between all units of consecutive layers at once, from one pass back of a batch of photos.

With T the logit of a class, r = W ∗ e + b the output of a convolution, a_i the unit that its channel i becomes and e_j
what it reads of unit j below, the share of j in what i does for T, summed over photos, is

    E_ij = Σ_photos Σ_hw e_j · ∂(Σ_hw g_i a_i)/∂e_j = Σ_kernel W_ijk · ∂(Σ_photos T)/∂W_ijk,   g_i = ∂T/∂a_i,

because r is bilinear in W and e: gradient × weight, summed over the kernel, is gradient × activation, summed over
space. It is the edge of mode `target` (`gradient.py`), of every pair of channels and every convolution at once; nothing
that lies between the convolutions matters. The same pass gives what each unit contributes along all paths,

    C_i = Σ_hw a_i · ∂T/∂a_i,

and of the parts of a concatenation or an addition one link a channel, E_ii = Σ_hw e_i · ∂T/∂e_i, with e as that merge
reads it, apart from whoever else does. Where everything between a layer and those below is linked and piecewise linear,
C_i = Σ_j E_ij + b_i · ∂T/∂b_i exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx

from circuits.attribution.links import Link
from circuits.attribution.own_weights import run_with_weight, weight_of
from circuits.network import operations as ops
from circuits.network.dataflow import value_users
from circuits.network.device import in_doubles
from circuits.network.execute import execute, image_node
from circuits.network.network import Network
from circuits.shapes import Images


@dataclass(frozen=True, eq=False)
class LinkedBatch:
    """What one pass says of a batch of photos.

    Args:
        logits: the explained class's, one a photo.
        activations: by layer, (n, C, H, W).
        contributions: by layer, C_i of each photo and unit, (n, C).
        links: E_ij summed over the photos, a matrix (rows, columns) for each link, in float64.
    """

    logits: Float[Tensor, " n"]
    activations: dict[str, Float[Tensor, "n _c _h _w"]]
    contributions: dict[str, Float[Tensor, "n _c"]]
    links: tuple[Float[Tensor, "_rows _columns"], ...]


class LinkPass:
    """Runs a network forward and back once for a batch, whose weights get gradients that nobody else sees.

    Args:
        network: the network, of which nothing is changed.
        links: those of `find_links`.

    Example:
        >>> from circuits import load_network
        >>> from circuits.attribution.links import find_links
        >>> network = load_network()
        >>> run = LinkPass(network, find_links(network)[0])
        >>> batch = run(torch.rand(2, 3, 64, 64), network.find_class("cat"))
        >>> batch.contributions["conv7"].shape, batch.links[-1].shape
        (torch.Size([2, 384]), torch.Size([68, 384]))
    """

    def __init__(self, network: Network, links: Sequence[Link]) -> None:
        self.network, self.links = network, tuple(links)
        self._traced = network.traced
        nodes = {node.name: node for node in network.traced.graph.nodes}
        self._layers = {layer.node: layer.name for layer in network.layer_list}
        self._weighed = {nodes[link.node] for link in links if link.weighed}
        # What is concatenated and read by nobody else does for the target what its channels of the concatenation do.
        self._parts = {node: parts for node in self._layers if (parts := self._own_parts(node))}
        self._merged: dict[fx.Node, list[fx.Node]] = {}
        for link in links:
            if not link.weighed and nodes[link.node] not in self._parts:
                self._merged.setdefault(nodes[link.node], []).append(nodes[link.read])

    def __call__(self, images: Images, channel: int) -> LinkedBatch:
        """Explain the logit of a class in every photo of a batch of preprocessed images, (n, c, h, w)."""
        run = _Leaves()
        images = images.to(self.network.device).contiguous(memory_format=torch.channels_last)
        top = self.network.layer_list[-1].node
        with torch.enable_grad():
            values = execute(
                self._traced, {image_node(self._traced): images}, list(self._layers),
                on_node=lambda node, known: self._run(node, known, run),
            )  # fmt: skip
            logits = ops.as_maps(values[top])[:, channel].sum((1, 2))
            asked = [node for node in self._layers if node not in self._parts]
            points = [values[node] for node in asked]
            gradients = torch.autograd.grad(
                logits.sum(), [*points, *run.leaves.values()], allow_unused=True, materialize_grads=True
            )
        shares: dict[fx.Node, Tensor] = {}
        for node, point, slope in zip(asked, points, gradients[: len(points)], strict=True):
            shares[node] = ops.as_maps(point.detach() * slope).sum((2, 3))
        for node, parts in self._parts.items():
            shares[node] = torch.cat([shares[part] for part in parts], 1)
        found = {
            key: leaf.detach() * gradient
            for (key, leaf), gradient in zip(run.leaves.items(), gradients[len(points) :], strict=True)
        }
        contributions = {name: shares[node] for node, name in self._layers.items()}
        links = tuple(
            _matrix(link, found[link.node, "" if link.weighed else link.read])
            if link.weighed or (link.node, link.read) in found
            else in_doubles(contributions[link.pieces[0].layer or ""]).sum(0)[:, None]
            for link in self.links
        )
        maps = {name: ops.as_maps(values[node].detach()) for node, name in self._layers.items()}
        return LinkedBatch(logits.detach(), maps, contributions, links)

    def _own_parts(self, node: fx.Node) -> tuple[fx.Node, ...]:
        """The parts of a concatenation, if all of them are layers that nothing else reads."""
        parts = ops.concatenated(self._traced, node) or ()
        own = all(part in self._layers and value_users(part) == [node] for part in parts)
        return parts if own and len(set(parts)) == len(parts) else ()

    def _run(self, node: fx.Node, values: dict[fx.Node, Any], run: "_Leaves") -> Any:
        for read in self._merged.get(node, ()):
            values = {**values, read: run.reading(node, read, values[read])}
        if node in self._weighed:
            weight = weight_of(self._traced, node)
            assert weight is not None
            value = run_with_weight(self._traced, node, values, run.weight(node, weight))
        else:
            value = ops.run_node(self._traced, node, values)
        if node in self._layers and not value.requires_grad:  # below every weight
            value = value.detach().requires_grad_()
        return value


class _Leaves:
    """The tensors of one pass whose gradients are asked for, by the node that reads them and what it reads."""

    def __init__(self) -> None:
        self.leaves: dict[tuple[str, str], Tensor] = {}

    def weight(self, node: fx.Node, weight: Tensor) -> Tensor:
        """A weight that gets a gradient."""
        leaf = self.leaves[node.name, ""] = weight.detach().requires_grad_()
        return leaf

    def reading(self, node: fx.Node, read: fx.Node, value: Tensor) -> Tensor:
        """A value as one of its readers sees it, so that its gradient is that through this reader alone."""
        leaf = self.leaves[node.name, read.name] = value.view_as(value)
        return leaf


def _matrix(link: Link, products: Tensor) -> Tensor:
    """Gradient × weight of a link, or gradient × activation of a merge, (rows, columns)."""
    if not link.weighed:
        return in_doubles(ops.as_maps(products).sum((2, 3))).sum(0)[:, None]
    if products.dim() == 4:  # a kernel has few numbers; as float64 they would all be copied first
        return in_doubles(products.sum((2, 3)))
    return in_doubles(products.view(link.rows, link.columns, link.positions).sum(2))
