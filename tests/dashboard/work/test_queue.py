"""The worker's queue: order, fairness, sharing, cancelling, failures, lost owners."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from dashboard.work.queue import Lane, Progress, Task

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
def lane() -> Iterator[Lane]:
    """A lane that is closed after the test."""
    made = Lane("test")
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


def test_tasks_are_done_in_the_order_wanted(lane: Lane, shop: Workshop) -> None:
    shop.gate.set()
    lane.want("ann", shop.tasks("cab"))
    assert lane.wait("ann", seconds=WAIT)
    assert shop.done == ["c", "a", "b"]


def test_two_owners_take_turns(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("abcd"))
    assert shop.begun.wait(WAIT)
    lane.want("bob", shop.tasks("xy"))
    shop.gate.set()
    assert lane.wait("ann", seconds=WAIT)
    assert lane.wait("bob", seconds=WAIT)
    assert shop.done == ["a", "x", "b", "y", "c", "d"]


def test_identical_work_is_done_once_for_all_who_want_it(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("ab"))
    lane.want("bob", shop.tasks("ab"))
    shop.gate.set()
    assert lane.wait("ann", seconds=WAIT)
    assert lane.wait("bob", seconds=WAIT)
    assert sorted(shop.done) == ["a", "b"]


def test_wanting_again_replaces_the_list_but_lets_the_running_task_finish(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("abc"))
    assert shop.begun.wait(WAIT)
    lane.want("ann", shop.tasks("z"))
    shop.gate.set()
    assert lane.wait("ann", seconds=WAIT)
    assert shop.done == ["a", "z"]


def test_a_running_task_that_is_no_longer_wanted_still_counts(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", [replace(shop.task("a"), size=3), *shop.tasks("bc")])
    assert shop.begun.wait(WAIT)
    lane.want("ann", shop.tasks("bc"))
    assert (lane.report("ann").done, lane.report("ann").total) == (0, 5)


def test_cancel_stops_the_running_task_and_drops_the_rest(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("abc"))
    assert shop.begun.wait(WAIT)
    lane.cancel("ann")
    until(lambda: shop.stopped == ["a"])
    assert lane.report("ann").state == "idle"
    assert shop.done == []


def test_cancel_does_not_stop_what_another_owner_wants_too(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("a"))
    lane.want("bob", shop.tasks("a"))
    assert shop.begun.wait(WAIT)
    lane.cancel("ann")
    shop.gate.set()
    assert lane.wait("bob", seconds=WAIT)
    assert (shop.done, shop.stopped) == (["a"], [])


def test_a_cancelled_task_can_be_wanted_again(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("a"))
    assert shop.begun.wait(WAIT)
    lane.cancel("ann")
    until(lambda: shop.stopped == ["a"])
    shop.gate.set()
    lane.want("ann", shop.tasks("a"))
    assert lane.wait("ann", seconds=WAIT)
    assert shop.done == ["a"]


def test_a_failure_is_remembered_and_the_others_are_done(lane: Lane, shop: Workshop) -> None:
    def fail(progress: Progress) -> None:
        raise RuntimeError("out of paint")

    shop.gate.set()
    broken = Task("bad", "bad", fail)
    lane.want("ann", [broken, *shop.tasks("a")])
    assert lane.wait("ann", seconds=WAIT)
    assert lane.failure("bad") == "out of paint"
    assert lane.failure("a") is None
    assert shop.done == ["a"]
    lane.want("ann", [broken])
    assert lane.report("ann").state == "idle"
    lane.forgive(["bad"])
    assert lane.failure("bad") is None


def test_a_report_counts_what_is_done_and_how_far_the_running_task_is(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("ab"))
    until(lambda: lane.report("ann").progress == 0.25)
    report = lane.report("ann")
    assert (report.state, report.label, report.done, report.total) == ("running", "task a", 0, 2)


def test_a_task_of_several_things_counts_as_many(lane: Lane, shop: Workshop) -> None:
    one, four = shop.task("a"), replace(shop.task("b"), size=4)
    shop.gate.set()
    lane.want("bob", [one])
    assert lane.wait("bob", seconds=WAIT)
    shop.gate.clear()
    lane.want("ann", [four, shop.task("c")])
    until(lambda: lane.report("ann").progress == 1.0)
    assert (lane.report("ann").done, lane.report("ann").total) == (0, 5)


@pytest.mark.parametrize(("step", "left"), [(26, None), (45, 52.5)])
def test_time_left_is_known_within_the_first_task(shop: Workshop, step: int, left: float | None) -> None:
    now = [50.0]
    lane = Lane("test", clock=lambda: now[0])

    def slow(progress: Progress) -> None:
        now[0] += 7.0  # what is done once, before the first report, tells nothing
        progress(25, 100, "")
        now[0] += 10.0
        progress(step, 100, "")
        shop.begun.set()
        shop.gate.wait(WAIT)

    try:
        assert lane.report("ann").seconds_left is None
        lane.want("ann", [Task("a", "a", slow, size=2), *shop.tasks("bc")[:1]])
        assert shop.begun.wait(WAIT)
        # A fifth of two things took 10 s, so a thing takes 25 s; 2.1 are left.
        assert lane.report("ann").seconds_left == (left and pytest.approx(left))
    finally:
        shop.gate.set()
        lane.close()


def test_time_left_is_known_once_a_task_is_done(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("a"))
    shop.gate.set()
    assert lane.wait("ann", seconds=WAIT)
    shop.gate.clear()
    lane.want("ann", shop.tasks("bcd"))
    left = lane.report("ann").seconds_left
    assert left is not None
    assert 0 < left < 3 * WAIT


def test_an_owner_whose_turn_is_not_now_is_queued(lane: Lane, shop: Workshop) -> None:
    lane.want("ann", shop.tasks("a"))
    assert shop.begun.wait(WAIT)
    lane.want("bob", shop.tasks("xy"))
    report = lane.report("bob")
    assert (report.state, report.label, report.total) == ("queued", "task x", 2)


def test_an_owner_that_no_longer_asks_loses_its_list(shop: Workshop) -> None:
    now = [0.0]
    lane = Lane("test", lost_after=100, clock=lambda: now[0])
    try:
        lane.want("ann", shop.tasks("ab"))
        lane.want("bob", shop.tasks("x"))
        assert shop.begun.wait(WAIT)
        now[0] = 90.0
        lane.report("bob")
        now[0] = 150.0
        shop.gate.set()
        assert lane.wait("bob", seconds=WAIT)
        assert lane.wait("ann", seconds=WAIT)
        assert shop.done == ["a", "x"]
    finally:
        lane.close()


def test_close_stops_the_running_task(shop: Workshop) -> None:
    lane = Lane("test")
    lane.want("ann", shop.tasks("ab"))
    assert shop.begun.wait(WAIT)
    lane.close()
    assert shop.stopped == ["a"]
    assert shop.done == []


def test_prepare_runs_in_the_worker_before_the_first_task(shop: Workshop) -> None:
    names: list[str] = []
    lane = Lane("lane of the test", prepare=lambda: names.append(threading.current_thread().name))
    shop.gate.set()
    lane.want("ann", shop.tasks("a"))
    assert lane.wait("ann", seconds=WAIT)
    lane.close()
    assert names == ["lane of the test"]
