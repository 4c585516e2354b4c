"""Grow a circuit: trace it from a target, expand its units, discard and restore them.

1. Run the photo once through the network and keep the activation of every layer.
2. The target is the first unit. Expand it: share its value among the channels of the layer below, by gradient ×
   activation through the segment between the two layers and nothing else; the strongest become nodes, and the node
   says what they leave of the value.
3. Expand every unit found in the same way, level by level, as deep as asked (`search`). A unit that several upper units
   choose is one node with several edges.
4. In mode `target` each unit's activation is weighed by the gradient of the target with respect to it, carried down
   from layer to layer by the chain rule over all paths, shown or not, so that no edge changes when another unit is
   expanded or discarded.

Cogswell 2016, "Why is this a cat?". Where the layers are dominators, a segment holds every path between two of them;
where they lie in branches, "the layer below" means the nearest layers on each path (`branches`), and the strongest are
chosen among all of their channels. A level is then a step along an edge; a unit is expanded where it is first found.

No edge depends on which other units are expanded, so expanding many at once is expanding one after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import SupportsIndex

import networkx as nx
import torch

from circuits.attribution.baseline import Baseline, Means, as_baseline
from circuits.attribution.gradient import strongest
from circuits.attribution.modes import check_mode
from circuits.errors import InputError
from circuits.image.encode import to_data_uri
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.device import exact
from circuits.network.layers import why_no_layers
from circuits.network.network import Network
from circuits.network.predict import ranked
from circuits.tracing.budget import budget_of, spend
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import attributes, without_books
from circuits.tracing.facts import NetworkInfo, PhotoInfo, TargetInfo, TraceSettings, as_int, tops_of
from circuits.tracing.levels import Groups, dictionaries_for
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder, check_layer
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import find_target, target_of
from circuits.tracing.visible import reaching
from circuits.units import Progress, Unit


@exact()
def trace(
    network: Network,
    photo: Photo | PhotoSource,
    target: Unit | str | SupportsIndex | None = None,
    *,
    layers: str | Sequence[str] = "auto",
    depth: SupportsIndex = 4,
    top: SupportsIndex | Iterable[SupportsIndex] | None = None,
    mode: str | None = None,
    signs: str = "positive",
    groups: Groups | None = None,
    units: SupportsIndex | None = None,
    share: float | int | None = None,
    baseline: Baseline | Means | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """The circuit behind a target for one photo.

    Args:
        network: from `load_network`.
        photo: a `Photo`, or what `load_photo` takes: a path, a PIL image, an array, `example:cat`.
        target: the predicted class if `None` (of a network without classes the unit of its top layer that fires most);
            a label or class number; `layer:channel`; `layer:channel@row,column`; or `A - B`, the difference of two
            classes.
        layers: `auto` (as the network was loaded), `fine` (down to the branches), or names.
        depth: number of layers below the target to walk down.
        top: units to show below each unit; one number, or one a level. 5 if `None`; with groups all of them.
        mode: `sum`, `target`, `ig`, `ablate` or `frozen`; see `circuits.attribution.gradient`. If `None`, `sum`, but
            `target` with `groups`, which are fitted to the target, and with `units` or `share`, which need it.
        signs: which units are chosen: with `positive` those that argue for, with `both` also those that argue against.
            A residual, and with `units` or `share` every edge between two chosen units, is shown whatever its sign.
        groups: explain by groups of channels (`circuits.groups`): how many a layer, fitted to the photo and target, one
            number or one a level, 0 for channels; or dictionaries by layer, as `load_groups` reads them. What is in no
            group is a node of its own.
        units: spend so many units over the whole circuit, best first by what they do for the target (`budget`), in the
            place of `top` below each.
        share: stop at a level where the units hold this part of the target's value, 0 to 1; with or without `units`.
        baseline: what shares are measured from: zero if `None`, or each unit's mean over photos, as
            `mean_of_photos` and an index of exemplars have it.
        progress: called with (units done, units known, what is under way); raising an exception in it cancels.

    Returns:
        The circuit; its edges are in units of the upper unit's value (mode `target`: of the target).

    Raises:
        InputError: if an option is out of its range.
        UnknownError: if the target or a layer does not exist.

    Example:
        >>> from circuits import load_network, trace
        >>> circuit = trace(load_network(), "example:cat", "cat", depth=1, top=3)
        >>> len(circuit.edges_into(circuit.root))
        3
    """
    shown, levels = as_int(5 if top is None else top), as_int(depth)
    tops = tops_of(shown, levels)
    budget = budget_of(units, share, top, mode)
    mode = check_mode(mode if mode is not None else "sum" if budget is None and groups is None else "target")
    strongest(torch.zeros(1), 1, signs)
    if layers != "auto":
        network = network.with_layers(layers)
    photo = as_photo(photo)
    crop = network.preprocessing.crop_of(photo)
    start = as_baseline(baseline).only(network.layers[:-1])
    run = ForwardCache.of(network, network.preprocessing.from_crop(crop)).from_baseline(start)
    logits = run.activations[network.layers[-1]].sum((0, 2, 3))
    explained = find_target(network, target, int(logits.argmax()))
    if network.below(explained.unit.layer) is None:
        why = f"{explained.id} lies in the lowest layer of {network.name}; there is nothing below it to trace."
        raise InputError(why_no_layers(network.traced) if len(network.layers) == 1 else why)
    if groups is not None:
        run = run.with_groups(dictionaries_for(run, explained, groups, levels))
        if top is None and run.dictionaries:
            shown = max(each.groups for each in run.dictionaries.values())
            tops = [shown] * levels
    builder = CircuitBuilder(run, explained, mode, nx.DiGraph())
    value = builder.add(explained.unit, explained.id, explained.label)
    builder.graph.graph |= attributes(
        NetworkInfo.of(network),
        PhotoInfo.of(network, photo, to_data_uri(crop, lossless=True)),
        ranked(network, logits, 5),
        TargetInfo(kind=explained.kind, unit=explained.id, label=explained.label, value=value),
        TraceSettings(
            mode=mode, top=shown, signs=signs, depth=levels, units=as_int(units), share=share, baseline=start.name
        ),
    )
    builder.graph.graph |= {"means": start.to_row()} if start.means else {}
    if run.dictionaries:
        builder.graph.graph["dictionaries"] = {layer: each.to_row() for layer, each in run.dictionaries.items()}
    if budget is None:
        builder.descend([explained.id], levels, lambda level, _: tops[level], signs, progress)
    else:
        spend(builder, budget, levels, signs, progress)
    return Circuit(builder.graph, photo, run)


@exact()
def expand(
    network: Network, circuit: Circuit, unit: Unit | str, *, top: SupportsIndex | None = None, signs: str | None = None
) -> Circuit:
    """The circuit with the layer below a unit searched.

    Expanding a unit again, with other settings, replaces the edges that it had.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        unit: one of its units, or the id of a node.
        top: units to show; as the circuit was traced, if `None`.
        signs: `positive` or `both`; as the circuit was traced, if `None`.

    Raises:
        InputError: if the unit lies in the lowest layer, or the network or photo is not the circuit's.
        UnknownError: if the unit is not in the circuit.

    Example:
        >>> from circuits import expand, load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=2)
        >>> lower = circuit.edges_into(circuit.root)[0].source
        >>> len(expand(network, circuit, lower, top=4).edges_into(lower))
        4
    """
    name = circuit.node(unit).id
    builder = builder_of(network, circuit)
    count = builder.default_top(circuit.settings, name) if top is None else tops_of(as_int(top), 1)[0]
    next(builder.expand([name], count, signs or circuit.settings.signs))
    return _without_unreachable(circuit, builder.graph, builder.run)


@exact()
def grow(
    network: Network,
    circuit: Circuit,
    *,
    layer: str | None = None,
    levels: int = 1,
    top: int | None = None,
    signs: str | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """The circuit with every visible unit expanded that was not, and again with the units found.

    Units that are expanded stay as they are; where all of them are, nothing changes.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        layer: expand only this layer's units (and, with more levels, what is found below them); all if `None`.
        levels: how often to expand what was found.
        top: units to show below each unit; as the circuit was traced, if `None`.
        signs: `positive` or `both`; as the circuit was traced, if `None`.
        progress: called with (units done, units known, what is under way); raising an exception in it cancels.

    Raises:
        InputError: if levels or an option is out of its range, the layer is the lowest, the circuit shows no unit of
            it, or the network or photo is not the circuit's.
        UnknownError: if the circuit's network has no such layer.

    Example:
        >>> from circuits import grow, load_network, trace
        >>> network = load_network()
        >>> grown = grow(network, trace(network, "example:cat", depth=1, top=3), levels=2)
        >>> grown.visible == trace(network, "example:cat", depth=3, top=3).visible
        True
    """
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise InputError(f"levels is {levels!r}; it counts the layers to walk down and must be at least 1.")
    if top is not None:
        tops_of(top, 1)
    if layer is not None:
        check_layer(circuit, layer)
    builder = builder_of(network, circuit)
    builder.descend(
        [name for name, node in circuit.nodes.items() if layer in (None, node.unit.layer)],
        levels,
        lambda _, name: builder.default_top(circuit.settings, name) if top is None else top,
        signs or circuit.settings.signs,
        progress,
        done_message="Expanded",
    )
    return replace(circuit, graph=builder.graph, cache=builder.run)


def collapse(circuit: Circuit, unit: Unit | str) -> Circuit:
    """The circuit with a unit not expanded any more, without the edges into it and what only it needed.

    What leaves is forgotten, with its names, notes and places; `expand` finds the units anew.

    Raises:
        InputError: if the unit is not expanded.
        UnknownError: if the unit is not in the circuit.

    Example:
        >>> from circuits import collapse, expand, load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=3)
        >>> bare = collapse(circuit, circuit.root)
        >>> len(bare.nodes), expand(network, bare, bare.root) == circuit
        (1, True)
    """
    node = circuit.node(unit)
    if not node.expanded:
        raise InputError(f"{node.called} is not expanded, so it cannot be collapsed; choose a unit that is expanded.")
    graph = circuit.unfrozen()
    graph.remove_edges_from(list(graph.in_edges(node.id)))
    row = without_books(graph.nodes[node.id])
    graph.nodes[node.id].clear()
    graph.nodes[node.id].update(row)
    return _without_unreachable(circuit, graph, circuit.cache)


def discard(circuit: Circuit, unit: Unit | str) -> Circuit:
    """The circuit without a unit and what only it needs; both stay in the file and come back with `restore`.

    Raises:
        InputError: if the unit is the target.
        UnknownError: if the unit is not in the circuit.
    """
    node = circuit.node(unit)
    if node.id == circuit.root:
        raise InputError(f"{node.label} is what the circuit explains; it cannot be discarded.")
    return circuit.with_node(node.id, discarded=True)


def restore(circuit: Circuit, unit: Unit | str) -> Circuit:
    """The circuit with a discarded unit back in it.

    Raises:
        UnknownError: if the unit is not in the circuit.
    """
    return circuit.with_node(circuit.node(unit).id, discarded=False)


def builder_of(network: Network, circuit: Circuit) -> CircuitBuilder:
    """What adds units to a circuit."""
    run = forward_cache(network, circuit)
    return CircuitBuilder(run, target_of(circuit), circuit.settings.mode, circuit.unfrozen())


def _without_unreachable(circuit: Circuit, graph: nx.DiGraph, cache: object) -> Circuit:
    """The circuit with another graph, but for the nodes from which the target cannot be reached, discarded or not."""
    graph.remove_nodes_from(set(graph) - reaching(graph, circuit.root))
    return replace(circuit, graph=graph, cache=cache)
