"""What the browser needs for the parts of the right pane that it makes itself: name and note, and what if."""

import hashlib
from typing import Any

from circuits.errors import CircuitsError
from circuits.network.network import Network
from circuits.tracing.groups import dictionaries_key
from circuits.units import Address, Unit
from dashboard.answers import Places
from dashboard.library import Library
from dashboard.session.names import outside_name
from dashboard.session.selection import outside_unit
from dashboard.session.state import Session
from dashboard.work.results import Answers


def stamp(session: Session) -> str:
    """What changes are made to: the photo as the network sees it, and the target; "" if there is no photo."""
    work = session.work
    circuit = work.circuit
    if circuit is not None:
        seen = circuit.photo_info.thumbnail, circuit.network.sha256, circuit.root, dictionaries_key(circuit)
    elif work.photo is not None:
        seen = work.photo.sha256, str(work.photo.window), work.network, ""
    else:
        return ""
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:24]


def what_if(session: Session, library: Library, found: Answers) -> dict[str, Any]:
    """The unit that can be changed, with the places where it can be; or why it cannot.

    Returns:
        `stamp`: see there; `unit`: its address, "" if none is chosen; `label`; `places`: `[words, row, column]` each;
        `at`: whether it has a place of its own; `refused`: a sentence, "" if it can be changed; `locked`: whether the
        circuit is of another network.
    """
    work, circuit = session.work, session.work.circuit
    outside = outside_unit(session, library)
    unit: Address
    told = {"stamp": stamp(session), "unit": "", "label": "", "places": [], "at": False, "refused": work.locked}
    told["locked"] = bool(work.locked)
    if work.edge is not None:
        return told
    if outside is not None:
        label = outside_name(session, outside, library).name or library.network.unit_label(outside)
        unit, peak = outside, None
    elif circuit is not None and work.selected in circuit.nodes:
        node = circuit.nodes[work.selected]
        unit, label, peak = node.unit, node.called, node.peak
    else:
        return told
    told |= {"unit": str(unit), "label": label, "at": isinstance(unit, Unit) and unit.position is not None}
    if not work.locked:
        network = library.network if circuit is None else library.fit.cut(circuit)
        told["refused"] = _why_not(network, unit, label) if isinstance(unit, Unit) else ""
        if not told["refused"] and isinstance(unit, Unit):  # a group is changed everywhere
            told["places"] = _places(network, unit, peak, found)
    return told


def _why_not(network: Network, unit: Unit, label: str) -> str:
    if unit.layer == network.layers[-1]:
        kind = "a difference of classes" if " - " in label and label not in network.labels else "a class itself"
        itself = kind if network.labels else "at the very top"
        return f"{label} is {itself}, and nothing depends on it; choose a unit of a layer below."
    try:
        network.check_unit(unit)
    except CircuitsError as error:
        return str(error)
    return ""


def _places(network: Network, unit: Unit, peak: tuple[int, int] | None, found: Answers) -> list[list[Any]]:
    """Its highest place and the spots that are marked on the photo; none where it has one value for all of it."""
    layer, places = network.layer(unit.layer), found.get("places")
    if unit.position is not None or not layer.has_places:
        return []
    spots = places.spots if isinstance(places, Places) else ()
    named = [["the highest place", *peak]] if peak is not None and not spots else []
    for number, spot in enumerate(spots, start=1):
        where = f"spot {number}, its highest place" if number == 1 else f"spot {number}"
        named.append([where, *spot.position])
    return named
