"""The file that `circuits render` writes: a picture, or a sheet of them, with its settings inside."""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.cli.drawing import Row
from circuits.cli.picture_settings import Manner
from circuits.cli.render_targets import Item, Subject
from circuits.errors import InputError
from circuits.files import write_atomically
from circuits.visualization import metadata
from circuits.visualization.contact_sheet import layout_of, sheet

if TYPE_CHECKING:
    from circuits.network.network import Network


_GRID = re.compile(r"(\d{1,4})[x×](\d{1,4})", re.IGNORECASE)
_MEANING = {
    "channel": "number: highest activation reached",
    "neuron": "number: highest activation reached",
    "logit": "number: logit reached",
    "probability": "number: probability reached",
    "inversion": "number: relative squared error of the layer's activations",
}


@dataclass(frozen=True)
class Output:
    """Where pictures go.

    Args:
        file: .png, .webp or .jpg.
        grid: rows and columns of the sheet, such as 5x8, if they were given.

    Raises:
        InputError: if the file's ending or the grid cannot be used.
    """

    file: Path
    grid: str | None = None

    def __post_init__(self) -> None:
        _ = self.format, self.shape

    @property
    def format(self) -> str:
        """Of the file."""
        return metadata.format_of(self.file)

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns that were asked for."""
        if self.grid is None:
            return None
        found = _GRID.fullmatch(self.grid.strip())
        if found is None or 0 in (int(found[1]), int(found[2])):
            raise InputError(f"--sheet {self.grid!r} is no grid; write rows x columns, such as 5x8.")
        return int(found[1]), int(found[2])

    def check(self, network: "Network", items: Sequence[Item], subject: Subject, manner: Manner) -> None:
        """Refuse, before anything is drawn, what will not fit.

        Raises:
            InputError: if the grid, the page or the format is too small.
        """
        from PIL import Image

        if self.format == "JPEG" and manner.alpha:
            raise InputError(f"{self.file} cannot be transparent; name it .png or .webp.")
        blank = Image.new("RGB", (manner.size, manner.size))
        count = subject.count
        rows = [
            Row(item.title, item.address, (blank,) * count, (item.title,) * count, ("x",) * count, ()) for item in items
        ]
        if self._is_sheet(rows):
            title, note = _heading(network, rows, subject, manner)
            size = layout_of(**self._page(rows), title=title, note=note).size
            if max(size) > metadata.LARGEST_SIDE[self.format]:
                raise InputError(
                    f"The sheet, {size[0]}×{size[1]} pixels, does not fit into {self.format}; write a .png."
                )

    def write(self, network: "Network", rows: Sequence[Row], subject: Subject, manner: Manner) -> None:
        """Write the file, whole or not at all.

        Raises:
            InputError: if it cannot be written.
        """
        whole = rows[0].images[0]
        if self._is_sheet(rows):
            title, note = _heading(network, rows, subject, manner)
            whole = sheet(**self._page(rows), title=title, note=note)
        record = _record(network, rows, subject, manner)
        write_atomically(self.file, metadata.pack(whole, self.format, record))

    def _is_sheet(self, rows: Sequence[Row]) -> bool:
        return self.grid is not None or len(rows) > 1 or len(rows[0].images) > 1

    def _page(self, rows: Sequence[Row]) -> dict[str, Any]:
        """What `sheet` is given, all but the heading: one item a row where items have several pictures each."""
        longest = max(len(row.images) for row in rows)
        if longest == 1 or self.grid is not None:
            flat = [text for row in rows for text in row.captions]
            return {
                "images": [image for row in rows for image in row.images],
                "titles": [text for row in rows for text in row.titles],
                "captions": flat,
                "columns": self._columns(len(flat)),
            }
        named = any(len(set(row.titles)) > 1 for row in rows)  # by the pictures, not by the row
        return {
            "images": [image for row in rows for image in (*row.images, *[None] * (longest - len(row.images)))],
            "titles": [text for row in rows for text in _filled(row.titles, longest)] if named else [],
            "captions": [text for row in rows for text in _filled(row.captions, longest)],
            "columns": longest,
            "row_titles": [row.title for row in rows] if len(rows) > 1 else [],
        }

    def _columns(self, count: int) -> int | None:
        """Columns of the grid that was asked for.

        Raises:
            InputError: if it is too small.
        """
        if self.shape is None:
            return None
        rows, columns = self.shape
        if count > rows * columns:
            raise InputError(
                f"--sheet {self.grid} has room for {rows * columns} pictures, but there are {count}; give a larger one."
            )
        return columns


def _filled(texts: Sequence[str], count: int) -> tuple[str, ...]:
    return (*texts, *[""] * (count - len(texts)))


def _heading(network: "Network", rows: Sequence[Row], subject: Subject, manner: Manner) -> tuple[str, str]:
    """Title and small print of a sheet."""
    layers = list(dict.fromkeys(part.partition(":")[0] for row in rows for part in row.address.split("+")))
    several = len(rows) == 1 and len(rows[0].images) > 1
    what = [network.name, rows[0].title if several else ", ".join(layers), subject.kind]
    note = [f"{manner.steps} steps", f"seed {manner.seed}"]
    if not subject.filmstrip and not subject.interpolate and subject.kind in _MEANING:
        note.append(_MEANING[subject.kind])
    if any(row.shares for row in rows):
        note.append("in brackets: photos that excite it less")
    return " · ".join(what), " · ".join(note)


def _record(network: "Network", rows: Sequence[Row], subject: Subject, manner: Manner) -> dict[str, Any]:
    """How the pictures were made."""
    from importlib.metadata import version

    asked = {name: value for name, value in asdict(subject).items() if value is not None and name != "texts"}
    for name in ("photo", "direction"):
        if name in asked:
            asked[name] = Path(str(asked[name])).name
    return {
        "network": {"name": network.name, "source": network.source, "sha256": network.sha256},
        "units": [row.address for row in rows],
        "objective": subject.kind,
        "settings": manner.facts() | asked | {"objective": subject.kind, "version": manner.settings().version},
        "values": [[value if math.isfinite(value) else None for value in row.values] for row in rows],
        **({"shares": [list(row.shares) for row in rows]} if any(row.shares for row in rows) else {}),
        "versions": {name: version(name) for name in ("circuits", "torch")},
    }
