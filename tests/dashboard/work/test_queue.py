"""The worker's queue: order, fairness, sharing, cancelling, failures, lost owners."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from circuits.units import Progress
from dashboard.work.queue import Task, WorkQueue

WAIT = 30.0


class Workshop:
    """Tasks that note when they are done; `gate` holds them all back until it is opened."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.stopped: list[str] = []
        self.gate = threading.Event()
        self.begun = threading.Event()

    def task(self, key: str) -> Task:
        """A task that waits for the gate, in steps at which it can be stopped."""

        def work(progress: Progress) -> None:
            self.begun.set()
            try:
                while not self.gate.wait(timeout=0.005):
                    progress(1, 4, "")
                progress(3, 4, "")
            except BaseException:
                self.stopped.append(key)
                raise
            self.done.append(key)

        return Task(key, f"task {key}", work)

    def tasks(self, keys: str) -> list[Task]:
        """One task a letter."""
        return [self.task(key) for key in keys]


@pytest.fixture
def shop() -> Workshop:
    """An empty workshop with its gate closed."""
    return Workshop()


@pytest.fixture
def queue() -> Iterator[WorkQueue]:
    """A queue that is closed after the test."""
    made = WorkQueue("test")
    yield made
    made.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, briefly and in small steps."""
    pause = threading.Event()
    for _ in range(int(WAIT / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("The condition did not become true.")


def test_tasks_are_done_in_the_order_wanted(queue: WorkQueue, shop: Workshop) -> None:
    shop.gate.set()
    queue.want("ann", shop.tasks("cab"))
    assert queue.wait("ann", seconds=WAIT)
    assert shop.done == ["c", "a", "b"]


def test_two_owners_take_turns(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("abcd"))
    assert shop.begun.wait(WAIT)
    queue.want("bob", shop.tasks("xy"))
    shop.gate.set()
    assert queue.wait("ann", seconds=WAIT)
    assert queue.wait("bob", seconds=WAIT)
    assert shop.done == ["a", "x", "b", "y", "c", "d"]


def test_identical_work_is_done_once_for_all_who_want_it(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("ab"))
    queue.want("bob", shop.tasks("ab"))
    shop.gate.set()
    assert queue.wait("ann", seconds=WAIT)
    assert queue.wait("bob", seconds=WAIT)
    assert sorted(shop.done) == ["a", "b"]


def test_wanting_again_replaces_the_list_but_lets_the_running_task_finish(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("abc"))
    assert shop.begun.wait(WAIT)
    queue.want("ann", shop.tasks("z"))
    shop.gate.set()
    assert queue.wait("ann", seconds=WAIT)
    assert shop.done == ["a", "z"]


def test_a_running_task_that_is_no_longer_wanted_still_counts(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", [replace(shop.task("a"), size=3), *shop.tasks("bc")])
    assert shop.begun.wait(WAIT)
    queue.want("ann", shop.tasks("bc"))
    assert (queue.report("ann").done, queue.report("ann").total) == (0, 5)


def test_cancel_stops_the_running_task_and_drops_the_rest(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("abc"))
    assert shop.begun.wait(WAIT)
    queue.cancel("ann")
    until(lambda: shop.stopped == ["a"])
    assert queue.report("ann").state == "idle"
    assert shop.done == []


def test_cancel_does_not_stop_what_another_owner_wants_too(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("a"))
    queue.want("bob", shop.tasks("a"))
    assert shop.begun.wait(WAIT)
    queue.cancel("ann")
    shop.gate.set()
    assert queue.wait("bob", seconds=WAIT)
    assert (shop.done, shop.stopped) == (["a"], [])


def test_a_cancelled_task_can_be_wanted_again(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("a"))
    assert shop.begun.wait(WAIT)
    queue.cancel("ann")
    until(lambda: shop.stopped == ["a"])
    shop.gate.set()
    queue.want("ann", shop.tasks("a"))
    assert queue.wait("ann", seconds=WAIT)
    assert shop.done == ["a"]


def test_a_failure_is_remembered_and_the_others_are_done(queue: WorkQueue, shop: Workshop) -> None:
    def fail(progress: Progress) -> None:
        raise RuntimeError("out of paint")

    shop.gate.set()
    broken = Task("bad", "bad", fail)
    queue.want("ann", [broken, *shop.tasks("a")])
    assert queue.wait("ann", seconds=WAIT)
    assert queue.failure("bad") == "out of paint"
    assert queue.failure("a") is None
    assert shop.done == ["a"]
    queue.want("ann", [broken])
    assert queue.report("ann").state == "idle"
    queue.forgive(["bad"])
    assert queue.failure("bad") is None


def test_a_report_counts_what_is_done_and_how_far_the_running_task_is(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("ab"))
    until(lambda: queue.report("ann").progress == 0.25)
    report = queue.report("ann")
    assert (report.state, report.label, report.done, report.total) == ("running", "task a", 0, 2)


def test_a_task_of_several_things_counts_as_many(queue: WorkQueue, shop: Workshop) -> None:
    one, four = shop.task("a"), replace(shop.task("b"), size=4)
    shop.gate.set()
    queue.want("bob", [one])
    assert queue.wait("bob", seconds=WAIT)
    shop.gate.clear()
    queue.want("ann", [four, shop.task("c")])
    until(lambda: queue.report("ann").progress == 1.0)
    assert (queue.report("ann").done, queue.report("ann").total) == (0, 5)


@pytest.mark.parametrize(("step", "left"), [(26, None), (45, 52.5)])
def test_time_left_is_known_within_the_first_task(shop: Workshop, step: int, left: float | None) -> None:
    now = [50.0]
    queue = WorkQueue("test", clock=lambda: now[0])

    def slow(progress: Progress) -> None:
        now[0] += 7.0  # what is done once, before the first report, tells nothing
        progress(25, 100, "")
        now[0] += 10.0
        progress(step, 100, "")
        shop.begun.set()
        shop.gate.wait(WAIT)

    try:
        assert queue.report("ann").seconds_left is None
        queue.want("ann", [Task("a", "a", slow, size=2), *shop.tasks("bc")[:1]])
        assert shop.begun.wait(WAIT)
        # A fifth of two things took 10 s, so a thing takes 25 s; 2.1 are left.
        assert queue.report("ann").seconds_left == (left and pytest.approx(left))
    finally:
        shop.gate.set()
        queue.close()


def test_time_left_is_known_once_a_task_is_done(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("a"))
    shop.gate.set()
    assert queue.wait("ann", seconds=WAIT)
    shop.gate.clear()
    queue.want("ann", shop.tasks("bcd"))
    left = queue.report("ann").seconds_left
    assert left is not None
    assert 0 < left < 3 * WAIT


def test_an_owner_whose_turn_is_not_now_is_queued(queue: WorkQueue, shop: Workshop) -> None:
    queue.want("ann", shop.tasks("a"))
    assert shop.begun.wait(WAIT)
    queue.want("bob", shop.tasks("xy"))
    report = queue.report("bob")
    assert (report.state, report.label, report.total) == ("queued", "task x", 2)


def test_an_owner_that_no_longer_asks_loses_its_list(shop: Workshop) -> None:
    now = [0.0]
    queue = WorkQueue("test", lost_after=100, clock=lambda: now[0])
    try:
        queue.want("ann", shop.tasks("ab"))
        queue.want("bob", shop.tasks("x"))
        assert shop.begun.wait(WAIT)
        now[0] = 90.0
        queue.report("bob")
        now[0] = 150.0
        shop.gate.set()
        assert queue.wait("bob", seconds=WAIT)
        assert queue.wait("ann", seconds=WAIT)
        assert shop.done == ["a", "x"]
    finally:
        queue.close()


def test_close_stops_the_running_task(shop: Workshop) -> None:
    queue = WorkQueue("test")
    queue.want("ann", shop.tasks("ab"))
    assert shop.begun.wait(WAIT)
    queue.close()
    assert shop.stopped == ["a"]
    assert shop.done == []


def test_prepare_runs_in_the_worker_before_the_first_task(shop: Workshop) -> None:
    names: list[str] = []
    queue = WorkQueue("queue of the test", prepare=lambda: names.append(threading.current_thread().name))
    shop.gate.set()
    queue.want("ann", shop.tasks("a"))
    assert queue.wait("ann", seconds=WAIT)
    queue.close()
    assert names == ["queue of the test"]
