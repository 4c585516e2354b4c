"""What each operation of a graph can depend on: the largest of the numbers that reach each value of its output."""

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

NOTHING = -float("inf")


@dataclass(frozen=True)
class OperationCall:
    """An operation with what it is called on.

    Args:
        traced: the prepared network.
        node: the operation.
        values: those of the nodes that it reads.
        seen: those of them that depend on the image.
        largest: of the image's numbers.
    """

    traced: fx.GraphModule
    node: fx.Node
    values: Mapping[fx.Node, Any]
    seen: Sequence[Any]
    largest: float

    @property
    def one(self) -> Tensor | None:
        """The only tensor that depends on the image, if it holds numbers of pixels of maps."""
        alone = len(self.seen) == 1 and _is_numbers(self.seen[0])
        return self.seen[0] if alone and self.seen[0].dim() == 4 else None

    def given(self, argument: Any) -> Any:
        """The value of an argument."""
        return fx.node.map_arg(argument, lambda read: self.values[read])

    def settings(self, *names: str) -> dict[str, Any]:
        """Settings by name: those of the module, or the function's arguments after the first."""
        if self.node.op == "call_module":
            module = ops.called_module(self.traced, self.node)
            return {name: getattr(module, name) for name in names if hasattr(module, name)}
        placed = dict(zip(names, self.given(self.node.args[1:]), strict=False))
        named: dict[str, Any] = self.given(self.node.kwargs)
        return placed | named

    def run(self, change: Callable[[Tensor], Tensor]) -> Any:
        """What the operation itself makes of its inputs, their tensors changed."""
        reads = self.node.all_input_nodes
        changed = {read: pytree.tree_map_only(Tensor, change, self.values[read]) for read in reads}
        return ops.run_node(self.traced, self.node, changed)


def _is_numbers(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _everything(call: OperationCall) -> Any:
    """An operation that is not known: each of its values sees the whole image."""
    made = call.run(lambda tensor: tensor.nan_to_num(neginf=0.0) if tensor.is_floating_point() else tensor)
    return pytree.tree_map_only(
        Tensor, lambda tensor: torch.full_like(tensor, call.largest) if tensor.is_floating_point() else tensor, made
    )


def _elementwise(call: OperationCall) -> Any:
    if not all(map(_is_numbers, call.seen)):
        return _everything(call)
    largest = reduce(torch.maximum, call.seen)
    alone = len(call.node.all_input_nodes) == len(call.seen)
    return largest if alone else largest.expand(call.run(lambda each: each).shape)


def _moved(call: OperationCall) -> Any:
    """An operation that only moves values: constants among them depend on nothing."""
    if not all(map(_is_numbers, pytree.tree_leaves(call.seen))):
        return _everything(call)
    own = {id(tensor) for tensor in pytree.tree_leaves(call.seen)}
    return call.run(lambda tensor: tensor if id(tensor) in own or not _is_numbers(tensor) else _nothing(tensor))


def _nothing(tensor: Tensor) -> Tensor:
    return torch.full_like(tensor, NOTHING)


_Pair = tuple[int, int]


def _pair(number: Any) -> _Pair:
    rows, columns = (number[0], number[-1]) if isinstance(number, (tuple, list)) else (number, number)
    return int(rows), int(columns)


def _kernel(call: OperationCall, given: Mapping[str, Any]) -> tuple[Tensor | None, _Pair, _Pair, int]:
    """The input of a convolution, largest in each group; its kernel, dilation, and outputs of a group."""
    weight, groups = given.get("weight"), given.get("groups", 1)
    if call.one is None or not isinstance(weight, Tensor) or weight.dim() != 4:
        return None, (1, 1), (1, 1), 1
    grouped = torch.unflatten(call.one, 1, (groups, -1)).amax(2)
    return grouped, _pair(weight.shape[2:]), _pair(given.get("dilation", 1)), groups


def _convolution(call: OperationCall) -> Any:
    given = call.settings("weight", "bias", "stride", "padding", "dilation", "groups", "padding_mode")
    x, kernel, dilation, groups = _kernel(call, given)
    if x is None:
        return _everything(call)
    padding = given.get("padding", 0)
    reach = [step * (side - 1) for side, step in zip(kernel, dilation, strict=True)]
    if padding == "same":
        before = _pair([side // 2 for side in reach])
        after = _pair([side - side // 2 for side in reach])
    else:
        before = after = (0, 0) if padding == "valid" else _pair(padding)
    x = _padded(x, (before[1], after[1], before[0], after[0]), given.get("padding_mode", "zeros"))
    seen = F.max_pool2d(x, kernel, _pair(given.get("stride", 1)), 0, dilation)
    return _spread(seen, given["weight"].shape[0] // groups)


def _transposed(call: OperationCall) -> Any:
    given = call.settings("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    x, kernel, dilation, _ = _kernel(call, given)
    if x is None or (call.node.op == "call_module" and len(call.node.args) + len(call.node.kwargs) > 1):
        return _everything(call)
    down, right = _pair(given.get("stride", 1))
    apart = x.new_full((*x.shape[:2], (x.shape[2] - 1) * down + 1, (x.shape[3] - 1) * right + 1), NOTHING)
    apart[:, :, ::down, ::right] = x
    sides = zip(kernel, dilation, _pair(given.get("padding", 0)), strict=True)
    rows, columns = (step * (side - 1) - cut for side, step, cut in sides)
    more = _pair(given.get("output_padding", 0))
    wide = _padded(apart, (columns, columns + more[1], rows, rows + more[0]))
    return _spread(F.max_pool2d(wide, kernel, 1, 0, dilation), given["weight"].shape[1])


def _spread(seen: Tensor, outputs: int) -> Tensor:
    """One map a group to all outputs of the group."""
    groups, *sides = seen.shape[1:]
    return seen.unsqueeze(2).expand(1, groups, outputs, *sides).flatten(1, 2)


def _padded(x: Tensor, pads: Sequence[int], mode: str = "constant") -> Tensor:
    """Pads are given from the last dimension back, as torch does."""
    if mode in ("zeros", "constant"):
        return F.pad(x, tuple(pads), value=NOTHING)
    return F.pad(x, tuple(pads), mode=mode)


_PADDINGS: Mapping[type[nn.Module], str] = MappingProxyType(
    {nn.ZeroPad2d: "constant", nn.ConstantPad2d: "constant", nn.ReflectionPad2d: "reflect"}
    | {nn.ReplicationPad2d: "replicate", nn.CircularPad2d: "circular"}
)


def _pad(call: OperationCall) -> Any:
    if call.one is None:
        return _everything(call)
    if call.node.op == "call_module":
        module = ops.called_module(call.traced, call.node)
        return _padded(call.one, call.settings("padding")["padding"], _PADDINGS[type(module)])
    given = call.settings("pad", "mode", "value")
    return _padded(call.one, given["pad"], given.get("mode", "constant"))


def _pool(call: OperationCall, names: Sequence[str]) -> Any:
    given = call.settings("kernel_size", *names)
    if call.one is None or given.get("return_indices"):
        return _everything(call)
    stride = given.get("stride") or given["kernel_size"]
    how = {name: given[name] for name in ("padding", "dilation", "ceil_mode") if name in given}
    return F.max_pool2d(call.one, given["kernel_size"], stride, **how)


def _adaptive_pool(call: OperationCall) -> Any:
    given = call.settings("output_size", "return_indices")
    if call.one is None or given.get("return_indices"):
        return _everything(call)
    return F.adaptive_max_pool2d(call.one, given["output_size"])


def _resized(call: OperationCall) -> Any:
    """Interpolation is linear and acts on each axis alone: a single row, or column, of ones shows what it reaches."""
    x = call.one
    if x is None:
        return _everything(call)
    height, width = x.shape[2:]
    rows = call.run(lambda _: torch.eye(height)[:, None, :, None].expand(-1, -1, -1, width))[:, 0, :, 0] != 0
    columns = call.run(lambda _: torch.eye(width)[:, None, None, :].expand(-1, -1, height, -1))[:, 0, 0, :] != 0
    x = torch.stack([x[:, :, reached].amax(2) for reached in rows.unbind(1)], 2)
    return torch.stack([x[:, :, :, reached].amax(3) for reached in columns.unbind(1)], 3)


def _reduced(call: OperationCall) -> Any:
    """Means and sums over some dimensions."""
    if len(call.seen) != 1 or not _is_numbers(call.seen[0]):
        return _everything(call)
    given = call.settings("dim", "keepdim")
    dims = given.get("dim", given.get("axis"))
    if dims is None:
        return call.seen[0].amax()
    return call.seen[0].amax(dims, given.get("keepdim", False))


def _linear(call: OperationCall) -> Any:
    weight = call.settings("weight")["weight"]
    if len(call.seen) != 1 or not _is_numbers(call.seen[0]):
        return _everything(call)
    return call.seen[0].amax(-1, keepdim=True).expand(*call.seen[0].shape[:-1], weight.shape[0])


def _layer_norm(call: OperationCall) -> Any:
    shape = call.settings("normalized_shape")["normalized_shape"]
    if len(call.seen) != 1:
        return _everything(call)
    x: Tensor = call.seen[0]
    return x.amax(tuple(range(-len(shape), 0)), keepdim=True).expand_as(x)


def _softmax(call: OperationCall) -> Any:
    dim = call.settings("dim").get("dim")
    if dim is None or len(call.seen) != 1:
        return _everything(call)
    return call.seen[0].amax(dim, keepdim=True).expand_as(call.seen[0])


def _neighbouring_channels(call: OperationCall) -> Any:
    """Local response normalisation (Krizhevsky 2012)."""
    size = call.settings("size")["size"]
    if call.one is None:
        return _everything(call)
    x = _padded(call.one, (0, 0, 0, 0, size // 2, (size - 1) // 2))
    return x.unfold(1, size, 1).amax(-1)


REACH: Mapping[ops.Reach | None, Callable[[OperationCall], Any]] = MappingProxyType(
    {
        None: _everything,
        "elementwise": _elementwise,
        "moving": _moved,
        "convolution": _convolution,
        "transposed": _transposed,
        "max pool": partial(_pool, names=("stride", "padding", "dilation", "ceil_mode", "return_indices")),
        "average pool": partial(_pool, names=("stride", "padding", "ceil_mode")),
        "adaptive pool": _adaptive_pool,
        "resizing": _resized,
        "padding": _pad,
        "reduction": _reduced,
        "linear": _linear,
        "layer norm": _layer_norm,
        "softmax": _softmax,
        "channel window": _neighbouring_channels,
    }
)
