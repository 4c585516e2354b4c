"""Sums in fixed point: whole numbers of 64 bits, so that adding them in any order gives the same bits.

A number x is kept as round(x · 2^bits). Sums have 24 bits behind the point, squares more, because most are small.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from circuits.errors import InputError

SUM, SQUARE, LINK_SQUARE = 24, 32, 40
"""Bits behind the point: of sums, of the squares of a unit's numbers, of those of links."""
_MOST = 2.0**62
_NARROW = (torch.uint8, torch.int16, torch.int32)


def to_fixed(values: Tensor, bits: int, what: str) -> Int64[Tensor, "*shape"]:
    """Numbers in fixed point.

    Args:
        values: finite numbers.
        bits: behind the point.
        what: they are, for the sentence if they are too large.

    Raises:
        InputError: if one does not fit, because the network's numbers are far too large.

    Example:
        >>> to_fixed(torch.tensor([0.5, -1.0]), 24, "sums").tolist()
        [8388608, -16777216]
    """
    scaled = values.detach().to("cpu", torch.float64) * 2.0**bits
    if scaled.numel() and not bool((scaled.abs() < _MOST).all()):
        raise _too_large(what, float(values.abs().max()), bits)
    return scaled.round().to(torch.int64)


def from_fixed(values: Tensor, bits: int) -> Tensor:
    """The numbers that are kept in fixed point, in float64."""
    return values.to(torch.float64) / 2.0**bits


def added(one: Tensor, other: Tensor, what: str) -> Int64[Tensor, "*shape"]:
    """The sum of two arrays of whole numbers.

    Raises:
        InputError: if a sum does not fit into 64 bits.

    Example:
        >>> added(torch.tensor([2**62]), torch.tensor([2**62]), "sums")
        Traceback (most recent call last):
        circuits.errors.InputError: The sums overflow: ...
    """
    one, other = one.to(torch.int64), other.to(torch.int64)
    total = one + other
    if bool((((one ^ total) & (other ^ total)) < 0).any()):
        raise InputError(
            f"The {what} overflow: what is added up over the photos does not fit into 64 bits; use fewer photos, or a "
            "network whose logits are smaller."
        )
    return total


def narrowed(values: Tensor) -> Tensor:
    """The same whole numbers in the smallest type that holds all of them, which a file is written in.

    Example:
        >>> narrowed(torch.tensor([3, 300])).dtype, narrowed(torch.tensor([-1, 2**40])).dtype
        (torch.int16, torch.int64)
    """
    if not values.numel():
        return values.to(torch.uint8)
    low, high = int(values.min()), int(values.max())
    fits = (kind for kind in _NARROW if torch.iinfo(kind).min <= low and high <= torch.iinfo(kind).max)
    return values.to(next(fits, torch.int64))


def total(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The sums of several arrays by name."""
    found = {name: value.to(torch.int64) for name, value in parts[0].items()} if parts else {}
    for part in parts[1:]:
        for name, value in part.items():
            found[name] = added(found[name], value, name.split(".")[0])
    return found


def _too_large(what: str, largest: float, bits: int) -> InputError:
    return InputError(
        f"The {what} reach {largest:.3g}, and at most {_MOST / 2.0**bits:.3g} fits into an atlas; its numbers are "
        "meant for logits of ordinary size."
    )
