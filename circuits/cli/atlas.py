"""`circuits atlas`: what every class is made of and what every unit is for, over a folder of photos."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli._atlas_pictures import draw_pictures
from circuits.cli.console import note, output, plain_table, print_json, progress, say
from circuits.cli.exemplars import SHOWN_FAULTS, left_out_links, skipped
from circuits.cli.options import AS_JSON, NETWORK, NetworkBesideFile, argument, file_option, option
from circuits.errors import InputError, listed
from circuits.report.text import many, short_label

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.atlas.engines import Engine
    from circuits.atlas.plan import PhotosByClass

_PART = re.compile(r"(\d{1,6})/(\d{1,6})")


def atlas(
    photos: Path = argument(
        "PHOTOS", "A folder of folders named after classes, or a CSV file of photo,class.", readable=False
    ),
    into: Path | None = file_option(
        "The folder of the atlas; one that was begun is gone on with.", "--output", "-o", metavar="DIR"
    ),
    classes: str | None = option(
        None,
        "Only these, with commas between; or a CSV file of folder,class, where folders are called otherwise.",
        metavar="CLASSES",
    ),
    workers: int = option(0, "Processes to compute with; 0 computes in this one.", min=0, max=1024),
    part: str | None = option(None, "Compute only the third of sixteen parts, on a shared folder.", metavar="3/16"),
    ray: str | None = option(None, "Compute on a Ray cluster: its address, auto, or local.", metavar="ADDRESS"),
    compact: bool = option(
        False,
        "Keep one file of sums a class: less room, but new photos have the whole class explained again.",
        "--compact",
    ),
    class_free: bool | None = option(
        None,
        "Find also what units are made of whatever the class, which takes a third longer; by default as the atlas was "
        "begun, and a new one with it.",
        "--class-free/--no-class-free",
    ),
    exemplars: bool = option(True, "Index also what every unit fires on.", "--exemplars/--no-exemplars"),
    pictures: bool = option(
        False, "Then draw all units that have no picture, most important first; can be stopped.", "--pictures"
    ),
    as_json: bool = AS_JSON,
    layers: str = option(
        "linked",
        "linked (down to the branches, and all else that links need), fine, auto, or names with commas between.",
        metavar="LAYERS",
        panel="Network",
    ),
    network: str = NETWORK,
    *,
    options: NetworkBesideFile,
) -> None:
    """Explain all photos of all classes: what a class is made of, what a unit is for, and how sure that is."""
    if into is None:
        raise InputError("-o is missing; give the folder that the atlas is to be made in.")
    share = _part(part)
    engine = _engine(workers, ray)
    loader = options.loader(network)
    chosen = _classes(classes)
    loaded = loader()
    from circuits.atlas.atlas import Atlas
    from circuits.atlas.build import build_atlas, cut
    from circuits.exemplars.build import index_photos

    with progress("Explaining photos") as report:
        found = build_atlas(
            loaded, photos, into, classes=chosen, layers=layers, engine=engine, load=loader, part=share,
            compact=compact, class_free=class_free, progress=report,
        )  # fmt: skip
    for line in (*_unknown(found), *left_out_links(found.links)):
        note(line)
    if found.missing:
        say(
            output(),
            f"{many(found.missing, 'bucket')} of other parts still to do; the last part to be done finishes the atlas.",
        )
        return
    if exemplars:
        with progress("Indexing") as report:
            index_photos(
                cut(loaded, layers), found.folder, into=into / "exemplars", photos=found.listed,
                wait=True, progress=report,
            )  # fmt: skip
    made = Atlas.open(into)
    for line in _faults(made):
        note(line)
    if pictures:
        draw_pictures(cut(loaded, layers), made)
    if as_json:
        print_json(_facts(made))
        return
    _print(made)


def _part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    match = _PART.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--part {text[:60]!r} is no part; write the part and how many there are, such as 3/16.")
    return int(match[1]), int(match[2])


def _engine(workers: int, address: str | None) -> "Engine":
    from circuits.atlas import engines

    if workers and address is not None:
        raise InputError("--workers and --ray say both who computes; give one of them.")
    if address is not None:
        return engines.ray(None if address in ("", "local") else address)
    return engines.processes(workers) if workers else engines.inline


def _classes(text: str | None) -> Sequence[str] | Mapping[str, str] | None:
    if text is None:
        return None
    if Path(text).suffix.lower() == ".csv":
        from circuits.atlas.plan import read_classes

        return {str(folder): called for folder, called in read_classes(Path(text), "folder").items()}
    return [part.strip() for part in text.split(",") if part.strip()]


def _unknown(found: "PhotosByClass") -> list[str]:
    """Lines about folders that are no class."""
    rest = len(found.unknown) - SHOWN_FAULTS
    lines = [
        f"Left out: {name} is no class of the network ({many(count, 'file')})."
        for name, count in list(found.unknown.items())[:SHOWN_FAULTS]
    ]
    return [*lines, f"Left out: {many(rest, 'more folder')} of no class."] if rest > 0 else lines


def _faults(made: "Atlas") -> list[str]:
    return skipped([fault if name in fault else f"{name}: {fault}" for name, fault in made.skipped.items()])


def _print(made: "Atlas") -> None:
    """What is in it, and of each class what contributes most."""
    from circuits.report.atlas_sentences import estimate

    console = output()
    say(
        console,
        f"{many(made.photos, 'photo')} of {many(len(made.classes), 'class', 'classes')}: {made.units} units of "
        f"{made.network} in {len(made.layers)} layers, in {made.folder}.",
    )
    whys: dict[str, list[str]] = {}
    for each in made.record.subject.unlinked:
        whys.setdefault(each.why, []).append(each.layer)
    for why, layers in whys.items():
        note(f"No links to some units of {listed(layers, limit=4)}: {why}.")
    layer = made.layers[-2].name
    table = plain_table(("class", "photos", f"contribute most in {layer}"), numbers=[1])
    for found in made.classes:
        units = made.strongest(layer, found.number, 3)
        told = ", ".join(
            f"{unit.unit.channel}: {estimate(unit.contribution.mean, unit.contribution.error)}" for unit in units
        )
        table.add_row(short_label(found.label), str(found.photos), told)
    console.print(table, soft_wrap=True)


def _facts(made: "Atlas") -> dict[str, object]:
    return {
        "folder": str(made.folder),
        "photos": made.photos,
        "classes": {each.label: each.photos for each in made.classes},
        "layers": {layer.name: layer.channels for layer in made.layers},
        "skipped": made.skipped,
    }
