"""Random wired networks with a planted circuit: t is reached by planted units alone, the rest is as loud or louder.

Planted units read planted units; the others read anything, and lead to another class. All numbers are whole and small
enough for float32 to hold them and their sums exactly, so that what should be zero is zero.
"""

import random
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.support.known import Known
from tests.support.wiring import COLOURS, Address, Join, Plus, Stage, Wiring

Edges = dict[tuple[Address, Address], float]


@dataclass(frozen=True, eq=False)
class Random:
    """A network and a photo.

    Args:
        wiring: the network.
        pixels: the photo.
        roomy: whether every planted unit stays on, whichever units below it are silent or weak.
    """

    wiring: Wiring
    pixels: NDArray[np.uint8]
    roomy: bool


class _Maker:
    """Adds stages one by one; names of planted units begin with p, of the others with n."""

    def __init__(self, seed: int, roomy: bool) -> None:
        self.chance, self.roomy = random.Random(seed), roomy
        self.stages: list[Stage | Join | Plus] = []
        self.most: dict[str, int] = {}
        self.count = 0

    def names(self, planted: int, others: int) -> list[str]:
        self.count += planted + others
        numbers = range(self.count - planted - others, self.count)
        return [f"{'p' if place < planted else 'n'}{number}" for place, number in enumerate(numbers)]

    def formula(self, sources: list[str], unit: str) -> str:
        """Up to three wires, and a bias: large enough for a roomy unit to stay on, else of any kind."""
        read = self.chance.sample(sources, min(len(sources), self.chance.randint(1, 3)))
        weights = {source: self.chance.choice((-2, -1, 1, 2, 3)) for source in read}
        held_back = sum(-weight * self.most[source] for source, weight in weights.items() if weight < 0)
        bias = held_back + 1 if self.roomy else self.chance.randint(-9, 20)
        self.most[unit] = max(0, bias) + sum(w * self.most[source] for source, w in weights.items() if w > 0)
        return " ".join(f"{weight:+d} {source}" for source, weight in weights.items()) + f" {bias:+d}"

    def stage(self, name: str, of: str | None, units: list[str], planted: int, sizes: tuple[int, int]) -> list[str]:
        """A stage over some units, of which the first few are planted."""
        made = self.names(*sizes)
        formulas = {unit: self.formula(units[:planted] if unit[0] == "p" else units, unit) for unit in made}
        self.stages.append(Stage(name, of, **formulas))
        return made


@cache
def random_wiring(seed: int, *, roomy: bool) -> Random:
    """A network of two to four steps, each a stage, two branches side by side, or a skip.

    No unit stands exactly at its threshold, where it is a convention what the gradient is.
    """
    made = _drawn(seed, roomy)
    while Known(made.wiring, made.pixels).at_threshold:
        seed += 1000
        made = _drawn(seed, roomy)
    return made


def _drawn(seed: int, roomy: bool) -> Random:
    maker = _Maker(seed, roomy)
    chance = maker.chance
    units = maker.names(chance.randint(2, 3), 3)
    planted = sum(unit[0] == "p" for unit in units)
    colours = {unit: f"{chance.randint(1, 3)} {chance.choice(COLOURS)}" for unit in units}
    maker.most = dict.fromkeys(units, 27)
    maker.stages.append(Stage("stage0", **colours))
    for step in range(1, chance.randint(3, 5)):
        below = maker.stages[-1].name
        kind = chance.choice(("chain", "branches", "skip"))
        if kind == "chain":
            units = maker.stage(f"stage{step}", below, units, planted, (2, 3))
            planted = 2
        elif kind == "branches":
            left = maker.stage(f"left{step}", below, units, planted, (2, 0))
            right = maker.stage(f"right{step}", below, units, planted, (0, 2))
            maker.stages.append(Join(f"both{step}", f"left{step}", f"right{step}"))
            units, planted = left + right, 2
        else:
            inner = maker.stage(f"inner{step}", below, units, planted, (planted, len(units) - planted))
            maker.stages.append(Plus(f"added{step}", below, f"inner{step}"))
            for unit, other in zip(units, inner, strict=True):
                maker.most[unit] += maker.most[other]
    good = " ".join(f"{chance.choice((-1, 1, 2)):+d} {unit}" for unit in units[:planted])
    bad = " ".join(f"{chance.choice((-3, 3, 4)):+d} {unit}" for unit in units[planted:])
    maker.stages.append(Stage("classes", t=good, other=bad))
    pixels = np.random.default_rng(seed).integers(1, 10, (2, 2, 3)).astype(np.uint8)
    return Random(Wiring(*maker.stages), pixels, roomy)


def known_edges(known: Known, chosen: list[str], *, of_target: bool) -> Edges:
    """All edges of the circuit below t: (lower, upper) to what lower accounts for in upper, or in t through it."""
    target = (known.wiring.order[-1], "t")
    found: Edges = {}
    todo, seen = [target], {target}
    while todo:
        upper = todo.pop()
        weights = known.slope(target, upper) if of_target else 1.0
        for lower, share in known.shares(upper, chosen, weights).items():
            if share != 0:
                found[lower, upper] = share
                if lower not in seen:
                    seen.add(lower)
                    todo.append(lower)
    return found
