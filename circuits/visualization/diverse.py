"""Several pictures of one unit that differ.

A unit of many facets shows only one of them in a single picture. Optimized together, with a diversity term, its
pictures show more of them (Olah 2017, "Feature Visualization", section "Diversity").
"""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

from circuits.network.network import Network
from circuits.units import Progress, Unit, as_unit
from circuits.visualization.objectives.base import Objective, balance
from circuits.visualization.objectives.batch import diversity
from circuits.visualization.render import Picture, options_of, shown_to, unit_objective
from circuits.visualization.settings import DEFAULT, Settings, chosen
from circuits.visualization.store import PictureStore
from circuits.visualization.visualize import visualize

DIVERSITY = 0.5
"""Weight of the diversity term, balanced with the unit's own."""

COUNT = 4
"""Pictures of a unit that differ."""

OnDiverse = Callable[[int, Image.Image], None]
"""Called with the number of a picture, from 0, and the picture as it is after a few steps."""


def diverse_objective(network: Network, objective: Objective, layer: str) -> Objective:
    """An objective for pictures that differ: balance(L, 0.5 · diversity(layer)).

    Args:
        network: the network.
        objective: L, what each of the pictures is to make large.
        layer: where they are to differ; of one that has no positions, the next below that has.
    """
    while network.layer(layer).height * network.layer(layer).width == 1 and (below := network.below(layer)):
        layer = below
    return balance(objective, DIVERSITY * diversity(layer))


def diverse_key(
    store: PictureStore, network: Network, unit: Unit | str, place: int, settings: Settings = DEFAULT
) -> str:
    """Address in the store of one of a unit's pictures that differ: place 0 to 3."""
    return store.key(network, unit, settings, variant=_variant(place))


@torch.inference_mode(False)  # gradients are needed, whoever calls
def diverse_pictures(
    network: Network,
    unit: Unit | str,
    *,
    settings: Settings | None = None,
    store: PictureStore | None = None,
    progress: Progress | None = None,
    on_preview: OnDiverse | None = None,
    **choices: Any,
) -> list[Picture]:
    """Four pictures of a unit that differ: from the store, or drawn together and stored.

    Args:
        network: the network.
        unit: such as `"features.7:3"`.
        settings: as in `render`.
        store: where they are kept; the person's cache folder by default.
        progress: as in `render`; if it raises, nothing is stored.
        on_preview: called with the number of a picture and the picture as it is after a few steps, and again later.
        choices: as in `render`.

    Returns:
        The pictures, in the order in which they were begun.

    Raises:
        InputError: if a number is out of range, or both settings and their fields are given.
        UnknownError: if the unit or a choice does not exist.

    >>> import tempfile
    >>> from circuits import load_network
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     drawn = diverse_pictures(network, "features.4:17", size=32, steps=1, store=PictureStore(folder))
    >>> len(drawn), len({picture.image.tobytes() for picture in drawn})
    (4, 4)
    """
    settings = chosen(network, Settings, settings, choices)
    unit, store = as_unit(unit), PictureStore() if store is None else store
    network.check_unit(unit)
    stored = [store.get(network, unit, settings, variant=_variant(place)) for place in range(COUNT)]
    known = [picture for picture in stored if picture is not None]
    if len(known) == COUNT:
        return known

    def show(number: int, images: tuple[Image.Image, ...]) -> None:
        for place, image in enumerate(images):
            if on_preview is not None:
                on_preview(place, image.convert("RGB"))

    [drawn] = visualize(
        network,
        diverse_objective(network, unit_objective(unit, settings), unit.layer),
        count=COUNT,
        seed=settings.seed,
        options=options_of(settings),
        progress=progress,
        on_preview=None if on_preview is None else show,
    )
    pictures = shown_to(network, [unit] * COUNT, drawn.images, drawn.canvas)
    for place, picture in enumerate(pictures):
        store.put(network, picture, settings, variant=_variant(place))
    return pictures


def _variant(place: int) -> str:
    return f"diverse {place + 1} of {COUNT}, {DIVERSITY}"
