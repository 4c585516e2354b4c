"""Scheduler work: one worker thread a queue, with fairness, progress, cancelling, and identical work shared.

1. An owner (a session) says which tasks it wants, in its own order; saying so again replaces the list.
2. The worker takes the first task of the owner that was served longest ago, so that nobody waits for
   somebody else's whole list.
3. A task has a key. When it is finished, it leaves the list of every owner that wanted the same key.
4. A task that nobody wants any more is not begun; one that is running is stopped at its next progress
   report once every owner has cancelled it.
5. An owner who has not asked for a report for a while has left: its list is dropped. Hidden tabs ask about
   once a minute, so the while must be longer than that.

Example:
    >>> queue = WorkQueue("doctest")
    >>> done = []
    >>> queue.want("ann", [Task("a", "first", lambda progress: done.append("a"))])
    >>> queue.wait("ann", seconds=5)
    True
    >>> done, queue.report("ann").state
    (['a'], 'idle')
    >>> queue.close()
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from circuits.units import Progress

_LOG = logging.getLogger(__name__)
_KEPT_FAILURES = 512
_ENOUGH = 0.05


class CancelledError(Exception):
    """Raised by the progress callback of a task that nobody wants any more."""


@dataclass(frozen=True)
class Task:
    """Something to do in the background.

    Args:
        key: what is done; two tasks with one key are the same work.
        label: what the page calls it.
        work: does it; calls its argument `progress(done, total, message)`, which raises to stop it.
        size: how many things are done in it, for the count.
        cost: how much work it is, in units that the queue's tasks share; as much as things, if `None`.
        pace: tasks of one pace take alike for a unit of work, such as those of one network.
    """

    key: str
    label: str
    work: Callable[[Progress], object] = field(compare=False)
    size: int = 1
    cost: float | None = None
    pace: str = ""

    @property
    def work_units(self) -> float:
        return max(1, self.size) if self.cost is None else self.cost


@dataclass(frozen=True)
class Report:
    """What one owner sees of a queue.

    Args:
        state: `idle`, `queued` (others are served) or `running` (one of the owner's tasks is).
        label: of the task that is running for the owner, else of its next one.
        done: things finished since the owner's list was last empty; a task may hold several.
        total: those and the ones still wanted.
        progress: of the running task, in things.
        seconds_left: estimate for all that the owner still wants; `None` until enough of the first task is done.
    """

    state: str = "idle"
    label: str = ""
    done: int = 0
    total: int = 0
    progress: float = 0.0
    seconds_left: float | None = None


@dataclass
class _Owner:
    wanted: list[Task] = field(default_factory=list)
    done: int = 0
    served: int = 0
    alive: float = 0.0


class WorkQueue:
    """A worker thread and the tasks that wait for it.

    Args:
        name: of the thread.
        prepare: called once in the thread before its first task.
        lost_after: seconds without a report after which an owner has left.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        prepare: Callable[[], None] | None = None,
        lost_after: float = 180.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changed = threading.Condition()
        self._owners: dict[str, _Owner] = {}
        self._failed: dict[str, str] = {}
        self._turn = 0
        self._running: Task | None = None
        self._fraction = 0.0
        self._began = 0.0
        self._first: tuple[float, float] | None = None
        self._stop = threading.Event()
        self._closed = False
        self._seconds: dict[str, float] = {}
        self._prepare = prepare
        self._lost_after = lost_after
        self._clock = clock
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def want(self, owner: str, tasks: Sequence[Task], *, hurry: bool = False) -> None:
        """Replace what an owner wants; tasks that failed before are left out.

        A running task that is no longer wanted is allowed to finish, because its result is kept for later; with
        `hurry` it is stopped, if nobody else wants it.
        """
        with self._changed:
            held = self._owners.setdefault(owner, _Owner())
            held.alive = self._clock()
            if not held.wanted:
                held.done = 0
            unique = {task.key: task for task in tasks if task.key not in self._failed}
            # A running task stays on the list, as it is, until it is finished; or it would not be counted.
            running = self._running.key if self._running is not None else None
            begun = [task for task in held.wanted if task.key == running and (not hurry or running in unique)]
            held.wanted = begun + [task for task in unique.values() if not begun or task.key != running]
            if not held.wanted:
                held.done = 0
            if hurry and running is not None and not self._is_wanted(running):
                self._stop.set()
            self._changed.notify_all()

    def cancel(self, owner: str) -> None:
        """Drop all that an owner wants, and stop the running task if nobody else wants it."""
        with self._changed:
            self._owners.pop(owner, None)
            running = self._running
            if running is not None and not self._is_wanted(running.key):
                self._stop.set()
            self._changed.notify_all()

    def forgive(self, keys: Sequence[str]) -> None:
        """Let tasks that failed be tried again."""
        with self._changed:
            for key in keys:
                self._failed.pop(key, None)

    def failure(self, key: str) -> str | None:
        """Why a task failed, or `None` if it did not."""
        return self._failed.get(key)

    @property
    def running(self) -> tuple[str, float]:
        """The key of the task that is running and the share of it that is done; "" if none is."""
        with self._changed:
            return (self._running.key, self._fraction) if self._running is not None else ("", 0.0)

    def report(self, owner: str) -> Report:
        """How far an owner's tasks are."""
        with self._changed:
            held = self._owners.get(owner)
            if held is None:
                return Report()
            held.alive = self._clock()
            if not held.wanted:
                return Report()
            running = self._running
            mine = running is not None and any(task.key == running.key for task in held.wanted)
            label = running.label if running is not None and mine else held.wanted[0].label
            progress = self._fraction * running.size if running is not None and mine else 0.0
            left_over = sum(task.size for task in held.wanted)
            work_left = sum(task.work_units for task in held.wanted)
            work_done = self._fraction * running.work_units if running is not None and mine else 0.0
            sharing = sum(bool(other.wanted) for other in self._owners.values())
            pace = self._pace(held.wanted[0].pace)
            left = None if pace is None else max(0.0, (work_left - work_done) * pace * sharing)
            state = "running" if mine else "queued"
            return Report(state, label, held.done, held.done + left_over, progress, left)

    def seconds_for(self, work_units: float, pace: str = "") -> float | None:
        """How long so much work of a pace would take; `None` until something of it was done."""
        with self._changed:
            seconds = self._pace(pace)
        return None if seconds is None else seconds * work_units

    def _pace(self, kind: str) -> float | None:
        """Seconds that a unit of work takes: as those before, or as the first since its first report, if that tells."""
        known, running = self._seconds.get(kind), self._running
        if known is not None or running is None or running.pace != kind or self._first is None:
            return known
        when, fraction = self._first
        moved = self._fraction - fraction
        return (self._clock() - when) / (moved * running.work_units) if moved >= _ENOUGH else None

    def wait(self, owner: str, *, seconds: float) -> bool:
        """Wait until an owner's list is empty; `False` if it still is not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wanted_by(owner), timeout=seconds)

    def stop(self) -> None:
        """Begin no other task, and stop the running one at its next report."""
        with self._changed:
            self._closed = True
            self._owners.clear()
            self._stop.set()
            self._changed.notify_all()

    def close(self, *, seconds: float = 5.0) -> None:
        """End the thread; a task in the middle of a long step is left behind after so many seconds."""
        self.stop()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=seconds)

    def _wanted_by(self, owner: str) -> list[Task]:
        held = self._owners.get(owner)
        return held.wanted if held is not None else []

    def _is_wanted(self, key: str) -> bool:
        return any(task.key == key for owner in self._owners.values() for task in owner.wanted)

    def _next(self) -> Task | None:
        """The first task of the owner that was served longest ago."""
        now = self._clock()
        for name, held in list(self._owners.items()):
            if now - held.alive > self._lost_after:
                del self._owners[name]
        waiting = [owner for owner in self._owners.values() if owner.wanted]
        if not waiting:
            return None
        owner = min(waiting, key=lambda other: other.served)
        self._turn += 1
        owner.served = self._turn
        return owner.wanted[0]

    def _work(self) -> None:
        if self._prepare is not None:
            self._prepare()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or any(o.wanted for o in self._owners.values()))
                if self._closed:
                    return
                task = self._next()
                if task is None:
                    continue
                self._running, self._fraction, self._began, self._first = task, 0.0, self._clock(), None
                self._stop.clear()
            self._perform(task)

    def _perform(self, task: Task) -> None:
        error: str | None = None
        cancelled = False
        try:
            task.work(self._tell)
        except CancelledError:
            cancelled = True
        except Exception as failure:
            _LOG.warning("%s failed", task.label, exc_info=True)
            error = str(failure) or type(failure).__name__
        with self._changed:
            if error is not None:
                self._remember_failure(task.key, error)
            if not cancelled:
                took = (self._clock() - self._began) / task.work_units
                self._seconds[task.pace] = 0.6 * self._seconds.get(task.pace, took) + 0.4 * took
                self._finish(task.key)
            self._running = None
            self._changed.notify_all()

    def _remember_failure(self, key: str, error: str) -> None:
        self._failed[key] = error
        while len(self._failed) > _KEPT_FAILURES:
            self._failed.pop(next(iter(self._failed)))

    def _finish(self, key: str) -> None:
        for owner in self._owners.values():
            left = [task for task in owner.wanted if task.key != key]
            owner.done += sum(task.size for task in owner.wanted if task.key == key)
            owner.wanted = left

    def _tell(self, done: int, total: int, message: str) -> None:
        """Progress callback of the running task; the place where it is stopped."""
        if self._stop.is_set():
            raise CancelledError
        self._fraction = min(1.0, done / total) if total else 0.0
        if self._first is None:
            self._first = self._clock(), self._fraction
        if message and self._running is not None:
            self._running = replace(self._running, label=message)
