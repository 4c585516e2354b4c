"""The page's callbacks as methods of `Callbacks`: take actions, take files, report progress, export.

One callback, `act`, writes the whole view. Actions come in a numbered queue and each number is applied once, under
the session's lock, so that an answer that the browser drops loses nothing. `poll` writes only the progress store.
"""

import base64
import binascii
import re
import time
from dataclasses import asdict
from typing import Any

from dash import no_update

from circuits.errors import CircuitsError, InputError
from dashboard import actions, inspector, panels, view
from dashboard.actions import Action
from dashboard.background import Background
from dashboard.edge_panel import chosen_edge, edge_panel
from dashboard.explorer import Explorer
from dashboard.sessions import Desk, Session, Sessions
from dashboard.shelf import Shelf
from dashboard.tiles import Tile, tiles
from dashboard.topics import Found, token

QUICK = 0.3
SOON = 0.04
_OF_EVIDENCE = ("view", "fired", "evidence")


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

    def act(self, sent: dict[str, Any] | None) -> Any:
        """Apply the actions not yet seen, begin what they ask for, and return the whole view."""
        desk = self._desk(sent)
        if desk is None or sent is None:
            return no_update
        tab = str(sent["tab"])
        with desk.lock:
            for entry in sent["queue"]:
                if desk.fresh(tab, int(entry["number"])):
                    self._apply(desk, Action(str(entry["kind"]), str(entry["subject"])))
            self.background.begin(desk)
        self.background.tracing.wait(desk.name, seconds=QUICK)
        self.background.looking.wait(desk.name, seconds=SOON)
        with desk.lock:
            self._keep(desk)
            page = self._page(desk, tab)
            # Nothing else that was sent waits for its answer, and of this revision all but the evidence is there.
            newest = str(desk.revision)
            only_evidence = all(each["kind"] == "look" and each["subject"] == newest for each in sent["queue"])
        return page if not only_evidence else {name: page[name] if name in _OF_EVIDENCE else no_update for name in page}

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

    def poll(self, ticks: int, sent: dict[str, Any] | None) -> Any:
        """What the background work has brought since; never the view itself."""
        desk = self._desk(sent)
        if desk is None:
            return no_update
        with desk.lock:
            return self._progress(desk)[0]

    def export(self, clicks: int | None, sent: dict[str, Any] | None) -> Any:
        """The circuit as a JSON file, with the pictures in it if that is wanted."""
        desk = self._desk(sent)
        if desk is None or not clicks:
            return no_update
        circuit = desk.session.work.circuit
        if circuit is None:
            return no_update
        if desk.session.embed:
            circuit = self.explorer.with_pictures(circuit)
        name = re.sub(r"[^\w-]+", "-", circuit.target["label"]).strip("-")[:60] or "circuit"
        text = circuit.to_json_text()
        return {"content": text, "filename": f"circuit-{name}.json", "type": "application/json", "base64": False}

    def _desk(self, sent: dict[str, Any] | None) -> Desk | None:
        if not isinstance(sent, dict):
            return None
        return self.sessions.desk(sent["session"])

    def _apply(self, desk: Desk, action: Action) -> None:
        if action.kind == "open":
            desk.toasts = ()
        try:
            desk.put(actions.apply(desk.session, action, self.explorer))
        except CircuitsError as refusal:
            desk.say(str(refusal))
        if action.kind == "resume":
            self.background.retry(desk.session)

    def _keep(self, desk: Desk) -> None:
        """Write the session to disk if it changed and the person had a part in it."""
        if self.shelf is not None and desk.kept != desk.revision:
            self.shelf.keep(desk.name, desk.session)
            desk.kept = desk.revision

    def _take(self, session: Session, kind: str, name: str, contents: str) -> Session:
        data = decoded(contents, name)
        if kind == "circuit":
            return actions.with_circuit(session, self.explorer.circuit(data), self.explorer)
        return actions.with_photo(session, self.explorer.photo(data, name), self.explorer)

    def _progress(self, desk: Desk) -> tuple[dict[str, Any], dict[str, Tile], Found]:
        """What goes on, for the page, the tiles that are part of it, and the evidence that is there."""
        self.background.want_pictures(desk)
        evidence = self.background.want_evidence(desk)
        work = desk.session.work
        status = self.background.status(desk)
        found = tiles(desk.session.work.circuit, self.explorer, self.background.previews, waiting=status.live)
        told = asdict(status) | {
            "session": desk.name,
            "revision": desk.revision,
            "at": time.monotonic(),
            "evidence": token(" ".join(work.edge or (work.selected,)), evidence),
            "looking": None in evidence.values(),
            "tiles": {name: tile.facts() for name, tile in found.items()},
            "toasts": [asdict(toast) for toast in desk.toasts],
        }
        return told, found, evidence

    def _page(self, desk: Desk, tab: str) -> dict[str, Any]:
        """Every output of `act`, by the names that `wiring.connect` gives them."""
        session = desk.session
        work, circuit = session.work, session.work.circuit
        status, found, evidence = self._progress(desk)
        tile, activation, inspection = found.get(work.selected, Tile("none")), None, None
        edge = chosen_edge(session)
        if circuit is not None and work.selected in circuit.nodes:
            inspection = self.explorer.inspect(circuit, work.selected, session.choices, work.locked)
            if self.explorer.is_own(circuit):
                activation = self.explorer.gallery.activation(circuit.nodes[work.selected].unit.whole)
        if circuit is not None and edge is not None:
            pane = edge_panel(session, circuit, edge, evidence, found)
        else:
            pane = inspector.unit(session, inspection, tile, activation, evidence)
        drawn = view.graph(session, found, self.explorer.channels) | {
            "session": desk.name,
            "revision": desk.revision,
            "seen": desk.seen.get(tab, 0),
            "status": status,
            "toasts": status["toasts"],
        }
        crop = self.explorer.crop(work.photo, circuit) if work.photo is not None else ""
        return {
            "view": drawn,
            "photo": panels.photo(session, crop),
            "predictions": panels.predictions(session),
            "settings": panels.settings(session, self.explorer.depths),
            "head": pane.head,
            "looks": pane.looks,
            "fired": pane.fired,
            "books": pane.books,
            "evidence": pane.evidence,
            "foot": pane.foot,
            "story": panels.story(session),
            "invitation": panels.invitation(session),
            "no_invitation": circuit is not None,
            "no_legend": circuit is None,
            "no_undo": not session.past and not session.asks,
            "no_redo": not session.future,
            "no_export": circuit is None,
            "embed": "true" if session.embed else "false",
            "embed_next": "pictures=off" if session.embed else "pictures=on",
        }


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
