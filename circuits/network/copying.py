"""A plain copy of a user's module: without wrappers, hooks and pruning masks; theirs stays as it is.

1. Wrappers that only run their module elsewhere come off, wherever they are: `nn.DataParallel`,
   `DistributedDataParallel`, and what `torch.compile` returns.
2. Everything else is deep-copied: results that the module has kept (`self.features = …`) without the graph that made
   them, and attributes that nobody can copy, such as a lock or an open file, are shared with the original.
3. Hooks are left behind, but for those of torch that make a weight (pruning, weight and spectral norm) and those of
   lazy modules, which go when the first example arrives. The weights are evaluated, and those hooks go too. What hooks
   of training for quantisation round becomes part of `forward`.
4. A `forward` that was replaced on the object stays, and calls the copies of the modules that it called.
"""

import copy
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.ao.quantization import FakeQuantizeBase
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, is_lazy
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from circuits.errors import InputError

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_WEIGHT_HOOKS = (BasePruningMethod, SpectralNorm, WeightNorm)
_HOOKS = tuple(name for name in vars(nn.Module()) if "_hooks" in name)
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_QUANTIZED = (".quantized.", "torchao.", "bitsandbytes.")


def plain_copy(module: nn.Module, *, name: str = "network") -> nn.Module:
    """A copy on the CPU in eval mode, with the types of its weights as they are.

    Args:
        module: any module; it is never changed.
        name: what errors call it.

    Raises:
        InputError: if its code cannot be followed (TorchScript, `torch.export`), it is quantised, or cannot be copied.

    Example:
        >>> layer = nn.utils.prune.identity(nn.Linear(2, 3), "weight")
        >>> _ = layer.register_forward_hook(print)
        >>> copied = plain_copy(nn.DataParallel(nn.Sequential(layer)))
        >>> type(copied).__name__, len(copied[0]._forward_hooks), sorted(dict(copied.named_parameters()))
        ('Sequential', 0, ['0.bias', '0.weight'])
    """
    module = unwrapped(module)
    _refuse(module, name)
    copied = copy_of(module, name=name, unwrap=True)
    _make_weights(copied)
    for part in copied.modules():  # of training with fake quantisation, which goes on to change its scale
        if callable(stop := getattr(part, "disable_observer", None)):
            stop()
    return copied if has_lazy(copied) else copied.cpu().requires_grad_(False)


def copy_of(module: nn.Module, *, name: str = "network", unwrap: bool = False) -> nn.Module:
    """A copy in eval mode without hooks but for those that rename weights, that takes a file of the original's weights.

    Args:
        module: any module; it is never changed.
        name: what errors call it.
        unwrap: whether wrappers come off inside of it.

    Raises:
        InputError: if it cannot be copied.
    """
    try:
        try:
            return _copied(module, {}, unwrap).eval()
        except Exception:
            return _copied(module, dict(_uncopyable(module)), unwrap).eval()
    except Exception as error:  # the user's own classes may say how they are copied
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(f"{name} cannot be copied, which explaining it needs: {reason}.") from error


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside of wrappers that only run it elsewhere, or faster."""
    while (inner := _inner(module)) is not None:
        module = inner
    return module


def _inner(module: nn.Module) -> nn.Module | None:
    if isinstance(module, _WRAPPERS):
        return cast(nn.Module, module.module)
    return cast(nn.Module, module._orig_mod) if type(module).__name__ == "OptimizedModule" else None


def has_lazy(module: nn.Module) -> bool:
    """Whether some weights of a module are not made before it has seen an example."""
    return any(is_lazy(value) for value in [*module.parameters(), *module.buffers()])


def _refuse(module: nn.Module, name: str) -> None:
    """Refuse what could be copied but never explained."""
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            f"{name} is TorchScript, whose code cannot be followed; give the Python class that it was made from, with "
            "its weights (the state dict)."
        )
    nodes = module.graph.nodes if isinstance(module, fx.GraphModule) else ()
    if any(isinstance(node.target, torch._ops.OpOverload) for node in nodes):
        raise InputError(
            f"{name} is a program of torch.export, whose layers are taken apart; give the module that it was made from."
        )
    for path, part in module.named_modules():
        if any(sign in f"{type(part).__module__}." for sign in _QUANTIZED) or any(
            not (value.is_floating_point() or value.is_complex()) for value in part.parameters(recurse=False)
        ):
            where = f" ({path} is a {type(part).__name__})" if path else ""
            raise InputError(
                f"{name} is quantised{where}, and steps of whole numbers have no gradient; give the network as it was "
                "before, with its weights as floating point numbers."
            )
        if any(value.is_meta for value in part.parameters(recurse=False)):
            raise InputError(f"{name} has no weights: those of {path or 'it'} are on the meta device; load them first.")


class _KeptResults(TorchFunctionMode):
    """Copies what torch refuses to copy: results, without the graph that made them, and buffers of lazy modules."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__deepcopy__:
            given, memo = args
            if isinstance(given, UninitializedBuffer):
                return memo.setdefault(id(given), UninitializedBuffer(False, given.device, given.dtype))  # type: ignore[arg-type]  # its stub is a tensor's
            if not is_lazy(given) and not given.is_leaf:
                return memo.setdefault(id(given), given.detach().clone())
        return func(*args, **(kwargs or {}))


def _copied(module: nn.Module, memo: dict[int, Any], unwrap: bool) -> nn.Module:
    """A deep copy; what stands in `memo` under an object's id is taken in its place."""
    waiting: list[tuple[dict[int, Any], dict[int, Any]]] = []
    replaced, rounded = [], []
    for part in module.modules():
        for kind in _HOOKS:
            theirs = vars(part).get(kind)
            if isinstance(theirs, dict):
                ours: dict[Any, Any] = OrderedDict() if isinstance(theirs, OrderedDict) else {}
                memo[id(theirs)] = ours
                if kind == "_forward_pre_hooks":
                    waiting.append((theirs, ours))
                if kind == "_load_state_dict_pre_hooks" and not unwrap:  # they know names that weights once had
                    ours.update(theirs)
        if isinstance(forward := vars(part).get("forward"), types.FunctionType) and _inner(part) is None:
            replaced.append((part, forward))
        if isinstance(getattr(part, "activation_post_process", None), FakeQuantizeBase) and part._forward_hooks:
            rounded.append(part)
    with _KeptResults(), torch.inference_mode(False), torch.no_grad():
        for part in module.modules():
            if unwrap and (inner := unwrapped(part)) is not part:
                memo[id(part)] = copy.deepcopy(inner, memo)
        copied = copy.deepcopy(module, memo)
        for theirs, ours in waiting:
            ours.update({key: copy.deepcopy(hook, memo) for key, hook in theirs.items() if _is_torchs(hook)})
        for part, forward in replaced:
            vars(memo.get(id(part), copied))["forward"] = _rebound(forward, memo)
        for part in rounded:
            _round_outputs(memo.get(id(part), copied))
    return copied


def _round_outputs(part: Any) -> None:
    """Let a part round what it puts out, as torch's hooks of training for quantisation do."""
    forward = part.forward

    def rounded(*args: Any, **kwargs: Any) -> Any:
        return part.activation_post_process(forward(*args, **kwargs))

    part.forward = rounded


def _is_torchs(hook: object) -> bool:
    """Whether a hook is one that torch itself has set, to make a weight or to find out its size."""
    return isinstance(hook, _WEIGHT_HOOKS) or isinstance(getattr(hook, "__self__", None), LazyModuleMixin)


def _uncopyable(module: nn.Module) -> Iterator[tuple[int, Any]]:
    """Attributes of a module's parts that cannot be copied, by their id."""
    for part in module.modules():
        for name, value in vars(part).items():
            if name in _OF_EVERY_MODULE:
                continue
            try:
                with _KeptResults():
                    copy.deepcopy(value)
            except Exception:
                yield id(value), value


def _rebound(function: Callable[..., Any], memo: dict[int, Any]) -> Callable[..., Any]:
    """A function that uses the copies of the modules that it used."""
    if not isinstance(function, types.FunctionType):
        return function

    def ours(value: Any) -> Any:
        if isinstance(value, types.FunctionType):
            return _rebound(value, memo) if value.__closure__ else value
        return copy.deepcopy(value, memo) if isinstance(value, nn.Module | types.MethodType) else value

    seen = function.__globals__
    named = {name: seen[name] for name in function.__code__.co_names if isinstance(seen.get(name), nn.Module)}
    cells = tuple(types.CellType(ours(cell.cell_contents)) for cell in function.__closure__ or ())
    again = types.FunctionType(
        function.__code__,
        {**seen, **{name: ours(value) for name, value in named.items()}} if named else seen,
        function.__name__,
        function.__defaults__,
        cells,
    )
    again.__kwdefaults__ = function.__kwdefaults__
    return again


def _make_weights(copied: nn.Module) -> None:
    """Evaluate weights that a hook makes anew in every pass: normalised or pruned ones."""
    for part in copied.modules():
        for key, hook in list(part._forward_pre_hooks.items()):
            if isinstance(hook, _WEIGHT_HOOKS):
                hook.remove(part)
                part._forward_pre_hooks.pop(key, None)
