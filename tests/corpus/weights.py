"""Checkpoints: in the forms that training scripts write, and what is none."""

import argparse
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tests.support.corpus import NET, Case, Content


class Trap:
    """What a hostile file would hold: unpickling it makes a folder."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("trapped",)


def _state() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        parts = (
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Flatten(),
            nn.Linear(4, 4),
        )
        return nn.Sequential(*parts).state_dict()


STATE = _state()


def weights() -> Iterator[Case]:
    """Checkpoints that fit under all of their names, and files that cannot be weights."""
    under = {front: {front + name: value for name, value in STATE.items()} for front in _FRONTS}
    for name, content in {
        "plain": STATE,
        "epoch beside": {**STATE, "epoch": 3},
        "thop": {**STATE, "total_ops": torch.zeros(1)},
        **{f"under {front}": state for front, state in under.items()},
        **{f"key {key}": {key: STATE, "epoch": 3, "loss": 0.1} for key in _KEYS},
        "lightning": {"state_dict": under["model."], "hyper_parameters": {"lr": 1}},
        "lightning with a loss": {"state_dict": {**under["net."], "criterion.weight": torch.ones(3)}},
        "arguments beside": {"model": STATE, "args": argparse.Namespace(lr=1)},
        "half": {name: value.half() for name, value in STATE.items()},
        "bfloat16": {name: value.bfloat16() for name, value in STATE.items()},
        "double": {name: value.double() for name, value in STATE.items()},
        "average": {**under["module."], "n_averaged": torch.tensor(1)},
    }.items():
        yield _weights(name, "w.pth", _saved(content), exit=0)
    averaged = {"model": {name: value * 0 for name, value in STATE.items()}, "model_ema": STATE}
    yield _weights("average of a model", "w.pth", _saved(averaged), exit=0)
    yield _weights("safetensors", "w.safetensors", lambda path: save_file(STATE, path), exit=0)
    yield _weights("safetensors called otherwise", "w.bin", lambda path: save_file(STATE, path), exit=0)
    yield _weights("in parts", "w.safetensors.index.json", _in_parts, exit=0)
    yield _weights("old format", "w.pth", lambda path: _save_old(STATE, path), exit=0)
    for name, change in {
        "int8": lambda value: (value * 100).to(torch.int8),
        "int64": lambda value: value.long(),
        "bool": lambda value: value > 0,
        "complex": lambda value: value.to(torch.complex64),
        "sparse": lambda value: value.to_sparse(),
        "meta": lambda value: value.to("meta"),
        "NaN": lambda value: value * float("nan"),
        "infinite": lambda value: value * float("inf"),
        "transposed": lambda value: value.mT if value.dim() > 1 else value[:1],
    }.items():
        changed = {key: change(value) for key, value in STATE.items()}
        yield _weights(name, "w.pth", _saved(changed), exit=2)
    for name, content in {
        "trap among": {**STATE, "x": Trap()},
        "trap beside": {"model": STATE, "args": Trap()},
        "whole module": nn.Linear(2, 2),
        "list": list(STATE.values()),
        "empty": {},
        "number": 3,
        "one missing": dict(list(STATE.items())[1:]),
        "one more": {**STATE, "x": torch.ones(1)},
        "two that fit": {"teacher": STATE, "student": STATE | {}},
        "an expanded tensor": {**STATE, "x": torch.zeros(1).half().expand(10**10)},
        "an expanded weight": {**STATE, "0.weight": torch.zeros(1).expand(10**10)},
    }.items():
        yield _weights(name, "w.pth", _saved(content), exit=2)
    whole = _bytes_of(STATE)
    for kept in (0, 1, 60, len(whole) // 2, len(whole) - 8):
        yield _weights(f"cut at {kept}", "w.pth", whole[:kept], exit=2)
    for name, file, data in (
        ("html", "w.pth", b"<html>404</html>"),
        ("git lfs", "w.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        ("hdf5", "w.h5", b"\x89HDF\r\n\x1a\n" + bytes(90)),
        ("onnx", "w.onnx", b"\x08\x07"),
        ("zeros", "w.pth", bytes(9999)),
        ("gzip", "w.pth.gz", b"\x1f\x8b" + bytes(90)),
        ("a huge head", "w.safetensors", b"\xff" * 7 + b"\x7f{}"),
        ("a nested head", "w.safetensors", struct.pack("<Q", 50_000) + b"[" * 50_000),
        ("index of nothing", "w.json", b"{}"),
        ("index outside", "w.json", b'{"weight_map": {"0.weight": "../../etc/passwd"}}'),
        ("index of itself", "w.json", b'{"weight_map": {"0.weight": "w.json"}}'),
        ("index that is missing parts", "w.json", b'{"weight_map": {"0.weight": "x.bin"}}'),
        ("of any size", "w.pth", b"\x80\x02cbuiltins\nbytearray\nJ\0\xca\x9a\x3b\x85R."),
        ("code", "w.pt", b"cposix\nsystem\n(S'mkdir trapped'\ntR."),
    ):
        yield _weights(name, file, data, exit=2)
    yield _weights("packed zeros", "w.pth", _packed, exit=2)
    yield _weights("other archive", "w.pth", _other_archive, exit=2)


_FRONTS = ("module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "backbone.body.")
_KEYS = ("state_dict", "model_state_dict", "model", "net", "params", "weights", "ema", "whatever")


def _weights(name: str, file: str, content: Content, *, exit: int) -> Case:
    arguments = ("predict", "photo.png", *NET, "--weights", file, "--json")
    return Case(f"weights {name}", arguments, {file: content}, exit)


def _saved(content: object) -> Callable[[Path], object]:
    return lambda path: torch.save(content, path)


def _save_old(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def _bytes_of(content: object) -> bytes:
    import io

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _in_parts(path: Path) -> None:
    parts = {f"part-{at}.safetensors": list(STATE)[at::2] for at in range(2)}
    for file, some in parts.items():
        save_file({name: STATE[name] for name in some}, path.parent / file)
    path.write_text(json.dumps({"weight_map": {name: file for file, some in parts.items() for name in some}}))


def _packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}.")
        archive.writestr("w/data/0", bytes(200 * 2**20))


def _other_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.txt", "meow")
