"""What `bench_tokens` measures of one photo in a vision transformer: neurons and groups, what they keep and lose."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.groups_measuring import Dictionaries
from benchmarks.quality_results import Row
from circuits import Baseline, Network, load_photo, mean_of_photos
from circuits.attribution.ablation import ablated_one_by_one
from circuits.attribution.agreement import rank_correlation
from circuits.evaluation.controls import permuted, random_like
from circuits.evaluation.scores import score_units
from circuits.evaluation.unit_sets import Units
from circuits.groups.coding import importance_of
from circuits.groups.dictionary import Dictionary
from circuits.groups.fit import fit
from circuits.shapes import Scores
from circuits.tracing.levels import dictionaries_for
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target, find_target

Shares = Mapping[str, Mapping[str, Scores]]
"""By way of sharing, and by layer, a share of each channel."""

FROM_ZERO = ("sum", "frozen")
FROM_MEAN = "sum from the mean"
ALL_PATHS, ALL_FROM_MEAN = "all paths", "all paths, from the mean"
NEURONS = ("sum", "frozen", FROM_MEAN, ALL_PATHS, ALL_FROM_MEAN)
RANDOM = "as many of the same layers, at random"


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        sizes: neurons over all layers of the MLPs.
        hidden: groups of the neurons of each layer.
        groups: of the patches in each layer of the residual stream.
        control: how many in the controls, one of both.
        blocks: of the residual stream, the last so many blocks; all of them, where there are fewer.
        ablated: neurons whose shares are compared with ablation, one by one.
        ranked: photos on which that is done.
        of_class: other photos that groups of the class are fitted to.
        mean_over: other photos that means are taken over.
        seed: of the sample of photos and of what is drawn.
    """

    sizes: tuple[int, ...] = (20, 200, 1000)
    hidden: tuple[int, ...] = (4, 8, 16)
    groups: tuple[int, ...] = (4, 8, 16, 32)
    control: int = 8
    blocks: tuple[int, ...] = (4, 12)
    ablated: int = 60
    ranked: int = 3
    of_class: int = 8
    mean_over: int = 32
    seed: int = 0

    def row(self) -> Row:
        """As a file of results keeps it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


class Measuring:
    """A vision transformer, made ready for photos.

    Args:
        network: the network.
        scored: the photos that are scored; groups of *another photo* are those of the next one.
        others: photos for means and for groups of the class.
        plan: what is measured.
    """

    def __init__(self, network: Network, scored: Sequence[Path], others: Sequence[Path], plan: Plan) -> None:
        self.network, self.stream, self.plan = network, network.with_layers("stream"), plan
        self.scored, self.others = list(scored), list(others)
        self.mean, self.mean_of_stream = (
            mean_of_photos(each, self.others[: plan.mean_over], source="the other photos")
            for each in (self.network, self.stream)
        )
        self._of_class = lru_cache(maxsize=100)(self._fit_class)

    def row(self, path: Path) -> Row:
        """Everything about one photo."""
        run, target = self.started(self.network, path)
        rng = np.random.default_rng([self.plan.seed, zlib.crc32(path.name.encode())])
        row: Row = {"photo": path.name, "class": target.unit.channel, "scores": {}}
        shares = shares_of(run, target, self.mean)
        lower = {layer: run.network.layer(layer).channels for layer in run.network.layers_below(target.unit.layer)}
        row["layers"], row["units"] = len(lower), sum(lower.values())
        row["half"] = {name: units_for_half(shares[name]) for name in ("sum", FROM_MEAN)}
        row["direct and all paths"] = rank_correlation(
            *(torch.cat(list(shares[name].values())).tolist() for name in (FROM_MEAN, ALL_FROM_MEAN))
        )
        if self.scored.index(path) < self.plan.ranked:
            row["ranks"] = ranks(run, target, self.mean, shares, self.plan.ablated, rng)
        sets = neurons(run.network, shares, self.plan.sizes, rng)
        row["scores"] |= scores_of(run, target, self.mean, sets)
        for count in self.plan.hidden:
            fitted = dictionaries_for(run, target, count, 1)
            hidden: dict[str, Dictionaries] = {f"neurons' groups {count}": fitted}
            if count == self.plan.control:
                hidden |= {f"neurons' groups {count}, shuffled": permuted(fitted, rng)}
            for name, dictionaries in hidden.items():
                coded = run.with_groups(dictionaries)
                row["scores"] |= scores_of(coded, target, self.mean, {name: whole(dictionaries, lower)})
        row["scores"] |= self.token_groups(path, rng)
        return row

    def token_groups(self, path: Path, rng: np.random.Generator) -> Row:
        """Groups of the patches in the residual stream, and controls; the class token is computed from what is kept."""
        run, target = self.started(self.stream, path)
        following, other = self.started(self.stream, self.scored[(self.scored.index(path) + 1) % len(self.scored)])
        found: Row = {}
        for blocks in self.plan.blocks:
            patches = [layer for layer in last_blocks(run.network, blocks) if not is_beside(layer)]
            asked = {f"groups {count}": self.fitted(run, target, count, patches) for count in self.plan.groups}
            own = asked[f"groups {self.plan.control}"]
            elsewhere, of_class = self.fitted(following, other, self.plan.control, patches), self._of_class(target)
            asked |= {
                "another photo": {layer: elsewhere.get(layer, each) for layer, each in own.items()},
                "shuffled": {layer: shuffled_but_mean(each, rng) for layer, each in own.items()},
                "principal components": {layer: self.components(run, layer, self.plan.control) for layer in own},
                "groups of the class": {layer: of_class.get(layer, each) for layer, each in own.items()},
            }
            for name, dictionaries in asked.items():
                coded, name = run.with_groups(dictionaries), f"{name} × {blocks}"
                found |= scores_of(coded, target, self.mean_of_stream, {name: whole(dictionaries)})
            beside = self.fitted(run, target, 1, filter(is_beside, last_blocks(run.network, blocks)))
            alone = {f"class token's own direction × {blocks}": whole(beside, patches)}
            found |= scores_of(run.with_groups(beside), target, self.mean_of_stream, alone)
        return found

    def components(self, run: ForwardCache, layer: str, count: int) -> Dictionary:
        """Principal components of a layer, in the place of groups."""
        return components(run.activations[layer][0].flatten(1), self.mean_of_stream.means[layer], count)

    def started(self, network: Network, path: Path) -> tuple[ForwardCache, Target]:
        """A photo's run, and the class that the network says."""
        run = ForwardCache.of(network, network.preprocessing.input_of(load_photo(path)))
        top = network.layers[-1]
        predicted = int(run.activations[top].sum((0, 2, 3)).argmax())
        return run, find_target(network, f"{top}:{predicted}", predicted)

    def fitted(self, run: ForwardCache, target: Target, count: int, layers: Iterable[str]) -> Dictionaries:
        """Groups of layers of the residual stream, of what tells the photo from the mean."""
        return {
            layer: self._fit([run], target, count, layer, "this photo")
            for layer in layers
            if bool(run.gradient(target, layer).any())  # not of what the target does not read, such as the last patches
        }

    def _fit_class(self, target: Target) -> Dictionaries:
        """Groups of all layers of patches, fitted to other photos of which the network says that class."""
        runs = (self.started(self.stream, path) for path in self.others)
        some = list(islice((run for run, own in runs if own == target), self.plan.of_class))
        patches = [layer for layer in self.stream.layers[:-2] if not is_beside(layer)]
        return {
            layer: self._fit(some, target, self.plan.control, layer, "photos of the class")
            for layer in patches
            if some and bool(some[0].gradient(target, layer).any())
        }

    def _fit(self, runs: Sequence[ForwardCache], target: Target, count: int, layer: str, source: str) -> Dictionary:
        activation = torch.cat([run.activations[layer][0].flatten(1) for run in runs], 1)
        importance = torch.cat([importance_of(run.gradient(target, layer)[0]) for run in runs], 1)
        mean = self.mean_of_stream.means[layer]
        return Dictionary(fit(activation, count, importance, signed=True, mean=mean), source, weighted=True)


def is_beside(layer: str) -> bool:
    """Whether a layer's tokens are no patches."""
    return layer.endswith(".cls")


def last_blocks(stream: Network, blocks: int) -> list[str]:
    """The layers of the residual stream after the last so many blocks."""
    ends = [layer for layer in stream.layers[:-1] if not is_beside(layer)][-blocks:]
    return [layer for layer in stream.layers[:-1] if layer.removesuffix(".cls") in ends]


def whole(dictionaries: Dictionaries, layers: Sequence[str] | Mapping[str, int] = ()) -> Units:
    """All groups; further layers of which nothing is kept."""
    return dict.fromkeys(layers, ()) | {layer: range(each.groups) for layer, each in dictionaries.items()}


def shares_of(run: ForwardCache, target: Target, mean: Baseline) -> dict[str, dict[str, Scores]]:
    """Shares of the target, direct and along all paths, from zero and from the mean."""
    lower, readout = run.below(target.unit.layer), target.readout(run.network)
    widths = [layer.units for layer in lower.layers.values()]

    def by_layer(scores: Scores) -> dict[str, Scores]:
        return dict(zip(lower.layers, scores[: sum(widths)].split(widths), strict=True))

    found = {mode: by_layer(next(iter(lower.shares(mode, iter([readout]))))) for mode in FROM_ZERO}
    from_mean = run.from_baseline(mean).below(target.unit.layer)
    found[FROM_MEAN] = by_layer(next(iter(from_mean.shares("sum", iter([readout])))))
    for name, baseline in ((ALL_PATHS, Baseline.zero()), (ALL_FROM_MEAN, mean)):
        found[name] = {}
        for layer in lower.layers:
            away = run.activations[layer] - baseline.of(layer, run.activations[layer])
            found[name][layer] = (away * run.gradient(target, layer))[0].sum((1, 2))
    return found


def ranks(
    run: ForwardCache, target: Target, mean: Baseline, shares: Shares, count: int, rng: np.random.Generator
) -> Row:
    """Rank correlation of shares with the exact loss of the target, one unit at a time, with what is above it held."""
    lower, readout = run.below(target.unit.layer), target.readout(run.network)
    drawn = sorted(rng.choice(lower.units, min(count, lower.units), replace=False).tolist())
    flat = {name: torch.cat(list(each.values()))[drawn].tolist() for name, each in shares.items()}
    flat["ig"] = next(iter(lower.shares("ig", iter([readout]))))[drawn].tolist()
    found: Row = {}
    for name, baseline in (("zero", Baseline.zero()), ("mean", mean)):
        parts = ablated_one_by_one(lower.piece, lower.activation, [readout], drawn, lower.ablations(baseline))
        lost = torch.cat([some for _, some in parts], 1)[0].tolist()
        found[name] = {
            way: rank_correlation(flat[way], lost) for way in ("sum", FROM_MEAN, "ig", "frozen", ALL_FROM_MEAN)
        }
    return found


def neurons(network: Network, shares: Shares, sizes: Sequence[int], rng: np.random.Generator) -> dict[str, Units]:
    """The units with the highest positive shares over all layers, by way and size, and as many at random."""
    found: dict[str, Units] = {}
    for size in sizes:
        for name in NEURONS:
            found[f"{name} {size}"] = highest_of_all(shares[name], size)
        found[f"{RANDOM} {size}"] = random_like(network, found[f"{FROM_MEAN} {size}"], rng)
    return found


def highest_of_all(scores: Mapping[str, Scores], size: int) -> dict[str, tuple[int, ...]]:
    """The units with the highest positive scores over all layers together; every layer is named.

    Example:
        >>> highest_of_all({"a": torch.tensor([3.0, -1.0]), "b": torch.tensor([1.0, 5.0, 2.0])}, 3)
        {'a': (0,), 'b': (1, 2)}
    """
    flat = torch.cat(list(scores.values()))
    kept = (flat > 0) & (torch.argsort(torch.argsort(-flat, stable=True)) < size)
    parts = kept.split([len(each) for each in scores.values()])
    return {layer: tuple(part.nonzero().flatten().tolist()) for layer, part in zip(scores, parts, strict=True)}


def units_for_half(scores: Mapping[str, Scores]) -> int:
    """How many units hold half of the gross attribution, the largest first.

    >>> units_for_half({"a": torch.tensor([3.0, -4.0]), "b": torch.tensor([1.0, 2.0])})
    2
    """
    sizes = torch.cat(list(scores.values())).abs().sort(descending=True).values.cumsum(0)
    return int((sizes < 0.5 * sizes[-1]).sum()) + 1


def shuffled_but_mean(dictionary: Dictionary, rng: np.random.Generator) -> Dictionary:
    """The same with the channels of each direction shuffled, but for the last one, that of the mean."""
    groups = replace(dictionary, directions=dictionary.directions[:-1])
    rows = permuted({"": groups}, rng)[""].directions
    return replace(dictionary, directions=torch.cat([rows, dictionary.directions[-1:]]))


def components(matrix: Tensor, mean: Tensor, count: int) -> Dictionary:
    """The strongest principal components of a photo's tokens, less the mean, with both signs: h = max(0, ±d · (a − b)).

    Args:
        matrix: (C, tokens).
        mean: (C,).
        count: how many.
    """
    left = torch.linalg.svd((matrix - mean[:, None]).double(), full_matrices=False)[0][:, :count].T
    both = torch.cat([left, -left])
    return Dictionary(both.float(), "principal components", encoder=both.float(), bias=-(both @ mean.double()).float())


def scores_of(run: ForwardCache, target: Target, baseline: Baseline, sets: Mapping[str, Units]) -> Row:
    """Of each set what the target is as it is, with nothing, with the set alone and without it; and how many it has."""
    found = score_units(run, target, list(sets.values()), baseline)
    rows: Row = {}
    for (name, units), scored in zip(sets.items(), found, strict=True):
        score = scored.value
        rows[name] = [score.whole, score.nothing, score.alone, score.without, sum(map(len, units.values()))]
    return rows
