"""Time and memory of a piece of work, and what the machine could do at most."""

import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_MIB = 2**20


def median_seconds(work: Callable[[], object], *, at_most: int, within: float) -> float:
    """Median time of some work, which has run once before: of as many runs as fit in a time, one at least."""
    times: list[float] = []
    while not times or (len(times) < at_most and sum(times) + times[-1] < within):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def least_seconds(works: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """The least processor time of each of some pieces of work, done by turns."""
    least = [float("inf")] * len(works)
    for _ in range(repeats):
        for number, work in enumerate(works):
            start = time.process_time()
            work()
            least[number] = min(least[number], time.process_time() - start)
    return least


def forget_peak() -> None:
    """Hand freed memory back, and let the peak of this process's memory start anew at what it holds now.

    Linux with glibc: malloc_trim(3), and `clear_refs` of proc(5).
    """
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def memory_mib(pid: int | str = "self", what: str = "VmRSS") -> float:
    """Memory of a process that lies in RAM, in MiB: now (`VmRSS`) or at its peak (`VmHWM`).

    Raises:
        LookupError: if the system does not say.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024 / _MIB
    raise LookupError(f"/proc/{pid}/status does not say {what}; this system ({sys.platform}) is not measured.")


def peak_flops(seconds: float = 1.5) -> float:
    """Floating-point operations a second in a large convolution, the best of several: 3 × 3, 256 channels to 256."""
    x = torch.randn(4, 256, 56, 56).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(256, 256, 3, 3).contiguous(memory_format=torch.channels_last)
    work = flops_of(lambda: F.conv2d(x, weight, padding=1))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        F.conv2d(x, weight, padding=1)
        best = min(best, time.perf_counter() - start)
    return work / best


def flops_of(work: Callable[[], object]) -> int:
    """Floating-point operations of the convolutions and products of matrices in some work, way back included."""
    with _Counter() as counter:
        work()
    return counter.total


class _Counter(TorchDispatchMode):
    """Adds up what torch's own table says of each operation; its `FlopCounterMode` fails at gradients of leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.total += int(count(*args, **(kwargs or {}), out_val=result))
        return result
