"""Every unit of a layer, in the middle of the page, as data for `wall.js`."""

from collections.abc import Collection
from typing import Any

from dash import no_update

from circuits.evidence.layer_statistics import LayerTable
from circuits.report.text import number
from circuits.units import Unit
from dashboard.features.layer.actions import layer_of, network_of, source_of, stranger
from dashboard.features.layer.outside import signed
from dashboard.library import Explorer
from dashboard.session.state import Session
from dashboard.work.previews import Previews
from dashboard.work.tiles import DEAD, Tile


def data(session: Session, explorer: Explorer) -> Any:
    """What the wall shows, without what its units did, which is fetched once; nothing while another page is shown."""
    if session.showing.page != "layers":
        return no_update
    network, layer = network_of(session, explorer), layer_of(session, explorer)
    circuit, top = session.work.circuit, network.layers[-1]
    own = circuit is not None and explorer.is_own(circuit)
    nodes = [circuit.nodes[name] for name in circuit.visible] if circuit is not None and own else []
    nodes = [node for node in nodes if node.unit.layer == layer]
    outside = stranger(session, explorer)
    chosen = str(outside) if outside is not None else session.work.selected if own else ""
    return {
        "layer": layer,
        "layers": [{"name": each.name, "channels": each.channels} for each in network.layer_list][::-1],
        "order": session.showing.order,
        "classes": list(network.labels) if layer == top else [],
        "names": {str(node.unit.channel): node.name for node in nodes if node.name},
        "inside": sorted({node.unit.channel for node in nodes}),
        "chosen": chosen,
        "target": circuit.nodes[circuit.root].label if circuit is not None and not session.work.locked else "",
        "told": source_of(session) is not None,
        "why_not": why_not(session),
    }


def why_not(session: Session) -> str:
    """Why it is not known what the units did, in a sentence; "" if it is."""
    if session.work.locked:
        return "What they did cannot be told: the circuit on the page is of another network, or carries no photo."
    if session.work.photo is None and session.work.circuit is None:
        return "Choose a photo, and the units can be sorted by what they did in it."
    return ""


def rows(table: LayerTable) -> dict[str, Any]:
    """A table as JSON for the page: numbers to sort by, and the words that tiles show."""
    shares = table.shares
    return {
        "layer": table.layer,
        "activations": [float(f"{value:.6g}") for value in table.peaks],
        "activations_said": [number(float(value)) for value in table.peaks],
        "silent": [channel for channel, silent in enumerate(table.silent) if silent],
        "shares": None if shares is None else [float(f"{value:.6g}") for value in shares],
        "shares_said": None if shares is None else [signed(float(value)) for value in shares],
    }


def tile(unit: Unit, explorer: Explorer, previews: Previews, *, waiting: bool) -> Tile:
    """What a unit of the network shows, whether it is in the circuit or not.

    Args:
        unit: which.
        explorer: knows the finished pictures.
        previews: the unfinished ones.
        waiting: whether a missing picture is on its way.
    """
    gallery = explorer.gallery
    key = gallery.key(unit)
    # Before the picture, as for circuits: a preview that goes meanwhile leaves its picture.
    preview = previews.get(key) if waiting else None
    if gallery.file(key) is not None:
        return Tile("dead", said=DEAD) if gallery.dead(unit) else Tile("ready", f"picture/{key}.webp")
    if preview is not None:
        said = f"still being drawn, step {preview.step} of {preview.steps}"
        return Tile("drawing", preview.address, said, preview.drawn)
    return Tile("waiting" if waiting else "none")


def tiles_of(
    units: Collection[Unit], explorer: Explorer, previews: Previews, *, waiting: bool
) -> dict[str, dict[str, Any]]:
    """The tiles of some units of one layer, by channel."""
    return {str(unit.channel): tile(unit, explorer, previews, waiting=waiting).facts() for unit in units}
