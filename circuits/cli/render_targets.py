"""What `circuits render` draws: which units or layers, and what is maximised for each."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.cli.unit_expressions import layers_of, units_of
from circuits.errors import InputError, UnknownError, listed
from circuits.files import read_text

if TYPE_CHECKING:
    from circuits.network.network import Network
    from circuits.units import Unit
    from circuits.visualization.objectives.base import Objective


OF_UNITS = ("channel", "neuron", "negative", "joint", "logit", "probability")
OF_LAYERS = ("layer", "direction", "inversion", "caricature")
STORED = ("channel", "neuron", "negative")
"""Objectives whose pictures a store keeps."""


@dataclass(frozen=True)
class Item:
    """One thing to be drawn.

    Args:
        title: what to call it.
        address: of the unit or layer, or of several with + between.
        objective: what is maximised.
        unit: whose activation is told, and may turn out never to be above zero; `None` if another value is told.
        layer: the highest that is looked at.
    """

    title: str
    address: str
    objective: "Objective"
    layer: str
    unit: "Unit | None" = None


@dataclass(frozen=True)
class Subject:
    """What was asked for.

    Args:
        texts: addresses of units or layers, as they were typed.
        objective: its name, if one was given.
        photo: of an inversion or a caricature.
        direction: a file of numbers.
        power: of the cosine.
        diverse: pictures of each unit.
        interpolate: pictures in a row from one unit to another.
        filmstrip: frames of each picture.

    Raises:
        InputError: if two of them do not go together.
        UnknownError: if there is no such objective.
    """

    texts: tuple[str, ...]
    objective: str | None = None
    photo: str | None = None
    direction: Path | None = None
    power: float | None = None
    diverse: int | None = None
    interpolate: int | None = None
    filmstrip: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in OF_UNITS + OF_LAYERS:
            raise UnknownError(f"There is no objective {self.kind!r}; there are {listed(OF_UNITS + OF_LAYERS)}.")
        several = [f"--{name}" for name in ("diverse", "interpolate", "filmstrip") if getattr(self, name) is not None]
        if len(several) > 1:
            raise InputError(f"{several[0]} and {several[1]} both say what a row of pictures shows; give one.")
        if self.interpolate is not None and self.kind != "channel":
            raise InputError(f"--interpolate leads from one channel to another; leave --objective {self.kind} out.")
        if self.diverse is not None and self.kind in ("inversion", "caricature"):
            raise InputError(f"--diverse does not go with --objective {self.kind}, which has one photo to look like.")
        self._check_companions()

    def _check_companions(self) -> None:
        for name, kinds in (
            ("photo", ("inversion", "caricature")),
            ("direction", ("direction",)),
            ("power", ("direction", "caricature")),
        ):
            if getattr(self, name) is not None and self.kind not in kinds:
                raise InputError(
                    f"--{name} has no meaning for --objective {self.kind}; it is for {' and '.join(kinds)}."
                )
        if self.kind in ("inversion", "caricature") and self.photo is None:
            raise InputError(f"--objective {self.kind} needs a photo; give one with --photo.")
        if self.kind == "direction" and self.direction is None:
            raise InputError("--objective direction needs its numbers; give a file of them with --direction.")

    @property
    def kind(self) -> str:
        """Name of the objective."""
        return self.objective or ("channel" if self.direction is None else "direction")

    @property
    def stored(self) -> bool:
        """Whether a store keeps such pictures."""
        return self.kind in STORED and self.count == 1

    @property
    def count(self) -> int:
        """Pictures of each item."""
        return self.diverse or self.interpolate or self.filmstrip or 1

    def items(self, network: "Network") -> list[Item]:
        """What is drawn, each once.

        Raises:
            InputError: if something cannot be used as it is.
            UnknownError: if a unit, layer or class does not exist.
        """
        if self.kind in OF_LAYERS:
            return self._of_layers(network)
        return self._of_units(network, units_of(network, self.texts))

    def _of_units(self, network: "Network", units: "list[Unit]") -> list[Item]:
        from circuits.visualization.objectives import unit as objectives
        from circuits.visualization.objectives.batch import interpolation

        together = "+".join(map(str, units))
        highest = max((unit.layer for unit in units), key=network.layers.index)
        if self.interpolate is not None:
            if len(units) != 2:
                raise InputError(f"--interpolate leads from one unit to another; give two, not {len(units)}.")
            row = interpolation(units[0], units[1], steps=self.interpolate)
            return [Item(" to ".join(called(network, unit) for unit in units), together, row, highest)]
        if self.kind == "joint":
            if len(units) < 2:
                raise InputError("--objective joint puts several units into one picture; give two or more.")
            title = " + ".join(called(network, unit) for unit in units)
            return [Item(title, together, objectives.joint(*units), highest)]
        if self.kind in ("logit", "probability"):
            for unit in units:
                _check_class(network, unit, self.kind)
        return [self._of_unit(network, unit) for unit in units]

    def _of_unit(self, network: "Network", unit: "Unit") -> Item:
        from circuits.visualization.objectives import unit as objectives

        title = called(network, unit)
        if self.kind == "negative":
            return Item(title, str(unit), objectives.negative(unit), unit.layer)
        if self.kind in ("logit", "probability"):
            made = objectives.class_logit(unit) if self.kind == "logit" else objectives.class_probability(unit)
            return Item(title, str(unit), made, unit.layer)
        if self.kind == "neuron":
            layer = network.layer(unit.layer)
            unit = replace(unit, position=unit.position or (layer.height // 2, layer.width // 2))
        return Item(title, str(unit), objectives.objective_of(unit), unit.layer, unit)

    def _of_layers(self, network: "Network") -> list[Item]:
        layers = layers_of(network, self.texts, self.kind)
        if self.direction is not None and len(layers) > 1:
            raise InputError(f"A direction belongs to one layer; give one, not {len(layers)}.")
        return [Item(layer, layer, self._of_layer(network, layer), layer) for layer in layers]

    def _of_layer(self, network: "Network", layer: str) -> "Objective":
        from circuits.visualization.objectives import direction as directions
        from circuits.visualization.objectives import photo as photographs
        from circuits.visualization.objectives import unit as objectives

        power = {} if self.power is None else {"power": self.power}
        if self.direction is not None:
            return directions.direction(layer, read_direction(self.direction, network.layer(layer).channels), **power)
        if self.photo is not None and self.kind == "inversion":
            return photographs.inversion(self.photo, layer)
        if self.photo is not None:
            return photographs.caricature(self.photo, layer, **power)
        return objectives.layer(layer)


def called(network: "Network", unit: "Unit") -> str:
    """A unit's short name: a class by the first of its labels, any other by its address."""
    return network.unit_label(unit).partition(",")[0] if unit.layer == network.layers[-1] else str(unit)


def _check_class(network: "Network", unit: "Unit", kind: str) -> None:
    top = network.layers[-1]
    if unit.layer != top:
        raise InputError(f"{unit} is no class; --objective {kind} is for the units of {top}, such as {top}:0.")


def read_direction(path: Path, channels: int) -> list[float]:
    """The numbers of a direction, one a channel.

    Args:
        path: a .npy file; JSON: a list, or numbers by channel, all others being zero; else text with commas, blanks or
            line ends between.
        channels: of the layer.

    Raises:
        InputError: if the file cannot be read, or holds other things.
        UnknownError: if it names a channel that does not exist.
    """
    wrong = (
        f'{path} holds no direction; it must be a row of {channels} numbers, or JSON such as {{"17": 1, "5": -0.5}}.'
    )
    try:
        if path.suffix.lower() == ".npy":
            found = _npy(path)
        elif path.suffix.lower() == ".json":
            found = json.loads(read_text(path))
        else:
            rows = csv.reader(read_text(path).replace(";", ",").splitlines())
            found = [float(word) for row in rows for part in row for word in part.split()]
        if isinstance(found, dict):
            found = _dense({int(key): float(value) for key, value in found.items()}, channels, path)
        numbers = [float(value) for value in found]
    except InputError:
        raise
    except (ValueError, TypeError):
        raise InputError(wrong) from None
    if len(numbers) != channels or not all(map(math.isfinite, numbers)):
        raise InputError(f"{wrong.removesuffix('.')}; it has {len(numbers)} numbers.")
    return numbers


def _npy(path: Path) -> Any:
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from None


def _dense(weights: dict[int, float], channels: int, path: Path) -> Sequence[float]:
    for channel in weights:
        if not 0 <= channel < channels:
            raise UnknownError(f"{path} names channel {channel}; the layer has {channels} channels, from 0.")
    return [weights.get(channel, 0.0) for channel in range(channels)]
