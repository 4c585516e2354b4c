"""The shape of every node's tensor, and the dimension that its channels lie along, recorded for an example."""

import operator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network import operations as ops
from circuits.network.dataflow import value_inputs, value_users
from circuits.network.execute import execute, image_node


def record_shapes(traced: fx.GraphModule, example: Tensor) -> None:
    """Note in `node.meta` the shape of each node's tensor, and where its channels are, for an example (1, c, h, w).

    Raises:
        InputError: if the network reads several inputs.
    """

    def run_and_note(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        value = ops.run_node(traced, node, values)
        if isinstance(value, Tensor):
            _note(traced, node, value)
        return value

    image = image_node(traced)
    _note(traced, image, example)
    # With the tensors that nobody reads but for their size, which would not be run.
    ends = [node for node in traced.graph.nodes if node.op not in ("placeholder", "output")]
    ends = [node for node in ends if all(user.op == "output" for user in value_users(node))]
    with torch.no_grad():
        execute(traced, {image: example}, ends, on_node=run_and_note)


def _note(traced: fx.GraphModule, node: fx.Node, value: Tensor) -> None:
    node.meta["shape"] = tuple(value.shape)
    if not value.is_floating_point():
        node.meta["dtype"] = value.dtype
    node.meta["channels_at"] = _channels_at(traced, node)


def _channels_at(traced: fx.GraphModule, node: fx.Node) -> int:
    """The dimension that a node's channels lie along; 0 where they were mixed up with positions.

    It is 1, unless the tensor was permuted, or a linear layer acts on the last dimension.
    """
    target, dims = ops.kind(traced, node), len(ops.shape(node) or ())
    if target in (ops.channels_first, ops.channels_last):
        return 1 if target is ops.channels_first else 3
    if target in (nn.Linear, F.linear):
        return dims - 1
    if target in ops.CONVOLUTIONS or dims <= 2:
        return 1
    reads = [_before_splitting(node.args[0])] if target is operator.getitem else value_inputs(node)
    inputs = [read for read in reads if ops.shape(read) and ops.is_variable(read)]
    same = [read for read in inputs if len(ops.shape(read) or ()) == dims]
    if not same:
        is_reshape = ops.operation(traced, node).role == "reshape"
        return _after_reshape(inputs[0], node) if is_reshape and len(inputs) == 1 else 1
    before: int = same[0].meta["channels_at"]
    given: list[Any] = [*node.args[1:], *node.kwargs.values()]
    if target in (torch.permute, "permute"):
        order = given[0] if isinstance(given[0], (tuple, list)) else given
        return [place % dims for place in order].index(before)
    if target in (torch.transpose, "transpose", torch.swapaxes, "swapaxes"):
        one, two = (int(place) % dims for place in given)
        return two if before == one else one if before == two else before
    return before


def _before_splitting(node: Any) -> Any:
    """The node of the tensor that a tuple of tensors, such as the chunks of one, was made from."""
    while ops.shape(node) is None and node.all_input_nodes:
        node = node.all_input_nodes[0]
    return node


def _after_reshape(read: fx.Node, node: fx.Node) -> int:
    """Where channels are after a reshape to another number of dimensions, which must leave them whole."""
    old, new, before = ops.shape(read) or (), ops.shape(node) or (), read.meta["channels_at"]
    is_kept = before == 1 and old[:2] == new[:2]
    is_regrouped = 0 < before < len(old) - 2 and old[-2:] == new[-2:]  # as for a shuffle of channels
    if is_kept or is_regrouped:
        return 1
    return len(new) - 1 if before == len(old) - 1 and old[-1] == new[-1] else 0
