"""Where the pages of a site lie: by number, below folders that every system takes, whatever things are called.

The address of a unit stays as long as its network does, so that others can link to it.
"""

from collections.abc import Sequence
from itertools import count

from circuits.report.file_names import slug
from circuits.units import Unit

START = "index.html"
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""Names that no file can have on Windows."""


class Addresses:
    """The addresses of a site's pages and pictures, relative to its folder.

    Args:
        layers: names of all layers.

    Example:
        >>> at = Addresses(["conv1", "features.12", "features/12", "CONV1", "aux", "层"])
        >>> [at.layer(name) for name in ("conv1", "features.12", "features/12", "CONV1", "aux", "层")]
        ['layers/conv1.html', 'layers/features-12.html', 'layers/features-12-2.html', 'layers/conv1-2.html',
         'layers/layer-aux.html', 'layers/layer.html']
        >>> at.unit(Unit("conv1", 3)), at.picture(Unit("conv1", 3)), at.layer("conv1", 2), at.class_page(281)
        ('units/conv1/3.html', 'pictures/conv1/3.webp', 'layers/conv1/2.html', 'classes/281.html')
    """

    def __init__(self, layers: Sequence[str]) -> None:
        self.folders: dict[str, str] = {}
        for name in layers:
            plain = slug(name, "layer")
            plain = f"layer-{plain}" if plain in _DEVICES else plain
            names = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
            self.folders[name] = next(each for each in names if each not in self.folders.values())

    def unit(self, unit: Unit) -> str:
        """The page of a unit."""
        return f"units/{self.folders[unit.layer]}/{unit.channel}.html"

    def picture(self, unit: Unit) -> str:
        """What a unit looks for."""
        return f"pictures/{self.folders[unit.layer]}/{unit.channel}.webp"

    def patch(self, unit: Unit, number: int) -> str:
        """What a unit fired on, of several patches the one of this number."""
        return f"exemplars/{self.folders[unit.layer]}/{unit.channel}-{number}.webp"

    def layer(self, name: str, part: int = 1) -> str:
        """The page of a layer, or a further part of it."""
        folder = self.folders[name]
        return f"layers/{folder}.html" if part == 1 else f"layers/{folder}/{part}.html"

    def class_page(self, number: int) -> str:
        """The page of a class."""
        return f"classes/{number}.html"

    def start(self, part: int = 1) -> str:
        """The first page, or a further part of its list of classes."""
        return START if part == 1 else f"classes/list-{part}.html"


def to_root(page: str) -> str:
    """What leads from a page to the site's folder.

    >>> to_root("index.html"), to_root("units/conv1/3.html")
    ('', '../../')
    """
    return "../" * page.count("/")
