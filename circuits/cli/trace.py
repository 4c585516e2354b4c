"""`circuits trace`: the circuit behind what a network says about a photo, as a table and as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.circuit_options import (
    DEPTH,
    EVERYTHING,
    LINES,
    TOP,
    TRACE_SIGNS,
    USUAL_DEPTH,
    CircuitFiles,
    baseline_of,
    groups_of,
    with_looks,
)
from circuits.cli.console import echo_json, note, note_tokens_from_zero, output, progress, say
from circuits.cli.options import (
    AS_JSON,
    INDEX_FOLDER,
    LAYERS,
    NETWORK,
    PHOTO,
    WINDOW,
    NetworkBesideFile,
    get_photo,
    option,
)
from circuits.cli.values import counts
from circuits.errors import InputError
from circuits.report.sentences import by_units_in_words
from circuits.report.text import many

if TYPE_CHECKING:
    from circuits.network.network import Network
    from circuits.tracing.usual import UsualView


def trace(
    photo: str = PHOTO,
    *,
    files: CircuitFiles,
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
    depth: int | None = DEPTH,
    top: str | None = TOP,
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
    signs: str = TRACE_SIGNS,
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
    everything: bool = EVERYTHING,
    as_json: bool = AS_JSON,
    network: str = NETWORK,
    options: NetworkBesideFile,
) -> None:
    """Trace the circuit behind a prediction: the units that contributed most to it, and those below them."""
    files.check()
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
    wanted = depth or levels or USUAL_DEPTH
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
    shown = with_looks(loaded, circuit, first, pictures=files.pictures) if files.show_units else first
    files.write(circuit, shown)


def _usual(network: "Network", exemplars: Path | None) -> "UsualView":
    """How the network is explained where nothing says how, with a word on it if that is by groups."""
    from circuits.atlas.means import mean_at_hand
    from circuits.network.layers import stream_names
    from circuits.tracing.usual import usual_view

    view = usual_view(network, lambda stream: mean_at_hand(stream, exemplars))
    if view.groups:
        note("Explained by groups of the tokens after each block; --top 5 explains by single units of the MLPs.")
    elif stream_names(network.traced):
        note(by_units_in_words("after `circuits exemplars FOLDER --layers stream`"))
    return view


def _note_depth(network: "Network", layer: str, depth: int) -> None:
    """Say so if there are fewer layers below the target than were asked for."""
    levels, below = 0, set(network.layers_below(layer))
    while below and levels < depth:
        levels, below = levels + 1, {lower for each in below for lower in network.layers_below(each)}
    if levels < depth:
        count = many(levels, "layer")
        note(f"{network.name} has {count} below {layer}, so the circuit goes down {levels} and not {depth}.")
