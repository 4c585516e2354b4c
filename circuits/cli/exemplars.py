"""`circuits exemplars`: what every unit fires on in a folder of photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from circuits.cli.console import note, output, plain_table, print_json, progress
from circuits.cli.options import AS_JSON, LAYERS, NETWORK, NetworkOptions, argument, file_option, option
from circuits.errors import in_one_line, listed
from circuits.report.text import many, number

if TYPE_CHECKING:
    from circuits.exemplars.exemplars import Exemplar, Exemplars, UnitExemplars


SHOWN_FAULTS = 5


def exemplars(
    folder: Path = argument("FOLDER", "Photos, in any number of folders.", readable=False),
    unit: list[str] | None = option(None, "Show what this unit fires on; may be repeated.", "--unit", metavar="UNIT"),
    top: int = option(9, "Photos in each list of a unit.", min=1, max=100),
    into: Path | None = file_option("Folder for the indices; by default in the cache.", metavar="DIR"),
    as_json: bool = AS_JSON,
    layers: str = LAYERS,
    network: str = NETWORK,
    *,
    options: NetworkOptions,
) -> None:
    """Index what every unit fires on in a folder of photos; photos that are added later are indexed too."""
    from circuits.units import Unit

    loaded = options.load(network, layers)
    asked = [Unit.parse(text) for text in unit or ()]
    for wanted in asked:
        loaded.check_unit(wanted)
    from circuits.exemplars.build import index_photos
    from circuits.exemplars.loader import files_in
    from circuits.naming.store import names_of

    with progress("Indexing") as report:
        index = index_photos(loaded, folder, top=top, into=into, progress=report)
    links: list[str] = []
    for _ in files_in(folder, links):
        pass
    for line in (*left_out_links(links), *skipped(list(index.skipped.values()))):
        note(line)
    shown = [index.of(wanted) for wanted in asked]
    if as_json:
        print_json(_facts(index, shown))
        return
    console, names = output(), names_of(loaded.sha256)
    console.print(
        f"{index.photos} photos in {index.folder}: {index.units} units of {loaded.name} in {len(index.layers)} "
        f"layers, kept in {index.kept}."
    )
    for each in shown:
        console.print(f"\n{names.called(each.unit)}")
        console.print(_lists(index, each))
        console.print(_quantiles(each))
        if each.classes:
            console.print("most: " + ", ".join(f"{count} × {in_one_line(name)}" for name, count in each.classes))


def left_out_links(links: Sequence[str]) -> list[str]:
    """A line about links in a folder of photos that are not followed.

    >>> left_out_links(["dog", "lion"])
    ['Left out: dog, lion: links to folders, or to nothing, are not followed.']
    """
    if not links:
        return []
    return [f"Left out: {listed(links, limit=SHOWN_FAULTS)}: links to folders, or to nothing, are not followed."]


def skipped(faults: Sequence[str]) -> list[str]:
    """Lines about files that are no photos, the first few in full."""
    rest = len(faults) - SHOWN_FAULTS
    lines = [f"Skipped: {fault}" for fault in faults[:SHOWN_FAULTS]]
    return [*lines, f"Skipped: {many(rest, 'more file')}."] if rest > 0 else lines


def _lists(index: "Exemplars", unit: "UnitExemplars") -> Table:
    table = plain_table(("", "photo", "value", "at"), numbers=[2])
    for name, photos in lists_of(unit).items():
        for place, each in enumerate(photos):
            at = f"{each.position[0]},{each.position[1]}"
            shown = in_one_line(each.photo.relative_to(index.folder).as_posix())
            table.add_row(name.replace("_", " ") if place == 0 else "", shown, number(each.value), at)
    return table


def _quantiles(unit: "UnitExemplars") -> Table:
    heads = ("activation", *(f"{percent} %" for percent in unit.peaks))
    table = plain_table(heads, numbers=range(1, len(heads)))
    table.add_row("peak", *(number(value) for value in unit.peaks.values()))
    table.add_row("mean", *(number(value) for value in unit.means.values()))
    return table


def lists_of(exemplars: "UnitExemplars") -> "dict[str, tuple[Exemplar, ...]]":
    """The photos of a unit by kind, from those that it likes most to those that it likes least."""
    from circuits.exemplars.top_k import KINDS

    return {kind: getattr(exemplars, kind) for kind in KINDS}


def _facts(index: "Exemplars", units: "list[UnitExemplars]") -> dict[str, Any]:
    return {
        "folder": str(index.folder),
        "kept": str(index.kept),
        "photos": index.photos,
        "skipped": {str(path): fault for path, fault in index.skipped.items()},
        "layers": list(index.layers),
        "exact": index.exact,
        "units": {str(each.unit): _unit_facts(each) for each in units},
    }


def _unit_facts(unit: "UnitExemplars") -> dict[str, Any]:
    lists = {
        name: [{"photo": str(each.photo), "value": each.value, "position": list(each.position)} for each in photos]
        for name, photos in lists_of(unit).items()
    }
    quantiles = {
        what: {str(percent): value for percent, value in quantile.items()}
        for what, quantile in (("peaks", unit.peaks), ("means", unit.means))
    }
    return {**lists, **quantiles, "classes": dict(unit.classes)}
