"""What each value of an operation's output can depend on: the largest number among the inputs that reach it."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from circuits.network import operations as ops
from circuits.network.dataflow import value_inputs
from circuits.network.execute import execute, image_node

NOTHING = -float("inf")


@dataclass(frozen=True)
class OperationCall:
    """An operation and its inputs.

    Args:
        traced: the prepared network.
        node: the operation.
        values: those of the nodes that it reads.
        seen: the ones among them that depend on the image.
        largest: of the image's numbers.
        along_skips: whether what mixes tokens is left out.
    """

    traced: fx.GraphModule
    node: fx.Node
    values: Mapping[fx.Node, Any]
    seen: Sequence[Any]
    largest: float
    along_skips: bool = False

    def settings(self, *names: str) -> dict[str, Any]:
        """Settings by name: those of the module, or the function's arguments after the first."""
        if self.node.op == "call_module":
            module = ops.called_module(self.traced, self.node)
            return {name: getattr(module, name) for name in names if hasattr(module, name)}
        args, named = fx.node.map_arg((self.node.args[1:], dict(self.node.kwargs)), lambda read: self.values[read])
        return dict(zip(names, args, strict=False)) | named

    def run(self, change: Callable[[Tensor], Tensor]) -> Any:
        """The operation's own output for its inputs, their tensors changed."""
        reads = self.node.all_input_nodes
        changed = {read: pytree.tree_map_only(Tensor, change, self.values[read]) for read in reads}
        return ops.run_node(self.traced, self.node, changed)


def largest_reaching(
    traced: fx.GraphModule, numbers: Tensor, wanted: Sequence[fx.Node], *, along_skips: bool = False
) -> dict[fx.Node, Any]:
    """The largest of the pixels' numbers, (1, c, h, w), that each value of some nodes can depend on; -∞ for none.

    Args:
        traced: the prepared network.
        numbers: of the pixels.
        wanted: the nodes.
        along_skips: whether what mixes tokens is left out: a sum has what all of its parts can depend on, and what
            attention makes of a token what its query can.
    """
    image = image_node(traced)
    dependent = {image}
    largest = float(numbers.max())

    def reach_of(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        reads = value_inputs(node)
        if dependent.isdisjoint(reads):
            return ops.run_node(traced, node, values)
        seen = [values[read] for read in reads if read in dependent]
        value = reach(OperationCall(traced, node, values, seen, largest, along_skips))
        if any(isinstance(part, Tensor) for part in pytree.tree_leaves(value)):
            dependent.add(node)
        return value

    with torch.no_grad():
        return execute(traced, {image: numbers}, wanted, on_node=reach_of)


def reach(call: OperationCall) -> Any:
    """For each value of an operation's output the largest number among the inputs that it can depend on."""
    name = ops.operation(call.traced, call.node).reach
    x = call.seen[0] if len(call.seen) == 1 and _is_numbers(call.seen[0]) else None
    largest = None
    if call.along_skips and ops.kind(call.traced, call.node) in _ATTENTION:
        largest = _query(call)
    elif name in _OF_ANY:
        largest = _OF_ANY[name](call)
    elif name in _OF_TENSOR and x is not None:
        largest = _OF_TENSOR[name](call, x)
    elif name in _OF_MAP and x is not None and x.dim() == 4:
        largest = _OF_MAP[name](call, x)
    return _everything(call) if largest is None else largest


def _is_numbers(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _everything(call: OperationCall) -> Any:
    """Of an operation that is not known, every value depends on the whole image."""
    made = call.run(lambda tensor: tensor.nan_to_num(neginf=0.0) if tensor.is_floating_point() else tensor)
    return pytree.tree_map_only(
        Tensor, lambda tensor: torch.full_like(tensor, call.largest) if tensor.is_floating_point() else tensor, made
    )


def _elementwise(call: OperationCall) -> Tensor | None:
    if not all(map(_is_numbers, call.seen)):
        return None
    is_skip = call.along_skips and ops.operation(call.traced, call.node).role == "addition"
    largest: Tensor = reduce(torch.minimum if is_skip else torch.maximum, call.seen)
    alone = len(call.node.all_input_nodes) == len(call.seen)
    return largest if alone else largest.expand(call.run(lambda each: each).shape)


def _query(call: OperationCall) -> Tensor | None:
    """Of a product of matrices, as attention is made of, what the row of the first can depend on."""
    first = call.node.args[0] if call.node.args else None
    query = call.values[first] if isinstance(first, fx.Node) else None
    if not isinstance(query, Tensor) or not any(query is each for each in call.seen):
        return None
    made = call.run(lambda tensor: tensor.nan_to_num(neginf=0.0) if tensor.is_floating_point() else tensor)
    largest: Tensor = query.amax(-1, keepdim=True).expand(made.shape)
    return largest


def _moved(call: OperationCall) -> Any:
    """Of an operation that only moves values; constants depend on nothing."""
    if not all(map(_is_numbers, pytree.tree_leaves(call.seen))):
        return None
    own = {id(tensor) for tensor in pytree.tree_leaves(call.seen)}
    return call.run(
        lambda tensor: tensor if id(tensor) in own or not _is_numbers(tensor) else torch.full_like(tensor, NOTHING)
    )


def _pair(number: Any) -> tuple[int, int]:
    rows, columns = (number[0], number[-1]) if isinstance(number, (tuple, list)) else (number, number)
    return int(rows), int(columns)


def _has_kernel(given: Mapping[str, Any]) -> bool:
    weight = given.get("weight")
    return isinstance(weight, Tensor) and weight.dim() == 4


def _convolution(call: OperationCall, x: Tensor) -> Tensor | None:
    given = call.settings("weight", "bias", "stride", "padding", "dilation", "groups", "padding_mode")
    if not _has_kernel(given):
        return None
    weight, groups, padding = given["weight"], given.get("groups", 1), given.get("padding", 0)
    kernel, dilation = _pair(weight.shape[2:]), _pair(given.get("dilation", 1))
    spans = [step * (side - 1) for side, step in zip(kernel, dilation, strict=True)]
    if padding == "same":
        before, after = _pair([span // 2 for span in spans]), _pair([span - span // 2 for span in spans])
    else:
        before = after = (0, 0) if padding == "valid" else _pair(padding)
    pads = (before[1], after[1], before[0], after[0])
    x = _padded(_largest_in_groups(x, groups), pads, given.get("padding_mode", "zeros"))
    return _spread(F.max_pool2d(x, kernel, _pair(given.get("stride", 1)), 0, dilation), weight.shape[0] // groups)


def _transposed(call: OperationCall, x: Tensor) -> Tensor | None:
    given = call.settings("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    has_output_size = call.node.op == "call_module" and len(call.node.args) + len(call.node.kwargs) > 1
    if not _has_kernel(given) or has_output_size:
        return None
    weight = given["weight"]
    kernel, dilation = _pair(weight.shape[2:]), _pair(given.get("dilation", 1))
    x = _largest_in_groups(x, given.get("groups", 1))
    down, right = _pair(given.get("stride", 1))
    apart = x.new_full((*x.shape[:2], (x.shape[2] - 1) * down + 1, (x.shape[3] - 1) * right + 1), NOTHING)
    apart[:, :, ::down, ::right] = x
    sides = zip(kernel, dilation, _pair(given.get("padding", 0)), strict=True)
    rows, columns = (step * (side - 1) - cut for side, step, cut in sides)
    more = _pair(given.get("output_padding", 0))
    wide = _padded(apart, (columns, columns + more[1], rows, rows + more[0]))
    return _spread(F.max_pool2d(wide, kernel, 1, 0, dilation), weight.shape[1])


def _largest_in_groups(x: Tensor, groups: int) -> Tensor:
    return torch.unflatten(x, 1, (groups, -1)).amax(2)


def _spread(seen: Tensor, outputs: int) -> Tensor:
    """One map a group to all outputs of the group."""
    groups, *sides = seen.shape[1:]
    return seen.unsqueeze(2).expand(-1, groups, outputs, *sides).flatten(1, 2)


def _padded(x: Tensor, pads: Sequence[int], mode: str = "constant") -> Tensor:
    """Padded with nothing, or as `mode` says; pads are given from the last dimension back."""
    if mode in ("zeros", "constant"):
        return F.pad(x, tuple(pads), value=NOTHING)
    return F.pad(x, tuple(pads), mode=mode)


_PADDINGS: Mapping[type[nn.Module], str] = MappingProxyType(
    {nn.ZeroPad2d: "constant", nn.ConstantPad2d: "constant", nn.ReflectionPad2d: "reflect"}
    | {nn.ReplicationPad2d: "replicate", nn.CircularPad2d: "circular"}
)


def _pad(call: OperationCall, x: Tensor) -> Tensor:
    if call.node.op == "call_module":
        module = ops.called_module(call.traced, call.node)
        return _padded(x, call.settings("padding")["padding"], _PADDINGS[type(module)])
    given = call.settings("pad", "mode", "value")
    return _padded(x, given["pad"], given.get("mode", "constant"))


def _pool(call: OperationCall, x: Tensor, names: Sequence[str]) -> Tensor | None:
    given = call.settings("kernel_size", *names)
    if given.get("return_indices"):
        return None
    stride = given.get("stride") or given["kernel_size"]
    how = {name: given[name] for name in ("padding", "dilation", "ceil_mode") if name in given}
    pooled: Tensor = F.max_pool2d(x, given["kernel_size"], stride, **how)
    return pooled


def _adaptive_pool(call: OperationCall, x: Tensor) -> Tensor | None:
    given = call.settings("output_size", "return_indices")
    return None if given.get("return_indices") else F.adaptive_max_pool2d(x, given["output_size"])


def _resized(call: OperationCall, x: Tensor) -> Tensor:
    """Interpolation is linear and separable: a single row, or column, of ones shows the rows that it reaches.

    What leaves out every other token still stands for the places of all of them.
    """
    whole, (height, width) = x, x.shape[2:]
    rows = call.run(lambda _: torch.eye(height)[:, None, :, None].expand(-1, -1, -1, width))[:, 0, :, 0] != 0
    columns = call.run(lambda _: torch.eye(width)[:, None, None, :].expand(-1, -1, height, -1))[:, 0, 0, :] != 0
    x = torch.stack([x[:, :, reached].amax(2) for reached in rows.unbind(1)], 2)
    x = torch.stack([x[:, :, :, reached].amax(3) for reached in columns.unbind(1)], 3)
    return torch.maximum(x, F.adaptive_max_pool2d(whole, x.shape[2:])) if call.along_skips else x


def _reduced(call: OperationCall, x: Tensor) -> Tensor:
    given = call.settings("dim", "keepdim")
    dims = given.get("dim", given.get("axis"))
    return x.amax() if dims is None else x.amax(dims, given.get("keepdim", False))


def _linear(call: OperationCall, x: Tensor) -> Tensor:
    return x.amax(-1, keepdim=True).expand(*x.shape[:-1], call.settings("weight")["weight"].shape[0])


def _layer_norm(call: OperationCall, x: Tensor) -> Tensor:
    shape = call.settings("normalized_shape")["normalized_shape"]
    return x.amax(tuple(range(-len(shape), 0)), keepdim=True).expand_as(x)


def _softmax(call: OperationCall, x: Tensor) -> Tensor | None:
    dim = call.settings("dim").get("dim")
    return None if dim is None else x.amax(dim, keepdim=True).expand_as(x)


def _neighbouring_channels(call: OperationCall, x: Tensor) -> Tensor:
    """Local response normalisation (Krizhevsky 2012)."""
    size = call.settings("size")["size"]
    return _padded(x, (0, 0, 0, 0, size // 2, (size - 1) // 2)).unfold(1, size, 1).amax(-1)


_ATTENTION = (F.scaled_dot_product_attention, operator.matmul, torch.matmul, "matmul", torch.bmm, "bmm")
_OF_ANY: Mapping[ops.Reach | None, Callable[[OperationCall], Any]] = {"elementwise": _elementwise, "moving": _moved}
_OF_TENSOR: Mapping[ops.Reach | None, Callable[[OperationCall, Tensor], Tensor | None]] = {
    "reduction": _reduced,
    "linear": _linear,
    "layer norm": _layer_norm,
    "softmax": _softmax,
}
_OF_MAP: Mapping[ops.Reach | None, Callable[[OperationCall, Tensor], Tensor | None]] = {
    "convolution": _convolution,
    "transposed": _transposed,
    "max pool": partial(_pool, names=("stride", "padding", "dilation", "ceil_mode", "return_indices")),
    "average pool": partial(_pool, names=("stride", "padding", "ceil_mode")),
    "adaptive pool": _adaptive_pool,
    "resizing": _resized,
    "padding": _pad,
    "channel window": _neighbouring_channels,
}
