"""On which device a network runs. This is the one place that decides; everything else asks `Network.device`.

Photos cross to the device at the entrances of a network and of its run (`Network.activations`, `Network.read`,
`ForwardCache.of`); sums in float64, and whatever numpy does, are done on the CPU. A network is prepared, fingerprinted
and checked on the CPU and moved last, so that its fingerprint does not depend on where it runs.
"""

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, TypeVar

import torch
from torch import Tensor, fx

from circuits.errors import InputError, did_you_mean

CPU = torch.device("cpu")
KINDS = ("auto", "cpu", "cuda", "mps")
TOLERANCE = 1e-3
"""Largest difference from the CPU's numbers, of their largest, with which a device is used."""
Result = TypeVar("Result")


def chosen_device(wanted: str | torch.device) -> torch.device:
    """The device that is meant.

    Args:
        wanted: `auto` is CUDA if it works, and else the CPU; `cpu`, `cuda`, `cuda:1`, `mps`, or a device. MPS is used
            only when it is asked for: several releases of torch computed wrong numbers there without a word.

    Raises:
        InputError: if there is no such device here.

    Example:
        >>> chosen_device("cpu")
        device(type='cpu')
    """
    if isinstance(wanted, str) and wanted == "auto":
        return torch.device("cuda") if torch.cuda.is_available() and _works(torch.device("cuda")) else CPU
    if isinstance(wanted, str) and wanted.partition(":")[0] not in KINDS:
        raise InputError(
            f"There is no device {wanted!r}{did_you_mean(wanted, KINDS)}; write auto, cpu, cuda, cuda:1 or mps."
        )
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise InputError(f"There is no device {str(wanted)!r}; write auto, cpu, cuda, cuda:1 or mps.") from error
    if device.type not in KINDS:
        raise InputError(f"Networks are not run on the device {str(device)!r}; write auto, cpu, cuda, cuda:1 or mps.")
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        there = f"there are {count}, counted from 0" if count else "PyTorch finds no NVIDIA GPU here"
        raise InputError(f"There is no device {str(device)!r}: {there}. Use --device cpu, or auto.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("There is no device 'mps': it needs a Mac with Apple's GPU. Use --device cpu, or auto.")
    if device.type in ("cuda", "mps") and not _works(device):
        raise InputError(f"The device {str(device)!r} is there but does not work with this PyTorch. Use --device cpu.")
    return device


def _works(device: torch.device) -> bool:
    """Whether a device adds up: a driver may be too old for what torch was built with."""
    try:
        return float((torch.ones(2, device=device) + 1).sum()) == 4.0
    except (RuntimeError, AssertionError):
        return False


def device_of(traced: fx.GraphModule) -> torch.device:
    """Where a prepared network's weights lie."""
    values = (value for group in (traced.parameters(), traced.buffers()) for value in group)
    return next((value.device for value in values), CPU)


def move(traced: fx.GraphModule, device: torch.device) -> None:
    """Move a prepared network's weights, and what its own code makes on a device by name; in place."""
    traced.to(device)
    for name, value in list(vars(traced).items()):  # constants of the graph, which are no buffers
        if isinstance(value, Tensor):
            setattr(traced, name, value.to(device))
    for node in traced.graph.nodes:
        if isinstance(node.kwargs.get("device"), str | torch.device):
            node.kwargs = {**node.kwargs, "device": device}
        elif node.op == "call_method" and node.target == "to":
            node.args = tuple(device if isinstance(arg, torch.device) else arg for arg in node.args)


class _FullDigits:
    """The switch of TF32, which is the process's own, off as long as anybody computes attributions."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, True

    def acquire(self) -> None:
        """Count one more that needs all digits."""
        with self._lock:
            if not self._users:
                self._before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
            self._users += 1

    def release(self) -> None:
        """Count one less, and put the switch back after the last."""
        with self._lock:
            self._users -= 1
            if not self._users:
                torch.backends.cudnn.allow_tf32 = self._before


_full_digits = _FullDigits()


class exact(ContextDecorator):  # noqa: N801  # a decorator
    """Where attributions are computed: with gradients, whoever calls, and with all digits that float32 has.

    On NVIDIA's tensor cores a convolution has the ten bits of TF32 unless it is told otherwise, with which books close
    to three digits.
    """

    def __enter__(self) -> "exact":
        self._inference = torch.inference_mode(False)
        self._inference.__enter__()
        _full_digits.acquire()
        return self

    def __exit__(self, *exception: Any) -> None:
        _full_digits.release()
        self._inference.__exit__(*exception)

    def _recreate_cm(self) -> "exact":
        return exact()  # a function may call itself, from several threads


def in_doubles(values: Tensor) -> Tensor:
    """Values in float64 on the CPU, where sums are taken that must not depend on their order; MPS has no float64."""
    return values.detach().to("cpu", torch.float64)


def halving(run: Callable[[Any], Result], items: Any) -> list[Result]:
    """Run something on items at once or, where the device has not enough memory, on halves of them, and so on.

    Args:
        run: what takes the items, or some of them in a row.
        items: a sequence, or a tensor of rows.

    Raises:
        InputError: if there is not enough for one.
    """
    try:
        return [run(items)]
    except torch.OutOfMemoryError as error:
        if len(items) < 2:
            raise InputError(
                "The device has not enough memory for one photo of this network; close what else uses it, or use "
                "--device cpu."
            ) from error
    torch.cuda.empty_cache()
    half = len(items) // 2
    return [*halving(run, items[:half]), *halving(run, items[half:])]
