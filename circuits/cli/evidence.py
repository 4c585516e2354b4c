"""`circuits evidence`: what a unit did in a photo, and what else it fires on."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from circuits.cli.options import IndexFolder, Layers, NetworkBesidePictures, NetworkName, PhotoName, Window, get_photo
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically


def evidence(
    unit: Annotated[
        str, typer.Argument(metavar="UNIT", help="A unit, inception4a:17; a neuron, inception4a:17@7,5; or fc:cat.")
    ],
    photo: PhotoName,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            readable=False,
            help="The sheet: a .png, .webp or .jpg file, which carries the numbers.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    target: Annotated[
        str | None,
        typer.Option(metavar="TARGET", help="What it is to argue for, as in trace; by default the class predicted."),
    ] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="UNIT", help="A unit above: what this one did for it, and where.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(metavar="U1,U2,…", help="Units from the topmost down to this one, step by step.")
    ] = None,
    start: Annotated[
        str, typer.Option(metavar="START", help="Gradient pictures start at the unit's peak, or its whole map.")
    ] = "peak",
    smooth: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="Their mean over N noisy copies of the photo.")
    ] = 0,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Show what units look for, drawn where not yet known.")
    ] = True,
    into: IndexFolder = None,
    size: Annotated[int, typer.Option("--size", min=64, max=1024, help="Side of each picture on the sheet.")] = 192,
    window: Window = None,
    layers: Layers = "auto",
    network: NetworkName = "builtin",
    *,
    options: NetworkBesidePictures,
) -> None:
    """What a unit did in a photo: where it fired, on which pixels, for what, and what else it fires on."""
    from circuits.cli.console import note, print_json, progress
    from circuits.visualization import metadata

    if file is None and not as_json:
        raise InputError("Nothing was asked for; give -o FILE for the sheet, --json for the numbers, or both.")
    if start not in ("peak", "map"):
        raise InputError(f"--start {start!r} does not exist; write peak or map.")
    if file is not None:
        metadata.format_of(file)
        check_writable(file)
    picture = get_photo(photo, window)
    loaded = options.load(network, layers)
    from circuits.cli._unit_evidence import UnitEvidence, one_unit, path_of
    from circuits.exemplars.exemplars import find_exemplars
    from circuits.tracing.trace import trace

    wanted = one_unit(loaded, unit, "UNIT")
    found = UnitEvidence(
        network=loaded,
        photo=picture,
        unit=wanted,
        parent=None if parent is None else one_unit(loaded, parent, "--parent"),
        path=() if path is None else path_of(loaded, path, wanted),
        circuit=trace(loaded, picture, target, depth=1, top=1),
        index=find_exemplars(loaded, into),
    )
    if as_json:
        print_json(found.record(start=start, smooth=smooth))
    if file is not None:
        from circuits.cli._evidence_sheet import SheetStyle, whole_sheet
        from circuits.visualization.store import pictures as pictures_of

        with progress("Drawing") as report:
            drawer = partial(pictures_of, loaded, progress=report) if pictures else None
            sheet = whole_sheet(found, SheetStyle(size, start, smooth, drawer))
        record = found.record(start=start, smooth=smooth, size=size)
        write_atomically(file, metadata.pack(sheet, metadata.format_of(file), record))
        note(f"Wrote {file}.")
