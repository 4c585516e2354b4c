"""What the layer below contributes to a unit of a circuit, whether or not it is expanded."""

from dataclasses import dataclass

from circuits.attribution.decomposition import Decomposition
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.facts import tops_of
from circuits.tracing.trace import builder_of
from circuits.units import Address, Unit


@dataclass(frozen=True)
class Contributions:
    """What the layer below contributes to one unit, or the nearest layers below it on each path.

    Args:
        unit: the upper unit.
        lower: the layer below; the names of several with commas between.
        books: of the units listed.
        shares: (unit, signed attribution), strongest first.
        others: number of units of these layers that are not listed.
    """

    unit: str
    lower: str
    books: Decomposition
    shares: tuple[tuple[Address, float], ...]
    others: int


@exact()
def contributions(network: Network, circuit: Circuit, unit: Unit | str, *, top: int = 10) -> Contributions:
    """What the layer below contributes to a unit of the circuit, whether or not it is expanded.

    Raises:
        InputError: if the unit lies in the lowest layer, or the network or photo is not the circuit's.
        UnknownError: if the unit is not in the circuit.
    """
    name = circuit.node(unit).id
    shares = next(builder_of(network, circuit).shares([name]))
    lower, order = shares.lower, shares.strongest(tops_of(top, 1)[0], "both")
    listed = tuple((lower.address(place), float(shares.scores[place])) for place in order)
    books = shares.decomposition(order)
    return Contributions(name, ", ".join(lower.layers), books, listed, lower.units - len(order))
