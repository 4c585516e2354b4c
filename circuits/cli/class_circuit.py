"""`circuits class`: the circuit of a class, over all of its photos in an atlas, as a table and as files."""

from pathlib import Path

from circuits.cli.console import echo_json, note, output, say
from circuits.cli.files import check_output
from circuits.cli.options import AS_JSON, argument, counts, file_option, option
from circuits.cli.trace import DEPTH, LINES
from circuits.errors import InputError
from circuits.files import write_atomically


def class_circuit(
    wanted: str = argument("CLASS", "A class of the atlas, by its label or number."),
    atlas: Path | None = file_option("The folder of the atlas, from circuits atlas.", metavar="DIR"),
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
) -> None:
    """Show the circuit of a class: not of one photo, but of all of its photos in an atlas, and how sure it is."""
    if atlas is None:
        raise InputError("--atlas is missing; give the folder of an atlas, from `circuits atlas PHOTOS -o atlas`.")
    for name, path, kind, endings in (
        ("--output", file, "JSON", (".json",)),
        ("--graphml", graphml, "GraphML", (".graphml",)),
        ("--html", html, "HTML", (".html", ".htm")),
        ("--svg", svg, "SVG", (".svg",)),
    ):
        check_output(name, path, kind, endings)
    tops = counts("--top", top)
    levels = depth or (len(tops) if isinstance(tops, tuple) else DEPTH)
    from circuits.atlas.atlas import Atlas
    from circuits.cli import _trace_tables as tables

    circuit = Atlas.open(atlas).circuit(wanted, depth=levels, top=tops, signs=signs)
    if as_json:
        echo_json(circuit.to_json_text())
    else:
        console = output()
        say(console, tables.class_summary(circuit))
        console.print(tables.circuit_table(circuit, console.width, None if everything else LINES), soft_wrap=True)
        say(console, tables.sureness(circuit))
    if html or svg:
        from circuits.report.circuit import to_html
        from circuits.report.circuit_svg import svg_file
    for path, write in (
        (file, circuit.to_json),
        (graphml, circuit.to_graphml),
        (html, lambda path: write_atomically(path, to_html(circuit))),
        (svg, lambda path: write_atomically(path, svg_file(circuit))),
    ):
        if path is not None:
            write(path)
            note(f"Wrote {path}.")
