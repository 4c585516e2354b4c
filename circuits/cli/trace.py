"""`circuits trace`: the circuit behind what a network says about a photo, as a table and as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.console import echo_json, note, output, progress
from circuits.cli.options import (
    AS_JSON,
    INDEX_FOLDER,
    LAYERS,
    NETWORK,
    PHOTO,
    WINDOW,
    NetworkBesideFile,
    counts,
    file_option,
    get_photo,
    option,
)
from circuits.errors import InputError
from circuits.files import check_writable, write_atomically

if TYPE_CHECKING:
    from circuits.attribution.ablation import Baseline
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit


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
    depth: int | None = option(None, "Layers to walk down; 4, or one for each --top.", min=1, max=2000),
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
    options: NetworkBesideFile,
) -> None:
    """Trace the circuit behind a class for one photo: which units argued for it, and which for those."""
    if not measure and (baseline, exemplars) != ("zero", None):
        raise InputError("--baseline and --exemplars say how edges are measured; give --measure too.")
    _check_targets([path for path in (file, graphml, html) if path is not None])
    tops = counts("--top", top)
    picture = get_photo(photo, window)
    loaded = options.load(network, layers)
    from circuits.cli import _trace_tables as tables
    from circuits.tracing.trace import trace as trace_photo

    baselines = _baselines(loaded, baseline, exemplars)
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
            circuit = measure_edges(loaded, circuit, baseline=baselines[-1], progress=report)
    if as_json:
        echo_json(circuit.to_json_text())
    else:
        console = output()
        console.print(tables.summary(circuit), soft_wrap=True)
        console.print(tables.circuit_table(circuit))
        if measure:
            console.print(tables.warnings(circuit), soft_wrap=True)
            for each in baselines:
                console.print(tables.agreement_heading(each), soft_wrap=True)
                console.print(tables.agreement_table(circuit, each.name))
    for path, write in (
        (file, circuit.to_json),
        (graphml, circuit.to_graphml),
        (html, lambda path: write_atomically(path, page(loaded, circuit, pictures=pictures))),
    ):
        if path is not None:
            write(path)
            note(f"Wrote {path}.")


def _baselines(network: "Network", name: str, exemplars: Path | None) -> "list[Baseline]":
    """Zero, and for `mean` the mean over the newest index of exemplars."""
    from circuits.attribution.ablation import resolve

    if name == "zero":
        return resolve()
    if name != "mean":
        raise InputError(f"--baseline {name!r} does not exist; write zero or mean.")
    from circuits.exemplars.exemplars import find_exemplars

    index = find_exemplars(network, exemplars)
    if index is None:
        where = f" in {exemplars}" if exemplars is not None else ""
        raise InputError(
            f"There is no index of exemplars of {network.name}{where} to take means over; make one with "
            "`circuits exemplars FOLDER` and the same network, or leave out --baseline mean."
        )
    return resolve(index)


def page(network: "Network", circuit: "Circuit", *, pictures: bool) -> str:
    """The circuit as an HTML page with heat maps and, where wanted, pictures of what its units look for."""
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
    drawn = {}
    if pictures:
        from circuits.visualization.store import pictures as pictures_of

        with progress("Rendering pictures") as report:
            made = pictures_of(network, [node.unit for node in nodes], progress=report)
        drawn = {node.id: picture.image for node, picture in zip(nodes, made, strict=True)}
    return to_html(circuit, pictures=drawn, heat_maps=heat_maps)


def _check_targets(paths: list[Path]) -> None:
    for path in paths:
        check_writable(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"Two outputs have the same name, {paths[0]}; give each its own.")
