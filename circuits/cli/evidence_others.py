"""The last part of the sheet of `circuits evidence`: what else a unit fires on, in the photos that were indexed."""

from circuits.cli.evidence_facts import Case
from circuits.cli.evidence_layout import COLUMNS, Cell, Look, Section, fitted, ringed
from circuits.errors import InputError
from circuits.evidence.patches import Peak
from circuits.exemplars.exemplars import Exemplar, exemplar_crop, exemplar_patch
from circuits.report.text import number
from circuits.visualization.contact_sheet import box


def exemplars_of(case: Case, look: Look) -> Section:
    """What else the unit fires on: photos of the index, from those it likes most to those it likes least."""
    assert case.index is not None
    told = case.index.of(case.unit)
    kinds = (
        ("most", told.most),
        ("slightly positive", told.slightly_positive),
        ("slightly negative", told.slightly_negative),
        ("least", told.least),
    )
    rows = []
    for kind, found in kinds:
        if kind == "least" and found == told.slightly_positive:
            continue  # it is never below zero
        row = tuple(_exemplar(case, each, kind, look) for each in found[:COLUMNS])
        if row:
            rows.append(row)
    parts = [f"{case.index.photos} photos in the folder {case.index.folder.name}", "number: its highest pre-activation"]
    if case.mapped and case.is_large(case.box(Peak((0, 0), 0.0))):
        parts.append("ring: where")
    if told.classes:
        groups = ", ".join(f"{name} ({count})" for name, count in told.classes[:3])
        parts.append(f"the best lie in: {groups}")
    return Section("What else it fires on", " · ".join(parts), tuple(rows))


def _exemplar(case: Case, exemplar: Exemplar, kind: str, look: Look) -> Cell:
    """What the unit saw of an exemplar."""
    caption = exemplar.group or exemplar.photo.stem
    title = f"{kind}: {number(exemplar.value)}"
    try:
        crop = exemplar_crop(case.network, exemplar)
        if case.mapped and not case.is_large(case.box(Peak(exemplar.position, 0.0))):
            crop = exemplar_patch(case.network, case.unit, exemplar)
        elif case.mapped:
            crop = ringed(fitted(crop, look.size), case.heat.shape, exemplar.position)
    except InputError:
        return Cell(box(look.size, "cannot be read"), title, caption)
    return Cell(crop, title, caption)
