"""Writes the site of an atlas: pages, pictures, and the index of its search."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from circuits.atlas.atlas import Atlas
from circuits.errors import InputError
from circuits.image.encode import to_webp
from circuits.naming.names import UnitNames
from circuits.naming.store import names_of
from circuits.network.network import Network
from circuits.report.jinja import asset
from circuits.report.site.addresses import Addresses
from circuits.report.site.folder import MARK, new_site, site_folder
from circuits.report.site.pages import SitePages
from circuits.report.site.patches import Patches
from circuits.report.site.search import search_index
from circuits.report.site.served import Served
from circuits.report.site.units import site_units
from circuits.units import Progress, Unit
from circuits.visualization.store import PictureStore

_QUALITY = 86


@dataclass(frozen=True)
class WrittenSite:
    """A site that was written.

    Args:
        folder: where.
        pages: how many.
        size: of all files, in bytes.
        pictures: units that have a picture.
        missing: units whose picture nobody has drawn yet.
        patches: of photos, how many.
        lost: photos of patches that could not be shown, because they are not there as they were.
    """

    folder: Path
    pages: int
    size: int
    pictures: int
    missing: int
    patches: int
    lost: int


def write_site(
    atlas: Atlas,
    into: str | Path,
    *,
    store: PictureStore | None = None,
    names: UnitNames | None = None,
    network: Network | None = None,
    photos: str | Path | None = None,
    progress: Progress | None = None,
) -> WrittenSite:
    """Write the site of an atlas: static pages of its classes, layers and units, which need no server.

    It is written aside and then takes the place of the one that is there. Addresses go by number, so that those of a
    network's units stay what they are.

    Args:
        atlas: the atlas.
        into: the folder of the site: new, empty, or of a site; what else a person put beside it stays.
        store: where pictures are taken from; the person's cache folder by default. None are drawn.
        names: what units are called; by default what is known of the network.
        network: that of the atlas, needed for patches alone.
        photos: the folder of the atlas's photos, to show patches of; none are shown, if `None`. Whoever publishes the
            site publishes these.
        progress: called with (done, all there is to do, what is under way).

    Raises:
        InputError: if the folder holds something else or cannot be written to, or patches are asked for and the atlas
            has no index of exemplars, or there are no such photos.
    """
    folder = Path(into)
    site_folder(folder).check(atlas.folder)
    if photos is not None and network is None:
        raise InputError("Patches of photos need the network that the atlas was made with; give it as network.")
    patches = None if photos is None or network is None else Patches(atlas, network, Path(photos))
    at = Addresses([layer.name for layer in atlas.layers])
    step = _Steps(progress, (2 + (patches is not None)) * atlas.units + len(atlas.classes))
    with new_site(folder) as new:
        files = _Files(new)
        found = dict(_pictures(atlas, at, store or PictureStore(), files, step))
        shown = {} if patches is None else patches.write(at, files.write, lambda: step("Cutting out patches"))
        known = names_of(atlas.record.subject.network["sha256"]) if names is None else names
        units = site_units(atlas, at, found, known)
        for name, text in _assets().items():
            files.write(f"assets/{name}", text)
        files.write("assets/search-index.js", search_index(atlas, at, units))
        pages = SitePages(atlas, at, units, Served(atlas), shown)
        written = 0
        for page, html in _all_pages(pages, step):
            files.write(page, html)
            written += 1
        files.write(MARK, site_folder(folder).text(network=atlas.record.subject.network["sha256"]))
    return WrittenSite(
        folder, written, files.size, pictures=list(found.values()).count(False), missing=atlas.units - len(found),
        patches=sum(shown.values()), lost=0 if patches is None else len(patches.lost),
    )  # fmt: skip


class _Files:
    """Writes the files of a site, and counts their bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.size = folder, 0
        self._made = {folder}

    def write(self, name: str, content: bytes | str) -> None:
        path = self.folder / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        data = content.encode("utf-8") if isinstance(content, str) else content
        path.write_bytes(data)
        self.size += len(data)


class _Steps:
    """Counts what is done, and tells it."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, message: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, message)


def _assets() -> dict[str, str]:
    return {
        "site.css": asset("circuit.css") + asset("site.css"),
        "site.js": asset("graph.js") + asset("site.js"),
        "icon.svg": asset("icon.svg"),
    }


def _pictures(
    atlas: Atlas, at: Addresses, store: PictureStore, files: _Files, step: _Steps
) -> Iterator[tuple[Unit, bool]]:
    """The units that have a picture, and whether that shows that nothing excites them; other pictures are written."""
    fingerprint = atlas.record.subject.network["sha256"]
    rectified = {layer.name: layer.is_rectified for layer in atlas.layers}
    for unit in atlas.all_units():
        step("Collecting pictures")
        picture = store.find(store.key(fingerprint, unit))
        if picture is None:
            continue
        silent = rectified[unit.layer] and picture.activation <= 0
        if not silent:
            files.write(at.picture(unit), to_webp(picture.image, quality=_QUALITY))
        yield unit, silent


def _all_pages(pages: SitePages, step: _Steps) -> Iterator[tuple[str, str]]:
    """All pages; those of classes come before those of units, whose links they are read with."""
    yield from pages.start()
    for layer in pages.names:
        yield from pages.layer_pages(layer)
    for row, found in enumerate(pages.atlas.classes):
        step("Writing pages of classes")
        pages.served.gather(row, pages.atlas.arrays(found.number))
        yield pages.class_page(row, found)
    for place in range(len(pages.units)):
        step("Writing pages of units")
        yield pages.unit_page(place)
