"""Make a module safe and fast to explain: one fx graph, nothing in place, batch norm folded, frozen.

1. Trace the module with `torch.fx` in eval mode (`symbolic`).
2. Drop what does nothing in eval mode (dropout, identity): it hands on the very tensor that it is given.
3. Undo in-place operations: modules (`nn.ReLU(inplace=True)`), functions (`F.relu(x, inplace=True)`), methods
   (`x.relu_()`) and operators (`x += y`). A later reader of the overwritten tensor is handed the new one.
4. Fold each batch norm into the convolution or linear layer that alone feeds it.
5. Freeze the parameters and lay them out channels last, and let `x.view(n, -1)`, which such tensors do not allow,
   be a reshape.

What a network puts out: which of its tensors is explained, and what stands between that and the logits.

1. Of several outputs (a tuple, a list, a dictionary) the first that can be logits, (N, classes), is explained; where
   none can, as in the backbone of a detector, the last that is a map, (N, C, H, W).
2. A softmax, log-softmax or sigmoid that ends the network is left out: it would share every class's value among all
   of them (softmax), or flatten it (sigmoid), and what argues for a class shows in its logit.
"""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from circuits.errors import InputError
from circuits.network import operations as ops
from circuits.network.fx import OUT_OF_PLACE, Whole, trace_module

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_NOTHING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
_SIZES = ("size", "dim", "numel", "ndimension", "shape", "ndim")


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
    original = copy.deepcopy(module).eval().float()
    traced = trace_module(original, name=name, leaf_modules=leaf_modules)
    _put_inputs_first(traced)
    drop_nothings(traced)
    undo_in_place(traced)
    _reshape_for_view(traced)
    fold_batch_norms(traced)
    traced.graph.eliminate_dead_code()
    traced.graph.lint()
    traced.recompile()
    traced.delete_all_unused_submodules()
    traced.requires_grad_(False)
    _lay_out(traced.eval())
    return traced


def _lay_out(traced: fx.GraphModule) -> None:
    """Channels last for all of four dimensions but what is traced as a whole, which may use `view`."""
    wholes = tuple(f"{name}." for name, module in traced.named_modules() if isinstance(module, Whole))
    for name, value in [*traced.named_parameters(), *traced.named_buffers()]:
        if value.dim() == 4 and not name.startswith(wholes):
            value.data = value.data.contiguous(memory_format=torch.channels_last)


def _put_inputs_first(traced: fx.GraphModule) -> None:
    """Write `relu(input=x)` as `relu(x)`, so that everyone finds the input in one place."""
    for node in traced.graph.nodes:
        if not node.args and "input" in node.kwargs and node.target is not torch.where:
            node.args = (node.kwargs["input"],)
            node.kwargs = {name: value for name, value in node.kwargs.items() if name != "input"}


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
        >>> _ = traced.recompile()
        >>> y = torch.tensor([-3.0, 1.0])
        >>> traced(y)
        tensor([0., 2.])
    """
    wholes = tuple(f"{name}." for name, module in traced.named_modules() if isinstance(module, Whole))
    in_place = {
        name
        for name, module in traced.named_modules()
        if getattr(module, "inplace", False) and not name.startswith(wholes)
    }
    for name in in_place:
        setattr(traced.get_submodule(name), "inplace", False)  # noqa: B010  # not every module has the attribute
    for node in list(traced.graph.nodes):
        overwritten = _overwritten(node, in_place)
        if overwritten is not None:
            _hand_over(overwritten, node)


def _overwritten(node: fx.Node, in_place: set[str]) -> fx.Node | None:
    """Make one node out of place; the node whose tensor it used to overwrite, if it did."""
    first = node.args[0] if node.args else None
    if isinstance(written := node.kwargs.get("out"), fx.Node):
        node.kwargs = {name: value for name, value in node.kwargs.items() if name != "out"}
        return written
    changed = False
    if node.op == "call_module":
        changed = node.target in in_place
    elif node.op == "call_method" and str(node.target).endswith("_") and not str(node.target).endswith("__"):
        node.target = str(node.target).rstrip("_")
        changed = True
    elif node.op == "call_function" and node.target in OUT_OF_PLACE:
        node.target = OUT_OF_PLACE[node.target]
        changed = True
    elif node.op == "call_function":
        changed = _function_out_of_place(node)
    return first if changed and isinstance(first, fx.Node) and not _is_size(first) else None


def _is_size(node: fx.Node) -> bool:
    """Whether a node is a number or a shape, which `+=` rebinds and never overwrites."""
    if node.op == "call_method":
        return node.target in _SIZES
    if node.target is getattr:
        return node.args[1] in _SIZES
    read = node.all_input_nodes
    return (
        node.op == "call_function"
        and getattr(node.target, "__module__", "") == "_operator"
        and all(map(_is_size, read))
    )


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
    for user in list(old.users):
        if user is not new and new < user:
            user.replace_input_with(old, new)


def _reshape_for_view(traced: fx.GraphModule) -> None:
    for node in traced.graph.nodes:
        if node.op == "call_method" and node.target in ("view", "view_as"):
            node.args, node.kwargs = (*node.args, *node.kwargs.values()), {}
            if not isinstance(node.args[-1], torch.dtype):
                node.target = node.target.replace("view", "reshape")


def drop_nothings(traced: fx.GraphModule) -> None:
    """Remove dropout and identity, modules and functions, which hand their input on in eval mode."""
    for node in list(traced.graph.nodes):
        module = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, _NOTHING) or _is_dropout_at_rest(node):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


def _is_dropout_at_rest(node: fx.Node) -> bool:
    if node.op != "call_function" or not callable(node.target):
        return False
    if not getattr(node.target, "__name__", "").endswith(("dropout", "dropout1d", "dropout2d", "stochastic_depth")):
        return False
    try:
        given = inspect.signature(node.target).bind(*node.args, **node.kwargs).arguments
    except (TypeError, ValueError):
        return False
    return given.get("training") is False


def _fits(below: nn.Linear, norm: nn.Module) -> bool:
    """Whether a norm may be folded into a linear layer: it goes over the features, not over tokens."""
    return isinstance(norm, nn.BatchNorm1d) and norm.affine and below.out_features == norm.num_features


def fold_batch_norms(traced: fx.GraphModule) -> None:
    """Fold each eval-mode batch norm into the convolution or linear layer that alone feeds it.

    W' = W · γ / √(σ² + ε),   b' = (b − μ) · γ / √(σ² + ε) + β   (Ioffe & Szegedy 2015, section 3.1, at inference)
    """
    uses: dict[str, int] = {}
    for node in traced.graph.nodes:
        if node.op in ("call_module", "get_attr"):  # a weight of a module may be read without calling the module
            path = str(node.target) if node.op == "call_module" else str(node.target).rpartition(".")[0]
            uses[path] = uses.get(path, 0) + 1
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
        elif type(below) is nn.Linear and _fits(below, norm):
            fused = fuse_linear_bn_eval(below, norm)
        else:
            continue
        parent, _, leaf = str(feeder.target).rpartition(".")
        setattr(traced.get_submodule(parent), leaf, fused)
        node.replace_all_uses_with(feeder)
        traced.graph.erase_node(node)


Head = Callable[[Tensor], Tensor]

_HEADS: Mapping[Any, str] = {
    **dict.fromkeys((nn.Softmax, F.softmax, torch.softmax, "softmax"), "softmax"),
    **dict.fromkeys((nn.LogSoftmax, F.log_softmax, torch.log_softmax, "log_softmax"), "log_softmax"),
    **dict.fromkeys((nn.Sigmoid, F.sigmoid, torch.sigmoid, "sigmoid"), "sigmoid"),
}
HEADS: Mapping[str, Head] = {
    "": lambda logits: logits,
    "softmax": lambda logits: logits.softmax(1),
    "log_softmax": lambda logits: logits.log_softmax(1),
    "sigmoid": torch.sigmoid,
}


def leaves(value: Any) -> list[Any]:
    """What lies in tuples, lists and dictionaries, in order.

    Example:
        >>> leaves({"a": 1, "b": (2, [3])})
        [1, 2, 3]
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def choose_output(traced: fx.GraphModule) -> int:
    """Have a traced network whose shapes were recorded put out the one tensor that is explained.

    Returns:
        Its place among all that was put out.

    Raises:
        InputError: if no output can be explained.
    """
    output = next(node for node in traced.graph.nodes if node.op == "output")
    shapes = [ops.shape(leaf) or () for leaf in leaves(output.args[0])]
    logits = [at for at, shape in enumerate(shapes) if _is_logits(shape)]
    maps = [at for at, shape in enumerate(shapes) if len(shape) == 4]
    if not logits and not maps:
        found = " and ".join(map(str, filter(None, shapes))) or "no tensor"
        raise InputError(
            f"The network's output is {found}: neither logits, (N, classes), nor a map, (N, C, H, W); wrap it so that "
            "it holds one of them, or give the part of it that does, such as the backbone of a detector."
        )
    chosen = logits[0] if logits else maps[-1]
    output.args = (leaves(output.args[0])[chosen],)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return chosen


def _is_logits(shape: tuple[int, ...]) -> bool:
    return len(shape) in (2, 4) and shape[2:] in ((), (1, 1))


def drop_head(traced: fx.GraphModule) -> str:
    """Have a traced network put out logits instead of the softmax, log-softmax or sigmoid of them.

    Returns:
        What was left out, a key of `HEADS`; empty if nothing was.

    Example:
        >>> traced = fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3), nn.LogSoftmax(dim=1)))
        >>> for node in traced.graph.nodes:
        ...     node.meta["shape"] = (1, 3)
        >>> drop_head(traced), [node.name for node in traced.graph.nodes]
        ('log_softmax', ['input_1', '_0', 'output'])
    """
    output = next(node for node in traced.graph.nodes if node.op == "output")
    last = output.args[0]
    head = _HEADS.get(ops.kind(traced, last), "")
    if not head or len(ops.shape(last) or ()) != 2:
        return ""
    output.args = (last.args[0],)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return head
