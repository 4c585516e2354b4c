"""The page's callbacks: take actions, take files, report progress.

`act` is the one reducer and the one writer of the view. Actions come in a numbered queue and each number is applied
once, under the tab's lock, so that an answer that the browser drops loses nothing. Each feature renders its own part.
`poll` writes only the progress store.
"""

import base64
import binascii
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any

from dash import no_update
from plotly.io.json import to_json_plotly

from circuits.errors import CircuitsError, InputError
from circuits.image.photo import Photo
from circuits.tracing.circuit import Circuit
from dashboard.components import Pane
from dashboard.feature import Feature, Output, View
from dashboard.features.compare.actions import with_other_circuit
from dashboard.features.photo.actions import with_photo
from dashboard.library import Library
from dashboard.session.actions import Action, ActionType, NoPayload
from dashboard.session.envelope import FileEnvelope, Have, read_envelope, read_file_envelope, read_have
from dashboard.session.names import keep_names
from dashboard.session.opening import ask_to_open
from dashboard.session.showing import with_circuit
from dashboard.session.state import PAGES, Session
from dashboard.session.storage import SessionStorage, copy_of
from dashboard.session.tabs import TabSession, TabSessions
from dashboard.work.networks import Networks
from dashboard.work.results import IN_PHOTO, token

_READERS = 3
"""Files that are read at once, each in a thread that answers people; who sends another one is told to send it again."""
QUICK = 0.3
SOON = 0.01


@dataclass(frozen=True)
class Open:
    """The session of the address, of which this tab begins as a copy; "" for its own."""

    session: str = ""


@dataclass(frozen=True)
class Look:
    """The revision that the page shows and wants the newest evidence for."""

    revision: int


@dataclass(frozen=True)
class Again:
    """The query that failed and is to be tried again."""

    query: str


@dataclass(frozen=True)
class PageName:
    """What the middle of the page is to show, one of `PAGES`."""

    page: str


def _same(session: Session, payload: object, library: Library) -> Session:
    return session


def _pause(session: Session, payload: NoPayload, library: Library) -> Session:
    scoring = replace(session.scoring, stopped=True) if session.scoring is not None else None
    return replace(session, paused=True, requests=(), scoring=scoring)


def _resume(session: Session, payload: NoPayload, library: Library) -> Session:
    return replace(session, paused=False)


def _refine(session: Session, payload: NoPayload, library: Library) -> Session:
    return replace(session, refined=True, paused=False)


def _page(session: Session, payload: PageName, library: Library) -> Session:
    if payload.page not in PAGES:
        raise InputError(f"{payload.page!r} is not a page; there is {', '.join(PAGES)}.")
    return replace(session, showing=replace(session.showing, page=payload.page))


ACTIONS = {
    "open": ActionType(Open, _same),
    "refresh": ActionType(NoPayload, _same),
    "look": ActionType(Look, _same),
    "again": ActionType(Again, _same),
    "pause": ActionType(NoPayload, _pause),
    "resume": ActionType(NoPayload, _resume),
    "refine": ActionType(NoPayload, _refine),
    "page": ActionType(PageName, _page),
}
"""What a person can do with the page as a whole."""

_PARTS = ("head", "looks", "fired", "books", "evidence", "foot")
PANE = {
    name: Output(f"unit-{name}", evidence=name in ("looks", "fired", "evidence")) for name in _PARTS
} | {
    "books_shown": Output("unit-books", "data-shows"),
    "chosen": Output("unit-head", "data-chosen", evidence=True),
}  # fmt: skip
"""Outputs of the right pane, which belongs to the feature of what is chosen.

The picture goes along with evidence: the view that comes with it may say that it is finished, and the page would not
ask for it again.
"""


class Callbacks:
    """What the page's callbacks do.

    Args:
        sessions: the tabs of this server.
        networks: each with its library, the features, and the work that takes long.
        storage: where sessions are kept over a restart, if they are.
    """

    def __init__(self, sessions: TabSessions, networks: Networks, storage: SessionStorage | None = None) -> None:
        self.sessions = sessions
        self.networks = networks
        self.work = networks.first
        self.library = self.work.library
        self.features: Sequence[Feature] = self.work.features
        self.storage = storage
        self._reading = threading.BoundedSemaphore(_READERS)
        outputs = {name: output for feature in self.features for name, output in feature.outputs.items()} | PANE
        self.outputs = {"view": Output("view", "data", evidence=True)} | outputs

    def act(self, sent: dict[str, Any] | None, have: dict[str, Any] | None = None) -> Any:
        """Apply the actions not yet seen, begin what they ask for, and return the view, less what the page has."""
        if sent is None:
            return no_update
        envelope, had = read_envelope(sent), read_have(have)
        entries, tab = envelope.entries, self.sessions.tab(envelope.session)
        with tab.lock:
            lost = self._is_lost(tab, envelope.born)
            for entry in entries:
                if tab.fresh(envelope.tab, entry.number) and (not lost or entry.kind == "open"):
                    self._apply(tab, entry.kind, entry.payload)
            self.networks.of(tab.session).begin(tab)
        self.work.tracing.wait(tab.name, seconds=QUICK)
        self.work.workers.loading.wait(tab.name, seconds=QUICK)
        self.work.looking.wait(tab.name, seconds=SOON)
        with tab.lock:
            if self.storage is not None:
                self.storage.keep_tab(tab)
            page = self._page(tab, envelope.tab, had)
            # Nothing else that was sent waits for its answer, and of this revision all but the evidence is there.
            looks = {"revision": tab.revision}
            only_evidence = all(entry.kind == "look" and entry.payload == looks for entry in entries)
        if not only_evidence:
            return page
        wanted = {name for name, output in self.outputs.items() if output.evidence}
        if envelope.books != page["books_shown"]:  # a chart that is there already would be made anew, and jump
            wanted |= {"books", "books_shown"}
        return {name: page[name] if name in wanted else no_update for name in page}

    def receive(self, sent: dict[str, Any] | None) -> Any:
        """Take a photo or a circuit file; the acknowledgement makes the page ask for the view."""
        if sent is None:
            return no_update
        file = read_file_envelope(sent)
        tab = self.sessions.tab(file.session)
        if not self._reading.acquire(blocking=False):
            return {"tab": file.tab, "number": file.number, "again": True}
        try:
            self._take(tab, file)
        finally:
            self._reading.release()
        self.sessions.fit(tab)
        return {"tab": file.tab, "number": file.number}

    def poll(self, ticks: int, sent: dict[str, Any] | None, have: dict[str, Any] | None = None) -> Any:
        """What the background work has brought since; never the view itself."""
        if sent is None:
            return no_update
        had, tab = read_have(have), self.sessions.tab(read_envelope(sent).session)
        with tab.lock:
            return self._progress(tab, had)[0]

    def _is_lost(self, tab: TabSession, born: str) -> bool:
        """Whether the page acts on a session that this server does not have any more: its actions mean nothing here."""
        return born not in ("", tab.born) and not tab.session.found

    def _apply(self, tab: TabSession, kind: str, sent: object) -> None:
        payload = sent if isinstance(sent, Mapping) else {}
        if kind == "open":
            tab.toasts = ()
            if payload.get("session"):
                self._copy(tab, str(payload["session"]))
        work, before = self.networks.of(tab.session), tab.session
        try:
            tab.put(work.reducer.apply(before, Action(kind, payload), work.library))
            keep_names(before, tab.session)
        except CircuitsError as refusal:
            tab.say(str(refusal))
        if kind == "resume":
            work.retry(tab)
        if kind == "again":
            work.again(tab, str(payload.get("query", "")))

    def _copy(self, tab: TabSession, name: str) -> None:
        """Begin as a copy of another session, which then goes its own way; a name that is unknown is said."""
        if tab.revision or tab.session.found:
            return
        session = copy_of(name, self.sessions, self.storage)
        if session is not None:
            tab.put(session)
        else:
            tab.say("The view in the address is not kept here any more; this is a new one.", "info")

    def _take(self, tab: TabSession, file: FileEnvelope) -> None:
        """Take in a file, if it is new; while it is read, the tab's lock is free."""
        with tab.lock:
            if not tab.fresh(f"{file.tab}/file", file.number):
                return
        try:
            data = decoded(file.contents, file.name)
            library = self.networks.of(tab.session).library
            photo = None if file.kind in ("circuit", "beside") else library.photo(data, file.name)
            circuit = library.circuit(data, file.name) if photo is None else None
            with tab.lock:
                tab.put(self._with(tab.session, file.kind, photo, circuit))
                if photo is not None and photo.warning:
                    tab.say(photo.warning)
        except CircuitsError as refusal:
            with tab.lock:
                tab.say(str(refusal))

    def _with(self, session: Session, kind: str, photo: Photo | None, circuit: Circuit | None) -> Session:
        library = self.networks.of(session).library
        if photo is not None:
            return with_photo(session, photo, library)
        assert circuit is not None
        if kind == "circuit" and (labels := self.networks.waiting_for(circuit)):
            return ask_to_open(session, circuit, labels)
        return (with_circuit if kind == "circuit" else with_other_circuit)(session, circuit, library)

    def _progress(self, tab: TabSession, have: Have) -> tuple[dict[str, Any], View]:
        """What goes on, for the page, and what there is to show."""
        tab.on_screen = frozenset(have.seen)
        active = self.networks.of(tab.session)
        missing = active.pictures.want(tab)
        answers = active.want_answers(tab)
        drawing = active.draws_for(tab)
        tiles = active.tiles(tab.session.work.circuit, answers.get(IN_PHOTO), waiting=drawing)
        view = View(tab, active, answers, tiles, drawing, have)
        tab.shows.note({name: tile.facts() for name, tile in tiles.items()})
        changed = tab.shows.since(have.tiles if have.born == tab.born else 0)
        others = {name: tile for feature in active.features for name, tile in feature.tiles(view).items()}
        work = tab.session.work
        states = [state for feature in active.features if (state := feature.state(view))]
        told = asdict(active.status(tab, missing)) | {
            "session": tab.name,
            "revision": tab.revision,
            "replaced": tab.replaced,
            "at": time.monotonic(),
            "evidence": " ".join((token(" ".join(work.edge or (work.selected,)), answers), *states)),
            "looking": None in answers.values(),
            "born": tab.born,
            "link": tab.link,
            "found": tab.session.found,
            "tiles": changed | {name: tile.facts() for name, tile in others.items()},
            "tiles_at": tab.shows.version,
            "toasts": [asdict(toast) for toast in tab.toasts],
        }
        return told, view

    def _page(self, tab: TabSession, page_name: str, have: Have) -> dict[str, Any]:
        """Every output of `act` by name: what each feature renders, the right pane, and the data of the scripts."""
        status, view = self._progress(tab, have)
        features = view.work.features
        page = {name: value for feature in features for name, value in feature.render(view).items()}
        panes = (feature.pane(view) for feature in features)
        pane = next((pane for pane in panes if pane is not None), Pane([])).with_terms_once()
        page |= {name: getattr(pane, name) for name in _PARTS} | {"books_shown": _digest(pane.books)}
        seen = {"seen": tab.seen.get(page_name, 0)}
        chosen = {name: value for feature in features for name, value in feature.chosen(view).items()}
        page["chosen"] = json.dumps(seen | chosen)
        data = {name: value for feature in features for name, value in feature.data(view).items()}
        told = {"session": tab.name, "revision": tab.revision, "status": status, "toasts": status["toasts"]}
        page["view"] = data | seen | told
        return page


def _digest(parts: Sequence[Any]) -> str:
    """What tells one state of a part of the page from another; the page says which one it shows."""
    return blake2b(to_json_plotly(parts).encode(), digest_size=10).hexdigest()


def decoded(contents: str, name: str) -> bytes:
    """The bytes of a file that the browser sent as a data URI.

    Raises:
        InputError: if it is damaged.
    """
    _, comma, body = contents.partition(",")
    try:
        if not comma:
            raise ValueError
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{name} arrived damaged; send it again.") from None
