"""What stands for a unit on the page: its picture, an unfinished one, or a plain tile that says why there is none."""

from dataclasses import dataclass
from typing import Any

from circuits.tracing.circuit import Circuit
from dashboard.library import Explorer
from dashboard.work.carried import Carried
from dashboard.work.previews import Preview, Previews

DEAD = "nothing was found that excites this unit"


@dataclass(frozen=True)
class Tile:
    """What a unit shows.

    Args:
        state: `ready`, `drawing` (an unfinished picture), `waiting`, `dead` (nothing excites the unit) or `none`.
        picture: address of the picture, finished or not; "" if there is none.
        said: the state in words, where it is worth some.
        drawn: how far an unfinished picture is, 0 to 1.
    """

    state: str
    picture: str = ""
    said: str = ""
    drawn: float = 0.0

    def facts(self) -> dict[str, Any]:
        """The tile as JSON for the page."""
        return {"state": self.state, "picture": self.picture, "said": self.said, "drawn": round(self.drawn, 3)}


def tiles(
    circuit: Circuit | None, explorer: Explorer, previews: Previews, carried: Carried, *, waiting: bool
) -> dict[str, Tile]:
    """The tiles of the visible units, by node id.

    Args:
        circuit: whose units; without one there are none.
        explorer: knows the finished pictures.
        previews: the unfinished ones.
        carried: those that came with a circuit's file.
        waiting: whether missing pictures are on their way; if not, no unfinished one is shown either.
    """
    if circuit is None:
        return {}
    shown: dict[str, Preview | None] = {}
    if waiting and explorer.is_own(circuit):
        # Before the pictures: a preview that goes meanwhile leaves its picture, and no gap is seen.
        shown = {name: previews.get(explorer.key(circuit, name)) for name in circuit.visible}
    found = {name: _tile(circuit, name, explorer, shown.get(name), waiting=waiting) for name in circuit.visible}
    for name, tile in found.items():
        if tile.picture.startswith("data:"):
            address = carried.address(tile.picture)
            found[name] = Tile("ready" if address else "none", address)
    return found


def _tile(circuit: Circuit, name: str, explorer: Explorer, preview: Preview | None, *, waiting: bool) -> Tile:
    picture = explorer.picture(circuit, name)
    if picture and explorer.is_dead(circuit, name):
        return Tile("dead", said=DEAD)
    if picture:
        return Tile("ready", picture)
    if preview is not None:
        said = f"still being drawn, step {preview.step} of {preview.steps}"
        return Tile("drawing", preview.address, said, preview.drawn)
    return Tile("waiting" if waiting else "none")
