"""The page's callbacks as methods of `Callbacks`: take actions, take files, report progress.

One callback, `act`, writes the whole view. Actions come in a numbered queue and each number is applied once, under
the session's lock, so that an answer that the browser drops loses nothing. `poll` writes only the progress store.
"""

import base64
import binascii
import time
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from dash import no_update
from plotly.io.json import to_json_plotly

from circuits.errors import CircuitsError, InputError
from dashboard.features.compare import view as compare
from dashboard.features.compare.view import BESIDE
from dashboard.features.edge.view import chosen_edge, edge_panel
from dashboard.features.evaluation import queries as scores
from dashboard.features.graph import view
from dashboard.features.graph.drawing import Drawing, Drawings
from dashboard.features.graph.folding import Alike
from dashboard.features.layer import outside
from dashboard.features.layer import view as wall
from dashboard.features.layer.actions import stranger, with_beside
from dashboard.features.photo.view import strip
from dashboard.features.point import view as spots
from dashboard.features.point.queries import SPOTTED, TOPIC, spotted
from dashboard.features.target import view as panels
from dashboard.features.unit import chosen as unit_view
from dashboard.features.unit import variants
from dashboard.features.unit import view as inspector
from dashboard.library import Explorer
from dashboard.session import actions
from dashboard.session.acting import Action
from dashboard.session.state import Desk, Session, Sessions
from dashboard.session.storage import Shelf, copy_of
from dashboard.work.carried import Carried
from dashboard.work.scheduler import Background
from dashboard.work.tiles import Tile, tiles
from dashboard.work.topics import Found, token

QUICK = 0.3
SOON = 0.01
OUTSIDE = "outside"
_OF_EVIDENCE = ("view", "fired", "evidence", "spot")


class Callbacks:
    """What the page's callbacks do.

    Args:
        sessions: the desks of this server.
        explorer: the library.
        background: the work that takes long.
        shelf: where sessions are kept over a restart, if they are.
    """

    def __init__(
        self, sessions: Sessions, explorer: Explorer, background: Background, shelf: Shelf | None = None
    ) -> None:
        self.sessions = sessions
        self.explorer = explorer
        self.background = background
        self.shelf = shelf
        self.drawings = Drawings(explorer.channels)
        self.carried = Carried()

    def act(self, sent: dict[str, Any] | None, have: dict[str, Any] | None = None) -> Any:
        """Apply the actions not yet seen, begin what they ask for, and return the view, less what the page has."""
        desk = self._desk(sent)
        if desk is None or sent is None:
            return no_update
        tab = str(sent["tab"])
        with desk.lock:
            lost = self._is_lost(desk, sent)
            for entry in sent["queue"]:
                if desk.fresh(tab, int(entry["number"])) and (not lost or entry["kind"] == "open"):
                    self._apply(desk, Action(str(entry["kind"]), str(entry["subject"])))
            self.background.begin(desk)
        self.background.tracing.wait(desk.name, seconds=QUICK)
        self.background.looking.wait(desk.name, seconds=SOON)
        with desk.lock:
            self._keep(desk)
            page = self._page(desk, tab, have)
            # Nothing else that was sent waits for its answer, and of this revision all but the evidence is there.
            newest = str(desk.revision)
            only_evidence = all(each["kind"] == "look" and each["subject"] == newest for each in sent["queue"])
        if not only_evidence:
            return page
        # A chart that is there already would be made anew, and jump.
        same = sent.get("books") == page["books_shown"]
        wanted = _OF_EVIDENCE if same else (*_OF_EVIDENCE, "books", "books_shown")
        return {name: page[name] if name in wanted else no_update for name in page}

    def receive(self, sent: dict[str, Any] | None) -> Any:
        """Take a photo or a circuit file; the acknowledgement makes the page ask for the view."""
        desk = self._desk(sent)
        if desk is None or sent is None:
            return no_update
        with desk.lock:
            if desk.fresh(f"{sent['tab']}/file", int(sent["number"])):
                try:
                    desk.put(self._take(desk.session, str(sent["kind"]), str(sent["name"]), str(sent["contents"])))
                except CircuitsError as refusal:
                    desk.say(str(refusal))
        return {"tab": sent["tab"], "number": sent["number"]}

    def poll(self, ticks: int, sent: dict[str, Any] | None, have: dict[str, Any] | None = None) -> Any:
        """What the background work has brought since; never the view itself."""
        desk = self._desk(sent)
        if desk is None:
            return no_update
        with desk.lock:
            return self._progress(desk, have)[0]

    def _desk(self, sent: dict[str, Any] | None) -> Desk | None:
        if not isinstance(sent, dict):
            return None
        return self.sessions.desk(sent["session"])

    def _is_lost(self, desk: Desk, sent: dict[str, Any]) -> bool:
        """Whether the page acts on a session that this server does not have any more: its actions mean nothing here."""
        return sent.get("born", "") not in ("", desk.born) and not desk.session.found

    def _apply(self, desk: Desk, action: Action) -> None:
        if action.kind == "open":
            desk.toasts = ()
            if action.subject:
                self._copy(desk, action.subject)
        try:
            desk.put(actions.apply(desk.session, action, self.explorer))
        except CircuitsError as refusal:
            desk.say(str(refusal))
        if action.kind == "resume":
            self.background.retry(desk.session, desk.on_wall)
        if action.kind == "again":
            self.background.again(desk.session, action.subject)

    def _copy(self, desk: Desk, name: str) -> None:
        """Begin as a copy of another session, which then goes its own way; a name that is unknown is said."""
        if desk.revision or desk.session.found:
            return
        session = copy_of(name, self.sessions, self.shelf)
        if session is not None:
            desk.put(session)
        else:
            desk.say("The view in the address is not kept here any more; this is a new one.", "info")

    def _keep(self, desk: Desk) -> None:
        """Write the session to disk if it changed and the person had a part in it."""
        if self.shelf is not None and desk.kept != desk.revision:
            self.shelf.keep(desk.name, desk.session)
            desk.kept = desk.revision

    def _take(self, session: Session, kind: str, name: str, contents: str) -> Session:
        data = decoded(contents, name)
        if kind == "circuit":
            return actions.with_circuit(session, self.explorer.circuit(data), self.explorer)
        if kind == "beside":
            return with_beside(session, self.explorer.circuit(data), self.explorer)
        return actions.with_photo(session, self.explorer.photo(data, name), self.explorer)

    def _progress(self, desk: Desk, have: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Tile], Found]:
        """What goes on, for the page, the tiles that are part of it, and the evidence that is there."""
        missing = self.background.want_pictures(desk)
        evidence = {**self.background.want_evidence(desk), **self.background.want_scores(desk)}
        work = desk.session.work
        status = self.background.status(desk, missing)
        waiting = self.background.draws_for(desk)
        found = tiles(work.circuit, self.explorer, self.background.previews, self.carried, waiting=waiting)
        desk.shows.note({name: tile.facts() for name, tile in found.items()})
        known = have or {}
        told = asdict(status) | {
            "session": desk.name,
            "revision": desk.revision,
            "replaced": desk.replaced,
            "at": time.monotonic(),
            "evidence": token(" ".join(work.edge or (work.selected,)), evidence) + self._more(desk, waiting)[1],
            "looking": None in evidence.values(),
            "born": desk.born,
            "found": desk.session.found,
            "tiles": desk.shows.since(known.get("tiles", 0) if known.get("born") == desk.born else 0),
            "tiles_at": desk.shows.version,
            "toasts": [asdict(toast) for toast in desk.toasts],
        }
        told["tiles"] |= self._tiles_beside(session=desk.session, waiting=waiting)
        return told, found, evidence

    def _more(self, desk: Desk, waiting: bool) -> tuple[list[variants.Shown], str]:
        """The further pictures of the chosen unit, and what tells their state from another."""
        found = variants.shown(desk.session, self.explorer, self.background.previews, waiting=waiting)
        return found, f" {variants.state(found)}" if found else ""

    def _tiles_beside(self, *, session: Session, waiting: bool) -> dict[str, Any]:
        """The tiles of what is on the page but not in its circuit: the chosen unit, and those of the held circuit."""
        previews, shown = self.background.previews, {}
        outsider = stranger(session, self.explorer)
        if outsider is not None:
            shown[OUTSIDE] = wall.tile(outsider, self.explorer, previews, waiting=waiting)
        if session.showing.page == "compare":
            held = tiles(session.beside, self.explorer, previews, self.carried, waiting=waiting)
            shown |= {f"{BESIDE}{name}": tile for name, tile in held.items()}
        for unit in spotted(session, self.explorer, self.background.board):
            shown[f"{SPOTTED}{unit}"] = wall.tile(unit, self.explorer, previews, waiting=waiting)
        return {name: tile.facts() for name, tile in shown.items()}

    def _page(self, desk: Desk, tab: str, have: dict[str, Any] | None) -> dict[str, Any]:
        """Every output of `act`, by the names that `wiring.connect` gives them."""
        session = desk.session
        work, circuit = session.work, session.work.circuit
        status, found, evidence = self._progress(desk, have)
        tile, activation, inspection = found.get(work.selected, Tile("none")), None, None
        own = False
        edge = chosen_edge(session)
        if circuit is not None and work.selected in circuit.nodes:
            inspection = self.explorer.inspect(circuit, work.selected, work.locked)
            own = self.explorer.is_own(circuit)
            if own:
                activation = self.explorer.gallery.activation(circuit.nodes[work.selected].unit.whole)
        if circuit is not None and edge is not None:
            pane = edge_panel(session, circuit, edge, evidence, found)
        else:
            more = self._more(desk, self.background.draws_for(desk))[0]
            score = scores.shown(session, self.background.evidence, evidence, self.background.board)
            pane = inspector.unit(session, inspection, tile, activation, evidence, more, own=own, score=score)
        outsider = stranger(session, self.explorer)
        if outsider is not None:
            looks = Tile(**status["tiles"][OUTSIDE])
            reached = self.explorer.gallery.activation(outsider)
            pane = outside.pane(session, outsider, looks, reached, evidence, self.explorer)
        drawn = view.graph(session, self._drawing(desk, evidence), str((have or {}).get("drawing", ""))) | {
            "session": desk.name,
            "revision": desk.revision,
            "seen": desk.seen.get(tab, 0),
            "chosen": {"id": work.selected, "state": tile.state},
            "status": status,
            "toasts": status["toasts"],
            "naming": unit_view.naming(session, self.explorer),
            "what_if": unit_view.what_if(session, self.explorer, evidence),
            "outside": {"unit": str(outsider), **status["tiles"][OUTSIDE]} if outsider is not None else None,
        }
        shown = {name: each.facts() for name, each in found.items()} | status["tiles"]
        crop = desk.show(self.explorer.seen(work.photo, circuit)) if work.photo is not None else ""
        return {
            "view": drawn,
            "photo": panels.photo(session, crop, self.explorer),
            "strip": strip(session, self.explorer, desk.show),
            "spot": spots.panel(session, self.explorer, evidence.get(TOPIC), status["tiles"]),
            "explained": panels.explained(session),
            "predictions": panels.predictions(session),
            "settings": panels.settings(session, self.explorer.depths),
            "head": pane.head,
            "looks": pane.looks,
            "fired": pane.fired,
            "books": pane.books,
            "books_shown": _digest(pane.books),
            "evidence": pane.evidence,
            "foot": pane.foot,
            "story": panels.story(session),
            "invitation": panels.invitation(session),
            "page": session.showing.page,
            "wall": wall.data(session, self.explorer),
            "compare": compare.panel(session, self.explorer, shown, desk.show),
            "no_invitation": circuit is not None,
            "no_legend": circuit is None,
            "no_undo": not session.past and not session.asks,
            "no_redo": not session.future,
        }

    def _drawing(self, desk: Desk, evidence: Found) -> Drawing | None:
        """The circuit as it is drawn; its near-duplicates as they were known last, until they are found again."""
        work = desk.session.work
        if work.circuit is None:
            return None
        alike = evidence.get("alike")
        if isinstance(alike, Alike):
            desk.alike = alike.groups
        return self.drawings.of(work.circuit, desk.alike, work.folded, locked=bool(work.locked))


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
