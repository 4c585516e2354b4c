"""What each operation of a graph can depend on: the largest of the numbers that reach each value of its output."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from circuits.network import operations as ops

NOTHING = -float("inf")


@dataclass(frozen=True)
class Call:
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


def everything(call: Call) -> Any:
    """An operation that is not known: each of its values sees the whole image."""
    made = call.run(lambda tensor: tensor.nan_to_num(neginf=0.0) if tensor.is_floating_point() else tensor)
    return pytree.tree_map_only(
        Tensor, lambda tensor: torch.full_like(tensor, call.largest) if tensor.is_floating_point() else tensor, made
    )


def _elementwise(call: Call) -> Any:
    if not all(map(_is_numbers, call.seen)):
        return everything(call)
    largest = reduce(torch.maximum, call.seen)
    alone = len(call.node.all_input_nodes) == len(call.seen)
    return largest if alone else largest.expand(call.run(lambda each: each).shape)


def _moved(call: Call) -> Any:
    """An operation that only moves values: constants among them depend on nothing."""
    if not all(map(_is_numbers, pytree.tree_leaves(call.seen))):
        return everything(call)
    own = {id(tensor) for tensor in pytree.tree_leaves(call.seen)}
    return call.run(lambda tensor: tensor if id(tensor) in own or not _is_numbers(tensor) else _nothing(tensor))


def _nothing(tensor: Tensor) -> Tensor:
    return torch.full_like(tensor, NOTHING)


def _pair(number: Any) -> tuple[int, int]:
    rows, columns = (number[0], number[-1]) if isinstance(number, (tuple, list)) else (number, number)
    return int(rows), int(columns)


def _kernel(call: Call, given: Mapping[str, Any]) -> tuple[Tensor | None, tuple[int, int], tuple[int, int], int]:
    """The input of a convolution, largest in each group; its kernel, dilation, and outputs of a group."""
    weight, groups = given.get("weight"), given.get("groups", 1)
    if call.one is None or not isinstance(weight, Tensor) or weight.dim() != 4:
        return None, (1, 1), (1, 1), 1
    grouped = torch.unflatten(call.one, 1, (groups, -1)).amax(2)
    return grouped, _pair(weight.shape[2:]), _pair(given.get("dilation", 1)), groups


def _convolution(call: Call) -> Any:
    given = call.settings("weight", "bias", "stride", "padding", "dilation", "groups", "padding_mode")
    x, kernel, dilation, groups = _kernel(call, given)
    if x is None:
        return everything(call)
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


def _transposed(call: Call) -> Any:
    given = call.settings("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    x, kernel, dilation, _ = _kernel(call, given)
    if x is None or (call.node.op == "call_module" and len(call.node.args) + len(call.node.kwargs) > 1):
        return everything(call)
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


def _pad(call: Call) -> Any:
    if call.one is None:
        return everything(call)
    if call.node.op == "call_module":
        module = ops.called_module(call.traced, call.node)
        return _padded(call.one, call.settings("padding")["padding"], _PADDINGS[type(module)])
    given = call.settings("pad", "mode", "value")
    return _padded(call.one, given["pad"], given.get("mode", "constant"))


def _max_pool(call: Call) -> Any:
    return _pool(call, "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


def _average_pool(call: Call) -> Any:
    return _pool(call, "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


def _pool(call: Call, *names: str) -> Any:
    given = call.settings(*names)
    if call.one is None or given.get("return_indices"):
        return everything(call)
    stride = given.get("stride") or given["kernel_size"]
    how = {name: given[name] for name in ("padding", "dilation", "ceil_mode") if name in given}
    return F.max_pool2d(call.one, given["kernel_size"], stride, **how)


def _adaptive_pool(call: Call) -> Any:
    given = call.settings("output_size", "return_indices")
    if call.one is None or given.get("return_indices"):
        return everything(call)
    return F.adaptive_max_pool2d(call.one, given["output_size"])


def _resized(call: Call) -> Any:
    """Interpolation is linear and acts on each axis alone: a single row, or column, of ones shows what it reaches."""
    x = call.one
    if x is None:
        return everything(call)
    height, width = x.shape[2:]
    rows = call.run(lambda _: torch.eye(height)[:, None, :, None].expand(-1, -1, -1, width))[:, 0, :, 0] != 0
    columns = call.run(lambda _: torch.eye(width)[:, None, None, :].expand(-1, -1, height, -1))[:, 0, 0, :] != 0
    x = torch.stack([x[:, :, reached].amax(2) for reached in rows.unbind(1)], 2)
    return torch.stack([x[:, :, :, reached].amax(3) for reached in columns.unbind(1)], 3)


def _reduced(call: Call) -> Any:
    """Means and sums over some dimensions."""
    if len(call.seen) != 1 or not _is_numbers(call.seen[0]):
        return everything(call)
    given = call.settings("dim", "keepdim")
    dims = given.get("dim", given.get("axis"))
    if dims is None:
        return call.seen[0].amax()
    return call.seen[0].amax(dims, given.get("keepdim", False))


def _linear(call: Call) -> Any:
    weight = call.settings("weight")["weight"]
    if len(call.seen) != 1 or not _is_numbers(call.seen[0]):
        return everything(call)
    return call.seen[0].amax(-1, keepdim=True).expand(*call.seen[0].shape[:-1], weight.shape[0])


def _layer_norm(call: Call) -> Any:
    shape = call.settings("normalized_shape")["normalized_shape"]
    if len(call.seen) != 1:
        return everything(call)
    x: Tensor = call.seen[0]
    return x.amax(tuple(range(-len(shape), 0)), keepdim=True).expand_as(x)


def _softmax(call: Call) -> Any:
    dim = call.settings("dim").get("dim")
    if dim is None or len(call.seen) != 1:
        return everything(call)
    return call.seen[0].amax(dim, keepdim=True).expand_as(call.seen[0])


def _neighbouring_channels(call: Call) -> Any:
    """Local response normalisation (Krizhevsky 2012)."""
    size = call.settings("size")["size"]
    if call.one is None:
        return everything(call)
    x = _padded(call.one, (0, 0, 0, 0, size // 2, (size - 1) // 2))
    return x.unfold(1, size, 1).amax(-1)


_ELEMENTWISE: frozenset[Any] = (
    ops.ACTIVATIONS
    | ops.ADDITIONS
    | ops.BATCH_NORMS
    | {nn.Dropout, nn.Dropout2d, nn.Identity, F.dropout, F.dropout2d, F.alpha_dropout, F.batch_norm}
    | {operator.sub, operator.mul, operator.truediv, operator.pow, operator.neg, "sub", "mul", "div", "pow", "neg"}
    | {torch.sub, torch.mul, torch.div, torch.pow, torch.neg, torch.maximum, torch.minimum, torch.abs, "abs"}
    | {torch.exp, torch.sqrt, torch.rsqrt, torch.clamp, "exp", "sqrt", "rsqrt", "clamp", "sigmoid", "float", "to"}
    | {nn.LeakyReLU, nn.Hardtanh, nn.PReLU, nn.LogSigmoid, nn.Softsign, nn.Threshold, F.prelu, F.logsigmoid}
)
_MOVING: frozenset[Any] = (
    ops.RESHAPES
    | ops.CONCATENATIONS
    | {operator.getitem, getattr, "size", "dim", "chunk", "split", "unbind", "expand", "repeat", "flip", "roll"}
    | {torch.chunk, torch.split, torch.unbind, torch.stack, torch.flip, torch.roll, torch.swapaxes, torch.movedim}
    | {"swapaxes", "movedim", "narrow", "select", "unflatten", "clone", "detach", torch.narrow, torch.select}
    | {nn.ChannelShuffle, F.channel_shuffle, nn.PixelShuffle, nn.PixelUnshuffle, F.pixel_shuffle, F.pixel_unshuffle}
)
STEPS: Mapping[Any, Callable[[Call], Any]] = MappingProxyType(
    dict.fromkeys(_ELEMENTWISE, _elementwise)
    | dict.fromkeys(_MOVING, _moved)
    | dict.fromkeys((nn.Conv2d, F.conv2d, torch.conv2d), _convolution)
    | dict.fromkeys((nn.ConvTranspose2d, F.conv_transpose2d), _transposed)
    | dict.fromkeys((nn.MaxPool2d, F.max_pool2d, torch.max_pool2d), _max_pool)
    | dict.fromkeys((nn.AvgPool2d, F.avg_pool2d), _average_pool)
    | dict.fromkeys((nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d), _adaptive_pool)
    | dict.fromkeys((nn.AdaptiveMaxPool2d, F.adaptive_max_pool2d), _adaptive_pool)
    | dict.fromkeys((nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d, F.interpolate), _resized)
    | dict.fromkeys((F.pad, *_PADDINGS), _pad)
    | dict.fromkeys(("mean", torch.mean, "sum", torch.sum, "amax", torch.amax, "amin", torch.amin), _reduced)
    | dict.fromkeys((nn.Linear, F.linear), _linear)
    | dict.fromkeys((nn.LayerNorm, F.layer_norm), _layer_norm)
    | dict.fromkeys((nn.Softmax, F.softmax, torch.softmax, "softmax"), _softmax)
    | dict.fromkeys((nn.LocalResponseNorm, F.local_response_norm), _neighbouring_channels)
)
