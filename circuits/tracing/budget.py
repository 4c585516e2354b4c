"""Spend a number of units over a whole circuit: best first, by what they do for the target along shown edges.

1. Expand the target in mode `target`, whose edges are in units of the target. Every unit below is a candidate.
2. Keep the candidate with the largest sum of edges to the units kept above it, and expand it: what it is made of is
   added to the sums of the candidates below.
3. Stop at the number of units. Where the kept units of a level hold the share asked for, Σ edges / T, that level takes
   no more; where every level does, or nothing is left but rounding (10⁻⁶ of the target's gross attribution), stop
   before the number.

Between kept units every edge is shown, also one that argues against its upper unit, for it counted in the sum. A
residual is always shown, counts to no number, and is not expanded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.errors import InputError
from circuits.network.device import in_doubles
from circuits.tracing.facts import as_int
from circuits.tracing.groups import address_at
from circuits.tracing.layers_below import Shares
from circuits.tracing.levels import levels_below
from circuits.tracing.node import index_of
from circuits.tracing.search import CircuitBuilder
from circuits.units import Address, Progress

LARGEST_BUDGET = 2000
"""Units that are searched for, where only a share is asked for."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Budget:
    """How many units a circuit may have, and the share of the target at which a level is enough.

    Args:
        units: at most so many below the target.
        share: of the target's value, above 0; 1 is all of it.

    Raises:
        InputError: if a number is out of its range.
    """

    units: int = LARGEST_BUDGET
    share: float | int = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.units, bool) or not isinstance(self.units, int) or not 1 <= self.units <= LARGEST_BUDGET:
            raise InputError(f"units is {self.units!r}; give a whole number from 1 to {LARGEST_BUDGET}.")
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0 < self.share <= 1:
            raise InputError(f"share is {self.share!r}; give the part of the target to reach, above 0 and up to 1.")


def budget_of(units: Any, share: Any, top: Any, mode: str | None) -> Budget | None:
    """What a circuit may spend, if `trace` is asked to."""
    if units is None and share is None:
        return None
    if top is not None:
        raise InputError("top and units (or share) are two ways to say how many units to show; give one of them.")
    if mode not in (None, "target"):
        raise InputError(
            f"mode is {mode!r}; units and share go by what a unit does for the target, which is mode 'target': leave "
            "mode out."
        )
    asked = {"units": as_int(units), "share": share}
    return Budget(**{key: value for key, value in asked.items() if value is not None})


def spend(builder: CircuitBuilder, budget: Budget, depth: int, signs: str, progress: Progress | None = None) -> None:
    """Grow a circuit below its target within a budget; the builder's mode is `target`.

    Raises:
        InputError: if the target's value is not above zero, and what argues against it is not to be shown.
    """
    report = progress or (lambda done, known, message: None)
    root = builder.target.id
    value = float(builder.graph.nodes[root]["value"])
    if value <= 0 and (signs == "positive" or not value):
        raise InputError(
            f"The value of {builder.target.label} is {value:.4g} here, and units are spent on what makes a value "
            "large; choose a target that is above zero, show both signs, or give top instead."
        )
    search = _Frontier(builder, depth, signs)
    search.expand(root)
    count = 0
    while count < budget.units and (unit := search.best(budget.share * value)) is not None:
        report(count, budget.units, f"Expanding {unit}")
        search.keep(unit)
        count += 1
    search.connect()
    report(count, count, "Traced")


class _Frontier:
    """The candidates of every level below the target, and what is kept of them."""

    def __init__(self, builder: CircuitBuilder, depth: int, signs: str) -> None:
        self._builder, self._depth, self._signs = builder, depth, signs
        self._levels = levels_below(builder.network, builder.target.unit.layer, depth)
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._kept: dict[str, list[int]] = {layer: [] for layer in self._levels}
        self._shares: dict[str, Shares] = {}
        self._nothing: float | None = None

    def expand(self, name: str) -> None:
        """Add what a kept unit is made of to the sums of the candidates below it."""
        self._shares[name] = shares = next(self._builder.shares([name]))
        scores, start = in_doubles(shares.scores).numpy(), 0
        if self._nothing is None:  # of the target: what a candidate adds that is less is rounding
            self._nothing = _ROUNDING * float(np.abs(scores).sum())
        for layer, packed in shares.lower.layers.items():
            if layer in self._levels:
                own = scores[start : start + packed.units]
                self._sums[layer] = self._sums.get(layer, np.zeros(packed.units)) + own
            start += packed.units

    def best(self, enough: float) -> Address | None:
        """The candidate with the largest sum in a level that does not hold enough yet; `None` if there is none."""
        held = {level: self._held(level) / enough for level in self._levels.values()}
        best, most = None, self._nothing or 0.0
        for layer, sums in self._sums.items():
            if held[self._levels[layer]] >= 1 - _ROUNDING:
                continue
            worth = sums.copy() if self._signs == "positive" else np.abs(sums)
            worth[self._kept[layer]] = 0
            place = int(worth[: len(worth) - (layer in self._builder.run.dictionaries)].argmax())
            if worth[place] > most:
                best, most = address_at(self._builder.run, layer, place), float(worth[place])
        return best

    def keep(self, unit: Address) -> None:
        """Put a unit into the graph and, above the lowest level, expand it."""
        self._kept[unit.layer].append(index_of(unit))
        if str(unit) not in self._builder.graph:
            self._builder.add(unit, str(unit), str(unit))
        if self._levels[unit.layer] < self._depth and self._builder.network.layers_below(unit.layer):
            self.expand(str(unit))

    def connect(self) -> None:
        """Put the edges between kept units into the graph, with each layer's residual, from the top down."""
        for shares in self._shares.values():
            kept = [(layer, at) for layer in shares.lower.layers for at in self._kept.get(layer, ())]
            if kept:
                units = [address_at(self._builder.run, *each) for each in kept]
                places = [*map(shares.lower.place, units), *shares.residuals]
                shown = [place for place in places if shares.scores[place] != 0]
                self._builder.connect(shares, sorted(shown, key=lambda place: -abs(float(shares.scores[place]))))

    def _held(self, level: int) -> float:
        """What the kept units of a level hold of the target, in its units."""
        layers = [layer for layer, own in self._levels.items() if own == level and layer in self._sums]
        return float(sum(self._sums[layer][self._kept[layer]].sum() for layer in layers))
