"""Statistics of one layer in one photo: all its units, the rank of one of them, and the units that fire at a point.

A unit's peak is its highest activation, max_hw a_j(h,w). The position of a layer at a point of the photo is the one
whose receptive field has its middle nearest to the point, padding counted in: offset + stride · i + size / 2 pixels.
Where no rule gives that, as in layers each of whose positions sees all of the image, the positions share the image out
evenly, (i + ½) / n of its side.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from circuits.errors import InputError
from circuits.network.device import in_doubles
from circuits.network.network import Network
from circuits.network.receptive_field import ReceptiveField, receptive_field
from circuits.tracing.circuit import Circuit
from circuits.tracing.source import Source, activations_of, forward_cache
from circuits.tracing.targets import find_target, target_of
from circuits.units import Unit, as_unit


@dataclass(frozen=True, eq=False)
class LayerTable:
    """What the units of a layer did in a photo, by channel.

    Attributes:
        layer: its name.
        peaks: in the layer's own units.
        places: (row, column) of each peak.
        silent: whether the activation is zero at every position.
        attributions: for the circuit's target, signed, in its units; `None` without a circuit and above its target.
    """

    layer: str
    peaks: Float[np.ndarray, " c"]
    places: Int[np.ndarray, "c 2"]
    silent: np.ndarray
    attributions: Float[np.ndarray, " c"] | None

    @property
    def shares(self) -> Float[np.ndarray, " c"] | None:
        """A_j / Σ_j |A_j|, signed; zeros where nothing is attributed."""
        if self.attributions is None:
            return None
        gross = float(np.abs(self.attributions).sum())
        return self.attributions / gross if gross > 0 else np.zeros_like(self.attributions)


def layer_table(network: Network, source: Source, layer: str) -> LayerTable:
    """What every unit of a layer did in a photo and, for a circuit, its attribution for the target T.

    A_j = Σ_hw a_j(h,w) · ∂T/∂a_j(h,w), along every path of the network, whatever the circuit shows and in whatever mode
    it was traced: the sum of `argument_map`. In a piecewise linear network they add up to T minus the bias terms above.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        layer: name of one of the network's layers, or of the circuit's.

    Raises:
        InputError: if the network or photo is not the circuit's.
        UnknownError: if there is no such layer.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=1)
        >>> [edge] = circuit.edges_into(circuit.root)
        >>> layer, _, channel = edge.source.rpartition(":")
        >>> table = layer_table(network, circuit, layer)
        >>> abs(float(table.attributions[int(channel)]) - edge.attribution) < 1e-3
        True
        >>> int(table.attributions.argmax()) == int(channel)
        True
    """
    name = layer if isinstance(source, Circuit) else network.layer(layer).name
    seen_by, activations = activations_of(network, source, [name])
    activation = activations[name][0]
    flat = activation.flatten(1)
    peaks, at = flat.max(dim=1)
    width = activation.shape[2]
    attributions = None
    if isinstance(source, Circuit):
        run, target = forward_cache(seen_by, source), target_of(source)
        if run.network.layers.index(name) <= run.network.layers.index(target.unit.layer):
            attributions = run.attributions(target, name, dtype=torch.float64).cpu().numpy()
    return LayerTable(
        name,
        peaks.cpu().numpy().copy(),
        torch.stack([at // width, at % width], dim=1).cpu().numpy(),
        (flat == 0).all(dim=1).cpu().numpy(),
        attributions,
    )


@dataclass(frozen=True)
class Standing:
    """A unit among the channels of its layer in one photo.

    Args:
        unit: the unit.
        peak: its peak.
        rank: one more than the number of channels whose peak is higher.
        channels: of the layer.
        silent: how many of them are nowhere positive.
        counts: how many channels have their peak in each bin.
        edges: of the bins, one more than there are; a bin holds its lower edge, the last one both.
    """

    unit: Unit
    peak: float
    rank: int
    channels: int
    silent: int
    counts: tuple[int, ...]
    edges: tuple[float, ...]


def standing(network: Network, source: Source, unit: Unit | str, *, bins: int = 24) -> Standing:
    """The rank of a unit's peak among those of all channels of its layer in one photo, and their histogram.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        unit: the unit; a position is ignored.
        bins: of equal width, over the range of the peaks.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if bins is less than 1.

    Example:
        >>> from circuits import load_network, load_photo
        >>> rank = standing(load_network(), load_photo("example:cat"), "conv1:3")
        >>> sum(rank.counts) == rank.channels, len(rank.edges)
        (True, 25)
    """
    if bins < 1:
        raise InputError(f"bins is {bins}; it must be at least 1.")
    unit = as_unit(unit)
    run = forward_cache(network, source)
    run.network.check_unit(unit)
    peaks = run.activations[unit.layer][0].amax((1, 2)).cpu().double().numpy()
    counts, edges = np.histogram(peaks, bins)
    own = float(peaks[unit.channel])
    rank, silent = 1 + int((peaks > own).sum()), int((peaks <= 0).sum())
    return Standing(unit, own, rank, len(peaks), silent, tuple(counts.tolist()), tuple(edges.tolist()))


Point = tuple[int | float, int | float]


@dataclass(frozen=True)
class Firing:
    """A unit at a point of the photo.

    Args:
        unit: with the position at that point.
        value: its activation there.
        share: of the sum of the layer's positive activations there; 0 where none is positive.
        peak_here: whether the unit is nowhere higher in the photo; a unit that is the same everywhere has no peak.
    """

    unit: Unit
    value: float
    share: float
    peak_here: bool


def position_at(network: Network, layer: str, place: Point) -> tuple[int, int]:
    """The position (row, column) of a layer at a point of what the network sees.

    Args:
        network: the network.
        layer: name of the layer.
        place: the point, (x, y) in shares of the crop's width and height, 0 to 1 from left and top.

    Raises:
        UnknownError: if the network has no such layer.
        InputError: if the point lies outside of the crop.

    Example:
        >>> from circuits import load_network
        >>> position_at(load_network(), "conv1", (0.5, 0.25))
        (15, 31)
    """
    if len(place) != 2 or not all(0 <= share <= 1 for share in place):
        raise InputError(f"The spot {place} is not in the photo; give x and y as shares of its sides, 0 to 1.")
    network.layer(layer)
    rows, columns = _middles(receptive_field(network, layer))
    return int(np.abs(rows - place[1]).argmin()), int(np.abs(columns - place[0]).argmin())


def highest_reaching(network: Network, source: Source, place: Point | None = None) -> str:
    """The highest layer with several positions whose units have a share in the target, at a point if one is given.

    From the last block's patches of a vision transformer nothing goes to a class that is read off its class token, and
    from a position that no maximum was taken of nothing goes up.

    Args:
        network: the network.
        source: a circuit, whose target it is; or a photo, or what `load_photo` takes: the class that it is put in.
        place: the point, as in `position_at`; any position counts, if `None`.

    Returns:
        Its name; "" if there is none.

    Raises:
        InputError: if the point lies outside of the crop.

    Example:
        >>> from circuits import load_network
        >>> highest_reaching(load_network(), "example:cat"), highest_reaching(load_network(), "example:cat", (0.1, 0.9))
        ('conv7', 'conv7')
    """
    run = forward_cache(network, source)
    known = run.network.layers
    logits = run.activations[known[-1]].sum((0, 2, 3))
    target = target_of(source) if isinstance(source, Circuit) else find_target(run.network, None, int(logits.argmax()))
    end = known.index(target.unit.layer) + (place is not None)  # at its own place a unit is its own share
    for name in reversed(known[:end]):
        if run.network.layer(name).has_places:
            maps = run.attribution_maps(target, name)
            if place is not None:
                row, column = position_at(run.network, name, place)
                maps = maps[:, row, column]
            if bool(maps.any()):
                return name
    return ""


def firing_at(
    network: Network, source: Source, layer: str, place: Point, *, count: int | None = None
) -> tuple[Firing, ...]:
    """The units of a layer at one point of a photo, highest activation first, ties by channel.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        layer: name of the layer; of one without positions the point does not matter, and the position is (0, 0).
        place: the point, (x, y) in shares of the crop's width and height, 0 to 1 from left and top.
        count: how many units at most; all, if `None`.

    Raises:
        UnknownError: if the network, or the circuit, has no such layer.
        InputError: if the point lies outside of the crop, or the count is less than 1.

    Example:
        >>> from circuits import load_network, load_photo
        >>> strongest, second = firing_at(load_network(), load_photo("example:cat"), "conv2", (0.5, 0.5), count=2)
        >>> strongest.value >= second.value
        True
    """
    if count is not None and count < 1:
        raise InputError(f"count is {count}; it must be at least 1.")
    run = forward_cache(network, source)
    position = position_at(run.network, layer, place)
    maps = run.activations[layer][0]
    values = maps[:, position[0], position[1]]
    highest, lowest = maps.amax((1, 2)), maps.amin((1, 2))
    peaks = (values == highest) & ((highest > lowest) | (maps[0].numel() == 1))
    positive = in_doubles(values).clamp(min=0)
    shares = positive / positive.sum().clamp_min(np.finfo(np.float64).tiny)
    order = values.argsort(descending=True, stable=True)[:count].tolist()
    return tuple(
        Firing(Unit(layer, channel, position), float(values[channel]), float(shares[channel]), bool(peaks[channel]))
        for channel in order
    )


def _middles(field: ReceptiveField) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " columns"]]:
    """The middle of the field of each row and each column, in shares of the image's height and width."""
    rows, columns = field.boxes.shape[:2]
    if field.size is None or field.stride is None or field.offset is None:
        return (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    along = zip(field.offset, field.stride, field.size, (rows, columns), field.image, strict=True)
    down, right = ((start + step * np.arange(n) + size / 2) / side for start, step, size, n, side in along)
    return down, right
