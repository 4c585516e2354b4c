"""How single nodes treat channels and positions, so that a segment is cut to some channels and passed back fast."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from circuits.network import operations as ops


def per_channel(traced: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """What a node reads, if it makes channel i of that alone and of parameters of the channel's own; else `None`.

    So do a batch norm that is not folded, a depthwise convolution, and a product with a number.
    """
    first = node.args[0] if node.args else None
    before, after = ops.shape(first), ops.shape(node)
    if node.op == "call_module" and isinstance(first, fx.Node) and before and after and before[1] == after[1]:
        module = ops.called_module(traced, node)
        norms = isinstance(module, nn.BatchNorm2d) and ops.has_fixed_statistics(traced, node)
        # Of one channel, it is a row, as any other that is not in groups (`row_layer`).
        is_depthwise = has_plain_padding(module) and module.groups == after[1] != 1
        return first if norms or is_depthwise else None
    if ops.operation(traced, node).role != "scaling" or node.kwargs or not after or len(after) != 4:
        return None
    maps = [read for read in node.all_input_nodes if read.op != "get_attr"]
    factors = [read for read in node.all_input_nodes if read.op == "get_attr"]
    alike = len(maps) == 1 and ops.shape(maps[0]) == after and sum(side in maps for side in node.args) == 1
    return maps[0] if alike and all((ops.shape(read) or ())[-3:] == (after[1], 1, 1) for read in factors) else None


def has_plain_padding(module: nn.Module) -> bool:
    """Whether a module is a convolution in two dimensions, with a known number of zeros around."""
    return type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)


def is_pointwise(module: nn.Module) -> bool:
    """Whether a module is a convolution that looks at one position at a time, all channels together."""
    plain = isinstance(module, nn.Conv2d) and has_plain_padding(module) and module.groups == 1
    return plain and module.kernel_size == (1, 1) and module.padding == (0, 0)


def is_on_last(module: nn.Module, source: fx.Node) -> bool:
    """Whether a linear layer reads maps, whose last dimension it takes for their channels."""
    return isinstance(module, nn.Linear) and len(ops.shape(source) or ()) == 4


def permuted(traced: fx.GraphModule, node: fx.Node) -> tuple[int, ...] | None:
    """The order in which a node puts the dimensions of a map, the photo first as before; `None` if it does not."""
    called = ops.kind(traced, node)
    if called in (ops.channels_first, ops.channels_last):
        return (0, 3, 1, 2) if called is ops.channels_first else (0, 2, 3, 1)
    if called not in (torch.permute, "permute") or node.kwargs or len(ops.shape(node) or ()) != 4:
        return None
    given: Any = node.args[1] if len(node.args) == 2 else node.args[1:]
    dims = tuple(dim % 4 for dim in given)
    return dims if dims[0] == 0 else None


def row_layer(traced: fx.GraphModule, node: fx.Node) -> tuple[nn.Conv2d | nn.Linear, fx.Node] | None:
    """The convolution or linear layer of whose weight a node's channels are the rows, and what it reads; else `None`.

    A linear layer on maps whose channels come last is one with the step that puts them first.
    """
    if permuted(traced, node) == (0, 3, 1, 2):
        node = node.all_input_nodes[0]
        is_last, dims = True, 4
    else:
        is_last, dims = False, 2
    if node.op != "call_module" or not isinstance(node.args[0], fx.Node):
        return None
    module = ops.called_module(traced, node)
    if isinstance(module, nn.Linear):
        return (module, node.args[0]) if len(ops.shape(node) or ()) == dims else None
    if type(module) is nn.Conv2d and module.groups == 1 and module.padding_mode == "zeros" and not is_last:
        return module, node.args[0]
    return None


def slope_of(traced: fx.GraphModule, node: fx.Node, values: Mapping[fx.Node, Any], read: fx.Node) -> Tensor | None:
    """How fast each number that a node makes changes with the number in its place of one that it reads, (1, …).

    `None` if the node is not elementwise in that.
    """
    if ops.operation(traced, node).reach != "elementwise" or ops.shape(read) != ops.shape(node):
        return None
    if node.op == "call_module" and isinstance(norm := ops.called_module(traced, node), nn.BatchNorm2d):
        assert norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
        return scale[:, None, None]
    with torch.enable_grad():
        point = values[read].detach().requires_grad_()
        made = ops.run_node(traced, node, {**values, read: point})
        found: Tensor = torch.autograd.grad(made.sum(), point, materialize_grads=True)[0]
    return found
