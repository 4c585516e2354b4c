"""Vision transformers: do shares predict ablation, and do circuits of neurons and groups hold the answer? On photos.

1. A seeded sample of a folder's photos is scored; the target is the class that the network says. Means are taken over
   the folder's other photos.
2. *Neurons* are the hidden units of the MLPs in all layers together, chosen by their shares of the target: direct
   (`sum`, live or `frozen`) or along all paths, from zero or from the mean. On the first photos shares are compared
   with ablation, one unit at a time.
3. *Neurons' groups* are groups in each of these layers. *Groups K × B* are K groups of the patches in the residual
   stream after each of the last B blocks, with the direction of the mean (`groups.fit`); the class token is never
   touched, but computed from what is kept.
4. What is not kept is set to its mean, and what is kept passes as it arrives (`evaluation.scores`). The *range* is what
   the target loses with everything at the mean. *Kept* is the share of it with the units alone, *lost* without them,
   both pooled over the photos, with intervals (photos drawn anew).

Controls, in the same layers of the residual stream: groups of *another photo*; directions with their channels
*shuffled*; *principal components* of both signs; *groups of the class*, fitted to other photos. And what a direction
that was fitted to a single token says: *the class token's own direction*, with all patches at the mean.

Run it with `python -m benchmarks.bench_tokens NETWORK PHOTOS --weights FILE`. It can be stopped and goes on where it
was; `--tables` only prints what there is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import platformdirs
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.quality_results import Results, Row
from benchmarks.resuming import resumed
from benchmarks.tokens_measuring import Measuring, Plan
from circuits import Network, load_network
from circuits.evaluation.estimates import draws, estimate

RESULTS = platformdirs.user_cache_path("circuits") / "tokens"
DRAWS = 4000
WHOLE, NOTHING, ALONE, WITHOUT, UNITS = range(5)


def measure(network: Network, photos: Path, count: int, plan: Plan, results: Path, *, go_on: bool = True) -> Results:
    """Measure what is missing in a file of results, unless only what there is is asked for."""
    return resumed(
        network, photos, count, plan, results,
        lambda scored, others: Measuring(network, scored, others, plan).row, go_on=go_on,
    )  # fmt: skip


def share(rows: Sequence[Row], name: str, condition: int, seed: int = 0) -> str:
    """What a circuit keeps alone, or loses when it is ablated, as a share of the range, with its interval."""
    found = np.array([row["scores"][name] for row in rows], dtype=np.float64)
    whole, nothing = found[:, WHOLE], found[:, NOTHING]
    part = found[:, ALONE] - nothing if condition == ALONE else whole - found[:, WITHOUT]
    over = estimate(part, whole, nothing, draws(len(rows), seed, DRAWS))
    if over.value is None:
        return "not defined"
    return f"{over.value:.2f}" + ("" if over.low is None else f" ({over.low:.2f} to {over.high:.2f})")


def print_tables(rows: Sequence[Row], plan: Plan) -> None:
    """Print everything; nothing, if no photo is done."""
    if not rows:
        return
    console = Console(width=150)
    first = np.array([next(iter(row["scores"].values())) for row in rows])
    ranges = sorted(first[:, WHOLE] - first[:, NOTHING])
    console.print(
        f"{len(rows)} photos; {rows[0]['units']} units in {rows[0]['layers']} layers; range {np.mean(ranges):.1f} on "
        f"average, {', '.join(f'{each:.1f}' for each in ranges)}; half of the gross attribution takes "
        f"{np.median([row['half']['sum'] for row in rows]):.0f} units in the median; rank correlation of direct shares "
        f"and those along all paths {np.median([row['direct and all paths'] for row in rows]):.2f}.",
        highlight=False,
    )
    console.print(rank_table(rows))
    names = list(rows[0]["scores"])
    chosen = [name for name in names if name.rpartition(" ")[2] in map(str, plan.sizes) and "×" not in name]
    neurons = [name for name in chosen if not name.startswith("neurons")]
    console.print(kept_table("neurons", rows, neurons))
    console.print(kept_table("groups of neurons", rows, [name for name in names if name.startswith("neurons")]))
    for blocks in plan.blocks:
        of_stream = [name for name in names if name.endswith(f" × {blocks}")]
        console.print(kept_table(f"residual stream, the last {blocks} blocks", rows, of_stream))


def kept_table(title: str, rows: Sequence[Row], names: Sequence[str]) -> Table:
    """What circuits keep and lose, a row each, and on how many photos they keep 80 to 125 % of the range."""
    table = Table("circuit", "units", "kept", "lost", "80 to 125 % kept", title=title)
    for name in names:
        found = np.array([row["scores"][name] for row in rows], dtype=np.float64)
        alone = (found[:, ALONE] - found[:, NOTHING]) / (found[:, WHOLE] - found[:, NOTHING])
        held = f"{((alone >= 0.8) & (alone <= 1.25)).sum()} of {len(rows)}"
        table.add_row(
            name, f"{np.median(found[:, UNITS]):.0f}", share(rows, name, ALONE), share(rows, name, WITHOUT), held
        )
    return table


def rank_table(rows: Sequence[Row]) -> Table:
    """Rank correlations with ablation: the median over photos, and the lowest and highest."""
    table = Table("share", "set to zero", "set to the mean", title="rank correlation with ablation, one unit at a time")
    found = [row["ranks"] for row in rows if "ranks" in row]
    for way in found[0]["zero"] if found else ():
        columns = [[each[baseline][way] for each in found] for baseline in ("zero", "mean")]
        table.add_row(way, *(f"{np.median(some):.2f} ({min(some):.2f} to {max(some):.2f})" for some in columns))
    return table


def main(
    network: Annotated[str, typer.Argument(help="The network, such as FILE.py:Factory.")],
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    weights: Annotated[Path | None, typer.Option(help="Its weights.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    count: Annotated[int, typer.Option(help="Photos that are scored.")] = 15,
    tables: Annotated[bool, typer.Option(help="Only print the tables of what was measured.")] = False,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Measure, and print the tables."""
    torch.set_num_threads(threads)
    plan, loaded = Plan(seed=seed), load_network(network, weights=weights)
    kept = measure(loaded, photos, count, plan, results / f"{loaded.name}.jsonl", go_on=not tables)
    print_tables(kept.rows, plan)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
