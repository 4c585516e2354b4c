"""The sheet of `circuits evidence`: what a unit did in a photo, section by section."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from circuits.cli.evidence_facts import Case
from circuits.cli.evidence_layout import COLUMNS, Cell, Look, Section, fitted, mark, page, ringed, stacked
from circuits.cli.evidence_others import exemplars_of
from circuits.evidence.patches import patch_of_picture
from circuits.evidence.saliency import METHODS, GradientPicture, gradient_picture, path_picture, relative_picture
from circuits.image.encode import overlay, show_map, show_picture
from circuits.network.receptive_field import Box
from circuits.report.text import number, percent
from circuits.tracing.run import input_crop
from circuits.units import Unit
from circuits.visualization.contact_sheet import box
from circuits.visualization.render import Picture

HELD = 0.75
"""Share of a gradient picture's magnitude that a patch holds where the field is too large to tell a place."""

Pictures = Callable[[Sequence[Unit]], list[Picture]]
_METHOD = {"gradient": "gradient", "gradient_x_input": "gradient × input"}


def whole_sheet(case: Case, look: Look, pictures: Pictures | None) -> Image.Image:
    """All that there is to see about a unit in a photo.

    Args:
        case: the unit and the photo.
        look: how it is drawn.
        pictures: gives pictures of what units look for; `None` leaves them out.
    """
    sections = list(_sections(case, look, pictures))
    columns = max(len(row) for section in sections for row in section.rows)
    return stacked([page(section, columns, look.size) for section in sections])


def _sections(case: Case, look: Look, pictures: Pictures | None) -> Iterator[Section]:
    yield _overview(case, look, pictures)
    found = [_patches(case, look)] if case.mapped and case.peaks else []
    yield from _joined([*found, _gradients(case, look)])
    if case.parent is not None:
        yield _parent(case, look, pictures)
    if case.path:
        yield _path(case, look, pictures)
    if case.percentile is not None:
        yield exemplars_of(case, look)


def _joined(sections: list[Section]) -> list[Section]:
    """The sections; in one row, if there is room for all their cells."""
    rows = [row for section in sections for row in section.rows]
    if len(sections) < 2 or sum(map(len, rows)) > COLUMNS:
        return sections
    cells = tuple(cell for row in rows for cell in row)
    note = " · ".join(section.note for section in sections)
    return [Section("Where it fired most, and which pixels moved it", note, (cells,))]


def _overview(case: Case, look: Look, pictures: Pictures | None) -> Section:
    crop = input_crop(case.network, case.photo)
    seen = [f"{row.label.partition(',')[0]}, {percent(row.probability)}" for row in case.circuit.predictions[:1]]
    cells = [Cell(_boxed(case, crop, look.size), "what the network saw", *seen)]
    if case.mapped:
        heat = _numbered(case, overlay(crop, case.heat, size=look.size))
        cells.append(Cell(heat, "where it fired", f"{number(case.value)} at most"))
    if case.argument is not None and case.argument.size > 1:
        shown = show_map(crop, case.argument, size=look.size)
        cells.append(Cell(shown, "where it argued", "blue: for, orange: against"))
    if pictures is not None:
        cells += _wanted(case, look, pictures)
    title = f"{case.name(case.unit)} in {case.photo.name}"
    return Section(title, _told(case), (tuple(cells),))


def _wanted(case: Case, look: Look, pictures: Pictures) -> list[Cell]:
    """What the unit looks for; and one neuron of it, at the scale of the patches, where those tell of a place."""
    asked = [case.unit.whole]
    close = case.mapped and bool(case.peaks) and not case.is_large(case.box(case.peaks[0]))
    if close:
        asked.append(Unit(case.unit.layer, case.unit.channel, (case.heat.shape[0] // 2, case.heat.shape[1] // 2)))
    drawn = pictures(asked)
    cells = [_drawn(drawn[0], look.size, "what it looks for")]
    if close:
        part = patch_of_picture(case.network, drawn[1].image, case.unit, zoom=drawn[1].zoom, side=look.size)
        cells.append(Cell(part, "the same, close", "at the scale of the patches"))
    return cells


def _told(case: Case) -> str:
    """The numbers, in small print."""
    parts = [case.network.name, f"activation {number(case.value)}"]
    if case.mapped:
        share = float((case.heat > 0).mean())
        parts.append(f"fired at {percent(share)} of {case.heat.size} positions" if case.value > 0 else "silent here")
    if case.percentile is not None and case.index is not None:
        parts.append(f"higher than in {percent(case.percentile / 100)} of {case.index.photos} photos")
    if case.attribution is None:
        parts.append(f"above the target {_target(case)}, so no argument for it")
    else:
        side = "against" if case.attribution < 0 else "for"
        parts.append(f"argues {side} {_target(case)}: {number(case.attribution, sign=True)}")
    return " · ".join(parts)


def _target(case: Case) -> str:
    return str(case.circuit.target.label).partition(",")[0]


def _drawn(picture: Picture, size: int, title: str) -> Cell:
    if picture.dead:
        return Cell(box(size, "never lit up"), title, "nothing found that excites it")
    return Cell(picture.image, title, f"reaches {number(picture.activation)}")


def _patches(case: Case, look: Look) -> Section:
    """At each peak what was there, and which of its pixels mattered."""
    crop, cells = input_crop(case.network, case.photo), []
    large = False
    for at, peak in enumerate(case.peaks, start=1):
        neuron = Unit(case.unit.layer, case.unit.channel, peak.position)
        signed = gradient_picture(case.network, case.photo, neuron, method="guided", smooth=look.smooth)
        seen = case.box(peak)
        if case.is_large(seen):
            large, seen = True, held(signed, HELD)
        if not seen.area:
            continue
        own = signed[seen.top : seen.bottom, seen.left : seen.right]
        row, column = peak.position
        cells.append(Cell(crop.crop(seen.corners), f"patch {at}", f"{number(peak.value)} at {row},{column}"))
        cells.append(Cell(_shown(own, look), f"its pixels {at}", "guided gradient"))
    note = "what the unit can see at each of its peaks · beside it, which of these pixels excite it there"
    if large:
        note = (
            "the unit can see most of the photo, so each patch is cut to where "
            f"{percent(HELD)} of its guided gradient lies · beside it, which of these pixels excite it there"
        )
    return Section("Where it fired most", note, _in_rows(cells))


def held(signed: GradientPicture, share: float) -> Box:
    """The smallest square, in steps of a sixteenth of the picture, that holds a share of its magnitude.

    >>> picture = np.zeros((32, 32, 3), dtype=np.float32)
    >>> picture[4:8, 20:22] = 1.0
    >>> held(picture, 1.0)
    Box(top=4, left=18, bottom=8, right=22)
    """
    height, width = signed.shape[:2]
    sums = np.pad(np.abs(signed).sum(2, dtype=np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    if not sums[-1, -1]:
        return Box(0, 0, height, width)
    step = max(1, min(height, width) // 16)
    for side in range(step, max(height, width) + step, step):
        high, wide = min(side, height), min(side, width)
        inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
        top, left = divmod(int(inside.argmax()), inside.shape[1])
        if inside[top, left] >= share * sums[-1, -1] * (1 - 1e-9):
            return Box(top, left, top + high, left + wide)
    return Box(0, 0, height, width)


def _shown(signed: GradientPicture, look: Look) -> Image.Image:
    return show_picture(signed, size=look.size) if signed.any() else box(look.size, "all zero")


def _gradients(case: Case, look: Look) -> Section:
    """The four ways to ask which pixels moved it."""
    cells = []
    seen = case.box(case.peaks[0]) if case.mapped and case.peaks else None
    cut = seen is not None and not case.is_large(seen) and (look.start == "peak" or case.unit.position is not None)
    for method in METHODS:
        signed = gradient_picture(
            case.network, case.photo, case.unit, method=method, start=look.start, smooth=look.smooth
        )
        if seen is not None and cut:
            signed = signed[seen.top : seen.bottom, seen.left : seen.right]
        told = "for looking only" if method in ("guided", "deconvnet") else "true"
        shown = _shown(signed, look)
        cells.append(Cell(shown, _METHOD.get(method, method), told))
    started = "from its highest position" if look.start == "peak" else "from everywhere it fired"
    if case.unit.position is not None:
        started = "from this neuron"
    notes = [f"{started}, back to the pixels", "grey: no effect", "brighter: more of that colour excites it"]
    if cut:
        notes.insert(1, "cut to patch 1")
    if look.smooth:
        notes.append(f"mean over {look.smooth} noisy copies of the photo")
    return Section("Which pixels moved it", " · ".join(notes), (tuple(cells),))


def _parent(case: Case, look: Look, pictures: Pictures | None) -> Section:
    """What the unit did for one above: where it fed it, and its pixels around the place where that one fired."""
    assert case.parent is not None
    assert case.edge is not None
    crop = input_crop(case.network, case.photo)
    name = case.name(case.parent)
    cells = []
    if pictures is not None:
        cells.append(_drawn(pictures([case.parent.whole])[0], look.size, name))
    if case.edge.upper.size > 1:
        cells.append(Cell(show_map(crop, case.edge.upper, size=look.size), "where it got it", f"positions of {name}"))
    if case.edge.lower.size > 1:
        lower = show_map(crop, case.edge.lower, size=look.size)
        cells.append(Cell(lower, "where it came from", f"positions of {case.name(case.unit)}"))
    empty = False
    for method, told in (("guided", "guided gradient"), ("gradient", "true gradient")):
        signed = relative_picture(
            case.network, case.photo, case.unit, case.parent, method=method, start=look.start, smooth=look.smooth
        )
        reached = bool(signed.any())
        empty = empty or not reached
        cells.append(Cell(_shown(signed, look), "pixels, through the unit", told if reached else f"{told}: all zero"))
    gave = number(case.edge.attribution, sign=True)
    note = (
        f"{case.name(case.unit)} gave it {gave} · the pixels are those by which {name}, "
        "around where it fired, hangs on this unit alone"
    )
    if empty:
        note += f" · all zero: nothing of this unit reaches {name} there"
    return Section(f"What it did for {name}", note, (tuple(cells),))


def _path(case: Case, look: Look, pictures: Pictures | None) -> Section:
    """Each unit of the path, what it looks for above what is left of the gradient that reaches it from the top."""
    lines, note = [], "the pixels of each unit, seen through all the units before it"
    names = [case.name(unit) for unit in case.path]
    if pictures is not None:
        drawn = pictures([unit.whole for unit in case.path])
        lines.append([_drawn(picture, look.size, name) for picture, name in zip(drawn, names, strict=True)])
        note = "above, what each unit looks for · below, its pixels, seen through all the units before it"
    pixels = []
    for at, name in enumerate(names, start=1):
        signed = path_picture(case.network, case.photo, case.path[:at], start=look.start, smooth=look.smooth)
        if at > 1 and not signed.any():
            note += f" · all zero: nothing of {name} reaches {names[at - 2]} this way"
        pixels.append(Cell(_shown(signed, look), f"… > {name}" if at > 1 else name, "guided gradient"))
    lines.append(pixels)
    rows = [tuple(cells[first : first + COLUMNS]) for first in range(0, len(names), COLUMNS) for cells in lines]
    return Section(f"The path {' > '.join(names)}", note, tuple(rows))


def _boxed(case: Case, crop: Image.Image, size: int) -> Image.Image:
    """What the network saw, with the fields of the peaks, where they tell of a place."""
    image = fitted(crop, size)
    if not case.mapped:
        return image
    scale = size / max(crop.size)
    left, top = (size - crop.width * scale) / 2, (size - crop.height * scale) / 2
    for at, peak in reversed(list(enumerate(case.peaks, start=1))):
        seen = case.box(peak)
        if case.is_large(seen) or not seen.area:
            continue
        corners = [edge * scale + shift for edge, shift in zip(seen.corners, (left, top, left, top), strict=True)]
        mark(image, (corners[0], corners[1], corners[2] - 1, corners[3] - 1), str(at))
    return image


def _numbered(case: Case, heat: Image.Image) -> Image.Image:
    """A heat map with a ring around each peak."""
    for at, peak in reversed(list(enumerate(case.peaks, start=1))):
        ringed(heat, case.heat.shape, peak.position, str(at))
    return heat


def _in_rows(cells: Sequence[Cell]) -> tuple[tuple[Cell, ...], ...]:
    count = math.ceil(len(cells) / COLUMNS)
    return tuple(tuple(cells[at * COLUMNS : (at + 1) * COLUMNS]) for at in range(count))
