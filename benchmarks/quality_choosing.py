"""Circuits of equal size, one a method: the same number of units in every layer, so that only the choice differs.

The sizes are those of the circuit that `trace` finds in mode `sum` with the top k below each unit. A method that walks
down edges fills them as `trace` would with a k that fits: below the units that it has kept above, lower units come in
the order of the best rank that they have below any one of these (1 for a parent's strongest child), of equal rank those
with the larger attribution on that edge; those that only argue against their parents come last. For `sum` itself that
gives the circuit of `trace`. In mode `target`, whose edges are all in units of the target, they can also be added: the
units with the largest sums over those kept above. A method that scores all units of a layer takes the highest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from circuits.shapes import Scores
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target
from circuits.units import Unit

Sizes = Mapping[str, int]
"""Units by layer, from the layer below the target down."""

Chosen = dict[str, tuple[int, ...]]
"""Channels by layer, in the order of the layers of `Sizes`."""

Parents = Callable[[str, Sequence[int]], Iterable[Scores]]
"""The scores of all channels of the layer below, of some channels of a layer; the target is a channel of its own."""


def parents_of(run: ForwardCache, target: Target, mode: str) -> Parents:
    """The scores that `trace` gives in a mode."""

    def scores(upper: str, channels: Sequence[int]) -> Iterable[Scores]:
        at_target = upper == target.unit.layer
        readouts = [run.readout(target, Unit(upper, channel), mode, is_root=at_target) for channel in channels]
        return run.below(upper).shares(mode, iter(readouts))

    return scores


class Walk:
    """The walk down from a target in one photo, in which no unit is expanded twice.

    Args:
        parents: the scores.
        target: where it begins.
        layers: the layers below the target that it goes through, from the top down.
    """

    def __init__(self, parents: Parents, target: Target, layers: Sequence[str]) -> None:
        self._parents, self._target, self._layers = parents, target, layers
        self._scores: dict[Unit, NDArray[np.float32]] = {}

    def sizes(self, top: int) -> dict[str, int]:
        """Units in each layer of the circuit with the top k positive units below each unit."""

        def count(places: NDArray[np.int64]) -> int:
            return int((places < min(top, len(places))).sum())

        return {layer: len(kept) for layer, kept in self._down(lambda _, places: count(places)).items()}

    def choose(self, sizes: Sizes, *, summed: bool = False) -> Chosen:
        """The units, as many in each layer as asked; the highest ranked, or those with the largest sums of edges."""
        return self._down(lambda layer, _: sizes[layer], summed=summed)

    def _down(self, count: Callable[[str, NDArray[np.int64]], int], *, summed: bool = False) -> Chosen:
        upper, kept = self._target.unit.layer, (self._target.unit.channel,)
        found: Chosen = {}
        for layer in self._layers:
            rows = self._rows(upper, kept)
            places, best = places_below(rows)
            strongest = np.argsort(-rows.sum(0), kind="stable") if summed else np.lexsort((-best, places))
            order = strongest[: count(layer, places)]
            upper, kept = layer, tuple(sorted(order.tolist()))
            found[layer] = kept
        return found

    def _rows(self, upper: str, channels: Sequence[int]) -> NDArray[np.float32]:
        """The scores below some units, (units, channels)."""
        missing = [channel for channel in channels if Unit(upper, channel) not in self._scores]
        for channel, row in zip(missing, self._parents(upper, missing) if missing else (), strict=True):
            self._scores[Unit(upper, channel)] = row.numpy()
        return np.stack([self._scores[Unit(upper, channel)] for channel in channels])


def places_below(rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each lower unit its best rank below any parent, from 0, and its largest attribution at that rank.

    A unit that argues for no parent is ranked after all that do: the number of channels is added to its rank.

    Args:
        rows: attributions, (parents, channels).

    Example:
        >>> places, best = places_below(np.array([[3.0, 1.0, -1.0], [0.0, 5.0, 2.0]], dtype=np.float32))
        >>> places.tolist(), best.tolist()
        ([0, 0, 1], [3.0, 5.0, 2.0])
    """
    order = np.argsort(-rows, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(rows.shape[1]), rows.shape), axis=1)
    ranks = ranks + rows.shape[1] * (rows <= 0)
    places = ranks.min(0)
    return places, np.where(ranks == places, rows, -np.inf).max(0)


def highest(scores: Mapping[str, Scores], sizes: Sizes) -> Chosen:
    """The units with the highest scores of each layer, as many as asked; of equal ones the first."""
    order = {layer: scores[layer].argsort(descending=True, stable=True) for layer in sizes}
    return {layer: tuple(sorted(order[layer][:count].tolist())) for layer, count in sizes.items()}


def drawn(widths: Sizes, sizes: Sizes, source: np.random.Generator) -> Chosen:
    """Any units of each layer, as many as asked, each with the same chance."""
    draws = {layer: source.choice(widths[layer], size=count, replace=False) for layer, count in sizes.items()}
    return {layer: tuple(sorted(int(channel) for channel in found)) for layer, found in draws.items()}
