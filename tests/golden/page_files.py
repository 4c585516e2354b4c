"""Golden files of the page: what a tab is told after each of a few actions, without a browser."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PIL import Image
from plotly.utils import PlotlyJSONEncoder

import circuits
from circuits import Circuit, Network, Photo, Unit
from tests.golden.record import Recorder
from tests.support.actions import payload

SESSION, TAB = "a" * 32, "tab"
_PASSING = {"at", "born", "session", "tiles_at", "evidence", "namespace", "books_shown"}
"""What differs from run to run, or says nothing."""
Step = tuple[str, str]


class GreyGallery:
    """A gallery in which every picture is grey, and painted at once.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def key(self, unit: Unit) -> str:
        """Layer and channel as hexadecimal digits."""
        return f"{unit.layer}:{unit.channel}".encode().hex()

    def file(self, key: str) -> Path | None:
        """The file, once it is painted."""
        path = self._folder / f"{key}.webp"
        return path if path.exists() else None

    def activation(self, unit: Unit) -> float | None:
        """Ten plus the channel."""
        return None if self.file(self.key(unit)) is None else 10.0 + unit.channel

    @property
    def sketch_part(self) -> float:
        """None is sketched."""
        return 0.0

    def sketch(self, units: Sequence[Unit], progress: Any) -> list[Any]:
        """Draw nothing."""
        return []

    def zoom(self, unit: Unit) -> int:
        """Twice as wide as what the network sees."""
        return 2

    def dead(self, unit: Unit) -> bool:
        """None is."""
        return False

    def render(self, units: Sequence[Unit], progress: Any, preview: Any) -> None:
        """Paint them."""
        for unit in units:
            unfinished = self._folder / f"{self.key(unit)}.part"
            Image.new("RGB", (48, 48), (99, 99, 99)).save(unfinished, "WEBP")
            unfinished.replace(unfinished.with_suffix(".webp"))

    def variants(self, unit: Unit, kind: str) -> tuple[()]:
        """There are none."""
        return ()

    def draw_variants(self, unit: Unit, kind: str, progress: Any, preview: Any) -> None:
        """Draw nothing."""


class Visitor:
    """Somebody at the page; the only place that knows how the page is opened, asked and told.

    Args:
        network: what the page explores.
        photo: what it shows first.
        folder: for its pictures.
    """

    def __init__(self, network: Network, photo: Photo, folder: Path) -> None:
        from dashboard.app import PageSettings, create_page

        self._page = create_page(PageSettings(network, photo=photo, gallery=GreyGallery(folder)))
        self._queue: list[dict[str, Any]] = []

    def act(self, kind: str, subject: str) -> dict[str, Any]:
        """Do something and wait until nothing is under way: everything that the page shows then."""
        self._queue.append({"number": len(self._queue) + 1, "kind": kind, "payload": payload(kind, subject)})
        shown = self._send()
        for _ in range(10):
            before, shown = shown, self._send()
            if _told(before) == _told(shown):
                return shown
        raise TimeoutError(f"The page does not come to rest after {kind} {subject}.")

    def _send(self) -> dict[str, Any]:
        callbacks = self._page.callbacks
        shown: dict[str, Any] = callbacks.act({"session": SESSION, "tab": TAB, "queue": self._queue})
        work = callbacks.work
        for queue in (work.tracing, work.looking, work.scoring, work.rendering):
            queue.wait(SESSION, seconds=60)
        return shown

    def get(self, address: str) -> tuple[str, str]:
        """What the server answers at an address: its type and text."""
        answer = self._page.dash.server.test_client().get(address)
        return answer.content_type, answer.get_data(as_text=True)

    def close(self) -> None:
        """End the page's workers."""
        self._page.close()


def write_page(
    to: Recorder, networks: Mapping[str, Network], photos: Mapping[str, Photo], collection: Path, work: Path
) -> None:
    """A long walk of one tab on a plain network, which has exemplars, and a shorter one on each of the others."""
    with patch.object(os, "cpu_count", return_value=1):
        for name, network in networks.items():
            walk = _long if name == "plain" else _short
            if name == "plain":
                circuits.index_photos(network, collection, top=3)
            elif name == "branched":
                network = network.with_layers("fine")
            circuit = circuits.trace(network, photos[name], 1, depth=3, top=3)
            visitor = Visitor(network, photos[name], work / f"pictures-{name}")
            try:
                _write_walk(to, f"page/{name}", visitor, walk(circuit))
            finally:
                visitor.close()


def _short(circuit: Circuit) -> list[Step]:
    """From the photo to a unit and an edge."""
    child = circuit.edges_into(circuit.root)[0].source
    return [
        ("open", ""),
        ("set", "top=3"),
        ("set", "depth=3"),
        ("why", "1"),
        ("select", child),
        ("edge", f"{child} {circuit.root}"),
    ]


def _long(circuit: Circuit) -> list[Step]:
    """Through everything that can be done."""
    root = circuit.root
    child, second = (edge.source for edge in circuit.edges_into(root)[:2])
    leaf = circuit.edges_into(child)[0].source
    layer, low = circuit.node(child).unit.layer, circuit.node(leaf).unit.layer
    return [
        *_short(circuit),
        ("measure", root),
        ("select", root),
        ("collapse", child),
        ("expand", child),
        ("expansion", f"{child} signs=both"),
        ("more", child),
        ("undo", ""),
        ("name", f"1 {child} round <eyes>"),
        ("note", f"2 {child} Fires on both & more."),
        ("lock", f"{second} 40 -20"),
        ("discard", second),
        ("restore", second),
        ("fold", f"{child} {second}"),
        ("unfold", ""),
        ("point", "0.4,0.6"),
        ("point-layer", low),
        ("point", ""),
        ("page", "layers"),
        ("wall-layer", layer),
        ("wall-order", "attribution"),
        ("unit", f"{low}:0"),
        ("page", "compare"),
        ("hold", ""),
        ("why", "cat - dog"),
        ("page", "circuit"),
        ("grow", "1"),
        ("score", "photo"),
        ("baseline", "mean"),
        ("crop", "2,1,26,25"),
        ("why", "nothing"),
    ]


def _write_walk(to: Recorder, name: str, visitor: Visitor, walk: Sequence[Step]) -> None:
    """Of each step, what is shown otherwise than before; then what can be fetched."""
    before: dict[str, Any] = {}
    known: dict[str, str] = {}
    for number, (kind, subject) in enumerate(walk):
        step = f"{number:02}-{kind}"
        shown = _told(visitor.act(kind, subject))
        changed = {key: value for key, value in shown.items() if before.get(key) != value}
        for key, value in changed.items():
            text = f"{key} {json.dumps(value)}"
            changed[key] = f"as after {known[text]}" if text in known else value
            known.setdefault(text, step)
        to.json(f"{name}/{step}", {"action": [kind, subject], "shown": changed})
        before = shown
        if kind == "why" and subject == "1":
            for ending in ("json", "html", "svg", "graphml"):
                to.text(f"{name}/export.{ending}", visitor.get(f"/export/{SESSION}/circuit.{ending}")[1])
    to.json(f"{name}/found", [visitor.get(f"/find?session={SESSION}&text={text}") for text in ("ca", "1", "xyz")])


def _told(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the page is told, as plain values: each part of the view by its own name, panes as lines."""
    told: dict[str, Any] = json.loads(json.dumps(shown, cls=PlotlyJSONEncoder))
    view = {f"view {key}": value for key, value in told.pop("view").items() if key not in ("status", "toasts")}
    status = {f"status {key}": value for key, value in shown["view"]["status"].items()}
    parts = {**{key: list(_lines(value)) for key, value in told.items()}, **view, **status}
    return {key: _lasting(value) for key, value in parts.items() if key.rpartition(" ")[2] not in _PASSING}


def _lines(part: Any, depth: int = 0) -> Iterator[str]:
    """A part of the page, one line an element or text; what lies inside is further right."""
    if isinstance(part, list):
        for each in part:
            yield from _lines(each, depth)
    elif isinstance(part, dict) and "props" in part:
        props = {key: value for key, value in part["props"].items() if key != "children"}
        told = "".join(f" {key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(props.items()))
        yield f"{' ' * depth}<{part['type']}{told}>"
        yield from _lines(part["props"].get("children"), depth + 1)
    elif part is not None:
        yield f"{' ' * depth}{part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)}"


def _lasting(value: Any) -> Any:
    """A value without what passes, in an order that does not hang on the hashes of texts."""
    if isinstance(value, dict):
        return {key: _lasting(each) for key, each in sorted(value.items()) if key not in _PASSING}
    return [_lasting(each) for each in value] if isinstance(value, list) else value
