"""What is found out for the page of the atlas: of a class, and a map of a layer's units."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from circuits.atlas.atlas import Atlas
from circuits.atlas.unit_map import unit_map
from circuits.errors import CircuitsError
from circuits.image.photo import load_photo
from circuits.report.atlas_sentences import WITHOUT_EXEMPLARS
from circuits.units import Progress, Unit
from dashboard.atlas_answers import ClassPage, ClassRow, UnitMap
from dashboard.library import Library
from dashboard.session.state import Session
from dashboard.webp import WebP, webp, wide
from dashboard.work.results import SCORES, Query

if TYPE_CHECKING:
    from dashboard.work.scheduler import Scheduler

STRONGEST = 8
"""Units of a layer that a class's page shows."""
PHOTOS = 8
_SIDE = 128


def queries(session: Session, work: "Scheduler") -> Sequence[Query]:
    """What the page of the atlas shows now, while it is on the screen."""
    showing, library = session.showing, work.library
    if showing.page != "atlas" or library.atlas is None:
        return ()
    if showing.map:
        label = f"Mapping the units of {showing.map}"
        key = f"unit-map/{showing.map}/{showing.spread}"
        work_out = partial(_mapped, library.atlas, showing.map, showing.spread)
        return (Query("unit_map", key, work_out, 3, label, SCORES),)  # which people need not wait for
    if showing.of:
        return (Query("class_page", f"class-page/{showing.of}", partial(class_page, library, int(showing.of)), 1),)
    return ()


def class_page(library: Library, number: int, progress: Progress) -> ClassPage:
    """What the atlas says of a class; photos that cannot be read any more are left out."""
    atlas = library.of_atlas()
    place = [each.number for each in atlas.classes].index(number)
    rows = []
    for layer in atlas.layers[-2::-1]:
        units = atlas.strongest(layer.name, number, STRONGEST)
        selective = atlas.selectivity(layer.name)[place]
        rows.append(ClassRow(layer.name, tuple(units), tuple(float(selective[each.unit.channel]) for each in units)))
    photos: list[WebP] = []
    for path in atlas.photos_of(number, PHOTOS):
        progress(len(photos), PHOTOS, "")
        try:
            crop = library.network.preprocessing.crop_of(load_photo(path))
        except CircuitsError:
            continue
        photos.append(webp(wide(crop, _SIDE)))
    logit = atlas.unit(Unit(atlas.layers[-1].name, number), number).contribution
    return ClassPage(logit, tuple(rows), tuple(photos))


def _mapped(atlas: Atlas, layer: str, spread: str, progress: Progress) -> UnitMap:
    exemplars = atlas.exemplars
    if exemplars is None:
        return UnitMap(layer, missing=WITHOUT_EXEMPLARS)
    places = unit_map(atlas, layer, spread)
    return UnitMap(layer, tuple((float(x), float(y)) for x, y in places), len(exemplars.sampled_peaks(layer)))
