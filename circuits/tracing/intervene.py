"""What if: units made weaker, stronger or silent, and what the network says then.

1. What no change can reach is taken from the photo's own run, or computed once.
2. The rest of the network is run on, each node once. What comes out of a changed layer is edited before anything reads
   it, so that a factor applies to what really arrives at a unit: with two changes one above the other, the upper one
   scales an activation that the lower one changed.

It makes no difference whether the layers form a chain. `EditedRun` is the runner; ablation (`evaluation`) uses it too.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from circuits.errors import InputError
from circuits.groups.coding import Code, encode
from circuits.network import operations as ops
from circuits.network.device import exact
from circuits.network.execute import execute, image_node, nodes_needed
from circuits.network.network import Network
from circuits.network.operations import as_maps
from circuits.network.predict import Prediction, ranked
from circuits.shapes import Activation, Activations, Scores
from circuits.tracing.groups import code_of
from circuits.tracing.run import IMAGE, ForwardCache, number_of
from circuits.tracing.source import Source, forward_cache
from circuits.units import Address, Group, Unit, as_address

Factors = (
    Mapping[Unit, float | int]
    | Mapping[Address, float | int]
    | Mapping[str, float | int]
    | Mapping[Address | str, float | int]
)

MOST = 4.0
"""Largest factor: further out no photo drives a network, and what it says there means little."""


@dataclass(frozen=True)
class Effect:
    """One class before and after.

    Args:
        before: as the network sees the photo.
        after: with the changes.
    """

    before: Prediction
    after: Prediction

    @property
    def label(self) -> str:
        return self.before.label

    @property
    def gain(self) -> float:
        """By how much the probability grew, -1 to 1."""
        return self.after.probability - self.before.probability


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a network says when some of its units are changed.

    Args:
        changes: the units and their factors, from the lowest layer up.
        effects: the classes that lead before or after, and those asked for; by their logit before, highest first.
        before: the logits as the network sees the photo, (classes,).
        after: the logits with the changes, (classes,).
    """

    changes: tuple[tuple[Address, float], ...]
    effects: tuple[Effect, ...]
    before: Scores = field(repr=False)
    after: Scores = field(repr=False)


@exact()
def intervene(
    network: Network,
    source: Source,
    changes: Factors | Address | str | Sequence[Address | str],
    *,
    top: int = 5,
    classes: int | str | Sequence[int | str] = (),
) -> Outcome:
    """What the network says of a photo with some units scaled.

    Let a be a layer's activation as it arrives, a' what is passed on: a'_c(h,w) = factor · a_c(h,w). A unit with a
    position is scaled there alone, a factor for the whole channel holding there too. A factor of 0 is the unit's
    ablation, 1 leaves it as it is. Of a group of a circuit's layer the code is found anew, as the activation arrives:
    a'(p) = a(p) + (factor − 1) · h_g(p) · d_g, and likewise of the residual.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        changes: unit to factor, 0 to 4; one or several units alone are ablated, factor 0.
        top: how many of the leading classes, before and after, are told of.
        classes: one or several further classes, by number or label.

    Raises:
        UnknownError: if the network has no such unit or class, or the source's circuit no such group.
        InputError: if a factor is not a number from 0 to 4, a unit is a class itself, or top is less than 1.

    Example:
        >>> from circuits import load_network, load_photo
        >>> outcome = intervene(load_network(), load_photo("example:cat"), {"conv4:17": 1, "conv2:3": 0}, top=1)
        >>> outcome.effects[0].label
        'cat'
    """
    if top < 1:
        raise InputError(f"top is {top}; it must be at least 1.")
    if not isinstance(changes, Mapping):
        changes = dict.fromkeys([changes] if isinstance(changes, Unit | Group | str) else changes, 0)
    classes = [classes] if isinstance(classes, int | str) else classes
    run = forward_cache(network, source)
    order = run.network.layers.index
    factors = {as_address(unit): _factor(unit, factor) for unit, factor in changes.items()}
    codes = {}
    for unit in factors:
        if isinstance(unit, Unit):
            run.network.check_unit(unit)
        else:
            codes[unit.layer] = code_of(run, source, unit)
            continue
        if unit.layer == run.network.layers[-1]:
            label = run.network.unit_label(unit)
            itself = f"{label!r} itself" if network.labels else "at the very top"
            raise InputError(f"{unit} is {itself}, which nothing depends on; change units of a layer below it.")
    named = [run.network.find_class(wanted) for wanted in classes]
    before = run.activations[run.network.layers[-1]].sum((0, 2, 3))
    after = _run_on(run, factors, codes).sum((0, 2, 3))
    leading = (row.index for logits in (before, after) for row in ranked(network, logits, top))
    shown = sorted({*leading, *named}, key=lambda index: (-float(before[index]), index))
    pairs = zip(*(_predictions(network, logits, shown) for logits in (before, after)), strict=True)
    lowest_first = sorted(factors.items(), key=lambda change: (order(change[0].layer), change[0].order))
    return Outcome(tuple(lowest_first), tuple(Effect(*pair) for pair in pairs), before.clone(), after)


def _predictions(network: Network, logits: Tensor, classes: Sequence[int]) -> list[Prediction]:
    probabilities = network.probabilities(logits)
    return [Prediction(n, network.label(n), float(logits[n]), float(probabilities[n])) for n in classes]


def _run_on(run: ForwardCache, factors: Mapping[Address, float], codes: Mapping[str, Code]) -> Activation:
    """The logits, the network being run from the lowest layer in which something changes."""
    changed = {unit.layer for unit, factor in factors.items() if factor != 1}
    top = run.network.layers[-1]
    if not changed:
        return run.activations[top].clone()
    edit = partial(_scaled, factors=factors, codes=codes, branched=run.network.branched)
    return EditedRun(run, top, changed)({layer: partial(edit, layer=layer) for layer in changed})


def _scaled(
    activation: Tensor, layer: str, factors: Mapping[Address, float], codes: Mapping[str, Code], *, branched: bool
) -> Activation:
    value = activation.clone()
    if layer in codes:
        code = encode(codes[layer].dictionary, activation, codes[layer].importance)
        for unit, factor in factors.items():
            if unit.layer == layer and isinstance(unit, Group):
                value[0] += (factor - 1) * code.part(number_of(unit))
    for unit, factor in factors.items():
        if unit.layer == layer and isinstance(unit, Unit):
            at = (slice(None), slice(None)) if unit.position is None else unit.position
            value[0, unit.channel, at[0], at[1]] *= factor
    # In branches as a view: strides mean nothing in a batch of one, but they choose a convolution's kernel.
    return value.view_as(activation) if branched else value


def _factor(unit: Address | str, factor: float | int) -> float:
    if isinstance(factor, bool) or not 0 <= factor <= MOST:
        raise InputError(
            f"The factor of {unit} is {factor}; it must be a number from 0, which switches the unit off, to {MOST:g}."
        )
    return float(factor)


Edit = Callable[[Tensor], Tensor]
"""From a layer's activation as it arrives, (ways, C, H, W), to what is passed on."""


class EditedRun:
    """Runs a photo on to a layer, in several ways at once, with the activations of lower layers edited on the way."""

    def __init__(self, run: ForwardCache, top: str, layers: Collection[str]) -> None:
        self._traced, self._top = run.network.traced, run.network.layer(top).node
        self._edited = {run.network.layer(name).node: name for name in layers}
        image, nodes = image_node(self._traced), self._traced.graph.nodes
        above = _above(nodes, self._edited)
        layers_below = [layer for layer in run.network.layer_list if layer.node not in above]
        known = {layer.node: ops.stored(layer.node, run.activations[layer.name]) for layer in layers_below}
        if IMAGE in run.activations:
            known[image] = run.activations[IMAGE]
        order = nodes_needed([self._top], known)
        # Run for every way is what lies above an edit, or tells of the number of ways.
        changing = _above(order, self._edited, also=lambda node: bool(node.all_input_nodes) and ops.shape(node) is None)
        reads = {read for node in changing for read in node.all_input_nodes}
        once = ({*reads, *self._edited, self._top} & {*known, *order}) - changing
        with torch.no_grad():
            values = execute(self._traced, known, sorted(once))
        self._once = {node: values[node] for node in once}
        self._first = [node for node in self._edited if node not in changing]
        self._of_photo = {image, *_above(nodes, {image})}
        self.largest = max(math.prod(ops.shape(node) or ()) for node in (*changing, *self._first))
        """Numbers in the largest tensor that is made for each way."""

    def __call__(self, edits: Mapping[str, Edit], ways: int = 1) -> Activations:
        """The wanted layer's activation in each way, (ways, C, H, W), each layer edited by its edit."""

        def edited(node: fx.Node, value: Tensor) -> Tensor:
            return ops.stored(node, edits[self._edited[node]](as_maps(value)))

        def run_and_edit(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
            value = ops.run_node(self._traced, node, values)
            return edited(node, value) if node in self._edited else value

        with torch.no_grad():
            values = {
                node: value.expand(ways, *value.shape[1:]) if node in self._of_photo else value
                for node, value in self._once.items()
            }
            values |= {node: edited(node, values[node]) for node in self._first}
            return as_maps(execute(self._traced, values, [self._top], on_node=run_and_edit)[self._top])


def _above(
    order: Iterable[fx.Node], nodes: Collection[fx.Node], *, also: Callable[[fx.Node], bool] = lambda node: False
) -> set[fx.Node]:
    """Those of some nodes in order that depend on others, or are to count `also`, and all that depends on them."""
    above: set[fx.Node] = set()
    for node in order:
        if any(read in nodes or read in above for read in node.all_input_nodes) or also(node):
            above.add(node)
    return above
