"""Run the code of a user's network: what it prints, imports and changes must not reach what runs beside it.

While it runs, as `python file.py` would run it without arguments,

1. what it prints goes to standard error, because standard output is for answers;
2. modules that lie beside the file are found, from whichever folder we are called, and forgotten afterwards, so that
   two networks may each have a `utils.py`;
3. an exit is an error of the file, unless what was asked for is defined by then;
4. the working folder, `sys.path`, `sys.argv`, torch's default type and device, and whether gradients are recorded are
   put back.
"""

import argparse
import ast
import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from unittest import mock

import torch
from torch import nn

from circuits.errors import CircuitsError, InputError, UnknownError, listed

_INSTALLED = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


@contextmanager
def run_own_code(path: str) -> Iterator[None]:
    """Run the block as code of the user's own.

    Args:
        path: `path/to/file.py:Factory` or `package.module:Factory`.
    """
    where = path.rpartition(":")[0]
    folder = Path(where).resolve().parent if where.endswith(".py") else None
    is_recording, device, dtype = torch.is_grad_enabled(), torch.get_default_device(), torch.get_default_dtype()
    before = os.getcwd()
    try:
        with redirect_stdout(sys.stderr), mock.patch.object(sys, "argv", [where]), _found(folder):
            yield
    finally:
        os.chdir(before)
        torch.set_grad_enabled(is_recording)
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)


@contextmanager
def _found(folder: Path | None) -> Iterator[None]:
    """Let modules of a folder be found first, and forget them afterwards; those of other folders come back."""
    paths = list(sys.path)
    inside = _names_in(folder) if folder else set()
    hidden = {name: module for name, module in sys.modules.items() if _is_other(name, module, inside, folder)}
    known = set(sys.modules) - set(hidden)
    for name in hidden:
        del sys.modules[name]
    if folder:
        sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = paths
        new = set(sys.modules) - known
        for name in [name for name in new if name.partition(".")[0] in inside and not _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)
        importlib.invalidate_caches()


def _names_in(folder: Path) -> set[str]:
    """Names that an `import` would find in a folder."""
    try:
        return {each.stem for each in folder.iterdir() if each.suffix == ".py" or each.is_dir()}
    except OSError:
        return set()


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in ("circuits", "dashboard", "__main__")


def _is_other(name: str, module: Any, inside: set[str], folder: Path | None) -> bool:
    """Whether a module that is loaded has a name of the folder's, but is another's that is not installed."""
    if name.partition(".")[0] not in inside or _is_ours(name):
        return False
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or file.startswith(_INSTALLED):
        return False
    return folder not in Path(file).resolve().parents


def check_file(path: str) -> None:
    """Refuse `path/to/file.py:Factory` whose file is not there.

    Raises:
        InputError: if there is no such file.
    """
    where, colon, _ = path.rpartition(":")
    if colon and not where.strip():
        raise InputError(f"{path!r} names no file; write path/to/file.py:Factory.")
    if where.endswith(".py") and not Path(where).is_file():
        raise InputError(f"There is no file {where!r}; write path/to/file.py:Factory.")


def without_factory(file: str) -> str:
    """What is wrong with a file of code that is named without its factory, and what to write; none of it is run."""
    if not Path(file).is_file():
        return f"There is no file {file!r}; write path/to/file.py:Factory."
    names = _names_in_text(file)
    if not names:
        return f"{file!r} is a file of code: write what makes the network too, as in {file}:Factory."
    return f"{file!r} is a file of code; it has {listed(names)}: write {file}:{names[0]}."


def _names_in_text(file: str) -> list[str]:
    """What a file defines that may make a network, as its text has it: modules, else what can be called."""
    try:
        lines = ast.parse(Path(file).read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    bases = {line.name: {ast.unparse(base) for base in line.bases} for line in lines if isinstance(line, ast.ClassDef)}
    modules: list[str] = []
    for name, above in bases.items():  # a base comes before what is made from it
        if any(base in modules or base.endswith("Module") for base in above):
            modules.append(name)
    functions = [line.name for line in lines if isinstance(line, ast.FunctionDef) and not line.name.startswith("_")]
    made = [
        target.id
        for line in lines
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call)
        for target in line.targets
        if isinstance(target, ast.Name)
    ]
    return modules or [*functions, *bases] or made


def find_factory(path: str) -> object:
    """What `path/to/file.py:Factory` or `package.module:Factory` names; the file's code is run.

    Raises:
        InputError: if the file does not exist, fails, or leaves before it has defined that name.
        UnknownError: if it has no such name.
    """
    check_file(path)
    where, _, name = path.rpartition(":")
    loaded: ModuleType | None = None
    try:
        with mock.patch.object(argparse.ArgumentParser, "error", _refuse_arguments):
            if where.endswith(".py"):
                loaded = _module_of(where)
                loaded.__spec__.loader.exec_module(loaded)  # type: ignore[union-attr]
            else:
                loaded = importlib.import_module(where)
    except SystemExit as left:
        if loaded is None or not hasattr(loaded, name):
            code = "" if left.code is None else repr(left.code)
            raise InputError(
                f"{where!r} leaves with sys.exit({code}) before it has defined {name}; put what only a script does "
                'under if __name__ == "__main__".'
            ) from left
    except _ArgumentsError as error:
        raise InputError(f"{where!r} could not be run: {error}.") from error
    except Exception as error:  # the user's code may raise anything
        raise InputError(f"{where!r} could not be run: {_said(error)}.") from error
    if not hasattr(loaded, name):
        raise UnknownError(f"{where!r} has no {name!r}; it has {listed(_own_names(loaded))}.")
    factory: object = getattr(loaded, name)
    return factory


def _own_names(loaded: ModuleType | None) -> list[str]:
    """The classes and functions that a file defines; of those that are modules of torch, if there are such, these."""
    own = [
        (name, value)
        for name, value in vars(loaded).items()
        if getattr(value, "__module__", None) == getattr(loaded, "__name__", "") and callable(value)
    ]
    modules = [name for name, value in own if isinstance(value, type) and issubclass(value, nn.Module)]
    return modules or [name for name, _ in own if not name.startswith("_")]


def call_factory(factory: object, path: str) -> nn.Module:
    """The module that a factory makes, or that it is.

    Raises:
        InputError: if it cannot be called without arguments, or gives something else.
    """
    try:
        module = factory if isinstance(factory, nn.Module) else factory()  # type: ignore[operator]  # checked below
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise InputError(f"{path!r} could not be called without arguments: {_said(error)}.") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{path!r} gave a {type(module).__name__}; it must give a torch.nn.Module.")
    return module


def _said(error: BaseException) -> str:
    said = str(error) if isinstance(error, CircuitsError) else f"{type(error).__name__}: {error}"
    return said.rstrip(".: ")


def _module_of(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"circuits_own_{Path(path).stem}", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    return module


class _ArgumentsError(Exception):
    """In place of a usage and an exit."""


def _refuse_arguments(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    raise _ArgumentsError(f"it reads a command line of its own, which is empty here ({message})")
