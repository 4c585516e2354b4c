"""Which hidden units of a block's MLP wrote what a unit, or a group, of a transformer's residual stream is after it.

The block adds W n to the rows of tokens, n being the hidden units of its MLP, so that a value f after it is

    f = Σ_j w_j + what was there before ,     w_j = Σ_t n_jt · ∂f/∂n_jt

before the MLP, which came over the skip and through attention, and the MLP's bias. Exactly, where nothing bends between
the MLP and the sum; to first order where a norm stands there.
"""

from dataclasses import dataclass

from torch import fx

from circuits.attribution.gradient import strongest
from circuits.errors import InputError
from circuits.network.device import exact, in_doubles
from circuits.network.layers import all_names
from circuits.network.network import Network
from circuits.network.token_moves import STREAM, TOKENS
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache
from circuits.tracing.source import forward_cache, input_crop
from circuits.tracing.targets import target_of
from circuits.units import Address


@dataclass(frozen=True)
class Writers:
    """What wrote a unit of the stream.

    Args:
        value: of the unit in the photo: its activation summed over the tokens, of a group the code's.
        units: the strongest hidden units with what they wrote, (unit, w_j), strongest first.
        others: how many more there are.
        total: Σ_j w_j of all of them.
    """

    value: float
    units: tuple[tuple[Address, float], ...]
    others: int
    total: float

    @property
    def before(self) -> float:
        """What was there before the MLP, and its bias."""
        return self.value - self.total


@exact()
def written_by(network: Network, circuit: Circuit, unit: str, *, top: int = 8) -> Writers:
    """The hidden units that wrote a unit or group of a circuit in the block after which it stands.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        unit: id of a node in a layer of the residual stream.
        top: how many hidden units are named.

    Raises:
        InputError: if its layer is not of the residual stream, or the network or photo is not the circuit's.
        UnknownError: if the unit is not in the circuit.
    """
    node, run = circuit.node(unit), forward_cache(network, circuit)
    layer = node.unit.layer
    before, hidden = _below(network, layer)
    cut = network.with_layers([*before, *hidden, layer])
    lower = ForwardCache.of(cut, network.preprocessing.from_crop(input_crop(network, circuit))).below(layer)
    readout = run.readout(target_of(circuit), node.unit, "sum", is_root=node.id == circuit.root)
    places = [place for place in range(lower.units) if lower.address(place).layer in hidden]
    written = next(lower.shares("sum", iter([readout])))[places]
    chosen = strongest(written, top, "both")
    units = tuple((lower.address(places[at]), float(written[at])) for at in chosen)
    value = float(readout.value(run.activations[layer]))
    return Writers(value, units, int((written != 0).sum()) - len(chosen), float(in_doubles(written).sum()))


def _below(network: Network, name: str) -> tuple[list[str], list[str]]:
    """Of a layer of the stream, those of the stream after the block before, and the hidden units in between."""
    names = all_names(network.traced)
    nodes = {names[node]: node for node in names if node.target in TOKENS}
    if name not in nodes or not nodes[name].meta[STREAM]:
        raise InputError(f"{name} is no layer of the residual stream, into which MLPs write.")
    rows: dict[str, fx.Node] = {each: node.args[0] for each, node in nodes.items()}  # type: ignore[misc]
    earlier = [each for each, node in nodes.items() if node.meta[STREAM] and rows[each] < rows[name]]
    last = max((rows[each] for each in earlier), default=None)
    hidden = [
        each
        for each, node in nodes.items()
        if not node.meta[STREAM] and rows[each] < rows[name] and (last is None or last < rows[each])
    ]
    return [each for each in earlier if rows[each] is last], hidden
