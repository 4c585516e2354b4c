"""What a graph computes of its weights alone is computed once, and a batch norm becomes part of what feeds it.

1. What reads nothing but weights, such as a weight that is standardised in every pass, becomes a buffer.
2. A convolution or linear layer that is called as a function, with weights of the graph, becomes a module.
3. Each batch norm, a module or a function, is folded into the convolution or linear layer that alone feeds it.
"""

from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from circuits.network import operations as ops

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)
_ARGUMENTS = {
    F.conv2d: ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    F.linear: ("input", "weight", "bias"),
    F.batch_norm: ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
}
_NUMBERS = (int, float, str, torch.dtype)


def fold_constants(traced: fx.GraphModule) -> None:
    """Compute once what depends on weights alone: a tensor becomes a buffer, a size or another number a number.

    Example:
        >>> class Centred(nn.Conv2d):
        ...     def forward(self, x):
        ...         return F.conv2d(x, self.weight - self.weight.mean(), self.bias)
        >>> traced = fx.symbolic_trace(nn.Sequential(Centred(3, 4, 1)))
        >>> fold_constants(traced)
        >>> [node.name for node in traced.graph.nodes]
        ['input_1', 'sub_constant', '_0_bias', 'conv2d', 'output']
    """
    values: dict[fx.Node, Any] = {}
    for node in traced.graph.nodes:
        reads = node.all_input_nodes
        if node.op == "get_attr" or (node.op != "output" and reads and all(read in values for read in reads)):
            with torch.no_grad():
                values[node] = ops.run_node(traced, node, values)
    made: dict[fx.Node, Any] = {}
    for node in traced.graph.nodes:
        if node not in values:
            for read in node.all_input_nodes:
                if read in values and read.op != "get_attr" and read not in made:
                    made[read] = _constant(traced, read, values[read])
            node.args, node.kwargs = (
                fx.node.map_arg(each, lambda read: made.get(read, read)) for each in (node.args, node.kwargs)
            )
    traced.graph.eliminate_dead_code()


def _constant(traced: fx.GraphModule, node: fx.Node, value: Any) -> Any:
    """What takes the place of a node in the arguments of others; itself, if its value can be no argument."""
    if isinstance(value, Tensor):
        name = f"{node.name}_constant"
        traced.register_buffer(name, value.detach())
        with traced.graph.inserting_before(node):
            return traced.graph.get_attr(name)
    is_plain = isinstance(value, _NUMBERS) or (
        isinstance(value, tuple | list) and all(isinstance(each, _NUMBERS) for each in value)
    )
    return (tuple(value) if isinstance(value, torch.Size) else value) if is_plain else node


def make_modules(traced: fx.GraphModule) -> None:
    """Turn `F.conv2d(x, weight, …)` and `F.linear(x, weight, …)` with weights of the graph into calls of modules.

    Layers have the names that they have without such modules (`IS_FUNCTION`).
    """
    for node in list(traced.graph.nodes):
        given = _given(traced, node, ("weight", "bias"))
        if given is None or node.target not in (F.conv2d, F.linear):
            continue
        weight, bias = given["weight"], given.get("bias")
        if weight.dim() != (4 if node.target is F.conv2d else 2):
            continue
        if node.target is F.linear:
            module: nn.Module = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        else:
            geometry = {name: given[name] for name in ("stride", "padding", "dilation") if name in given}
            module = nn.Conv2d(
                weight.shape[1] * given.get("groups", 1), weight.shape[0], tuple(weight.shape[2:]),
                **{name: _both(value) for name, value in geometry.items()},
                groups=given.get("groups", 1), bias=bias is not None, device="meta",
            )  # fmt: skip
        module.weight = nn.Parameter(weight.detach(), requires_grad=False)
        if bias is not None:
            module.bias = nn.Parameter(bias.detach(), requires_grad=False)
        name = node.name
        while hasattr(traced, name):
            name += "_"
        traced.add_module(name, module.eval())
        node.op, node.target, node.args, node.kwargs = "call_module", name, (given["input"],), {}
        node.meta[ops.IS_FUNCTION] = True
    traced.graph.eliminate_dead_code()


def _both(value: Any) -> Any:
    """A setting of a convolution for rows and columns; a word as it is."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(value) if len(tuple(value)) > 1 else tuple(value) * 2
    return value


def _given(traced: fx.GraphModule, node: fx.Node, weights: tuple[str, ...]) -> dict[str, Any] | None:
    """The arguments of a function of `_ARGUMENTS` by name, those that are weights as tensors.

    `None` for any other node, and where a weight is no tensor of the graph or another argument is not fixed.
    """
    if node.op != "call_function" or node.target not in _ARGUMENTS:
        return None
    given: dict[str, Any] = dict(zip(_ARGUMENTS[node.target], node.args, strict=False)) | node.kwargs
    for name, value in given.items():
        if name in weights and isinstance(value, fx.Node) and value.op == "get_attr":
            given[name] = attrgetter(str(value.target))(traced)
        elif isinstance(value, fx.Node) != (name == "input"):
            return None
    return given if all(isinstance(given.get(name), Tensor | None) for name in weights) else None


def fold_batch_norms(traced: fx.GraphModule) -> None:
    """Fold each eval-mode batch norm into the convolution or linear layer that alone feeds it.

    W' = W · γ / √(σ² + ε),   b' = (b − μ) · γ / √(σ² + ε) + β   (Ioffe & Szegedy 2015, section 3.1, at inference)
    """
    uses: Counter[str] = Counter()
    for node in traced.graph.nodes:
        if node.op in ("call_module", "get_attr"):  # a weight of a module may be read without calling the module
            uses[str(node.target) if node.op == "call_module" else str(node.target).rpartition(".")[0]] += 1
    for node in list(traced.graph.nodes):
        feeder = node.args[0] if node.args else None
        if not isinstance(feeder, fx.Node) or feeder.op != "call_module" or len(feeder.users) != 1:
            continue
        below = traced.get_submodule(str(feeder.target))
        norm = _batch_norm(traced, node, below) if uses[str(feeder.target)] == 1 else None
        if type(below) is nn.Conv2d and isinstance(norm, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            fused: nn.Module = fuse_conv_bn_eval(below, norm)
        elif type(below) is nn.Linear and isinstance(norm, nn.BatchNorm1d) and _normalises_features(below, norm):
            fused = fuse_linear_bn_eval(below, norm)
        else:
            continue
        traced.set_submodule(str(feeder.target), fused)
        node.replace_all_uses_with(feeder)
        traced.graph.erase_node(node)


def _batch_norm(traced: fx.GraphModule, node: fx.Node, below: nn.Module) -> nn.Module | None:
    """The batch norm that a node calls, with running statistics; one made of its arguments, if it is a function."""
    if node.op == "call_module":
        norm = traced.get_submodule(str(node.target))
        is_fixed = isinstance(norm, _BATCH_NORMS) and norm.running_var is not None and norm.running_mean is not None
        return norm if is_fixed else None
    given = _given(traced, node, ("running_mean", "running_var", "weight", "bias"))
    if given is None or node.target is not F.batch_norm or given.get("training"):
        return None
    mean, variance = given["running_mean"], given["running_var"]
    if mean is None or variance is None:
        return None
    kind = nn.BatchNorm2d if type(below) is nn.Conv2d else nn.BatchNorm1d
    made = kind(len(mean), given.get("eps", 1e-5)).eval()
    values = {"running_mean": mean, "running_var": variance, "weight": given.get("weight"), "bias": given.get("bias")}
    made.load_state_dict({name: value for name, value in values.items() if value is not None}, strict=False)
    return made


def _normalises_features(below: nn.Linear, norm: nn.BatchNorm1d) -> bool:
    """Whether a norm goes over the features of a linear layer, not over tokens."""
    return norm.affine and below.out_features == norm.num_features
