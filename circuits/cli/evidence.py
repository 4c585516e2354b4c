"""`circuits evidence`: what a unit did in a photo, and what else it fires on."""

from functools import partial
from pathlib import Path

from circuits.cli.console import note, print_json, progress
from circuits.cli.options import (
    INDEX_FOLDER,
    LAYERS,
    NETWORK,
    PHOTO,
    WINDOW,
    NetworkBesidePictures,
    argument,
    file_option,
    get_photo,
    option,
)
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically


def evidence(
    unit: str = argument("UNIT", "A unit, inception4a:17; a neuron, inception4a:17@7,5; or fc:cat."),
    photo: str = PHOTO,
    file: Path | None = file_option(
        "The sheet: a .png, .webp or .jpg file, which carries the numbers.", "--output", "-o"
    ),
    as_json: bool = option(False, "Print the numbers as JSON.", "--json"),
    target: str | None = option(
        None, "The target that it contributes to, as in trace; by default the predicted class.", metavar="TARGET"
    ),
    parent: str | None = option(None, "A unit above: how much this one contributed to it, and where.", metavar="UNIT"),
    path: str | None = option(None, "Units from the topmost down to this one, step by step.", metavar="U1,U2,…"),
    start: str = option("peak", "Where gradient pictures start: the unit's peak, or its whole map.", metavar="START"),
    smooth: int = option(
        0, "Average gradient pictures over N noisy copies of the photo.", min=0, max=1000, metavar="N"
    ),
    pictures: bool = option(
        True, "Show what units look for; pictures that are missing are drawn.", "--pictures/--no-pictures"
    ),
    into: Path | None = INDEX_FOLDER,
    size: int = option(192, "Side of each picture on the sheet.", "--size", min=64, max=1024),
    window: str | None = WINDOW,
    layers: str = LAYERS,
    network: str = NETWORK,
    *,
    options: NetworkBesidePictures,
) -> None:
    """Evidence for a unit in a photo: where it fired, on which pixels, and what it contributed; other photos too."""
    from circuits.visualization import metadata

    if file is None and not as_json:
        raise InputError("Nothing to write; give -o FILE for the sheet, --json for the numbers, or both.")
    if start not in ("peak", "map"):
        raise InputError(f"--start {start!r} does not exist; write peak or map.")
    if file is not None:
        metadata.format_of(file)
        check_writable(file)
    picture = get_photo(photo, window)
    loaded = options.load(network, layers)
    from circuits.cli._unit_evidence import UnitEvidence, one_unit, path_of
    from circuits.exemplars.finding import find_exemplars
    from circuits.tracing.trace import trace

    wanted = one_unit(loaded, unit, "UNIT")
    numbers = UnitEvidence(
        network=loaded,
        photo=picture,
        unit=wanted,
        parent=None if parent is None else one_unit(loaded, parent, "--parent"),
        path=() if path is None else path_of(loaded, path, wanted),
        circuit=trace(loaded, picture, target, depth=1, top=1),
        index=find_exemplars(loaded, into),
    )
    if as_json:
        print_json(numbers.record(start=start, smooth=smooth))
    if file is not None:
        from circuits.cli._evidence_sheet import SheetStyle, whole_sheet
        from circuits.visualization.store import pictures as pictures_of

        with progress("Drawing") as report:
            drawer = partial(pictures_of, loaded, progress=report) if pictures else None
            sheet = whole_sheet(numbers, SheetStyle(size, start, smooth, drawer))
        record = numbers.record(start=start, smooth=smooth, size=size)
        write_atomically(file, metadata.pack(sheet, metadata.format_of(file), record))
        note(f"Wrote {file}.")
