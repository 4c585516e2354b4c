"""The work on one network behind the page: requests are run, pictures drawn, queries answered, circuits scored.

The queues are those of the page, for all of its networks; so are unfinished pictures, and pictures from files.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from circuits.errors import CircuitsError
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.answers import Failure, InPhoto
from dashboard.library import Library
from dashboard.session.actions import Reducer, drop
from dashboard.session.state import Request
from dashboard.session.tabs import TabSession
from dashboard.work.carried import Carried
from dashboard.work.evidence import Evidence
from dashboard.work.pictures import Missing, PicturePlan
from dashboard.work.previews import Previews
from dashboard.work.queue import CancelledError, Task, WorkQueue
from dashboard.work.results import SCORES, Answers, Query, ResultStore
from dashboard.work.status import Status, status
from dashboard.work.tiles import Tile, circuit_tiles

if TYPE_CHECKING:
    from dashboard.feature import Feature

_LOG = logging.getLogger(__name__)


def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def _queue(name: str, spared: int = 0) -> WorkQueue:
    return WorkQueue(name, prepare=partial(_use_threads, max(1, (os.cpu_count() or 1) - spared)))


@dataclass(frozen=True)
class Workers:
    """What the networks of a page share: a thread for each kind of work, unfinished pictures, and those from files.

    Args:
        tracing: runs requests.
        loading: runs those that load a network.
        rendering: draws pictures.
        looking: answers queries.
        scoring: scores circuits.
        indexing: indexes photos.
        previews: what is drawn.
        carried: pictures that came with circuits.
    """

    tracing: WorkQueue = field(default_factory=partial(_queue, "tracing"))
    loading: WorkQueue = field(default_factory=partial(_queue, "loading"))
    # One core stays free, or every other callback waits for the renderer.
    rendering: WorkQueue = field(default_factory=partial(_queue, "rendering", 1))
    looking: WorkQueue = field(default_factory=partial(_queue, "looking", 1))
    scoring: WorkQueue = field(default_factory=partial(_queue, "scoring", 1))
    indexing: WorkQueue = field(default_factory=partial(_queue, "indexing", 1))
    previews: Previews = field(default_factory=Previews)
    carried: Carried = field(default_factory=Carried)

    def leave(self, name: str) -> None:
        """A page was closed: what only it wanted need not be worked out; requests go on."""
        for queue in (self.rendering, self.looking, self.scoring, self.indexing):
            queue.cancel(name)

    def forget(self, name: str) -> None:
        """A tab is gone, and all that it wanted with it."""
        for queue in (self.tracing, self.loading):
            queue.cancel(name)
        self.leave(name)

    def close(self) -> None:
        """End the queues, with work under way; the person who pressed Ctrl-C does not wait for a long step."""
        queues = (self.rendering, self.scoring, self.looking, self.indexing, self.loading, self.tracing)
        for queue in queues:
            queue.stop()
        for queue in queues:
            queue.close(seconds=0.4)


class Scheduler:
    """Hands the queues what the browser tabs want that show one network.

    Args:
        library: the library.
        evidence: what it can be asked that takes a while.
        features: what wants something.
        reducer: runs requests.
        workers: the queues.
    """

    def __init__(
        self,
        library: Library,
        evidence: Evidence,
        features: Sequence["Feature"],
        reducer: Reducer,
        workers: Workers,
    ) -> None:
        self.library = library
        self.evidence = evidence
        self.features = features
        self.reducer = reducer
        self.workers = workers
        self.tracing = workers.tracing
        self.rendering = workers.rendering
        self.looking = workers.looking
        self.scoring = workers.scoring
        self.previews = workers.previews
        self.carried = workers.carried
        self.results = ResultStore()
        self.pictures = PicturePlan(self)

    def begin(self, tab: TabSession) -> None:
        """Hand the queues what the session wants now."""
        session = tab.session
        for queue, loads in ((self.tracing, False), (self.workers.loading, True)):
            tasks = [
                Task(
                    f"{tab.name}/{request.number}",
                    self.reducer.label(session, request, self.library),
                    partial(self._run, tab, request),
                )
                for request in session.requests
                if self.reducer.requests[request.kind].loads(request.payload) == loads
            ]
            if tasks:
                queue.want(tab.name, tasks)
            else:
                queue.cancel(tab.name)
        self.pictures.want(tab)
        self.want_answers(tab)

    def queries(self, tab: TabSession) -> list[Query]:
        """What is to be found out for a tab, the first first."""
        wanted = [query for feature in self.features for query in feature.queries(tab.session, self)]
        return sorted(wanted, key=lambda query: query.rank)

    def want_answers(self, tab: TabSession) -> Answers:
        """Have the queries answered; the answers that there are by now.

        What is being found out for a unit that is no longer chosen is given up; a score, which has a queue of its own,
        only for another circuit or by Cancel.
        """
        self._want_index(tab)
        wanted = self.queries(tab)
        answers = self.results.answers(wanted)
        for queue, group in ((self.looking, ""), (self.scoring, SCORES)):
            missing = [query for query in wanted if query.group == group and not answers[query.name]]
            # Keys of queries need not name the network, whose answers are apart; the queue is that of all.
            own = self.library.network.sha256[:12]
            tasks = [
                Task(f"{own}/{query.key}", query.label or query.name, partial(self._find, query)) for query in missing
            ]
            queue.want(tab.name, tasks, hurry=True)
        return answers

    def _want_index(self, tab: TabSession) -> None:
        """Have the photos indexed that the page was started with, while somebody looks at it who did not cancel it."""
        collection, own = self.evidence.collection, self.library.network.sha256[:12]
        due = collection.is_due and not tab.session.paused
        tasks = [Task(f"index/{own}", "Indexing photos", collection.build, pace=own)] if due else []
        self.workers.indexing.want(tab.name, tasks, hurry=True)

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
                    if tab.session.work.network == before.work.network:
                        self.pictures.want(tab)
                    if remark := kind.remark(before, tab.session, request):
                        tab.say(remark, "info")
                    return None

    def _refuse(self, tab: TabSession, request: Request, sentence: str) -> None:
        with tab.lock:
            tab.put(drop(tab.session, request))
            tab.say(sentence)

    def status(self, tab: TabSession, missing: Missing) -> Status:
        """What goes on for a tab, of which some pictures are missing, for the status line."""
        queues = (self.tracing, self.workers.loading, self.rendering, self.scoring, self.workers.indexing)
        tracing, loading, rendering, scoring, indexing = (queue.report(tab.name) for queue in queues)
        stopped = tab.session.paused and self.evidence.collection.is_due
        count = sum(task.size for task in missing.tasks)
        return status(
            tab.session, tracing if loading.state == "idle" else loading, rendering, scoring,
            indexing, missing=count, failed=missing.failed, reason=missing.reason, refining=missing.refining,
            unindexed=stopped,
        )  # fmt: skip

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
        self.pictures.forgive(tab)

    def again(self, tab: TabSession, name: str) -> None:
        """Let a query that failed be tried again; of scores, all."""
        wanted = self.queries(tab)
        groups = {query.group for query in wanted if query.name == name}
        for query in wanted:
            tried = query.name == name or (query.group == SCORES and SCORES in groups)
            if tried and isinstance(self.results.get(query.key), Failure):
                self.results.drop(query.key)
