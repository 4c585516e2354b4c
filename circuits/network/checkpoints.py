"""Read checkpoints: the state dicts in a file of weights, whoever wrote it and however deep they lie in it.

No file runs code: `torch.load` reads with `weights_only=True`, and what is neither a tensor nor plain data, such as the
arguments of somebody's training script, is put in by an empty stand-in. Nothing is converted or copied here, so that a
file asks for no more memory than it has bytes.
"""

import mmap
import pickle
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor

from circuits.errors import InputError, listed
from circuits.files import read_json, refuse_address

_DEEPEST = 8
_MOST_GROWTH = 64 * 2**20
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.")
_lock = threading.Lock()  # torch keeps what may stand in a file for the whole process


@dataclass(frozen=True)
class StateDict:
    """Tensors by their names, as they lie somewhere in a file.

    Args:
        label: the keys that lead there, with dots between; empty at the top.
        tensors: by name.
        code: name of a class that stands among the tensors, and whose code was not run; empty if there is none.
    """

    label: str
    tensors: Mapping[str, Tensor]
    code: str = ""


class _StandIn(list[Any]):
    """Put in where a file names a class or function of somebody's own: takes anything, does and holds nothing."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        """Forget what it was."""


def check_weights_file(path: Path) -> None:
    """Refuse a file of weights that is not there.

    Raises:
        InputError: if there is no such file.
    """
    if not path.is_file():
        refuse_address(path)
        raise InputError(f"There is no weights file {str(path)!r}; give a .safetensors or .pth file that exists.")


def read_state_dicts(path: str | Path) -> list[StateDict]:
    """All state dicts in a checkpoint, those at the top first.

    Args:
        path: a `.safetensors` file, a file of `torch.save`, or the index of one in several parts
            (`model.safetensors.index.json`, `pytorch_model.bin.index.json`).

    Raises:
        InputError: if there is no such file, or it holds no state dict; the sentence says what it is instead.
    """
    path = Path(path)
    check_weights_file(path)
    content = _read_parts(path) if path.suffix == ".json" else _read(path)
    if isinstance(content, _StandIn):
        name = type(content).__name__.rpartition(".")[2]
        raise InputError(_refused_code(path, f"a whole {name}, "))
    found = [state for state in _walk(content, "", 0, set()) if state.tensors]
    if not found:
        raise InputError(
            f"{str(path)!r} holds no state dict of tensors; save one with torch.save(module.state_dict(), path)."
        )
    if path.suffix != ".json" and _bytes(found) > path.stat().st_size + _MOST_GROWTH:
        raise InputError(f"{_unreadable(path)}: its tensors claim more bytes than it has; it may be damaged.")
    return found


def _bytes(states: list[StateDict]) -> int:
    """Size of the memory behind the tensors; what several share counts once."""
    tensors = [value for state in states for value in state.tensors.values()]
    storages = [value.untyped_storage() for value in tensors if value.layout == torch.strided and not value.is_meta]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def refuse_code(path: str | Path, state: StateDict) -> None:
    """Refuse a state dict in which a class of somebody's own stands among the tensors.

    Raises:
        InputError: if one does.
    """
    if state.code:
        raise InputError(_refused_code(path, ""))


def _refused_code(path: str | Path, what: str) -> str:
    return (
        f"{str(path)!r} holds pickled code, {what}which is never run here; save only the state dict, "
        "torch.save(module.state_dict(), path), or a .safetensors file."
    )


def _walk(value: object, label: str, depth: int, seen: set[int]) -> Iterator[StateDict]:
    """The state dicts in nested dictionaries and lists, from the top down."""
    is_list = isinstance(value, tuple | list) and not isinstance(value, _StandIn)
    if not (is_list or isinstance(value, Mapping)) or depth > _DEEPEST or id(value) in seen:
        return
    seen.add(id(value))
    if not isinstance(value, Mapping):
        for place, each in enumerate(cast(list[object], value)):
            yield from _walk(each, f"{label}.{place}".removeprefix("."), depth + 1, seen)
        return
    tensors = {str(name): each for name, each in value.items() if isinstance(each, Tensor)}
    code = next((type(each).__name__ for each in value.values() if isinstance(each, _StandIn)), "")
    yield StateDict(label, tensors, code)
    for name, each in value.items():
        yield from _walk(each, f"{label}.{name}".removeprefix("."), depth + 1, seen)


def _read(path: Path) -> object:
    """What one file holds."""
    if said := _what_else(path):
        raise InputError(f"{_unreadable(path)}: it is {said}.")
    try:
        return load_file(path) if _is_safetensors(path) else _load(path)
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        # These are torch's words if the file names a class or function; others mean that its bytes make no sense.
        if any(sign in str(error) for sign in ("GLOBAL", "call reduce", "create new object", "Can only")):
            raise InputError(_refused_code(path, "")) from error
        raise InputError(f"{_unreadable(path)}; it may be damaged.") from error
    except Exception as error:  # a damaged file may raise anything
        raise InputError(f"{_unreadable(path)}; it may be damaged.") from error


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins as that format does, or is called so: the length of a JSON object, and the object."""
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix == ".safetensors" or (start[8:] == b"{" and int.from_bytes(start[:8], "little") < 2**27)


def _unreadable(path: Path) -> str:
    return f"{str(path)!r} could not be read as weights (.safetensors, or a .pth state dict)"


def _load(path: Path) -> object:
    """What `torch.save` wrote; what it names that is no plain data becomes a stand-in."""
    named = []
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_archive(path, archive)
        named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    else:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _refuse_sized(path, data.find(_OF_ANY_SIZE) >= 0)
    stand_ins: list[Any] = [(type(name, (_StandIn,), {}), name) for name in named]
    with _lock, torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a pickle protocol that it can read all the same
        return torch.load(path, map_location="cpu", weights_only=True)


def _check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive of something else, and one that would unpack to far more than it is: torch packs none."""
    members = archive.infolist()
    names = [member.filename.rpartition("/")[2] for member in members]
    if "constants.pkl" in names:
        raise InputError(
            f"{str(path)!r} is a TorchScript archive, whose code is never run here; save its weights alone, "
            "torch.save(torch.jit.load(path).state_dict(), other)."
        )
    if "data.pkl" not in names:
        kind = "an exported program" if any("archive_format" in name for name in names) else "a zip archive"
        raise InputError(f"{_unreadable(path)}: it is {kind} of other things; {_SAVE}.")
    if sum(member.file_size for member in members) > path.stat().st_size + _MOST_GROWTH:
        raise InputError(f"{_unreadable(path)}: it would unpack to far more than it is; it may be damaged.")
    pickled = next(member for member in members if member.filename.endswith("data.pkl"))
    _refuse_sized(path, _OF_ANY_SIZE in archive.read(pickled))


_OF_ANY_SIZE = b"bytearray"
"""What torch takes for plain data, and what a few bytes can ask any number of bytes of."""


def _refuse_sized(path: Path, found: bool) -> None:
    if found:
        raise InputError(_refused_code(path, ""))


_SAVE = "save the state dict with torch.save(module.state_dict(), path)"
_STARTS = (
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras writes it; {_SAVE}"),
    (b"GGUF", f"a GGUF file; {_SAVE}"),
    (b"version https://git-lfs", "a pointer of Git LFS and not the weights; fetch them with git lfs pull"),
    (b"\x1f\x8b", "compressed (gzip); unpack it first"),
    (b"\xfd7zXZ", "compressed (xz); unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed (Zstandard); unpack it first"),
    (b"\x93NUMPY", f"a numpy array; {_SAVE}"),
)
_ENDINGS = {
    ".onnx": "an ONNX graph", ".pb": "a TensorFlow graph", ".tflite": "a TensorFlow Lite graph",
    ".mlmodel": "a Core ML network", ".h5": "a Keras network", ".keras": "a Keras network", ".npz": "numpy arrays",
    ".pt2": "an exported program", ".pdparams": "Paddle's weights", ".msgpack": "Flax's weights",
}  # fmt: skip


def _what_else(path: Path) -> str:
    """What a file is that is no checkpoint, and what to do; empty if nothing says so."""
    with path.open("rb") as file:
        start = file.read(512)
    for mark, said in _STARTS:
        if start.startswith(mark):
            return said
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page, perhaps what a download gave instead; download the file itself"
    ending = _ENDINGS.get(path.suffix.lower())
    return f"{ending}, and PyTorch's weights are wanted; {_SAVE}" if ending else ""


def _read_parts(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint in several parts, by its index."""
    index = read_json(path)
    parts = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(parts, dict) or not parts or not all(isinstance(name, str) for name in parts.values()):
        raise InputError(
            f"{str(path)!r} is no index of weights; that has a weight_map, as in model.safetensors.index.json."
        )
    files = dict.fromkeys(parts.values())
    if strange := [name for name in files if Path(name).name != name or name.endswith(".json")]:
        raise InputError(
            f"{str(path)!r} names parts that are no files of weights beside it: {listed(map(repr, strange), limit=2)}."
        )
    if missing := [name for name in files if not (path.parent / name).is_file()]:
        raise InputError(
            f"{str(path)!r} has {len(files)} parts, of which are missing: {listed(missing, limit=4)}; put all of them "
            "into its folder."
        )
    tensors: dict[str, Tensor] = {}
    for name in files:
        state = read_state_dicts(path.parent / name)[0]
        refuse_code(path.parent / name, state)
        tensors |= {each: value for each, value in state.tensors.items() if parts.get(each) == name}
    if lost := [name for name in parts if name not in tensors]:
        raise InputError(f"{str(path)!r} names weights that its parts lack: {listed(lost, limit=4)}.")
    return tensors


def part_of(path: str | Path) -> str:
    """For one of several parts of a checkpoint what to give instead, as the end of a sentence; else nothing.

    >>> part_of("model-00001-of-00002.safetensors")
    ' It is one part of several; give their index, such as model.safetensors.index.json.'
    """
    if not _SHARD.search(Path(path).name):
        return ""
    index = f"{_SHARD.sub('.', Path(path).name)}.index.json"
    return f" It is one part of several; give their index, such as {index}."
