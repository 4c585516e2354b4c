"""Wired networks and photos whose circuits are known, one for each thing that a mode may find or miss.

Each is a row of the table in docs/methods.md; what a mode makes of it is found by `verdict`, not written here. Beside
what carries the target t there is always something louder that carries another class.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from circuits import MODES, Circuit, trace
from tests.support.known import Known
from tests.support.wiring import Address, Join, Plus, Stage, Wiring, colours, photo_of

LIVE = tuple(mode for mode in MODES if mode != "frozen")
"""The modes of which nothing is frozen; in these networks there is nothing to freeze, so that `frozen` is `sum`."""


@dataclass(frozen=True, eq=False)
class Case:
    """A network, a photo, and what carries the logit of t.

    Args:
        wiring: the network.
        carries: the units that carry it, by layer from the top down, as `stage.unit`.
        pixels: the photo.
        layers: the stages that are layers; all if empty.
        signs: what is asked for.
        net_zero: whether some of them have effects that cancel in t.
    """

    wiring: Wiring
    carries: tuple[str, ...]
    pixels: NDArray[np.uint8] = field(default_factory=lambda: colours(red=1, green=1, blue=1))
    layers: tuple[str, ...] = ()
    signs: str = "both"
    net_zero: bool = False

    @property
    def chosen(self) -> tuple[str, ...]:
        """The stages that are layers."""
        return self.layers or tuple(self.wiring.order)

    @property
    def known(self) -> Known:
        """What the network does with the photo."""
        return Known(self.wiring, self.pixels)

    @property
    def target(self) -> Address:
        """The unit to explain."""
        return self.wiring.order[-1], "t"

    @property
    def planted(self) -> set[Address]:
        """The units that carry it."""
        return {(stage, unit) for stage, unit in (name.split(".") for name in self.carries)}

    def circuit(self, mode: str) -> Circuit:
        """What the library finds: as deep as there are layers, no more units below one than carry t in a layer."""
        stages = [stage for stage, _ in self.planted]
        top = max((stages.count(stage) for stage in stages), default=1)
        network = self.wiring.network(self.chosen)
        return trace(network, photo_of(self.pixels), "t", depth=len(self.chosen), top=top, mode=mode, signs=self.signs)


def contributions(case: Case, mode: str, upper: Address) -> Mapping[Address, float]:
    """What each unit below really adds to what a mode shares out: on average over all orders of switching them on."""
    known = case.known
    weights = known.slope(case.target, upper) if mode == "target" else 1.0
    return known.shapley(upper, known.below(upper[0], case.chosen), weights)


def verdict(case: Case, mode: str) -> str:
    """`exact`: the units that carry t, and what each contributes; `units`: those units alone; else `missed`."""
    wiring, circuit = case.wiring, case.circuit(mode)
    found = {wiring.address(name) for name in circuit.visible} - {case.target}
    if found != case.planted:
        return "missed"
    for name in circuit.visible:
        edges = circuit.edges_into(name)
        if edges:
            known = contributions(case, mode, wiring.address(name))
            told = {wiring.address(edge.source): edge.attribution for edge in edges}
            if told != pytest.approx({unit: share for unit, share in known.items() if abs(share) > 1e-9}, rel=1e-5):
                return "units"
    return "exact"


def _parts(**units: str) -> Stage:
    """The lowest stage: what is made of the photo's colours, and something louder that carries another class."""
    return Stage("parts", **units, loud="9 blue")


def _things(name: str = "things", **units: str) -> Stage:
    """A stage between parts and classes."""
    return Stage(name, **units, noise="loud")


def _classes(t: str) -> Stage:
    return Stage("classes", t=t, other="noise")


_INHIBITED = Wiring(
    _parts(wheel="red", leaf="green"),
    _things(car="3 wheel - 2 leaf + 2"),
    _classes("car"),
)
_HELD_OFF = Wiring(
    _parts(wheel="red", leaf="2 green"),
    _things(car="wheel", boat="1 - leaf"),
    _classes("car + boat"),
)
_CANCELLING = Wiring(
    Stage("spots", rim="red", loud="9 blue"),
    Stage("parts", wheel="3 rim", loud="loud"),
    _things(car="wheel", boat="wheel"),
    _classes("car - boat"),
)
CASES = {
    "a chain": Case(
        Wiring(_parts(wheel="2 red", window="green"), _things(car="wheel + 3 window + 1"), _classes("2 car")),
        ("things.car", "parts.wheel", "parts.window"),
    ),
    "branches, concatenated": Case(
        Wiring(
            _parts(wheel="2 red", window="green"),
            _things("narrow", round="wheel"),
            Stage("wide", of="parts", square="window + 1", noises="loud"),
            Join("both", "narrow", "wide"),
            Stage("classes", t="3 round + square", other="noise + noises"),
        ),
        ("both.round", "both.square", "narrow.round", "wide.square", "parts.wheel", "parts.window"),
    ),
    "a skip, added": Case(
        Wiring(
            _parts(wheel="2 red", window="green"),
            Stage("branch", rectified=False, to_wheel="3 window", to_window="1", to_loud="loud"),
            Plus("sum", "parts", "branch"),
            Stage("classes", t="2 wheel", other="loud"),
        ),
        ("sum.wheel", "branch.to_wheel", "parts.wheel", "parts.window"),
    ),
    "a unit shared by two": Case(
        Wiring(
            _parts(wheel="red", window="green"), _things(car="wheel + window", cart="2 wheel"), _classes("car + cart")
        ),
        ("things.car", "things.cart", "parts.wheel", "parts.window"),
    ),
    "two copies that add up": Case(
        Wiring(_parts(wheel="red", copy="red"), _things(car="wheel + copy"), _classes("car")),
        ("things.car", "parts.wheel", "parts.copy"),
    ),
    "inhibition": Case(_INHIBITED, ("things.car", "parts.wheel", "parts.leaf")),
    "inhibition, only positive shares shown": Case(
        _INHIBITED, ("things.car", "parts.wheel", "parts.leaf"), signs="positive"
    ),
    "a unit held off, inside a segment": Case(_HELD_OFF, ("parts.wheel", "parts.leaf"), layers=("parts", "classes")),
    "a unit held off, in a layer": Case(
        _HELD_OFF, ("things.car", "parts.wheel", "things.boat", "parts.leaf"), net_zero=True
    ),
    "saturation: min(wheel, 1)": Case(
        Wiring(
            _parts(wheel="2 red", window="green"),
            _things("steps", one="wheel", over="wheel - 1", glass="window"),
            _classes("4 one - 4 over + glass"),
        ),
        ("parts.wheel", "parts.window"),
        layers=("parts", "classes"),
    ),
    "redundancy: wheel OR track": Case(
        Wiring(
            _parts(wheel="red", track="green"),
            _things("steps", one="wheel + track", over="wheel + track - 1"),
            _classes("one - over"),
        ),
        ("parts.wheel", "parts.track"),
        layers=("parts", "classes"),
    ),
    "conjunction: wheel AND window": Case(
        Wiring(_parts(wheel="red", window="green"), _things(car="wheel + window - 1"), _classes("car")),
        ("things.car", "parts.wheel", "parts.window"),
    ),
    "a unit that matters at one place": Case(
        Wiring(_parts(wheel="red", window="5 green"), _things(car="wheel + window"), _classes("car@0,0")),
        ("things.car", "parts.wheel"),
        colours(red=[[1, 0], [0, 0]], green=[[0, 0], [0, 1]], blue=1),
    ),
    "units that matter at half strength only": Case(
        Wiring(
            _parts(wheel="red", leaf="4 green", stone="4 blue"),
            _things("steps", low="leaf", high="leaf - 2", guard="stone - 1", glass="wheel"),
            Stage("tents", tent="low - 3 high - 2 guard", glass="glass", noise="noise"),
            _classes("tent + glass"),
        ),
        ("parts.wheel",),
        layers=("parts", "classes"),
    ),
    "two paths that cancel, inside a segment": Case(
        _CANCELLING, ("parts.wheel", "spots.rim"), layers=("spots", "parts", "classes"), net_zero=True
    ),
    "two paths that cancel, in a layer": Case(
        _CANCELLING, ("things.car", "things.boat", "parts.wheel"), layers=("parts", "things", "classes"), net_zero=True
    ),
    "what feeds two paths that cancel": Case(
        _CANCELLING, ("things.car", "things.boat", "parts.wheel", "spots.rim"), net_zero=True
    ),
}
