"""The pictures that come with the package: those of the built-in network, in one archive.

`index.json` in the archive says for each picture its address in a `PictureStore`, the unit, the activation and the
zoom. The address covers the network's fingerprint and all settings, so that a picture is found only for the very
network and the very settings that it was drawn with. The members are the drawn images, before they are enlarged.
"""

import functools
import io
import json
import logging
import zipfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from PIL import Image

from circuits.units import Unit
from circuits.visualization.forward import Canvas
from circuits.visualization.render import Picture

INDEX = "index.json"

_LOG = logging.getLogger(__name__)


def packaged() -> Traversable:
    """Where the archive is, if the package has one."""
    return resources.files("circuits").joinpath("builtin", "pictures.zip")


class Shipped:
    """An archive of pictures, found by their address.

    Args:
        archive: a file of the form that `training.builtin.pictures` writes; one that is missing or damaged is empty.

    >>> Shipped(Path("missing.zip")).get("ab12") is None
    True
    """

    def __init__(self, archive: Path | Traversable) -> None:
        self._archive = archive

    def get(self, key: str) -> Picture | None:
        """The picture of that address, or `None`."""
        entry = self._index.get(key)
        if entry is None:
            return None
        try:
            with self._archive.open("rb") as file, zipfile.ZipFile(file) as members:
                data = members.read(entry["file"])  # checked against the archive's checksum
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as opened:
                drawn = opened.convert("RGB")
            zoom = int(entry["zoom"])
            image = Canvas(drawn.width, zoom).enlarge(drawn)
            return Picture(Unit.parse(entry["unit"]), image, float(entry["activation"]), zoom)
        except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
            _LOG.warning("A picture in %s is damaged (%s); it is drawn anew.", self._archive, error)
            return None

    @functools.cached_property
    def _index(self) -> dict[str, dict[str, str]]:
        if not self._archive.is_file():
            return {}
        try:
            with self._archive.open("rb") as file, zipfile.ZipFile(file) as members:
                entries: list[dict[str, str]] = json.loads(members.read(INDEX))["pictures"]
            return {entry["key"]: entry for entry in entries}
        except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
            _LOG.warning("%s is damaged (%s); its pictures are drawn anew.", self._archive, error)
            return {}
