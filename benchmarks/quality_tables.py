"""The tables of `bench_quality`: means over photos with 95 % intervals, and paired differences to `sum`."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality_results import Curves, Mean, Row, curves, mean_over

ORDER = ("sum", "target", "target Σ", "ig", "captum G×A", "captum IG", "activation", "weights", "shuffled", "random")


def print_tables(rows: Mapping[str, Sequence[Row]], tops: Sequence[int], seed: int) -> None:
    """Print everything, by network and baseline."""
    console = Console(width=150)
    for network, photos in rows.items():
        console.print(summary(network, photos, tops), highlight=False)
        for baseline in ("zero", "mean"):
            found = curves(photos, baseline, tops)
            console.print(curve_table(network, baseline, found, seed))
            small = [top for top in tops if str(top) in photos[0]["scores"]["ig"]]
            if 1 < len(small) < len(tops):
                console.print(curve_table(network, baseline, curves(photos, baseline, small), seed))
            console.print(difference_table(network, baseline, photos, tops, seed))


def summary(network: str, photos: Sequence[Row], tops: Sequence[int]) -> str:
    """What was measured, in sentences."""
    known = [row for row in photos if row["true"] is not None]
    right = sum(row["class"] == row["true"] for row in known)
    lines = [f"{network}: {len(photos)} photos, of {len(known)} the true class is known, {right} predicted right."]
    for top in tops:
        counts = [list(row["sizes"][str(top)].values()) for row in photos]
        layers = ", ".join(f"{mean:.0f}" for mean in np.mean(counts, 0))
        share = np.mean([sum(some) / row["units"] for some, row in zip(counts, photos, strict=True)])
        line = f"top {top}: {layers} units a layer, {100 * share:.1f} % of all"
        walked = [row["captum walk"][str(top)] for row in photos if str(top) in row.get("captum walk", {})]
        if walked:
            line += f"; walked by captum the same units on {sum(part == 1 for part in walked)} of {len(walked)} photos"
        lines.append(f"  {line}")
    for method in ORDER[1:]:
        found = [row["shared"][method] for row in photos if method in row["shared"]]
        if found:
            parts = [
                f"{top}: {100 * np.mean([some[str(top)] for some in found]):.0f} %"
                for top in tops
                if str(top) in found[0]
            ]
            lines.append(f"  {method} shares with sum, by top: {', '.join(parts)}")
    return "\n".join(lines)


def curve_table(network: str, baseline: str, found: Curves, seed: int) -> Table:
    """Faithfulness at each size, and areas."""
    photos = len(found.shares)
    table = Table(title=f"{network}, {baseline} ablation, {photos} photos ({found.left_out} without a defined ratio)")
    names = (*(f"F, top {top}" for top in found.tops), "area", "95 %", "− sum", "95 %", "|1−F|", "without")
    for name in ("method", *names):
        table.add_column(name, justify="left" if name == "method" else "right")
    ours = found.areas("sum", "faithfulness")
    for method in sorted(found.faithfulness, key=ORDER.index):
        areas = found.areas(method, "faithfulness")
        mean = mean_over(areas, seed)
        difference = mean_over((np.array(areas) - ours).tolist(), seed)
        cells = [f"{value:.3f}" for value in found.faithfulness[method].mean(0)]
        cells += [f"{mean.value:.3f}", _interval(mean), f"{difference.value:+.3f}", _interval(difference)]
        cells += [f"{np.mean(found.areas(method, what)):.3f}" for what in ("distance", "completeness")]
        table.add_row(method, *cells)
    return table


def difference_table(network: str, baseline: str, photos: Sequence[Row], tops: Sequence[int], seed: int) -> Table:
    """Paired differences of faithfulness and completeness to `sum` at each size; a star where 0 is outside of 95 %."""
    table = Table(title=f"{network}, {baseline} ablation: method − sum, paired; * where the 95 % interval leaves out 0")
    table.add_column("method")
    for what in ("F", "without"):
        for top in tops:
            table.add_column(f"{what}, top {top}", justify="right")
    at = {top: curves(photos, baseline, [top]) for top in tops}
    for method in ORDER[1:]:
        cells = []
        for what in ("faithfulness", "completeness"):
            for found in at.values():
                rows = getattr(found, what)
                if method not in rows:
                    cells.append("–")
                    continue
                mean = mean_over((rows[method] - rows["sum"])[:, 0].tolist(), seed)
                cells.append(f"{mean.value:+.3f}{'*' if mean.is_sure else ''}")
        if set(cells) != {"–"}:
            table.add_row(method, *cells)
    return table


def _interval(mean: Mean) -> str:
    return f"{mean.low:.3f} … {mean.high:.3f}"
