"""Peaks: where a map is highest, at places that differ; and patches: what the network saw there.

1. A position is a local maximum if none of its eight neighbours is higher; of equal ones the first, by row and column.
   (`skimage.feature.peak_local_max` takes all positions of a plateau, and none of a constant map.)
2. Take the highest; drop every other whose receptive field overlaps it by more than a third, intersection over union;
   go on with the next highest. Two patches that overlap by more show the same thing twice, at any depth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from circuits.errors import InputError
from circuits.evidence.maps import heat_map
from circuits.exemplars.exemplars import cut_to_field
from circuits.image.encode import overlay
from circuits.network.network import Network
from circuits.network.receptive_field import Box, ReceptiveField, receptive_field
from circuits.shapes import HeatMap
from circuits.tracing.source import Source, activations_of, input_crop
from circuits.units import Address, Group, Progress, Unit, as_unit
from circuits.visualization.contact_sheet import box

# Two fields that lie half a side apart share a third of the pixels of both.
OVERLAP = 1 / 3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Peak:
    """A local maximum of a map: its position (row, column) in the layer's grid, and the value there."""

    position: tuple[int, int]
    value: float


def peaks(
    heat: HeatMap, field: ReceptiveField | None = None, *, count: int = 3, overlap: float = OVERLAP, above: float = 0.0
) -> tuple[Peak, ...]:
    """The highest local maxima of a map, at places that differ; highest first, ties by row and column.

    Args:
        heat: a map of a layer, (H, W): of a unit's activation, or of what it contributes.
        field: of the layer or unit; `None` tells places apart by being local maxima alone.
        count: how many at most.
        overlap: fields that overlap by more, intersection over union, count as one place.
        above: only values above this; `-math.inf` for a unit that may be negative.

    Raises:
        InputError: if the count is less than 1, the overlap is not between 0 and 1, the map holds NaN, or the field is
            of another layer.

    Example:
        >>> peaks(np.array([[0.0, 2.0, 1.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]))
        (Peak(position=(2, 0), value=3.0), Peak(position=(0, 1), value=2.0))
    """
    if count < 1 or not 0 <= overlap <= 1:
        raise InputError(f"count is {count} and overlap {overlap}; they must be at least 1, and between 0 and 1.")
    if np.isnan(heat).any():
        raise InputError("The map holds NaN, so that it has no highest place.")
    if field is not None and field.boxes.shape[:2] != heat.shape:
        raise InputError(f"The map is {heat.shape}, but the field is of a layer of {field.boxes.shape[:2]} positions.")
    chosen: list[Peak] = []
    boxes: list[Box] = []
    for position in _local_maxima(heat):
        if heat[position] <= above or len(chosen) == count:
            break
        if field is not None:
            box = field.box(position)
            if any(box.overlap(other) > overlap + _ROUNDING for other in boxes):
                continue
            boxes.append(box)
        chosen.append(Peak(position, float(heat[position])))
    return tuple(chosen)


def _local_maxima(heat: HeatMap) -> list[tuple[int, int]]:
    """Positions that come before their eight neighbours in the order by value, row and column; in that order."""
    order = np.argsort(-heat, axis=None, kind="stable")
    rank = np.empty(heat.size, dtype=np.int64)
    rank[order] = np.arange(heat.size)
    around = np.pad(rank.reshape(heat.shape), 1, constant_values=heat.size)
    first = rank == sliding_window_view(around, (3, 3)).min(axis=(2, 3)).ravel()
    return [divmod(int(at), heat.shape[1]) for at in order if first[at]]


def patch(
    network: Network,
    source: Source,
    unit: Unit | str,
    position: tuple[int, int] | None = None,
    *,
    side: int | None = None,
) -> Image.Image:
    """What the network saw at a position of a unit: its crop of the photo, cut to the unit's receptive field.

    A unit that sees nearly the whole photo has the neighbourhood of the position (`ReceptiveField.for_patches`).

    Args:
        network: the network.
        source: a photo, such as an exemplar, or a circuit that carries its photo.
        unit: the unit, or a neuron.
        position: (row, column); the neuron's, or where the unit fired most, if `None`.
        side: enlarge the patch so that its longer side has that many pixels.

    Raises:
        UnknownError: if the network has no such unit or position.
        InputError: if no pixel reaches the position, side is less than 1, or the circuit does not carry its photo.

    Example:
        >>> from circuits import load_network, load_photo
        >>> patch(load_network(), load_photo("example:cat"), "conv3:17@8,8").size
        (20, 20)
    """
    unit = as_unit(unit)
    network.check_unit(unit)
    if position is None:
        position = unit.position or peaks(heat_map(network, source, unit), count=1, above=-np.inf)[0].position
    return _enlarged(cut_to_field(input_crop(network, source), network, unit, position), side)


def patches_and_maps(
    network: Network, source: Source, units: Sequence[Address], *, side: int, progress: Progress | None = None
) -> Iterator[tuple[Image.Image, Image.Image]]:
    """For each unit the part of a photo that it saw where it fired most, and its activation over the photo.

    A unit that has one value for the whole photo saw all of it, and so does one that no pixel reaches. One of a
    transformer's class token has no place in the photo: both pictures are a tile with the token's name. Of one whose
    field is nearly the whole photo it is what lies around the place (`ReceptiveField.for_patches`).

    Args:
        network: the network.
        source: the photo, or a circuit that carries it.
        units: which, or neurons, or groups of the circuit.
        side: the longer side of both pictures, in pixels.
        progress: told how far, and may raise to stop.

    Raises:
        UnknownError: if the network has no such unit, or the circuit no such group.
        InputError: if the circuit does not carry its photo.

    Example:
        >>> from circuits import Unit, load_network, load_photo
        >>> (seen, fired), = patches_and_maps(load_network(), load_photo("example:cat"), [Unit("conv3", 17)], side=64)
        >>> seen.size, fired.size
        ((64, 64), (64, 64))
    """
    crop = input_crop(network, source)
    seen_by, activations = activations_of(network, source, list(dict.fromkeys(unit.layer for unit in units)))
    for done, unit in enumerate(units):
        if progress is not None:
            progress(done, len(units), "")
        if isinstance(unit, Group):
            values = heat_map(network, source, unit)
        else:
            values = activations[unit.layer][0, unit.channel].cpu().numpy()
        if seen_by.layer(unit.layer).is_of_extra_tokens:
            chip = _chip(values, side)
            yield chip, chip
            continue
        if not seen_by.layer(unit.layer).has_places:
            whole = _enlarged(crop, side)
            yield whole, whole
            continue
        own = unit.position if isinstance(unit, Unit) else None
        row, column = own or divmod(int(values.argmax()), values.shape[1])
        box = field_of(seen_by, unit).for_patches.box((row, column))
        seen = crop.crop(box.corners) if box.area else crop
        yield _enlarged(seen, side), overlay(crop, values, size=side)


def _chip(values: HeatMap, side: int) -> Image.Image:
    """What stands for a unit of the tokens that are no patches: the one in which it fired most."""
    token = int(values.argmax())
    return box(side, *(("extra", f"token {token}") if token else ("class", "token")), letters=side // 5)


def field_of(network: Network, unit: Address) -> ReceptiveField:
    """The pixels that a unit can see; of a group those that the units of its layer can."""
    return receptive_field(network, unit.layer, unit.channel if isinstance(unit, Unit) else None)


def patch_of_picture(
    network: Network, picture: Image.Image, unit: Unit | str, *, zoom: int = 1, side: int | None = None
) -> Image.Image:
    """The part of a picture of a neuron that the neuron sees: the middle position's field, at the scale of `patch`.

    Args:
        network: the network.
        picture: what the unit looks for, of any size.
        unit: the unit.
        zoom: how many pixels of the picture, along a side, make one pixel for the network.
        side: enlarge the patch so that its longer side has that many pixels.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if zoom or side is less than 1, or the picture has less than a pixel for the network.

    Example:
        >>> from circuits import load_network
        >>> patch_of_picture(load_network(), Image.new("RGB", (128, 128)), "conv3:17", zoom=2).size
        (40, 40)
    """
    unit = as_unit(unit)
    network.check_unit(unit)
    if zoom < 1 or min(picture.size) < zoom:
        raise InputError(
            f"A picture of {picture.width}×{picture.height} cannot be zoomed {zoom} times; choose 1 or more."
        )
    field = _field_on(network, unit, (picture.height // zoom, picture.width // zoom))
    down, right = picture.height / field.image[0], picture.width / field.image[1]
    box = field.box(field.middle)
    corners = round(box.left * right), round(box.top * down), round(box.right * right), round(box.bottom * down)
    return _enlarged(picture.crop(corners), side)


def _field_on(network: Network, unit: Unit, shown: tuple[int, int]) -> ReceptiveField:
    """The unit's field on images of a size, or, where the network cannot be shown them, of its own input size."""
    try:
        return receptive_field(network, unit.layer, unit.channel, size=shown)
    except (RuntimeError, ValueError, IndexError):  # each operation has its own complaint
        return receptive_field(network, unit.layer, unit.channel)


def _enlarged(image: Image.Image, side: int | None) -> Image.Image:
    if side is None:
        return image
    if side < 1:
        raise InputError(f"side is {side}; a patch is at least 1 pixel wide.")
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)
