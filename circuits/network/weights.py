"""Read weights and labels from files, safely and with clear errors when they do not fit."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from circuits.errors import InputError, listed


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The parameters in a `.safetensors` file or a `.pth` / `.pt` state dict, as float32 on the CPU.

    A state dict is loaded with `weights_only=True`, so that a file can never run code. One nested under `state_dict`
    or `model`, and names that begin with `module.`, are unwrapped.

    Raises:
        InputError: if there is no such file, or it is not a file of weights.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no weights file {str(path)!r}; give a .safetensors or .pth file that exists.")
    try:
        if path.suffix == ".safetensors":
            state: object = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a pickle protocol that it can read all the same
                state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise InputError(_why_unreadable(path, error)) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(
            f"{str(path)!r} holds no state dict of tensors; save one with torch.save(module.state_dict(), path)."
        )
    plain = {str(name).removeprefix("module."): value for name, value in state.items()}
    return {name: value.float() if value.is_floating_point() else value for name, value in plain.items()}


def _why_unreadable(path: Path, error: Exception) -> str:
    # These are torch's words if the file names a class or function; others mean that its bytes make no sense.
    if isinstance(error, pickle.UnpicklingError) and any(sign in str(error) for sign in ("GLOBAL", "call reduce")):
        return (
            f"{str(path)!r} holds pickled code, which is never run here; save only the state dict, "
            "torch.save(module.state_dict(), path), or a .safetensors file."
        )
    return f"{str(path)!r} could not be read as weights (.safetensors, or a .pth state dict); it may be damaged."


def fit_weights(module: nn.Module, state: Mapping[str, Tensor], *, what: str) -> None:
    """Load a state dict strictly.

    Args:
        module: takes the weights, in place.
        state: names to tensors.
        what: how the error calls the weights.

    Raises:
        InputError: if names are missing or unknown, or shapes differ; the sentence says which.
    """
    expected = module.state_dict()
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = [name for name in expected if name not in state and name not in optional]
    unknown = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {tuple(state[name].shape)} and should be {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    wrong = [_some("missing", missing), _some("unknown", unknown), _some("of another shape", shapes)]
    if any(wrong):
        raise InputError(f"{what} do not fit the network: {'; '.join(part for part in wrong if part)}.")
    module.load_state_dict(dict(state), strict=False)


def _some(what: str, names: list[str]) -> str:
    return f"{what}: {listed(names, limit=4)}" if names else ""


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Labels of the classes from a text file, one a line, or a TSV file whose last column is the label.

    Where the first column of a TSV file counts the classes, the lines may stand in any order.

    Raises:
        InputError: if the file cannot be read as UTF-8 text or holds no labels.
    """
    try:
        lines = [line for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The labels in {str(path)!r} could not be read; give UTF-8 text, one a line.") from error
    rows = [[cell.strip() for cell in line.split("\t")] for line in lines]
    if not rows:
        raise InputError(f"{str(path)!r} holds no labels; write one a line, in the order of the network's classes.")
    if all(len(row) > 1 and row[0].isdecimal() for row in rows):
        numbers = [int(row[0]) for row in rows]
        if sorted(numbers) == list(range(min(numbers), min(numbers) + len(rows))):
            rows = [row for _, row in sorted(zip(numbers, rows, strict=True), key=lambda pair: pair[0])]
    return tuple(row[-1] for row in rows)
