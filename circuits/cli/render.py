"""`circuits render`: pictures of what units look for."""

from dataclasses import replace

from circuits.cli._render_request import RenderRequest
from circuits.cli.console import note, progress
from circuits.cli.options import LAYERS, NETWORK, NetworkBesidePictures
from circuits.errors import listed
from circuits.files import check_writable


def render(
    request: RenderRequest,
    network: str = NETWORK,
    layers: str = LAYERS,
    *,
    options: NetworkBesidePictures,
) -> None:
    """Draw what units look for: one picture, or a labelled sheet of several."""
    from circuits.cli._render_drawing import draw
    from circuits.cli._render_sheet import check_size, save
    from circuits.cli._render_targets import targets_of
    from circuits.visualization.settings import usual_transform

    check_writable(request.file)
    loaded = options.load(network, layers)
    request = replace(request, transform=request.transform or usual_transform(loaded))
    targets = targets_of(request, loaded)
    check_size(loaded, targets, request)
    with progress("Rendering") as report:
        rows = draw(loaded, targets, request, report)
    dead = [row.expression for row in rows if row.dead]
    if dead:
        share = f"{len(dead)} of {len(rows)} units" if len(rows) > 1 else "The unit"
        note(f"{share} never activated, whatever was drawn: {listed(dead)}; a box stands for each picture.")
    save(loaded, rows, request)
    note(f"Wrote {request.file}.")
