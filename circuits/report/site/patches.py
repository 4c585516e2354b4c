"""What units fired on: patches of the atlas's photos, for a site whose maker asked for them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageOps

from circuits.atlas.atlas import Atlas
from circuits.errors import CircuitsError, InputError
from circuits.exemplars.exemplars import exemplar_patch
from circuits.image.encode import to_webp
from circuits.network.network import Network
from circuits.report.site.addresses import Addresses
from circuits.units import Unit

_SHOWN = 6
_SIDE = 112


class Patches:
    """Patches of the photos that drive units most.

    Args:
        atlas: the atlas, with an index of exemplars.
        network: that of the atlas.
        photos: the folder in which its photos are.

    Raises:
        InputError: if the network is another one, the atlas has no index, or there is no such folder.
    """

    def __init__(self, atlas: Atlas, network: Network, photos: Path) -> None:
        atlas.check_network(network)
        if atlas.exemplars is None:
            raise InputError(
                f"The atlas in {atlas.folder} has no index of exemplars that can be read. Run the circuits atlas that "
                "made it once more, without --no-exemplars, or write the site without --exemplars."
            )
        if not photos.is_dir():
            raise InputError(f"There is no folder {photos}; give the folder of the atlas's photos.")
        self.atlas, self.network, self.photos, self.index = atlas, network, photos, atlas.exemplars
        self.lost: set[Path] = set()

    def write(self, at: Addresses, write: Callable[[str, bytes], None], step: Callable[[], None]) -> dict[Unit, int]:
        """Write the patches of all units; of each that has some, how many."""
        found = {}
        for unit in self.atlas.all_units():
            step()
            patches = self._of(unit)
            for number, patch in enumerate(patches):
                write(at.patch(unit, number), to_webp(patch))
            if patches:
                found[unit] = len(patches)
        return found

    def _of(self, unit: Unit) -> list[Image.Image]:
        if unit.layer not in self.index.layers:
            return []
        patches = []
        for exemplar in self.index.of(unit).most[:_SHOWN]:
            photo = exemplar.photo
            if not photo.is_relative_to(self.index.folder) or ".." in photo.parts:
                self.lost.add(photo)  # nothing but what lies in the folder is shown to others
                continue
            inside = photo.relative_to(self.index.folder)
            try:
                patch = exemplar_patch(self.network, unit, replace(exemplar, photo=self.photos / inside))
            except CircuitsError:
                self.lost.add(inside)
                continue
            patches.append(ImageOps.contain(patch.convert("RGB"), (_SIDE, _SIDE), Image.Resampling.BICUBIC))
        return patches
