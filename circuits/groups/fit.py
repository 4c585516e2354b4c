"""Find the directions of a layer's groups: non-negative matrix factorisation of its activation.

    min over H ≥ 0, D ≥ 0 of Σ_pc M_pc · (A_pc − Σ_g H_pg D_gc)²

A has a row for each position (of one photo, or of all photos of a class), M = 1 or, weighted, the importance of each
channel at each position for the target (`coding.importance_of`): what matters to the target is fitted.

A weighted fit moves one group at a time: with everything else as it is, the best size at each position and then the
best weight of each channel have a closed form, cut off at zero, so that no step makes the fit worse,

    H_pg ← max(0, H_pg + Σ_c M_pc R_pc D_gc / Σ_c M_pc D_gc²) ,     R = A − H D ,     and D_gc alike.

A *signed* fit, of a layer that is not rectified, such as a transformer's residual stream, leaves D free: H ≥ 0 alone.
With the mean of the layer over photos it is of A − mean, and the mean itself is one more direction, the last. So the
groups tell this photo from others, and the code of the mean is the mean alone.

Olah et al. 2018, "The Building Blocks of Interpretability" (groups of a layer's activation); Cichocki & Phan 2009
(one group at a time, HALS); Ding, Li & Jordan 2010 (signed directions, semi-NMF); Boutsidis & Gallopoulos 2008 (the
deterministic start, NNDSVD); Fel et al. 2023, CRAFT (directions of the photos of one class).
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from circuits.errors import InputError
from circuits.groups.dictionary import Directions
from circuits.network.device import in_doubles

SWEEPS = 30
"""Times that a weighted fit moves each group's sizes, then each direction, to what is best beside the others."""
_LEAST = 1e-3
"""What is smaller than this part of a direction's largest number is left out of it."""
_START = 20
_LEAST_CURVE = 1e-12
_MOST_SWEPT = 1000
"""A sweep costs the square of the number of groups: of many there are fewer sweeps."""


def fit(
    activation: Tensor,
    groups: int,
    importance: Tensor | None = None,
    *,
    signed: bool = False,
    mean: Tensor | None = None,
) -> Directions:
    """The directions of a layer's groups, the one with the largest code first.

    Args:
        activation: (C, positions); unless signed, what is negative counts as zero, and so lies in no group.
        groups: how many; no more than there are positions, and channels that are active.
        importance: (C, positions), of a weighted fit.
        signed: whether directions may have negative numbers.
        mean: of the layer over photos, (C,), of a signed fit: a direction more.

    Returns:
        Directions of length 1, (K, C), float32; the same for the same arguments on one machine.

    Raises:
        InputError: if groups is less than 1, or nothing is active.

    Example:
        >>> parts = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 1.0]])
        >>> sizes = torch.tensor([[1.0, 0.0, 2.0, 1.0, 3.0], [0.0, 5.0, 1.0, 2.0, 0.0]])
        >>> [[round(weight**2, 2) for weight in row] for row in fit(parts.T @ sizes, 2).tolist()]
        [[0.0, 0.0, 0.8, 0.2], [0.5, 0.5, 0.0, 0.0]]
        >>> tokens = torch.tensor([[3.0, 3.0, 1.0], [1.0, 2.0, 0.0]])
        >>> fit(tokens, 2, signed=True, mean=torch.tensor([3.0, 0.0])).round(decimals=2).tolist()
        [[0.0, 1.0], [-1.0, 0.0], [1.0, 0.0]]
    """
    if groups < 1:
        raise InputError(f"groups is {groups}; a layer has at least 1.")
    matrix = (in_doubles(activation) if signed else in_doubles(activation).clamp(min=0)).T.numpy()
    if mean is not None:
        matrix = matrix - in_doubles(mean).numpy()
    live = np.flatnonzero(matrix.any(0))
    places = np.flatnonzero(matrix.any(1))
    if not len(live):
        raise InputError("Nothing is active in the layer, so there are no groups to find.")
    count = min(groups, len(live), len(places))
    weights = None if importance is None else in_doubles(importance).T.numpy()[np.ix_(places, live)]
    sizes, rows = (_factorise_signed if signed else _factorise)(matrix[np.ix_(places, live)], count, weights)
    rows = np.where(np.abs(rows) < _LEAST * np.abs(rows).max(1, keepdims=True), 0.0, rows)
    lengths = np.linalg.norm(rows, axis=1)
    kept = np.flatnonzero((lengths > 0) & (sizes.sum(0) > 0))
    order = kept[np.argsort(-(sizes.sum(0) * lengths)[kept], kind="stable")]
    directions = np.zeros((len(order), matrix.shape[1]))
    directions[:, live] = rows[order] / lengths[order, None]
    found = torch.from_numpy(directions).float()
    if mean is None or not mean.any():
        return found
    return torch.cat([found, torch.nn.functional.normalize(mean.cpu().float(), dim=0)[None]])


def _nmf(matrix: NDArray[np.float64], groups: int, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.decomposition import NMF  # a second to import

    model = NMF(groups, init="nndsvda", max_iter=steps, tol=1e-5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it could go on
        return model.fit_transform(matrix), model.components_


def _factorise_signed(
    matrix: NDArray[np.float64], groups: int, weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """H ≥ 0 and D of either sign, from the principal components on, each with both of its signs."""
    left, lengths, right = np.linalg.svd(matrix, full_matrices=False)
    pairs = [(sign * left[:, at] * lengths[at], sign * right[at]) for at in range(len(lengths)) for sign in (1, -1)]
    starts = [(np.maximum(code, 0.0), row) for code, row in pairs if (code > 0).any()][:groups]
    sizes, rows = (np.stack(each) for each in zip(*starts, strict=True))
    weights = np.ones_like(matrix) if weights is None else weights
    wanted = weights * matrix
    for _ in range(_sweeps(groups)):
        _sweep(sizes, rows, weights.T, rows @ wanted.T)
        _sweep(rows, sizes, weights, sizes @ wanted, least=-np.inf)
    return sizes.T, rows


def _sweeps(groups: int) -> int:
    return max(1, min(SWEEPS, _MOST_SWEPT // groups))


def _factorise(
    matrix: NDArray[np.float64], groups: int, weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """H, (positions, groups), and D, (groups, channels); weighted from the unweighted ones on."""
    sizes, rows = _nmf(matrix, groups, _START if weights is not None else 500)
    if weights is None:
        return sizes, rows
    parts, wanted = np.ascontiguousarray(sizes.T), weights * matrix
    for _ in range(_sweeps(groups)):
        _sweep(parts, rows, weights.T, rows @ wanted.T)
        _sweep(rows, parts, weights, parts @ wanted)
    return parts.T, rows


def _sweep(
    own: NDArray[np.float64],
    other: NDArray[np.float64],
    weights: NDArray[np.float64],
    wanted: NDArray[np.float64],
    least: float = 0.0,
) -> None:
    """Move each group's own numbers, (groups, n), in place to the best beside those of the others, (groups, m).

    Args:
        own: H transposed, or D.
        other: D, or H transposed.
        weights: M, (m, n).
        wanted: Σ_m other · M · A, (groups, n).
        least: what no number falls below.
    """
    for group, numbers in enumerate(own):
        products = (other * other[group]) @ weights
        change = (wanted[group] - (products * own).sum(0)) / (products[group] + _LEAST_CURVE)
        numbers += np.maximum(change, least - numbers)
