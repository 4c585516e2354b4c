"""What a network of another library brings, and what loading any of them needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import nn

from circuits.errors import InputError
from circuits.image.preprocessing import Preprocessing


@dataclass(frozen=True)
class Pretrained:
    """A network of another library, and what it brings.

    Args:
        module: the network.
        source: where its weights come from, as files say it.
        preprocessing: how it is shown a photo.
        labels: of its classes, if they are known.
        multi_label: whether each class is judged on its own, if that is known.
    """

    module: nn.Module
    source: str
    preprocessing: Preprocessing
    labels: Sequence[str] | None
    multi_label: bool | None = None


def optional(package: str, what: str, extra: str) -> Any:
    """Import a package that one of our extras brings.

    Raises:
        InputError: if it is not installed; the sentence says how to get it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(
            f"{what} needs the package {package.replace('_', '-')}; pip install 'circuit-explorer[{extra}]' brings it."
        ) from error


@contextmanager
def seeded() -> Iterator[None]:
    """Draw random weights from a seed, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def reason(error: Exception) -> str:
    """What an error of another library says, in a line."""
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return words if len(words) < 160 else f"{words[:160]} …"
