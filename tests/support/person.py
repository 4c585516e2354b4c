"""Somebody at a page without a browser."""

import base64
import json
from typing import Any

from dashboard.app import Page
from dashboard.features.export.exports import ExportOptions, export
from tests.support.actions import payload

ANN, BOB = "a" * 32, "b" * 32


class Person:
    """Somebody at the page: sends numbered actions and keeps the newest view."""

    def __init__(self, page: Page, name: str = ANN) -> None:
        self.callbacks = page.callbacks
        self.name = name
        self.queue: list[dict[str, Any]] = []
        self.files = 0
        self.seen: dict[str, Any] = {}
        self.do("set", "top=3")

    def do(self, kind: str, subject: str = "") -> dict[str, Any]:
        """Send an action, along with all earlier ones, as the page does when answers are late."""
        return self.send_action(kind, payload(kind, subject))

    def send_action(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        """The same with the payload itself."""
        self.queue.append({"number": len(self.queue) + 1, "kind": kind, "payload": sent})
        return self.look()

    def look(self) -> dict[str, Any]:
        """Send the same queue again."""
        self.seen = self.callbacks.act({"session": self.name, "tab": "tab", "queue": list(self.queue)})
        return self.seen

    def why(self, number: str = "0") -> dict[str, Any]:
        """Ask why and wait for the answer."""
        self.do("why", number)
        assert self.callbacks.work.tracing.wait(self.name, seconds=30)
        return self.do("refresh")

    def looked(self) -> dict[str, Any]:
        """Wait until all evidence is there, and ask for the view."""
        assert self.callbacks.work.looking.wait(self.name, seconds=30)
        return self.do("refresh")

    @property
    def pane(self) -> list[Any]:
        """The right pane."""
        return [part for name in ("head", "looks", "fired", "books", "evidence", "foot") for part in self.seen[name]]

    @property
    def chosen(self) -> dict[str, Any]:
        """What the scripts in the right pane are told."""
        return dict(json.loads(self.seen["chosen"]))

    def send(self, data: bytes, name: str, kind: str = "photo") -> list[str]:
        """Send a file; the sentences that come back."""
        self.files += 1
        contents = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
        self.callbacks.receive(
            {"session": self.name, "tab": "tab", "number": self.files, "kind": kind, "name": name, "contents": contents}
        )
        return [toast["text"] for toast in self.poll()["toasts"]]

    def export(self, *, pictures: bool = False) -> tuple[str, dict[str, Any]]:
        """The circuit as the menu's JSON file: its name, and what is in it."""
        file = export(self.callbacks.sessions, self.callbacks.networks, self.name, "json", ExportOptions(pictures))
        assert file is not None
        return file.name, json.loads(file.data)

    def poll(self, *seen: str) -> dict[str, Any]:
        """What the background work has brought, while some units are on the screen."""
        return self.callbacks.poll(1, {"session": self.name, "tab": "tab", "queue": []}, {"seen": list(seen)})

    def rendered(self) -> dict[str, Any]:
        """Wait until nothing is rendered any more, and poll."""
        assert self.callbacks.work.rendering.wait(self.name, seconds=30)
        return self.poll()

    @property
    def nodes(self) -> dict[str, Any]:
        """The units on the page by id, with what they show."""
        tiles = self.seen["view"]["status"]["tiles"]
        return {node["id"]: {**node, **tiles[node["id"]]} for node in self.seen["view"]["nodes"]}


def ready(told: dict[str, Any]) -> set[str]:
    """The units whose pictures are finished."""
    return {name for name, tile in told["tiles"].items() if tile["state"] == "ready"}
