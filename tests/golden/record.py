"""How golden files are written: plain values, large arrays and pictures as digests, nothing that tells the hour."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

_LARGE = 64
_SOME = 12
_BLOCKS = 4
_DATA_URI = re.compile(r"data:([a-z]+/[a-z0-9+.-]+);base64,([A-Za-z0-9+/=]{32,})")
_INSIDE = re.compile(r"(<(script|style)\b[^>]*>)(.*?)(</\2>)", re.DOTALL)
_NUMBERS = re.compile(r"\[[\s\d.,e+-]+\]")
_VERSIONS = re.compile(r'("versions"\s*:\s*)\{[^{}]*\}')
_ADDRESS = re.compile(r"indices/[0-9a-f]{32}")  # of an index; it hangs on where the photos lie
_TIMES = re.compile(r"\b\d+(\.\d+)? (ms|seconds?|minutes?)\b")


class Recorder:
    """Writes golden files into a folder.

    Args:
        folder: where to; made if it is missing.
        hidden: texts that differ from run to run, such as absolute paths, and what is written in their place.
    """

    def __init__(self, folder: Path, hidden: Mapping[str, str]) -> None:
        self.folder = folder
        self._hidden = dict(hidden)

    def json(self, name: str, value: object) -> None:
        """Write a value as JSON, `name.json`."""
        text = json.dumps(plain(value), ensure_ascii=False, indent=1)
        self._write(f"{name}.json", _NUMBERS.sub(lambda found: " ".join(found[0].split()), text))

    def text(self, name: str, text: str) -> None:
        """Write a text under a name that carries its ending: `.txt`, `.html`, `.svg` or `.graphml`."""
        self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        for found, instead in self._hidden.items():
            text = text.replace(found, instead)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(steady(text).rstrip("\n") + "\n", "utf-8")


def steady(text: str) -> str:
    """A text without version numbers and durations; data URIs and what is in scripts and styles as digests."""
    text = _DATA_URI.sub(lambda found: f"data:{found[1]};digest:{_sha256(found[2].encode())}", text)
    text = _ADDRESS.sub("indices/ADDRESS", _VERSIONS.sub(r"\1{}", text))
    return _INSIDE.sub(_digested, _TIMES.sub("TIME", text))


def _digested(found: re.Match[str]) -> str:
    words = " ".join(found[3].split())
    return f"{found[1]}digest:{_sha256(words.encode())}{found[4]}" if len(words) > _LARGE else found[0]


def plain(value: object) -> Any:
    """A value as JSON has it: units and paths as text, arrays and pictures by `summary` and `seen`."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return summary(value)
    if isinstance(value, Image.Image):
        return seen(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(each) for each in value)
    if type(value).__name__ in ("Unit", "PosixPath"):
        return str(value)
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value) if each.repr}
    raise TypeError(f"{type(value).__name__} is not written to golden files.")


def summary(values: np.ndarray | torch.Tensor) -> dict[str, Any]:
    """An array: its shape and, if it is small, all of it, else its digest and some of its values."""
    array = values.detach().numpy() if isinstance(values, torch.Tensor) else values
    told: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.size <= _LARGE:
        return told | {"values": flat.tolist()}
    wide = flat.astype(np.float64)
    some = flat[np.linspace(0, flat.size - 1, _SOME).astype(int)]
    return told | {
        "digest": f"digest:{_sha256(flat.tobytes())}",
        "mean": float(wide.mean()),
        "magnitude": float(np.abs(wide).mean()),
        "extremes": [float(wide.min()), float(wide.max())],
        "some": some.tolist(),
    }


def seen(image: Image.Image) -> dict[str, Any]:
    """A picture: its size, the digest of its pixels, and the mean colours of a few blocks."""
    pixels = np.asarray(image.convert("RGBA" if image.mode == "RGBA" else "RGB"))
    rows = [part.mean((0, 1)) for row in np.array_split(pixels, _BLOCKS) for part in np.array_split(row, _BLOCKS, 1)]
    return {
        "size": list(image.size),
        "mode": image.mode,
        "digest": f"digest:{_sha256(np.asarray(image).tobytes())}",
        "blocks": [round(float(value), 3) for row in rows for value in row],
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
