"""What the nodes of an fx graph do: mixing, rectifying, merging; piecewise linear or not; channel by channel or not."""

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network.fx import Whole

Target = Any  # a module's class, a function, or a method's name
Rectifier = Callable[[Tensor], Tensor]
"""Run in place of max(x, 0), with the same values; its gradient may be another."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
MIXING: frozenset[Target] = frozenset(
    {*CONVOLUTIONS, nn.Linear, nn.Bilinear, nn.MultiheadAttention, F.conv1d, F.conv2d, F.conv_transpose2d, F.linear}
    | {torch.conv2d, torch.matmul, torch.bmm, torch.einsum, operator.matmul, "matmul", "bmm"}
)
RECTIFIERS: frozenset[Target] = frozenset(
    {nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Hardtanh, F.relu, F.relu6, F.leaky_relu, F.hardtanh, torch.relu}
    | {"relu"}
)
# Zero below zero, and with a cap above, or none.
_FLAT_RECTIFIERS: Mapping[Target, float | None] = MappingProxyType(
    {nn.ReLU: None, F.relu: None, torch.relu: None, "relu": None, nn.ReLU6: 6.0, F.relu6: 6.0}
)
SMOOTH_ACTIVATIONS: frozenset[Target] = frozenset(
    {nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus, nn.Tanh, nn.Sigmoid}
    | {F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.hardswish, F.softplus, F.tanh, torch.tanh, torch.sigmoid}
    | {nn.Hardsigmoid, F.hardsigmoid, F.sigmoid, "tanh", "sigmoid"}
)
ACTIVATIONS = RECTIFIERS | SMOOTH_ACTIVATIONS
CONCATENATIONS: frozenset[Target] = frozenset({torch.cat, torch.concat, torch.concatenate})
ADDITIONS: frozenset[Target] = frozenset({operator.add, torch.add, "add"})
POOLS: frozenset[Target] = frozenset(
    {nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, F.max_pool2d, torch.max_pool2d}
    | {F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d}
)


def channels_first(x: Tensor) -> Tensor:
    """(N, H, W, C) as (N, C, H, W), without a copy."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """(N, C, H, W) as (N, H, W, C), without a copy."""
    return x.permute(0, 2, 3, 1)


RESHAPES: frozenset[Target] = frozenset(
    {nn.Flatten, nn.Unflatten, torch.flatten, torch.squeeze, torch.unsqueeze, torch.reshape, torch.permute}
    | {channels_first, channels_last, torch.swapaxes, "swapaxes"}
    | {torch.transpose, "flatten", "view", "reshape", "squeeze", "unsqueeze", "permute", "transpose", "contiguous"}
)
BATCH_NORMS: frozenset[Target] = frozenset({nn.BatchNorm1d, nn.BatchNorm2d})
# Not a change of the numbers, whether or not the graph still holds them.
_PASSING: frozenset[Target] = frozenset(
    {nn.Dropout, nn.Dropout2d, nn.Identity, F.dropout, F.dropout2d, F.alpha_dropout, getattr, operator.getitem}
    | {"size", "dim", "float", "to", "chunk", "split", torch.chunk, torch.split}
)
_LINEAR_OTHERS: frozenset[Target] = frozenset(
    {operator.sub, torch.sub, "sub", operator.neg, torch.neg, "mean", torch.mean, "sum", torch.sum, F.pad, nn.ZeroPad2d}
    | {nn.Upsample, F.interpolate, nn.ChannelShuffle, F.channel_shuffle, nn.PixelShuffle, nn.PixelUnshuffle}
    | {torch.maximum, torch.minimum, torch.abs, "abs", operator.floordiv, torch.stack}
)
_LINEAR_MIXING: frozenset[Target] = frozenset(
    {*CONVOLUTIONS, nn.Linear, F.conv1d, F.conv2d, F.conv_transpose2d, F.linear, torch.conv2d}
)
_PIECEWISE_LINEAR = (
    _LINEAR_MIXING
    | RECTIFIERS
    | CONCATENATIONS
    | ADDITIONS
    | POOLS
    | RESHAPES
    | BATCH_NORMS
    | _PASSING
    | _LINEAR_OTHERS
)
_DIVISIONS: frozenset[Target] = frozenset({operator.truediv, torch.div, "div"})
_LINEAR_BY_A_CONSTANT: frozenset[Target] = frozenset({operator.mul, torch.mul, "mul"}) | _DIVISIONS
_CHANNELWISE = ACTIVATIONS | POOLS | frozenset({nn.Dropout, nn.Dropout2d, nn.Identity, F.dropout, F.dropout2d})


def called_module(traced: fx.GraphModule, node: fx.Node) -> nn.Module:
    """The module that a `call_module` node calls; looked up once, because a path takes long to walk."""
    known = node.meta.get("called_module")
    if known is None or known[0] is not traced:
        known = node.meta["called_module"] = (traced, traced.get_submodule(str(node.target)))
    module: nn.Module = known[1]
    return module


def kind(traced: fx.GraphModule, node: fx.Node) -> Target:
    """What a node calls: a module's class, a function, or a method's name; its op where it calls nothing."""
    if node.op == "call_module":
        return type(called_module(traced, node))
    if node.op in ("call_function", "call_method"):
        return node.target
    return node.op


def is_mixing(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node mixes channels with learned weights: a convolution, a linear layer, a product of matrices.

    A module traced as a whole mixes if one of its parts does, and a function from elsewhere than torch, such as a
    window attention of torchvision, if it is handed a matrix of weights.
    """
    found = kind(traced, node)
    if found is Whole:
        return any(type(part) in MIXING for part in called_module(traced, node).modules())
    return found in MIXING or _is_handed_weights(node)


def _is_handed_weights(node: fx.Node) -> bool:
    home = str(getattr(node.target, "__module__", ""))
    if node.op != "call_function" or home.partition(".")[0] in ("torch", "_operator", "builtins", "math", ""):
        return False
    return any(read.op == "get_attr" and len(shape(read) or ()) > 1 for read in node.all_input_nodes)


def is_merged_or_activated(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node makes what `auto` calls a layer: an activation function, a concatenation or an addition.

    So does a module that is traced as a whole.
    """
    found = kind(traced, node)
    if found is channels_first:
        return is_merged_or_activated(traced, node.all_input_nodes[0])
    if found in ADDITIONS:
        return all(isinstance(argument, fx.Node) for argument in node.args[:2])
    return found in ACTIVATIONS or found in CONCATENATIONS or _is_block(traced, node)


def _is_block(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node calls a module as a whole that is more than another kind of convolution or pool."""
    if kind(traced, node) is not Whole:
        return False
    whole = called_module(traced, node).module
    return not isinstance(whole, (*CONVOLUTIONS, nn.Linear, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d))


def is_piecewise_linear(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node is piecewise linear in its inputs, so that gradient × activation adds up around it."""
    found = kind(traced, node)
    if found in _LINEAR_BY_A_CONSTANT:
        factors = [*node.args, *node.kwargs.values()]
        divisors = factors[1:] if found in _DIVISIONS else []
        return sum(map(_is_variable, factors)) <= 1 and not any(map(_is_variable, divisors))
    return found in _PIECEWISE_LINEAR or node.op in ("placeholder", "output") or not _is_variable(node)


def _is_variable(argument: object) -> bool:
    """Whether an argument changes with the image: it is a node, and not made of parameters alone."""
    waiting = [argument] if isinstance(argument, fx.Node) else []
    seen: set[fx.Node] = set()
    while waiting:
        node = waiting.pop()
        if node.op == "placeholder":
            return True
        waiting.extend(read for read in node.all_input_nodes if read not in seen)
        seen.update(node.all_input_nodes)
    return False


def is_channelwise(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether channel i of a node's output needs nothing but channel i of its first input."""
    found = kind(traced, node)
    if found in _CHANNELWISE and found is not nn.PReLU:
        return len(node.all_input_nodes) == 1  # not one that another node tells its size
    if found in (torch.flatten, nn.Flatten, "flatten", "mean", torch.mean):
        before, after = shape(node.args[0]), shape(node)
        drops = before is not None and after is not None and len(before) == 4 and _drops_space(before, after)
        return drops and (found not in ("mean", torch.mean) or _averages_space(node))
    return False


def _averages_space(node: fx.Node) -> bool:
    """Whether a mean goes over rows and columns alone; shapes do not tell where there are as many as channels."""
    dims: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", ())
    given = dims if isinstance(dims, (tuple, list)) else (dims,)
    return bool(given) and all(isinstance(dim, int) and dim % 4 in (2, 3) for dim in given)


def _drops_space(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    return after[:2] == before[:2] and all(side == 1 for side in after[2:]) and (len(after) == 4 or len(after) == 2)


def shape(node: Any) -> tuple[int, ...] | None:
    """The shape that a node had in the example pass; `None` for what is no tensor."""
    return node.meta.get("shape") if isinstance(node, fx.Node) else None


def channels_at(traced: fx.GraphModule, node: fx.Node) -> int:
    """The dimension that a node's channels lie along; 0 where they were mixed up with positions.

    It is 1, unless the tensor was permuted, or a linear layer acts on the last dimension.
    """
    found, dims = kind(traced, node), len(shape(node) or ())
    if found in (channels_first, channels_last):
        return 1 if found is channels_first else 3
    if found in (nn.Linear, F.linear):
        return dims - 1
    if found in CONVOLUTIONS or dims <= 2:
        return 1
    reads = [_before_splitting(node.args[0])] if found is operator.getitem else node.all_input_nodes
    inputs = [read for read in reads if shape(read) and _is_variable(read)]
    same = [read for read in inputs if len(shape(read) or ()) == dims]
    if not same:
        return _after_reshape(inputs[0], node) if len(inputs) == 1 and found in RESHAPES else 1
    before: int = same[0].meta["channels_at"]
    given: list[Any] = [*node.args[1:], *node.kwargs.values()]
    if found in (torch.permute, "permute"):
        order = given[0] if isinstance(given[0], (tuple, list)) else given
        return [place % dims for place in order].index(before)
    if found in (torch.transpose, "transpose", torch.swapaxes, "swapaxes"):
        one, two = (int(place) % dims for place in given)
        return two if before == one else one if before == two else before
    return before


def _before_splitting(node: Any) -> fx.Node:
    """The tensor that a tuple of tensors, such as the chunks of one, was made from."""
    while shape(node) is None and node.all_input_nodes:
        node = node.all_input_nodes[0]
    found: fx.Node = node
    return found


def _after_reshape(read: fx.Node, node: fx.Node) -> int:
    """Where channels are after a reshape to another number of dimensions, which must leave them whole."""
    old, new, before = shape(read) or (), shape(node) or (), read.meta["channels_at"]
    is_kept = before == 1 and old[:2] == new[:2]
    is_regrouped = 0 < before < len(old) - 2 and old[-2:] == new[-2:]  # as for a shuffle of channels
    if is_kept or is_regrouped:
        return 1
    return len(new) - 1 if before == len(old) - 1 and old[-1] == new[-1] else 0


def concatenated(node: fx.Node) -> tuple[fx.Node, ...] | None:
    """The parts of a concatenation along the channels; `None` if it goes along another dimension."""
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
    if node.op == "get_attr":
        found: Any = traced
        for part in str(node.target).split("."):
            found = getattr(found, part)
        return found
    args = fx.node.map_arg(node.args, lambda read: values[read])
    kwargs = fx.node.map_arg(node.kwargs, lambda read: values[read])
    if rectifier is not None and (found := kind(traced, node)) in _FLAT_RECTIFIERS:
        given: Any = args[0] if args else kwargs["input"]
        rectified = rectifier(given)
        cap = _FLAT_RECTIFIERS[found]
        return rectified if cap is None else rectified.clamp(max=cap)
    if node.op == "call_module":
        return called_module(traced, node)(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)


def as_maps(tensor: Tensor) -> Tensor:
    """(N, C) as (N, C, 1, 1); (N, C, H, W) as it is."""
    return tensor[:, :, None, None] if tensor.dim() == 2 else tensor
