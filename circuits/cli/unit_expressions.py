"""Units as people type them: one, a range, a list, a class by its label, a whole layer."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from circuits.errors import InputError, UnknownError
from circuits.naming.store import names_of
from circuits.units import Unit

if TYPE_CHECKING:
    from circuits.network.network import Network


_NUMBERS = re.compile(r"\s*\d{1,9}\s*(-\s*\d{1,9}\s*)?(,\s*\d{1,9}\s*(-\s*\d{1,9}\s*)?)*")


def units_of(network: "Network", texts: Sequence[str]) -> list[Unit]:
    """All units that are meant, in order, each once.

    Args:
        network: the network.
        texts: such as `inception4a:17`, `inception4a:0-39`, `inception4a:3,7,10-12`, `inception4a:17@7,5`,
            `inception4a` for the whole layer, or `fc:tabby` for a class.

    Raises:
        InputError: if one has another form, or a range runs backwards.
        UnknownError: if a layer, unit or class does not exist.
    """
    return list(dict.fromkeys(unit for text in texts for unit in _units(network, text.strip())))


def layers_of(network: "Network", texts: Sequence[str], objective: str) -> list[str]:
    """The layers that are meant, in order, each once.

    Raises:
        InputError: if a unit is named.
        UnknownError: if a layer does not exist.
    """
    for text in texts:
        layer, colon, _ = text.strip().partition(":")
        if colon:
            raise InputError(f"{text!r} is a unit; --objective {objective} is about a whole layer, such as {layer}.")
    return list(dict.fromkeys(network.layer(text.strip()).name for text in texts))


def short_name(network: "Network", unit: Unit) -> str:
    """A class by the first of its labels, any other unit as it is typed; with its name, if it has one."""
    label = network.unit_label(unit).partition(",")[0] if unit.layer == network.layers[-1] else str(unit)
    return f"{label} {names_of(network.sha256).of(unit).name}".rstrip()


def _units(network: "Network", text: str) -> list[Unit]:
    name, colon, rest = text.partition(":")
    if not colon:
        return [Unit(name, channel) for channel in range(network.layer(name).channels)]
    if "@" in rest:
        unit = Unit.parse(text)
        network.check_unit(unit)
        return [unit]
    if _NUMBERS.fullmatch(rest):
        network.layer(name)
        return [unit for part in rest.split(",") for unit in _range(network, name, part)]
    if name == network.layers[-1] and rest.strip():
        return [Unit(name, number) for number in _classes(network, rest)]
    network.layer(name)
    raise InputError(
        f"{text!r} is not a unit; write layer:channel, layer:0-39, layer:3,7,10-12, layer:channel@row,column, "
        f"or the layer alone for all of its units."
    )


def _range(network: "Network", layer: str, part: str) -> list[Unit]:
    first, _, last = (number.strip() for number in part.partition("-"))
    begin, end = int(first), int(last or first)
    if end < begin:
        raise InputError(f"The range {layer}:{begin}-{end} runs backwards; write {layer}:{end}-{begin}.")
    network.check_unit(Unit(layer, end))
    return [Unit(layer, channel) for channel in range(begin, end + 1)]


def _classes(network: "Network", labels: str) -> list[int]:
    """One class, whose label may have commas in it, or several with commas between."""
    try:
        return [network.find_class(labels)]
    except UnknownError:
        if "," not in labels:
            raise
        return [network.find_class(label) for label in labels.split(",")]
