"""Make a module safe and fast to explain: one fx graph, nothing in place, batch norm folded, frozen.

1. Trace the module with `torch.fx` in eval mode.
2. Undo in-place operations: modules (`nn.ReLU(inplace=True)`), functions (`F.relu(x, inplace=True)`), methods
   (`x.relu_()`) and operators (`x += y`). A later reader of the overwritten tensor is handed the new one.
3. Drop what does nothing in eval mode (dropout, identity).
4. Fold each batch norm into the convolution or linear layer that alone feeds it.
5. Freeze the parameters and lay them out channels last.
"""

import copy
import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from circuits.errors import InputError

_OUT_OF_PLACE: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
}
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_NOTHING = (nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Identity)


def prepare_module(module: nn.Module, *, name: str = "network") -> fx.GraphModule:
    """A frozen, side-effect free fx copy of a classifier with the same outputs.

    Args:
        module: any module that `torch.fx` can trace; it is copied, never changed.
        name: what errors call it.

    Returns:
        The rewritten graph module, in eval mode, float32, parameters frozen and channels last.

    Raises:
        InputError: if fx cannot trace the module; the sentence gives the reason that fx gives.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
        >>> [node.target for node in prepare_module(net).graph.nodes if node.op == "call_module"]
        ['0', '2']
    """
    original = copy.deepcopy(module).eval().float()
    try:
        traced = fx.symbolic_trace(original)
    except Exception as error:  # fx raises whatever the traced code raises
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise InputError(f"torch.fx cannot trace {name}: {reason}. Write that part without it.") from error
    undo_in_place(traced)
    drop_nothings(traced)
    fold_batch_norms(traced)
    traced.graph.eliminate_dead_code()
    traced.graph.lint()
    traced.recompile()
    traced.delete_all_unused_submodules()
    traced.requires_grad_(False)
    return traced.eval().to(memory_format=torch.channels_last)


def undo_in_place(traced: fx.GraphModule) -> None:
    """Rewrite every in-place operation of a traced module to its out-of-place twin, readers included.

    Example:
        >>> class Net(nn.Module):
        ...     def forward(self, x):
        ...         y = x + 1
        ...         y.relu_()
        ...         return y
        >>> traced = fx.symbolic_trace(Net())
        >>> undo_in_place(traced)
        >>> traced.recompile()
        >>> y = torch.tensor([-3.0, 1.0])
        >>> traced(y)
        tensor([0., 2.])
    """
    in_place = {name for name, module in traced.named_modules() if getattr(module, "inplace", False)}
    for name in in_place:
        setattr(traced.get_submodule(name), "inplace", False)  # noqa: B010  # not every module has the attribute
    for node in list(traced.graph.nodes):
        overwritten = _overwritten(node, in_place)
        if overwritten is not None:
            _hand_over(overwritten, node)


def _overwritten(node: fx.Node, in_place: set[str]) -> fx.Node | None:
    """Make one node out of place; the node whose tensor it used to overwrite, if it did."""
    first = node.args[0] if node.args else node.kwargs.get("input")
    changed = False
    if node.op == "call_module":
        changed = node.target in in_place
    elif node.op == "call_method" and str(node.target).endswith("_") and not str(node.target).endswith("__"):
        node.target = str(node.target).rstrip("_")
        changed = True
    elif node.op == "call_function" and node.target in _OUT_OF_PLACE:
        node.target = _OUT_OF_PLACE[node.target]
        changed = True
    elif node.op == "call_function":
        changed = _function_out_of_place(node)
    return first if changed and isinstance(first, fx.Node) else None


def _function_out_of_place(node: fx.Node) -> bool:
    assert callable(node.target)
    name = getattr(node.target, "__name__", "")
    if name.endswith("_") and not name.endswith("__"):
        twin = getattr(torch.nn.functional, name[:-1], None) or getattr(torch, name[:-1], None)
        if twin is not None:
            node.target = twin
            return True
    if node.kwargs.get("inplace"):
        node.kwargs = {**node.kwargs, "inplace": False}
        return True
    try:
        names = list(inspect.signature(node.target).parameters)
    except (TypeError, ValueError):
        return False
    at = names.index("inplace") if "inplace" in names else -1
    if 0 <= at < len(node.args) and node.args[at]:
        node.args = (*node.args[:at], False, *node.args[at + 1 :])
        return True
    return False


def _hand_over(old: fx.Node, new: fx.Node) -> None:
    """Whoever reads `old` after `new` was made meant the overwritten tensor."""
    order = {node: number for number, node in enumerate(new.graph.nodes)}
    for user in list(old.users):
        if user is not new and order[user] > order[new]:
            user.replace_input_with(old, new)


def drop_nothings(traced: fx.GraphModule) -> None:
    """Remove dropout and identity modules, which hand their input on in eval mode."""
    for node in list(traced.graph.nodes):
        if node.op == "call_module" and isinstance(traced.get_submodule(str(node.target)), _NOTHING):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


def fold_batch_norms(traced: fx.GraphModule) -> None:
    """Fold each eval-mode batch norm into the convolution or linear layer that alone feeds it.

    W' = W · γ / √(σ² + ε),   b' = (b − μ) · γ / √(σ² + ε) + β   (Ioffe & Szegedy 2015, section 3.1, at inference)
    """
    uses: dict[str, int] = {}
    for node in traced.graph.nodes:
        if node.op == "call_module":
            uses[str(node.target)] = uses.get(str(node.target), 0) + 1
    for node in list(traced.graph.nodes):
        if node.op != "call_module" or not isinstance(norm := traced.get_submodule(str(node.target)), _BATCH_NORMS):
            continue
        feeder = node.args[0]
        if not isinstance(feeder, fx.Node) or feeder.op != "call_module" or len(feeder.users) != 1:
            continue
        if uses[str(feeder.target)] != 1 or norm.running_var is None or norm.running_mean is None:
            continue
        below = traced.get_submodule(str(feeder.target))
        if type(below) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d):
            fused: nn.Module = fuse_conv_bn_eval(below, norm)
        elif type(below) is nn.Linear and isinstance(norm, nn.BatchNorm1d):
            fused = fuse_linear_bn_eval(below, norm)
        else:
            continue
        parent, _, leaf = str(feeder.target).rpartition(".")
        setattr(traced.get_submodule(parent), leaf, fused)
        node.replace_all_uses_with(feeder)
        traced.graph.erase_node(node)
