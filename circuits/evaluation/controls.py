"""Sets of units of the same shape as a circuit's, chosen in other ways: what its score has to be better than.

All of them have as many units in each layer as the circuit, so that only the choice differs.

| control | chooses in each layer |
|---|---|
| random | any units, each with the same chance |
| activation | those with the largest mean magnitude in the photo |
| weights | those with the largest Σ_hw ∂T/∂a at a grey image: what the weights alone say of the target |
| gradient | those with the largest Σ_hw a · ∂T/∂a in the photo: attribution without a walk along edges |
| randomised | those of a circuit traced in a copy of the network whose parameters were shuffled (Adebayo et al. 2018) |
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from circuits.evaluation.unit_sets import Search, Units, units_in
from circuits.network.layers import find_layers
from circuits.network.network import Network, fingerprint
from circuits.shapes import Scores
from circuits.tracing.run import Run
from circuits.tracing.targets import Target


def random_like(network: Network, units: Units, seed: int | np.random.Generator) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has, drawn without replacement, each with the same chance.

    Args:
        network: the network.
        units: channels by layer.
        seed: of the draw, or a generator, from which several draws can be taken one after the other.

    Raises:
        UnknownError: if the network has no such layer.

    Example:
        >>> from circuits import load_network
        >>> drawn = random_like(load_network(), {"conv4": [1, 2, 3], "conv5": []}, seed=0)
        >>> [len(channels) for channels in drawn.values()]
        [3, 0]
    """
    source = np.random.default_rng(seed)
    drawn = {}
    for layer, channels in units.items():
        found = source.choice(network.layer(layer).channels, size=len(channels), replace=False)
        drawn[layer] = tuple(sorted(int(channel) for channel in found))
    return drawn


def by_activation(run: Run, units: Units) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has: those with the largest mean |a| in the photo.

    mean |a_j| = 1/(H·W) Σ_hw |a_j(h,w)|

    Args:
        run: of the photo.
        units: channels by layer.

    Example:
        >>> from circuits import load_network, load_photo
        >>> network = load_network()
        >>> run = Run.of(network, network.preprocessing.input_of(load_photo("example:cat")))
        >>> [channel] = by_activation(run, {"conv4": [0]})["conv4"]
        >>> int(run.activations["conv4"][0].mean((1, 2)).argmax()) == channel
        True
    """
    return _largest(units, {layer: run.activations[layer][0].abs().mean((1, 2)) for layer in units})


def by_gradient(run: Run, target: Target, units: Units, *, signs: str = "positive") -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has: those with the largest attribution to the target over all paths.

    S_j = Σ_hw a_j · ∂T/∂a_j   (`positive`: the largest; `both`: the largest in magnitude)

    Args:
        run: of the photo.
        target: T.
        units: channels by layer, all below the target.
        signs: `positive` or `both`.
    """
    return _largest(units, {layer: attributions(run, target, layer) for layer in units}, signs)


def attributions(run: Run, target: Target, layer: str) -> Scores:
    """What each channel of a layer contributes to the target over all paths, S_j = Σ_hw a_j · ∂T/∂a_j, (C,)."""
    return (run.activations[layer] * run.gradient(target, layer))[0].sum((1, 2))


def by_weights(
    network: Network, target: Target, units: Units, *, signs: str = "positive"
) -> dict[str, tuple[int, ...]] | None:
    """As many units in each layer as a set has: those that the weights alone connect to the target most.

    W_j = Σ_hw ∂T/∂a_j at the neutral input, an image that is zero after normalisation: the mean colour everywhere

    No activation enters, and no photo; the input only says which rectifiers are open.

    Args:
        network: cut at the layers of the set.
        target: T.
        units: channels by layer, all below the target.
        signs: `positive` (the largest W) or `both` (the largest in magnitude).

    Returns:
        `None` if the target does not change with anything at the neutral input, so that there is no order.

    Example:
        >>> from circuits import load_network
        >>> from circuits.tracing.targets import find_target
        >>> network = load_network()
        >>> found = by_weights(network, find_target(network, "cat", 0), {"conv7": [0, 1]})
        >>> len(found["conv7"])
        2
    """
    run = Run.of(network, neutral(network))
    weights = {layer: run.gradient(target, layer)[0].sum((1, 2)) for layer in units}
    if not any(bool(row.any()) for row in weights.values()):
        return None
    return _largest(units, weights, signs)


def neutral(network: Network) -> Tensor:
    """The image of the mean colour, zero after normalisation, (1, c, h, w)."""
    return torch.zeros(1, len(network.preprocessing.mean), *network.preprocessing.size)


def randomised(network: Network, seed: int) -> Network:
    """A copy of a network in which the entries of every weight and every bias are shuffled.

    Every tensor keeps its values, and so their size, and loses what was learned of their order. All layers at once:
    the full parameter randomisation of Adebayo et al. 2018, "Sanity checks for saliency maps".

    Args:
        network: the network.
        seed: of the permutations.

    Example:
        >>> from circuits import load_network
        >>> network = load_network()
        >>> other = randomised(network, seed=0)
        >>> other.layers == network.layers, other.sha256 == network.sha256
        (True, False)
    """
    source = torch.Generator().manual_seed(seed)
    traced = copy.deepcopy(network.traced)
    with torch.no_grad():
        for parameter in traced.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(len(flat), generator=source)].view_as(parameter))
    return replace(
        network,
        name=f"{network.name}, shuffled",
        source=f"{network.source}, shuffled with seed {seed}",
        traced=traced,
        sha256=fingerprint(traced),
        layer_list=find_layers(traced, network.layers),
        _segments={},
    )


def by_tracing(
    run: Run, target: Target, units: Units, *, tops: Sequence[int], mode: str, signs: str = "positive"
) -> dict[str, tuple[int, ...]]:
    """As many units in each layer as a set has: those of a circuit traced in this run, which may be another network's.

    Where the circuit has more units in a layer than the set, those with the largest attribution to its target over all
    paths are taken; where it has fewer, the next largest fill up.

    Args:
        run: of the photo, through the network that is traced.
        target: T.
        units: channels by layer.
        tops: units to show below each unit, one number a level.
        mode: of the attribution.
        signs: `positive` or `both`.
    """
    found = units_in(run.network, Search(run, target, mode).sources(tops, signs), target.id)
    scores = {}
    for layer in units:
        score = attributions(run, target, layer)
        score = score if signs == "positive" else score.abs()
        traced = torch.zeros_like(score)
        traced[list(found.get(layer, ()))] = 1 + float(score.max() - score.min())
        scores[layer] = score + traced
    return _largest(units, scores)


def _largest(units: Units, scores: dict[str, Scores], signs: str = "positive") -> dict[str, tuple[int, ...]]:
    """The channels with the largest scores, as many in each layer as a set has; of equal ones the first."""
    found = {}
    for layer, channels in units.items():
        order = (scores[layer] if signs == "positive" else scores[layer].abs()).argsort(descending=True, stable=True)
        found[layer] = tuple(sorted(order[: len(channels)].tolist()))
    return found
