"""Near-duplicates: units of a circuit whose activation maps are nearly the same in its photo."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from circuits.errors import InputError
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.tracing.source import Source, forward_cache
from circuits.units import Unit


def correlations(
    network: Network, source: Source, units: str | Sequence[Unit | str]
) -> Float[np.ndarray, "units units"]:
    """Pearson's correlation of the activation maps of some units of one layer, over positions of a photo.

        r_jk = Σ_hw (a_j - mean a_j)(a_k - mean a_k) / (‖a_j - mean a_j‖ · ‖a_k - mean a_k‖)

    A constant map, such as a silent unit's or one of a single position, correlates with no other: its row, with the
    diagonal, is 0.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        units: of one layer, or its name for all of them; positions are ignored.

    Returns:
        r, float64, symmetric, from -1 to 1, (units, units).

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if the units are none, or lie in several layers.

    Example:
        >>> from circuits import load_network, load_photo
        >>> r = correlations(load_network(), load_photo("example:cat"), ["conv1:0", "conv1:0", "conv1:1"])
        >>> r.shape, bool(r[0, 1] > 0.999)
        ((3, 3), True)
    """
    run = forward_cache(network, source)
    wanted = run.network.units(units)
    layers = list(dict.fromkeys(unit.layer for unit in wanted))
    if len(layers) != 1:
        raise InputError(f"Maps are compared within one layer; the units lie in {', '.join(layers) or 'none'}.")
    maps = run.activations[layers[0]][0, [unit.channel for unit in wanted]].cpu().double().flatten(1).numpy()
    centred = maps - maps.mean(axis=1, keepdims=True)
    flat = maps.max(axis=1) == maps.min(axis=1)
    lengths = np.where(flat, 1.0, np.linalg.norm(centred, axis=1))
    directions = np.where(flat[:, None], 0.0, centred / lengths[:, None])
    return np.asarray(np.clip(directions @ directions.T, -1.0, 1.0))


def near_duplicates(network: Network, circuit: Circuit, *, threshold: float = 0.9) -> tuple[tuple[str, ...], ...]:
    """Groups of visible units of one layer whose maps are nearly the same in this photo.

    1. A unit is as strong as its largest share of the gross attribution of a unit above, max_i |S_ij| / Σ_j' |S_ij'|.
       Units are taken from the strongest down, ties by channel.
    2. Each that is in no group yet begins one, with all others of its layer that are in none and correlate with it by
       more than the threshold (`correlations`). All members are like the first; two others may be less alike.
    3. Groups of one are dropped. Neurons, constant maps and layers without positions are never grouped.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        threshold: correlation above which two maps are nearly the same, 0 to 1.

    Returns:
        Groups of ids, the topmost layer's first, then by their first member, which is its group's strongest.

    Raises:
        InputError: if the threshold is not from 0 to 1, the circuit is of another network, or its photo is missing.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> near_duplicates(network, trace(network, "example:cat", depth=2), threshold=1.0)
        ()
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; it is a correlation, from 0 to 1, such as 0.9.")
    by_layer: dict[str, list[Node]] = {}
    for node in circuit.nodes.values():
        if node.id in circuit.visible and isinstance(node.unit, Unit) and node.position is None:
            by_layer.setdefault(node.unit.layer, []).append(node)
    strengths = _strengths(circuit)
    groups: list[tuple[str, ...]] = []
    for layer in sorted(by_layer, key=circuit.layers.index, reverse=True):
        nodes = sorted(by_layer[layer], key=lambda node: (-strengths.get(node.id, 0.0), node.channel))
        if len(nodes) > 1:
            like = correlations(network, circuit, [node.channel for node in nodes]) > threshold
            groups += [tuple(nodes[at].id for at in group) for group in _greedy(like)]
    return tuple(groups)


def _greedy(like: np.ndarray) -> list[list[int]]:
    """Steps 2 and 3 for the units of one layer, strongest first."""
    free = list(range(len(like)))
    groups = []
    while free:
        group = [at for at in free if at == free[0] or like[free[0], at]]
        free = [at for at in free if at not in group]
        if len(group) > 1:
            groups.append(group)
    return groups


def _strengths(circuit: Circuit) -> dict[str, float]:
    """The largest share that each visible unit has of one above."""
    strengths: dict[str, float] = {}
    for upper in circuit.visible:
        for edge in circuit.edges_into(upper):
            strengths[edge.source] = max(strengths.get(edge.source, 0.0), abs(circuit.share(edge)))
    return strengths
