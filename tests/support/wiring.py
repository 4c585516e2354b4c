"""Hand-wired networks: written down as formulas, and run as an `nn.Module`.

What they do is known (`tests/support/known.py`).

    Wiring(
        Stage("parts", wheel="2 red", window="green"),
        Stage("things", car="wheel + window - 1.5"),
        Stage("classes", vehicle="3 car + 0.5"),
    )

A stage's units are rectified sums, at each position, of units of the stage before (or of the one that `of` names); the
first stage reads the colours. A number alone is the bias. The last stage is that of the logits: sums over all positions
of the unit below, or, as in `2 car@0,1`, its value at one row and column. `Join` concatenates stages, `Plus` adds them.

A photo's pixels are whole numbers, which the network sees as they are, so that everything is exact.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from circuits import Network, Photo, Preprocessing, load_photo, prepare

COLOURS = ("red", "green", "blue")
SIDE = 2
Address = tuple[str, str]  # stage and unit
Map = NDArray[np.float64]
_TERM = re.compile(r"\s*([+-]?)\s*(\d+(?:\.\d+)?)?\s*(?:([a-z_]\w*)(?:@(\d),(\d))?)?\s*")


@dataclass(frozen=True)
class Wire:
    """What a unit reads: a unit below it, with a weight at every position."""

    source: str
    weight: Map


def read_formula(text: str) -> tuple[list[Wire], float]:
    """The wires and the bias of `2 wheel - hub + 0.5`."""
    wires: list[Wire] = []
    bias, at = 0.0, 0
    while at < len(text):
        term = _TERM.match(text, at)
        assert term is not None, text
        assert term[2] or term[3], f"{text!r} has no number and no unit at {at}"
        number = float(f"{term[1]}{term[2] or 1}")
        if term[3] is None:
            bias += number
        else:
            weight = np.full((SIDE, SIDE), number)
            if term[4] is not None:
                weight = np.zeros((SIDE, SIDE))
                weight[int(term[4]), int(term[5])] = number
            wires.append(Wire(term[3], weight))
        at = term.end()
    return wires, bias


class Stage:
    """Rectified sums of the units of one stage below."""

    def __init__(self, name: str, of: str | None = None, rectified: bool = True, **units: str) -> None:
        self.name, self.of, self.rectified = name, of, rectified
        self.formulas = {unit: read_formula(text) for unit, text in units.items()}


class Join:
    """Stages side by side; the units keep their names."""

    def __init__(self, name: str, *parts: str) -> None:
        self.name, self.parts = name, parts


class Plus:
    """The rectified sum of stages, unit by unit; the units are called as in the first."""

    def __init__(self, name: str, *parts: str) -> None:
        self.name, self.parts = name, parts


class Sums(nn.Module):
    """A stage as a module: 1 × 1 convolution and rectifier; the last one reads all positions at once."""

    def __init__(self, formulas: Mapping[str, tuple[list[Wire], float]], below: Sequence[str], kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(len(below), len(formulas), SIDE if kind == "last" else 1)
        with torch.no_grad():
            self.conv.weight.zero_()
            for channel, (wires, bias) in enumerate(formulas.values()):
                self.conv.bias[channel] = bias
                for wire in wires:
                    weight = wire.weight if kind == "last" else wire.weight[:1, :1]
                    assert kind == "last" or np.ptp(wire.weight) == 0, (
                        f"only the last stage reads {wire.source} at a place"
                    )
                    self.conv.weight[channel, below.index(wire.source)] += torch.tensor(weight, dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.kind == "last":
            return x.flatten(1)
        return torch.relu(x) if self.kind == "rectified" else x


class Joined(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, 1)


class Added(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return torch.relu(total)


class Wiring(nn.Module):
    """A network of stages, from the image up."""

    def __init__(self, *stages: Stage | Join | Plus) -> None:
        super().__init__()
        self.order = [stage.name for stage in stages]
        self.reads: dict[str, tuple[str, ...]] = {}
        self.units: dict[str, list[str]] = {"image": list(COLOURS)}
        self.wires: dict[Address, list[tuple[Address, Map]]] = {}
        self.biases: dict[Address, float] = {}
        self.rectified: set[str] = set()
        before = "image"
        for stage in stages:
            last = stage is stages[-1]
            self.add_module(
                stage.name, self._sums(stage, before, last) if isinstance(stage, Stage) else self._merge(stage)
            )
            before = stage.name

    def _sums(self, stage: Stage, before: str, last: bool) -> Sums:
        source = stage.of or before
        self.reads[stage.name] = (source,)
        self.units[stage.name] = list(stage.formulas)
        if stage.rectified and not last:
            self.rectified.add(stage.name)
        for unit, (wires, bias) in stage.formulas.items():
            self.wires[stage.name, unit] = [((source, wire.source), wire.weight) for wire in wires]
            self.biases[stage.name, unit] = bias
        return Sums(stage.formulas, self.units[source], "last" if last else "rectified" if stage.rectified else "plain")

    def _merge(self, stage: Join | Plus) -> nn.Module:
        one = np.ones((SIDE, SIDE))
        self.reads[stage.name] = stage.parts
        for part in stage.parts[: None if isinstance(stage, Join) else 1]:
            self.units.setdefault(stage.name, []).extend(self.units[part])
        for place, unit in enumerate(self.units[stage.name]):
            if isinstance(stage, Join):
                sources = [(part, unit) for part in stage.parts if unit in self.units[part]]
            else:
                sources = [(part, self.units[part][place]) for part in stage.parts]
            self.wires[stage.name, unit] = [(source, one) for source in sources]
            self.biases[stage.name, unit] = 0.0
        if isinstance(stage, Join):
            return Joined()
        self.rectified.add(stage.name)
        return Added()

    def forward(self, x: Tensor) -> Tensor:
        known = {"image": x}
        for name in self.order:
            known[name] = self.get_submodule(name)(*(known[part] for part in self.reads[name]))
        return known[self.order[-1]]

    def network(self, layers: Sequence[str] | None = None) -> Network:
        """Prepared, with some stages as its layers; all of them if `None`."""
        return _prepared(self).with_layers(self.order if layers is None else list(layers))

    def address(self, unit: str) -> Address:
        """Stage and unit of `things:0`, as the library calls it."""
        stage, _, channel = unit.partition(":")
        return stage, self.units[stage][int(channel)]

    def called(self, address: Address) -> str:
        """What the library calls a unit."""
        return f"{address[0]}:{self.units[address[0]].index(address[1])}"


@cache
def _prepared(wiring: Wiring) -> Network:
    see = Preprocessing((SIDE, SIDE), SIDE, (0.0,) * 3, (1 / 255,) * 3, "bilinear")
    labels = wiring.units[wiring.order[-1]]
    return prepare(wiring, name="wired", source="by hand", preprocessing=see, labels=labels, layers=wiring.order)


def colours(red: object = 0, green: object = 0, blue: object = 0) -> NDArray[np.uint8]:
    """Pixels of whole numbers, each a number for all positions or SIDE × SIDE numbers."""
    planes = [np.broadcast_to(np.asarray(plane, dtype=np.uint8), (SIDE, SIDE)) for plane in (red, green, blue)]
    return np.stack(planes, 2)


def photo_of(pixels: NDArray[np.uint8]) -> Photo:
    return load_photo(pixels, name="wired")
