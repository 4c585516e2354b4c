"""What was measured, kept on disk a photo at a time, and its summary: means over photos with bootstrap intervals.

A file of results has one JSON object a line: first the settings, then a photo each. A run that was stopped goes on
after the last whole line; a file with other settings is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.evaluation.scores import Score
from circuits.evaluation.statistics import area, distance

RESAMPLES = 2000

Row = dict[str, Any]


class Results:
    """A file of results.

    Args:
        path: of the file; made if there is none.
        settings: what the results depend on.

    Raises:
        ValueError: if the file holds results of other settings.
    """

    def __init__(self, path: Path, settings: Row) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        lines = [json.loads(line) for line in text.rpartition("\n")[0].splitlines()] or [settings]
        if lines[0] != json.loads(json.dumps(settings)):
            differ = sorted(key for key in {*lines[0], *settings} if lines[0].get(key) != settings.get(key))
            raise ValueError(f"{path} holds results of other settings ({', '.join(differ)}); give another --results.")
        self.rows: list[Row] = lines[1:]
        if not text.endswith("\n"):
            # A line that was being written when a run was stopped is measured again.
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    @property
    def photos(self) -> set[str]:
        """Names of the photos that are done."""
        return {row["photo"] for row in self.rows}

    def add(self, row: Row) -> None:
        """Keep a photo's row."""
        line = json.dumps(row)
        with self.path.open("a") as file:
            file.write(line + "\n")
        self.rows.append(json.loads(line))


@dataclass(frozen=True)
class Mean:
    """A mean over photos, with the interval that holds 95 % of the means of photos drawn again with replacement."""

    value: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def mean_over(values: Sequence[float], seed: int) -> Mean:
    """The mean of some photos' values, and its percentile bootstrap interval (Efron 1979).

    Differences of two methods on the same photos are drawn together: give one difference a photo.
    """
    found = np.array(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(found), (RESAMPLES, len(found)))
    low, high = np.percentile(found[drawn].mean(1), [2.5, 97.5])
    return Mean(float(found.mean()), float(low), float(high))


@dataclass(frozen=True)
class Curves:
    """Some methods' curves over photos, with one way to ablate.

    Args:
        tops: the sizes, as the top k of the circuit that they are the sizes of.
        shares: share of the units of the ablated layers that a circuit has, (photos, sizes).
        faithfulness: by method, (photos, sizes).
        completeness: by method, (photos, sizes).
        left_out: photos on which a ratio is not defined.
    """

    tops: tuple[int, ...]
    shares: NDArray[np.float64]
    faithfulness: Mapping[str, NDArray[np.float64]]
    completeness: Mapping[str, NDArray[np.float64]]
    left_out: int

    def areas(self, method: str, what: str) -> list[float]:
        """Of each photo the mean height of a curve over the logarithm of the size.

        Args:
            method: the method.
            what: `faithfulness`, `completeness`, or `distance`, that of the faithfulness from 1.
        """
        rows = self.completeness[method] if what == "completeness" else self.faithfulness[method]
        take = distance if what == "distance" else area
        found = [take(shares.tolist(), heights.tolist()) for shares, heights in zip(self.shares, rows, strict=True)]
        return [float("nan") if value is None else value for value in found]


def curves(rows: Sequence[Row], baseline: str, tops: Sequence[int]) -> Curves:
    """The curves of all methods that have all of some sizes.

    Args:
        rows: photos.
        baseline: `zero` or `mean`.
        tops: the sizes.
    """
    names = [str(top) for top in tops]
    methods = [name for name, found in rows[0]["scores"].items() if set(names) <= set(found)]
    faithfulness: dict[str, list[list[float | None]]] = {method: [] for method in methods}
    completeness: dict[str, list[list[float | None]]] = {method: [] for method in methods}
    for row in rows:
        for method in methods:
            scores = [Score(*row["scores"][method][top][baseline]) for top in names]
            faithfulness[method].append([score.faithfulness for score in scores])
            completeness[method].append([score.completeness for score in scores])
    defined = np.array([all(value is not None for value in some) for some in faithfulness[methods[0]]], dtype=bool)
    shares = np.array([[sum(row["sizes"][top].values()) / row["units"] for top in names] for row in rows])
    return Curves(
        tuple(tops),
        shares[defined],
        {method: np.array(some, dtype=np.float64)[defined] for method, some in faithfulness.items()},
        {method: np.array(some, dtype=np.float64)[defined] for method, some in completeness.items()},
        int((~defined).sum()),
    )
