"""The work behind the page, in four lanes.

Asks are answered, pictures rendered, evidence found, and circuits scored.
"""

import logging
from collections.abc import Sequence
from functools import partial

from PIL import Image

from circuits.errors import CircuitsError
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.features.evaluation import queries as scores
from dashboard.features.graph import view
from dashboard.features.layer import actions as on_wall
from dashboard.features.layer import outside
from dashboard.features.point.queries import spot_topic, spotted
from dashboard.features.unit import variants
from dashboard.features.unit.evidence import Evidence
from dashboard.library import Explorer
from dashboard.session import actions
from dashboard.session.state import Ask, Desk, Session
from dashboard.work.findings import Failure
from dashboard.work.previews import Previews
from dashboard.work.queue import CancelledError, Lane, Progress, Task
from dashboard.work.topics import Board, Found, Topic

BATCH = 4
_WORTH = 0.5
_LOG = logging.getLogger(__name__)


class Background:
    """Hands the lanes what sessions want.

    Args:
        explorer: the library.
        tracing: the lane that answers asks.
        rendering: the lane that renders pictures.
        looking: the lane that finds evidence.
        scoring: the lane that scores circuits.
        evidence: what the last two ask.
    """

    def __init__(
        self, explorer: Explorer, tracing: Lane, rendering: Lane, looking: Lane, scoring: Lane, evidence: Evidence
    ) -> None:
        self.explorer = explorer
        self.tracing = tracing
        self.rendering = rendering
        self.looking = looking
        self.scoring = scoring
        self.evidence = evidence
        self.previews = Previews()
        self.board = Board()

    def begin(self, desk: Desk) -> None:
        """Hand the lanes what the session wants now."""
        tasks = [
            Task(f"{desk.name}/{ask.number}", self._label(desk.session, ask), partial(self._answer, desk, ask))
            for ask in desk.session.asks
        ]
        if tasks:
            self.tracing.want(desk.name, tasks)
        else:
            self.tracing.cancel(desk.name)
        self.want_pictures(desk)
        self.want_evidence(desk)
        self.want_scores(desk)

    def want_pictures(self, desk: Desk) -> list[Task]:
        """Have the missing pictures rendered, or none if the person cancelled; all that are missing."""
        tasks = self.missing(desk.session, desk.on_wall)
        if desk.session.paused:
            self.rendering.cancel(desk.name)
        else:
            self.rendering.want(desk.name, tasks, hurry=self._is_stray(tasks))
        return tasks

    def _is_stray(self, tasks: Sequence[Task]) -> bool:
        """Whether nothing of what is being rendered is among the tasks, and too little of it done to be finished."""
        key, done = self.rendering.running
        return done < _WORTH and {part for task in tasks for part in task.key.split()}.isdisjoint(key.split())

    def want_evidence(self, desk: Desk) -> Found:
        """Have evidence for the chosen unit or edge found; what there is of it by now.

        What is being found out for a unit that is no longer chosen is given up.
        """
        wanted = outside.wanted(desk.session, self.evidence)
        pointed = spot_topic(desk.session, self.explorer)
        if pointed is not None:
            wanted.insert(0, pointed)
        found = self.board.found(wanted)
        missing = [Task(topic.key, topic.name, partial(self._find, topic)) for topic in wanted if not found[topic.name]]
        self.looking.want(desk.name, missing, hurry=True)
        return found

    def want_scores(self, desk: Desk) -> Found:
        """Have the circuit scored, if that was asked; what there is of it by now.

        A lane of its own, so that a person goes on looking meanwhile. Only another circuit or Cancel gives it up.
        """
        wanted = scores.wanted(desk.session, self.evidence)
        found = self.board.found(wanted)
        missing = [
            Task(topic.key, "Scoring the circuit", partial(self._find, topic))
            for topic in wanted
            if not found[topic.name]
        ]
        self.scoring.want(desk.name, missing, hurry=True)
        return found

    def _find(self, topic: Topic, progress: Progress) -> None:
        """Find something out and put it on the board, or the sentence that says why it cannot be."""
        progress(0, 1, "")
        try:
            self.board.put(topic.key, topic.work(progress))
        except CancelledError:
            raise
        except CircuitsError as refusal:
            self.board.put(topic.key, Failure(str(refusal), topic.name))
        except Exception:
            _LOG.exception("%s failed", topic.key)
            sentence = "This could not be found out; the terminal that serves the page says why."
            self.board.put(topic.key, Failure(sentence, topic.name))

    def _label(self, session: Session, ask: Ask) -> str:
        if ask.kind == "why":
            return f"Tracing {self.explorer.target(ask.subject, like=session.work.circuit).label}"
        if ask.kind == "photo":
            return "Showing the network the photo"
        if ask.kind == "level":
            return f"Expanding the units of {ask.subject}"
        if ask.kind == "grow":
            return f"Growing by {ask.subject} level{'' if ask.subject == '1' else 's'}"
        if ask.kind == "measure":
            return f"Measuring the edges of {ask.subject}"
        return f"Expanding {ask.subject}"

    def _answer(self, desk: Desk, ask: Ask, progress: Progress) -> None:
        """Work out an ask in the background and put the answer on the desk; again if the circuit changed meanwhile."""

        def tell(done: int, total: int, message: str) -> None:
            # Another why?, an undo or a new photo makes this answer useless.
            if ask not in desk.session.asks:
                raise CancelledError
            progress(done, total, message)

        while True:
            with desk.lock:
                before = desk.session
            if ask not in before.asks:
                return None
            try:
                circuit = actions.answer(before, ask, self.explorer, tell)
            except CancelledError:
                raise
            except CircuitsError as refusal:
                return self._refuse(desk, ask, str(refusal))
            except Exception:
                _LOG.exception("%s failed", ask)
                sentence = "The network failed at this; the terminal that serves the page says why."
                return self._refuse(desk, ask, sentence)
            with desk.lock:
                if ask.kind in ("why", "photo") or desk.session.work.circuit is before.work.circuit:
                    desk.put(actions.settle(desk.session, ask, circuit))
                    self.want_pictures(desk)
                    if ask.kind == "expand":
                        _say_if_nothing_new(desk, before, ask)
                    return None

    def _refuse(self, desk: Desk, ask: Ask, sentence: str) -> None:
        with desk.lock:
            desk.put(actions.fail(desk.session, ask))
            desk.say(sentence)

    def missing(self, session: Session, seen: Sequence[Unit] = ()) -> list[Task]:
        """Pictures to render: the chosen unit's first and alone, then those of the spot and the wall, then circuits'.

        The batches do not depend on what is chosen or already there, so that a running one keeps its key.

        Args:
            session: whose.
            seen: the units of the wall that are on the screen, in the order in which they stand there.
        """
        circuit, gallery, showing = session.work.circuit, self.explorer.gallery, session.showing
        groups = batches(spotted(session, self.explorer, self.board))
        groups += batches(seen) if showing.page == "layers" else []
        groups += self._of_circuit(circuit)
        if showing.page == "compare":
            groups += self._of_circuit(session.beside)
        chosen = on_wall.stranger(session, self.explorer)
        if chosen is None and circuit is not None and session.work.selected in circuit.nodes:
            chosen = circuit.nodes[session.work.selected].unit.whole if self.explorer.is_own(circuit) else None
        if chosen is not None:
            groups.insert(0, [chosen])
        missing = {unit for group in groups for unit in group if gallery.file(gallery.key(unit)) is None}
        tasks = variants.drawings(session, self.explorer, self.previews)
        for group in groups:
            count = len(missing.intersection(group))
            if count:
                tasks.append(self._rendering(group, count))
            missing.difference_update(group)
        return tasks

    def _of_circuit(self, circuit: Circuit | None) -> list[list[Unit]]:
        """The units of a circuit of this network in batches, from the top down."""
        if circuit is None or not self.explorer.is_own(circuit):
            return []
        height = {layer: number for number, layer in enumerate(circuit.layers)}

        def order(name: str) -> tuple[int, str]:
            return -height[circuit.nodes[name].unit.layer], name

        names = sorted(circuit.visible, key=order)
        return batches(list(dict.fromkeys(circuit.nodes[name].unit.whole for name in names)))

    def _rendering(self, units: list[Unit], count: int) -> Task:
        key = " ".join(self.explorer.gallery.key(unit) for unit in units)
        label = self.explorer.network.unit_label(units[0])
        label += "".join(f", {unit.channel}" for unit in units[1:])
        return Task(key, label, partial(self._draw, units), size=count)

    def _draw(self, units: Sequence[Unit], progress: Progress) -> None:
        """Render pictures and show how they come about; nothing unfinished is left, however it ends."""
        gallery = self.explorer.gallery
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

    def status(self, desk: Desk, missing: Sequence[Task]) -> view.Status:
        """What goes on for a desk, of which some pictures are missing, for the status line."""
        failed = sum(task.size for task in missing if self.rendering.failure(task.key) is not None)
        tracing, rendering, scoring = (lane.report(desk.name) for lane in (self.tracing, self.rendering, self.scoring))
        count = sum(task.size for task in missing)
        return view.status(desk.session, tracing, rendering, scoring, missing=count, failed=failed)

    def draws_for(self, desk: Desk) -> bool:
        """Whether pictures of a desk's units may come: some are drawn, or the network is at work on its circuit."""
        return bool(desk.session.asks) or self.rendering.report(desk.name).state != "idle"

    def retry(self, session: Session, seen: Sequence[Unit] = ()) -> None:
        """Let pictures that failed be tried again."""
        self.rendering.forgive([task.key for task in self.missing(session, seen)])

    def again(self, session: Session, name: str) -> None:
        """Let a topic that could not be found out be tried again."""
        names = set(scores.STAGES) if name in scores.STAGES else {name}
        for topic in (*outside.wanted(session, self.evidence), *scores.wanted(session, self.evidence)):
            if topic.name in names and isinstance(self.board.get(topic.key), Failure):
                self.board.drop(topic.key)

    def leave(self, name: str) -> None:
        """A page was closed: what only it wanted need not be rendered."""
        self.rendering.cancel(name)
        self.looking.cancel(name)
        self.scoring.cancel(name)

    def forget(self, name: str) -> None:
        """A desk is gone, and all that it wanted with it."""
        self.tracing.cancel(name)
        self.leave(name)

    def close(self) -> None:
        """End the lanes, with work under way; the person who pressed Ctrl-C does not wait for a long step."""
        lanes = (self.rendering, self.scoring, self.looking, self.tracing)
        for lane in lanes:
            lane.stop()
        for lane in lanes:
            lane.close(seconds=0.4)


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


def _say_if_nothing_new(desk: Desk, before: Session, ask: Ask) -> None:
    """Tell the person that a unit has no further units to show, or none at all."""
    old, new = before.work.circuit, desk.session.work.circuit
    if old is None or new is None:
        return
    known = len(old.edges_into(ask.subject))
    if len(new.edges_into(ask.subject)) > known or 0 < ask.choices.top <= known:
        return
    kind = "units that excite it" if ask.choices.signs == "positive" else "units that matter to it"
    desk.say(f"{ask.subject} has no further {kind} in the layer below.", "info")
