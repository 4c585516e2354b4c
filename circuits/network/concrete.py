"""Trace with an example: every proxy knows the value that it has for one photo, so that code may look at sizes.

An `if`, an `assert`, a loop or an `int()` of a shape gets the answer that it would get for the photo. Sizes that are
only handed on stay nodes of the graph, so that it runs for any number of photos. What looks at the numbers of a tensor
cannot be traced, as ever.

1. `forward` is called with the photo alone (`signature`): its other arguments keep their defaults, which are constants.
2. Each operation is run once, as it is recorded, on the values of its arguments; a proxy holds its value as long as
   the traced code holds the proxy.
3. A `squeeze()` of all dimensions leaves that of the photos, as it does of several. How far a tensor is padded is a
   constant, what the photo's size makes of it.
4. What fx cannot record is recorded here: functions of torch that make a tensor of a given size, scripted ones, the
   `len` of a tensor, and what is written into parts of it (`x[:, 0] = y`). Hooks that `forward` sets on tensors, and
   what it asks of their gradients, are left out.
5. A module that `forward` has just made, or that lies in a plain list, becomes one of the network's.
6. All floating point numbers are float32, whatever `forward` casts to.
"""

import builtins
import inspect
import operator
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from operator import attrgetter
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, fx, nn

from circuits.network.signature import image_arguments, named_outputs
from circuits.network.views import note_view

_MAKERS = ("zeros", "ones", "empty", "full", "eye", "arange", "linspace", "tensor", "as_tensor", "finfo")
_CASTS = {"double": "float", "half": "float", "bfloat16": "float"}
_METHOD_MAKERS = ("expand", "new_zeros", "new_ones", "new_empty", "new_full")
_MOST_PARTS = 4096
"""Of a tensor that a loop goes over."""
_ABOUT_GRADIENTS = ("register_hook", "retain_grad", "requires_grad_")
_FACTS = (torch.layout, str, bool, type(None))
"""Of a tensor that stay what they are in every pass; they are constants of the graph."""


class ConcreteProxy(fx.Proxy):
    """A proxy that may know its value for the example; `tracer.values` says whether any does."""

    _value: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._value is None:
            return super().__getattr__(name)
        if name in _ABOUT_GRADIENTS:
            return lambda *_: self
        value = getattr(self._value, name)
        if isinstance(value, _FACTS) or name == "ndim":
            return value
        if callable(value):
            return super().__getattr__(name)
        return self.tracer.create_proxy("call_function", getattr, (self, name), {})

    def __len__(self) -> int:
        return super().__len__() if self._value is None else len(self._value)

    def __int__(self) -> int:
        return int(self._number())

    def __index__(self) -> int:
        return int(self._number().__index__())

    def __float__(self) -> float:
        return float(self._number())

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._number(), digits)

    def __repr__(self) -> str:
        return super().__repr__() if self._value is None or isinstance(self._value, Tensor) else repr(self._value)

    def __format__(self, how: str) -> str:
        return format(repr(self) if self._value is None else self._value, how)

    def __hash__(self) -> int:  # as a key of a dictionary it finds what the number would
        return hash(self._value) if isinstance(self._value, int | float) else id(self)

    def _number(self) -> Any:
        if self._value is None or isinstance(self._value, Tensor):
            raise TypeError("symbolically traced variables cannot be used as numbers")
        return self._value


class ConcreteTracer(fx.Tracer):
    """Traces modules, with an example or without.

    Args:
        example: a photo, (1, c, h, w); values are not known if `None`.

    Attributes:
        output_names: names of the outputs.
        is_rounded: whether the code computes with fewer digits than float32, which the graph does not.
    """

    def __init__(self, example: Tensor | None = None) -> None:
        super().__init__()
        self.example = example
        self.output_names: tuple[str, ...] = ()
        self.is_rounded = False
        self._is_running = False
        self._thread = 0

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> tuple[Any, list[Any]]:
        """Call `forward`, also one that was replaced on the object, with nothing but the photo."""
        args, kwargs = image_arguments(self.root.forward, None)
        image = self.create_proxy("placeholder", next(iter(kwargs), None) or _first_name(self.root.forward), (), {})

        def forward(root: nn.Module, image: fx.Proxy) -> Any:
            named = named_outputs(_opened(root.forward(*[image for _ in args], **dict.fromkeys(kwargs, image))))
            tensors = {path: proxy for path, proxy in named.items() if self._is_tensor(proxy)}
            self.output_names = tuple(tensors)
            return tuple(tensors.values()) if len(tensors) != 1 else next(iter(tensors.values()))

        return forward, [self.root, image]

    def _is_tensor(self, output: Any) -> bool:
        return isinstance(output, fx.Proxy) and (self.example is None or isinstance(value_of(output), Tensor))

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Stand for a node."""
        return ConcreteProxy(node, self)

    def create_proxy(
        self, kind: str, target: Any, args: Any, kwargs: Any, name: Any = None, type_expr: Any = None, *more: Any,
        **others: Any,
    ) -> fx.Proxy:  # fmt: skip
        """Record an operation, and run it on the example."""
        if kind == "call_method":
            self.is_rounded |= target in ("half", "bfloat16")
            target = _CASTS.get(target, target)
        if kind in ("call_method", "call_function"):
            args, kwargs = (fx.node.map_aggregate(each, self._as_float32) for each in (args, kwargs))
        if target is F.pad:
            args, kwargs = (fx.node.map_aggregate(each, _size_of) for each in (args, kwargs))
        if target in (torch.squeeze, "squeeze") and len(args) == 1 and not kwargs and self.example is not None:
            args = (*args, _all_but_rows(value_of(args[0])))
        proxy = super().create_proxy(kind, target, args, kwargs, name, type_expr, *more, **others)
        if self.example is not None and isinstance(proxy, ConcreteProxy):
            proxy.__dict__["_value"] = value = self._run(kind, target, args, kwargs)
            note_view(proxy.node, value, fx.node.map_aggregate(args[:1], value_of))
        return proxy

    def _as_float32(self, given: Any) -> Any:
        if isinstance(given, torch.dtype) and given.is_floating_point:
            self.is_rounded |= given.itemsize < torch.float32.itemsize
            return torch.float32
        is_wide = type(given) is Tensor and given.is_floating_point() and given.dtype is not torch.float32
        return given.float() if is_wide else given

    def _run(self, kind: str, target: Any, args: Any, kwargs: Any) -> Any:
        if kind == "placeholder":
            assert self.example is not None
            return self.example.clone()
        self.is_rounded |= torch.is_autocast_enabled("cpu")
        args, kwargs = fx.node.map_aggregate(args, value_of), fx.node.map_aggregate(kwargs, value_of)
        self._is_running = True
        try:
            with torch.no_grad(), torch.autocast("cpu", enabled=False):
                if kind == "get_attr":
                    return attrgetter(str(target))(self.root)
                if kind == "call_module":
                    return self.root.get_submodule(target).forward(*args, **kwargs)
                if kind == "call_method":
                    return getattr(args[0], target)(*args[1:], **kwargs)
                return target(*args, **kwargs)
        finally:
            self._is_running = False

    @property
    def _passes_by(self) -> bool:
        """Whether modules are called for real: a node runs on the example, or another thread runs a network.

        fx replaces what calls modules, and looks up their weights, for the whole process.
        """
        return self._is_running or threading.get_ident() != self._thread

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """An attribute of a module: itself where nothing is recorded."""
        if self._passes_by:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a module: for real where nothing is recorded."""
        if self._passes_by:
            return forward(*args, **kwargs)
        if m not in self.submodule_paths:  # type: ignore[operator]  # a dictionary while it traces
            if _proxies(list(vars(m).values()), {}):  # made of a size, as `nn.Upsample(x.shape[2:])`
                return forward(*args, **kwargs)
            self._take_in(m)
        return super().call_module(m, forward, args, kwargs)

    def _take_in(self, module: nn.Module) -> None:
        """Make a module that no other one owns a part of the network."""
        kind, number = type(module).__name__.lower(), 1
        while hasattr(self.root, name := f"{kind}_{number}"):
            number += 1
        self.root.add_module(name, module)
        for path, part in module.named_modules(prefix=name):
            self.submodule_paths.setdefault(part, path)  # type: ignore[union-attr]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is called as it is: not if somebody has replaced its `forward`."""
        is_scripted = isinstance(m, torch.jit.ScriptModule)
        return is_scripted or ("forward" not in vars(m) and super().is_leaf_module(m, module_qualified_name))

    def to_bool(self, obj: fx.Proxy) -> bool:
        """The truth of what depends on sizes alone."""
        value = value_of(obj)
        return super().to_bool(obj) if value is None or isinstance(value, Tensor | fx.Proxy) else bool(value)

    def iter(self, obj: Any) -> Iterator[Any]:
        """The parts of a shape, of another tuple, or of a tensor."""
        value = value_of(obj)
        is_tensor = isinstance(value, Tensor) and value.dim() > 0 and len(value) <= _MOST_PARTS
        if not is_tensor and not isinstance(value, tuple | list):
            return super().iter(obj)
        return iter([obj[place] for place in range(len(value))])

    def keys(self, obj: fx.Proxy) -> Any:
        """The keys of a dictionary that a module returned."""
        value = value_of(obj)
        return list(value) if isinstance(value, dict) else super().keys(obj)

    def trace(self, root: Any, concrete_args: Any = None) -> fx.Graph:
        """The graph of a module."""
        self._thread = threading.get_ident()
        with self._recording(root):
            return super().trace(root, concrete_args)

    def _users_globals(self, root: nn.Module) -> list[dict[str, Any]]:
        """The global names of the modules' own code, and of the functions that it names."""
        forwards = [inspect.unwrap(inspect.getattr_static(type(part), "forward", None)) for part in root.modules()]
        waiting = [getattr(forward, "__globals__", {}) for forward in forwards]
        known: dict[int, dict[str, Any]] = {}
        while waiting:
            names = waiting.pop()
            if id(names) not in known and _is_users(str(names.get("__name__", "torch"))):
                known[id(names)] = names
                waiting += [each.__globals__ for each in names.values() if isinstance(each, types.FunctionType)]
        return list(known.values())

    @contextmanager
    def _recording(self, root: nn.Module) -> Iterator[None]:
        """Record functions that fx passes by, and look into what `torch.compile` decorates."""
        with ExitStack() as stack:
            for names in self._users_globals(root):
                for name, ours in (("isinstance", _is_instance), ("len", _length)):
                    if name not in names:
                        names[name] = ours
                        stack.callback(names.pop, name)
            for name in _MAKERS:
                stack.enter_context(mock.patch.object(torch, name, self._recorded(getattr(torch, name))))
            for name in _METHOD_MAKERS:
                recorded = self._recorded(getattr(Tensor, name), "call_method")
                stack.enter_context(mock.patch.object(Tensor, name, recorded))
            stack.enter_context(mock.patch.object(torch, "is_tensor", lambda x: isinstance(value_of(x), Tensor)))
            scripted = torch.jit.ScriptFunction
            run = scripted.__call__
            stack.enter_context(mock.patch.object(scripted, "__call__", self._recorded_script(run)))
            if dynamo := sys.modules.get("torch._dynamo"):
                stack.enter_context(dynamo.config.patch(error_on_nested_fx_trace=False))
            yield

    def _recorded(self, function: Callable[..., Any], kind: str = "call_function") -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._is_running or not _proxies(args, kwargs):
                return function(*args, **kwargs)
            return self.create_proxy(kind, function.__name__ if kind == "call_method" else function, args, kwargs)

        return call

    def _recorded_script(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def call(script: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_running or not _proxies(args, kwargs):
                return run(script, *args, **kwargs)

            def scripted(*given: Any, **named: Any) -> Any:
                return run(script, *given, **named)

            scripted.__name__ = scripted.__qualname__ = script.name
            return self.create_proxy("call_function", scripted, args, kwargs)

        return call


def value_of(given: Any) -> Any:
    """The value of a proxy for the example, `None` if it is not known; anything else as it is."""
    if not isinstance(given, fx.Proxy):
        return given
    return vars(given).get("_value")


def _opened(given: Any) -> Any:
    """A proxy of several values, such as those of `topk` or of a module that is not looked into, as proxies of each."""
    value = value_of(given)
    if isinstance(value, tuple | list) and hasattr(value, "_fields"):
        return {name: _opened(given[place]) for place, name in enumerate(value._fields)}
    if isinstance(value, tuple | list):
        return [_opened(given[place]) for place in range(len(value))]
    if isinstance(value, dict):
        return {key: _opened(given[key]) for key in value}
    return given


def _size_of(given: Any) -> Any:
    """The value of a proxy that is a size; a tensor's proxy as it is."""
    value = value_of(given)
    return given if value is None or isinstance(value, Tensor) else value


def _all_but_rows(value: Any) -> tuple[int, ...]:
    """The dimensions that a `squeeze()` of all means, where there may be one photo or many."""
    return tuple(range(1 if len(value) == 1 else 0, value.dim()))


def _is_instance(given: Any, kinds: Any) -> bool:
    """Whether something, or what a proxy stands for, is of a kind.

    A proxy does not say so by its class, because torch's own code would read the memory of what says it is a tensor.
    """
    value = value_of(given)
    return isinstance(given if value is None else value, kinds)


def _length(given: Any) -> Any:
    """The length of something; of a tensor a proxy of it, so that the graph runs for any number of photos."""
    return (
        given.size(0) if isinstance(value_of(given), Tensor) and given is not value_of(given) else builtins.len(given)
    )


def _is_users(name: str) -> bool:
    """Whether a module of that name holds code of a user's, not of torch, of Python or of ours."""
    first = name.partition(".")[0]
    return first not in ("torch", "numpy", "circuits") and first not in sys.stdlib_module_names - {"__main__"}


def _first_name(forward: Callable[..., Any]) -> str:
    return next(iter(inspect.signature(forward).parameters))


def _proxies(args: Any, kwargs: Any) -> list[fx.Proxy]:
    found: list[fx.Proxy] = []
    for each in (args, kwargs):
        fx.node.map_aggregate(each, lambda given: found.append(given) if isinstance(given, fx.Proxy) else None)
    return found
