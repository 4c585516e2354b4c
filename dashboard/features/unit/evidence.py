"""Evidence as the page shows it: what the library finds in the photo and in a collection, as pictures and numbers."""

from typing import Any

import numpy as np
from PIL import Image

from circuits.evidence.layer_statistics import Standing, standing
from circuits.evidence.maps import argument_map, edge_maps, heat_map
from circuits.evidence.near_duplicates import near_duplicates
from circuits.evidence.patches import patch_of_picture, peaks
from circuits.evidence.saliency import gradient_picture, relative_picture
from circuits.image.encode import from_data_uri, overlay, show_map, show_picture
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.network.receptive_field import receptive_field
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import input_crop
from circuits.units import Unit
from dashboard.features.graph.folding import Alike
from dashboard.library import PICTURE, Explorer
from dashboard.session.state import Choices, Looking
from dashboard.work.collection import Collection
from dashboard.work.findings import (
    Breakdown,
    EdgeShown,
    Elsewhere,
    Glimpse,
    NoCollection,
    Places,
    Relative,
    Shot,
    Signed,
    Spot,
)
from dashboard.work.queue import Progress
from dashboard.work.shots import shot, wide

METHODS = {
    "gradient": "The plain gradient: which pixels the value hangs on. True, and noisy.",
    "gradient_x_input": "The gradient times the photo: what each pixel adds.",
    "guided": "Only what excites passes on the way back: clear, to look at and not to measure with.",
    "deconvnet": "Zeiler and Fergus's way back: clear, to look at and not to measure with.",
}
STARTS = {"peak": "Around the place where it fired most.", "map": "From every place where it fired."}
SPOTS = 3
_PATCH = 160
# A field that leaves out less than this share of the photo is not cut out.
_NEARLY_WHOLE = 0.9


class Evidence:
    """Answers to what the page asks of a unit or an edge; each may take a while.

    Args:
        explorer: the library.
        collection: exemplars of its network.
    """

    def __init__(self, explorer: Explorer, collection: Collection) -> None:
        self.explorer = explorer
        self.collection = collection

    def is_scalar(self, circuit: Circuit, name: str) -> bool:
        """Whether a unit has one value for the whole photo, and so no places."""
        layer = self.explorer.cut(circuit).layer(circuit.nodes[name].unit.layer)
        return layer.height * layer.width == 1

    def heat_of(self, network: Network, source: Circuit | Photo, unit: Unit) -> Shot:
        """Where any unit of the network fired, over the photo."""
        values, seen = heat_map(network, source, unit), input_crop(network, source)
        return shot(overlay(seen, values, size=PICTURE) if values.size > 1 else seen.resize((PICTURE, PICTURE)))

    def heat(self, circuit: Circuit, name: str) -> Shot:
        """Where a unit fired, over the photo."""
        return shot(self.explorer.heat(circuit, name))

    def books(self, circuit: Circuit, name: str, choices: Choices) -> Breakdown:
        """What a unit that is not expanded would be made of."""
        return self.explorer.would_show(circuit, name, choices)

    def standing(self, circuit: Circuit, name: str) -> Standing:
        """Where a unit stands among those of its layer, in this photo."""
        return standing(self.explorer.cut(circuit), circuit, circuit.nodes[name].unit)

    def places(self, circuit: Circuit, name: str) -> Places:
        """Where a unit fired most, and what it saw there."""
        return self.places_of(self.explorer.cut(circuit), circuit, circuit.nodes[name].unit)

    def places_of(self, network: Network, source: Circuit | Photo, unit: Unit) -> Places:
        """Where any unit of the network fired most, and what it saw there."""
        heat, photo = heat_map(network, source, unit), input_crop(network, source)
        field = receptive_field(network, unit.layer, unit.channel)
        spots = []
        for peak in peaks(heat, None if field.whole else field, count=SPOTS):
            box, (row, column) = field.box(peak.position), peak.position
            seen = None if field.whole or not box.area else shot(wide(photo.crop(box.corners), _PATCH))
            spots.append(
                Spot(peak.position, peak.value, (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0], seen)
            )
        return Places(tuple(spots), field.whole)

    def middle(self, circuit: Circuit, name: str) -> Shot:
        """The part of a unit's picture that the unit sees, as large as the patches of the photo."""
        unit, gallery = circuit.nodes[name].unit.whole, self.explorer.gallery
        path = gallery.file(gallery.key(unit))
        if path is None:
            raise FileNotFoundError(f"The picture of {unit} has gone.")
        with Image.open(path) as picture:
            image = picture.convert("RGB")
        return shot(patch_of_picture(self.explorer.cut(circuit), image, unit, zoom=gallery.zoom(unit), side=_PATCH))

    def argument(self, circuit: Circuit, name: str) -> Signed:
        """Where a unit's argument for the target came from."""
        return _signed(circuit, argument_map(self.explorer.network, circuit, circuit.nodes[name].unit))

    def glimpse(self, circuit: Circuit, name: str, looking: Looking) -> Glimpse:
        """A unit's gradient picture."""
        values = gradient_picture(
            self.explorer.network, circuit, _meant(circuit, name), method=looking.method, start=looking.start
        )
        return self._glimpse(circuit, name, values, looking)

    def relative(self, circuit: Circuit, lower: str, upper: str, looking: Looking) -> Relative:
        """A unit through the unit above it, and that one by itself, both started at the upper one."""
        child, parent = circuit.nodes[lower].unit, _meant(circuit, upper)
        values = relative_picture(
            self.explorer.network, circuit, child, parent, method=looking.method, start=looking.start
        )
        return Relative(upper, self._glimpse(circuit, upper, values, looking), self.glimpse(circuit, upper, looking))

    def edge(self, circuit: Circuit, lower: str, upper: str) -> EdgeShown:
        """Where an edge comes from and where it arrives."""
        maps = edge_maps(self.explorer.network, circuit, lower, upper)
        return EdgeShown(_signed(circuit, maps.lower), _signed(circuit, maps.upper), maps.upper.size == 1)

    def alike(self, circuit: Circuit) -> Alike:
        """Which units on the page fire in nearly the same places."""
        return Alike(near_duplicates(self.explorer.cut(circuit), circuit))

    def elsewhere(self, circuit: Circuit, name: str, progress: Progress) -> Elsewhere | NoCollection:
        """What a unit fires on in the collection."""
        node = circuit.nodes[name]
        return self.collection.of(node.unit.whole, node.max, progress)

    def elsewhere_of(
        self, network: Network, source: Circuit | Photo, unit: Unit, progress: Progress
    ) -> Elsewhere | NoCollection:
        """What any unit of the network fires on in the collection."""
        return self.collection.of(unit, float(heat_map(network, source, unit).max()), progress)

    def _glimpse(self, circuit: Circuit, name: str, values: Any, looking: Looking) -> Glimpse:
        """A gradient picture that was started at a unit, cut to what that unit's highest position sees."""
        node = circuit.nodes[name]
        around = None
        if looking.start == "peak" or node.unit.position is not None:
            position = node.unit.position or node.peak
            field = receptive_field(self.explorer.cut(circuit), node.unit.layer, node.unit.channel)
            box = field.box(position)
            if 0 < box.area < _NEARLY_WHOLE * values.shape[0] * values.shape[1]:
                values, around = values[box.top : box.bottom, box.left : box.right], position
        return Glimpse(shot(wide(show_picture(values), PICTURE)), around, not np.any(values))


def _seen(circuit: Circuit) -> Image.Image:
    """What the network saw of the photo, to the pixel."""
    return from_data_uri(circuit.photo_info.thumbnail)


def _meant(circuit: Circuit, name: str) -> Unit | str:
    """A node's unit; the target by its id, which may be a difference of two classes."""
    return name if name == circuit.root else circuit.nodes[name].unit


def _signed(circuit: Circuit, values: Any) -> Signed:
    image = show_map(_seen(circuit), values, size=PICTURE)
    return Signed(shot(image), float(np.sum(values, dtype=np.float64)), float(np.abs(values).max()))
