"""Rectifiers whose gradient makes clear pictures: the same values as max(x, 0), another way back.

Both are for pictures only, not for scores: pictures made with them hardly change when the network's weights are
replaced by chance (Adebayo 2018, "Sanity checks for saliency maps"), so they say little about what it has learned.

Rectifiers that let gradient in where none would pass: how ascent leaves a start image that leaves a unit cold.

On soft noise a whole layer may be silent, and behind a silent rectifier every gradient is zero. For the first steps, a
rectifier through which nothing of an image's gradient passes is given one: the part that would wake it up. Values stay
what they are, and so do the gradients of images of which something passes.

Source: Lucid, `misc/redirected_relu_grad.py`. There a rectifier with an upper limit also gets the gradient that would
bring it down from there; here the limit stops it, as a start image does not reach it.
"""

from typing import Any

import torch
from torch import Tensor


def guided_relu(x: Tensor) -> Tensor:
    """max(x, 0), with a gradient g that passes where both x > 0 and g > 0: ∂x = g · [x > 0] · [g > 0].

    Source: Springenberg 2014, "Striving for simplicity", guided backpropagation.

    >>> x = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    >>> guided_relu(x).backward(torch.tensor([5.0, -5.0, 5.0, -5.0]))
    >>> x.grad
    tensor([0., 0., 5., 0.])
    """
    result: Tensor = _GuidedRelu.apply(x)
    return result


def deconvnet_relu(x: Tensor) -> Tensor:
    """max(x, 0), with a gradient g that passes where g > 0, whatever x was: ∂x = g · [g > 0].

    Source: Zeiler & Fergus 2013, "Visualizing and understanding convolutional networks": the way back rectifies what
    comes from above, as the way forward rectified what came from below.

    >>> x = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    >>> deconvnet_relu(x).backward(torch.tensor([5.0, -5.0, 5.0, -5.0]))
    >>> x.grad
    tensor([5., 0., 5., 0.])
    """
    result: Tensor = _DeconvnetRelu.apply(x)
    return result


class _Relu(torch.autograd.Function):
    """max(x, 0), of which the way back is told the result; the way back is a subclass's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The result, kept for the way back."""
        result = x.relu()
        ctx.save_for_backward(result)
        return result


class _GuidedRelu(_Relu):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        passed: Tensor = gradient.clamp(min=0) * (result > 0)
        return passed


class _DeconvnetRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(min=0)


def redirected_relu(x: Tensor) -> Tensor:
    """max(x, 0), with the gradient g of something *to be made small*, as optimisers have it, redirected where it dies.

    ∂x = g · [x > 0], as always, if that is not zero for all of an image; else ∂x = min(g, 0): where it makes x larger.

    Args:
        x: (N, …), N images.

    Returns:
        The same shape.

    >>> x = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -2.0, 3.0]], requires_grad=True)
    >>> (redirected_relu(x) * torch.tensor([-1.0, 4.0, -7.0])).sum().backward()
    >>> x.grad
    tensor([[-1.,  0., -7.],
            [ 0.,  0., -7.]])
    """
    result: Tensor = _RedirectedRelu.apply(x)
    return result


class _RedirectedRelu(_Relu):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        passed: Tensor = torch.ops.aten.threshold_backward(gradient, result, 0)
        others = tuple(range(1, passed.dim()))
        blocked = torch.linalg.vector_norm(passed, ord=torch.inf, dim=others, keepdim=True) == 0
        return torch.where(blocked, gradient.clamp(max=0), passed) if blocked.any() else passed
