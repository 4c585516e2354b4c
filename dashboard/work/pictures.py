"""Which pictures of units are drawn for a browser tab, and in which order: sketches of all, then the pictures."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from circuits.groups.layer_direction import Subject
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import subject_of
from circuits.units import Progress, Unit
from dashboard.library import Library
from dashboard.session.tabs import TabSession
from dashboard.work.queue import Task
from dashboard.work.tiles import second_class

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler

_S = TypeVar("_S", bound=Subject)

BATCH = 4
LONGEST = 240.0
"""Seconds of drawing that are begun without being asked for; what would take longer is only sketched."""
_WORTH = 0.5


@dataclass(frozen=True)
class Missing:
    """The pictures that a tab has not yet.

    Args:
        tasks: what draws them.
        refining: seconds that they would take, if that is so long that a person is asked first.
        failed: how many of them could not be drawn, or not even sketched.
        reason: why, of the first of those.
    """

    tasks: Sequence[Task]
    refining: float | None = None
    failed: int = 0
    reason: str = ""


class PicturePlan:
    """Hands the rendering queue what the tabs want to see.

    Args:
        work: the queues, the features, and the library with its gallery.
    """

    def __init__(self, work: "Scheduler") -> None:
        self._work = work
        self._gallery = work.library.gallery
        self._pace = work.library.network.sha256[:12]

    def want(self, tab: TabSession) -> Missing:
        """Have the missing pictures drawn, or none if the person cancelled; all that are missing."""
        tasks, all_sketches = self.missing(tab), self._sketches(tab)
        # One that failed is not waited for: its picture may succeed, and so may those of all others.
        sketches = [task for task in all_sketches if self._work.rendering.failure(task.key) is None]
        # Pictures are begun once all is sketched: only then is it known how long they take.
        seconds = None if sketches else self._seconds_to_refine(tab, tasks)
        if tab.session.paused:
            self._work.rendering.cancel(tab.name)
        else:
            wanted = sketches or (tasks if seconds is None else self._of_chosen(tab, tasks))
            self._work.rendering.want(tab.name, wanted, hurry=self._is_stray(wanted))
        return Missing(tasks, seconds, *self._failures(tasks, all_sketches))

    def _failures(self, tasks: Sequence[Task], sketches: Sequence[Task]) -> tuple[int, str]:
        """How many of the missing pictures failed, or their sketches did, and why the first."""
        reasons = {task.key: self._work.rendering.failure(task.key) for task in (*tasks, *sketches)}
        unsketched = {key for task in sketches if reasons[task.key] for key in task.key.replace("~", "").split()}
        count = sum(task.size if reasons[task.key] else len(unsketched & set(task.key.split())) for task in tasks)
        return count, next((reason for reason in reasons.values() if reason), "")

    def forgive(self, tab: TabSession) -> None:
        """Let what failed be drawn again."""
        self._work.rendering.forgive([task.key for task in (*self.missing(tab), *self._sketches(tab))])

    def _seconds_to_refine(self, tab: TabSession, missing: Sequence[Task]) -> float | None:
        """How long the missing pictures would take, if that is so long that a person is asked first."""
        if tab.session.refined or not self._gallery.sketch_part:
            return None
        seconds = self._work.rendering.seconds_for(sum(task.work_units for task in missing), self._pace)
        return seconds if seconds is not None and seconds > LONGEST else None

    def _of_chosen(self, tab: TabSession, tasks: Sequence[Task]) -> list[Task]:
        """Those tasks that draw the chosen unit, unless that is the target, which is chosen without anybody's doing."""
        circuit, name = tab.session.work.circuit, tab.session.work.selected
        if circuit is None or name == circuit.root or name not in circuit.nodes:
            return []
        subject = subject_of(circuit, name)
        if subject is None:
            return []
        key = self._gallery.key(subject)
        # Alone, or further pictures of it, whose kind stands before the key.
        return [task for task in tasks if re.fullmatch(rf"([a-z]+ )?{key}", task.key)]

    def _sketches(self, tab: TabSession) -> list[Task]:
        """Coarse pictures of all units that have no picture, before any of them is finished; the target's come last."""
        gallery = self._gallery
        if not gallery.sketch_part:
            return []
        tasks, planned = [], set[Subject]()
        for group in self._groups(tab):
            keys = {unit: gallery.key(unit) for unit in group}
            there = {unit for unit, key in keys.items() if gallery.file(key) or self._work.previews.sketch(key)}
            units = [unit for unit in group if unit not in there | planned]
            planned.update(units)
            if units:
                label = f"{self._label(units)}, coarsely"
                key = " ".join(f"~{keys[unit]}" for unit in units)
                cost = len(units) * gallery.sketch_part
                tasks.append(Task(key, label, partial(self._sketch, units), size=0, cost=cost, pace=self._pace))
        return tasks

    def _sketch(self, units: Sequence[Subject], progress: Progress) -> None:
        gallery, previews = self._gallery, self._work.previews
        # The list may have been made a moment before the last ones were finished.
        units = [unit for unit in units if previews.sketch(gallery.key(unit)) is None]
        if not units:
            return

        def tell(done: int, total: int, message: str) -> None:
            progress(done, total, "")  # the page names the units itself

        for unit, (image, steps) in zip(units, gallery.sketch(units, tell), strict=True):
            previews.keep_sketch(gallery.key(unit), image, steps)

    def _is_stray(self, tasks: Sequence[Task]) -> bool:
        """Whether nothing of what is being drawn is among the tasks, and too little of it done to be finished."""
        key, done = self._work.rendering.running
        return done < _WORTH and {part for task in tasks for part in task.key.split()}.isdisjoint(key.split())

    def missing(self, tab: TabSession) -> list[Task]:
        """Pictures to draw, in the order of the features; each is drawn once.

        The batches do not depend on what is chosen or already there, so that a running one keeps its key.
        """
        gallery = self._gallery
        groups = self._groups(tab)
        missing = {unit for group in groups for unit in group if gallery.file(gallery.key(unit)) is None}
        tasks = [task for feature in self._work.features for task in feature.drawings(tab.session, self._work)]
        for group in groups:
            count = len(missing.intersection(group))
            if count:
                tasks.append(self._rendering(group, count))
            missing.difference_update(group)
        return tasks

    def _groups(self, tab: TabSession) -> list[Sequence[Subject]]:
        """Units whose pictures are wanted, in groups that are drawn together, those on the screen first."""
        groups = [group for feature in self._work.features for group in feature.units(tab, self._work)]
        circuit, last = tab.session.work.circuit, None
        # Where drawing takes so long that it begins with sketches, the target can wait: people know what a cat is.
        if circuit is not None and self._gallery.sketch_part and tab.session.showing.page != "layers":
            last = subject_of(circuit, circuit.root)
        return in_order(groups, seen_units(tab), last)

    def _label(self, units: Sequence[Subject]) -> str:
        first, *others = units
        label = self._work.library.network.unit_label(first) if isinstance(first, Unit) else str(first)
        return label + "".join(f", {number_of(unit)}" for unit in others)

    def _rendering(self, units: Sequence[Subject], count: int) -> Task:
        key = " ".join(self._gallery.key(unit) for unit in units)
        return Task(key, self._label(units), partial(self._draw, units), size=count, pace=self._pace)

    def _draw(self, units: Sequence[Subject], progress: Progress) -> None:
        """Render pictures and show how they come about; nothing unfinished is left, however it ends."""
        gallery = self._gallery
        keys = [gallery.key(unit) for unit in units]

        def tell(done: int, total: int, message: str) -> None:
            progress(done, total, message)
            self._work.previews.advance(keys, done / total if total else 0.0)

        def show(unit: Subject, image: Image.Image, step: int, steps: int) -> None:
            self._work.previews.put(gallery.key(unit), image, step, steps)

        try:
            gallery.render(units, tell, show)
        finally:
            self._work.previews.drop(keys)


def number_of(subject: Subject) -> int | None:
    """What tells a unit or a group from others of its layer."""
    return subject.channel if isinstance(subject, Unit) else subject.group.number


def in_order(
    groups: Iterable[Sequence[Subject]], seen: Collection[Subject], last: Subject | None = None
) -> list[Sequence[Subject]]:
    """Groups of units as they are drawn: first those of which somebody sees a unit, the one with the target last.

    Example:
        >>> a, b, c = (Unit("c", channel) for channel in range(3))
        >>> [group[0].channel for group in in_order([[a], [b], [c]], seen=[c, a], last=a)]
        [2, 1, 0]
    """
    return sorted(groups, key=lambda group: (last in group, not any(unit in seen for unit in group)))


def seen_units(tab: TabSession) -> set[Subject]:
    """The units that are on the screen of a tab: of the graph or of the wall, and the chosen one, which has a pane."""
    circuit, on_wall = tab.session.work.circuit, tab.session.showing.page == "layers"
    if circuit is None:
        return set(tab.on_wall) if on_wall else set()
    names = {tab.session.work.selected, *(() if on_wall else tab.on_screen)}
    found = (subject_of(circuit, name) for name in names if name in circuit.nodes)
    return {subject for subject in found if subject is not None}.union(tab.on_wall if on_wall else ())


def batches(units: Sequence[_S]) -> list[list[_S]]:
    """Units in the order given, in groups of one layer that are rendered together.

    Example:
        >>> [[unit.channel for unit in group] for group in batches([Unit("c", n) for n in range(7)])]
        [[0, 1, 2, 3], [4, 5, 6]]
    """
    groups: list[list[_S]] = []
    for unit in units:
        fits = groups and len(groups[-1]) < BATCH and groups[-1][0].layer == unit.layer
        if fits:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def circuit_batches(circuit: Circuit | None, library: Library) -> list[list[Subject]]:
    """The units and groups of a circuit of this network in batches, from the top down; a residual has no picture."""
    if circuit is None or not library.fit.is_own(circuit):
        return []
    height = {layer: number for number, layer in enumerate(circuit.layers)}
    names = sorted(circuit.visible, key=lambda name: (-height[circuit.nodes[name].unit.layer], name))
    minus = second_class(circuit, library)
    drawn = [subject_of(circuit, name) for name in names] + ([] if minus is None else [minus])
    units = [subject for subject in drawn if subject is not None]
    return batches(list(dict.fromkeys(sorted(units, key=lambda unit: -height[unit.layer]))))
