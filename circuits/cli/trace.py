"""`circuits trace`: the circuit behind what a network says about a photo, as a table and as files."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from circuits.cli.options import (
    AS_JSON,
    INDEX_FOLDER,
    LAYERS,
    NETWORK,
    PHOTO,
    WINDOW,
    NetworkOptions,
    counts,
    file_option,
    get_photo,
    option,
)
from circuits.cli.trace_measured import agreement, baseline_of, heading, warnings
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically
from circuits.report.text import ALONE, network_and_source, number, percent

if TYPE_CHECKING:
    from rich.table import Table

    from circuits.attribution.decomposition import Decomposition
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.node import Node
    from circuits.units import Edge


def trace(
    photo: str = PHOTO,
    file: Path | None = file_option("Write the circuit as JSON.", "--output", "-o"),
    graphml: Path | None = file_option("Write it as GraphML."),
    html: Path | None = file_option("Write it as one HTML page."),
    pictures: bool = option(True, "Put what each unit looks for on the page.", "--pictures/--no-pictures"),
    target: str | None = option(
        None,
        "A class (label or number), a unit such as inception4a:17, a neuron such as inception4a:17@7,5, or "
        "'A - B' for the difference of two classes; by default the class predicted.",
        metavar="TARGET",
    ),
    window: str | None = WINDOW,
    layers: str = LAYERS,
    depth: int | None = option(None, "Layers to walk down; 4, or one for each --top.", min=1),
    top: str = option("5", "Units to show below each unit, or one number a level: 8,5,3.", metavar="N"),
    mode: str = option("sum", "sum, target, ig or ablate: how attribution is measured.", metavar="MODE"),
    signs: str = option("positive", "positive, or both to show what argues against too.", metavar="SIGNS"),
    measure: bool = option(
        False, "Switch off the unit of every edge, and note what its target really loses.", "--measure"
    ),
    baseline: str = option(
        "zero", "Measure too what is lost at the mean over an index of exemplars.", metavar="zero|mean"
    ),
    exemplars: Path | None = INDEX_FOLDER,
    as_json: bool = AS_JSON,
    network: str = NETWORK,
    *,
    options: NetworkOptions,
) -> None:
    """Trace the circuit behind a class for one photo: which units argued for it, and which for those."""
    from circuits.cli.console import note, output, progress

    if not measure and (baseline, exemplars) != ("zero", None):
        raise InputError("--baseline and --exemplars say how edges are measured; give --measure too.")
    _check_targets([path for path in (file, graphml, html) if path is not None])
    tops = counts("--top", top)
    picture = get_photo(photo, window)
    loaded = options.load(network, layers)
    from circuits.attribution.ablation import Baseline
    from circuits.tracing.trace import trace as trace_photo

    instead = baseline_of(loaded, baseline, exemplars)
    with progress("Tracing") as report:
        circuit = trace_photo(
            loaded,
            picture,
            target,
            depth=depth or (4 if isinstance(tops, int) else len(tops)),
            top=tops,
            mode=mode,
            signs=signs,
            progress=report,
        )
    if measure:
        from circuits.tracing.verify import measure as measure_edges

        with progress("Measuring") as report:
            circuit = measure_edges(loaded, circuit, baseline=instead, progress=report)
    if as_json:
        typer.echo(circuit.to_json_text(), nl=False)
    else:
        console = output()
        console.print(summary(circuit), soft_wrap=True)
        console.print(table(circuit))
        if measure:
            console.print(warnings(circuit), soft_wrap=True)
            for each in [Baseline.zero(), *([instead] if instead.name != "zero" else [])]:
                console.print(heading(each), soft_wrap=True)
                console.print(agreement(circuit, each.name))
    if file is not None:
        circuit.to_json(file)
        note(f"Wrote {file}.")
    if graphml is not None:
        circuit.to_graphml(graphml)
        note(f"Wrote {graphml}.")
    if html is not None:
        write_atomically(html, page(loaded, circuit, pictures=pictures))
        note(f"Wrote {html}.")


def summary(circuit: "Circuit") -> str:
    """What was seen and what is explained, in two lines."""
    seen = "; ".join(f"{found.label} {percent(found.probability)}" for found in circuit.predictions)
    named = network_and_source(circuit.network.name, circuit.network.source)
    alone = f" ({ALONE})" if circuit.network.multi_label else ""
    sight = f"{named} sees in {circuit.photo_info.name}{alone}: {seen}." if seen else f"{named} names no classes."
    return (
        f"{sight}\n"
        f"The circuit of {circuit.target.label} ({circuit.root}, {number(circuit.target.value)}), "
        "layer by layer; what each unit gets from the layer below, and the share of it:"
    )


def table(circuit: "Circuit") -> "Table":
    """The circuit layer by layer from the target down: each unit's books and its strongest lower units."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = [circuit.nodes[name] for name in circuit.visible]
    exact = all(node.books.exact for node in shown if node.books is not None)
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    grid.add_column("unit", no_wrap=True)
    for head in ("value", "shown", "rest", "bias" if exact else "remainder", "coverage"):
        grid.add_column(head, justify="right", no_wrap=True)
    grid.add_column("from the layer below", min_width=24, overflow="fold")
    name_of = _channel_of if _is_chain(circuit) else _source_of
    for layer in reversed(circuit.layers):
        members = sorted((node for node in shown if node.unit.layer == layer), key=lambda node: -node.value)
        for node in members:
            if node.books is not None:
                grid.add_row(*_cells(circuit, node, node.books, name_of))
        bottom = [f"{node.unit.channel}: {number(node.value)}" for node in members if not node.expanded]
        if bottom:
            grid.add_row(f"{len(bottom)} of {layer}", *[""] * 5, "not expanded, by value:\n" + _in_lines(bottom, 5))
        if members:
            grid.add_section()
    return grid


def _is_chain(circuit: "Circuit") -> bool:
    """Whether every edge comes from the next layer, so that its channel says all."""
    height = circuit.layers.index
    pairs = [
        (circuit.nodes[edge.source], circuit.nodes[name])
        for name in circuit.visible
        for edge in circuit.edges_into(name)
    ]
    return all(height(upper.unit.layer) - height(lower.unit.layer) == 1 for lower, upper in pairs)


def _channel_of(circuit: "Circuit", edge: "Edge") -> str:
    """The lower unit of an edge by its channel."""
    return str(circuit.nodes[edge.source].unit.channel)


def _source_of(circuit: "Circuit", edge: "Edge") -> str:
    """The lower unit of an edge by its address and, where it enters a concatenation on its way, its channel there."""
    return edge.source if edge.entrance is None else f"{edge.source} as {edge.entrance}"


def _cells(
    circuit: "Circuit", node: "Node", books: "Decomposition", name_of: Callable[["Circuit", "Edge"], str]
) -> list[str]:
    called = node.id if node.called == node.id else f"{node.id} {node.called.partition(',')[0]}"
    parts = []
    for edge in circuit.edges_into(node.id):
        share = percent(abs(circuit.share(edge)))
        parts.append(f"{name_of(circuit, edge)}: {number(edge.attribution, sign=True)} ({share})")
    signed = [number(value, sign=True) for value in (books.shown, books.rest, books.bias)]
    return [
        called,
        number(node.value),
        *signed,
        percent(books.coverage),
        _in_lines(parts, 3 if name_of is _channel_of else 1),
    ]


def _in_lines(parts: list[str], count: int) -> str:
    """Parts with commas between, broken after every so many rather than within one."""
    lines = [", ".join(parts[start : start + count]) for start in range(0, len(parts), count)]
    return ",\n".join(lines)


def page(network: "Network", circuit: "Circuit", *, pictures: bool) -> str:
    """The circuit as an HTML page with heat maps and, where wanted, pictures of what its units look for."""
    from circuits.cli.console import progress
    from circuits.evidence.maps import heat_map
    from circuits.image.encode import overlay
    from circuits.report.circuit import to_html

    nodes = [circuit.nodes[name] for name in circuit.visible]
    heat_maps = {}
    if circuit.photo is not None:
        crop = network.preprocessing.crop_of(circuit.photo)
        for node in nodes:
            heat = heat_map(network, circuit, node.unit.whole)
            if heat.size > 1:
                heat_maps[node.id] = overlay(crop, heat, size=192)
    found = {}
    if pictures:
        from circuits.visualization.store import pictures as pictures_of

        with progress("Rendering pictures") as report:
            made = pictures_of(network, [node.unit for node in nodes], progress=report)
        found = {node.id: picture.image for node, picture in zip(nodes, made, strict=True)}
    return to_html(circuit, pictures=found, heat_maps=heat_maps)


def _check_targets(paths: list[Path]) -> None:
    for path in paths:
        check_writable(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"Two outputs have the same name, {paths[0]}; give each its own.")
