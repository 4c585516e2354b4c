"""The numbers of `circuits evidence`: what a unit did in a photo, before any of it is drawn."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from circuits.cli.unit_expressions import units_of
from circuits.errors import InputError
from circuits.evidence.attention import ClassAttention, attention_behind
from circuits.evidence.maps import EdgeMaps, argument_map, edge_maps, heat_map
from circuits.evidence.patches import Peak, peaks
from circuits.exemplars.exemplars import Exemplars
from circuits.files import versions
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.network.receptive_field import Box, receptive_field
from circuits.shapes import HeatMap
from circuits.tracing.circuit import Circuit
from circuits.units import Unit

PEAKS = 3
_LARGE = 0.5
"""Share of what the network sees from which on a receptive field tells little about the place."""


@dataclass(frozen=True, eq=False)
class UnitEvidence:
    """One unit in one photo, and what it is compared with.

    Args:
        network: the network.
        photo: the photo.
        circuit: of the target alone, to which the unit contributes.
        unit: the unit, or a neuron.
        parent: a unit of a layer above, if one was given.
        path: units from the topmost down to the unit; empty if none was given.
        index: of exemplars, if there is one.
    """

    network: Network
    photo: Photo
    circuit: Circuit
    unit: Unit
    parent: Unit | None = None
    path: tuple[Unit, ...] = ()
    index: Exemplars | None = None

    def __post_init__(self) -> None:
        height = self.network.layers.index
        if self.parent is not None and height(self.parent.layer) <= height(self.unit.layer):
            raise InputError(f"--parent {self.parent} does not lie above {self.unit}; name a unit of a layer above.")
        if any(height(upper.layer) <= height(lower.layer) for upper, lower in pairwise(self.path)):
            path = ",".join(map(str, self.path))
            raise InputError(f"The path {path} does not go down; name its units from the topmost down to {self.unit}.")

    @cached_property
    def heat(self) -> HeatMap:
        """Activation at each position, (H, W)."""
        return heat_map(self.network, self.photo, self.unit)

    @property
    def mapped(self) -> bool:
        """Whether the layer has positions to tell apart."""
        return self.network.layer(self.unit.layer).has_places

    @cached_property
    def peaks(self) -> tuple[Peak, ...]:
        """Where it fired most, or the neuron's own place."""
        if self.unit.position is not None:
            return (Peak(self.unit.position, self.value),)
        field = receptive_field(self.network, self.unit.layer, self.unit.channel)
        return peaks(self.heat, field, count=PEAKS, above=0.0 if self.mapped else -np.inf)

    def box(self, position: tuple[int, int]) -> Box:
        """What the unit can see at a position, in pixels of what the network saw."""
        return receptive_field(self.network, self.unit.layer, self.unit.channel).box(position)

    def is_large(self, box: Box) -> bool:
        """Whether a box is most of what the network saw."""
        height, width = self.network.preprocessing.size
        return box.area > _LARGE * height * width

    def place(self, position: tuple[int, int]) -> Box | None:
        """What the unit can see at a position, if that tells of a place."""
        box = self.box(position)
        return box if self.mapped and not self.is_large(box) else None

    @property
    def place_of_peak(self) -> Box | None:
        """What the unit can see where it fired most, if that tells of a place."""
        return self.place(self.peaks[0].position) if self.peaks else None

    @property
    def value(self) -> float:
        """The highest activation, or the neuron's own."""
        return float(self.heat.max() if self.unit.position is None else self.heat[self.unit.position])

    @cached_property
    def contributions(self) -> HeatMap | None:
        """What each position contributes to the target; `None` where the unit lies above it."""
        height = self.network.layers.index
        if height(self.unit.layer) > height(self.circuit.target.unit.partition(":")[0]):
            return None
        return argument_map(self.network, self.circuit, self.unit)

    @cached_property
    def attribution(self) -> float | None:
        """The sum of the contributions, or the neuron's own."""
        if self.contributions is None:
            return None
        return float(self.contributions.sum() if self.unit.position is None else self.contributions[self.unit.position])

    @cached_property
    def edge(self) -> EdgeMaps | None:
        """Which positions of the unit fed which of the parent's."""
        return None if self.parent is None else edge_maps(self.network, self.photo, self.unit, self.parent)

    @cached_property
    def attention(self) -> ClassAttention | None:
        """Where the class token looks in the block of a unit of it, or, of a class, in the last block."""
        return attention_behind(self.network, self.photo, self.unit)

    @cached_property
    def percentile(self) -> float | None:
        """In how many percent of the index's photos the unit fires less than here."""
        if self.index is None or self.unit.layer not in self.index.layers:
            return None
        return self.index.percentile(self.unit, self.value)

    def record(self, **settings: Any) -> dict[str, Any]:
        """All numbers, as JSON and as what a picture's file carries."""
        record: dict[str, Any] = {
            "network": {"name": self.network.name, "source": self.network.source, "sha256": self.network.sha256},
            "photo": {
                "name": self.photo.name,
                "sha256": self.photo.sha256,
                "window": list(self.network.preprocessing.window_of(self.photo)),
            },
            "predictions": self.circuit.graph.graph["predictions"],
            "unit": str(self.unit),
            "activation": {
                "value": self.value,
                "sum": float(self.heat.sum()),
                "positions": self.heat.size,
                "positive": int((self.heat > 0).sum()),
            },
            "peaks": [
                {"position": list(peak.position), "value": peak.value, "box": asdict(self.box(peak.position))}
                for peak in self.peaks
            ],
            "target": {"id": self.circuit.root, "label": self.circuit.target.label, "attribution": self.attribution},
        }
        if self.attention is not None:
            record["attention"] = {"layer": self.attention.layer, "heads": self.attention.heads.tolist()}
        if self.edge is not None:
            record["parent"] = {"unit": str(self.parent), "attribution": self.edge.attribution}
        if self.path:
            record["path"] = [str(unit) for unit in self.path]
        if self.percentile is not None and self.index is not None:
            record["exemplars"] = {"photos": self.index.photos, "percentile": self.percentile}
        return record | {"settings": settings, "versions": versions("torch")}


def one_unit(network: Network, text: str, option: str) -> Unit:
    """The one unit that a text means."""
    units = units_of(network, [text])
    if len(units) != 1:
        raise InputError(f"{option} {text!r} is {len(units)} units; evidence is about one, such as {units[0]}.")
    return units[0]


def path_of(network: Network, text: str, unit: Unit) -> tuple[Unit, ...]:
    """The units of a path, from the topmost down; the unit that evidence is about is its end, named or not."""
    units = [one_unit(network, part, "--path") for part in _parts(text)]
    if units and units[-1].whole == unit.whole:
        units.pop()
    if not units:
        raise InputError(f"--path {text!r} has no units above {unit}; name some, from the topmost down.")
    return (*units, unit)


def _parts(text: str) -> Sequence[str]:
    """Units with commas between; the comma of a position, as in conv4:3@1,2, is left alone.

    >>> _parts("fc:284, conv4:3@1,2,conv1:7")
    ['fc:284', 'conv4:3@1,2', 'conv1:7']
    """
    return [part.strip() for part in re.split(r",(?=[^,]*:)", text) if part.strip()]
