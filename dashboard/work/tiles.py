"""What stands for a unit on the page: its picture, an unfinished one, or a plain tile that says why there is none."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from circuits.groups.layer_direction import Subject
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import subject_of
from circuits.tracing.targets import target_of
from circuits.units import Unit
from dashboard.answers import InPhoto
from dashboard.library import Library
from dashboard.work.carried import Carried
from dashboard.work.previews import Previews

DEAD = "no image was found that activates this unit"
NO_DIRECTION = "what is not in any group has no direction, and so no picture"


@dataclass(frozen=True)
class Tile:
    """What a unit shows.

    Args:
        state: `ready`, `drawing` (an unfinished picture), `sketch` (a coarse one, until it is drawn), `waiting`, `dead`
            (nothing excites the unit) or `none`.
        picture: address of the picture, finished or not; "" if there is none.
        said: the state in words, where it is worth some.
        drawn: how far an unfinished picture is, 0 to 1.
        patch: address of the part of the photo where the unit fired most; "" while it is not known.
        heat: address of its activation over the photo; "" while it is not known.
        second: of the difference of two classes, address of the second one's picture, finished or not.
    """

    state: str
    picture: str = ""
    said: str = ""
    drawn: float = 0.0
    patch: str = ""
    heat: str = ""
    second: str = ""

    def facts(self) -> dict[str, Any]:
        """The tile as JSON for the page."""
        return asdict(self) | {"drawn": round(self.drawn, 3)}


def picture_tile(key: str, previews: Previews, *, ready: bool, waiting: bool) -> Tile:
    """The tile of a picture by its key: finished, on its way, or neither.

    Args:
        key: its content address.
        previews: the unfinished pictures.
        ready: whether it is finished.
        waiting: whether missing pictures are on their way; if not, no unfinished one is shown either.
    """
    if ready:
        return Tile("ready", f"picture/{key}.webp")
    preview, sketch = previews.get(key) if waiting else None, previews.sketch(key)
    if preview is not None:
        said = f"still being drawn, step {preview.step} of {preview.steps}"
        # The sketch stays until what is drawn has come as far.
        best = sketch if sketch is not None and sketch.steps > preview.step else preview
        return Tile("drawing", best.address, said, preview.drawn)
    if sketch is not None:
        return Tile("sketch", sketch.address, f"a sketch of {sketch.steps} steps")
    return Tile("waiting" if waiting else "none")


def unit_tile(unit: Subject | None, library: Library, previews: Previews, *, waiting: bool) -> Tile:
    """The tile of a unit or a direction of the network, in the circuit or not; of `None`, a residual, there is none."""
    if unit is None:
        return Tile("none", said=NO_DIRECTION)
    gallery = library.gallery
    key = gallery.key(unit)
    tile = picture_tile(key, previews, ready=False, waiting=waiting)
    # Looked up after the preview: one that goes meanwhile leaves its picture, and no gap is seen.
    if gallery.file(key) is None:
        return tile
    return Tile("dead", said=DEAD) if gallery.dead(unit) else picture_tile(key, previews, ready=True, waiting=waiting)


def second_class(circuit: Circuit | None, library: Library) -> Unit | None:
    """Of the difference of two classes of this network the second one; `None` for other targets."""
    if circuit is None or not library.fit.is_own(circuit):
        return None
    target = target_of(circuit)
    return None if target.minus is None else Unit(target.unit.layer, target.minus)


def circuit_tiles(
    circuit: Circuit | None,
    library: Library,
    previews: Previews,
    carried: Carried,
    seen: InPhoto | None = None,
    *,
    waiting: bool,
) -> dict[str, Tile]:
    """The tiles of the visible units by node id; those of another network show what came with the circuit's file."""
    if circuit is None:
        return {}
    nodes = [circuit.nodes[name] for name in circuit.visible]
    library = library.home(circuit)
    if library.fit.is_own(circuit):
        tiles = {
            node.id: with_photo(
                unit_tile(subject_of(circuit, node.id), library, previews, waiting=waiting), node.id, seen
            )
            for node in nodes
        }
        minus = second_class(circuit, library)
        if minus is not None:
            beside = unit_tile(minus, library, previews, waiting=waiting).picture
            tiles[circuit.root] = replace(tiles[circuit.root], second=beside)
        return tiles
    addresses = {node.id: carried.address(node.picture) if node.picture else "" for node in nodes}
    return {
        name: Tile("ready", address)
        if address
        else Tile("waiting" if waiting and not circuit.nodes[name].picture else "none")
        for name, address in addresses.items()
    }


def with_photo(tile: Tile, name: str, seen: InPhoto | None) -> Tile:
    """A tile with what its unit did in the photo, if that is known."""
    if seen is None or name not in seen.patches:
        return tile
    return replace(tile, patch=seen.patches[name].address, heat=seen.maps[name].address)
