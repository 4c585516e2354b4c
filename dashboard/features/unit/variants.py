"""Further pictures of units: which are wanted, how they are drawn, and what stands for them until then."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from circuits.tracing.circuit import Circuit
from circuits.units import Progress, Unit
from dashboard.answers import VARIANTS
from dashboard.library import Library
from dashboard.session.state import Session
from dashboard.work.previews import Previews
from dashboard.work.queue import Task
from dashboard.work.tiles import Tile, picture_tile

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler


@dataclass(frozen=True)
class Shown:
    """Further pictures of the chosen unit.

    Args:
        kind: one of `VARIANTS`.
        tiles: what stands for each of them.
        activations: what each one reached; `None` until it is drawn.
    """

    kind: str
    tiles: tuple[Tile, ...]
    activations: tuple[float | None, ...]

    @property
    def ready(self) -> bool:
        """Whether all of them are drawn."""
        return all(tile.state == "ready" for tile in self.tiles)


def drawings(session: Session, work: "Scheduler") -> list[Task]:
    """What is to be drawn of the further pictures: those of the chosen unit first."""
    circuit, library, previews = session.work.circuit, work.library, work.previews
    if circuit is None or not library.fit.is_own(circuit):
        return []
    chosen = _chosen(circuit, session)
    there = {str(node.unit.whole) for node in circuit.nodes.values() if isinstance(node.unit, Unit)}
    wanted = [entry for entry in session.more if entry[0] in there]
    tasks = []
    for address, kind in sorted(wanted, key=lambda entry: entry[0] != str(chosen)):
        unit = Unit.parse(address)
        missing = sum(variant.activation is None for variant in library.gallery.variants(unit, kind))
        if missing:
            label = f"{library.network.unit_label(unit)}, {VARIANTS[kind].lower()}"
            tasks.append(
                Task(
                    f"{kind} {library.gallery.key(unit)}",
                    label,
                    partial(_draw, library, previews, unit, kind),
                    missing,
                    pace=library.network.sha256[:12],
                )
            )
    return tasks


def shown(session: Session, library: Library, previews: Previews, *, waiting: bool) -> list[Shown]:
    """The further pictures of the chosen unit that were asked for, by kind.

    Args:
        session: whose unit.
        library: knows the finished pictures.
        previews: the unfinished ones.
        waiting: whether missing pictures are on their way.
    """
    circuit = session.work.circuit
    unit = _chosen(circuit, session) if circuit is not None else None
    if circuit is None or unit is None or session.work.edge is not None or not library.fit.is_own(circuit):
        return []
    found = []
    for kind in VARIANTS:
        if (str(unit), kind) in session.more:
            # Before the pictures: a preview that goes meanwhile leaves its picture, and no gap is seen.
            keys = [variant.key for variant in library.gallery.variants(unit, kind)]
            sketches = [picture_tile(key, previews, ready=False, waiting=waiting) for key in keys]
            variants = library.gallery.variants(unit, kind)
            tiles = [
                sketch
                if variant.activation is None
                else picture_tile(variant.key, previews, ready=True, waiting=waiting)
                for variant, sketch in zip(variants, sketches, strict=True)
            ]
            found.append(Shown(kind, tuple(tiles), tuple(variant.activation for variant in variants)))
    return found


def state(found: list[Shown]) -> str:
    """What tells one state of the further pictures from another; "" if there are none."""
    return " ".join(f"{each.kind}:{','.join(tile.picture or tile.state for tile in each.tiles)}" for each in found)


def _chosen(circuit: Circuit, session: Session) -> Unit | None:
    node = circuit.nodes.get(session.work.selected)
    return node.unit.whole if node is not None and isinstance(node.unit, Unit) else None


def _draw(library: Library, previews: Previews, unit: Unit, kind: str, progress: Progress) -> None:
    """Draw further pictures of a unit and show how they come about; nothing unfinished is left, however it ends."""
    gallery = library.gallery
    keys = [variant.key for variant in gallery.variants(unit, kind)]

    def tell(done: int, total: int, message: str) -> None:
        progress(done, total, message)
        previews.advance(keys, done / total if total else 0.0)

    def show(key: str, image: Image.Image, step: int, steps: int) -> None:
        previews.put(key, image, step, steps)

    try:
        gallery.draw_variants(unit, kind, tell, show)
    finally:
        previews.drop(keys)
