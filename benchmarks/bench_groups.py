"""How much of a class do circuits of groups hold, and do any other directions hold as much? On photos.

1. A seeded sample of a folder's photos is scored, whether or not the network is right about them; the target is the
   predicted class. Means for mean ablation are taken over the folder's other photos.
2. For each photo circuits of channels and of groups are found (`groups_measuring`), with controls beside them.
3. All are scored by `score_units`: logit, probability and first class with the circuit alone, and without it.

| method | circuit |
|---|---|
| walk k | channels, `trace` in mode `sum` with the top k below each |
| target Σ k | channels, as many in each layer: the largest sums of edges of mode `target` to those kept above |
| G×A k | channels, as many in each layer: the largest gradient × activation of the class |
| budget k | channels, `trace(units=N)` with as many in all |
| G×A, sizes of budget k | channels, as many in each layer as that: the largest gradient × activation |
| groups K × d | all K groups of each of the d layers below the class, `trace(groups=K, depth=d)` |
| groups 8 × 4, best N | the best N of them, `trace(groups=8, units=N)` |
| groups of the class 8 × d | all groups of `fit_groups` on the photos of the class in `--classes` |

Controls, 8 directions in each layer: fitted to *another photo* of the sample, *permuted* channels, eight *random
channels*, the first eight components of a *PCA* (of both signs), *not weighted* by the target, and weighted for
*another class* (the second, the twentieth), of which that class's own logit is read.

Run it with `python -m benchmarks.bench_groups PHOTOS --squeezenet-weights FILE`. It can be stopped and goes on where it
was; `--tables` only prints what there is.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import platformdirs
import torch
import typer

from benchmarks.groups_measuring import Measuring, Plan
from benchmarks.groups_tables import print_class_table, print_tables
from benchmarks.quality_results import Results, Row
from benchmarks.resuming import resumed
from circuits import Network, load_network

RESULTS = platformdirs.user_cache_path("circuits") / "groups"


def measure(network: Network, photos: Path, count: int, plan: Plan, results: Path, *, go_on: bool = True) -> Results:
    """Measure what is missing in a file of results, unless only what there is is asked for."""
    return resumed(
        network, photos, count, plan, results,
        lambda scored, others: Measuring(network, scored, others, plan).row, go_on=go_on,
    )  # fmt: skip


def measure_classes(
    network: Network, photos: Path, classes: Path, count: int, plan: Plan, results: Path, *, go_on: bool = True
) -> Results:
    """Measure groups of the class for what is missing of those photos whose class has a folder of its name."""
    labels = sorted(path.name for path in classes.iterdir())

    def begin(scored: Sequence[Path], others: Sequence[Path]) -> Callable[[Path], Row]:
        measuring = Measuring(network, scored, others, plan)
        return lambda path: measuring.class_row(path, classes)

    return resumed(
        network, photos, count, plan, results, begin,
        go_on=go_on, settings={"classes": labels}, called=f"{network.name}, classes",
    )  # fmt: skip


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; a name such as 284_cat.jpg tells the true class.")],
    builtin: Annotated[bool, typer.Option(help="The built-in network too.")] = True,
    squeezenet_weights: Annotated[Path | None, typer.Option(help="Weights of squeezenet1_1.")] = None,
    googlenet: Annotated[str | None, typer.Option(help="FILE.py:Factory of a GoogLeNet.")] = None,
    googlenet_weights: Annotated[Path | None, typer.Option(help="Its weights.")] = None,
    classes: Annotated[
        Path | None, typer.Option(help="Folder with a folder of photos for each class, by label.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    count: Annotated[int, typer.Option(help="Photos that are scored.")] = 100,
    tables: Annotated[bool, typer.Option(help="Only print the tables of what was measured.")] = False,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Measure, and print the tables."""
    torch.set_num_threads(threads)
    plan = Plan(seed=seed)
    networks = []
    if googlenet is not None:
        networks.append(load_network(googlenet, weights=googlenet_weights))
    if squeezenet_weights is not None:
        networks.append(load_network("squeezenet1_1", weights=squeezenet_weights))
    if builtin:
        networks.append(load_network())
    for network in networks:
        kept = measure(network, photos, count, plan, results / f"{network.name}.jsonl", go_on=not tables)
        print_tables(network.name, kept.rows, plan)
        if classes is not None:
            path = results / f"{network.name} classes.jsonl"
            found = measure_classes(network, photos, classes, count, plan, path, go_on=not tables)
            print_class_table(network.name, found.rows, plan)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
