"""The pictures of an atlas's units: which are there, and the drawing of those that are not, most important first."""

import numpy as np

from circuits.atlas.atlas import Atlas
from circuits.network.network import Network
from circuits.units import Progress, Unit
from circuits.visualization.store import PictureStore, pictures

_AT_ONCE = 64
"""Units that are drawn before the next most important are: enough for full batches of each layer."""


def by_importance(atlas: Atlas) -> list[Unit]:
    """All units, those first that contribute most to a class, max_k C_ki; a class of few photos counts as any other.

    Example:
        >>> from circuits import Atlas
        >>> [str(unit) for unit in by_importance(Atlas.open("atlas/"))[:2]]  # doctest: +SKIP
        ['fc:9', 'fc:17']
    """
    most = atlas.arrays()["classes"].amax(0).numpy()
    units = list(atlas.all_units())
    return [units[place] for place in np.argsort(-most, kind="stable")]


def draw_missing(
    network: Network, atlas: Atlas, *, store: PictureStore | None = None, progress: Progress | None = None
) -> int:
    """Draw the units that have no picture in the store, most important first.

    What is drawn is in the store at once: it can be stopped at any time, and goes on from there.

    Args:
        network: that of the atlas.
        atlas: whose units.
        store: where they are kept; the person's cache folder by default.
        progress: called with (pictures done, pictures, what is under way); if it raises, what is drawn stays.

    Returns:
        How many were drawn.
    """
    store = PictureStore() if store is None else store
    missing = [unit for unit in by_importance(atlas) if store.find(store.key(network.sha256, unit)) is None]
    for start in range(0, len(missing), _AT_ONCE):
        part = missing[start : start + _AT_ONCE]

        def tell(done: int, total: int, message: str, start: int = start, count: int = len(part)) -> None:
            if progress is not None:
                progress(start + count * done // max(1, total), len(missing), message)

        pictures(network, part, store=store, progress=tell)
    return len(missing)
