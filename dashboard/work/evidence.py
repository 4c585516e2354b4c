"""Evidence as the page shows it: what the library finds in the photo and in a collection, as pictures and numbers."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from cachetools import LRUCache
from PIL import Image

from circuits.evidence.attention import attention_behind
from circuits.evidence.class_effects import class_losses
from circuits.evidence.layer_statistics import layer_table
from circuits.evidence.maps import argument_map, edge_maps, heat_map, target_map
from circuits.evidence.near_duplicates import near_duplicates
from circuits.evidence.patches import field_of, patch_of_picture, patches_and_maps, peaks
from circuits.evidence.saliency import gradient_picture, relative_picture
from circuits.image.encode import from_data_uri, overlay, show_map, show_picture
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.network.operations import operation
from circuits.network.receptive_field import NEARLY_WHOLE, receptive_field
from circuits.tracing.circuit import Circuit
from circuits.tracing.groups import dictionaries_key
from circuits.tracing.source import forward_cache, input_crop
from circuits.units import Address, Progress, Unit
from dashboard.answers import (
    Alike,
    ClassPushes,
    ClassTokenLooks,
    CollectionExemplars,
    EdgeShown,
    InPhoto,
    NoCollection,
    Places,
    Relative,
    SaliencyPicture,
    Signed,
    Spot,
)
from dashboard.library import PICTURE, Library
from dashboard.session.state import Looking
from dashboard.webp import WebP, webp, wide
from dashboard.work.collection import Collection
from dashboard.work.results import IN_PHOTO, Query, digest, photo_key

SPOTS = 3
_PATCH = 160
_MOST_CLASSES = 4
_TILE = 128
_MOST_TILES = 2000


class Evidence:
    """Answers to what the page asks of a unit or an edge; each may take a while.

    Args:
        library: the library.
        collection: exemplars of its network.
    """

    def __init__(self, library: Library, collection: Collection) -> None:
        self.library = library
        self.collection = collection
        self._small: LRUCache[tuple[str, Address], tuple[WebP, WebP]] = LRUCache(_MOST_TILES)

    def is_scalar(self, circuit: Circuit, name: str) -> bool:
        """Whether a unit has one value for the whole photo, and so no places."""
        return not self.library.fit.cut(circuit).layer(circuit.nodes[name].unit.layer).has_places

    def heat(self, network: Network, source: Circuit | Photo, unit: Address) -> WebP:
        """Where a unit of the network fired, or a group of the circuit, over the photo."""
        values, seen = heat_map(network, source, unit), input_crop(network, source)
        if not forward_cache(network, source).network.layer(unit.layer).has_places:
            return webp(seen.resize((PICTURE, PICTURE)))
        return webp(overlay(seen, values, size=PICTURE))

    def places(self, network: Network, source: Circuit | Photo, unit: Address) -> Places:
        """Where a unit of the network fired most, and what it saw there; of a group what its layer's units see."""
        heat, photo = heat_map(network, source, unit), input_crop(network, source)
        own = field_of(network, unit)
        field, spots = own.for_patches, []
        # One that is negative everywhere, which no rectified unit is, has a highest place all the same.
        count, above = (1, -np.inf) if heat.max() < 0 else (SPOTS, 0.0)
        for peak in peaks(heat, None if field.whole else field, count=count, above=above):
            box, (row, column) = field.box(peak.position), peak.position
            seen = None if field.whole or not box.area else webp(wide(photo.crop(box.corners), _PATCH))
            spots.append(
                Spot(peak.position, peak.value, (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0], seen)
            )
        return Places(tuple(spots), field.whole, field is not own)

    def in_photo(
        self, network: Network, source: Circuit | Photo, units: Mapping[str, Address], progress: Progress
    ) -> InPhoto:
        """What units saw and did in a photo, by the names given; what was found for some of them is not found again."""
        photo = _small_key(network, source)
        missing = [unit for unit in units.values() if (photo, unit) not in self._small]
        if missing:
            made = patches_and_maps(network, source, missing, side=_TILE, progress=progress)
            for unit, (seen, fired) in zip(missing, made, strict=True):
                self._small[photo, unit] = webp(seen), webp(fired)
        return self.known_in_photo(network, source, units)

    def known_in_photo(self, network: Network, source: Circuit | Photo, units: Mapping[str, Address]) -> InPhoto:
        """The same of those units of which it is known already."""
        photo = _small_key(network, source)
        found = {name: self._small.get((photo, unit)) for name, unit in units.items()}
        patches, maps = ({name: pair[side] for name, pair in found.items() if pair is not None} for side in (0, 1))
        if isinstance(source, Circuit) and source.root in maps and self.is_scalar(source, source.root):
            # A class has no positions of its own: its map says from where its value, or the difference of two, came.
            shown = show_map(input_crop(network, source), target_map(network, source), size=_TILE)
            maps[source.root] = webp(shown)
        return InPhoto(patches, maps)

    def has_middle(self, circuit: Circuit, name: str) -> bool:
        """Whether a part of a unit's picture is what it sees at a place: its field is not nearly the whole photo."""
        field = field_of(self.library.fit.cut(circuit), circuit.nodes[name].unit)
        return field.for_patches is field

    def middle(self, circuit: Circuit, name: str) -> WebP:
        """The part of a unit's picture that the unit sees, as large as the patches of the photo."""
        unit, gallery = circuit.nodes[name].channel.whole, self.library.gallery
        path = gallery.file(gallery.key(unit))
        if path is None:
            raise FileNotFoundError(f"The picture of {unit} has gone.")
        with Image.open(path) as picture:
            image = picture.convert("RGB")
        return webp(patch_of_picture(self.library.fit.cut(circuit), image, unit, zoom=gallery.zoom(unit), side=_PATCH))

    def argument(self, circuit: Circuit, name: str) -> Signed:
        """Where a unit's contribution to the target came from; of the target itself, where its value did."""
        if name == circuit.root:
            return _signed(circuit, target_map(self.library.network, circuit))
        return _signed(circuit, argument_map(self.library.network, circuit, circuit.nodes[name].unit))

    def class_token_looks(self, circuit: Circuit, name: str) -> ClassTokenLooks:
        """Where the class token looks in the block of a unit of it; for a class in the last one that there is."""
        unit, seen = circuit.nodes[name].unit, _seen(circuit)
        shown = attention_behind(self.library.fit.cut(circuit), circuit, unit)
        if shown is None:
            return ClassTokenLooks(unit.layer, None, ())
        heads = tuple((webp(overlay(seen, head, size=_TILE)), float(head.sum())) for head in shown.heads)
        return ClassTokenLooks(shown.layer, webp(overlay(seen, shown.mean, size=PICTURE)), heads)

    def pushes(self, network: Network, source: Circuit | Photo, unit: Address) -> ClassPushes:
        """The classes whose logits a unit of the network, or a group, pushes up and down most, by ablation."""
        found = class_losses(network, source, unit)
        order = np.argsort(-found, kind="stable").tolist()
        up = tuple((network.label(n), float(found[n])) for n in order[:_MOST_CLASSES] if found[n] > 0)
        down = tuple((network.label(n), float(found[n])) for n in order[::-1][:_MOST_CLASSES] if found[n] < 0)
        return ClassPushes(up, down)

    def saliency(self, circuit: Circuit, name: str, looking: Looking) -> SaliencyPicture:
        """A unit's gradient picture."""
        looking = looking.among(self.library.methods)
        values = gradient_picture(
            self.library.network, circuit, _meant(circuit, name), method=looking.method, start=looking.start
        )
        return self._saliency(circuit, name, values, looking)

    def has_relative(self, circuit: Circuit, lower: str, upper: str) -> bool:
        """Whether a unit can be shown through one above it: groups have no gradient pictures."""
        return all(isinstance(circuit.nodes[name].unit, Unit) for name in (lower, upper))

    def relative(self, circuit: Circuit, lower: str, upper: str, looking: Looking) -> Relative:
        """A unit through the unit above it, and that one by itself, both started at the upper one."""
        looking = looking.among(self.library.methods)
        child, parent = circuit.nodes[lower].channel, _meant(circuit, upper)
        values = relative_picture(
            self.library.network, circuit, child, parent, method=looking.method, start=looking.start
        )
        return Relative(upper, self._saliency(circuit, upper, values, looking), self.saliency(circuit, upper, looking))

    def edge(self, circuit: Circuit, lower: str, upper: str) -> EdgeShown:
        """Where an edge comes from and where it arrives."""
        maps = edge_maps(self.library.network, circuit, lower, upper)
        from_scalar, scalar = (self.is_scalar(circuit, name) for name in (lower, upper))
        return EdgeShown(_signed(circuit, maps.lower), _signed(circuit, maps.upper), scalar, from_scalar)

    def alike(self, circuit: Circuit) -> Alike:
        """Which units on the page fire in nearly the same places."""
        return Alike(near_duplicates(self.library.fit.cut(circuit), circuit))

    def exemplars(
        self, network: Network, source: Circuit | Photo, unit: Unit, progress: Progress
    ) -> CollectionExemplars | NoCollection:
        """What a unit of the network fires on in the collection."""
        return self.collection.of(unit, float(heat_map(network, source, unit).max()), progress)

    def _saliency(self, circuit: Circuit, name: str, values: Any, looking: Looking) -> SaliencyPicture:
        """A gradient picture that was started at a unit, cut to what that unit's highest position sees."""
        node = circuit.nodes[name]
        around, around_peak = None, looking.start == "peak" or node.position is not None
        if around_peak:
            position = node.position or node.peak
            field = receptive_field(self.library.fit.cut(circuit), node.unit.layer, node.channel.channel)
            box = field.box(position)
            if 0 < box.area < NEARLY_WHOLE * values.shape[0] * values.shape[1]:
                values, around = values[box.top : box.bottom, box.left : box.right], position
        layer = self.library.fit.cut(circuit).layer(node.unit.layer)
        cap, value = operation(self.library.network.traced, layer.node).cap, node.max
        at_limit = around_peak and cap is not None and value >= cap
        return SaliencyPicture(webp(wide(show_picture(values), PICTURE)), around, not np.any(values), at_limit)


def _small_key(network: Network, source: Circuit | Photo) -> str:
    groups = dictionaries_key(source) if isinstance(source, Circuit) else ""
    return digest(*source_key(source, rooted=False), *network.layers, groups)


def _seen(circuit: Circuit) -> Image.Image:
    """What the network saw of the photo, to the pixel."""
    return from_data_uri(circuit.photo_info.thumbnail)


def _meant(circuit: Circuit, name: str) -> Unit | str:
    """A node's unit; the target by its id, which may be a difference of two classes."""
    return name if name == circuit.root else circuit.nodes[name].channel


def _signed(circuit: Circuit, values: Any) -> Signed:
    image = show_map(_seen(circuit), values, size=PICTURE)
    return Signed(webp(image), float(np.sum(values, dtype=np.float64)), float(np.abs(values).max()))


TABLE = "layer"


def layer_query(network: Network, source: Circuit | Photo, layer: str) -> Query:
    """What every unit of a layer did in a photo, and its share of the target if the source is a circuit."""
    key = digest(*source_key(source), network.sha256, " ".join(network.layers), layer)
    return Query(TABLE, f"{TABLE}/{key}", lambda _: layer_table(network, source, layer))


def relative_query(circuit: Circuit, lower: str, upper: str, looking: Looking, evidence: Evidence) -> Query:
    """A unit through the unit above it."""
    key = f"{photo_key(circuit)}/{lower}/relative/{upper}/{looking.method}/{looking.start}"
    return Query("relative", key, lambda _: evidence.relative(circuit, lower, upper, looking), 2)


def in_photo_query(circuit: Circuit, evidence: Evidence, where: str = "") -> Query:
    """What the units of a circuit of this network did in its photo."""
    units = {name: circuit.nodes[name].unit for name in sorted(circuit.visible)}
    key = f"{photo_key(circuit)}/tiles/{digest(*units, *circuit.layers, dictionaries_key(circuit))}"
    network = evidence.library.fit.cut(circuit)
    return Query(IN_PHOTO + where, key, partial(evidence.in_photo, network, circuit, units), 0)


def source_key(source: Circuit | Photo, *, rooted: bool = True) -> tuple[str, ...]:
    """What answers depend on: the photo as the network sees it, and the target if that matters."""
    if isinstance(source, Photo):
        return source.sha256, str(source.window), str(source.whole), ""
    return source.photo_info.thumbnail, source.root if rooted else ""
