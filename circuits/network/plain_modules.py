"""Modules that do what torch's own do, made these: parametrised ones, and subclasses that change nothing of it."""

from torch import nn
from torch.nn.utils import parametrize

# What a subclass may have of its own without doing another thing.
_HARMLESS = frozenset({
    "__init__", "__module__", "__doc__", "__qualname__", "__annotations__", "__constants__", "__firstlineno__",
    "__static_attributes__", "__parameters__", "__orig_bases__", "extra_repr", "__repr__", "reset_parameters",
    "_get_name", "training"
})  # fmt: skip


def make_plain(module: nn.Module) -> nn.Module:
    """Turn all parts of a module that do what a module of torch does into that module, in place.

    A parametrisation, such as spectral or weight normalisation, gives its weight once and goes. A subclass of a
    convolution, a linear layer or a norm that overrides nothing that these run becomes its base.

    Example:
        >>> class Own(nn.Conv2d):
        ...     pass
        >>> make_plain(nn.Sequential(Own(3, 4, 1), nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))))
        Sequential(
          (0): Conv2d(3, 4, kernel_size=(1, 1), stride=(1, 1))
          (1): Linear(in_features=4, out_features=2, bias=True)
        )
    """
    for part in list(module.modules()):
        if parametrize.is_parametrized(part):
            _evaluate(part)
        base = _base(type(part))
        if base is not type(part):
            part.__class__ = base
    return module


def _evaluate(part: nn.Module) -> None:
    """Replace parametrised weights by their values; the class of the part is shared with the module it is a copy of."""
    values = {name: getattr(part, name).detach().clone() for name in part.parametrizations}  # type: ignore[union-attr]
    del part.parametrizations
    part.__class__ = type(part).__bases__[0]
    for name, value in values.items():
        part.register_parameter(name, nn.Parameter(value))


def _base(kind: type[nn.Module]) -> type[nn.Module]:
    """The class of torch's that modules of a class are in all but name; the class itself if there is none."""
    own = [each for each in kind.__mro__ if issubclass(each, nn.Module)]
    base = next(each for each in own if each.__module__.startswith("torch.nn"))
    is_leaf = base is not nn.Module and not issubclass(base, (nn.Sequential, nn.ModuleList, nn.ModuleDict))
    above = own[: own.index(base)]
    changes = {name for each in above for name in vars(each) if hasattr(base, name)} - _HARMLESS
    return base if is_leaf and kind.__mro__[: len(above)] == tuple(above) and not changes else kind
