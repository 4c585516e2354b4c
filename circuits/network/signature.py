"""What a network's `forward` is called with, and what lies in what it returns.

1. The image is the one argument that must be given. If none must be, it is the one that is called like an image
   (`pixel_values`, `image`, `x`, …), or else the first.
2. Outputs are the tensors in what is returned, however deep in tuples, dictionaries, dataclasses or other objects.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, fx, nn

from circuits.errors import InputError, listed

_IMAGES = (
    "pixel_values", "image", "images", "img", "imgs", "pixels", "photo", "photos", "picture", "pictures", "x", "input",
    "inputs",
)  # fmt: skip
_PLAIN = (Tensor, nn.Module, type, str, bytes, int, float, complex, type(None))


def image_arguments(forward: Callable[..., Any], image: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `forward` is called with: the image, by its place or by its name, and nothing else.

    Raises:
        InputError: if no argument can be the image, or others must be given.

    Example:
        >>> def forward(input_ids=None, pixel_values=None): ...
        >>> image_arguments(lambda x, flag=False: x, "image"), image_arguments(forward, "image")
        ((('image',), {}), ((), {'pixel_values': 'image'}))
    """
    parameters = list(inspect.signature(forward).parameters.values())
    named = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    needed = [each for each in named if each.default is each.empty]
    by_name = {each.name.lower(): each for each in needed or named}
    known = next((by_name[name] for name in _IMAGES if name in by_name), None)
    if len(needed) > 1:
        others = [each.name for each in needed if each is not (known or needed[0])]
        raise InputError(
            f"The network reads {len(needed)} inputs, and a classifier of images reads one: its forward must be given "
            f"{listed(others)} as well; give that a default, or wrap it in a module that takes the image alone."
        )
    taken = known or next(iter(needed or named), None)
    if taken is None and not any(each.kind is each.VAR_POSITIONAL for each in parameters):
        raise InputError("The network's forward names no input; a classifier of images reads one.")
    if taken is None or (taken is parameters[0] and taken.kind is not taken.KEYWORD_ONLY):
        return (image,), {}
    return (), {taken.name: image}


def named_outputs(value: Any, path: str = "", above: tuple[Any, ...] = ()) -> dict[str, Any]:
    """What lies in nested tuples, lists, dictionaries and objects, in order, by name: a key, a field or a number.

    Example:
        >>> named_outputs({"a": 1, "b": (2, [3])}), named_outputs(1)
        ({'a': 1, 'b.0': 2, 'b.1.0': 3}, {'0': 1})
    """
    parts: Mapping[Any, Any]
    if isinstance(value, (fx.Proxy, *_PLAIN)) or any(value is each for each in above):
        return {path or "0": value}
    if isinstance(value, Mapping):
        parts = value
    elif isinstance(value, tuple | list):
        parts = dict(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    elif is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
    elif hasattr(value, "__dict__") and not callable(value):
        parts = vars(value)
    else:
        return {path or "0": value}
    named: dict[str, Any] = {}
    for key, part in parts.items():
        named |= named_outputs(part, f"{path}.{key}" if path else str(key), (*above, value))
    return named


def output_tensors(value: Any) -> list[Tensor]:
    """The tensors among a network's outputs, in order."""
    return [each for each in named_outputs(value).values() if isinstance(each, Tensor)]
