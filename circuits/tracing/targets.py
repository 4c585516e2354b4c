"""What a circuit explains: a class, a unit, a neuron, or the difference of two classes."""

from dataclasses import dataclass
from operator import index
from typing import SupportsIndex

from circuits.attribution.gradient import Readout
from circuits.errors import InputError, UnknownError
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Unit


@dataclass(frozen=True)
class Target:
    """The objective that a circuit explains.

    Args:
        kind: `class`, `unit`, `neuron` or `difference`.
        unit: its unit; the first of the two classes, for a difference.
        minus: channel of the second class, for a difference.
        label: what to call it.
    """

    kind: str
    unit: Unit
    label: str
    minus: int | None = None

    @property
    def id(self) -> str:
        """Id of its node: `fc:284`, `conv4:3@1,2`, or `fc:284-281` for a difference."""
        return str(self.unit) if self.minus is None else f"{self.unit}-{self.minus}"

    def readout(self, network: Network) -> Readout:
        """The value to explain, on the unit's layer."""
        if self.minus is not None:
            return Readout.of_difference(self.unit.channel, self.minus)
        return readout_of(network, self.unit)


def readout_of(network: Network, unit: Unit) -> Readout:
    """A unit's sum over its positions, or a neuron's value."""
    layer = network.check_unit(unit)
    if unit.position is None:
        return Readout.of_unit(unit.channel)
    return Readout.of_neuron(unit.channel, unit.position, layer.height, layer.width)


def find_target(network: Network, wanted: Unit | str | SupportsIndex | None, predicted: int) -> Target:
    """The target that a person means.

    Args:
        network: the network.
        wanted: `None` (the predicted class), a class number, a label (exact, a synonym, or a unique beginning, case
            ignored), `layer:channel`, `layer:channel@row,column`, or `A - B` for a difference of two classes, each a
            number, a label, or `layer:channel` of the top layer.
        predicted: number of the predicted class, or of the unit of the top layer that fires most.

    Raises:
        UnknownError: if it names nothing, or several classes.
        InputError: if both sides of a difference are the same class.

    Example:
        >>> from circuits import load_network
        >>> find_target(load_network(), "cat - dog", 0).label
        'cat - dog'
    """
    top = network.layers[-1]
    if isinstance(wanted, SupportsIndex):  # of NumPy, or of torch
        wanted = index(wanted)
    if wanted is None:
        wanted = predicted if network.labels else Unit(top, predicted)
    if isinstance(wanted, str):
        unit = _as_unit(network, wanted)
        wanted = unit if unit is not None else wanted.strip()
    if isinstance(wanted, Unit):
        network.check_unit(wanted)
        kind = "class" if network.labels and wanted.layer == top else "unit"
        kind = "neuron" if wanted.position is not None else kind
        return Target(kind, wanted, network.unit_label(wanted))
    try:
        channel = network.find_class(wanted)
    except UnknownError:
        if isinstance(wanted, int) or " - " not in wanted:
            raise
        return _difference(network, wanted)
    return Target("class", Unit(top, channel), network.label(channel))


def target_of(circuit: Circuit) -> Target:
    """What a circuit explains."""
    root = circuit.node(circuit.root)
    assert isinstance(root.unit, Unit)  # the file's check
    return Target(circuit.target.kind, root.unit, root.label, circuit.graph.nodes[circuit.root].get("minus"))


def _as_unit(network: Network, text: str) -> Unit | None:
    try:
        unit = Unit.parse(text)
    except InputError:
        return None
    if unit.layer not in network.layers and any(label.casefold() == text.casefold() for label in network.labels):
        return None
    return unit


def _difference(network: Network, text: str) -> Target:
    left, _, right = text.partition(" - ")
    plus, minus = _class(network, left), _class(network, right)
    if plus == minus:
        raise InputError(f"{text!r} is the difference of {network.label(plus)!r} and itself, which is nothing.")
    label = f"{network.label(plus)} - {network.label(minus)}"
    return Target("difference", Unit(network.layers[-1], plus), label, minus)


def _class(network: Network, text: str) -> int:
    """A side of a difference: a class by its label or number, or as a unit of the top layer."""
    unit = _as_unit(network, text)
    if unit is None or (unit.layer, unit.position) != (network.layers[-1], None):
        return network.find_class(text)
    network.check_unit(unit)
    return unit.channel
