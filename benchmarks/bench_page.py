"""How long the server works on what a person does, with the renderer idle and with it running, in one run.

A person without a browser works through the callbacks and routes of a page, its own workers included. Every kind of
action is repeated; what is timed is the server's work on one answer, from the request to the answer.

- idle: nothing is drawn or looked for in the background;
- rendering: pictures are drawn all the while, as after a `why?` on a network without stored pictures;
- ratio: between the medians.

Run it with `python -m benchmarks.bench_page`, with `--network squeezenet1_1` for a larger network (random weights).
"""

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from circuits import PictureStore, Unit, load_network, load_photo
from circuits.network.network import Network
from dashboard.app import Page, PageSettings, create_page
from dashboard.features.what_if.view import stamp
from dashboard.work.gallery import StoredGallery
from dashboard.work.queue import Task
from tests.support.actions import payload

NAME = "b" * 32
GOAL = 100.0


class Client:
    """Somebody at the page: sends numbered actions, says what the page has, and requests the routes."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.http = page.dash.server.test_client()
        self.number = 0
        self.have: dict[str, Any] = {}

    def do(self, kind: str, subject: str = "") -> None:
        """Send an action, and note what the page has then."""
        self.number += 1
        entry = {"number": self.number, "kind": kind, "payload": payload(kind, subject)}
        seen = self.page.callbacks.act({"session": NAME, "tab": "tab", "queue": [entry]}, self.have or None)
        view = seen["view"]
        status = view["status"]
        self.have = {"born": status["born"], "drawing": view["drawing"], "tiles": status["tiles_at"]}

    def poll(self) -> None:
        """Request what the background work has brought."""
        self.page.callbacks.poll(1, {"session": NAME, "tab": "tab", "queue": []}, self.have or None)

    def what_if(self, unit: str, factor: float) -> None:
        """Move the slider of a unit."""
        wanted = {"session": NAME, "stamp": stamp(self.session), "changes": [{"unit": unit, "factor": factor}]}
        assert self.http.post("/what-if", json=wanted, headers={"Host": "127.0.0.1"}).status_code == 200

    def find(self, text: str) -> None:
        """Type a text into the search."""
        assert self.http.get(f"/find?session={NAME}&text={text}", headers={"Host": "127.0.0.1"}).status_code == 200

    @property
    def session(self) -> Any:
        """The newest one on the server."""
        return self.page.callbacks.sessions.tab(NAME).session


@dataclass(frozen=True)
class Busy:
    """A renderer that draws until it is told to stop."""

    page: Page
    network: Network
    stop: threading.Event

    def begin(self) -> None:
        """Keep the page's renderer at work, four pictures at a time."""
        gallery = StoredGallery(self.network, PictureStore(Path(tempfile.mkdtemp())))
        layer = self.network.layers[len(self.network.layers) // 2]
        channels = itertools.cycle(range(self.network.layer(layer).channels))

        def draw(progress: Callable[[int, int, str], None]) -> None:
            def tell(done: int, total: int, message: str) -> None:
                progress(done, total, message)
                if self.stop.is_set():
                    raise RuntimeError("stopped")

            while not self.stop.is_set():
                gallery.render([Unit(layer, next(channels)) for _ in range(4)], tell, lambda *_: None)

        self.page.callbacks.work.rendering.want("bench", [Task("bench", "drawing", draw)])


def actions(client: Client, units: list[str], edges: list[tuple[str, str]]) -> dict[str, Iterator[Callable[[], None]]]:
    """Kinds of actions, each an endless row of things to do."""
    lower = itertools.cycle(units)
    crossing = itertools.cycle(edges)
    return {
        "choose a unit": (lambda name=name: client.do("select", name) for name in lower),
        "choose an edge": (lambda edge=edge: client.do("edge", " ".join(edge)) for edge in crossing),
        "hide weak edges": (lambda n=n: client.do("set", f"weak={n}") for n in itertools.cycle(range(10))),
        "discard, undo": (
            (lambda name=name, kind=kind: client.do(kind, name if kind == "discard" else ""))
            for name in itertools.cycle(units)
            for kind in ("discard", "undo")
        ),
        "name a unit": (
            lambda name=name, n=n: client.do("name", f"{name} called {n}")
            for n, name in enumerate(itertools.cycle(units))
        ),
        "poll": (client.poll for _ in itertools.count()),
        "type in the search": ((lambda text=text: client.find(text)) for text in itertools.cycle(("ca", "1", "dog"))),
        "move the what-if slider": (
            lambda name=name, n=n: client.what_if(name, (n % 20) / 10) for n, name in enumerate(itertools.cycle(units))
        ),
    }  # fmt: skip


def timed(deed: Callable[[], None]) -> float:
    """Milliseconds that a deed takes."""
    begun = time.perf_counter()
    deed()
    return 1000 * (time.perf_counter() - begun)


def measure(page: Page, network: Network, repeats: int) -> Iterator[tuple[str, list[float], list[float]]]:
    """For every kind of action its times with the renderer idle, and with it running."""
    client = Client(page)
    client.do("open")
    target = client.session.work.predictions[0].index
    client.do("set", "depth=3")
    client.do("why", str(target))
    background = page.callbacks.work
    assert background.tracing.wait(NAME, seconds=120)
    client.do("pause")
    circuit = client.session.work.circuit
    units = sorted(circuit.visible - {circuit.root})
    edges = [(e.source, e.target) for name in sorted(circuit.visible) for e in circuit.edges_into(name)]
    kinds = actions(client, units, edges)
    rows: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    for running in (False, True):
        busy = Busy(page, network, threading.Event())
        if running:
            busy.begin()
            time.sleep(2)
        for kind, buttons in kinds.items():
            next(buttons)()
            times = []
            for deed in itertools.islice(buttons, repeats):
                if not running:
                    background.looking.wait(NAME, seconds=60)
                times.append(timed(deed))
                time.sleep(0.02)
            rows[kind].append(times)
        assert background.rendering.report("bench").state == ("running" if running else "idle")
        busy.stop.set()
    for kind, (idle, running_times) in rows.items():
        yield kind, idle, running_times


def main(
    network: Annotated[
        str, typer.Option(help="built-in or torchvision's; its weights are random if not built in.")
    ] = "builtin",
    repeats: Annotated[int, typer.Option(min=5)] = 40,
) -> None:
    loaded = load_network() if network == "builtin" else load_network(network, weights="random")
    with tempfile.TemporaryDirectory() as folder:
        gallery = StoredGallery(loaded, PictureStore(Path(folder)))
        page = create_page(PageSettings(loaded, photo=load_photo("example:cat"), gallery=gallery))
        table = Table("what a person does", "idle", "90 %", "rendering", "90 %", "ratio", f"under {GOAL:g} ms")
        for kind, idle, busy in measure(page, loaded, repeats):
            medians = statistics.median(idle), statistics.median(busy)
            high = [statistics.quantiles(times, n=10)[-1] for times in (idle, busy)]
            kept = sum(time <= GOAL for time in busy) / len(busy)
            numbers = [f"{medians[0]:.1f}", f"{high[0]:.1f}", f"{medians[1]:.1f}", f"{high[1]:.1f}"]
            table.add_row(kind, *numbers, f"{medians[1] / medians[0]:.1f} ×", f"{100 * kept:.0f} %")
        page.close()
    Console(width=120).print(f"{network}, ms of the server's work; {torch.get_num_threads()} threads", table)


if __name__ == "__main__":
    typer.run(main)
