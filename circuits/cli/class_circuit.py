"""`circuits class`: the circuit of a class, over all of its photos in an atlas or a folder, as a table and as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli._atlas_given import check_outside, network_of, network_option, opened_atlas
from circuits.cli.circuit_options import (
    DEPTH,
    EVERYTHING,
    LINES,
    SIGNS,
    TOP,
    USUAL_DEPTH,
    CircuitFiles,
    baseline_of,
    groups_of,
    with_looks,
)
from circuits.cli.console import echo_json, note, note_tokens_from_zero, output, progress, say
from circuits.cli.files import photos_of
from circuits.cli.options import AS_JSON, LAYERS, NetworkBesideFile, argument, file_option, option
from circuits.cli.values import counts
from circuits.errors import InputError

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.image.photo import Photo
    from circuits.network.network import Network
    from circuits.units import Progress


def class_circuit(
    wanted: str = argument(
        "CLASS",
        "A class, by its label or number; or a unit such as conv7:281, for what that is made of whatever the class.",
    ),
    atlas: Path | None = file_option(
        "The folder of an atlas, from circuits atlas; by default the one that comes with the built-in network.",
        metavar="DIR",
    ),
    groups: str | None = option(
        None,
        "Explain by groups of channels, from the photos: a file from circuits groups; or how many each layer has, or "
        "one number a level, which are fitted to these photos.",
        metavar="N|FILE",
    ),
    photos: Path | None = file_option(
        "Explain the photos of this folder, or those in its folder of the class; with --atlas, where its photos are.",
        metavar="DIR",
    ),
    limit: int | None = option(
        None, "With --groups or --photos: so many photos at most, chosen by the hash of their names.", min=1
    ),
    *,
    files: CircuitFiles,
    depth: int | None = DEPTH,
    top: str | None = TOP,
    signs: str = SIGNS,
    baseline: str = option(
        "zero",
        "What contributions are measured from, with --groups or --photos: zero, or each unit's mean over the photos "
        "of the --atlas, or else over an index of exemplars or the network's atlas.",
        metavar="zero|mean",
    ),
    everything: bool = EVERYTHING,
    as_json: bool = AS_JSON,
    layers: str = LAYERS,
    network: str | None = network_option("pictures, --groups and --photos"),
    options: NetworkBesideFile,
) -> None:
    """Show the circuit of a class, or a unit: not of one photo, but of many, and how sure it is.

    From an atlas, or with --photos or --groups from the photos of a class themselves.
    """
    files.check()
    tops = None if top is None else counts("--top", top)
    from circuits.cli import _trace_tables as tables
    from circuits.report.atlas_sentences import sureness
    from circuits.report.circuit_svg import Looks

    opened = opened_atlas(atlas) if atlas is not None or (photos is None and groups is None) else None
    if opened is not None:
        check_outside(opened, *files)
    drawn_by: Network | None
    if photos is None and groups is None:
        assert opened is not None
        if limit is not None or (layers, baseline) != ("auto", "zero"):
            raise InputError(
                "--limit, --layers and --baseline say how photos are explained; give --photos or --groups too."
            )
        drawn_by = network_of(opened, network, options) if files.show_pictures else None
        if drawn_by is None and files.show_pictures:
            note(f"Without pictures: give --network for {opened.network} to have them drawn.")
        levels = depth or (len(tops) if isinstance(tops, tuple) else USUAL_DEPTH)
        circuit = opened.circuit(wanted, depth=levels, top=5 if tops is None else tops, signs=signs)
    else:
        from circuits.atlas.means import mean_of_atlas

        drawn_by = options.load(network or "builtin", layers)
        start = mean_of_atlas(opened) if opened is not None and baseline == "mean" else baseline_of(drawn_by, baseline)
        if start is None:
            note_tokens_from_zero(drawn_by, "--baseline mean measures them from the mean")
        grouped = None if groups is None else groups_of(drawn_by, groups)
        levels = depth or next((len(each) for each in (tops, grouped) if isinstance(each, tuple)), USUAL_DEPTH)
        with progress("Reading photos") as report:
            seen = _photos(drawn_by, opened, photos, wanted, limit, report)
            from circuits.atlas.trace_class import trace_class

            circuit = trace_class(
                drawn_by, seen, wanted, groups=grouped, depth=levels, top=tops, signs=signs, baseline=start,
                progress=report,
            )  # fmt: skip
    if as_json:
        echo_json(circuit.to_json_text())
    else:
        console = output()
        say(console, tables.class_summary(circuit))
        console.print(tables.circuit_table(circuit, console.width, None if everything else LINES), soft_wrap=True)
        say(console, sureness(circuit))
    looks = Looks()
    if drawn_by is not None and files.show_pictures:
        looks = with_looks(drawn_by, circuit, looks, pictures=True)
    files.write(circuit, looks)


def _photos(
    network: "Network", atlas: "Atlas | None", folder: Path | None, wanted: str, limit: int | None, report: "Progress"
) -> "list[Photo]":
    """The photos of a class: of a folder, or those of an atlas, there or where they were when it was made."""
    from circuits.atlas.class_photos import photos_of_atlas, photos_of_folder

    if atlas is not None:
        atlas.check_network(network)
        files = photos_of_atlas(atlas, folder, wanted)
    elif folder is not None:
        files = photos_of_folder(network, folder, wanted)
    else:
        raise InputError(
            "Groups are found in photos, and the atlas of the built-in network has none; give a folder of photos of "
            "the class with --photos."
        )
    if limit is not None and limit < len(files):
        note(f"{limit} of {len(files)} files, chosen by the hash of their names.")
    return photos_of(network, folder or files[0].parent, files[:limit], report)
