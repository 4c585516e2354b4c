"""What a wired network does with a photo, found from its formulas alone: no torch, no gradients of a library."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tests.support.wiring import COLOURS, SIDE, Address, Map, Wiring

Maps = dict[Address, Map]
Shares = dict[Address, float]


@dataclass(frozen=True, eq=False)
class Known:
    """A network and a photo, and all that follows.

    Args:
        wiring: the network.
        pixels: the photo.
    """

    wiring: Wiring
    pixels: NDArray[np.uint8]

    @cached_property
    def image(self) -> Maps:
        """The photo's colours."""
        return {("image", name): self.pixels[:, :, at].astype(np.float64) for at, name in enumerate(COLOURS)}

    @cached_property
    def values(self) -> Maps:
        """Activation of every unit, its colours included."""
        return self.run({}, list(self.wiring.wires))

    def run(self, held: Maps, wanted: Sequence[Address]) -> Maps:
        """Activations of the wanted units, and of all that they need, when some are held at given values."""
        found = {**self.image, **held}

        def value(address: Address) -> Map:
            if address not in found:
                found[address] = self._gated(address, self._sum(address, value))
            return found[address]

        for address in wanted:
            value(address)
        return found

    def _sum(self, address: Address, value: Callable[[Address], Map]) -> Map:
        total = np.zeros((1, 1)) if address[0] == self.wiring.order[-1] else np.zeros((SIDE, SIDE))
        for source, weight in self.wiring.wires[address]:
            part = weight * value(source)
            total = total + (part.sum() if total.size == 1 else part)
        return total + self.wiring.biases[address]

    def _gated(self, address: Address, total: Map) -> Map:
        return np.maximum(total, 0) if address[0] in self.wiring.rectified else total

    def shares(self, upper: Address, chosen: Sequence[str], weights: Map | float = 1.0) -> Shares:
        """What each unit below accounts for: over all wires that lead up to `upper` through units that are on.

        A wire hands on its weight where the unit above it fires and nothing where it does not; what comes down to a
        unit of a chosen stage is multiplied with its activation, and goes no further.
        """
        slopes: Maps = {upper: np.ones_like(self.values[upper]) * weights}
        found: Shares = {}
        for stage in reversed(self.wiring.order[: self.wiring.order.index(upper[0]) + 1]):
            for address in [address for address in slopes if address[0] == stage]:
                slope = slopes.pop(address)
                if address != upper and stage in chosen:
                    found[address] = float((slope * self.values[address]).sum())
                    continue
                if stage in self.wiring.rectified:
                    slope = slope * (self.values[address] > 0)
                for source, weight in self.wiring.wires[address]:
                    slopes[source] = slopes.get(source, np.zeros((SIDE, SIDE))) + slope * weight
        return found

    def slope(self, target: Address, unit: Address) -> Map:
        """∂T/∂a of a unit, over all wires that lead from it to the target through units that are on."""
        if unit == target:
            return np.ones((1, 1))
        total = np.zeros((SIDE, SIDE))
        for above, wires in self.wiring.wires.items():
            for source, weight in wires:
                if source == unit:
                    gate = self.values[above] > 0 if above[0] in self.wiring.rectified else 1.0
                    total = total + weight * gate * self.slope(target, above)
        return total

    @property
    def at_threshold(self) -> set[Address]:
        """The rectified units whose sum is just zero somewhere, though a unit that they read is not."""
        found = set()
        for address in [address for address in self.wiring.wires if address[0] in self.wiring.rectified]:
            driven = sum(np.abs(weight * self.values[source]) for source, weight in self.wiring.wires[address])
            at_zero = self._sum(address, self.values.__getitem__) == 0
            if bool((at_zero & (driven > 0)).any()):
                found.add(address)
        return found

    def below(self, stage: str, chosen: Sequence[str]) -> list[Address]:
        """All units of the nearest chosen stages below a stage, on each way down."""
        found: dict[str, None] = {}
        todo = list(self.wiring.reads[stage])
        while todo:
            lower = todo.pop()
            if lower in chosen:
                found[lower] = None
            else:
                todo.extend(self.wiring.reads.get(lower, ()))
        return [(lower, unit) for lower in self.wiring.order if lower in found for unit in self.wiring.units[lower]]

    def value_with(self, upper: Address, present: Mapping[Address, float], weights: Map | float = 1.0) -> float:
        """Weighted sum of a unit when some units below are scaled, 0 for absent."""
        held = {address: scale * self.values[address] for address, scale in present.items()}
        return float((self.run(held, [upper])[upper] * weights).sum())

    def shapley(self, upper: Address, players: Sequence[Address], weights: Map | float = 1.0) -> Shares:
        """What each unit adds when it is switched on, on average over all orders of doing so (Shapley 1953)."""
        count = len(players)
        worth = {
            subset: self.value_with(upper, {p: float(subset >> n & 1) for n, p in enumerate(players)}, weights)
            for subset in range(1 << count)
        }
        found = dict.fromkeys(players, 0.0)
        factorial = [1.0]
        for n in range(1, count + 1):
            factorial.append(factorial[-1] * n)
        for subset in range(1 << count):
            size = subset.bit_count()
            for n, player in enumerate(players):
                if not subset >> n & 1:
                    share = factorial[size] * factorial[count - size - 1] / factorial[count]
                    found[player] += share * (worth[subset | 1 << n] - worth[subset])
        return found
