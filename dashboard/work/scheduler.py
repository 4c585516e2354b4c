"""The work behind the page, in four queues: requests are run, pictures drawn, queries answered, circuits scored."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PIL import Image

from circuits.errors import CircuitsError
from circuits.tracing.circuit import Circuit
from circuits.units import Progress, Unit
from dashboard.answers import Failure, InPhoto
from dashboard.library import Library
from dashboard.session.actions import Reducer, drop
from dashboard.session.state import Request
from dashboard.session.tabs import TabSession
from dashboard.work.carried import Carried
from dashboard.work.evidence import Evidence
from dashboard.work.previews import Previews
from dashboard.work.queue import CancelledError, Task, WorkQueue
from dashboard.work.results import SCORES, Answers, Query, ResultStore
from dashboard.work.status import Status, status
from dashboard.work.tiles import Tile, circuit_tiles

if TYPE_CHECKING:
    from dashboard.feature import Feature

BATCH = 4
LONGEST = 240.0
"""Seconds of drawing that are begun without being asked for; what would take longer is only sketched."""
_WORTH = 0.5
_LOG = logging.getLogger(__name__)


class Scheduler:
    """Hands the queues what the browser tabs want.

    Args:
        library: the library.
        evidence: what it can be asked that takes a while.
        features: what wants something.
        reducer: runs requests.
        tracing: the queue that runs requests.
        rendering: the queue that draws pictures.
        looking: the queue that answers queries.
        scoring: the queue that scores circuits.
    """

    def __init__(
        self,
        library: Library,
        evidence: Evidence,
        features: Sequence["Feature"],
        reducer: Reducer,
        *,
        tracing: WorkQueue,
        rendering: WorkQueue,
        looking: WorkQueue,
        scoring: WorkQueue,
    ) -> None:
        self.library = library
        self.evidence = evidence
        self.features = features
        self.reducer = reducer
        self.tracing = tracing
        self.rendering = rendering
        self.looking = looking
        self.scoring = scoring
        self.previews = Previews()
        self.carried = Carried()
        self.results = ResultStore()

    def begin(self, tab: TabSession) -> None:
        """Hand the queues what the session wants now."""
        session = tab.session
        tasks = [
            Task(
                f"{tab.name}/{request.number}",
                self.reducer.label(session, request, self.library),
                partial(self._run, tab, request),
            )
            for request in session.requests
        ]
        if tasks:
            self.tracing.want(tab.name, tasks)
        else:
            self.tracing.cancel(tab.name)
        self.want_pictures(tab)
        self.want_answers(tab)

    def want_pictures(self, tab: TabSession) -> list[Task]:
        """Have the missing pictures drawn, or none if the person cancelled; all that are missing."""
        tasks = self.missing(tab)
        if tab.session.paused:
            self.rendering.cancel(tab.name)
        else:
            wanted = [*self._sketches(tab), *(tasks if self.seconds_to_refine(tab, tasks) is None else tasks[:1])]
            self.rendering.want(tab.name, wanted, hurry=self._is_stray(wanted))
        return tasks

    def seconds_to_refine(self, tab: TabSession, missing: Sequence[Task]) -> float | None:
        """How long the missing pictures would take, if that is so long that a person is asked first.

        It is not known before all of them are sketched.
        """
        if tab.session.refined or not self.library.gallery.sketch_part or self._sketches(tab):
            return None
        seconds = self.rendering.seconds_for(sum(task.work_units for task in missing))
        return seconds if seconds is not None and seconds > LONGEST else None

    def _sketches(self, tab: TabSession) -> list[Task]:
        """Coarse pictures of all units that have no picture, before any of them is finished; the target's come last."""
        gallery = self.library.gallery
        if not gallery.sketch_part:
            return []
        tasks = []
        for group in self._groups(tab):
            keys = {unit: gallery.key(unit) for unit in group}
            units = [
                unit for unit in group if gallery.file(keys[unit]) is None and not self.previews.sketch(keys[unit])
            ]
            if units:
                label = f"{self._label(units)}, coarsely"
                key = " ".join(f"~{keys[unit]}" for unit in units)
                cost = len(units) * gallery.sketch_part
                tasks.append(Task(key, label, partial(self._sketch, units), size=0, cost=cost))
        return tasks

    def _sketch(self, units: Sequence[Unit], progress: Progress) -> None:
        gallery = self.library.gallery

        def tell(done: int, total: int, message: str) -> None:
            progress(done, total, "")  # the page names the units itself

        for unit, (image, steps) in zip(units, gallery.sketch(units, tell), strict=True):
            self.previews.keep_sketch(gallery.key(unit), image, steps)

    def _is_stray(self, tasks: Sequence[Task]) -> bool:
        """Whether nothing of what is being drawn is among the tasks, and too little of it done to be finished."""
        key, done = self.rendering.running
        return done < _WORTH and {part for task in tasks for part in task.key.split()}.isdisjoint(key.split())

    def queries(self, tab: TabSession) -> list[Query]:
        """What is to be found out for a tab, the first first."""
        wanted = [query for feature in self.features for query in feature.queries(tab.session, self)]
        return sorted(wanted, key=lambda query: query.rank)

    def want_answers(self, tab: TabSession) -> Answers:
        """Have the queries answered; the answers that there are by now.

        What is being found out for a unit that is no longer chosen is given up; a score, which has a queue of its own,
        only for another circuit or by Cancel.
        """
        wanted = self.queries(tab)
        answers = self.results.answers(wanted)
        for queue, group in ((self.looking, ""), (self.scoring, SCORES)):
            missing = [query for query in wanted if query.group == group and not answers[query.name]]
            tasks = [Task(query.key, query.label or query.name, partial(self._find, query)) for query in missing]
            queue.want(tab.name, tasks, hurry=True)
        return answers

    def _find(self, query: Query, progress: Progress) -> None:
        """Keep the answer to a query, or the sentence that says why there is none."""
        progress(0, 1, "")
        try:
            self.results.put(query.key, query.work(progress))
        except CancelledError:
            raise
        except CircuitsError as refusal:
            self.results.put(query.key, Failure(str(refusal), query.name))
        except Exception:
            _LOG.exception("%s failed", query.key)
            sentence = "This could not be found out; the terminal that serves the page says why."
            self.results.put(query.key, Failure(sentence, query.name))

    def _run(self, tab: TabSession, request: Request, progress: Progress) -> None:
        """Run a request in the background and commit its result; again if the circuit changed meanwhile."""

        def tell(done: int, total: int, message: str) -> None:
            # Another why?, an undo or a new photo makes this result useless.
            if request not in tab.session.requests:
                raise CancelledError
            progress(done, total, message)

        kind = self.reducer.requests[request.kind]
        while True:
            with tab.lock:
                before = tab.session
            if request not in before.requests:
                return None
            try:
                result = self.reducer.run(before, request, self.library, tell)
            except CancelledError:
                raise
            except CircuitsError as refusal:
                return self._refuse(tab, request, str(refusal))
            except Exception:
                _LOG.exception("%s failed", request)
                sentence = "The network failed at this; the terminal that serves the page says why."
                return self._refuse(tab, request, sentence)
            with tab.lock:
                if kind.independent or tab.session.work.circuit is before.work.circuit:
                    tab.put(self.reducer.commit(tab.session, request, result))
                    self.want_pictures(tab)
                    old, new = before.work.circuit, tab.session.work.circuit
                    if old is not None and new is not None and (remark := kind.remark(old, new, request)):
                        tab.say(remark, "info")
                    return None

    def _refuse(self, tab: TabSession, request: Request, sentence: str) -> None:
        with tab.lock:
            tab.put(drop(tab.session, request))
            tab.say(sentence)

    def missing(self, tab: TabSession) -> list[Task]:
        """Pictures to draw, in the order of the features; each is drawn once.

        The batches do not depend on what is chosen or already there, so that a running one keeps its key.
        """
        gallery = self.library.gallery
        groups = self._groups(tab)
        missing = {unit for group in groups for unit in group if gallery.file(gallery.key(unit)) is None}
        tasks = [task for feature in self.features for task in feature.drawings(tab.session, self)]
        for group in groups:
            count = len(missing.intersection(group))
            if count:
                tasks.append(self._rendering(group, count))
            missing.difference_update(group)
        return tasks

    def _groups(self, tab: TabSession) -> list[Sequence[Unit]]:
        """Units whose pictures are wanted, in groups that are drawn together.

        Where drawing takes so long that it begins with sketches, the target comes last: people know what a cat is.
        """
        groups = [group for feature in self.features for group in feature.units(tab, self)]
        circuit = tab.session.work.circuit
        if circuit is None or not self.library.gallery.sketch_part:
            return groups
        target = circuit.nodes[circuit.root].unit.whole
        return sorted(groups, key=lambda group: target in group)

    def _label(self, units: Sequence[Unit]) -> str:
        label = self.library.network.unit_label(units[0])
        return label + "".join(f", {unit.channel}" for unit in units[1:])

    def _rendering(self, units: Sequence[Unit], count: int) -> Task:
        key = " ".join(self.library.gallery.key(unit) for unit in units)
        return Task(key, self._label(units), partial(self._draw, units), size=count)

    def _draw(self, units: Sequence[Unit], progress: Progress) -> None:
        """Render pictures and show how they come about; nothing unfinished is left, however it ends."""
        gallery = self.library.gallery
        keys = [gallery.key(unit) for unit in units]

        def tell(done: int, total: int, message: str) -> None:
            progress(done, total, message)
            self.previews.advance(keys, done / total if total else 0.0)

        def show(unit: Unit, image: Image.Image, step: int, steps: int) -> None:
            self.previews.put(gallery.key(unit), image, step, steps)

        try:
            gallery.render(units, tell, show)
        finally:
            self.previews.drop(keys)

    def status(self, tab: TabSession, missing: Sequence[Task]) -> Status:
        """What goes on for a tab, of which some pictures are missing, for the status line."""
        failed = sum(task.size for task in missing if self.rendering.failure(task.key) is not None)
        tracing, rendering, scoring = (queue.report(tab.name) for queue in (self.tracing, self.rendering, self.scoring))
        count, seconds = sum(task.size for task in missing), self.seconds_to_refine(tab, missing)
        return status(tab.session, tracing, rendering, scoring, missing=count, failed=failed, refining=seconds)

    def tiles(self, circuit: Circuit | None, seen: Any = None, *, waiting: bool) -> dict[str, Tile]:
        """What stands for the units of a circuit, by node id.

        Args:
            circuit: the circuit.
            seen: the answer to what they did in the photo, if there is one.
            waiting: whether missing pictures are on their way.
        """
        known = seen if isinstance(seen, InPhoto) else None
        return circuit_tiles(circuit, self.library, self.previews, self.carried, known, waiting=waiting)

    def draws_for(self, tab: TabSession) -> bool:
        """Whether pictures of a tab's units may come: some are drawn, or the network is at work on its circuit."""
        return bool(tab.session.requests) or self.rendering.report(tab.name).state != "idle"

    def retry(self, tab: TabSession) -> None:
        """Let pictures that failed be tried again."""
        self.rendering.forgive([task.key for task in self.missing(tab)])

    def again(self, tab: TabSession, name: str) -> None:
        """Let a query that failed be tried again; of scores, all."""
        wanted = self.queries(tab)
        groups = {query.group for query in wanted if query.name == name}
        for query in wanted:
            tried = query.name == name or (query.group == SCORES and SCORES in groups)
            if tried and isinstance(self.results.get(query.key), Failure):
                self.results.drop(query.key)

    def leave(self, name: str) -> None:
        """A page was closed: what only it wanted need not be rendered."""
        self.rendering.cancel(name)
        self.looking.cancel(name)
        self.scoring.cancel(name)

    def forget(self, name: str) -> None:
        """A tab is gone, and all that it wanted with it."""
        self.tracing.cancel(name)
        self.leave(name)

    def close(self) -> None:
        """End the queues, with work under way; the person who pressed Ctrl-C does not wait for a long step."""
        queues = (self.rendering, self.scoring, self.looking, self.tracing)
        for queue in queues:
            queue.stop()
        for queue in queues:
            queue.close(seconds=0.4)


def batches(units: Sequence[Unit]) -> list[list[Unit]]:
    """Units in the order given, in groups of one layer that are rendered together.

    Example:
        >>> [[unit.channel for unit in group] for group in batches([Unit("c", n) for n in range(7)])]
        [[0, 1, 2, 3], [4, 5, 6]]
    """
    groups: list[list[Unit]] = []
    for unit in units:
        fits = groups and len(groups[-1]) < BATCH and groups[-1][0].layer == unit.layer
        if fits:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def circuit_batches(circuit: Circuit | None, library: Library) -> list[list[Unit]]:
    """The units of a circuit of this network in batches, from the top down."""
    if circuit is None or not library.is_own(circuit):
        return []
    height = {layer: number for number, layer in enumerate(circuit.layers)}
    names = sorted(circuit.visible, key=lambda name: (-height[circuit.nodes[name].unit.layer], name))
    return batches(list(dict.fromkeys(circuit.nodes[name].unit.whole for name in names)))
