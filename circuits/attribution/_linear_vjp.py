"""One step down across a convolution or linear layer, for many units at once (`entries`).

A sum whose order changed with the number of units would change their last bits; so every product of matrices over the
units takes them in blocks of one size, filled up with zeros.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.network.channelwise import is_pointwise

BLOCK = 16  # units in a product of matrices, or in the gradient of a weight
_PARTS = 400_000  # numbers to compute at once of what channels put into a layer, so that they stay in the cache


def weight_times_gradient(
    module: nn.Module, channels: Sequence[int], x: Tensor, gradient: Tensor, block: int = BLOCK
) -> Tensor:
    """Share of what a convolution or linear layer reads in each of some rows: Σ_k W_ijk · ∂f_i/∂W_ijk, (rows, inputs).

    What it reads is (1, c, h, w) or (1, c); the gradient of each row's value in its own output (rows, H, W).
    """
    weight = _rows_of(module, channels)
    if not isinstance(module, nn.Conv2d):
        return gradient[:, 0] * weight * x
    stride, padding, dilation = geometry_of(module)
    kernels, maps = in_blocks(weight.flatten(2), block), in_blocks(gradient.flatten(1), block)
    parts: list[list[Tensor]] = [[] for _ in maps]
    is_plain = is_pointwise(module) and stride == (1, 1)
    # As many inputs at a time as stay in the cache. Units are the columns of the product, as in `through_entry`.
    step = max(1, _PARTS // (weight[0, 0].numel() * maps[0].shape[1]))
    for start in range(0, x.shape[1], step):
        some_inputs = x[:, start : start + step]
        if is_plain:
            columns = some_inputs.flatten(2)[0]
        else:
            columns = F.unfold(some_inputs, weight.shape[2:], dilation, padding, stride)[0]
        for part, kernel, some in zip(parts, kernels, maps, strict=True):
            slopes = (columns @ some.T).view(-1, kernel.shape[2], block)
            part.append((kernel[:, start : start + step].permute(1, 2, 0) * slopes).sum(1))
    shares = [torch.cat(part).T for part in parts]
    return torch.cat(shares)[: len(weight)]


def step_down(module: nn.Module, channels: Sequence[int], shape: Sequence[int], gradient: Tensor) -> Tensor:
    """Gradient of each row's value in what its convolution or linear layer reads, (rows, …).

    What it reads has the shape (1, c, h, w), (1, c), or, with the channels last, (1, h, w, c); the gradient of each
    row's value in its own output is (rows, H, W).
    """
    weight = _rows_of(module, channels)
    if not isinstance(module, nn.Conv2d):
        return gradient[..., None] * weight[:, None, None] if len(shape) == 4 else gradient[:, 0] * weight
    if is_pointwise(module) and module.stride == (1, 1):
        return (gradient[..., None] * weight[:, None, None, :, 0, 0]).permute(0, 3, 1, 2)
    maps = gradient[:, None]
    geometry = stride, _, _ = geometry_of(module)
    pads: list[int] = []
    for side in (1, 0):
        step, padding, dilation = (each[side] for each in geometry)
        reach, size = dilation * (weight.shape[2 + side] - 1), step * (maps.shape[2 + side] - 1) + 1
        before = reach - padding
        pads += [before, shape[2 + side] + reach - before - size]
    if stride != (1, 1):
        rows, columns = (step * (size - 1) + 1 for step, size in zip(stride, maps.shape[2:], strict=True))
        apart = maps.new_zeros(len(maps), 1, rows, columns)
        apart[:, :, :: stride[0], :: stride[1]] = maps
        maps = apart
    windows = F.unfold(F.pad(maps, pads), weight.shape[2:], dilation=module.dilation)
    return torch.bmm(weight.flip((2, 3)).flatten(2), windows).view(len(weight), *shape[1:])


def without_bias(module: nn.Module, x: Tensor) -> Tensor:
    """What a convolution makes of its input alone."""
    assert isinstance(module, nn.Conv2d)
    return F.conv2d(x, module.weight, None, module.stride, module.padding, module.dilation, module.groups)


def is_wide(module: nn.Module) -> bool:
    """Whether each output of a layer is made of more than one position of each input."""
    return isinstance(module, nn.Conv2d) and not is_pointwise(module)


def through_entry(module: nn.Module, x: Tensor, gradient: Tensor) -> Tensor:
    """Share of what a layer that is not wide reads, in a unit's value, (1, inputs).

    The gradient of the value in the module's output is (1, C, H, W) or (1, C).
    """
    assert isinstance(module, (nn.Conv2d, nn.Linear))
    if not isinstance(module, nn.Conv2d):
        return (gradient @ module.weight) * x
    stride = module.stride
    passed = gradient.permute(0, 2, 3, 1).flatten(1, 2) @ module.weight[:, :, 0, 0]
    return (x[:, :, :: stride[0], :: stride[1]].permute(0, 2, 3, 1).flatten(1, 2) * passed).sum(1)


def through_matrix(rows: Tensor, matrix: Tensor) -> Tensor:
    """Rows of several units times a matrix, (units, columns)."""
    return torch.cat([(matrix.T @ some.T).T for some in in_blocks(rows, BLOCK)])[: len(rows)]


def through_wide_entry(module: nn.Module, x: Tensor, gradient: Tensor) -> Tensor:
    """Share of what a convolution reads, in the values of several units, (units, inputs).

    S_ij = Σ_c Σ_hw ∂f_i/∂z_c · P_cj, where P_cj = W_cj ∗ x_j is what each input puts into each output on its own; it is
    made once for all units, a few outputs at a time. The gradient of each unit's value in the module's output is
    (units, C, H, W).
    """
    assert isinstance(module, nn.Conv2d)
    weight, (stride, padding, dilation) = module.weight, geometry_of(module)
    columns = F.unfold(x, weight.shape[2:], dilation, padding, stride).view(x.shape[1], weight[0, 0].numel(), -1)
    kernels = weight.permute(0, 2, 3, 1).flatten(0, 2).T.contiguous().view(x.shape[1], len(weight), -1)
    blocks, size = in_blocks(gradient.flatten(1), BLOCK), columns.shape[2]
    # Units are the columns of the product: there a block is whole vectors, and none depends on its place among them.
    scores = [x.new_zeros(x.shape[1], BLOCK) for _ in blocks]
    step = max(1, _PARTS // (len(columns) * size))
    for start in range(0, len(weight), step):
        parts = torch.bmm(kernels[:, start : start + step], columns).flatten(1)
        for score, block in zip(scores, blocks, strict=True):
            score.addmm_(parts, block[:, start * size : (start + step) * size].T)
    return torch.cat(scores, 1).T[: len(gradient)]


def in_blocks(rows: Tensor, size: int) -> tuple[Tensor, ...]:
    """Rows in blocks of one size, the last filled up with zeros.

    Example:
        >>> [block.tolist() for block in in_blocks(torch.ones(3), 2)]
        [[1.0, 1.0], [1.0, 0.0]]
    """
    missing = -len(rows) % size
    filled = torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])]) if missing else rows
    return torch.split(filled, size)


def _rows_of(module: nn.Module, channels: Sequence[int]) -> Tensor:
    assert isinstance(module, (nn.Conv2d, nn.Linear))
    return module.weight.index_select(0, torch.tensor(channels, device=module.weight.device))


def geometry_of(module: nn.Conv2d) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Stride, padding and dilation, rows before columns."""
    stride, padding, dilation = module.stride, module.padding, module.dilation
    assert not isinstance(padding, str)
    return (stride[0], stride[1]), (padding[0], padding[1]), (dilation[0], dilation[1])
