"""What `circuits render` draws: which units or layers, and what is maximised for each."""

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from circuits.cli._render_request import OF_LAYERS, RenderRequest
from circuits.cli.unit_expressions import layers_of, short_name, units_of
from circuits.errors import InputError, UnknownError
from circuits.files import read_json, read_text
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.objectives import unit as unit_objectives
from circuits.visualization.objectives.base import Objective
from circuits.visualization.objectives.batch import interpolation
from circuits.visualization.objectives.direction import direction
from circuits.visualization.objectives.photo import caricature, inversion


@dataclass(frozen=True)
class RenderTarget:
    """One thing to be drawn.

    Args:
        title: what to call it.
        expression: of the unit or layer, or of several with + between.
        objective: what is maximised.
        unit: whose activation is the value, which may turn out never to be above zero; `None` if the value is another.
    """

    title: str
    expression: str
    objective: Objective
    unit: Unit | None = None


def targets_of(request: RenderRequest, network: Network) -> list[RenderTarget]:
    """What is drawn, each once."""
    if request.kind in OF_LAYERS:
        layers = layers_of(network, request.units, request.kind)
        if request.direction is not None and len(layers) > 1:
            raise InputError(f"A direction belongs to one layer; give one, not {len(layers)}.")
        return [RenderTarget(layer, layer, _layer_objective(request, network, layer)) for layer in layers]
    units = units_of(network, request.units)
    names = [short_name(network, unit) for unit in units]
    together = "+".join(map(str, units))
    if request.interpolate is not None:
        if len(units) != 2:
            raise InputError(f"--interpolate leads from one unit to another; give two, not {len(units)}.")
        row = interpolation(units[0], units[1], steps=request.interpolate)
        return [RenderTarget(" to ".join(names), together, row)]
    if request.kind == "joint":
        if len(units) < 2:
            raise InputError("--objective joint puts several units into one picture; give two or more.")
        return [RenderTarget(" + ".join(names), together, unit_objectives.joint(*units))]
    if request.kind in ("logit", "probability"):
        for unit in units:
            _check_class(network, unit, request.kind)
    return [_unit_target(request.kind, network, unit, name) for unit, name in zip(units, names, strict=True)]


def _unit_target(kind: str, network: Network, unit: Unit, title: str) -> RenderTarget:
    if kind == "negative":
        return RenderTarget(title, str(unit), unit_objectives.negative(unit))
    if kind == "logit":
        return RenderTarget(title, str(unit), unit_objectives.class_logit(unit))
    if kind == "probability":
        return RenderTarget(title, str(unit), unit_objectives.class_probability(unit))
    if kind == "neuron":
        layer = network.layer(unit.layer)
        unit = replace(unit, position=unit.position or (layer.height // 2, layer.width // 2))
    return RenderTarget(title, str(unit), unit_objectives.objective_of(unit), unit)


def _layer_objective(request: RenderRequest, network: Network, layer: str) -> Objective:
    power = {} if request.power is None else {"power": request.power}
    if request.direction is not None:
        return direction(layer, read_direction(request.direction, network.layer(layer).channels), **power)
    if request.photo is not None and request.kind == "inversion":
        return inversion(request.photo, layer)
    if request.photo is not None:
        return caricature(request.photo, layer, **power)
    return unit_objectives.layer(layer)


def _check_class(network: Network, unit: Unit, kind: str) -> None:
    top = network.layers[-1]
    if unit.layer != top:
        raise InputError(f"{unit} is no class; --objective {kind} is for the units of {top}, such as {top}:0.")


def read_direction(path: Path, channels: int) -> list[float]:
    """The numbers of a direction, one a channel.

    Args:
        path: a .npy file; JSON: a list, or numbers by channel, all others being zero; else text with commas, blanks or
            line ends between.
        channels: of the layer.
    """
    wrong = (
        f'{path} holds no direction; it must be a row of {channels} numbers, or JSON such as {{"17": 1, "5": -0.5}}.'
    )
    try:
        if path.suffix.lower() == ".npy":
            weights = np.load(path, allow_pickle=False)
        elif path.suffix.lower() == ".json":
            weights = cast(Any, read_json(path))
        else:
            rows = csv.reader(read_text(path).replace(";", ",").splitlines())
            weights = [word for row in rows for part in row for word in part.split()]
        if isinstance(weights, dict):
            by_channel = {int(channel): float(weight) for channel, weight in weights.items()}
            for channel in by_channel:
                if not 0 <= channel < channels:
                    raise UnknownError(f"{path} names channel {channel}; the layer has {channels} channels, from 0.")
            weights = [by_channel.get(channel, 0.0) for channel in range(channels)]
        numbers = [float(weight) for weight in weights]
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from None
    except (ValueError, TypeError):
        raise InputError(wrong) from None
    if len(numbers) != channels or not all(map(math.isfinite, numbers)):
        raise InputError(f"{wrong.removesuffix('.')}; it has {len(numbers)} numbers.")
    return numbers
