"""The layers that a walk down from a target comes to, level by level, and the groups of each fitted to the photo."""

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import networkx as nx

from circuits.errors import InputError, listed
from circuits.groups.coding import importance_of
from circuits.groups.dictionary import Dictionary, checked
from circuits.groups.fit import fit
from circuits.network.network import Network
from circuits.tracing.facts import as_int
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target

Groups = SupportsIndex | Sequence[SupportsIndex] | Mapping[str, Dictionary]
"""How many groups each layer has, one number or one a level, 0 for channels; or dictionaries by layer."""

MOST = 1000
"""Groups that are fitted to a photo."""
PHOTO = "this photo"
"""The source of a dictionary that was fitted to the photo that it explains."""
WITH_MEAN = f"{PHOTO}, and the mean"
"""The source of one whose last direction is that of the mean over photos."""


def levels_below(network: Network, layer: str, depth: int) -> dict[str, int]:
    """The layers that are reached from one within a number of steps, and by how many: 1 for those right below it.

    Example:
        >>> from circuits import load_network
        >>> levels_below(load_network(), "fc", 2)
        {'conv7': 1, 'conv6': 2}
    """
    steps = nx.DiGraph((upper, lower) for upper in network.layers for lower in network.layers_below(upper))
    reached = nx.single_source_shortest_path_length(steps, layer, cutoff=depth) if layer in steps else {}
    return {name: int(level) for name, level in dict(reached).items() if level > 0}


def dictionaries_for(run: ForwardCache, target: Target, groups: Groups, depth: int) -> dict[str, Dictionary]:
    """The dictionaries of the layers that a circuit of some depth comes to.

    Args:
        run: of the photo.
        target: what is explained; a fit weighs each channel and position by what it does for the target.
        groups: see `Groups`. Of tokens after a block, where shares are measured from the mean, that is one more.
        depth: levels below the target.

    Raises:
        InputError: if a number is out of its range, or a dictionary is of another layer.
        UnknownError: if the network has no such layer.
    """
    layers = levels_below(run.network, target.unit.layer, depth)
    if isinstance(groups, Mapping):
        given_layers = {layer: each for layer, each in checked(run.network, groups).items() if layer in layers}
        if not given_layers:
            given = f"is of {listed(groups)}, and none of these" if groups else "is empty; no layer"
            raise InputError(f"The dictionary {given} lies within {depth} below {target.id}; give a larger depth.")
        return given_layers
    counts = counts_of(groups, depth)
    found: dict[str, Dictionary] = {}
    for layer, level in layers.items():
        activation = run.activations[layer][0].flatten(1)
        signed, gradient = run.network.layer(layer).is_stream, run.gradient(target, layer)[0]
        mean = run.baseline.means.get(layer) if signed else None
        above = activation if mean is None else activation - mean.to(activation)[:, None]
        # The target does not read all tokens after the last block, only that of the class in most networks.
        is_active = bool((above != 0).any() and gradient.any()) if signed else bool((activation > 0).any())
        if not counts[level - 1] or not is_active:
            continue
        directions = fit(activation, counts[level - 1], importance_of(gradient), signed=signed, mean=mean)
        found[layer] = Dictionary(directions, PHOTO if mean is None else WITH_MEAN, weighted=True)
    if not found:
        raise InputError(f"Nothing is active below {target.id} in this photo, so there are no groups to find.")
    return found


def counts_of(groups: Any, depth: int) -> list[int]:
    """Groups of each level, from one number or one a level, checked.

    >>> counts_of(8, 2), counts_of([8, 0], 2)
    ([8, 8], [8, 0])
    """
    given = as_int(groups)
    counts = [given] * depth if isinstance(given, int) else list(given) if isinstance(given, tuple) else [given]
    if any(isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST for count in counts):
        raise InputError(
            f"groups is {groups!r}; give how many groups a layer has, from 1 to {MOST}, or one number a level, 0 for "
            "channels."
        )
    if len(counts) != depth:
        raise InputError(f"groups gives {len(counts)} numbers for a depth of {depth}; give one number, or one a level.")
    if not any(counts):
        raise InputError("groups is 0 at every level; leave it out to explain by channels.")
    return counts
