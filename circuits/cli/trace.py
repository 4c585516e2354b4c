"""`circuits trace`: the circuit behind what a network says about a photo, as a table and as files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.console import echo_json, note, note_tokens_from_zero, output, progress, say
from circuits.cli.files import check_output
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
    whole,
)
from circuits.errors import InputError
from circuits.files import write_atomically
from circuits.report.text import many

if TYPE_CHECKING:
    from circuits.attribution.baseline import Baseline
    from circuits.groups.dictionary import Dictionary
    from circuits.network.network import Network
    from circuits.report.circuit_svg import Looks
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.usual import UsualView


DEPTH = 2
"""Layers to walk down, as on the page."""
LINES = 60
"""Of the table, unless all of it is asked for."""
_SIDE = 192
"""Longer side of patches and heat maps in files, in pixels."""


def trace(
    photo: str = PHOTO,
    file: Path | None = file_option("Write the circuit as JSON.", "--output", "-o"),
    graphml: Path | None = file_option("Write the circuit as GraphML."),
    html: Path | None = file_option("Write the circuit as one HTML page."),
    svg: Path | None = file_option("Write the circuit as a drawing."),
    pictures: bool = option(True, "Draw what each unit looks for, for --html and --svg.", "--pictures/--no-pictures"),
    look: str = option(
        "picture",
        "What units show first in --html and --svg: picture (what each looks for), patch (the part of the photo where "
        "it fired most) or heat (where it fired).",
        metavar="LOOK",
    ),
    target: str | None = option(
        None,
        "A class (label or number), a unit such as inception4a:17, a neuron such as inception4a:17@7,5, or "
        "'A - B' for the difference of two classes; by default the predicted class.",
        metavar="TARGET",
    ),
    window: str | None = WINDOW,
    layers: str = LAYERS,
    depth: int | None = option(
        None, "Layers to walk down; 2, or one for each number of --top or --groups.", min=1, max=2000
    ),
    top: str | None = option(
        None,
        "Units to show below each unit, or one number a level: 8,5,3; by default 5, and of groups all.",
        metavar="N",
    ),
    groups: str | None = option(
        None,
        "Explain by groups of channels: how many each layer has, or one number a level, 0 for channels: 8,12; or a "
        "file of groups.",
        metavar="N|FILE",
    ),
    units: int | None = option(
        None, "Show so many units in all, those that do most for the target, in place of --top.", metavar="N"
    ),
    share: float | None = option(
        None, "Stop at a level when its units hold this part of the target: 0.8.", metavar="PART"
    ),
    mode: str | None = option(
        None,
        "Method of attribution: sum (gradient × activation), target (weighted by the target), ig (integrated "
        "gradients) or ablate; by default sum, and target with --groups, --units or --share.",
        metavar="MODE",
    ),
    signs: str = option(
        "positive", "positive (excitatory units only), or both (inhibitory ones too).", metavar="SIGNS"
    ),
    measure: bool = option(
        False, "Ablate the unit of every edge, and record how much the unit above it changes.", "--measure"
    ),
    baseline: str | None = option(
        None,
        "What contributions are measured from: zero, the default, or each unit's mean over an index of exemplars (or "
        "the atlas); with --measure, units are then set to that mean too.",
        metavar="zero|mean",
    ),
    exemplars: Path | None = INDEX_FOLDER,
    everything: bool = option(False, "Print every unit, even if that takes many lines.", "--all"),
    as_json: bool = AS_JSON,
    network: str = NETWORK,
    *,
    options: NetworkBesideFile,
) -> None:
    """Trace the circuit behind a prediction: the units that contributed most to it, and those below them."""
    check_files(file, graphml, html, svg)
    tops = None if top is None else counts("--top", top)
    from circuits.report.circuit_svg import Looks

    first = Looks(first=look)
    picture = get_photo(photo, window)
    loaded = options.load(network, layers)
    grouped = None if groups is None else groups_of(loaded, groups)
    levels = next((len(each) for each in (tops, grouped) if isinstance(each, tuple)), None)
    is_free = {top, groups, units, share, mode} == {None} and (layers, baseline) in (("auto", None), ("auto", "mean"))
    is_free = is_free and ":" not in (target or "")
    view = _usual(loaded, exemplars) if is_free else None
    if view is not None and view.groups:
        loaded, grouped, units, signs, baseline = view.network, view.groups, view.units, view.signs, "mean"
    baseline = baseline or "zero"
    if exemplars is not None and baseline == "zero" and not measure:
        raise InputError("--exemplars says where means are taken from; give --baseline mean, or --measure, too.")
    if baseline == "zero":
        note_tokens_from_zero(loaded, "--baseline mean measures them from the mean")
    wanted = depth or levels or DEPTH
    from circuits.cli import _trace_tables as tables
    from circuits.tracing.trace import trace as trace_photo

    start = baseline_of(loaded, baseline, exemplars)
    means = start if exemplars is None or baseline == "mean" else baseline_of(loaded, "mean", exemplars)
    with progress("Tracing") as report:
        circuit = trace_photo(
            loaded,
            picture,
            target,
            depth=wanted,
            top=tops,
            mode=mode,
            signs=signs,
            groups=grouped,
            units=units,
            share=share,
            baseline=start,
            progress=report,
        )
    if depth or levels:
        _note_depth(loaded, circuit.nodes[circuit.root].unit.layer, wanted)
    if measure:
        from circuits.attribution.baseline import resolve
        from circuits.tracing.verify import measure as measure_edges

        with progress("Measuring") as report:
            circuit = measure_edges(loaded, circuit, baseline=means, progress=report)
    if as_json:
        echo_json(circuit.to_json_text())
    else:
        console = output()
        say(console, tables.summary(circuit, console.width if console.is_terminal else None))
        console.print(tables.circuit_table(circuit, console.width, None if everything else LINES), soft_wrap=True)
        if measure:
            say(console, tables.warnings(circuit))
            for each in resolve(means):
                say(console, tables.agreement_heading(circuit, each))
                console.print(tables.agreement_table(circuit, each.name))
    shown = with_looks(loaded, circuit, first, pictures=pictures) if html or svg else first
    write_files(circuit, shown, file, graphml, html, svg)


def groups_of(network: "Network", text: str) -> "int | tuple[int, ...] | Mapping[str, Dictionary]":
    """How many groups each layer has, or the groups of a file."""
    numbers = [whole(part) for part in text.split(",")]
    found = tuple(number for number in numbers if number is not None)
    if len(found) == len(numbers):
        return found[0] if len(found) == 1 else found
    if not Path(text).suffix:
        raise InputError(
            f"--groups {text!r} is no number of groups; give one such as 8, one for each level such as 8,12, or a "
            ".safetensors file of groups."
        )
    from circuits.groups.storage import load_groups

    return load_groups(text, network)


def _usual(network: "Network", exemplars: Path | None) -> "UsualView":
    """How the network is explained where nothing says how, with a word on it if that is by groups."""
    from circuits.atlas.means import mean_at_hand
    from circuits.network.layers import stream_names
    from circuits.tracing.usual import usual_view

    view = usual_view(network, lambda stream: mean_at_hand(stream, exemplars))
    if view.groups:
        note("Explained by groups of the tokens after each block; --top 5 explains by single units of the MLPs.")
    elif stream_names(network.traced):
        note(
            "Explained by single units, which show little of a transformer; after `circuits exemplars FOLDER --layers "
            "stream` it is explained by groups of its tokens."
        )
    return view


def baseline_of(network: "Network", name: str, exemplars: Path | None = None) -> "Baseline | None":
    """`None` for zero, and for `mean` the mean over the newest index of exemplars or the network's atlas."""
    if name == "zero":
        return None
    if name != "mean":
        raise InputError(f"--baseline {name!r} does not exist; write zero or mean.")
    from circuits.atlas.means import mean_at_hand

    mean = mean_at_hand(network, exemplars)
    if mean is None:
        where = f" in {exemplars}" if exemplars is not None else ""
        raise InputError(
            f"There is no index of exemplars of {network.name}{where} to take means over; make one with "
            "`circuits exemplars FOLDER` and the same network, or leave out --baseline mean."
        )
    return mean


def with_looks(network: "Network", circuit: "Circuit", looks: "Looks", *, pictures: bool) -> "Looks":
    """What the units of a circuit can show in a file: their patches, heat maps and, where wanted, pictures.

    What is in no group has no picture.

    Args:
        network: the network.
        circuit: the circuit.
        looks: which of them they show first.
        pictures: whether to draw what they look for; takes a while.
    """
    from circuits.evidence.patches import patches_and_maps
    from circuits.tracing.groups import subject_of

    nodes = [circuit.nodes[name] for name in circuit.visible]
    if circuit.photo is not None:
        made = list(patches_and_maps(network, circuit, [node.unit for node in nodes], side=_SIDE))
        patches, maps = ({node.id: pair[at] for node, pair in zip(nodes, made, strict=True)} for at in (0, 1))
        looks = replace(looks, patch=patches, heat=maps)
    if not pictures:
        return looks
    from circuits.visualization.store import pictures as pictures_of

    subjects = {node.id: subject for node in nodes if (subject := subject_of(circuit, node.id)) is not None}
    root = circuit.nodes[circuit.root]
    subjects |= {root.id: root.channel}  # which may be a neuron, drawn as such
    with progress("Rendering pictures") as report:
        drawn = pictures_of(network, list(subjects.values()), progress=report)
    found = {name: picture.image for name, picture in zip(subjects, drawn, strict=True) if not picture.dead}
    return replace(looks, picture=found)


def _note_depth(network: "Network", layer: str, depth: int) -> None:
    """Say so if there are fewer layers below the target than were asked for."""
    levels, below = 0, set(network.layers_below(layer))
    while below and levels < depth:
        levels, below = levels + 1, {lower for each in below for lower in network.layers_below(each)}
    if levels < depth:
        count = many(levels, "layer")
        note(f"{network.name} has {count} below {layer}, so the circuit goes down {levels} and not {depth}.")


def check_files(file: Path | None, graphml: Path | None, html: Path | None, svg: Path | None) -> None:
    """Refuse files that a circuit is to be written to, if one cannot be, or two are the same."""
    others = {".html": "--html", ".htm": "--html", ".graphml": "--graphml", ".svg": "--svg"}
    rather = others.get(file.suffix.lower(), "") if file else ""
    check_output("--output", file, "JSON", (".json",), rather)
    check_output("--graphml", graphml, "GraphML", (".graphml", ".xml"))
    check_output("--html", html, "a page", (".html", ".htm"))
    check_output("--svg", svg, "a drawing", (".svg",))
    paths = [path for path in (file, graphml, html, svg) if path is not None]
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"Two outputs have the same name, {paths[0]}; give each its own.")


def write_files(
    circuit: "Circuit", looks: "Looks", file: Path | None, graphml: Path | None, html: Path | None, svg: Path | None
) -> None:
    """Write the files that `check_files` has let pass, and say so."""
    if html or svg:
        from circuits.report.circuit import page_of
        from circuits.report.circuit_svg import svg_file

    for path, write in (
        (file, circuit.to_json),
        (graphml, circuit.to_graphml),
        (html, lambda path: write_atomically(path, page_of(circuit, looks))),
        (svg, lambda path: write_atomically(path, svg_file(circuit, looks))),
    ):
        if path is not None:
            write(path)
            note(f"Wrote {path}.")
