"""Rectifiers with the values of max(x, 0) and another gradient, which makes clear pictures.

`guided_relu` and `deconvnet_relu` are for pictures only, not for scores: pictures made with them hardly change when the
network's weights are replaced by random ones (Adebayo 2018, "Sanity checks for saliency maps"), so they say little
about what it has learned.

`redirected_relu` helps gradient ascent away from a start image at which a unit is silent. On soft noise a whole layer
may be silent, and behind a silent rectifier every gradient is zero. For the first steps, a rectifier through which
nothing of an image's gradient passes is given one: the part that would make it active. The gradients of other images
stay as they are. Source: Lucid, `misc/redirected_relu_grad.py`. There a rectifier with an upper limit also gets the
gradient that would bring it down from there; here the limit stops it, as a start image does not reach it.
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
    """max(x, 0), with a gradient g that passes where g > 0, whatever x is: ∂x = g · [g > 0].

    Source: Zeiler & Fergus 2013, "Visualizing and understanding convolutional networks".

    >>> x = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    >>> deconvnet_relu(x).backward(torch.tensor([5.0, -5.0, 5.0, -5.0]))
    >>> x.grad
    tensor([5., 0., 5., 0.])
    """
    result: Tensor = _DeconvnetRelu.apply(x)
    return result


class _Relu(torch.autograd.Function):
    """max(x, 0), which keeps its result for the backward pass of a subclass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        result = x.relu()
        ctx.save_for_backward(result)
        return result


class _GuidedRelu(_Relu):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        passed: Tensor = gradient.clamp(min=0) * (result > 0)
        return passed


class _DeconvnetRelu(_Relu):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(min=0)


def redirected_relu(x: Tensor) -> Tensor:
    """max(x, 0) of N images, (N, …), with the gradient g of a loss to be minimised, redirected where it dies.

    ∂x = g · [x > 0], as always, if that is not zero for all of an image; else ∂x = min(g, 0): where it makes x larger.

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
        blocked = passed.abs().amax(others, keepdim=True) == 0  # ten times as fast as the norm
        return torch.where(blocked, gradient.clamp(max=0), passed) if blocked.any() else passed
