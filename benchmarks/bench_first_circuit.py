"""How long somebody waits for the first circuit of a network, and for what its units show, nothing being stored.

A person without a browser asks why of the class predicted, and polls twice a second, as the page does; every unit
counts as on the screen. What is timed, from the press on:

- circuit: the graph stands;
- patches: every unit shows a patch of the photo;
- sketches: every unit shows at least a coarse picture;
- pictures: every picture is finished, or it takes so long that the page asks first ("refine").

Every sentence of the status line is printed once, with the seconds left that it spoke of. Run it with

    python -m benchmarks.bench_first_circuit PHOTO --network squeezenet1_1 --weights FILE --labels FILE
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from circuits import PictureStore, load_network, load_photo
from dashboard.app import PageSettings, create_page
from dashboard.work.gallery import StoredGallery
from tests.support.actions import payload

NAME = "b" * 32
EVERY = 0.5
PRESENT = ("ready", "dead")


def main(
    photo: str,
    network: str = "builtin",
    weights: Annotated[str | None, typer.Option(help="A file of weights.")] = None,
    labels: Annotated[str | None, typer.Option(help="A file of labels.")] = None,
    limit: Annotated[float, typer.Option(help="Seconds after which to stop.")] = 900.0,
) -> None:
    """Ask why, and wait."""
    loaded = load_network(network, weights=weights, labels=labels)
    gallery = StoredGallery(loaded, PictureStore(Path(tempfile.mkdtemp())))
    page = create_page(PageSettings(loaded, photo=load_photo(photo), gallery=gallery))
    send, console = page.callbacks, Console()
    tiles: dict[str, Any] = {}
    number = 0

    def do(kind: str, subject: str = "") -> dict[str, Any]:
        nonlocal number
        number += 1
        entry = {"number": number, "kind": kind, "payload": payload(kind, subject)}
        seen = send.act({"session": NAME, "tab": "tab", "queue": [entry]}, None)
        view: dict[str, Any] = seen["view"]
        return view

    do("refresh")
    best = send.sessions.tab(NAME).session.work.predictions[0]
    begun = time.perf_counter()
    view = do("why", str(best.index))
    while not view["circuit"]:
        time.sleep(EVERY)
        view = do("refresh")
    names = [node["id"] for node in view["nodes"]]
    console.print(f"circuit   {time.perf_counter() - begun:6.1f} s, {len(names)} units, why {best.label}")
    tiles |= view["status"]["tiles"]
    said, steps = "", {
        "patches": lambda tile: bool(tile["patch"] or tile["picture"]),
        "sketches": lambda tile: tile["state"] in ("sketch", "drawing", *PRESENT) and bool(tile["picture"]),
        "pictures": lambda tile: tile["state"] in PRESENT,
    }  # fmt: skip
    while steps and time.perf_counter() - begun < limit:
        told = send.poll(1, {"session": NAME, "tab": "tab", "queue": []}, {"seen": names})
        tiles |= {name: tile for name, tile in told["tiles"].items() if name in names}
        now = time.perf_counter() - begun
        for step, holds in list(steps.items()):
            if all(name in tiles and holds(tiles[name]) for name in names):
                console.print(f"{step:9} {now:6.1f} s")
                del steps[step]
        if told["text"] != said:
            said = told["text"]
            console.print(f"          {now:6.1f} s: {said}", highlight=False)
        if told["can_refine"] and not told["live"]:
            break
        time.sleep(EVERY)
    page.close()


if __name__ == "__main__":
    typer.run(main)
