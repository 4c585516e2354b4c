"""Trace a module with `torch.fx`: overwriting is recorded, chosen modules stay whole, errors name the line.

fx runs `forward` on proxies that stand for tensors of any value. Code that needs the values (an `if` on them, a loop
over them, NumPy) cannot be traced; the error names its line. A module that is *traced as a whole* is called as it is,
so its code may do anything. So is an `autograd.Function`, whose gradient is its own: of its `forward` alone that would
be forgotten.
"""

import operator
import os
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jaxtyping
import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from circuits.errors import CircuitsError, InputError, UnknownError, listed
from circuits.network.concrete import ConcreteProxy, ConcreteTracer
from circuits.network.module_names import rename_modules


def with_items(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """A copy of a tensor in which some items are others.

    >>> with_items(torch.zeros(3), slice(1), 2.0)
    tensor([2., 0., 0.])
    """
    copied = tensor.clone()
    copied[index] = value
    return copied


class Overwritten:
    """An in-place method that has no out-of-place twin, such as `fill_`, called on a copy."""

    def __init__(self, method: str) -> None:
        self.__name__ = self.__qualname__ = method.rstrip("_")
        self.method = method

    def __call__(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        """What the copy has become."""
        return getattr(tensor.clone(), self.method)(*args, **kwargs)


OUT_OF_PLACE: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
    operator.setitem: with_items,
}
_OURS = str(Path(__file__).parents[1]) + os.sep
_NOT_THE_USERS = (
    *(
        str(Path(str(package.__file__)).parent) for package in (torch, jaxtyping)
    ),  # the one checks our own calls in tests
    str(Path(sysconfig.get_path("stdlib")) / "importlib"),
    _OURS,
    "<@beartype",
)


class _Proxy(ConcreteProxy):
    """A proxy that records `x += y`; fx's own records `x = x + y`, and so forgets that x is overwritten."""


def _recorded(in_place: Callable[..., Any]) -> Callable[[fx.Proxy, object], fx.Proxy]:
    name = OUT_OF_PLACE[in_place].__name__.strip("_")
    return lambda self, other: self.tracer.create_proxy("call_function", in_place, (self, other), {}, name=name)


for _operator in OUT_OF_PLACE.keys() - {operator.setitem}:
    setattr(_Proxy, f"__{_operator.__name__}__", _recorded(_operator))


class Whole(nn.Module):
    """A module that is traced as a whole: it is called on contiguous copies, which its code may overwrite."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's output for copies of the arguments."""
        return self.module(*fx.node.map_aggregate(args, _copy), **fx.node.map_aggregate(kwargs, _copy))


def _copy(value: Any) -> Any:
    return value.clone(memory_format=torch.contiguous_format) if isinstance(value, Tensor) else value


class OwnGradient:
    """What an `autograd.Function` computes, as one node of a graph, with the gradient that it defines.

    Args:
        function: the class of the function.
    """

    def __init__(self, function: type[torch.autograd.Function]) -> None:
        self.function = _guarded(function)
        self.__name__ = self.__qualname__ = function.__name__
        self.__module__ = function.__module__

    def __call__(self, *args: Any) -> Any:
        """The function's value."""
        return self.function.apply(*args)


_Function = type[torch.autograd.Function]
_tracing = threading.Lock()
_REMEMBERED = (
    torch.overrides.get_ignored_functions, torch.overrides.get_testing_overrides,
    torch.overrides.get_overridable_functions,
)  # fmt: skip
"""What torch asks itself once and remembers; while fx traces, the answer would hold the network for ever."""
_GUARDED = "is_guarded_by_circuits"


def _guarded(function: _Function) -> _Function:
    """The same function; when its gradient fails, a sentence says so."""
    name = "backward" if function.vjp is torch.autograd.Function.vjp else "vjp"
    backward = getattr(function, name)

    def explain(*args: Any) -> Any:
        try:
            return backward(*args)
        except Exception as error:  # the user's code may raise anything
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0].rstrip(".")
            raise InputError(
                f"Nothing can be explained through {function.__name__}; its {name} fails: {reason}."
            ) from error

    changed = {name: staticmethod(explain), "__module__": function.__module__, _GUARDED: True}
    return type(function.__name__, (function,), changed)


@contextmanager
def _functions_kept() -> Iterator[None]:
    """Record a call of an `autograd.Function` on a proxy as one node; torch's own are looked into, as of checkpointing.

    `Sign.apply` may have been taken hold of long before, as a default or an attribute; what it calls is the class's.
    """
    with _tracing, ExitStack() as stack:
        for function in _functions(torch.autograd.Function):
            if function.__module__.partition(".")[0] != "torch" and not hasattr(function, _GUARDED):
                stack.enter_context(patch.object(function, "forward", staticmethod(_recorded_forward(function))))
                if _is_set_up_apart(function):
                    set_up = partial(_unless_traced, function.setup_context)
                    stack.enter_context(patch.object(function, "setup_context", staticmethod(set_up)))
        yield


def _functions(above: _Function) -> list[_Function]:
    own: list[_Function] = above.__subclasses__()
    return [each for function in own for each in (function, *_functions(function))]


def _is_set_up_apart(function: _Function) -> bool:
    """Whether a function's `forward` is not given the context, which `setup_context` is."""
    return function.setup_context is not torch.autograd.Function.setup_context


def _recorded_forward(function: _Function) -> Callable[..., Any]:
    forward = function.forward
    first = 0 if _is_set_up_apart(function) else 1

    def record(*args: Any, **kwargs: Any) -> Any:
        proxies = _proxies(args[first:])
        if not proxies:
            return forward(*args, **kwargs)
        kept, name = OwnGradient(function), function.__name__.lower()
        return proxies[0].tracer.create_proxy("call_function", kept, args[first:], {}, name=name)

    return record


def _unless_traced(set_up: Callable[..., None], context: Any, inputs: Any, output: Any) -> None:
    if not _proxies(inputs):
        set_up(context, inputs, output)


def _proxies(args: Any) -> list[fx.Proxy]:
    return [each for each in pytree.tree_leaves(args) if isinstance(each, fx.Proxy)]


class _Tracer(ConcreteTracer):
    """Keeps some modules whole, and notes the path of the module whose code could not be traced."""

    def __init__(self, wholes: frozenset[str], example: Tensor | None) -> None:
        super().__init__(example)
        self.wholes = wholes
        self.stopped_in: str | None = None

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name in self.wholes or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            if self.stopped_in is None:
                self.stopped_in = self.submodule_paths.get(m)  # type: ignore[union-attr]  # while it traces
            raise


def trace_module(
    module: nn.Module, *, name: str, leaf_modules: Sequence[str] = (), example: Tensor | None = None
) -> fx.GraphModule:
    """The fx graph of a module in eval mode; `meta` has the names of its `outputs`, and whether it `is_rounded`.

    Args:
        module: it becomes part of the graph module.
        name: what errors call it.
        leaf_modules: names of modules to trace as wholes, as `named_modules` gives them.
        example: a photo, (1, c, h, w), whose sizes the code may look at (`concrete`).

    Raises:
        InputError: if fx cannot trace it; the sentence gives the line that stops it and the way out.
        UnknownError: if there is no module of such a name.

    Example:
        >>> class Gate(nn.Module):
        ...     def forward(self, x):
        ...         return x if x.mean() > 0 else -x
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), Gate())
        >>> [str(node.target) for node in trace_module(net, name="net", leaf_modules=["1"]).graph.nodes]
        ['input', '0', '1', 'output']
    """
    known = [path for path, _ in module.named_modules() if path]
    for path in leaf_modules:
        if path not in known:
            near = [other for other in known if path and path.rpartition(".")[2] in other] or known
            raise UnknownError(f"{name} has no module {path!r} to trace as a whole; it has {listed(near, limit=20)}.")
    opaque = [path for path, part in module.named_modules() if path and _is_opaque(part)]
    tracer = _Tracer(frozenset((*leaf_modules, *opaque)), example)
    try:
        for each in _REMEMBERED:
            each()
        with _functions_kept():
            graph = tracer.trace(module)
    except CircuitsError:
        raise
    except Exception as error:  # fx raises whatever the traced code raises
        raise InputError(_untraceable(name, error, tracer.stopped_in, module)) from error
    called = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    for path in sorted(called & tracer.wholes):
        module.set_submodule(path, Whole(module.get_submodule(path)))
    rename_modules(module, graph)
    traced = fx.GraphModule(module, graph, type(module).__name__)
    traced.meta |= {"outputs": tracer.output_names, "is_rounded": tracer.is_rounded}
    return traced


def _is_opaque(part: nn.Module) -> bool:
    """Whether a module's code takes nothing but tensors: TorchScript, or a transform of torchvision's."""
    is_transform = type(part).__module__.startswith("torchvision.transforms")
    return is_transform or isinstance(part, torch.jit.ScriptModule)


def _untraceable(name: str, error: Exception, path: str | None, module: nn.Module) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    reason = reason.partition(". ")[0].rstrip(".")
    if path is None and isinstance(getattr(module, "backbone", None), nn.Module):
        way = "give its backbone alone, `.backbone`, whose maps can be explained"
    elif path:
        way = f"write it differently, or trace {path} as a whole, with leaf_modules=[{path!r}] (--leaf {path})"
    else:
        way = "write it differently, or move it into a module of its own and name that in leaf_modules (--leaf)"
    return f"torch.fx cannot trace {name}{_where(error)}: {reason}; {way}."


def line_of(what: BaseException | Sequence[traceback.FrameSummary]) -> str:
    """The innermost line of the user's code in a traceback, or a stack, with its file and number; empty without one.

    Of a stack only what our code called counts, not what called us.
    """
    if isinstance(what, BaseException):
        frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(what.__traceback__)
    else:
        ours = [at for at, frame in enumerate(what) if frame.filename.startswith(_OURS)]
        frames = what[ours[-1] + 1 :] if ours else what
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_USERS)]
    if not own:
        return ""
    frame = own[-1]
    text = f", `{frame.line}`" if frame.line else ""
    return f" (line {frame.lineno} of {Path(frame.filename).name}{text})"


def _where(error: Exception) -> str:
    line = line_of(error)
    return f", which is stopped by {line[2:-1]}" if line else ""
