"""A second device without one: tensors that hold numbers of the CPU, say that they lie elsewhere, and refuse company.

`AWAY` is a device of a type that torch knows by name and has no code for here. A tensor on it is an `Elsewhere`, whose
every operation is run on the numbers inside. As with a real device it is an error

- to combine tensors of both sides, but for copies, single numbers and indices;
- to take numbers out as numpy arrays without `.cpu()`.

`second_device()` is the context in which tensors are made on it, and `moved` moves a prepared network.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from circuits.network.network import Network

AWAY = torch.device("xla:0")
HERE = torch.device("cpu")
_CROSSES = ("copy_", "_to_copy", "index.Tensor", "index_put", "set_.")
"""Parts of the names of operations that may read from both sides."""


class Elsewhere(Tensor):
    """A tensor on the second device."""

    inside: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inside: Tensor) -> "Elsewhere":
        made = Tensor._make_wrapper_subclass(
            cls, inside.shape, strides=inside.stride(), storage_offset=inside.storage_offset(), dtype=inside.dtype,
            layout=inside.layout, device="cpu", requires_grad=False,
        )  # fmt: skip
        made.inside = inside
        return made

    @property
    def device(self) -> torch.device:
        return AWAY

    @property
    def is_cpu(self) -> bool:
        return False

    def cpu(self, *args: Any, **kwargs: Any) -> Tensor:
        return _ToHere.apply(self)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            other = args[0]
            if not isinstance(other, Elsewhere):
                return _ToHere.apply(self).to(other.dtype)
            return self if other.dtype == self.dtype else Tensor.to(self, other.dtype)
        named = args[0] if args and isinstance(args[0], str | torch.device) else kwargs.pop("device", None)
        args = args[1:] if args and isinstance(args[0], str | torch.device) else args
        if named is not None and torch.device(named).type == "cpu":
            home = _ToHere.apply(self)
            return home.to(*args, **kwargs) if args or kwargs else home
        return Tensor.to(self, *args, **kwargs) if args or kwargs else self

    def tolist(self) -> Any:
        return self.inside.tolist()

    def untyped_storage(self) -> Any:
        return self.inside.untyped_storage()

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.unbind(0))

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("A tensor on the second device has no numpy array; use Tensor.cpu() first.")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.numpy()

    def __repr__(self, **kwargs: Any) -> str:
        return f"Elsewhere({self.inside!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _ToHere(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.inside.clone() if isinstance(x, Elsewhere) else x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient if isinstance(gradient, Elsewhere) else Elsewhere(gradient.detach())


class _ToThere(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return Elsewhere(x.detach())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.inside if isinstance(gradient, Elsewhere) else gradient


def _there(x: Tensor) -> Tensor:
    return x if isinstance(x, Elsewhere) else _ToThere.apply(x)


def _is_away(named: Any) -> bool:
    return isinstance(named, str | torch.device) and torch.device(named).type == AWAY.type


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """An operation, on the numbers inside; its results lie where its tensors do, or where it was told."""
    name = func.name()
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    away = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.dim() > 0]
    if away and here and not any(each in name for each in _CROSSES):
        sizes = [tuple(tensor.shape) for tensor in here]
        raise RuntimeError(f"{name}: all tensors must be on one device, but {sizes} are on the CPU beside {AWAY}")
    told = kwargs.get("device")
    goes = bool(away) if told is None else _is_away(told)
    if name.startswith("aten::copy_"):
        goes = isinstance(args[0], Elsewhere)
    if _is_away(told):
        kwargs = {**kwargs, "device": HERE}
    args, kwargs, given = tree_map(_inside, args), tree_map(_inside, kwargs), args
    result = func(*args, **kwargs)
    if func._schema.is_mutable:  # what was written to stays the tensor that it was
        for argument, value in zip(func._schema.arguments, given, strict=False):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and isinstance(value, Elsewhere) and isinstance(result, Tensor):
                return value
    return tree_map(_outside, result) if goes else result


def _inside(value: Any) -> Any:
    return value.inside if isinstance(value, Elsewhere) else value


def _outside(value: Any) -> Any:
    return Elsewhere(value) if isinstance(value, Tensor) and not isinstance(value, Elsewhere) else value


class _Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """What puts tensors on a device without an operation that could be seen."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        told = kwargs.get("device")
        if _is_away(told) and func in (torch.tensor, torch.as_tensor):
            return Elsewhere(func(*args, **{**kwargs, "device": "cpu"}).detach())
        if func is Tensor.to and not isinstance(args[0], Elsewhere):
            if len(args) == 2 and isinstance(args[1], Elsewhere):
                return _there(args[0].to(args[1].dtype))
            if any(_is_away(each) for each in (*args[1:2], told)):
                return _there(args[0])
        return func(*args, **kwargs)


@contextmanager
def second_device() -> Iterator[torch.device]:
    """Tensors can be made on, and moved to, the device that is given."""
    with _Functions(), _Dispatch():
        yield AWAY


def moved(network: Network) -> Network:
    """The network with its weights on the second device; in place."""
    for part in network.traced.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter is not None:
                part._parameters[name] = nn.Parameter(Elsewhere(parameter.detach()), requires_grad=False)
        for name, buffer in list(part._buffers.items()):
            if buffer is not None:
                part._buffers[name] = Elsewhere(buffer.detach())
    return network
