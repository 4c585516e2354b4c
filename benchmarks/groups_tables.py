"""The tables of `bench_groups`: medians over photos of what circuits keep, controls, stability, agreement, time."""

from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.groups_measuring import Plan
from benchmarks.quality_results import Row, mean_over
from circuits.evaluation.statistics import area, distance

CHANNELS = ("walk", "target Σ", "G×A", "budget", "G×A, sizes of budget")
CONTROLS = ("another photo", "permuted", "random channels", "PCA", "not weighted")
VALUE, PROBABILITY, FIRST = range(3)
WHOLE, NOTHING, ALONE, WITHOUT = range(4)


def print_tables(network: str, rows: Sequence[Row], plan: Plan) -> None:
    """Print everything about one network; nothing, if no photo is done."""
    if not rows:
        return
    console = Console(width=150)
    console.print(f"{network}: {len(rows)} photos", highlight=False)
    controls = [f"{name} {plan.groups[0]} × {depth}" for depth in plan.depths for name in CONTROLS]
    console.print(kept_table(f"{network}: controls", rows, controls))
    console.print(class_table(network, rows))
    groups = [f"groups {count} × {depth}" for count in sorted(plan.groups) for depth in plan.depths]
    groups += [f"groups {plan.groups[0]} × {plan.depths[-1]}, best {count}" for count in plan.best]
    console.print(kept_table(f"{network}: groups", rows, groups))
    channels = [f"{method} {top}" for top in plan.tops for method in CHANNELS]
    console.print(kept_table(f"{network}: channels, {plan.depths[-1]} layers", rows, channels))
    console.print(area_table(network, rows, plan))
    console.print(layer_table(network, rows))
    seconds = [row["seconds"] for row in rows]
    console.print(
        f"A trace with groups takes {np.median(seconds):.2f} s of processor time, {max(seconds):.2f} at most."
    )


def print_class_table(network: str, rows: Sequence[Row], plan: Plan) -> None:
    """Print what groups of the class hold, of the photos whose class has a folder."""
    scored = [row for row in rows if row["scores"]]
    if scored:
        names = [
            f"{name} {plan.groups[0]} × {depth}" for depth in plan.depths for name in ("groups", "groups of the class")
        ]
        Console(width=150).print(kept_table(f"{network}: {len(scored)} photos", scored, names))


def ratios(rows: Sequence[Row], name: str, baseline: str, metric: int, condition: int = ALONE) -> list[float]:
    """What a circuit keeps of a metric, alone or without it, over the photo as it is; photo by photo."""
    found = [row["scores"][name][baseline][metric] for row in rows]
    return [four[condition] / four[WHOLE] for four in found if four[WHOLE] > 0]


def faithful(rows: Sequence[Row], name: str, baseline: str) -> list[float]:
    """(alone − nothing) / (whole − nothing) of the logit, as in `bench_quality`."""
    found = [row["scores"][name][baseline][VALUE] for row in rows]
    return [(four[ALONE] - four[NOTHING]) / (four[WHOLE] - four[NOTHING]) for four in found]


def kept_table(title: str, rows: Sequence[Row], names: Sequence[str]) -> Table:
    """What circuits keep, a row each."""
    table = Table("circuit", title=title)
    columns = ("nodes", "logit", "10 … 90 %", "from 1", "probability", "first", "without", "mean: logit", "first")
    for column in columns:
        table.add_column(column, justify="right")
    for name in names:
        logits = ratios(rows, name, "zero", VALUE)
        low, high = np.percentile(logits, [10, 90])
        cells = [f"{np.median([row['scores'][name]['nodes'] for row in rows]):.0f}", f"{np.median(logits):.2f}"]
        cells += [f"{low:.2f} … {high:.2f}", f"{np.mean(np.abs(1 - np.array(logits))):.2f}"]
        cells += [f"{np.median(ratios(rows, name, 'zero', PROBABILITY)):.2f}", _first(rows, name, "zero")]
        cells += [f"{np.median(ratios(rows, name, 'zero', VALUE, WITHOUT)):.2f}"]
        if "mean" in rows[0]["scores"][name]:
            cells += [f"{np.median(ratios(rows, name, 'mean', VALUE)):.2f}", _first(rows, name, "mean")]
        table.add_row(name, *cells)
    return table


def _first(rows: Sequence[Row], name: str, baseline: str) -> str:
    return f"{sum(row['scores'][name][baseline][FIRST][ALONE] for row in rows):.0f} of {len(rows)}"


def class_table(network: str, rows: Sequence[Row]) -> Table:
    """Groups weighted for another class: its own logit, and on how many photos it rose or became the first."""
    table = Table(
        "rank", "logit", "in its groups", "rose", "rose by 5 %", "became first", title=f"{network}: another class"
    )
    for rank in rows[0]["another class"]:
        found = [row["another class"][rank]["zero"] for row in rows]
        whole, alone = (np.array([each[VALUE][place] for each in found]) for place in (WHOLE, ALONE))
        first = sum(each[FIRST][ALONE] for each in found)
        cells = [f"{np.median(whole):.1f}", f"{np.median(alone):.1f}", f"{(alone > whole).sum()}"]
        cells += [f"{(alone > whole + 0.05 * abs(whole)).sum()}", f"{first:.0f} of {len(rows)}"]
        table.add_row(str(int(rank) + 1), *cells)
    return table


def area_table(network: str, rows: Sequence[Row], plan: Plan) -> Table:
    """Of each way to choose channels the area below its curve over the logarithm of the size, as in `bench_quality`."""
    table = Table("method", title=f"{network}: areas, zero ablation")
    for column in ("area", "95 %", "− target Σ", "95 %", "from 1"):
        table.add_column(column, justify="right")
    ours = np.array(_areas(rows, plan, "target Σ", area))
    for method in CHANNELS[:4]:
        areas = _areas(rows, plan, method, area)
        mean, more = mean_over(areas, plan.seed), mean_over((np.array(areas) - ours).tolist(), plan.seed)
        away = np.mean(_areas(rows, plan, method, distance))
        cells = [f"{mean.value:.3f}", f"{mean.low:.3f} … {mean.high:.3f}"]
        table.add_row(method, *cells, f"{more.value:+.3f}", f"{more.low:.3f} … {more.high:.3f}", f"{away:.3f}")
    return table


def _areas(
    rows: Sequence[Row], plan: Plan, method: str, take: Callable[[list[float], list[float | None]], float | None]
) -> list[float]:
    found = []
    for row in rows:
        sizes = [float(row["scores"][f"walk {top}"]["nodes"]) for top in plan.tops]
        heights: list[float | None] = [faithful([row], f"{method} {top}", "zero")[0] for top in plan.tops]
        found.append(take(sizes, heights) or 0.0)
    return found


def layer_table(network: str, rows: Sequence[Row]) -> Table:
    """By layer: cosines of matched directions after a change of the photo, and shares against ablation; medians."""
    changes = list(max((row["stability"] for row in rows), key=len))
    table = Table("layer", *changes, "rank correlation", "error", title=f"{network}: stability, and agreement")
    for layer in rows[0]["ablation"]:
        of = {change: [row["stability"].get(change, {}) for row in rows] for change in changes}
        cells = [f"{np.median([each[layer] for each in some if layer in each]):.2f}" for some in of.values()]
        known = [row["ablation"][layer] for row in rows if row["ablation"].get(layer, [None])[0] is not None]
        table.add_row(layer, *cells, *(f"{np.median([each[place] for each in known]):.2f}" for place in (0, 1)))
    return table
