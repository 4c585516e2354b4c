"""A map of a layer's units by what fires together: units that fire in the same photos lie near each other."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from circuits.errors import InputError, listed

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "tsne": "t-SNE: neighbours on the map fire together; distances across it say little.",
        "pca": "PCA: the two directions in which the units differ most; distances are kept as far as two allow.",
    }
)
_PERPLEXITY = 15.0
_STEPS = 750
_FEWEST = 5
"""Fewer units than these have no neighbourhoods to keep, and are placed by PCA."""


def unit_map(atlas: "Atlas", layer: str, method: str = "tsne", seed: int = 0) -> Float[np.ndarray, "channels 2"]:
    """A place for each unit of a layer.

    The distance of two units is d_ij = √(2 (1 − r_ij)), that of their peaks over the photos once these are centred and
    of length 1; r is `Atlas.coactivation`. PCA (Hotelling 1933) of these distances is the start of t-SNE (van der
    Maaten and Hinton 2008), so that the map looks alike from run to run.

    Args:
        atlas: the atlas, which was made with exemplars.
        layer: its name.
        method: `tsne` or `pca`.
        seed: of t-SNE.

    Returns:
        Places between 0 and 1 on both axes.

    Raises:
        InputError: if the atlas has no exemplars, or there is no such method.
        UnknownError: if the layer is not in the atlas.
    """
    if method not in METHODS:
        raise InputError(f"{method!r} is no way to place units; there is {listed(METHODS)}.")
    atlas.layer(layer)
    together = atlas.coactivation(layer).astype(np.float64)
    places = _principal(together)
    if method == "tsne" and len(places) >= _FEWEST:
        from sklearn.manifold import TSNE

        apart = np.sqrt(np.maximum(0.0, 2.0 * (1.0 - together)))
        np.fill_diagonal(apart, 0.0)
        perplexity = min(_PERPLEXITY, (len(places) - 1) / 3)
        start = 1e-4 * places / (places[:, 0].std() or 1.0)
        plan = TSNE(
            2, perplexity=perplexity, metric="precomputed", init=start, random_state=seed, max_iter=_STEPS, n_jobs=1
        )
        places = plan.fit_transform(apart)
    low = places.min(0)
    return np.asarray((places - low) / np.maximum(places.max(0) - low, 1e-12), dtype=np.float32)


def _principal(together: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first two coordinates of classical scaling of the correlations, each with the sign of its largest entry."""
    count = len(together)
    centred = together - together.mean(0) - together.mean(1, keepdims=True) + together.mean()
    values, vectors = np.linalg.eigh(centred)
    found = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    places = np.zeros((count, 2))
    places[:, : found.shape[1]] = found * np.sign(found[np.abs(found).argmax(0), np.arange(found.shape[1])])
    return places
