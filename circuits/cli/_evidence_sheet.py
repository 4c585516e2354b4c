"""The sheet of `circuits evidence`: what a unit did in a photo, section by section."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from circuits.cli._evidence_layout import Cell, Section, fitted, framed, page, ringed, stacked
from circuits.cli._unit_evidence import UnitEvidence
from circuits.cli.exemplars import lists_of
from circuits.cli.unit_expressions import short_name
from circuits.errors import InputError
from circuits.evidence.attention import ClassAttention
from circuits.evidence.descent import GradientPicture, clearest_method, methods_of
from circuits.evidence.patches import patch_of_picture
from circuits.evidence.saliency import gradient_picture, path_picture, relative_picture
from circuits.exemplars.exemplars import Exemplar, exemplar_crop, exemplar_patch
from circuits.image.encode import overlay, show_map, show_picture
from circuits.network.receptive_field import Box
from circuits.report.text import number, percent
from circuits.tracing.source import input_crop
from circuits.units import Unit
from circuits.visualization.contact_sheet import box
from circuits.visualization.render import Picture

COLUMNS = 6
HELD = 0.75
"""Share of a gradient picture's magnitude that a patch holds where the field is too large to tell a place."""
_METHOD = {"gradient": "gradient", "gradient_x_input": "gradient × input"}


@dataclass(frozen=True)
class SheetStyle:
    """How the sheet is drawn.

    Args:
        size: side of each picture, in pixels.
        start: of gradient pictures, `peak` or `map`.
        smooth: noisy copies of the photo that they are the mean of.
        pictures: gives pictures of what units look for; `None` leaves them out.
    """

    size: int = 192
    start: str = "peak"
    smooth: int = 0
    pictures: Callable[[Sequence[Unit]], list[Picture]] | None = None

    def shown(self, signed: GradientPicture) -> Image.Image:
        """A gradient picture in the size of the sheet's, or a box that says that it is zero."""
        return show_picture(signed, size=self.size) if signed.any() else box(self.size, "all zero")

    def drawn(self, picture: Picture, title: str) -> Cell:
        """What a unit looks for."""
        if picture.dead:
            return Cell(box(self.size, "never activated"), title, "no image found that activates it")
        return Cell(picture.image, title, f"reaches {number(picture.activation)}")


def whole_sheet(evidence: UnitEvidence, style: SheetStyle) -> Image.Image:
    """All that there is to see about a unit in a photo."""
    sections = list(_sections(evidence, style))
    columns = max(len(row) for section in sections for row in section.rows)
    return stacked([page(section, columns, style.size) for section in sections])


def _sections(evidence: UnitEvidence, style: SheetStyle) -> Iterator[Section]:
    yield _overview(evidence, style)
    patches = [_patches(evidence, style)] if evidence.mapped and evidence.peaks else []
    yield from _joined([*patches, _gradients(evidence, style)])
    if evidence.attention is not None:
        yield _attention(evidence, evidence.attention, style)
    if evidence.parent is not None:
        yield _parent(evidence, evidence.parent, style)
    if evidence.path:
        yield _path(evidence, style)
    if evidence.percentile is not None:
        yield _exemplars(evidence, style)


def _joined(sections: list[Section]) -> list[Section]:
    """The sections; in one row, if there is room for all their cells."""
    cells = tuple(cell for section in sections for row in section.rows for cell in row)
    if len(sections) < 2 or len(cells) > COLUMNS:
        return sections
    note = " · ".join(section.note for section in sections)
    return [Section("Where it fired most, and the pixels it depends on", note, (cells,))]


def _overview(evidence: UnitEvidence, style: SheetStyle) -> Section:
    crop = input_crop(evidence.network, evidence.photo)
    best = [f"{row.label.partition(',')[0]}, {percent(row.probability)}" for row in evidence.circuit.predictions[:1]]
    cells = [Cell(_with_frames(evidence, crop, style.size), "what the network saw", *best)]
    if evidence.mapped:
        heat = overlay(crop, evidence.heat, size=style.size)
        for at, peak in reversed(list(enumerate(evidence.peaks, start=1))):
            ringed(heat, evidence.heat.shape, peak.position, str(at))
        cells.append(Cell(heat, "where it fired", f"{number(evidence.value)} at most"))
    if evidence.contributions is not None and evidence.contributions.size > 1:
        contributions = show_map(crop, evidence.contributions, size=style.size)
        cells.append(Cell(contributions, "contribution by position", "teal: for, orange: against"))
    if style.pictures is not None:
        units = [evidence.unit.whole]
        close = evidence.place_of_peak is not None
        if close:
            height, width = evidence.heat.shape
            units.append(Unit(evidence.unit.layer, evidence.unit.channel, (height // 2, width // 2)))
        pictures = style.pictures(units)
        cells.append(style.drawn(pictures[0], "what it looks for"))
        if close:  # one neuron of it, at the scale of the patches
            middle = pictures[1]
            part = patch_of_picture(evidence.network, middle.image, evidence.unit, zoom=middle.zoom, side=style.size)
            cells.append(Cell(part, "the same, close", "at the scale of the patches"))
    title = f"{short_name(evidence.network, evidence.unit)} in {evidence.photo.name}"
    return Section(title, _numbers(evidence), (tuple(cells),))


def _with_frames(evidence: UnitEvidence, crop: Image.Image, size: int) -> Image.Image:
    """What the network saw, with the receptive fields of the peaks, where they tell of a place."""
    image = fitted(crop, size)
    scale = size / max(crop.size)
    left, top = (size - crop.width * scale) / 2, (size - crop.height * scale) / 2
    for at, peak in reversed(list(enumerate(evidence.peaks, start=1))):
        seen = evidence.place(peak.position)
        if seen is not None and seen.area:
            corners = [edge * scale + shift for edge, shift in zip(seen.corners, (left, top, left, top), strict=True)]
            framed(image, (corners[0], corners[1], corners[2] - 1, corners[3] - 1), str(at))
    return image


def _numbers(evidence: UnitEvidence) -> str:
    """The numbers, in small print."""
    parts = [evidence.network.name, f"activation {number(evidence.value)}"]
    if evidence.mapped:
        share = percent(float((evidence.heat > 0).mean()))
        parts.append(f"fired at {share} of {evidence.heat.size} positions" if evidence.value > 0 else "silent here")
    if evidence.percentile is not None and evidence.index is not None:
        parts.append(f"higher than in {percent(evidence.percentile / 100)} of {evidence.index.photos} photos")
    target = evidence.circuit.target.label.partition(",")[0]
    if evidence.attribution is None:
        parts.append(f"above the target {target}, so no contribution to it")
    else:
        parts.append(f"contributes {number(evidence.attribution, sign=True)} to {target}")
    return " · ".join(parts)


def _patches(evidence: UnitEvidence, style: SheetStyle) -> Section:
    """At each peak what was there, and which of its pixels mattered."""
    crop, cells = input_crop(evidence.network, evidence.photo), []
    note = "the receptive field at each peak · beside it, the pixels that excite it there"
    method = clearest_method(evidence.network)
    kind = "guided gradient" if method == "guided" else "gradient"
    for at, peak in enumerate(evidence.peaks, start=1):
        neuron = Unit(evidence.unit.layer, evidence.unit.channel, peak.position)
        signed = gradient_picture(evidence.network, evidence.photo, neuron, method=method, smooth=style.smooth)
        seen = evidence.place(peak.position)
        if seen is None:
            seen = held(signed, HELD)
            note = (
                f"the receptive field covers most of the photo, so each patch shows {percent(HELD)} of the {kind} "
                "· beside it, the pixels that excite it there"
            )
        if seen.area:
            row, column = peak.position
            own = signed[seen.top : seen.bottom, seen.left : seen.right]
            cells.append(Cell(crop.crop(seen.corners), f"patch {at}", f"{number(peak.value)} at {row},{column}"))
            cells.append(Cell(style.shown(own), f"its pixels {at}", kind))
    rows = [tuple(cells[first : first + COLUMNS]) for first in range(0, len(cells), COLUMNS)]
    return Section("Where it fired most", note, tuple(rows))


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


def _gradients(evidence: UnitEvidence, style: SheetStyle) -> Section:
    """The four ways to ask which pixels moved it."""
    cells = []
    neuron = evidence.unit.position is not None
    cut = evidence.place_of_peak if style.start == "peak" or neuron else None
    for method in methods_of(evidence.network):
        signed = gradient_picture(
            evidence.network, evidence.photo, evidence.unit, method=method, start=style.start, smooth=style.smooth
        )
        if cut is not None:
            signed = signed[cut.top : cut.bottom, cut.left : cut.right]
        caption = "not evidence" if method in ("guided", "deconvnet") else "true gradient"
        cells.append(Cell(style.shown(signed), _METHOD.get(method, method), caption))
    start = "from its peak" if style.start == "peak" else "from its whole map"
    notes = [f"{'from this neuron' if neuron else start}, back to the pixels"]
    if cut is not None:
        notes.append("cut to patch 1")
    notes += ["grey: no effect", "brighter: more of this colour raises it"]
    if style.smooth:
        notes.append(f"mean over {style.smooth} noisy copies of the photo")
    return Section("Pixels it depends on", " · ".join(notes), (tuple(cells),))


def _attention(evidence: UnitEvidence, attention: ClassAttention, style: SheetStyle) -> Section:
    """Where the class token looks in the block of a unit of it: the mean over the heads, and each of them."""
    crop = input_crop(evidence.network, evidence.photo)
    shown = [("mean", attention.mean), *((f"head {head}", weights) for head, weights in enumerate(attention.heads))]
    cells = [
        Cell(overlay(crop, weights, size=style.size), title, f"{percent(float(weights.sum()))} to patches")
        for title, weights in shown
    ]
    note = (
        f"before {attention.layer} · attention is not attribution: it says where the class token reads from, not what "
        "it reads there or what that does"
    )
    rows = [tuple(cells[first : first + COLUMNS]) for first in range(0, len(cells), COLUMNS)]
    return Section("Where the class token looks", note, tuple(rows))


def _parent(evidence: UnitEvidence, parent: Unit, style: SheetStyle) -> Section:
    """What the unit did for one above: where it fed it, and its pixels around the place where that one fired."""
    assert evidence.edge is not None
    crop = input_crop(evidence.network, evidence.photo)
    name, own = (short_name(evidence.network, unit) for unit in (parent, evidence.unit))
    cells = []
    if style.pictures is not None:
        cells.append(style.drawn(style.pictures([parent.whole])[0], name))
    for positions, title, whose in (
        (evidence.edge.upper, "where it arrives", name),
        (evidence.edge.lower, "where it came from", own),
    ):
        if positions.size > 1:
            cells.append(Cell(show_map(crop, positions, size=style.size), title, f"positions of {whose}"))
    gave = number(evidence.edge.attribution, sign=True)
    note = f"{own} contributes {gave} · the pixels that {name} depends on via this unit, around its peak"
    empty = f" · all zero: this unit does not affect {name} there"
    for method in [each for each in ("guided", "gradient") if each in methods_of(evidence.network)]:
        signed = relative_picture(
            evidence.network, evidence.photo, evidence.unit, parent,
            method=method, start=style.start, smooth=style.smooth,
        )  # fmt: skip
        caption = "guided gradient" if method == "guided" else "true gradient"
        if not signed.any():
            caption += ": all zero"
            note = note.removesuffix(empty) + empty
        cells.append(Cell(style.shown(signed), "pixels, via the unit", caption))
    return Section(f"Contribution to {name}", note, (tuple(cells),))


def _path(evidence: UnitEvidence, style: SheetStyle) -> Section:
    """Each unit of the path, what it looks for above what is left of the gradient that reaches it from the top."""
    lines, note = [], "the pixels of each unit, via all units before it on the path"
    names = [short_name(evidence.network, unit) for unit in evidence.path]
    if style.pictures is not None:
        pictures = style.pictures([unit.whole for unit in evidence.path])
        lines.append([style.drawn(picture, name) for picture, name in zip(pictures, names, strict=True)])
        note = "above, what each unit looks for · below, its pixels, via all units before it on the path"
    pixels = []
    for at, name in enumerate(names, start=1):
        path = evidence.path[:at]
        signed = path_picture(evidence.network, evidence.photo, path, start=style.start, smooth=style.smooth)
        if at > 1 and not signed.any():
            note += f" · all zero: {name} does not affect {names[at - 2]} on this path"
        kind = "guided gradient" if clearest_method(evidence.network) == "guided" else "true gradient"
        pixels.append(Cell(style.shown(signed), f"… > {name}" if at > 1 else name, kind))
    lines.append(pixels)
    rows = [tuple(cells[first : first + COLUMNS]) for first in range(0, len(names), COLUMNS) for cells in lines]
    return Section(f"The path {' > '.join(names)}", note, tuple(rows))


def _exemplars(evidence: UnitEvidence, style: SheetStyle) -> Section:
    """What else the unit fires on: photos of the index, from those it likes most to those it likes least."""
    assert evidence.index is not None
    exemplars = evidence.index.of(evidence.unit)
    rows = []
    for kind, photos in lists_of(exemplars).items():
        if kind == "least" and photos == exemplars.slightly_positive:
            continue  # it is never below zero
        if photos:
            title = kind.replace("_", " ")
            rows.append(tuple(_exemplar(evidence, each, title, style.size) for each in photos[:COLUMNS]))
    parts = [
        f"{evidence.index.photos} photos in the folder {evidence.index.folder.name}",
        "number: its highest pre-activation",
    ]
    if evidence.mapped and evidence.place((0, 0)) is None:
        parts.append("ring: where")
    if exemplars.classes:
        groups = ", ".join(f"{name} ({count})" for name, count in exemplars.classes[:3])
        parts.append(f"most of them from: {groups}")
    return Section("Other photos it fires on", " · ".join(parts), tuple(rows))


def _exemplar(evidence: UnitEvidence, exemplar: Exemplar, kind: str, size: int) -> Cell:
    """What the unit saw of an exemplar."""
    caption = exemplar.group or exemplar.photo.stem
    title = f"{kind}: {number(exemplar.value)}"
    try:
        image = exemplar_crop(evidence.network, exemplar)
        if evidence.place(exemplar.position) is not None:
            image = exemplar_patch(evidence.network, evidence.unit, exemplar)
        elif evidence.mapped:
            image = ringed(fitted(image, size), evidence.heat.shape, exemplar.position)
    except InputError:
        image = box(size, "cannot be read")
    return Cell(image, title, caption)
