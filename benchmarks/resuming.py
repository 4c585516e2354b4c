"""Measure the photos of a sample that are still missing in a file of results: what was stopped goes on where it was."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import track

from benchmarks.bench_quality import sample
from benchmarks.quality_results import Results, Row
from circuits import Network


class SeededPlan(Protocol):
    """What is measured, as the file of results says it."""

    @property
    def seed(self) -> int:
        """Of the sample."""

    def row(self) -> Row:
        """All of it."""


def resumed(
    network: Network,
    photos: Path,
    count: int,
    plan: SeededPlan,
    results: Path,
    begin: Callable[[Sequence[Path], Sequence[Path]], Callable[[Path], Row]],
    *,
    go_on: bool,
    settings: Mapping[str, Any] | None = None,
    called: str = "",
) -> Results:
    """Measure what is missing in a file of results, unless only what there is is asked for.

    Args:
        network: the network.
        photos: folder that the sample is drawn from.
        count: photos of the sample.
        plan: what is measured.
        results: the file.
        begin: gives, for the photos of the sample and the others, what measures one of them.
        go_on: measure what is missing.
        settings: what else the results depend on.
        called: name of the progress; the network's, if "".
    """
    scored, others = sample(photos, count, plan.seed)
    known = {"network": network.name, "sha256": network.sha256, "photos": [path.name for path in scored]}
    kept = Results(results, known | {"plan": plan.row(), **(settings or {})})
    missing = [path for path in scored if path.name not in kept.photos] if go_on else []
    if missing:
        measure = begin(scored, others)
        for path in track(missing, called or network.name, console=Console(stderr=True)):
            kept.add(measure(path))
    return kept
