"""The file that `circuits render` writes: a picture, or a sheet of them, with its settings inside."""

import math
from collections.abc import Sequence
from typing import Any

from PIL import Image

from circuits.cli._picture_settings import record_of_request
from circuits.cli._render_drawing import RenderedRow
from circuits.cli._render_request import RenderRequest
from circuits.cli._render_targets import RenderTarget
from circuits.errors import InputError
from circuits.files import versions, write_atomically
from circuits.network.network import Network
from circuits.visualization import metadata
from circuits.visualization.contact_sheet import ContactSheet, sheet

_MEANING = {
    "channel": "number: highest activation reached",
    "neuron": "number: highest activation reached",
    "logit": "number: logit reached",
    "probability": "number: probability reached",
    "inversion": "number: relative squared error of the layer's activations",
}


def check_size(network: Network, targets: Sequence[RenderTarget], request: RenderRequest) -> None:
    """Refuse, before anything is drawn, what will not fit."""
    if request.format == "JPEG" and request.alpha:
        raise InputError(f"{request.file} cannot be transparent; name it .png or .webp.")
    blank = Image.new("RGB", (request.size, request.size))
    count = request.count
    rows = [
        RenderedRow(each.title, each.expression, (blank,) * count, (each.title,) * count, ("x",) * count, ())
        for each in targets
    ]
    if _is_sheet(rows, request):
        width, height = ContactSheet(**_page(network, rows, request)).layout.size
        if max(width, height) > metadata.LARGEST_SIDE[request.format]:
            raise InputError(f"The sheet, {width}×{height} pixels, does not fit into {request.format}; write a .png.")


def save(network: Network, rows: Sequence[RenderedRow], request: RenderRequest) -> None:
    """Write the file, whole or not at all."""
    image = sheet(**_page(network, rows, request)) if _is_sheet(rows, request) else rows[0].images[0]
    write_atomically(request.file, metadata.pack(image, request.format, _record(network, rows, request)))


def _is_sheet(rows: Sequence[RenderedRow], request: RenderRequest) -> bool:
    return request.grid is not None or len(rows) > 1 or len(rows[0].images) > 1


def _page(network: Network, rows: Sequence[RenderedRow], request: RenderRequest) -> dict[str, Any]:
    """What `sheet` is given: one target a row where targets have several pictures each and no grid was asked for."""
    longest = max(len(row.images) for row in rows)
    width = 1 if request.grid is not None else longest  # pictures that a row is filled up to
    page: dict[str, Any] = {
        "images": [image for row in rows for image in _filled(row.images, width, None)],
        "titles": [text for row in rows for text in _filled(row.titles, width, "")],
        "captions": [text for row in rows for text in _filled(row.captions, width, "")],
    }
    if longest == 1 or request.grid is not None:
        page["columns"] = _columns(len(page["images"]), request)
    else:
        page["columns"] = longest
        page["row_titles"] = [row.title for row in rows] if len(rows) > 1 else []
        if not any(len(set(row.titles)) > 1 for row in rows):
            page["titles"] = []  # those of the rows say it
    page["title"], page["note"] = _heading(network, rows, request)
    return page


def _filled(parts: Sequence[Any], count: int, blank: Any) -> list[Any]:
    return [*parts, *[blank] * (count - len(parts))]


def _columns(count: int, request: RenderRequest) -> int | None:
    """Columns of the grid that was asked for."""
    if request.grid is None:
        return None
    rows, columns = request.grid
    if count > rows * columns:
        raise InputError(
            f"--sheet {request.sheet} has room for {rows * columns} pictures, but there are {count}; give a larger one."
        )
    return columns


def _heading(network: Network, rows: Sequence[RenderedRow], request: RenderRequest) -> tuple[str, str]:
    """Title and small print of a sheet."""
    layers = list(dict.fromkeys(part.partition(":")[0] for row in rows for part in row.expression.split("+")))
    several = len(rows) == 1 and len(rows[0].images) > 1
    title = [network.name, rows[0].title if several else ", ".join(layers), request.kind]
    note = [f"{request.steps} steps", f"seed {request.seed}"]
    if not request.filmstrip and not request.interpolate and request.kind in _MEANING:
        note.append(_MEANING[request.kind])
    if any(row.shares for row in rows):
        note.append("in brackets: photos that excite it less")
    return " · ".join(title), " · ".join(note)


def _record(network: Network, rows: Sequence[RenderedRow], request: RenderRequest) -> dict[str, Any]:
    """How the pictures were made."""
    return {
        "network": {"name": network.name, "source": network.source, "sha256": network.sha256},
        "units": [row.expression for row in rows],
        "objective": request.kind,
        "settings": record_of_request(request),
        "values": [[value if math.isfinite(value) else None for value in row.values] for row in rows],
        **({"shares": [list(row.shares) for row in rows]} if any(row.shares for row in rows) else {}),
        "versions": versions("torch"),
    }
