"""The mean of every unit over the photos of an atlas, as a baseline, and the baseline that is at hand for a network."""

from pathlib import Path

import torch

from circuits.atlas.atlas import Atlas
from circuits.atlas.shipped import atlas_of
from circuits.attribution.baseline import Baseline, collection_name
from circuits.exemplars.finding import find_exemplars
from circuits.network.network import Network


def mean_of_atlas(atlas: Atlas) -> Baseline:
    """The baseline of each unit's mean activation over the photos of an atlas.

    Example:
        >>> from circuits import load_network
        >>> mean_of_atlas(atlas_of(load_network())).source
        'the atlas of builtin (10,880 photos)'
    """
    means = {layer.name: torch.from_numpy(atlas.table("activation", layer.name)).float() for layer in atlas.layers}
    return Baseline("mean", collection_name(f"the atlas of {atlas.network}", atlas.photos), means)


def mean_at_hand(network: Network, exemplars: str | Path | None = None) -> Baseline | None:
    """The mean over the newest index of exemplars of a network, or else over its atlas; `None` if there is neither.

    Args:
        network: whose units, with the layers that the means are needed of.
        exemplars: folder of indices, in the place of the person's own; there is no other choice then.

    Raises:
        InputError: if the index is damaged.

    Example:
        >>> from circuits import load_network, mean_at_hand, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, baseline=mean_at_hand(network))
        >>> circuit.settings.baseline, circuit.nodes[circuit.root].books.bias_name
        ('mean', 'base')
    """
    index = find_exemplars(network, exemplars, layers=network.layers[:-1])
    if index is not None:
        return Baseline.mean(index)
    atlas = None if exemplars is not None else atlas_of(network)
    return None if atlas is None else mean_of_atlas(atlas)
