"""Every unit of a layer, in the middle of the page, as data for `wall.js`."""

from typing import Any

from dash import no_update

from circuits.evidence.layer_statistics import LayerTable
from circuits.naming.store import names_of
from circuits.numbers import number, signed_share
from circuits.units import Unit
from dashboard.library import Library
from dashboard.session.selection import layer_of, network_of, outside_unit, source_of
from dashboard.session.state import Session


def data(session: Session, library: Library) -> Any:
    """What the wall shows, without what its units did, which is fetched once; nothing while another page is shown."""
    if session.showing.page != "layers":
        return no_update
    network, layer = network_of(session, library), layer_of(session, library)
    circuit, top = session.work.circuit, network.layers[-1]
    own = circuit is not None and library.fit.is_own(circuit)
    nodes = [circuit.nodes[name] for name in circuit.visible] if circuit is not None and own else []
    units = [(node, node.unit) for node in nodes if isinstance(node.unit, Unit) and node.unit.layer == layer]
    names = names_of(network.sha256).values()
    known = {str(each.unit.channel): each.name for each in names if each.unit.layer == layer and each.name}
    outside = outside_unit(session, library)
    chosen = str(outside) if outside is not None else session.work.selected if own else ""
    return {
        "network": network.sha256[:12],
        "layer": layer,
        "layers": [{"name": each.name, "channels": each.channels} for each in network.layer_list][::-1],
        "order": session.showing.order,
        "classes": list(network.labels) if layer == top else [],
        "names": known | {str(unit.channel): node.name for node, unit in units if node.name},
        "inside": sorted({unit.channel for _, unit in units}),
        "chosen": chosen,
        "target": circuit.nodes[circuit.root].label if circuit is not None and not session.work.locked else "",
        "told": source_of(session) is not None,
        "why_not": why_not(session),
    }


def why_not(session: Session) -> str:
    """Why it is not known what the units did, in a sentence; "" if it is."""
    if session.work.locked:
        return "Their activations are not known: the circuit is from another network, or its file holds no photo."
    if session.work.photo is None and session.work.circuit is None:
        return "Choose a photo to sort the units by their activations in it."
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
        "shares_said": None if shares is None else [signed_share(float(value)) for value in shares],
    }
