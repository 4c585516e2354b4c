"""Rewrite a module so that it is safe and fast to explain: one fx graph, nothing in place, batch norm folded, frozen.

1. Trace a plain copy of the module (`copying`) with `torch.fx` in eval mode (`network.fx`).
2. Remove what does nothing in eval mode (dropout, identity), as it returns its very input.
3. Undo in-place operations: modules (`nn.ReLU(inplace=True)`), functions (`F.relu(x, inplace=True)`), methods
   (`x.relu_()`) and operators (`x += y`). Later readers of the overwritten tensor, and of what shares its memory
   (`views`), read the new one.
4. Put instance norms of the same values and the right gradient in the place of torch's (`instance_norm`).
5. Compute once what depends on weights alone, and fold each batch norm into what feeds it (`fold`).
6. Put a faster local response normalisation of the same values in the place of torch's (`response_norm`).
7. Freeze the parameters and store them channels last, and make `x.view(n, -1)`, which such tensors do not allow, a
   reshape.
"""

import inspect
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network.copying import plain_copy
from circuits.network.dataflow import is_size
from circuits.network.fold import fold_batch_norms, fold_constants, make_modules
from circuits.network.fx import OUT_OF_PLACE, Overwritten, Whole, trace_module
from circuits.network.instance_norm import replace_instance_norms
from circuits.network.plain_modules import make_plain
from circuits.network.response_norm import ResponseNorm, local_response_norm
from circuits.network.views import replace_overwritten

_IDENTITIES = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)


def prepare_module(module: nn.Module, *, name: str = "network", leaf_modules: Sequence[str] = ()) -> fx.GraphModule:
    """A frozen, side-effect free fx copy of a classifier with the same outputs.

    Args:
        module: any module that `torch.fx` can trace; it is copied, never changed.
        name: what errors call it.
        leaf_modules: names of modules that are traced as wholes: called as they are, never looked into.

    Returns:
        The rewritten graph module, in eval mode, float32, parameters frozen and channels last.

    Raises:
        InputError: if fx cannot trace the module; the sentence gives the line that stops it, and the way out.
        UnknownError: if a name in `leaf_modules` is no module's.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
        >>> [node.target for node in prepare_module(net).graph.nodes if node.op == "call_module"]
        ['0', '2']
    """
    return rewrite_module(plain_copy(module, name=name).float(), name=name, leaf_modules=leaf_modules)


def rewrite_module(
    copied: nn.Module, *, name: str, leaf_modules: Sequence[str] = (), example: Tensor | None = None
) -> fx.GraphModule:
    """The same of a plain copy of a module, which becomes part of it; its code may look at the sizes of an example."""
    traced = trace_module(make_plain(copied), name=name, leaf_modules=leaf_modules, example=example)
    copied._modules.clear()  # the graph has what it needs of them, and weights that are folded into others can go
    _put_inputs_first(traced)
    _drop_identities(traced)
    undo_in_place(traced)
    _replace_view(traced)
    replace_instance_norms(traced)
    fold_constants(traced)
    make_modules(traced)
    fold_batch_norms(traced)
    _replace_response_norms(traced)
    traced.graph.eliminate_dead_code()
    traced.graph.lint()
    traced.recompile()
    traced.delete_all_unused_submodules()
    traced.requires_grad_(False)
    _store_channels_last(traced.eval())
    return traced


def _in_wholes(traced: fx.GraphModule) -> tuple[str, ...]:
    """Prefixes of the names of all that is inside of modules traced as wholes, which must not be changed."""
    return tuple(f"{name}." for name, module in traced.named_modules() if isinstance(module, Whole))


def _store_channels_last(traced: fx.GraphModule) -> None:
    wholes = _in_wholes(traced)
    for name, value in [*traced.named_parameters(), *traced.named_buffers()]:
        if value.dim() == 4 and not name.startswith(wholes):
            value.data = value.data.contiguous(memory_format=torch.channels_last)


def _put_inputs_first(traced: fx.GraphModule) -> None:
    """Write `relu(input=x)` as `relu(x)`, so that the input is always the first argument."""
    for node in traced.graph.nodes:
        if not node.args and "input" in node.kwargs and node.target is not torch.where:
            node.args = (node.kwargs["input"],)
            node.kwargs = {name: value for name, value in node.kwargs.items() if name != "input"}


def undo_in_place(traced: fx.GraphModule) -> None:
    """Rewrite every in-place operation of a traced module to its out-of-place twin, readers included.

    Whether there was any is noted as `overwrites` in its `meta`.

    Example:
        >>> class Net(nn.Module):
        ...     def forward(self, x):
        ...         y = x + 1
        ...         y.relu_()
        ...         return y
        >>> traced = fx.symbolic_trace(Net())
        >>> undo_in_place(traced)
        >>> _ = traced.recompile()
        >>> y = torch.tensor([-3.0, 1.0])
        >>> traced(y)
        tensor([0., 2.])
    """
    wholes = _in_wholes(traced)
    modules = {name: module for name, module in traced.named_modules() if getattr(module, "inplace", False)}
    in_place = {name for name in modules if not name.startswith(wholes)}
    for name in in_place:
        setattr(modules[name], "inplace", False)  # noqa: B010  # not every module has the attribute
    for node in list(traced.graph.nodes):
        overwritten = _make_out_of_place(node, in_place)
        if overwritten is not None:
            traced.meta["overwrites"] = True
            replace_overwritten(traced.graph, overwritten, node)


def _make_out_of_place(node: fx.Node, in_place: set[str]) -> fx.Node | None:
    """Make a node out of place, and return the node whose tensor it overwrote, if it did."""
    first = node.args[0] if node.args else None
    if isinstance(written := node.kwargs.get("out"), fx.Node):
        node.kwargs = {name: value for name, value in node.kwargs.items() if name != "out"}
        return written
    changed = False
    if node.op == "call_module":
        changed = node.target in in_place
    elif node.op == "call_method" and str(node.target).endswith("_") and not str(node.target).endswith("__"):
        if hasattr(Tensor, twin := str(node.target).rstrip("_")):
            node.target = twin
        else:
            node.op, node.target = "call_function", Overwritten(str(node.target))
        changed = True
    elif node.op == "call_function" and node.target in OUT_OF_PLACE:
        node.target = OUT_OF_PLACE[node.target]
        changed = True
    elif node.op == "call_function":
        changed = _function_out_of_place(node)
    return first if changed and isinstance(first, fx.Node) and not is_size(first) else None


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


def _replace_view(traced: fx.GraphModule) -> None:
    for node in traced.graph.nodes:
        if node.op == "call_method" and node.target in ("view", "view_as"):
            node.args, node.kwargs = (*node.args, *node.kwargs.values()), {}
            if not isinstance(node.args[-1], torch.dtype):
                node.target = node.target.replace("view", "reshape")


def _drop_identities(traced: fx.GraphModule) -> None:
    """Remove dropout and identity, modules and functions, which return their input in eval mode."""
    for node in list(traced.graph.nodes):
        module = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, _IDENTITIES) or _is_inactive_dropout(node):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


def _is_inactive_dropout(node: fx.Node) -> bool:
    if node.op != "call_function" or not callable(node.target):
        return False
    if not getattr(node.target, "__name__", "").endswith(("dropout", "dropout1d", "dropout2d", "stochastic_depth")):
        return False
    try:
        given = inspect.signature(node.target).bind(*node.args, **node.kwargs).arguments
    except (TypeError, ValueError):
        return False
    return given.get("training") is False


def _replace_response_norms(traced: fx.GraphModule) -> None:
    for node in traced.graph.nodes:
        if node.target is F.local_response_norm:
            node.target = local_response_norm
        elif node.op == "call_module" and type(norm := traced.get_submodule(node.target)) is nn.LocalResponseNorm:
            traced.set_submodule(node.target, ResponseNorm(norm.size, norm.alpha, norm.beta, norm.k))
