"""The files of arrays of an atlas: safetensors, as they are or packed, `00003.safetensors.xz`."""

import json
import lzma
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

PACKED = ".xz"
FAULTS = (SafetensorError, lzma.LZMAError, OSError, KeyError, TypeError, ValueError)
"""What reading a damaged file raises."""
_MOST_BYTES = 2**30
"""Of what a packed file may hold."""


def metadata_of(file: Path) -> dict[str, str]:
    """What a file says beside its arrays."""
    if data := _unpacked(file):
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])  # the form of safetensors
        return dict(header["__metadata__"])
    with safe_open(file, "pt") as arrays:
        return dict(arrays.metadata() or {})


def arrays_of(file: Path, names: Sequence[str] | None = None) -> dict[str, Tensor]:
    """The arrays of a file, or some of them."""
    if data := _unpacked(file):
        every = load(data)
        return {name: every[name] for name in (every if names is None else names)}
    with safe_open(file, "pt") as arrays:
        return {name: arrays.get_tensor(name) for name in (arrays.keys() if names is None else names)}


def as_it_lies(file: Path) -> Path:
    """The file itself, or where there is only that, the packed one."""
    packed = file.with_name(file.name + PACKED)
    return packed if packed.is_file() and not file.is_file() else file


def _unpacked(file: Path) -> bytes:
    """The content of a file that is packed; nothing if it lies there as it is."""
    packed = as_it_lies(file)
    if packed == file:
        return b""
    reader = lzma.LZMADecompressor()
    data = reader.decompress(packed.read_bytes(), _MOST_BYTES)
    if not reader.eof:
        raise ValueError("it is cut off, or far too large")
    return data


def widened(values: Tensor) -> Tensor:
    """The same numbers in the types that an atlas is read in, whatever they are kept in."""
    return values.float() if values.is_floating_point() else values.to(torch.int64)
