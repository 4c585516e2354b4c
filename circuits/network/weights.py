"""Find the weights of a network in a checkpoint, under whatever names they have there, and load them.

1. Every state dict in the file is a candidate (`circuits.network.checkpoints`).
2. Its names are taken as they are if they are those of the network. Only else is a path in front of all of them
   (`module.`, `model.`, `_orig_mod.`, a field of a training script) left out, where that makes them fit; and wrappers
   inside of names (`features.module.0`). What a module's own hooks rename, such as the weight norms of older
   versions of torch, is renamed.
3. Of several that fit, averaged weights (EMA) come first, then the usual names; which was taken is said.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from circuits.errors import InputError, listed, printable
from circuits.network.checkpoints import part_of, read_state_dicts, refuse_code

_EXTRAS = ("num_batches_tracked", "total_ops", "total_params")
"""Counters that batch norms and profilers leave in a state dict; a network runs without them."""
_WRAPPERS = ("module", "_orig_mod")
_AVERAGED = re.compile(r"(^|[._])(ema|swa)($|[._])")
_USUAL = ("", "state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module")


@dataclass(frozen=True)
class Weights:
    """Tensors under the names of a network.

    Args:
        tensors: by name, as the file has them: of its dtypes, not copied.
        source: which they are, as files and the page say it: `file:net.pth`, or `file:net.pth, model_ema` where the
            file holds several that fit.
    """

    tensors: dict[str, Tensor]
    source: str


@dataclass(frozen=True)
class _Candidate:
    label: str
    tensors: dict[str, Tensor]
    faults: list[str]
    found: int

    @property
    def rank(self) -> int:
        """How likely it is the one that is meant, 0 for the most likely."""
        names = [name for name in self.label.split(".") if name]
        usual = [_USUAL.index(name) for name in names if name in _USUAL]
        if _AVERAGED.search(self.label):
            return 0
        return 1 + (min(usual, default=0) if len(usual) == len(names) else len(_USUAL))


def load_weights(module: nn.Module, path: str | Path) -> str:
    """Load a checkpoint strictly, in place, and say which weights were taken (`Weights.source`).

    Raises:
        InputError: if the file cannot be read, or its weights do not fit; the sentence says which.
    """
    weights = read_weights(path, module)
    fit_weights(module, weights.tensors, what=f"The weights in {str(path)!r}", hint=part_of(path))
    return weights.source


def read_weights(path: str | Path, module: nn.Module) -> Weights:
    """The state dict in a checkpoint that fits a module, or the one that comes closest.

    Args:
        path: a `.safetensors` file, a file of `torch.save`, or the index of one in several parts.
        module: whose names count.

    Raises:
        InputError: if there is no such file, it holds no weights, or several that fit as well.

    Example:
        >>> import tempfile
        >>> net = nn.Linear(2, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"epoch": 3, "state_dict": nn.DataParallel(net).state_dict()}, f"{folder}/net.pth")
        ...     sorted(read_weights(f"{folder}/net.pth", net).tensors)
        ['bias', 'weight']
    """
    expected = module.state_dict()
    source = f"file:{printable(Path(path).name)}"
    candidates = []
    for state in read_state_dicts(path):
        for prefix, tensors in _views(state.tensors, expected):
            label = f"{state.label}.{prefix}".strip(".")
            if faults := _faults(expected, tensors):
                tensors = _under_todays_names(module, tensors)
                faults = _faults(expected, tensors)
            found = sum(name in expected for name in tensors)
            candidates.append((_Candidate(label, tensors, faults, found), state))
    fitting = sorted((each for each in candidates if not each[0].faults), key=lambda each: each[0].rank)
    best, state = fitting[0] if fitting else max(candidates, key=lambda each: each[0].found)
    refuse_code(path, state)
    if len(fitting) > 1:
        if (same := [each.label for each, _ in fitting if each.rank == best.rank])[1:]:
            raise InputError(
                f"{str(path)!r} holds several weights that fit: {listed(same, limit=4)}; save the ones that are meant."
            )
        source += f", {printable(best.label) or 'top level'}"
    return Weights(best.tensors, source)


def _under_todays_names(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as a module's own hooks rename them when it loads a state dict, such as those of a weight norm of old."""
    renamed = dict(tensors)
    try:
        for path, part in module.named_modules():
            for hook in part._load_state_dict_pre_hooks.values():
                hook(renamed, f"{path}." if path else "", {}, True, [], [], [])
    except Exception:  # the user's code may raise anything
        return dict(tensors)
    return {name: value for name, value in renamed.items() if isinstance(value, Tensor)}


def _views(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The tensors under the names of a network: as they are; else without a path in front, or wrappers inside."""
    as_is = _without_extras(tensors, expected)
    yield "", as_is
    needed = [name for name in expected if not name.endswith(_EXTRAS)]
    if not needed or all(name in tensors for name in needed):
        return
    yielded = False
    plain = {_unwrapped(name): name for name in expected}
    unwrapped = {_unwrapped(name): value for name, value in tensors.items()}
    for names, values in (({name: name for name in expected}, tensors), (plain, unwrapped)):
        if yielded or len(names) < len(expected) or len(values) < len(tensors):
            return  # two names have become one
        wanted = [name for name, own in names.items() if not own.endswith(_EXTRAS)]
        end = f".{wanted[0]}"
        fronts = [name.removesuffix(end[1:]) for name in values if f".{name}".endswith(end)]
        for front in fronts:
            if all(front + name in values for name in wanted):
                kept = {name.removeprefix(front): value for name, value in values.items() if name.startswith(front)}
                renamed = {names.get(name, name): value for name, value in kept.items()}
                yield front, _without_extras(renamed, expected)
                yielded = True


def _unwrapped(name: str) -> str:
    """A name without the modules that only wrap others.

    >>> _unwrapped("module.features._orig_mod.0.weight")
    'features.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _without_extras(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if name in expected or not name.endswith(_EXTRAS)}


def fit_weights(module: nn.Module, state: Mapping[str, Tensor], *, what: str, hint: str = "") -> None:
    """Load a state dict strictly. Names, shapes and dtypes are compared before anything is converted.

    Args:
        module: takes the weights, in place.
        state: names to tensors.
        what: how the error calls the weights.
        hint: what else the error says, a sentence.

    Raises:
        InputError: if names are missing or unknown, or shapes or kinds of numbers differ; the sentence says which.
    """
    expected = module.state_dict()
    if faults := _faults(expected, state):
        raise InputError(f"{what} do not fit the network: {'; '.join(faults)}.{hint}")
    counters = {name for name in state if name.endswith(_EXTRAS)}
    module.load_state_dict({name: value for name, value in state.items() if name not in counters}, strict=False)


def _faults(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What keeps a state dict from being loaded, said for people."""
    both = [name for name in expected if name in state and not name.endswith(_EXTRAS)]
    shapes = [
        f"{name} is {tuple(state[name].shape)} and should be {tuple(expected[name].shape)}"
        for name in both
        if not (is_lazy(expected[name]) or state[name].is_nested) and state[name].shape != expected[name].shape
    ]
    kinds = [
        f"{name} is {_kind(state[name])} and should be {_kind(expected[name])}"
        for name in both
        if not _converts(state[name], expected[name])
    ]
    missing = [name for name in expected if name not in state and not name.endswith(_EXTRAS)]
    unknown = [name for name in state if name not in expected]
    parts = [
        _some("missing", missing), _some("unknown", unknown), _some("of another shape", shapes),
        _some("not converted, so save them as the network has them", kinds),
    ]  # fmt: skip
    return [part for part in parts if part]


def _some(what: str, names: list[str]) -> str:
    return f"{what}: {listed(map(printable, names), limit=4)}" if names else ""


def _kind(value: Tensor) -> str:
    form = "nested " if value.is_nested else "" if value.layout == torch.strided else "sparse "
    return form + str(value.dtype).removeprefix("torch.") + (" without data" if value.is_meta else "")


def _converts(given: Tensor, own: Tensor) -> bool:
    """Whether one tensor's numbers can be the other's: floats those of any floats, whole numbers of whole ones."""
    if given.layout != torch.strided or given.is_meta or given.is_quantized or given.is_nested:
        return False
    kinds = [(each.is_floating_point(), each.is_complex(), each.dtype == torch.bool) for each in (given, own)]
    return kinds[0] == kinds[1]
