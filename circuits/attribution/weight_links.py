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

Links that are free of any class take the unit's own value in the place of T: with V_i the mean of a_i over positions,

    F_ij = Σ_photos Σ_hw e_j · ∂V_i/∂e_j = Σ_kernel W_ijk · ∂(Σ_photos V_i)/∂W_ijk,

what i is made of, and V_i = Σ_j F_ij + b_i · ∂V_i/∂b_i. Only the step between i and what it reads is gone back through,
layer by layer on the graph of the same pass, so that no value flows into the layers below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
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
        contributions: by layer, C_i of each photo and unit, (n, C).
        means: by layer, each unit's mean activation over positions, (n, C).
        peaks: by layer, its highest, (n, C).
        links: E_ij summed over the photos, a matrix (rows, columns) for each link.
        class_free: F_ij likewise, for each link of `free_of_classes`, if they were asked for.
    """

    logits: Float[Tensor, " n"]
    contributions: dict[str, Float[Tensor, "n _c"]]
    means: dict[str, Float[Tensor, "n _c"]]
    peaks: dict[str, Float[Tensor, "n _c"]]
    links: tuple[Float[Tensor, "_rows _columns"], ...]
    class_free: tuple[Float[Tensor, "_rows _columns"], ...] = ()


def free_of_classes(links: Sequence[Link], top: str) -> tuple[Link, ...]:
    """The links that are told without a class too: all but those of the logits, which are the classes themselves."""
    return tuple(link for link in links if link.upper != top)


class LinkPass:
    """Runs a network forward and back once for a batch, whose weights get gradients that nobody else sees.

    Args:
        network: the network, of which nothing is changed.
        links: those of `find_links`.
        class_free: whether to find links without a class also, which takes about a forward pass more.

    Example:
        >>> from circuits import load_network
        >>> from circuits.attribution.links import find_links
        >>> network = load_network()
        >>> run = LinkPass(network, find_links(network)[0])
        >>> batch = run(torch.rand(2, 3, 64, 64), network.find_class("cat"))
        >>> batch.contributions["conv7"].shape, batch.links[-1].shape
        (torch.Size([2, 384]), torch.Size([68, 384]))
    """

    def __init__(self, network: Network, links: Sequence[Link], *, class_free: bool = False) -> None:
        self.network, self.links = network, tuple(links)
        self._free = free_of_classes(self.links, network.layers[-1]) if class_free else ()
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
        run = _Run()
        images = images.to(self.network.device).contiguous(memory_format=torch.channels_last)
        top = self.network.layer_list[-1].node
        with torch.enable_grad():
            values = execute(
                self._traced, {image_node(self._traced): images}, list(self._layers),
                on_node=lambda node, known: self._run(node, known, run),
            )  # fmt: skip
            logits = ops.as_maps(values[top])[:, channel].sum((1, 2))
            found = _gradients(logits.sum(), [*run.leaves.values(), *run.lowest])
            products = _products(run.leaves, found[: len(run.leaves)])
        shares = {name: run.contributions.get(name, torch.zeros_like(each)) for name, each in run.means.items()}
        for node, parts in self._parts.items():
            shares[self._layers[node]] = self._joined(parts, shares)
        return LinkedBatch(
            logits.detach(), shares, run.means, run.peaks, self._matrices(self.links, products, shares),
            self._matrices(self._free, run.free, run.means),
        )  # fmt: skip

    def _matrices(
        self, links: Sequence[Link], products: Mapping[tuple[str, str], Tensor], shares: Mapping[str, Tensor]
    ) -> tuple[Tensor, ...]:
        """Of each link its matrix; `shares` are those of whole layers, which a concatenation hands on as they are."""
        return tuple(
            _matrix(link, products[_key(link)])
            if link.weighed or _key(link) in products
            else in_doubles(shares[link.pieces[0].layer or ""]).sum(0)[:, None]
            for link in links
        )

    def _own_parts(self, node: fx.Node) -> tuple[fx.Node, ...]:
        """The parts of a concatenation, if all of them are layers that nothing else reads."""
        parts = ops.concatenated(self._traced, node) or ()
        own = all(part in self._layers and value_users(part) == [node] for part in parts)
        return parts if own and len(set(parts)) == len(parts) else ()

    def _joined(self, parts: Sequence[fx.Node], values: Mapping[str, Tensor]) -> Tensor:
        """What is known of each channel of a concatenation, from what is known of its parts."""
        return torch.cat([values[self._layers[part]] for part in parts], 1)

    def _run(self, node: fx.Node, values: dict[fx.Node, Any], run: "_Run") -> Any:
        for read in self._merged.get(node, ()):
            values = {**values, read: run.reading(node, read, values[read])}
        if node in self._weighed:
            weight = weight_of(self._traced, node)
            assert weight is not None
            value = run_with_weight(self._traced, node, values, run.weight(node, weight))
        else:
            value = ops.run_node(self._traced, node, values)
        if node in self._layers:
            if not value.requires_grad:  # below every weight
                value = value.detach().requires_grad_()
                run.lowest.append(value)
            self._look_at(node, value, run)
        return value

    def _look_at(self, node: fx.Node, value: Tensor, run: "_Run") -> None:
        """Take from a layer what is asked of it, and of its gradient when that comes, while they are in the cache."""
        name, maps = self._layers[node], ops.as_maps(value.detach())
        parts = self._parts.get(node)
        run.means[name] = maps.mean((2, 3))
        run.peaks[name] = self._joined(parts, run.peaks) if parts else _peaks(maps)
        own = {_key(link): run.leaves.get(_key(link)) for link in self._free if link.upper == name}
        if leaves := {key: leaf for key, leaf in own.items() if leaf is not None}:
            slope = torch.full_like(value, 1 / maps[0, 0].numel())
            run.free |= _products(leaves, _gradients(value, list(leaves.values()), slope))
        if not parts:
            contributions = run.contributions  # a hook that held the whole run would hold the graph that holds it

            def count(slope: Tensor) -> None:
                contributions[name] = _contribution(maps, slope)

            value.register_hook(count)  # type: ignore[no-untyped-call]


class _Run:
    """What one pass has found, and its tensors whose gradients are asked for.

    The tensors stand by the node that reads them and what it reads.
    """

    def __init__(self) -> None:
        self.leaves: dict[tuple[str, str], Tensor] = {}
        self.lowest: list[Tensor] = []
        self.means: dict[str, Tensor] = {}
        self.peaks: dict[str, Tensor] = {}
        self.contributions: dict[str, Tensor] = {}
        self.free: dict[tuple[str, str], Tensor] = {}

    def weight(self, node: fx.Node, weight: Tensor) -> Tensor:
        """A weight that gets a gradient."""
        leaf = self.leaves[node.name, ""] = weight.detach().requires_grad_()
        return leaf

    def reading(self, node: fx.Node, read: fx.Node, value: Tensor) -> Tensor:
        """A value as one of its readers sees it, so that its gradient is that through this reader alone."""
        leaf = self.leaves[node.name, read.name] = value.view_as(value)
        return leaf


def _peaks(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
    """The highest activation of each unit over its positions."""
    return F.adaptive_max_pool2d(maps, 1).flatten(1)


def _contribution(maps: Float[Tensor, "n c h w"], slope: Tensor) -> Float[Tensor, "n c"]:
    """C_i of each photo, one after the other, whose product is then small enough to stay in the cache."""
    return torch.stack([(own * each).sum((1, 2)) for own, each in zip(maps, ops.as_maps(slope), strict=True)])


def _key(link: Link) -> tuple[str, str]:
    """Under which its leaf is found."""
    return link.node, "" if link.weighed else link.read


def _gradients(value: Tensor, leaves: Sequence[Tensor], slope: Tensor | None = None) -> tuple[Tensor, ...]:
    """The gradients of a scalar, or from a slope that it has already; then what the pass kept stays for others."""
    return torch.autograd.grad(
        value, leaves, slope, retain_graph=slope is not None, allow_unused=True, materialize_grads=True
    )


def _products(leaves: Mapping[tuple[str, str], Tensor], gradients: Sequence[Tensor]) -> dict[tuple[str, str], Tensor]:
    return {key: leaf.detach() * gradient for (key, leaf), gradient in zip(leaves.items(), gradients, strict=True)}


def _matrix(link: Link, products: Tensor) -> Tensor:
    """Gradient × weight of a link, or gradient × activation of a merge, (rows, columns)."""
    if not link.weighed:
        return in_doubles(ops.as_maps(products).sum((2, 3))).sum(0)[:, None]
    if products.dim() == 4:  # a kernel has few numbers; as float64 they would all be copied first
        return in_doubles(products.sum((2, 3)))
    return in_doubles(products.view(link.rows, link.columns, link.positions).sum(2))
