"""The page's callbacks: take actions, take files, report progress.

`act` is the one reducer and the one writer of the view. Actions come in a numbered queue and each number is applied
once, under the tab's lock, so that an answer that the browser drops loses nothing. Each feature renders its own part.
`poll` writes only the progress store.
"""

import base64
import binascii
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any

from dash import no_update
from plotly.io.json import to_json_plotly

from circuits.errors import CircuitsError, InputError
from dashboard.components import Pane
from dashboard.feature import Feature, Output, View
from dashboard.features.compare.actions import with_other_circuit
from dashboard.features.photo.actions import with_circuit, with_photo
from dashboard.library import Library
from dashboard.session.actions import Action, ActionType, NoPayload
from dashboard.session.state import PAGES, Session
from dashboard.session.storage import SessionStorage, copy_of
from dashboard.session.tabs import TabSession, TabSessions
from dashboard.work.results import token
from dashboard.work.scheduler import Scheduler

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
    "page": ActionType(PageName, _page),
}
"""What a person can do with the page as a whole."""

_PARTS = ("head", "looks", "fired", "books", "evidence", "foot")
PANE = {
    name: Output(f"unit-{name}", evidence=name in ("fired", "evidence")) for name in _PARTS
} | {
    "books_shown": Output("unit-books", "data-shows"),
    "chosen": Output("unit-head", "data-chosen", evidence=True),
}  # fmt: skip
"""Outputs of the right pane, which belongs to the feature of what is chosen."""


class Callbacks:
    """What the page's callbacks do.

    Args:
        sessions: the tabs of this server.
        work: the library, the features, and the work that takes long.
        storage: where sessions are kept over a restart, if they are.
    """

    def __init__(self, sessions: TabSessions, work: Scheduler, storage: SessionStorage | None = None) -> None:
        self.sessions = sessions
        self.work = work
        self.library = work.library
        self.features: Sequence[Feature] = work.features
        self.storage = storage
        outputs = {name: output for feature in self.features for name, output in feature.outputs.items()} | PANE
        self.outputs = {"view": Output("view", "data", evidence=True)} | outputs

    def act(self, sent: dict[str, Any] | None, have: dict[str, Any] | None = None) -> Any:
        """Apply the actions not yet seen, begin what they ask for, and return the view, less what the page has."""
        tab = self._tab(sent)
        if tab is None or sent is None:
            return no_update
        page_name = str(sent["tab"])
        with tab.lock:
            lost = self._is_lost(tab, sent)
            for entry in sent["queue"]:
                if tab.fresh(page_name, int(entry["number"])) and (not lost or entry["kind"] == "open"):
                    self._apply(tab, Action(str(entry["kind"]), entry.get("payload") or {}))
            self.work.begin(tab)
        self.work.tracing.wait(tab.name, seconds=QUICK)
        self.work.looking.wait(tab.name, seconds=SOON)
        with tab.lock:
            self._keep(tab)
            page = self._page(tab, page_name, have)
            # Nothing else that was sent waits for its answer, and of this revision all but the evidence is there.
            only_evidence = all(
                each["kind"] == "look" and each.get("payload") == {"revision": tab.revision} for each in sent["queue"]
            )
        if not only_evidence:
            return page
        wanted = {name for name, output in self.outputs.items() if output.evidence}
        if sent.get("books") != page["books_shown"]:  # a chart that is there already would be made anew, and jump
            wanted |= {"books", "books_shown"}
        return {name: page[name] if name in wanted else no_update for name in page}

    def receive(self, sent: dict[str, Any] | None) -> Any:
        """Take a photo or a circuit file; the acknowledgement makes the page ask for the view."""
        tab = self._tab(sent)
        if tab is None or sent is None:
            return no_update
        with tab.lock:
            if tab.fresh(f"{sent['tab']}/file", int(sent["number"])):
                try:
                    tab.put(self._take(tab.session, str(sent["kind"]), str(sent["name"]), str(sent["contents"])))
                except CircuitsError as refusal:
                    tab.say(str(refusal))
        return {"tab": sent["tab"], "number": sent["number"]}

    def poll(self, ticks: int, sent: dict[str, Any] | None, have: dict[str, Any] | None = None) -> Any:
        """What the background work has brought since; never the view itself."""
        tab = self._tab(sent)
        if tab is None:
            return no_update
        with tab.lock:
            return self._progress(tab, have)[0]

    def _tab(self, sent: dict[str, Any] | None) -> TabSession | None:
        if not isinstance(sent, dict):
            return None
        return self.sessions.tab(sent["session"])

    def _is_lost(self, tab: TabSession, sent: dict[str, Any]) -> bool:
        """Whether the page acts on a session that this server does not have any more: its actions mean nothing here."""
        return sent.get("born", "") not in ("", tab.born) and not tab.session.found

    def _apply(self, tab: TabSession, action: Action) -> None:
        payload = action.payload if isinstance(action.payload, Mapping) else {}
        if action.kind == "open":
            tab.toasts = ()
            if payload.get("session"):
                self._copy(tab, str(payload["session"]))
        try:
            tab.put(self.work.reducer.apply(tab.session, Action(action.kind, payload), self.library))
        except CircuitsError as refusal:
            tab.say(str(refusal))
        if action.kind == "resume":
            self.work.retry(tab)
        if action.kind == "again":
            self.work.again(tab, str(payload.get("query", "")))

    def _copy(self, tab: TabSession, name: str) -> None:
        """Begin as a copy of another session, which then goes its own way; a name that is unknown is said."""
        if tab.revision or tab.session.found:
            return
        session = copy_of(name, self.sessions, self.storage)
        if session is not None:
            tab.put(session)
        else:
            tab.say("The view in the address is not kept here any more; this is a new one.", "info")

    def _keep(self, tab: TabSession) -> None:
        """Write the session to disk if it changed and the person had a part in it."""
        if self.storage is not None and tab.kept != tab.revision:
            self.storage.keep(tab.name, tab.session)
            tab.kept = tab.revision

    def _take(self, session: Session, kind: str, name: str, contents: str) -> Session:
        data = decoded(contents, name)
        if kind == "circuit":
            return with_circuit(session, self.library.circuit(data), self.library)
        if kind == "beside":
            return with_other_circuit(session, self.library.circuit(data), self.library)
        return with_photo(session, self.library.photo(data, name), self.library)

    def _progress(self, tab: TabSession, have: dict[str, Any] | None) -> tuple[dict[str, Any], View]:
        """What goes on, for the page, and what there is to show."""
        missing = self.work.want_pictures(tab)
        answers = self.work.want_answers(tab)
        drawing = self.work.draws_for(tab)
        tiles = self.work.tiles(tab.session.work.circuit, waiting=drawing)
        view = View(tab, self.work, answers, tiles, drawing, have or {})
        tab.shows.note({name: tile.facts() for name, tile in tiles.items()})
        changed = tab.shows.since(view.have.get("tiles", 0) if view.have.get("born") == tab.born else 0)
        others = {name: tile for feature in self.features for name, tile in feature.tiles(view).items()}
        work = tab.session.work
        states = [state for feature in self.features if (state := feature.state(view))]
        told = asdict(self.work.status(tab, missing)) | {
            "session": tab.name,
            "revision": tab.revision,
            "replaced": tab.replaced,
            "at": time.monotonic(),
            "evidence": " ".join((token(" ".join(work.edge or (work.selected,)), answers), *states)),
            "looking": None in answers.values(),
            "born": tab.born,
            "found": tab.session.found,
            "tiles": changed | {name: tile.facts() for name, tile in others.items()},
            "tiles_at": tab.shows.version,
            "toasts": [asdict(toast) for toast in tab.toasts],
        }
        return told, view

    def _page(self, tab: TabSession, page_name: str, have: dict[str, Any] | None) -> dict[str, Any]:
        """Every output of `act` by name: what each feature renders, the right pane, and the data of the scripts."""
        status, view = self._progress(tab, have)
        page = {name: value for feature in self.features for name, value in feature.render(view).items()}
        panes = (feature.pane(view) for feature in self.features)
        pane = next((pane for pane in panes if pane is not None), Pane([]))
        page |= {name: getattr(pane, name) for name in _PARTS} | {"books_shown": _digest(pane.books)}
        seen = {"seen": tab.seen.get(page_name, 0)}
        chosen = {name: value for feature in self.features for name, value in feature.chosen(view).items()}
        page["chosen"] = json.dumps(seen | chosen)
        data = {name: value for feature in self.features for name, value in feature.data(view).items()}
        page["view"] = (
            data
            | seen
            | {
                "session": tab.name,
                "revision": tab.revision,
                "status": status,
                "toasts": status["toasts"],
            }
        )
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
