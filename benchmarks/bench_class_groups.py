"""What do groups of a class hold on photos that they were not fitted to? On a folder of photos for each class.

1. The classes come in an order drawn with a seed, so that those that are done are a sample. Of each some photos, drawn
   likewise, are what eight groups of each layer are fitted to (`fit_groups`), whatever the network says of them.
2. Scored are some of its other photos, those that the network says show the class: its logit, probability, and whether
   it is first, with the circuit alone, as in `bench_groups`.

| directions | fitted to |
|---|---|
| of the photo | the photo itself |
| of the class | the fitted photos of its class |
| of another class | those of the next class, for that class |

Run it with `python -m benchmarks.bench_class_groups CLASSES --squeezenet-weights FILE`. It can be stopped and goes on
where it was, a class at a time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import platformdirs
import torch
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.bench_quality import PHOTOS
from benchmarks.groups_measuring import Dictionaries, Measuring, Plan, asked_all
from benchmarks.groups_tables import kept_table
from benchmarks.quality_results import Results, Row
from circuits import Network, load_network, load_photo
from circuits.tracing.class_groups import fit_groups

RESULTS = platformdirs.user_cache_path("circuits") / "class groups"
DIRECTIONS = ("of the photo", "of the class", "of another class")


def split(folder: Path, fitted: int, seed: int) -> tuple[list[Path], list[Path]]:
    """The photos of a class to fit to, and its others, in an order drawn with a seed."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS)
    files = [files[place] for place in np.random.default_rng(seed).permutation(len(files))]
    return files[:fitted], files[fitted:]


def recognized(network: Network, paths: Sequence[Path], channel: int, most: int) -> list[Path]:
    """The first of some photos of which the network says that they show a class."""
    found: list[Path] = []
    for path in paths:
        if len(found) < most:
            logits = network.logits(network.preprocessing.input_of(load_photo(path)))[0]
            found += [path] if int(logits.argmax()) == channel else []
    return found


class HeldOut:
    """Groups of the classes of a folder, and what they hold of photos that they were not fitted to.

    Args:
        network: the network; its layers form a chain.
        classes: a folder of photos for each class, named after it.
        fitted: photos of a class to fit to.
        plan: groups, depths, and seed.
    """

    def __init__(self, network: Network, classes: Path, fitted: int, plan: Plan) -> None:
        self.network, self.plan = network, plan
        folders = sorted(path for path in classes.iterdir() if path.is_dir())
        order = np.random.default_rng(plan.seed).permutation(len(folders))
        self.folders = [folders[place] for place in order]
        self.split = {folder: split(folder, fitted, plan.seed) for folder in self.folders}
        others = [paths[0] for paths, _ in self.split.values()]
        self.measuring = Measuring(network, [], others, plan)
        self._groups: dict[Path, Dictionaries] = {}

    def groups(self, folder: Path) -> Dictionaries:
        """The groups of a class."""
        if folder not in self._groups:
            channel, layers = self.network.find_class(folder.name), self.measuring.layers
            self._groups[folder] = fit_groups(
                self.network, self.split[folder][0], channel, groups=self.plan.groups[0], depth=len(layers)
            )
        return self._groups[folder]

    def rows(self, folder: Path, held_out: int) -> list[Row]:
        """The scores of some photos of a class."""
        channel = self.network.find_class(folder.name)
        following = self.folders[(self.folders.index(folder) + 1) % len(self.folders)]
        rows = []
        for path in recognized(self.network, self.split[folder][1], channel, held_out):
            run, target, own, _ = self.measuring._started(path)
            fitted: Mapping[str, Dictionaries] = dict(
                zip(DIRECTIONS, (own, self.groups(folder), self.groups(following)), strict=True)
            )
            asked = [
                asked_all(f"{name} × {depth}", dictionaries, self.measuring.layers[:depth])
                for depth in self.plan.depths
                for name, dictionaries in fitted.items()
            ]
            scores = self.measuring.score(run, target, asked, [self.measuring.zero])
            rows.append({"photo": path.name, "class": folder.name, "scores": scores})
        return rows


def measure(network: Network, classes: Path, fitted: int, held_out: int, plan: Plan, results: Path) -> Results:
    """Measure what is missing in a file of results, which has a line for each class."""
    measuring = HeldOut(network, classes, fitted, plan)
    names = [folder.name for folder in measuring.folders]
    settings = {"network": network.name, "sha256": network.sha256, "classes": names, "plan": plan.row()}
    kept = Results(results, settings | {"fitted": fitted, "held out": held_out})
    missing = [folder for folder in measuring.folders if folder.name not in kept.photos]
    for folder in track(missing, network.name, console=Console(stderr=True)):
        kept.add({"photo": folder.name, "rows": measuring.rows(folder, held_out)})
    return kept


def print_kept(network: str, kept: Results, plan: Plan) -> None:
    """Print what the directions hold, over all photos that were scored."""
    rows = [row for each in kept.rows for row in each["rows"]]
    if rows:
        names = [f"{name} × {depth}" for depth in plan.depths for name in DIRECTIONS]
        told = f"{network}: {len(rows)} photos of {len({row['class'] for row in rows})} classes"
        Console(width=150).print(kept_table(told, rows, names))


def main(
    classes: Annotated[Path, typer.Argument(help="Folder with a folder of photos for each class, by label.")],
    squeezenet_weights: Annotated[Path | None, typer.Option(help="Weights of squeezenet1_1.")] = None,
    googlenet: Annotated[str | None, typer.Option(help="FILE.py:Factory of a GoogLeNet.")] = None,
    googlenet_weights: Annotated[Path | None, typer.Option(help="Its weights.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Its labels, where it brings none.")] = None,
    builtin: Annotated[bool, typer.Option(help="The built-in network too.")] = False,
    fitted: Annotated[int, typer.Option(help="Photos of a class that groups are fitted to.")] = 30,
    held_out: Annotated[int, typer.Option(help="Other photos of it that are scored, at most.")] = 3,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Measure, and print the tables."""
    torch.set_num_threads(threads)
    plan = Plan(groups=(8,), seed=seed)
    networks = [load_network()] if builtin else []
    if googlenet is not None:
        networks.append(load_network(googlenet, weights=googlenet_weights, labels=labels))
    if squeezenet_weights is not None:
        networks.append(load_network("squeezenet1_1", weights=squeezenet_weights))
    for network in networks:
        kept = measure(network, classes, fitted, held_out, plan, results / f"{network.name}.jsonl")
        print_kept(network.name, kept, plan)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
