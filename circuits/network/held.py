"""A network's graph with all that bends it held as it is for the photo, so that its gradient is that of a linear map.

Held are the pattern of an attention, the scale of a norm, and the gate of an activation function or of a product: what
a GELU, z · Φ(z), multiplies z by is taken for a constant. No value changes, only gradients do, and gradient ×
activation then adds up, Σ_j S_j = f - bias. It answers another question: what the units put in where the network looks,
and not why it looks there.

1. The graph is copied. Gated activation functions and norms are exchanged for functions of the same values, whose gate
   or scale has no gradient; queries and keys, softmaxes, divisors and the held factors of products are detached.
2. Of a product of two tensors that depend on the photo the smaller is held, or what an activation function has made.
3. A segment is linear when held, if every operation on its way is piecewise linear in what is not detached.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network import operations as ops
from circuits.network.branches import BranchSegment
from circuits.network.dataflow import value_inputs
from circuits.network.execute import nodes_needed
from circuits.network.graph_copies import GraphCopies
from circuits.network.rows import is_one_at_a_time
from circuits.network.segments import Segment


def held_gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """X · Φ(x) with Φ(x) held, or with the curve that stands for it.

    Example:
        >>> x = torch.tensor([1.0], requires_grad=True)
        >>> held_gelu(x).backward()
        >>> bool(torch.isclose(x.grad * x, F.gelu(x)))
        True
    """
    z = x.detach()
    if approximate == "tanh":
        return x * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
    return x * 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def held_silu(x: Tensor) -> Tensor:
    """X · sigmoid(x) with the sigmoid held."""
    return x * x.detach().sigmoid()


def held_mish(x: Tensor) -> Tensor:
    """X · tanh(softplus(x)) with what x is multiplied by held."""
    return x * F.softplus(x.detach()).tanh()


def held_hardswish(x: Tensor) -> Tensor:
    """X · hardsigmoid(x) with the gate held."""
    return x * F.hardsigmoid(x.detach())


def held_layer_norm(
    x: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / σ · w + b with σ held."""
    dims = tuple(range(-len(shape), 0))
    made = (x - x.mean(dims, keepdim=True)) * (x.detach().var(dims, unbiased=False, keepdim=True) + eps).rsqrt()
    made = made if weight is None else made * weight
    return made if bias is None else made + bias


def held_rms_norm(x: Tensor, shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """X / √mean(x²) · w with the root held."""
    dims = tuple(range(-len(shape), 0))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    made = x * (x.detach().square().mean(dims, keepdim=True) + eps).rsqrt()
    return made if weight is None else made * weight


_GATED: Mapping[Any, Callable[..., Tensor]] = {
    nn.GELU: held_gelu, F.gelu: held_gelu, nn.SiLU: held_silu, F.silu: held_silu, nn.Mish: held_mish,
    F.mish: held_mish, nn.Hardswish: held_hardswish, F.hardswish: held_hardswish,
}  # fmt: skip
_NORMS: Mapping[Any, Callable[..., Tensor]] = {
    nn.LayerNorm: held_layer_norm, F.layer_norm: held_layer_norm,
    nn.RMSNorm: held_rms_norm, F.rms_norm: held_rms_norm,
}  # fmt: skip
_ATTENTIONS = (F.scaled_dot_product_attention, nn.MultiheadAttention)
_PRODUCTS = (*_ATTENTIONS, operator.matmul, torch.matmul, "matmul", torch.bmm, "bmm", torch.einsum)


def hold(segment: Segment) -> Segment:
    """The same function with the same values, whose gradient is taken with everything held that bends it."""
    held = _copies.segment(segment)
    lowers = held.lowers if isinstance(held, BranchSegment) else (held.lower,)
    return replace(held, piecewise_linear=_is_linear(held.traced, lowers, held.upper))


def _hold_node(traced: fx.GraphModule, graph: fx.Graph, node: fx.Node) -> None:
    kind, called = ops.kind(traced, node), ops.operation(traced, node)
    module = ops.called_module(traced, node) if node.op == "call_module" else None
    variable = [place for place, read in enumerate(node.args) if ops.is_variable(read)]
    if kind in _GATED:
        approximate = getattr(module, "approximate", node.kwargs.get("approximate", "none"))
        node.op, node.target, node.args = "call_function", _GATED[kind], node.args[:1]
        node.kwargs = {"approximate": approximate} if node.target is held_gelu else {}
    elif kind in _NORMS:
        if isinstance(module, nn.LayerNorm | nn.RMSNorm):
            with graph.inserting_before(node):
                names = [name for name in ("weight", "bias") if getattr(module, name, None) is not None]
                read = {name: graph.get_attr(f"{node.target}.{name}") for name in names}
            node.args, node.kwargs = (node.args[0], module.normalized_shape), {**read, "eps": module.eps}
        node.op, node.target = "call_function", _NORMS[kind]
    elif kind in _ATTENTIONS:
        _detach(graph, node, variable[:2] if len(node.args) > 2 else [])  # queries and keys
    elif called.reach == "softmax":
        _detach(graph, node, variable[:1])  # of what is detached the pattern is too
    elif called.role == "division":
        _detach(graph, node, [place for place in variable if place == 1])
    elif called.role == "scaling" and len(variable) == 2:
        _detach(graph, node, [place for place in variable if place == _gate_of(traced, node)])


_copies = GraphCopies(_hold_node)


def _gate_of(traced: fx.GraphModule, node: fx.Node) -> int | None:
    """Which factor of a product is its gate: the smaller, or the one that an activation function has made."""
    sizes = [math.prod(ops.shape(read) or ()) for read in node.args[:2]]
    if sizes[0] != sizes[1]:
        return sizes.index(min(sizes))
    made = [place for place, read in enumerate(node.args[:2]) if _is_activated(traced, read)]
    return made[0] if len(made) == 1 else None


def _is_activated(traced: fx.GraphModule, node: Any) -> bool:
    known = _GATED.values()
    while isinstance(node, fx.Node) and node.args:
        called = ops.operation(traced, node)
        if called.is_activation or node.target in known:
            return True
        if called.reach != "elementwise" or len(list(filter(ops.is_variable, node.args))) != 1:
            return False
        node = node.args[0]
    return False


def _detach(graph: fx.Graph, node: fx.Node, places: list[int]) -> None:
    """Let a node read some of its arguments without their gradients."""
    args: list[Any] = list(node.args)
    for place in places:
        with graph.inserting_before(node):
            made = graph.call_method("detach", (args[place],))
        made.meta = {key: value for key, value in args[place].meta.items() if key in ("shape", "channels_at", "dtype")}
        args[place] = made
    node.args = tuple(args)


def _is_linear(traced: fx.GraphModule, lowers: Sequence[fx.Node], upper: fx.Node) -> bool:
    """Whether what is not detached between some tensors and one above them is piecewise linear: step 3."""
    if is_one_at_a_time(traced):
        return False
    ends, live = [node for node in traced.graph.nodes if node.target == "detach"], set(lowers)
    for node in nodes_needed([upper], {*lowers, *ends}):
        reads = [read for read in value_inputs(node) if read in live]
        if not reads:
            continue
        live.add(node)
        kind, role = ops.kind(traced, node), ops.operation(traced, node).role
        if kind in _PRODUCTS or role in ("scaling", "division"):
            if len(reads) > 1 or (role == "division" and reads[0] is not node.args[0]):
                return False
        elif kind not in (*_GATED.values(), *_NORMS.values()) and not ops.is_piecewise_linear(traced, node):
            return False
    return True
