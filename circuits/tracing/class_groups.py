"""Groups of a class: directions fitted to a collection of its photos, so that a group means the same in all of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import torch
from torch import Tensor

from circuits.attribution.baseline import collection_name
from circuits.errors import InputError
from circuits.groups.coding import importance_of
from circuits.groups.dictionary import Dictionary
from circuits.groups.fit import fit
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.tracing.facts import as_int
from circuits.tracing.levels import counts_of, levels_below
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target, find_target
from circuits.units import Progress, Unit

POSITIONS = 20_000
"""Of a layer, over all photos; of more, every second, third, … position of each photo is taken."""
DEPTH = 4
_WITHOUT_PROGRESS: Progress = lambda done, known, message: None  # noqa: E731


@exact()
def fit_groups(
    network: Network,
    photos: Iterable[Photo | PhotoSource],
    target: Unit | str | SupportsIndex | None = None,
    *,
    groups: Any = 8,
    layers: str | Sequence[str] = (),
    depth: SupportsIndex = DEPTH,
    source: str = "",
    progress: Progress | None = None,
) -> dict[str, Dictionary]:
    """Directions of some layers, fitted to all positions of some photos at once (as CRAFT does, Fel et al. 2023).

    Each photo's positions are weighed by what they do for the target there (`importance_of`).

    Args:
        network: the network.
        photos: of one class, or what `load_photo` takes.
        target: what they are to explain, as of `trace`; the class that is predicted of most of the photos, if `None`.
        groups: how many each layer has, one number or one a level.
        layers: their names; those within `depth` levels below the target, if empty.
        depth: levels below the target.
        source: what to call the photos.
        progress: called with (photos done, photos in all, what is under way); raising an exception in it cancels.

    Returns:
        Dictionaries by layer, from the top down, for `trace(…, groups=…)` and `save_groups`.

    Raises:
        InputError: if there are no photos, a number is out of its range, or nothing lies below the target.
        UnknownError: if the target or a layer does not exist.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> groups = fit_groups(network, ["example:cat"], "cat", groups=4, depth=1)
        >>> sorted(node.number for node in trace(network, "example:cat", groups=groups, depth=1).nodes.values())[:3]
        ['0', '0', '1']
    """
    report, levels_down = progress or _WITHOUT_PROGRESS, as_int(depth)
    if isinstance(photos, str | bytes | Path | Photo):
        raise InputError("photos is a single photo; give a list of them, even where it is one.")
    layers = [layers] if isinstance(layers, str) else layers
    images = [network.preprocessing.input_of(as_photo(photo)) for photo in photos]
    if not images:
        raise InputError("There are no photos to fit groups to; give at least one.")
    explained = _target(network, images, target)
    levels = _levels(network, explained, layers, levels_down)
    counts = counts_of(groups, max(levels.values()))
    wanted = {layer: counts[level - 1] for layer, level in levels.items() if counts[level - 1]}
    columns: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in wanted}
    for done, image in enumerate(images):
        report(done, len(images) + len(wanted), "Running photos")
        run = ForwardCache.of(network, image)
        for layer in wanted:
            every = _every(network, layer, len(images))
            activation = run.activations[layer][0].flatten(1)[:, ::every].cpu().clone()
            importance = importance_of(run.gradient(explained, layer)[0])[:, ::every].float()
            columns[layer].append((activation, importance))
    found = {}
    for done, (layer, count) in enumerate(wanted.items()):
        report(len(images) + done, len(images) + len(wanted), f"Fitting {layer}")
        activation, importance = (torch.cat(parts, dim=1) for parts in zip(*columns.pop(layer), strict=True))
        directions = fit(activation, count, importance.double(), signed=network.layer(layer).is_stream)
        found[layer] = Dictionary(directions, collection_name(source, len(images)), weighted=True)
    report(len(images) + len(wanted), len(images) + len(wanted), "Fitted")
    return found


def _target(network: Network, images: Sequence[Tensor], wanted: Unit | str | SupportsIndex | None) -> Target:
    if wanted is not None:
        return find_target(network, wanted, 0)
    predicted = Counter(int(network.logits(image)[0].argmax()) for image in images)
    return find_target(network, None, predicted.most_common(1)[0][0])


def _levels(network: Network, target: Target, layers: Sequence[str], depth: Any) -> dict[str, int]:
    """The layers to fit, and how far each lies below the target."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise InputError(f"depth is {depth!r}; it counts layers below the target and must be at least 1.")
    below = levels_below(network, target.unit.layer, len(network.layers) if layers else depth)
    for layer in layers:
        network.layer(layer)
        if layer not in below:
            raise InputError(f"{layer} does not lie below {target.id}, the target; fit layers below it.")
    chosen = {layer: level for layer, level in below.items() if not layers or layer in layers}
    if not chosen:
        raise InputError(f"Nothing lies below {target.id}, so there are no groups to fit.")
    return chosen


def _every(network: Network, layer: str, photos: int) -> int:
    """Every how many positions of a photo are taken."""
    shape = network.layer(layer)
    return max(1, -(-shape.height * shape.width * photos // POSITIONS))
