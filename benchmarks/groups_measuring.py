"""What `bench_groups` measures of one photo: what circuits of channels and groups keep, controls, stability."""

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from benchmarks.bench_quality import PHOTOS, true_class
from benchmarks.quality_choosing import Walk, highest, parents_of
from benchmarks.quality_results import Row
from circuits import Baseline, Network, load_photo, mean_of_photos, trace
from circuits.attribution.ablation import ablated_one_by_one
from circuits.attribution.agreement import rank_correlation
from circuits.evaluation.controls import permuted
from circuits.evaluation.scores import score_units
from circuits.evaluation.unit_sets import Units, index_of
from circuits.groups.dictionary import Dictionary, matched
from circuits.groups.fit import fit
from circuits.tracing.budget import Budget, spend
from circuits.tracing.class_groups import fit_groups
from circuits.tracing.layers_below import Shares
from circuits.tracing.levels import dictionaries_for
from circuits.tracing.node import address_of
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder
from circuits.tracing.targets import Target, find_target
from circuits.units import Group, is_residual

Dictionaries = Mapping[str, Dictionary]


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        tops: the sizes of circuits of channels, as the top k of the circuit of mode `sum`.
        groups: how many a layer; the first is that of the controls.
        depths: layers below the class; the last is that of the controls and of all circuits of channels.
        best: of the first number of groups, how many over the whole circuit.
        ranks: the other classes that directions are weighted for, by their logits; 1 is the second.
        changed: one photo in so many is changed, to see whether its groups stay.
        seed: of the sample of photos and of what is drawn.
    """

    tops: tuple[int, ...] = (2, 3, 5)
    groups: tuple[int, ...] = (8, 12)
    depths: tuple[int, ...] = (2, 4)
    best: tuple[int, ...] = (8, 16, 24)
    ranks: tuple[int, ...] = (1, 19)
    changed: int = 4
    seed: int = 0

    def row(self) -> Row:
        """As a file of results keeps it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Asked:
    """A circuit to score: its name, its units and, where these are groups, their dictionaries."""

    name: str
    units: Units
    dictionaries: Dictionaries | None = None


class Measuring:
    """One network, made ready for photos.

    Args:
        network: the network; its layers form a chain.
        scored: the photos that are scored; directions of *another photo* are those of the next one.
        others: photos for the means.
        plan: what is measured.
    """

    def __init__(self, network: Network, scored: Sequence[Path], others: Sequence[Path], plan: Plan) -> None:
        self.network, self.plan, self.scored = network, plan, list(scored)
        self.top = network.layers[-1]
        self.layers = network.layers[-2 : -2 - plan.depths[-1] : -1]
        self.zero = Baseline.zero()
        self.mean = mean_of_photos(network, others, layers=self.layers, source="the other photos")
        self._started = lru_cache(maxsize=2)(self._start)
        self._class_groups = lru_cache(maxsize=100)(self._fit_class)

    def row(self, path: Path) -> Row:
        """Everything about one photo."""
        run, target, fitted, seconds = self._started(path)
        logits = run.activations[self.top].sum((0, 2, 3))
        groups = {count: dictionaries_for(run, target, count, len(self.layers)) for count in self.plan.groups[1:]}
        groups[self.plan.groups[0]] = fitted
        following = self.scored[(self.scored.index(path) + 1) % len(self.scored)]
        elsewhere = self._started(following)[2]
        main = self.channels(run, target) + self.all_groups(groups) + self.best_groups(run, target, fitted)
        scores = self.score(run, target, main, [self.zero, self.mean])
        scores |= self.score(run, target, self.controls(run, path.name, fitted, elsewhere), [self.zero])
        return {
            "photo": path.name, "class": target.unit.channel, "true": true_class(path.name), "seconds": seconds,
            "scores": scores, "another class": self.another_class(run, logits),
            "stability": self.stability(path, target, fitted) | {"another photo": cosines(fitted, elsewhere)},
            "ablation": agreement(run.with_groups(fitted), target, self.layers),
        }  # fmt: skip

    def class_row(self, path: Path, classes: Path) -> Row:
        """What groups of the class hold beside those of the photo; no scores where the class has no folder."""
        run, target, fitted, _ = self._started(path)
        folder = classes / target.label
        row: Row = {"photo": path.name, "class": target.label, "scores": {}}
        if not folder.is_dir():
            return row
        of_class = self._class_groups(folder, target.unit.channel)
        asked = [
            asked_all(f"{name} {self.plan.groups[0]} × {depth}", dictionaries, self.layers[:depth])
            for name, dictionaries in (("groups", fitted), ("groups of the class", of_class))
            for depth in self.plan.depths
        ]
        return row | {"scores": self.score(run, target, asked, [self.zero, self.mean])}

    def channels(self, run: ForwardCache, target: Target) -> list[Asked]:
        """Circuits of channels, five of each size."""
        walk, summed = (Walk(parents_of(run, target, mode), target, self.layers) for mode in ("sum", "target"))
        attributions = {layer: run.attributions(target, layer) for layer in self.layers}
        asked: list[Asked] = []
        known: dict[str, Shares] = {}
        for top in self.plan.tops:
            sizes = walk.sizes(top)
            spent = self.spent(run, target, sum(sizes.values()), known)
            as_spent = {layer: len(units) for layer, units in spent.items()}
            asked += [
                Asked(f"walk {top}", walk.choose(sizes)),
                Asked(f"target Σ {top}", summed.choose(sizes, summed=True)),
                Asked(f"G×A {top}", highest(attributions, sizes)),
                Asked(f"budget {top}", spent),
                Asked(f"G×A, sizes of budget {top}", highest(attributions, as_spent)),
            ]
        return asked

    def spent(self, run: ForwardCache, target: Target, count: int, known: dict[str, Shares]) -> Units:
        """The units of `trace(units=count)`, by layer; a layer that it does not come to has none."""
        builder = CircuitBuilder(run, target, "target", nx.DiGraph(), known)
        builder.add(target.unit, target.id, target.label)
        spend(builder, Budget(count), len(self.layers), "positive")
        found: dict[str, list[int]] = {layer: [] for layer in self.layers}
        for name, row in builder.graph.nodes(data=True):
            if name != target.id and not is_residual(name):
                found[row["layer"]].append(index_of(address_of(row).whole))
        return found

    def all_groups(self, groups: Mapping[int, Dictionaries]) -> list[Asked]:
        """All groups of some layers below the class."""
        return [
            asked_all(f"groups {count} × {depth}", groups[count], self.layers[:depth])
            for count in self.plan.groups
            for depth in self.plan.depths
        ]

    def best_groups(self, run: ForwardCache, target: Target, fitted: Dictionaries) -> list[Asked]:
        """The best groups over the whole circuit."""
        grouped, name = run.with_groups(fitted), f"groups {self.plan.groups[0]} × {len(self.layers)}, best"
        known: dict[str, Shares] = {}
        return [Asked(f"{name} {count}", self.spent(grouped, target, count, known), fitted) for count in self.plan.best]

    def controls(self, run: ForwardCache, name: str, fitted: Dictionaries, elsewhere: Dictionaries) -> list[Asked]:
        """Directions that should not hold the class, or hold less of it."""
        source, count = np.random.default_rng([self.plan.seed, zlib.crc32(name.encode())]), self.plan.groups[0]
        matrices = {layer: run.activations[layer][0].flatten(1).double() for layer in self.layers}
        controls: dict[str, Dictionaries] = {
            "another photo": elsewhere,
            "permuted": permuted(fitted, source),
            "random channels": {layer: random_channels(each, count, source) for layer, each in matrices.items()},
            "PCA": {layer: principal(each, count) for layer, each in matrices.items()},
            "not weighted": {layer: Dictionary(fit(each, count), "this photo") for layer, each in matrices.items()},
        }
        return [
            asked_all(f"{control} {count} × {depth}", dictionaries, self.layers[:depth])
            for control, dictionaries in controls.items()
            for depth in self.plan.depths
        ]

    def another_class(self, run: ForwardCache, logits: Tensor) -> Row:
        """By rank, the scores of another class in the groups weighted for it."""
        order = logits.argsort(descending=True, stable=True).tolist()
        found: Row = {}
        for rank in self.plan.ranks:
            other = find_target(self.network, f"{self.top}:{order[rank]}", order[rank])
            fitted = dictionaries_for(run, other, self.plan.groups[0], len(self.layers))
            found |= {str(rank): self.score(run, other, [asked_all("own", fitted, self.layers)], [self.zero])["own"]}
        return found

    def stability(self, path: Path, target: Target, fitted: Dictionaries) -> Row:
        """By change of the photo and layer, the mean cosine of its directions with those matched of the photo."""
        if self.scored.index(path) % self.plan.changed:
            return {}
        image = self._input(path)
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(self.plan.seed))
        edge = max(1, round(0.05 * image.shape[-1]))
        inner = image[..., edge:-edge, edge:-edge]
        changed = {
            "flip": image.flip(-1),
            "crop": torch.nn.functional.interpolate(inner, image.shape[-2:], mode="bilinear", antialias=True),
            "noise": image + 0.1 * noise,
        }
        found: Row = {}
        for name, each in changed.items():
            other = dictionaries_for(ForwardCache.of(self.network, each), target, self.plan.groups[0], len(self.layers))
            found[name] = cosines(fitted, other)
        return found

    def score(self, run: ForwardCache, target: Target, asked: Sequence[Asked], baselines: Sequence[Baseline]) -> Row:
        """By circuit the number of its nodes; by baseline value, probability and first class in four conditions."""
        rows: Row = {each.name: {"nodes": sum(map(len, each.units.values()))} for each in asked}
        of: dict[int, list[Asked]] = {}
        for each in asked:
            of.setdefault(id(each.dictionaries), []).append(each)
        for some in of.values():
            coded = run.with_groups(some[0].dictionaries or {})
            for baseline in baselines:
                found = score_units(coded, target, [each.units for each in some], baseline)
                for each, scored in zip(some, found, strict=True):
                    scores = (scored.value, scored.probability, scored.first)
                    rows[each.name][baseline.name] = [
                        None if score is None else [score.whole, score.nothing, score.alone, score.without]
                        for score in scores
                    ]
        return rows

    def _fit_class(self, folder: Path, number: int) -> Dictionaries:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS)
        return fit_groups(self.network, paths, number, groups=self.plan.groups[0], depth=len(self.layers))

    def _input(self, path: Path) -> Tensor:
        return self.network.preprocessing.input_of(load_photo(path))

    def _start(self, path: Path) -> tuple[ForwardCache, Target, Dictionaries, float]:
        """A photo's run, its class, its groups, and the seconds of processor time of a trace with them."""
        run = ForwardCache.of(self.network, self._input(path))
        predicted = int(run.activations[self.top].sum((0, 2, 3)).argmax())
        target = find_target(self.network, f"{self.top}:{predicted}", predicted)
        before = time.process_time()
        circuit = trace(self.network, path, target.id, groups=self.plan.groups[0], depth=len(self.layers))
        return run, target, circuit.dictionaries, time.process_time() - before


def asked_all(name: str, dictionaries: Dictionaries, layers: Sequence[str]) -> Asked:
    """All groups of some layers."""
    return Asked(name, {layer: range(dictionaries[layer].groups) for layer in layers}, dictionaries)


def random_channels(matrix: Tensor, count: int, source: np.random.Generator) -> Dictionary:
    """Any of the channels that are active, each a direction of its own.

    Args:
        matrix: a layer's activation, (C, positions).
        count: how many.
        source: of randomness.
    """
    live = np.flatnonzero((matrix > 0).any(1).numpy())
    drawn = source.choice(live, min(count, len(live)), replace=False)
    return Dictionary(torch.eye(len(matrix))[drawn], "random channels")


def principal(matrix: Tensor, count: int) -> Dictionary:
    """The strongest principal components (of the activation itself, not centred), with both signs: h = max(0, ±d · a).

    Example:
        >>> principal(torch.tensor([[3.0, 6.0], [4.0, 8.0]]), 1).directions.abs()[0].tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    left, sizes, _ = torch.linalg.svd(matrix.double(), full_matrices=False)
    rows = left[:, : min(count, int((sizes > 1e-9 * sizes[0]).sum()))].T
    both = torch.cat([rows, -rows]).float()
    return Dictionary(both, "principal components", encoder=both, bias=torch.zeros(len(both)))


def cosines(ours: Dictionaries, theirs: Dictionaries) -> dict[str, float]:
    """By layer the mean cosine of matched directions."""
    return {
        layer: float(np.mean([cosine for _, _, cosine in matched(each.directions, theirs[layer].directions)]))
        for layer, each in ours.items()
        if layer in theirs
    }


def agreement(run: ForwardCache, target: Target, layers: Sequence[str]) -> dict[str, list[float | None]]:
    """By lower layer, medians over the units above it of rank correlation and relative error of share and ablation.

    The shares are those of mode `sum`, of all groups and the residual; the error is Σ |share − loss| / Σ |loss|.
    """
    found: dict[str, list[float | None]] = {}
    for upper, layer in zip((target.unit.layer, *layers), layers, strict=False):
        if layer not in run.dictionaries:
            continue
        readouts = [run.readout(target, target.unit, "sum", is_root=True)]
        if upper in run.dictionaries:
            units = [Group(upper, number) for number in range(run.dictionaries[upper].groups)]
            readouts = [run.readout(target, unit, "sum", is_root=False) for unit in units]
        lower = run.below(upper, target)
        shares = torch.stack(list(lower.shares("sum", iter(readouts))))[:, : lower.units]
        without = lower.ablations(Baseline.zero())
        parts = ablated_one_by_one(lower.piece, lower.activation, readouts, range(lower.units), without)
        losses = torch.cat([lost for _, lost in parts], 1)
        ranks = [rank_correlation(*map(Tensor.tolist, pair)) for pair in zip(shares, losses, strict=True)]
        errors = (shares - losses).abs().sum(1) / losses.abs().sum(1)
        known = [rank for rank in ranks if rank is not None]
        found[layer] = [float(np.median(known)) if known else None, float(errors.median())]
    return found
