"""Engines: who computes the buckets. Each is a function from the work and its jobs to the files, as they are done."""

import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circuits.atlas.plan import Job
from circuits.atlas.work import BucketWork, Tick
from circuits.errors import InputError

Engine = Callable[[BucketWork, Sequence[Job], Tick], Iterator[Path]]
RETRIES = 3
"""How often a bucket is begun again whose worker has died."""
PATIENCE = 5.0
"""Seconds in which a cluster must answer."""
_TRIES = "RAY_gcs_server_port_wait_time_s"
"""How often Ray tries to reach a cluster, 40 seconds each."""
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How HTTP/2 begins, which Ray's gRPC speaks; the answer, too, begins with settings, a frame of kind 4 (RFC 9113)."""


def inline(work: BucketWork, jobs: Sequence[Job], tick: Tick) -> Iterator[Path]:
    """Compute the buckets here, one after the other."""
    for job in jobs:
        yield work(job, tick)


def processes(workers: int) -> Engine:
    """An engine of processes on this machine, started afresh, each with a network of its own.

    Args:
        workers: how many.

    Raises:
        InputError: if they are fewer than 1.
    """
    if workers < 1:
        raise InputError(f"{workers} workers cannot do anything; give 1 or more.")

    def run(work: BucketWork, jobs: Sequence[Job], tick: Tick) -> Iterator[Path]:
        # Started afresh, because a process that is forked while torch computes may never come out of its locks.
        context, count = multiprocessing.get_context("spawn"), min(workers, max(1, len(jobs)))
        with ProcessPoolExecutor(count, context, initializer=_leave_interrupts) as pool:
            waiting = {pool.submit(work, job): job for job in jobs}
            try:
                for done in as_completed(waiting):
                    yield done.result()
                    tick(len(waiting[done].photos))
            except BrokenProcessPool:
                raise InputError(
                    "A worker was ended from outside, as the system does when memory runs out; what is done is kept: "
                    "run the command again, with fewer --workers if there is not enough memory."
                ) from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    return run


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that started this one, which lets the buckets under way be finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def ray(address: str | None = None, **options: Any) -> Engine:
    """An engine of tasks on a Ray cluster (Moritz et al. 2018), on which the photos and the atlas must be reachable.

    A task whose worker dies is begun again `RETRIES` times; its bucket is then written as any other.

    Args:
        address: of the cluster, `auto` for the one that this machine is part of; one on this machine is started, and
            stopped again, if it is empty or `None`.
        options: what else `ray.init` takes.

    Raises:
        InputError: if Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # unless somebody wants it, it tells nobody about its use
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be, and it warns until then
    try:
        import ray as distributed
    except ImportError:
        raise InputError("--ray needs Ray: pip install 'circuit-explorer[ray]'.") from None

    def run(work: BucketWork, jobs: Sequence[Job], tick: Tick) -> Iterator[Path]:
        try:
            with _joining(address):
                distributed.init(
                    address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **options
                )
        except (OSError, ValueError, RuntimeError) as error:  # of which ConnectionError is the first
            reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
            reason = reason.splitlines()[0].rstrip(".")
            raise InputError(
                f"Ray does not start or join a cluster at {address or 'this machine'} ({reason}); give the address of "
                "one that runs, such as auto."
            ) from None
        try:
            gpus = 1 if work.subject.device == "cuda" else 0  # of which a task sees no more than it asks for
            there: dict[str, float] = distributed.cluster_resources()  # type: ignore[no-untyped-call]
            if gpus > there.get("GPU", 0):  # Ray would wait for one that comes
                raise InputError(
                    "The Ray cluster has no GPU, and the atlas is one of --device cuda; join machines that have one, "
                    "or begin another atlas with --device cpu."
                )
            task = distributed.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, retry_exceptions=False)(_run)
            sent = distributed.put(work)
            waiting = {task.remote(sent, job): job for job in jobs}
            while waiting:
                [done], _ = distributed.wait(list(waiting), num_returns=1)
                yield Path(_result(distributed, done))
                tick(len(waiting.pop(done).photos))
        finally:
            distributed.shutdown()

    return run


@contextmanager
def _joining(address: str | None) -> Iterator[None]:
    """Join a cluster while the block runs, if there is one: Ray waits for it in silence, for many minutes.

    Raises:
        OSError: if nothing answers at the address as a cluster does.
    """
    if not address:
        yield
        return
    _check_answers(os.environ.get("RAY_ADDRESS", "") if address == "auto" else address)
    before = os.environ.get(_TRIES)
    os.environ[_TRIES] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TRIES]


def _check_answers(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # Ray itself says at once what is wrong with it
    if int(port) > 0xFFFF:
        raise ConnectionError(f"ports go up to {0xFFFF}")
    with socket.create_connection((host.strip("[]"), int(port)), PATIENCE) as opened:
        if os.environ.get("RAY_USE_TLS", "0") not in ("1", "true"):
            opened.sendall(_HELLO)
            if opened.recv(9)[3:4] != b"\4":
                raise ConnectionError("what answers there is no cluster")


def _run(work: BucketWork, job: Job) -> str:
    return str(work(job))


def _result(distributed: Any, done: Any) -> str:
    try:
        path: str = distributed.get(done)
    except (distributed.exceptions.OutOfMemoryError, distributed.exceptions.WorkerCrashedError) as error:
        raise InputError(
            f"Ray has ended a worker {RETRIES + 1} times ({type(error).__name__}): its memory monitor ends tasks when "
            "the machine's memory is nearly full, whoever fills it. What is done is kept; run the command again when "
            "there is memory, or with RAY_memory_monitor_refresh_ms=0 to switch the monitor off."
        ) from None
    except distributed.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from None
        raise
    return path
