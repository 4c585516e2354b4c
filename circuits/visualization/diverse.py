"""Several pictures of one unit that differ: what else it looks for, beside its first picture.

A unit of many faces shows only one of them in a single picture. Drawn together, with a pull apart, its pictures show
more of them (Olah 2017, "Feature Visualization", section "Diversity").
"""

from collections.abc import Callable
from functools import partial

from PIL import Image

from circuits.network.network import Network
from circuits.units import Unit, as_unit
from circuits.visualization.objectives.base import Objective, balance
from circuits.visualization.objectives.batch import diversity
from circuits.visualization.render import Picture, options_of, reached, unit_objective
from circuits.visualization.settings import DEFAULT, Settings
from circuits.visualization.store import PictureStore
from circuits.visualization.visualize import Progress, visualize

DIVERSITY = 0.5
"""Pull of what makes the pictures of a unit differ, over that of the unit itself."""

COUNT = 4
"""Pictures of a unit that differ."""

OnDiverse = Callable[[int, Image.Image], None]
"""Called with the number of a picture, from 0, and the picture as it is after a few steps."""


def diverse_objective(network: Network, objective: Objective, layer: str) -> Objective:
    """An objective for pictures that differ: balance(L, 0.5 · diversity(layer)).

    Args:
        network: the network.
        objective: L, what each of the pictures is to make large.
        layer: where they are to differ; of one that has no places, the next below that has.
    """
    while network.layer(layer).height * network.layer(layer).width == 1 and (below := network.below(layer)):
        layer = below
    return balance(objective, DIVERSITY * diversity(layer))


def diverse_key(
    store: PictureStore, network: Network, unit: Unit | str, place: int, settings: Settings = DEFAULT
) -> str:
    """Address of one of a unit's pictures that differ.

    Args:
        store: where it is kept.
        network: the network.
        unit: whose picture.
        place: its number, 0 to 3.
        settings: how it is drawn.
    """
    return store.key(network, unit, settings, variant=_variant(place))


def diverse_pictures(
    network: Network,
    unit: Unit | str,
    *,
    settings: Settings = DEFAULT,
    store: PictureStore | None = None,
    progress: Progress | None = None,
    on_preview: OnDiverse | None = None,
) -> list[Picture]:
    """Four pictures of a unit that differ: from the store, or drawn together and stored.

    Args:
        network: the network.
        unit: such as `"features.7:3"`.
        settings: how they are drawn.
        store: where they are kept; the person's cache folder by default.
        progress: called as `progress(done, total, message)` while they are drawn; an exception that it raises ends the
            work, and nothing is stored.
        on_preview: called with the number of a picture and the picture as it is after a few steps, and again later.

    Returns:
        The pictures, in the order in which they were begun.

    Raises:
        UnknownError: if the unit does not exist.

    >>> import tempfile
    >>> from circuits import load_network
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     small = Settings(size=32, steps=1)
    ...     found = diverse_pictures(network, "features.4:17", settings=small, store=PictureStore(folder))
    >>> len(found), len({picture.image.tobytes() for picture in found})
    (4, 4)
    """
    unit, store = as_unit(unit), PictureStore() if store is None else store
    network.check_unit(unit)
    kept = [store.get(network, unit, settings, variant=_variant(place)) for place in range(COUNT)]
    known = [picture for picture in kept if picture is not None]
    if len(known) == COUNT:
        return known
    objective = diverse_objective(network, unit_objective(unit, settings), unit.layer)
    [drawn] = visualize(
        network,
        [objective],
        count=COUNT,
        seed=settings.seed,
        options=options_of(settings),
        progress=progress,
        on_preview=None if on_preview is None else partial(_show, on_preview),
    )
    images = [image.convert("RGB") for image in drawn.images]
    activations = reached(network, [unit] * COUNT, images, drawn.canvas)
    found = [
        Picture(unit, image, activation, drawn.canvas.zoom)
        for image, activation in zip(images, activations, strict=True)
    ]
    for place, picture in enumerate(found):
        store.put(network, picture, settings, variant=_variant(place))
    return found


def _variant(place: int) -> str:
    return f"diverse {place + 1} of {COUNT}, {DIVERSITY}"


def _show(on_preview: OnDiverse, number: int, images: tuple[Image.Image, ...]) -> None:
    for place, image in enumerate(images):
        on_preview(place, image.convert("RGB"))
