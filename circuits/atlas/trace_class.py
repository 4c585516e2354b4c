"""The circuit of a class, or a unit, from photos, by groups of channels or by channels: the mean of all their traces.

1. Run the photos through the network, a batch at a time (`class_batch`). A unit's value is its mean contribution to the
   logit of the class, C_u = mean over photos of Σ part_u · ∂T/∂a, with its standard error over photos.
2. Level by level, as in a trace in mode `target`: the share E_uv of a unit below in a unit above is its mean over the
   photos, and the strongest by this mean are chosen. Means are linear, so that C_u = shown + rest + residual + bias.
   From a baseline all parts are measured from the units' means, as in a trace, and `base` closes the books.
3. An edge says its standard error over the photos, and its consistency: the share of the photos whose batch has it
   among the five strongest of its target, as in an atlas (`measure`).

An atlas has no photos any more, and no sums of groups; so this goes through the photos with the network.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import networkx as nx
import torch
from torch import Tensor

from circuits.atlas.class_batch import ClassBatch, ClassPhotos
from circuits.atlas.measure import strongest
from circuits.atlas.work import BATCH
from circuits.attribution.baseline import Baseline, Means, as_baseline
from circuits.attribution.gradient import strongest as check_signs
from circuits.attribution.modes import is_exact
from circuits.errors import InputError
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.device import exact, in_doubles
from circuits.network.layers import why_no_layers
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.tracing.circuit_file import attributes, number
from circuits.tracing.class_groups import fit_groups
from circuits.tracing.facts import CollectionInfo, NetworkInfo, TargetInfo, TraceSettings, as_int, tops_of
from circuits.tracing.layers_below import Shares
from circuits.tracing.levels import Groups, dictionaries_for, levels_below
from circuits.tracing.node import address_of
from circuits.tracing.run import ForwardCache
from circuits.tracing.search import CircuitBuilder
from circuits.tracing.targets import Target, find_target
from circuits.units import Address, Group, Progress, Unit, is_residual


@exact()
def trace_class(
    network: Network,
    photos: Iterable[Photo | PhotoSource],
    of: Unit | str | SupportsIndex,
    *,
    groups: Groups | None = None,
    depth: SupportsIndex = 4,
    top: SupportsIndex | Iterable[SupportsIndex] | None = None,
    signs: str = "positive",
    baseline: Baseline | Means | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """The circuit of a class over photos of it, or of a unit over any, as `trace` has it of one in mode `target`.

    Args:
        network: from `load_network`.
        photos: of the class, or what `load_photo` takes; in whatever order, the same comes of it.
        of: the class, by its label or number; or a unit, `layer:channel`, whose value is its activation over all
            positions.
        groups: explain by groups of channels: dictionaries by layer, as `fit_groups` finds them and `load_groups` reads
            them; or how many a layer, fitted to these photos. By channels, if `None`.
        depth: number of layers below the logit to walk down.
        top: units to show below each; one number, or one a level. 5 if `None`; with groups all of them.
        signs: `positive` shows what argues for it, `both` also what argues against it.
        baseline: what shares are measured from: zero if `None`, or each unit's mean over many photos
            (`mean_of_photos`, `mean_at_hand`, `mean_of_atlas`).
        progress: called with (photos done, photos in all, what is under way), of which each counts once a level;
            raising an exception in it cancels.

    Returns:
        The circuit, with a `collection` in the place of a photo; its edges are in units of the logit.

    Raises:
        InputError: if there are no photos, the network overflows on one, or an option is out of its range.
        UnknownError: if the network has no such class or unit, a dictionary is of a layer that it lacks, or nothing is
            known of the mean of a layer.

    Example:
        >>> from circuits import load_network, trace_class
        >>> circuit = trace_class(load_network(), ["example:cat"], "cat", groups=8, depth=1)
        >>> circuit.collection.photos, len(circuit.edges_into(circuit.root))
        (1, 9)
    """
    shown, levels = as_int(5 if top is None else top), as_int(depth)
    tops = tops_of(shown, levels)
    check_signs(torch.zeros(1), 1, signs)
    if isinstance(photos, str | bytes | Path | Photo):
        raise InputError("photos is a single photo; give a list of them, even where it is one.")
    target = find_target(network, of, 0)
    if target.kind not in ("class", "unit"):
        raise InputError(f"{target.id} is a {target.kind}; name a class, by its label or number, or a unit.")
    instead = as_baseline(baseline).only(network.layers[:-1])
    seen = (network.preprocessing.as_seen(as_photo(photo)) for photo in photos)
    found = sorted(seen, key=lambda photo: photo.sha256)
    if not found:
        raise InputError(f"There are no photos to explain {target.label} by; give at least one.")
    if groups is not None and not isinstance(groups, Mapping):
        groups = fit_groups(
            network, found, target.unit, groups=groups, depth=levels, source=target.label, progress=progress
        )
    layers = levels_below(network, target.unit.layer, levels)
    if not layers:
        why = f"{target.id} lies in the lowest layer of {network.name}; there is nothing below it to trace."
        raise InputError(why_no_layers(network.traced) if len(network.layers) == 1 else why)
    nothing = ForwardCache(network, {}, baseline=instead)  # of no photo: every batch is run when it is asked for
    dictionaries = {} if groups is None else dictionaries_for(nothing, target, groups, levels)
    if top is None and dictionaries:
        shown = max(each.groups for each in dictionaries.values())
        tops = [shown] * levels

    def run(start: int, stop: int) -> ClassBatch:
        images = torch.cat([network.preprocessing.input_of(photo) for photo in found[start:stop]])
        return ClassBatch.of(network, target, images, tuple(layers), dictionaries, instead)

    several = ClassPhotos(len(found), 1 if network.is_one_at_a_time else BATCH, run)
    builder = ClassBuilder(nothing.with_groups(dictionaries), several, target, layers, progress)
    value = builder.add(target.unit, target.id, target.label)
    height, width = network.preprocessing.size
    builder.graph.graph |= attributes(
        NetworkInfo.of(network),
        CollectionInfo(
            name=target.label if target.kind == "class" else "any class",
            sha256=hashlib.sha256(" ".join(photo.sha256 for photo in found).encode()).hexdigest(),
            photos=several.count, batches=several.batches,
            input=(network.preprocessing.channels, height, width),
        ),
        (),
        TargetInfo(kind=target.kind, unit=target.id, label=target.label, value=value),
        TraceSettings(mode="target", top=shown, signs=signs, depth=levels, baseline=instead.name),
    )  # fmt: skip
    builder.graph.graph |= {"means": instead.to_row()} if instead.means else {}
    if dictionaries:
        builder.graph.graph["dictionaries"] = {layer: each.to_row() for layer, each in dictionaries.items()}
    builder.descend([target.id], levels, lambda level, _: tops[level], signs)
    return Circuit(builder.graph)


class ClassBuilder(CircuitBuilder):
    """The graph of a class: what `CircuitBuilder` adds for one photo, as means over several.

    Args:
        run: the network with its dictionaries, of no photo.
        photos: of the class.
        target: its logit.
        layers: below it whose units may be added, and how many levels below.
        progress: called after every batch.
    """

    def __init__(
        self,
        run: ForwardCache,
        photos: ClassPhotos,
        target: Target,
        layers: Mapping[str, int],
        progress: Progress | None = None,
    ) -> None:
        super().__init__(run, target, "target", nx.DiGraph())
        self._photos, self._report = photos, progress or (lambda done, known, message: None)
        self._done, self._planned = 0, photos.count * (max(layers.values()) + 1)
        self._sure: dict[str, tuple[Tensor, Tensor]] = {}
        self._contributions, self._peaks = ({each: Moments() for each in (target.unit.layer, *layers)} for _ in "12")
        for batch in self._passed("Running photos"):
            for layer in self._peaks:
                contributions = batch.contributions(layer)
                if not bool(contributions.isfinite().all()):
                    raise InputError(
                        f"{run.network.name} puts out NaN or infinity for a photo of {target.label}; leave that photo "
                        "out."
                    )
                self._contributions[layer].add(contributions)
                self._peaks[layer].add(batch.peaks(layer))
            self._photo = batch

    def seen(self, unit: Address, name: str) -> dict[str, Any]:
        """What a node says of the photos: its unit's mean contribution, the error of that, and its mean peak."""
        contribution, peak = self._contributions[unit.layer], self._peaks[unit.layer]
        place = self._place(unit)
        row = {"value": number(float(contribution.mean[place])), "max": number(float(peak.mean[place])), "peak": [0, 0]}
        return row | ({"error": number(float(contribution.error[place]))} if self._photos.count > 1 else {})

    def _place(self, unit: Address) -> int:
        """A unit's place among those of its layer; a residual is the last."""
        return unit.channel if isinstance(unit, Unit) else -1 if unit.number is None else unit.number

    def _attribute(self, names: Sequence[str]) -> Iterator[Shares]:
        layer, units = self.graph.nodes[names[0]]["layer"], [address_of(self.graph.nodes[name]) for name in names]
        lower, shares = self._photo.below(layer), Moments()
        last = [lower.place(Group(name, None)) for name in lower.codes]
        strong = torch.zeros(len(names), lower.units, dtype=torch.float64)
        for batch in self._passed(f"Expanding {layer}"):
            found = in_doubles(torch.stack(list(batch.shares(layer, units)), 1))
            shares.add(found)
            summed = found.sum(0)[:, : lower.units]
            summed[:, last] = 0.0
            strong += len(batch) * strongest([summed])[0]
        exact = is_exact("target", lower.piece)
        for place, name in enumerate(names):
            self._sure[name] = shares.error[place], strong[place] / self._photos.count
            yield Shares(name, lower, float(self.graph.nodes[name]["value"]), shares.mean[place], exact)

    def connect(self, shares: Shares, chosen: Sequence[int]) -> list[str]:
        """Put edges into a node, which say on how many photos they rest, and how sure they are."""
        found, (error, consistency) = super().connect(shares, chosen), self._sure[shares.name]
        for name, place in zip(found, chosen, strict=True):
            row = self.graph.edges[name, shares.name]
            row["photos"] = self._photos.count
            if self._photos.count > 1:
                row["error"] = number(float(error[place]))
            if row["attribution"] > 0 and not is_residual(name):
                row["consistency"] = number(float(consistency[place]))
        return found

    def _passed(self, message: str) -> Iterator[ClassBatch]:
        """All batches, each counted when it is done."""
        self._planned = max(self._planned, self._done + self._photos.count)  # branches take more than a pass a level
        for batch in self._photos:
            self._report(self._done, self._planned, message)
            yield batch
            self._done += len(batch)
        self._report(self._done, self._planned, message)


class Moments:
    """Mean and spread of samples that come in batches, in float64 (Chan, Golub & LeVeque 1979).

    Example:
        >>> moments = Moments()
        >>> moments.add(torch.tensor([[1.0], [2.0]]))
        >>> moments.add(torch.tensor([[6.0]]))
        >>> float(moments.mean), round(float(moments.error) ** 2, 3)
        (3.0, 2.333)
    """

    def __init__(self) -> None:
        self._count, self.mean, self._spread = 0, torch.zeros(()), torch.zeros(())

    def add(self, samples: Tensor) -> None:
        """Count a batch of samples, (n, …)."""
        samples, count = in_doubles(samples), len(samples)
        own, total = samples.mean(0), self._count + count
        away = own - self.mean
        self._spread = self._spread + (samples - own).square().sum(0) + away.square() * self._count * count / total
        self.mean, self._count = self.mean + away * count / total, total

    @property
    def error(self) -> Tensor:
        """Standard error of the mean, √(Σ (x - mean)² / (n - 1) / n); NaN of a single sample."""
        return (self._spread / (self._count - 1) / self._count).sqrt() if self._count > 1 else self.mean * torch.nan
