"""Attention written out: its pattern, the weights with which each token reads the others, and what is read with it.

What torch computes in one step keeps its pattern to itself, and has no second derivative on a CPU.
"""

import operator

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from jaxtyping import Float
from torch import Tensor, fx, nn

from circuits.network import operations as ops
from circuits.network.execute import execute, image_node
from circuits.network.graph_copies import GraphCopies
from circuits.network.segments import Segment

Pattern = Float[Tensor, "n heads queries keys"]
"""Non-negative; each query's weights add up to 1."""


def attention_pattern(
    query: Tensor,
    key: Tensor,
    value: Tensor | None = None,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q · kᵀ · scale + mask), (…, queries, keys), from what torch's `scaled_dot_product_attention` is given.

    The value does not matter, and nothing is dropped out of a network in use.

    Example:
        >>> attention_pattern(torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 4, 3))[0, 0, 0].tolist()
        [0.25, 0.25, 0.25, 0.25]
    """
    scores = query @ _per_head(key, query.shape[-3]).transpose(-2, -1)
    scores = scores * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        is_kept = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if is_kept else scores + attn_mask
    return scores.softmax(-1)


def attend(pattern: Tensor, value: Tensor) -> Tensor:
    """What each query reads: the values, weighted by its row of the pattern.

    Example:
        >>> q, k, v = torch.rand(3, 1, 2, 5, 4).unbind(0)
        >>> bool(torch.allclose(attend(attention_pattern(q, k), v), F.scaled_dot_product_attention(q, k, v)))
        True
    """
    return pattern @ _per_head(value, pattern.shape[-3])


def _per_head(x: Tensor, heads: int) -> Tensor:
    """Keys or values of which several heads share one, repeated."""
    return x if x.shape[-3] == heads else x.repeat_interleave(heads // x.shape[-3], -3)


def with_attention_written_out(segment: Segment) -> Segment:
    """The same function, whose second derivatives exist wherever those of its other steps do."""
    return _copies.segment(segment)


def attention_patterns(traced: fx.GraphModule, image: Tensor) -> list[tuple[fx.Node, Pattern]]:
    """Each node of a network that attends, in the order of the graph, and its pattern for an image."""
    copy, node_of = _copies.of(traced)
    made = {node: node_of[node].meta.get(_PATTERN) for node in traced.graph.nodes if node in node_of}
    wanted = [pattern for pattern in made.values() if pattern is not None]
    with torch.no_grad():
        values = execute(copy, {image_node(copy): image}, wanted)
    found = [(node, values[pattern]) for node, pattern in made.items() if pattern is not None]
    return [(node, value) for node, value in found if value.dim() == 4 and _sums_to_one(value)]


def _sums_to_one(pattern: Tensor) -> bool:
    """Whether a softmax goes over the last dimension."""
    return bool(((pattern.sum(-1) - 1).abs() < 1e-3).all())


_PATTERN = "attention_pattern"
_NAMES = ("need_weights", "attn_mask", "average_attn_weights", "is_causal")
"""Arguments of `nn.MultiheadAttention` after its first four."""


def _write_out(traced: fx.GraphModule, graph: fx.Graph, node: fx.Node) -> None:
    kind = ops.kind(traced, node)
    if kind is F.scaled_dot_product_attention:
        with graph.inserting_before(node):
            pattern = graph.call_function(attention_pattern, node.args, node.kwargs)
        value = node.args[2] if len(node.args) > 2 else node.kwargs["value"]
        node.op, node.target, node.args, node.kwargs = "call_function", attend, (pattern, value), {}
        node.meta[_PATTERN] = pattern
    elif kind is nn.MultiheadAttention:
        # Asked for its weights, torch computes them step by step.
        named = {**dict(zip(_NAMES, node.args[4:], strict=False)), **node.kwargs}
        node.kwargs = {**named, "need_weights": True, "average_attn_weights": False}
        node.args = node.args[:4]
        with graph.inserting_after(node):
            node.meta[_PATTERN] = graph.call_function(operator.getitem, (node, 1))
    elif ops.operation(traced, node).reach == "softmax":
        node.meta[_PATTERN] = node


_copies = GraphCopies(_write_out)
