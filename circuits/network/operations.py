"""What the nodes of an fx graph do: a table of operations, properties of nodes that follow from it, and `run_node`."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network import rows
from circuits.network.dataflow import depends_on_image
from circuits.network.fx import Whole, with_items
from circuits.network.response_norm import local_response_norm
from circuits.network.token_moves import TOKENS, tokens_extra, tokens_joined, tokens_map
from circuits.network.views import WrittenThrough

Callee = Any  # a module's class, a function, or a method's name
Rectifier = Callable[[Tensor], Tensor]
"""Run in place of max(x, 0), with the same values; its gradient may be another."""

IS_FUNCTION = "is_function"
"""In `meta` of a node that calls a module which was a function in the network's own code (`fold`)."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


def channels_first(x: Tensor) -> Tensor:
    """(N, H, W, C) as (N, C, H, W), without a copy."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """(N, C, H, W) as (N, H, W, C), without a copy."""
    return x.permute(0, 2, 3, 1)


Role = Literal[
    "mixing", "rectifier", "smooth", "concatenation", "addition", "pool", "reshape", "scaling", "division",
    "batch norm",
]  # fmt: skip
Reach = Literal[
    "elementwise", "moving", "convolution", "transposed", "max pool", "average pool", "adaptive pool", "resizing",
    "padding", "reduction", "linear", "layer norm", "softmax", "channel window",
]  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """What is known of an operation; of one that is not in the table, nothing.

    Args:
        role: what it does to its inputs: mixing multiplies channels by learned weights, a rectifier is a piecewise
            linear activation function and a smooth one any other, scaling and division are linear in one factor.
        linear: whether it is piecewise linear in its inputs.
        homogeneous: whether f(c · x) = c · f(x) for c > 0, so that Σ x · ∂f/∂x = f (Euler).
        channelwise: whether channel i of the output needs nothing but channel i of the input.
        drops_space: whether it is channelwise where its shapes say that it puts all positions together.
        cap: the upper limit of a rectifier that is zero below zero; infinity where there is none.
        reach: how its receptive field is found (`receptive_field_ops`).
    """

    role: Role | None = None
    linear: bool = False
    homogeneous: bool = False
    channelwise: bool = False
    drops_space: bool = False
    cap: float | None = None
    reach: Reach | None = None

    @property
    def is_activation(self) -> bool:
        return self.role in ("rectifier", "smooth")


def _table(*rows: tuple[Operation, tuple[Callee, ...]]) -> Mapping[Callee, Operation]:
    return MappingProxyType({target: operation for operation, targets in rows for target in targets})


_rectifier = partial(Operation, "rectifier", linear=True, reach="elementwise")
_pool = partial(Operation, "pool", linear=True, homogeneous=True, channelwise=True)
_linear = partial(Operation, linear=True)
_smooth = Operation("smooth", channelwise=True, reach="elementwise")
_reshape = Operation("reshape", linear=True, reach="moving")
_moving = Operation(linear=True, reach="moving")
_elementwise = Operation(reach="elementwise")

_PRODUCTS = (torch.matmul, torch.bmm, torch.mm, torch.einsum, operator.matmul, "matmul", "bmm", "mm")
OPERATIONS = _table(
    (Operation("mixing", linear=True, reach="convolution"), (nn.Conv2d, F.conv2d, torch.conv2d)),
    (Operation("mixing", linear=True, reach="transposed"), (nn.ConvTranspose2d, F.conv_transpose2d)),
    (Operation("mixing", linear=True), (nn.Conv1d, F.conv1d, nn.Conv3d)),
    (Operation("mixing", linear=True, reach="linear"), (nn.Linear, F.linear)),
    (
        Operation("mixing"),
        (nn.Bilinear, nn.MultiheadAttention, *_PRODUCTS),
    ),
    (_rectifier(homogeneous=True, channelwise=True, cap=inf), (nn.ReLU, F.relu, torch.relu, "relu")),
    (_rectifier(channelwise=True, cap=6.0), (nn.ReLU6, F.relu6)),
    (_rectifier(homogeneous=True, channelwise=True), (nn.LeakyReLU, F.leaky_relu)),
    (_rectifier(channelwise=True), (nn.Hardtanh, F.hardtanh)),
    (_rectifier(homogeneous=True, channelwise=True), (nn.RReLU,)),
    (
        _rectifier(channelwise=True),
        (nn.Hardshrink, F.hardshrink, nn.Softshrink, F.softshrink, nn.Threshold, F.threshold),
    ),
    (_rectifier(), (nn.PReLU, F.prelu, torch.prelu, F.rrelu, torch.rrelu)),
    (_smooth, (nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus, nn.Hardsigmoid)),
    (_smooth, (F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.hardswish, F.softplus, F.hardsigmoid)),
    (_smooth, (torch.selu, torch.celu, nn.Softsign, F.softsign, nn.LogSigmoid, F.logsigmoid, nn.Tanhshrink)),
    (_smooth, (nn.Tanh, F.tanh, torch.tanh, "tanh", nn.Sigmoid, F.sigmoid, torch.sigmoid, "sigmoid")),
    (Operation("concatenation", linear=True, reach="moving"), (torch.cat, torch.concat, torch.concatenate)),
    (Operation("addition", linear=True, reach="elementwise"), (operator.add, torch.add, "add")),
    (_pool(reach="max pool"), (nn.MaxPool2d, F.max_pool2d, torch.max_pool2d)),
    (_pool(reach="average pool"), (nn.AvgPool2d, F.avg_pool2d)),
    (_pool(reach="adaptive pool"), (nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d)),
    (_pool(reach="adaptive pool"), (nn.AdaptiveMaxPool2d, F.adaptive_max_pool2d)),
    (replace(_reshape, homogeneous=True, drops_space=True), (nn.Flatten, torch.flatten, "flatten")),
    (replace(_reshape, homogeneous=True), (torch.reshape, "reshape", "view")),
    (_reshape, (nn.Unflatten, torch.squeeze, "squeeze", torch.unsqueeze, "unsqueeze", torch.permute, "permute")),
    (_reshape, (torch.transpose, "transpose", torch.swapaxes, "swapaxes", channels_first, channels_last, "contiguous")),
    (_reshape, (tokens_map, tokens_extra, tokens_joined, "view_as", "reshape_as")),
    # What does not change numbers, and what only moves them.
    (_linear(channelwise=True, reach="elementwise"), (nn.Dropout, nn.Dropout2d, nn.Identity, F.dropout, F.dropout2d)),
    (_linear(reach="elementwise"), (F.alpha_dropout, "float", "to", "type_as")),
    (
        Operation("batch norm", linear=True, reach="elementwise"),
        (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm, F.batch_norm),
    ),
    (_linear(reach="moving"), (getattr, operator.getitem, "size", "dim", "chunk", "split", torch.chunk, torch.split)),
    (_linear(reach="moving"), (torch.stack, nn.ChannelShuffle, F.channel_shuffle, nn.PixelShuffle, nn.PixelUnshuffle)),
    (_moving, (torch.unbind, "unbind", torch.flip, "flip", torch.roll, "roll", torch.movedim, "movedim", "expand")),
    (_moving, (torch.narrow, "narrow", torch.select, "select", "unflatten", "repeat", "clone", "expand_as")),
    (Operation(reach="moving"), ("detach",)),
    (_moving, (F.pixel_shuffle, F.pixel_unshuffle, nn.Unfold, F.unfold)),
    # Arithmetic.
    (_linear(reach="elementwise"), (operator.sub, torch.sub, "sub", operator.neg, torch.neg)),
    (_linear(reach="elementwise"), (torch.maximum, torch.minimum, torch.abs, "abs")),
    (_linear(), (operator.floordiv,)),
    (Operation("scaling", reach="elementwise"), (operator.mul, torch.mul, "mul")),
    (Operation("division", reach="elementwise"), (operator.truediv, torch.div, "div")),
    (_elementwise, (operator.pow, torch.pow, "pow", "neg", torch.exp, "exp", torch.sqrt, "sqrt", torch.rsqrt, "rsqrt")),
    (_linear(reach="elementwise"), (torch.clamp, "clamp", torch.clamp_min, "clamp_min", torch.clamp_max, "clamp_max")),
    # Where a comparison goes the one way or the other, nothing changes with small changes of what is compared.
    (_linear(), (with_items, WrittenThrough)),
    (
        _linear(reach="elementwise"),
        (torch.masked_fill, "masked_fill", torch.where, "where", operator.gt, operator.ge, operator.lt, operator.le),
    ),
    (_linear(homogeneous=True, drops_space=True, reach="reduction"), ("mean", torch.mean)),
    (_linear(reach="reduction"), ("sum", torch.sum)),
    (_linear(reach="reduction"), ("amax", torch.amax, "amin", torch.amin)),
    # Others that see further than one position.
    (_linear(reach="padding"), (F.pad, nn.ZeroPad2d)),
    (Operation(reach="padding"), (nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d)),
    (_linear(reach="resizing"), (nn.Upsample, F.interpolate)),
    (Operation(reach="layer norm"), (nn.LayerNorm, F.layer_norm, nn.RMSNorm, F.rms_norm)),
    (Operation(reach="softmax"), (nn.Softmax, F.softmax, torch.softmax, "softmax")),
    (Operation(reach="channel window"), (nn.LocalResponseNorm, F.local_response_norm, local_response_norm)),
)
_UNKNOWN = Operation()


def operation(traced: fx.GraphModule, node: fx.Node) -> Operation:
    """What is known of the operation that a node calls; of a module's class, what is known of its bases."""
    called = kind(traced, node)
    kinds = called.__mro__ if isinstance(called, type) else [called, type(called)]
    return next((OPERATIONS[each] for each in kinds if each in OPERATIONS), _UNKNOWN)


def called_module(traced: fx.GraphModule, node: fx.Node) -> nn.Module:
    """The module that a `call_module` node calls; looked up once, because a path takes long to walk."""
    known = node.meta.get("called_module")
    if known is None or known[0] is not traced:
        known = node.meta["called_module"] = (traced, traced.get_submodule(str(node.target)))
    module: nn.Module = known[1]
    return module


def kind(traced: fx.GraphModule, node: fx.Node) -> Callee:
    """What a node calls: a module's class, a function, or a method's name; its op where it calls nothing."""
    if node.op == "call_module":
        return type(called_module(traced, node))
    if node.op in ("call_function", "call_method"):
        return node.target
    return node.op


def is_mixing(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node mixes channels with learned weights: a convolution, a linear layer, a product of matrices.

    A module traced as a whole mixes if one of its parts does, or is scripted and holds a matrix of weights; a module
    that is not known, such as a recurrent one, if it holds one; and a function from elsewhere than torch, such as a
    window attention of torchvision, if it reads one.
    """
    if kind(traced, node) is Whole:
        parts = list(called_module(traced, node).modules())
        mixes = any(OPERATIONS.get(type(part), _UNKNOWN).role == "mixing" for part in parts)
        return mixes or any(isinstance(part, torch.jit.ScriptModule) and _has_matrix(part) for part in parts)
    known = operation(traced, node)
    if node.op == "call_module" and known is _UNKNOWN:
        return _has_matrix(called_module(traced, node))
    return known.role == "mixing" or _reads_weights(node)


def _has_matrix(module: nn.Module) -> bool:
    return any(weight.dim() > 1 for weight in module.parameters())


def _reads_weights(node: fx.Node) -> bool:
    home = str(getattr(node.target, "__module__", ""))
    if node.op != "call_function" or home.partition(".")[0] in ("torch", "_operator", "builtins", "math", ""):
        return False
    return any(read.op == "get_attr" and len(shape(read) or ()) > 1 for read in node.all_input_nodes)


def is_merged_or_activated(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node makes what `auto` calls a layer: an activation function, a concatenation or an addition.

    So does a module that is traced as a whole, and a step to a layer of tokens.
    """
    if kind(traced, node) in TOKENS:
        return True
    if kind(traced, node) is channels_first:
        return is_merged_or_activated(traced, node.all_input_nodes[0])
    called = operation(traced, node)
    if called.role == "addition":
        return all(map(is_variable, node.args[:2]))
    return called.is_activation or called.role == "concatenation" or _is_block(traced, node)


def _is_block(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node calls a module as a whole that is more than another kind of convolution or pool."""
    if kind(traced, node) is not Whole:
        return False
    whole = called_module(traced, node).module
    return not isinstance(whole, (*CONVOLUTIONS, nn.Linear, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d))


def is_piecewise_linear(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node is piecewise linear in its inputs, so that gradient × activation adds up around it.

    Nothing is said to be of a network that must see one photo at a time (`rows`).
    """
    if rows.is_one_at_a_time(traced) and is_variable(node):
        return False
    called = operation(traced, node)
    if called.role == "batch norm":
        return has_fixed_statistics(traced, node)
    if called.role in ("scaling", "division") or kind(traced, node) in _PRODUCTS:
        factors = [*node.args, *node.kwargs.values()]
        divisors = factors[1:] if called.role == "division" else []
        is_known = not any(isinstance(factor, list | tuple) for factor in factors)
        return is_known and sum(map(is_variable, factors)) <= 1 and not any(map(is_variable, divisors))
    return called.linear or node.op in ("placeholder", "output") or not is_variable(node)


def has_fixed_statistics(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a batch norm uses running statistics, not those of the photos at hand."""
    if node.op == "call_module":
        return getattr(called_module(traced, node), "running_mean", None) is not None
    given = dict(zip(("input", "running_mean", "running_var", "weight", "bias", "training"), node.args, strict=False))
    given |= node.kwargs
    varies = any(is_variable(value) for name, value in given.items() if name != "input")
    return given.get("running_mean") is not None and not varies and not given.get("training")


def is_variable(argument: object) -> bool:
    """Whether an argument changes with the image: it is a node, and not made of parameters alone."""
    return isinstance(argument, fx.Node) and depends_on_image(argument)


def is_channelwise(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether channel i of a node's output needs nothing but channel i of its first input."""
    called = operation(traced, node)
    if called.channelwise:
        return len(node.all_input_nodes) == 1  # not one that another node tells its size
    before, after = shape(node.args[0]) if node.args else None, shape(node)
    if not called.drops_space or before is None or after is None or len(before) != 4:
        return False
    drops = len(after) in (2, 4) and after[:2] == before[:2] and all(side == 1 for side in after[2:])
    return drops and (called.role == "reshape" or _averages_space(node))


def _averages_space(node: fx.Node) -> bool:
    """Whether a mean goes over rows and columns alone; shapes do not tell where there are as many as channels."""
    dims: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", ())
    given = dims if isinstance(dims, (tuple, list)) else (dims,)
    return bool(given) and all(isinstance(dim, int) and dim % 4 in (2, 3) for dim in given)


def shape(node: Any) -> tuple[int, ...] | None:
    """The shape that a node had in the example pass; `None` for what is no tensor."""
    return node.meta.get("shape") if isinstance(node, fx.Node) else None


def concatenated(traced: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, ...] | None:
    """The parts of a concatenation along the channels; `None` for any other operation."""
    if operation(traced, node).role != "concatenation":
        return None
    parts = node.args[0] if node.args else node.kwargs.get("tensors")
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
    if dim not in (1, -3) or not isinstance(parts, (list, tuple)):
        return None
    nodes = tuple(part for part in parts if isinstance(part, fx.Node))
    known = all(len(shape(part) or ()) == 4 for part in nodes)
    return nodes if known and len(nodes) == len(parts) else None


def run_node(
    traced: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], rectifier: Rectifier | None = None
) -> Any:
    """Run one node on the values of the nodes that it reads.

    Args:
        traced: the prepared network.
        node: the node.
        values: those of the nodes that it reads.
        rectifier: run in place of rectifiers that are flat below zero (relu, relu6); a cap is kept.
    """
    if rows.is_one_at_a_time(traced):
        return rows.run_by_rows(lambda row: _run_node(traced, node, row, rectifier), node, values)
    return _run_node(traced, node, values, rectifier)


def _run_node(traced: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], rectifier: Rectifier | None) -> Any:
    if node.op == "get_attr":
        return attrgetter(str(node.target))(traced)
    args = fx.node.map_arg(node.args, lambda read: values[read])
    kwargs = fx.node.map_arg(node.kwargs, lambda read: values[read])
    if rectifier is not None and (cap := operation(traced, node).cap) is not None:
        given: Any = args[0] if args else kwargs["input"]
        rectified = rectifier(given)
        return rectified if cap == inf else rectified.clamp(max=cap)
    if node.op == "call_module":
        return called_module(traced, node)(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)


def as_maps(tensor: Tensor) -> Tensor:
    """(N, C) as (N, C, 1, 1); (N, C, H, W) as it is."""
    return tensor[:, :, None, None] if tensor.dim() == 2 else tensor


def stored(node: fx.Node, activation: Tensor) -> Tensor:
    """A layer's activation, (N, C, H, W), as the graph has it: (N, C) of a fully connected one."""
    return activation.flatten(1) if len(shape(node) or ()) == 2 else activation
