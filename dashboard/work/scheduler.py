"""The work behind the page, in four queues: requests are run, pictures drawn, queries answered, circuits scored."""

import logging
from collections.abc import Sequence
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
        self.pictures = PicturePlan(self)

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
                    self.pictures.want(tab)
                    old, new = before.work.circuit, tab.session.work.circuit
                    if old is not None and new is not None and (remark := kind.remark(old, new, request)):
                        tab.say(remark, "info")
                    return None

    def _refuse(self, tab: TabSession, request: Request, sentence: str) -> None:
        with tab.lock:
            tab.put(drop(tab.session, request))
            tab.say(sentence)

    def status(self, tab: TabSession, missing: Missing) -> Status:
        """What goes on for a tab, of which some pictures are missing, for the status line."""
        failed = sum(task.size for task in missing.tasks if self.rendering.failure(task.key) is not None)
        tracing, rendering, scoring = (queue.report(tab.name) for queue in (self.tracing, self.rendering, self.scoring))
        count = sum(task.size for task in missing.tasks)
        return status(
            tab.session, tracing, rendering, scoring, missing=count, failed=failed, refining=missing.refining
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
        self.rendering.forgive([task.key for task in self.pictures.missing(tab)])

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
