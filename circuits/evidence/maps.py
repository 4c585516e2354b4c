"""Heat maps of activations, and attribution maps: an attribution before it is summed over positions.

An edge's attribution S_ij = Σ_hw a_j(h,w) · ∂f_i/∂a_j(h,w) has two maps, which both sum to it:

1. From below: a_j(h,w) · ∂f_i/∂a_j(h,w), at each position of the lower unit. One gradient.
2. From above: Σ_hw a_j(h,w) · ∂a_i(H,W)/∂a_j(h,w), at each position of the upper unit: the Jacobian times the lower
   unit's activation, the derivative in that direction.

Of a group of channels, which a circuit carries, a_j is its part of the activation, h_g(p) · d_g (`tracing.groups`).
Where a circuit's shares are measured from the mean, so are its maps: a_j less its mean stands for a_j.

Where the layers form no chain (`branches`), an edge from a layer right below goes through the subgraph between, as its
attribution does; one from further down takes every path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuits.attribution.gradient import Readout
from circuits.attribution.parts import PackedLayer
from circuits.errors import InputError
from circuits.evidence.layer_statistics import highest_reaching
from circuits.network.attention import with_attention_written_out
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.network.segments import Segment
from circuits.network.subgraphs import segment_between
from circuits.shapes import Activation, Activations, HeatMap
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import code_of, heat_of, part_of
from circuits.tracing.run import IMAGE, ForwardCache, number_of
from circuits.tracing.source import Source, activations_of, forward_cache
from circuits.tracing.targets import readout_of, target_of
from circuits.units import Address, Group, Unit, as_address, as_unit


def heat_map(network: Network, source: Source, unit: Address | str) -> HeatMap:
    """Where a unit fired in a photo, or a group of a circuit's layer was active.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        unit: the unit, of which a position is ignored, or the group.

    Returns:
        Activation at each position of the layer, in the layer's own units, (H, W); of a group h_g(p) · ‖d_g‖, of what
        is in no group ‖r(p)‖.

    Raises:
        UnknownError: if the network has no such unit.

    Example:
        >>> from circuits import load_network, load_photo
        >>> heat_map(load_network(), load_photo("example:cat"), "conv1:3").shape
        (64, 64)
    """
    unit = as_address(unit)
    if isinstance(unit, Group):
        return _as_map(heat_of(network, source, unit))
    seen_by, activations = activations_of(network, source, [unit.layer])
    seen_by.check_unit(unit)
    return activations[unit.layer][0, unit.channel].cpu().numpy().copy()


@dataclass(frozen=True, eq=False)
class EdgeMaps:
    """An edge's attribution at each position of the lower and of the upper unit, signed."""

    lower: Float[np.ndarray, "h w"]
    upper: Float[np.ndarray, "H W"]

    @property
    def attribution(self) -> float:
        """S_ij, in units of the upper unit's value."""
        return float(self.lower.sum(dtype=np.float64))


@exact()
def argument_map(network: Network, circuit: Circuit, unit: Address | str) -> HeatMap:
    """Attribution map of a unit for a circuit's target: a(h,w) · ∂T/∂a(h,w) at each of its positions.

    The gradient is along every path of the network, whatever the circuit shows and in whatever mode it was traced. The
    map sums to the unit's attribution for the target. Of a group it is h_g(h,w) · (d_g · ∂T/∂a(h,w)).

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        unit: a unit or a group of one of its layers, in the circuit or not; a position is ignored.

    Returns:
        Signed, in units of the target, (H, W).

    Raises:
        InputError: if the unit lies above the target, or the network or photo is not the circuit's.
        UnknownError: if the circuit's layers have no such unit.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=1)
        >>> [edge] = circuit.edges_into(circuit.root)
        >>> abs(float(argument_map(network, circuit, edge.source).sum()) - edge.attribution) < 1e-3
        True
    """
    unit = as_address(unit).whole
    run = forward_cache(network, circuit)
    part = part_of(run, circuit, unit)
    target = target_of(circuit)
    layers = run.network.layers
    if layers.index(unit.layer) > layers.index(target.unit.layer):
        raise InputError(f"{unit} lies above the target {target.id}; only units below the target contribute to it.")
    return _as_map((part * run.gradient(target, unit.layer))[0].sum(0))


@exact()
def target_map(network: Network, circuit: Circuit) -> HeatMap:
    """Attribution map of a circuit's target: Σ_j a_j(h,w) · ∂T/∂a_j(h,w) over all channels of one layer below it.

    The layer is the highest below the target with places that have a share in it, or else the highest. The map says
    from where in the photo a class, which itself has no positions, or the difference of two got its value; it sums to
    what the channels of that layer account for along all paths.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.

    Returns:
        Signed, in units of the target, (H, W).

    Raises:
        InputError: if the network or photo is not the circuit's.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> target_map(network, trace(network, "example:cat", "cat - dog", depth=1, top=1)).shape
        (4, 4)
    """
    run, target = forward_cache(network, circuit), target_of(circuit)
    known = run.network.layers
    layer = highest_reaching(network, circuit) or known[known.index(target.unit.layer) - 1]
    return _as_map(run.attribution_maps(target, layer).sum(0))


@exact()
def edge_maps(network: Network, source: Source, lower: Address | str, upper: Address | str) -> EdgeMaps:
    """Attribution maps of an edge, in mode `sum`.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        lower: the lower unit, of which a position is ignored, or a group of a circuit's layer.
        upper: the upper unit, a neuron, a group, or the id of a circuit's target; of any layer above.

    Returns:
        Two maps, signed, in units of the upper unit's value.

    Raises:
        InputError: if the upper unit does not lie above the lower one.
        UnknownError: if the network has no such unit.

    Example:
        >>> from circuits import load_network, load_photo
        >>> maps = edge_maps(load_network(), load_photo("example:cat"), "conv5:4", "conv6:17")
        >>> maps.lower.shape, maps.upper.shape
        ((8, 8), (8, 8))
    """
    edge = _edge(network, source, lower, upper)
    return EdgeMaps(_from_below(edge), _to_above(edge))


@exact()
def fed_by(
    network: Network, source: Source, lower: Unit | str, upper: Unit | str, position: tuple[int, int]
) -> HeatMap:
    """What each position of a lower unit contributes to one position of an upper unit: a_j(h,w) · ∂a_i(H,W)/∂a_j(h,w).

    It sums to the upper map of `edge_maps` at that position.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        lower: the lower unit; a position is ignored.
        upper: the upper unit; its own position is ignored.
        position: (row, column) of the upper layer.

    Returns:
        Signed, in units of the upper unit's activation, (h, w).

    Raises:
        InputError: if the upper unit does not lie above the lower one.
        UnknownError: if the network has no such unit or position.

    Example:
        >>> from circuits import load_network, load_photo
        >>> fed_by(load_network(), load_photo("example:cat"), "conv5:4", "conv6:17", (0, 0)).shape
        (8, 8)
    """
    above = as_unit(upper)
    return _from_below(_edge(network, source, lower, Unit(above.layer, above.channel, position)))


@dataclass(frozen=True, eq=False)
class _EdgeQuestion:
    """Two units and the segment between, whose input is the lower layer or all layers below the upper one, packed.

    Args:
        segment: up to the upper layer.
        activation: its input.
        part: of it, the lower unit's; all else is zero.
        place: the lower layer's in the input.
        readout: the upper unit's value.
    """

    segment: Segment
    activation: Activation
    part: Activation
    place: PackedLayer
    readout: Readout


def _edge(network: Network, source: Source, lower: Address | str, upper: Address | str) -> _EdgeQuestion:
    below = as_address(lower).whole
    if not isinstance(source, Circuit) and not network.branched:
        run = ForwardCache(*activations_of(network, source, [below.layer]))
    else:
        run = forward_cache(network, source)
    network = run.network
    part = part_of(run, source, below)
    above, readout = _upper(run, source, upper)
    activation = run.activations[below.layer]
    if network.branched and below.layer in network.layers_below(above):
        between = run.below(above)
        packed, place = torch.zeros_like(between.activation), between.layers[below.layer]
        place.own(packed)[:] = part
        return _EdgeQuestion(between.piece, between.activation, packed, place, readout)
    segment = segment_between(network, below.layer, above, run.activations.get(IMAGE))
    return _EdgeQuestion(segment, activation, part, PackedLayer(0, activation.shape[1:]), readout)


def _upper(run: ForwardCache, source: Source, upper: Address | str) -> tuple[str, Readout]:
    """Layer and value of an upper unit, in mode `sum`."""
    if isinstance(source, Circuit) and str(upper) == source.root:
        target = target_of(source)
        return target.unit.layer, target.readout(run.network)
    above = as_address(upper)
    if isinstance(above, Unit):
        return above.layer, readout_of(run.network, above)
    weights = code_of(run, source, above).reading(number_of(above))
    return above.layer, Readout(tuple(range(len(weights))), weights)


def _from_below(edge: _EdgeQuestion) -> HeatMap:
    point = edge.activation.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(edge.readout.through(edge.segment, point).sum(), point)
    return _as_map(edge.place.own(edge.part * gradient)[0].sum(0))


def _to_above(edge: _EdgeQuestion) -> HeatMap:
    change = along(edge.segment, edge.activation, edge.part, edge.readout.channels)
    weighted = change if edge.readout.weights is None else change * edge.readout.weights.to(change)
    return _as_map(weighted[0].sum(0))


def along(segment: Segment, activation: Activation, direction: Activation, channels: Sequence[int]) -> Activations:
    """Jv by two gradients: Jᵀu is linear in u, and its gradient in the direction v is Jv."""
    segment = with_attention_written_out(segment)
    point = activation.detach().requires_grad_()
    with torch.enable_grad():
        read = segment(point, channels)
        weights = torch.zeros_like(read).requires_grad_()
        (back,) = torch.autograd.grad(read, point, weights, create_graph=True)
        (change,) = torch.autograd.grad(back, weights, direction)
    return change


def _as_map(values: Tensor) -> HeatMap:
    return np.array(values.detach().cpu().numpy())
