"""Run a convolution or linear layer with a weight of one's own, the module's being everybody's."""

import copy
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network import operations as ops
from circuits.network.fx import Whole

_FUNCTIONS = (F.conv2d, torch.conv2d, F.linear)
_CLOSE = 1e-4


def weight_of(traced: fx.GraphModule, node: fx.Node) -> Tensor | None:
    """The weight of a convolution or linear layer, (rows, columns, …), if its output is bilinear in that and its input.

    `None` of other nodes, and of a convolution that standardises its weight or does what else it likes with it.
    """
    if (given := _weight_node(node)) is not None:
        value = ops.run_node(traced, given, {})
        return value if isinstance(value, Tensor) else None
    module = _module(traced, node)
    return None if module is None or not _is_bilinear(node, module) else module.weight


def run_with_weight(traced: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], weight: Tensor) -> Any:
    """Run such a node on the values that it reads, with another weight."""
    if (given := _weight_node(node)) is not None:
        return ops.run_node(traced, node, {**values, given: weight})
    module = _module(traced, node)
    assert module is not None
    return _with_weight(module, weight)(values[node.all_input_nodes[0]])


def _weight_node(node: fx.Node) -> fx.Node | None:
    """Where a convolution that is called as a function reads its weight, if that is a parameter."""
    if node.op != "call_function" or node.target not in _FUNCTIONS:
        return None
    given = node.args[1] if len(node.args) > 1 else node.kwargs.get("weight")
    return given if isinstance(given, fx.Node) and given.op == "get_attr" else None


def _module(traced: fx.GraphModule, node: fx.Node) -> nn.Conv2d | nn.Linear | None:
    if node.op != "call_module" or len(node.all_input_nodes) != 1:
        return None
    module = ops.called_module(traced, node)
    module = module.module if isinstance(module, Whole) else module
    return module if isinstance(module, (nn.Conv2d, nn.Linear)) else None


def _with_weight(module: nn.Module, weight: Tensor) -> nn.Module:
    """A copy of a module that shares everything with it but its weight."""
    copied = copy.copy(module)
    copied.__dict__["_parameters"] = {**module._parameters, "weight": weight}
    return copied


def _is_bilinear(node: fx.Node, module: nn.Conv2d | nn.Linear) -> bool:
    """Whether twice the weight, or twice the input, gives twice the output, less the bias; of torch's own, yes."""
    if type(module).forward in (nn.Conv2d.forward, nn.Linear.forward):
        return True
    if "is_bilinear" not in node.meta:
        shape = ops.shape(node.all_input_nodes[0]) or ()
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(module.weight)
        zero, weight = torch.zeros_like(x), module.weight.detach()
        with torch.no_grad():
            once, bias = module(x), _with_weight(module, torch.zeros_like(weight))(x)
            twice = _with_weight(module, 2 * weight)(x) - bias, module(2 * x) - module(zero)
            node.meta["is_bilinear"] = all(_is_close(each, 2 * (once - bias)) for each in twice)
    return bool(node.meta["is_bilinear"])


def _is_close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= _CLOSE * other.abs().max())
