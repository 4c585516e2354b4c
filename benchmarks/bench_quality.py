"""Which choice of units keeps most of a target? Ours, captum's and others', at equal size in each layer, on photos.

1. A seeded sample of a folder's photos is scored, whether or not the network is right about them; the target is the
   predicted class. Means for mean ablation are taken over the folder's other photos.
2. For each photo and k, the circuit that `trace` finds in mode `sum` with the top k says how many units each of the
   layers below the class has. Every method fills these numbers in its own order (`quality_choosing`).
3. All circuits of a photo are scored by `score_units`: what they keep alone, and what the rest keeps without them.

| method | chooses |
|---|---|
| sum, target, ig | walking down edges, as `trace` does in that mode |
| target Σ | walking down edges of mode `target`, the largest sums over the units kept above |
| captum G×A | the largest `LayerGradientXActivation` of the class in each layer |
| captum IG | the largest `LayerIntegratedGradients` of the class in each layer |
| activation | the largest mean magnitude in each layer |
| weights | the largest gradient of the class at a grey image |
| shuffled | walking down as `sum` does, in a copy of the network with shuffled parameters |
| random | any; the mean of several draws |

Captum's `LayerGradientXActivation` of one unit at a time, by which one can walk too, is the formula of `sum`; up to a
size, that walk is done as well, and the units that differ are counted.

Run it with `python -m benchmarks.bench_quality PHOTOS --squeezenet-weights FILE`, which needs
`pip install -e '.[benchmark]'`. It can be stopped and goes on where it was.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import platformdirs
import torch
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.quality_choosing import Chosen, Sizes, Walk, drawn, highest, parents_of
from benchmarks.quality_results import Results, Row
from benchmarks.quality_tables import print_tables
from circuits import Baseline, Network, load_network, load_photo, mean_of_photos
from circuits.evaluation.controls import neutral, randomised
from circuits.evaluation.scores import Score, mean_score, score_units
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target, find_target

PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
RESULTS = platformdirs.user_cache_path("circuits") / "quality"


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        tops: the sizes, as the top k of the circuit of mode `sum`.
        ig_up_to: the largest top k at which mode `ig` is measured; it takes 32 times as long as `sum`.
        captum_up_to: the largest top k at which a walk by captum is compared with `sum`; 0 leaves captum out.
        depth: layers below the class.
        steps: of captum's integrated gradients.
        draws: random circuits for each size.
        seed: of the sample of photos, the random circuits and the shuffled network.
    """

    tops: tuple[int, ...] = (2, 3, 5, 10, 20)
    ig_up_to: int = 5
    captum_up_to: int = 5
    depth: int = 4
    steps: int = 32
    draws: int = 5
    seed: int = 0


class Measuring:
    """One network, made ready for photos.

    Args:
        network: the network; its layers form a chain.
        others: photos for the means.
        plan: what is measured.
    """

    def __init__(self, network: Network, others: Sequence[Path], plan: Plan) -> None:
        self.network, self.plan = network, plan
        self.top = network.layers[-1]
        self.layers = network.layers[-2 : -2 - plan.depth : -1]
        self.widths = {layer: network.layer(layer).channels for layer in self.layers}
        self.baselines = [
            Baseline.zero(),
            mean_of_photos(network, others, layers=self.layers, source="the other photos"),
        ]
        self.shuffled = randomised(network, plan.seed)
        self.grey = ForwardCache.of(network, neutral(network))
        self.captum = None
        if plan.captum_up_to:
            from benchmarks.quality_captum import Captum

            self.captum = Captum(network, self.layers)

    def row(self, path: Path) -> Row:
        """Everything about one photo."""
        image = self.network.preprocessing.input_of(load_photo(path))
        run = ForwardCache.of(self.network, image)
        predicted = int(run.activations[self.top].sum((0, 2, 3)).argmax())
        target = find_target(self.network, f"{self.top}:{predicted}", predicted)
        walk = Walk(parents_of(run, target, "sum"), target, self.layers)
        sizes: dict[int, Sizes] = {top: walk.sizes(top) for top in self.plan.tops}
        shuffled = ForwardCache.of(self.shuffled, image)
        chosen = self.ranked(run, target, sizes) | self.walked(walk, run, shuffled, target, sizes)
        random = self.random(path.name, sizes)
        row: Row = {
            "photo": path.name,
            "class": predicted,
            "true": true_class(path.name),
            "units": sum(self.widths.values()),
        }
        row["sizes"] = {str(top): counts for top, counts in sizes.items()}
        row["shared"] = {
            name: {str(top): shared(some, chosen["sum"][top]) for top, some in found.items()}
            for name, found in chosen.items()
        }
        if self.captum is not None:
            below = self.captum.below
            walk = Walk(lambda upper, channels: below(run, upper, channels), target, self.layers)
            tops = [top for top in sizes if top <= self.plan.captum_up_to]
            row["captum walk"] = {str(top): shared(walk.choose(sizes[top]), chosen["sum"][top]) for top in tops}
        return row | {"scores": self._scores(run, target, chosen, random)}

    def walked(
        self, walk: Walk, run: ForwardCache, shuffled: ForwardCache, target: Target, sizes: dict[int, Sizes]
    ) -> dict[str, dict[int, Chosen]]:
        """By method and size, the units that a walk chooses; that of mode `sum` has been begun."""
        walks = {mode: Walk(parents_of(run, target, mode), target, self.layers) for mode in ("target", "ig")}
        walks["sum"] = walk
        walks["shuffled"] = Walk(parents_of(shuffled, target, "sum"), target, self.layers)
        largest = dict.fromkeys(walks, max(sizes)) | {"ig": self.plan.ig_up_to}
        found = {
            name: {top: walk.choose(counts) for top, counts in sizes.items() if top <= largest[name]}
            for name, walk in walks.items()
        }
        summed = {top: walks["target"].choose(counts, summed=True) for top, counts in sizes.items()}
        return found | {"target Σ": summed}

    def ranked(self, run: ForwardCache, target: Target, sizes: dict[int, Sizes]) -> dict[str, dict[int, Chosen]]:
        """By method and size, the units with the highest scores of each layer."""
        scores = {
            "activation": {layer: run.activations[layer][0].abs().mean((1, 2)) for layer in self.layers},
            "weights": {layer: self.grey.gradient(target, layer)[0].sum((1, 2)) for layer in self.layers},
        }
        if self.captum is not None:
            from benchmarks.quality_captum import check_equal

            scores["captum G×A"] = self.captum.gradient(run, target)
            scores["captum IG"] = self.captum.integrated(run, target, self.plan.steps)
            for layer, found in scores["captum G×A"].items():
                check_equal(run.attributions(target, layer), found)
        return {name: {top: highest(found, counts) for top, counts in sizes.items()} for name, found in scores.items()}

    def random(self, name: str, sizes: dict[int, Sizes]) -> dict[int, list[Chosen]]:
        """By size, circuits of the photo's own draws, whatever other photos are measured."""
        source = np.random.default_rng([self.plan.seed, zlib.crc32(name.encode())])
        return {
            top: [drawn(self.widths, counts, source) for _ in range(self.plan.draws)] for top, counts in sizes.items()
        }

    def _scores(
        self, run: ForwardCache, target: Target, chosen: dict[str, dict[int, Chosen]], random: dict[int, list[Chosen]]
    ) -> dict[str, dict[str, dict[str, list[float | None]]]]:
        """By method, size and baseline: the logit of the whole, of nothing, of the circuit alone, and without it."""
        asked = [(name, top, [units]) for name, found in chosen.items() for top, units in found.items()]
        asked += [("random", top, draws) for top, draws in random.items()]
        scores: dict[str, dict[str, dict[str, list[float | None]]]] = {}
        for baseline in self.baselines:
            found = iter(score_units(run, target, [units for _, _, some in asked for units in some], baseline))
            for name, top, some in asked:
                score: Score = mean_score([next(found).value for _ in some])
                four = [score.whole, score.nothing, score.alone, score.without]
                scores.setdefault(name, {}).setdefault(str(top), {})[baseline.name] = four
        return scores


def shared(one: Chosen, other: Chosen) -> float:
    """Share of the units of one circuit that another of the same size has too."""
    same = sum(len({*one[layer]} & {*other[layer]}) for layer in one)
    return same / sum(map(len, one.values()))


def true_class(name: str) -> int | None:
    """The class number that a file's name begins with.

    Example:
        >>> true_class("284_Siamese_cat.jpg"), true_class("cat.jpg")
        (284, None)
    """
    found = re.match(r"(\d+)_", name)
    return int(found[1]) if found else None


def sample(folder: Path, count: int, seed: int) -> tuple[list[Path], list[Path]]:
    """Some photos of a folder, and the others; a larger sample with the same seed begins with the smaller one.

    Raises:
        ValueError: if the folder has no photo beyond the sample.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS)
    if len(files) <= count:
        raise ValueError(f"{folder} has {len(files)} photos; {count} are scored, and the means need others.")
    order = np.random.default_rng(seed).permutation(len(files))
    return [files[place] for place in order[:count]], [files[place] for place in order[count:]]


def measure(network: Network, photos: Path, count: int, plan: Plan, results: Path) -> Results:
    """Measure what is missing in a file of results."""
    scored, others = sample(photos, count, plan.seed)
    settings = {"network": network.name, "sha256": network.sha256, "photos": [path.name for path in scored]}
    kept = Results(results, settings | {"plan": vars(plan) | {"tops": list(plan.tops)}})
    missing = [path for path in scored if path.name not in kept.photos]
    if missing:
        measuring = Measuring(network, others, plan)
        for path in track(missing, network.name, console=Console(stderr=True)):
            kept.add(measuring.row(path))
    return kept


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; a name such as 284_cat.jpg tells the true class.")],
    squeezenet_weights: Annotated[Path | None, typer.Option(help="Weights of squeezenet1_1.")] = None,
    googlenet: Annotated[str | None, typer.Option(help="FILE.py:Factory of a GoogLeNet.")] = None,
    googlenet_weights: Annotated[Path | None, typer.Option(help="Its weights.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    figure: Annotated[Path | None, typer.Option(help="Draw the curves to this SVG file.")] = None,
    count: Annotated[int, typer.Option(help="Photos that are scored.")] = 100,
    tops: Annotated[str, typer.Option(help="Sizes of circuits: top k of mode sum.")] = "2,3,5,10,20",
    ig_up_to: Annotated[int, typer.Option(help="Largest top k of mode ig.")] = 5,
    captum_up_to: Annotated[int, typer.Option(help="Largest top k of a walk by captum.")] = 5,
    depth: int = 4,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Measure, and print the tables."""
    torch.set_num_threads(threads)
    plan = Plan(tuple(map(int, tops.split(","))), ig_up_to, captum_up_to, depth=depth, seed=seed)
    networks = []
    if googlenet is not None:
        networks.append(load_network(googlenet, weights=googlenet_weights))
    if squeezenet_weights is not None:
        networks.append(load_network("squeezenet1_1", weights=squeezenet_weights))
    found = [measure(network, photos, count, plan, results / f"{network.name}.jsonl") for network in networks]
    print_tables({network.name: kept.rows for network, kept in zip(networks, found, strict=True)}, plan.tops, seed)
    if figure is not None:
        from benchmarks.quality_figure import draw

        figure.write_text(
            draw({network.name: kept.rows for network, kept in zip(networks, found, strict=True)}, plan.tops)
        )


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
