"""`circuits class`: the circuit of a class, over all of its photos in an atlas, as a table and as files."""

from pathlib import Path

from circuits.cli._atlas_given import check_outside, network_of, network_option, opened_atlas
from circuits.cli.console import echo_json, note, output, say
from circuits.cli.options import AS_JSON, NetworkBesideFile, argument, counts, file_option, option
from circuits.cli.trace import DEPTH, LINES, check_files, with_looks, write_files


def class_circuit(
    wanted: str = argument(
        "CLASS",
        "A class of the atlas, by its label or number; or a unit, such as conv7:281, for what that is made of whatever "
        "the class.",
    ),
    atlas: Path | None = file_option(
        "The folder of an atlas, from circuits atlas; by default the one that comes with the built-in network.",
        metavar="DIR",
    ),
    file: Path | None = file_option("Write the circuit as JSON.", "--output", "-o"),
    graphml: Path | None = file_option("Write the circuit as GraphML."),
    html: Path | None = file_option("Write the circuit as one HTML page."),
    svg: Path | None = file_option("Write the circuit as a drawing."),
    depth: int | None = option(None, "Layers to walk down; 2, or one for each number of --top.", min=1, max=2000),
    top: str = option("5", "Units to show below each unit, or one number a level: 8,5,3.", metavar="N"),
    signs: str = option(
        "positive", "positive (excitatory units only), or both (inhibitory ones too).", metavar="SIGNS"
    ),
    everything: bool = option(False, "Print every unit, even if that takes many lines.", "--all"),
    as_json: bool = AS_JSON,
    pictures: bool = option(True, "Draw what each unit looks for, for --html and --svg.", "--pictures/--no-pictures"),
    network: str | None = network_option("pictures"),
    *,
    options: NetworkBesideFile,
) -> None:
    """Show the circuit of a class, or a unit: not of one photo, but of all photos in an atlas, and how sure it is."""
    check_files(file, graphml, html, svg)
    tops = counts("--top", top)
    levels = depth or (len(tops) if isinstance(tops, tuple) else DEPTH)
    from circuits.cli import _trace_tables as tables
    from circuits.report.atlas_sentences import sureness

    opened = opened_atlas(atlas)
    check_outside(opened, file, graphml, html, svg)
    drawn_by = network_of(opened, network, options) if pictures and (html or svg) else None
    if drawn_by is None and pictures and (html or svg):
        note(f"Without pictures: give --network for {opened.network} to have them drawn.")
    circuit = opened.circuit(wanted, depth=levels, top=tops, signs=signs)
    if as_json:
        echo_json(circuit.to_json_text())
    else:
        console = output()
        say(console, tables.class_summary(circuit))
        console.print(tables.circuit_table(circuit, console.width, None if everything else LINES), soft_wrap=True)
        say(console, sureness(circuit))
    from circuits.report.circuit_svg import Looks

    looks = Looks() if drawn_by is None else with_looks(drawn_by, circuit, Looks(), pictures=True)
    write_files(circuit, looks, file, graphml, html, svg)
