"""What a circuit says beside its units: of its network, photo, target and settings.

Each is a frozen value with named fields that is also the row of the file: `circuit.target.label` is
`circuit.target["label"]`. Fields that a row leaves out have their default.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, NoReturn, SupportsIndex, TypeVar

from circuits.errors import InputError
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.network.outputs import NetworkOutput

LARGEST_DEPTH = 2000
"""Layers that a circuit's file can hold."""
LARGEST_TOP = 100_000
"""Units below one that a circuit's file can hold."""
_R = TypeVar("_R", bound="_Row")


class _Row(dict[str, Any]):
    """The row of a dataclass: a dictionary filled from its fields, which is never changed."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # what derives from this is a dataclass
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                dict.__setitem__(self, field.name, list(value) if isinstance(value, tuple) else value)

    @classmethod
    def of_row(cls: type[_R], row: Mapping[str, Any]) -> _R:
        """The value that a file's row says."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be changed; make a dict of it first.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of_row, (dict(self),)


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkInfo(_Row):
    """The network that a circuit was traced with.

    Args:
        name: what it is called.
        source: where its weights are from.
        sha256: its fingerprint.
        layers: names of the layers that the circuit walks down, from the image up.
        lowest: those with nothing below them but the image, if the first is not the only one.
        piecewise_linear: whether the books close exactly everywhere.
        multi_label: whether each class is judged on its own, by a sigmoid.
        output: the name of the output that is explained, if there are several.
        outputs: the names of all of them.
        one_at_a_time: whether it is run one photo at a time, because what it does depends on others in a batch.
    """

    name: str
    source: str
    sha256: str
    layers: tuple[str, ...]
    lowest: tuple[str, ...] = ()
    piecewise_linear: bool
    multi_label: bool = False
    output: str = ""
    outputs: tuple[str, ...] = ()
    one_at_a_time: bool = False

    @classmethod
    def of(cls, network: Network) -> "NetworkInfo":
        """The facts of a network as it is cut."""
        lowest = tuple(name for name in network.layers if not network.layers_below(name))
        has_several = len(network.output.names) > 1
        return cls(
            name=network.name, source=network.source, sha256=network.sha256, layers=tuple(network.layers),
            lowest=lowest if len(lowest) > 1 else (), piecewise_linear=network.piecewise_linear,
            multi_label=network.multi_label, one_at_a_time=network.is_one_at_a_time,
output=network.output.name if has_several else "", outputs=network.output.names if has_several else (),
        )  # fmt: skip

    @property
    def explained(self) -> str:
        """Which of several outputs is explained; empty if there is one."""
        return str(NetworkOutput(self.output, 0, self.outputs))


@dataclass(frozen=True, eq=False, kw_only=True)
class PhotoInfo(_Row):
    """The photo that a circuit explains.

    Args:
        name: what it is called.
        sha256: of its pixels.
        width: in pixels.
        height: in pixels.
        window: left, top, right and bottom of the part shown, in pixels of the photo; the centre without it.
        input: size of the network's input, (channels, height, width).
        thumbnail: data URI of the crop that the network saw; empty if the file does not carry it.
    """

    name: str
    sha256: str
    width: int
    height: int
    window: tuple[int | float, int | float, int | float, int | float] | None = None
    input: tuple[int, int, int]
    thumbnail: str = ""

    @classmethod
    def of(cls, network: Network, photo: Photo, thumbnail: str) -> "PhotoInfo":
        """The facts of a photo as a network sees it."""
        height, width = network.preprocessing.size
        return cls(
            name=photo.name, sha256=photo.sha256, width=photo.width, height=photo.height, window=photo.window,
            input=(len(network.preprocessing.mean), height, width), thumbnail=thumbnail,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class CollectionInfo(_Row):
    """The photos that a circuit explains together, in the place of one photo.

    Args:
        name: what the class is called, or of which classes they are.
        sha256: of the list of the photos and their contents.
        photos: how many.
        batches: into how many they were put to see how sure the links are.
        input: size of the network's input, (channels, height, width).
    """

    name: str
    sha256: str
    photos: int
    batches: int
    input: tuple[int, int, int]

    @property
    def as_photo(self) -> PhotoInfo:
        """What is said of them where a photo is named; they have no pixels to show."""
        name = f"{self.photos:,} photo{'' if self.photos == 1 else 's'} of {self.name}"
        _, height, width = self.input
        return PhotoInfo(name=name, sha256=self.sha256, width=width, height=height, input=self.input)


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetInfo(_Row):
    """What a circuit explains.

    Args:
        kind: `class`, `unit`, `neuron` or `difference`.
        unit: id of its node, such as `fc:284`, or `fc:284-281` for a difference of two classes.
        label: what to call it.
        value: what is explained: a logit, a sum of activations, an activation, or a difference of two logits.
    """

    kind: str
    unit: str
    label: str
    value: float


@dataclass(frozen=True, eq=False, kw_only=True)
class TraceSettings(_Row):
    """How a circuit was traced; arguments as of `trace`."""

    mode: str
    top: int | tuple[int, ...]
    signs: str
    depth: int
    units: int | None = None
    share: float | int | None = None
    baseline: str = "zero"

    def top_at(self, level: int) -> int:
        """Units to show below a unit of a level, 0 for the target; below the last level as many as there."""
        return self.top if isinstance(self.top, int) else self.top[min(level, len(self.top) - 1)]


def as_int(value: Any) -> Any:
    """A whole number of NumPy or torch as one of Python, also in a sequence; anything else as it is.

    >>> import numpy as np
    >>> as_int(np.int64(3)), as_int([np.int8(1), 2]), as_int(1.5)
    (3, (1, 2), 1.5)
    """
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        try:
            return operator.index(value)
        except (TypeError, ValueError, RuntimeError):  # of an array, or a tensor, of several
            pass
    return tuple(map(as_int, value)) if isinstance(value, Iterable) and not isinstance(value, str) else value


def tops_of(top: int | Sequence[int], depth: int) -> list[int]:
    """Units to show at each level, from one number or one a level, checked."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise InputError(f"depth is {depth!r}; it counts layers below the target and must be at least 1.")
    if depth > LARGEST_DEPTH:
        raise InputError(f"depth is over {LARGEST_DEPTH}; it counts layers below the target, so give a smaller one.")
    tops = [top] * depth if isinstance(top, int) else list(top)
    if len(tops) != depth:
        raise InputError(f"top gives {len(tops)} numbers for a depth of {depth}; give one number, or one a level.")
    if any(isinstance(count, int) and count > LARGEST_TOP for count in tops):
        raise InputError(f"top is over {LARGEST_TOP}; it counts the units to show below each, so give a smaller one.")
    if any(isinstance(count, bool) or not isinstance(count, int) or count < 1 for count in tops):
        raise InputError(f"top is {top!r}; each number must be a whole number of at least 1.")
    return tops
