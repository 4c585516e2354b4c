"""Further pictures of units: which are wanted, how they are drawn, and what stands for them until then."""

from dataclasses import dataclass
from functools import partial

from PIL import Image

from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from dashboard.library import Explorer
from dashboard.session.state import Session
from dashboard.work.findings import VARIANTS
from dashboard.work.previews import Previews
from dashboard.work.queue import Progress, Task
from dashboard.work.tiles import Tile


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


def drawings(session: Session, explorer: Explorer, previews: Previews) -> list[Task]:
    """What is to be drawn of the further pictures: those of the chosen unit first."""
    circuit = session.work.circuit
    if circuit is None or not explorer.is_own(circuit):
        return []
    chosen = _chosen(circuit, session)
    there = {str(node.unit.whole) for node in circuit.nodes.values()}
    wanted = [entry for entry in session.more if entry[0] in there]
    tasks = []
    for address, kind in sorted(wanted, key=lambda entry: entry[0] != str(chosen)):
        unit = Unit.parse(address)
        missing = sum(variant.activation is None for variant in explorer.gallery.variants(unit, kind))
        if missing:
            label = f"{explorer.network.unit_label(unit)}, {VARIANTS[kind].lower()}"
            tasks.append(
                Task(
                    f"{kind} {explorer.gallery.key(unit)}",
                    label,
                    partial(_draw, explorer, previews, unit, kind),
                    missing,
                )
            )
    return tasks


def shown(session: Session, explorer: Explorer, previews: Previews, *, waiting: bool) -> list[Shown]:
    """The further pictures of the chosen unit that were asked for, by kind.

    Args:
        session: whose unit.
        explorer: knows the finished pictures.
        previews: the unfinished ones.
        waiting: whether missing pictures are on their way.
    """
    circuit = session.work.circuit
    unit = _chosen(circuit, session) if circuit is not None else None
    if circuit is None or unit is None or session.work.edge is not None or not explorer.is_own(circuit):
        return []
    found = []
    for kind in VARIANTS:
        if (str(unit), kind) in session.more:
            # Before the pictures: a preview that goes meanwhile leaves its picture, and no gap is seen.
            keys = [variant.key for variant in explorer.gallery.variants(unit, kind)]
            sketches = [previews.get(key) if waiting else None for key in keys]
            variants = explorer.gallery.variants(unit, kind)
            tiles = []
            for variant, sketch in zip(variants, sketches, strict=True):
                if variant.activation is not None:
                    tiles.append(Tile("ready", f"picture/{variant.key}.webp"))
                elif sketch is not None:
                    said = f"still being drawn, step {sketch.step} of {sketch.steps}"
                    tiles.append(Tile("drawing", sketch.address, said, sketch.drawn))
                else:
                    tiles.append(Tile("waiting" if waiting else "none"))
            found.append(Shown(kind, tuple(tiles), tuple(variant.activation for variant in variants)))
    return found


def state(found: list[Shown]) -> str:
    """What tells one state of the further pictures from another; "" if there are none."""
    return " ".join(f"{each.kind}:{','.join(tile.picture or tile.state for tile in each.tiles)}" for each in found)


def _chosen(circuit: Circuit, session: Session) -> Unit | None:
    node = circuit.nodes.get(session.work.selected)
    return node.unit.whole if node is not None else None


def _draw(explorer: Explorer, previews: Previews, unit: Unit, kind: str, progress: Progress) -> None:
    """Draw further pictures of a unit and show how they come about; nothing unfinished is left, however it ends."""
    gallery = explorer.gallery
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
