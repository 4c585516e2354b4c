"""Rows of tokens, (N, T, C), as a map of the photo's patches and the tokens beside them, and back."""

from collections.abc import Sequence

import torch
from torch import Tensor, fx


def tokens_map(x: Tensor, start: int, rows: int, columns: int, order: Sequence[int] | None = None) -> Tensor:
    """Of rows of tokens those of the photo's patches, which lie together from `start` on, as a map (N, C, H, W).

    Args:
        x: the rows of tokens, (N, T, C).
        start: the first of the patches.
        rows: how many rows of patches there are.
        columns: how many columns.
        order: of each place, row by row, which of the patches lies there; as they come if `None`.

    Example:
        >>> tokens = torch.tensor([[[9.0], [1.0], [2.0], [3.0], [4.0]]])
        >>> tokens_map(tokens, 1, 2, 2)[0, 0].tolist(), tokens_extra(tokens, 1, 4)[0, 0].tolist()
        ([[1.0, 2.0], [3.0, 4.0]], [[9.0]])
        >>> tokens_map(tokens, 1, 2, 2, (0, 2, 1, 3))[0, 0].tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    patches = x[:, start : start + rows * columns]
    patches = patches if order is None else patches[:, list(order)]
    return torch.unflatten(patches.transpose(1, 2), 2, (rows, columns))


def tokens_extra(x: Tensor, start: int, patches: int) -> Tensor:
    """Of rows of tokens those that are no patches, such as the class token, in their order, (N, C, 1, extra)."""
    extra = torch.cat([x[:, :start], x[:, start + patches :]], 1) if x.shape[1] > start + patches else x[:, :start]
    return extra.transpose(1, 2)[:, :, None]


def tokens_joined(
    start: int, order: Sequence[int] | None = None, patches: Tensor | None = None, extra: Tensor | None = None
) -> Tensor:
    """Rows of tokens from what `tokens_map` and `tokens_extra` made of them.

    Example:
        >>> tokens, order = torch.rand(1, 7, 3), (2, 0, 3, 1)
        >>> made = {"patches": tokens_map(tokens, 2, 2, 2, order), "extra": tokens_extra(tokens, 2, 4)}
        >>> bool((tokens_joined(2, order, **made) == tokens).all())
        True
    """
    parts = []
    if extra is not None:
        beside = extra.flatten(2).transpose(1, 2)
        parts = [beside[:, :start], beside[:, start:]]
    if patches is not None:
        in_rows = patches.flatten(2).transpose(1, 2)
        places = None if order is None else sorted(range(len(order)), key=order.__getitem__)
        parts.insert(1, in_rows if places is None else in_rows[:, places])
    return torch.cat([part for part in parts if part.shape[1]], 1)


TOKENS = frozenset({tokens_map, tokens_extra})
"""The steps that make layers of rows of tokens."""
NAMED_AFTER = "named_after"
"""In `meta` of the node of such a step: the activation function, or end of a block, that the layer is named after."""
STREAM = "is_stream"
"""In `meta` of the node of such a step: whether the rows are the residual stream, not the hidden units of an MLP."""
WHY = "why_no_tokens"
"""In `meta` of a traced network: why its rows of tokens are no layers."""


def has_tokens(traced: fx.GraphModule) -> bool:
    """Whether rows of tokens are layers of a network: it is a transformer."""
    return any(node.target in TOKENS for node in traced.graph.nodes)


def why_no_tokens(traced: fx.GraphModule) -> str:
    """Why a network's rows of tokens are no layers, as the end of a sentence; empty if they are, or it has none."""
    return str(traced.meta.get(WHY, ""))
