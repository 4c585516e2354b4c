"""How much of an upper unit's value each channel of the layer below accounts for. One function a formula.

A value to explain is a weighted sum over the upper layer's activation, f = Σ_c Σ_hw w_c(h,w) · a_c(h,w): a `Readout`.
A whole unit has w = 1 on its channel, a neuron w = 1 at its position, the difference of two classes w = +1 and -1.

A share is that of a channel's way from a *baseline* b to its activation: b = 0, or in the formulas a - b for a where b
is given (`instead`, one number a channel, such as its mean over photos).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import torch

from circuits.attribution.batched import BatchedAttribution, is_of_usual_size, is_understood
from circuits.errors import InputError
from circuits.network.segments import Segment
from circuits.shapes import Activation, Activations, Maps, PerChannel, PerExample, Scores

_BATCH_BYTES = 256 * 2**20
_FEW = 8  # channels of a value that is answered together with others


@dataclass(frozen=True, eq=False)
class Readout:
    """A scalar that is linear in the upper layer's activation.

    Args:
        channels: the channels that it reads.
        weights: one map a channel, (channels, H, W) or anything that spreads to it; one everywhere if `None`.

    Example:
        >>> Readout.of_neuron(3, (0, 1), 2, 2).weights
        tensor([[[0., 1.],
                 [0., 0.]]])
    """

    channels: tuple[int, ...]
    weights: Maps | None = None

    @classmethod
    def of_unit(cls, channel: int) -> "Readout":
        """Sum of a channel over its positions; a class logit is such a sum over one position."""
        return cls((channel,))

    @classmethod
    def of_neuron(cls, channel: int, position: tuple[int, int], height: int, width: int) -> "Readout":
        """Value of a channel at one position of a layer of height × width."""
        weights = torch.zeros(1, height, width)
        weights[0, position[0], position[1]] = 1
        return cls((channel,), weights)

    @classmethod
    def of_difference(cls, plus: int, minus: int) -> "Readout":
        """One channel's sum minus another's."""
        return cls((plus, minus), torch.tensor([1.0, -1.0])[:, None, None])

    def maps(self, height: int, width: int) -> Maps:
        """The weights, one map a channel, (channels, H, W)."""
        weights = torch.ones(1, 1, 1) if self.weights is None else self.weights
        return weights.expand(len(self.channels), height, width)

    def value(self, activation: Activations) -> PerExample:
        """The scalar, one an example, from the activation of the whole upper layer."""
        return self.of(activation.index_select(1, torch.tensor(self.channels, device=activation.device)))

    def through(self, segment: Segment, activation: Activations) -> PerExample:
        """The scalar, one an example, from the activation of the lower layer; only its channels are computed."""
        return self.of(segment(activation, self.channels))

    def of(self, read: Activations) -> PerExample:
        """The scalar, one an example, from the activation of its channels alone."""
        weighted = read if self.weights is None else read * self.weights.to(read)
        return weighted.sum((1, 2, 3))


def gradient_times_activation(
    segment: Segment, activation: Activation, readout: Readout, instead: PerChannel | None = None
) -> Scores:
    """Share of a value that each channel below accounts for, to first order at the photo. Mode `sum`.

    S_j = Σ_hw a_j · ∂f/∂a_j   (Cogswell, "Why is this a cat?", 2016; gradient × input: Shrikumar 2016)

    In a piecewise linear segment Σ_j S_j = f - bias, where the bias term is Σ_b b · ∂f/∂b over the effective biases.
    With the readout's weights set to ∂T/∂a_i it is mode `target`, in units of the target T.

    Args:
        segment: from the lower layer to the upper.
        activation: of the lower layer, for one photo.
        readout: the value to explain, on the upper layer.
        instead: b, from which shares are measured; zero if `None`.

    Returns:
        Signed, in units of f, (c,).

    Example:
        >>> from circuits import load_network
        >>> network = load_network()
        >>> lower = torch.rand(1, network.layer("conv5").channels, 4, 4)
        >>> scores = gradient_times_activation(network.segment("conv5", "conv6"), lower, Readout.of_unit(7))
        >>> scores.shape[0] == network.layer("conv5").channels
        True
    """
    return next(gradients_times_activation(segment, activation, [readout], instead))


def gradients_times_activation(
    segment: Segment, activation: Activation, readouts: Iterable[Readout], instead: PerChannel | None = None
) -> Iterator[Scores]:
    """Gradient × activation of several values over the same lower layer, one after the other.

    What they need in common is run forward once. Where it is known how, several units are answered at once when the
    first of them is asked for (`batched`); else each by a pass back of its own. Each share is signed, (c,).
    """
    if not (is_understood(segment) and is_of_usual_size(segment, activation)):
        yield from _one_by_one(segment, activation, readouts, instead)
        return
    batched = BatchedAttribution(segment, activation, None if instead is None else activation - instead)
    waiting = iter(readouts)
    while some := list(islice(waiting, batched.at_once)):
        # Which way a value goes must not depend on the others, for each has other last bits.
        few = [readout for readout in some if len(readout.channels) <= _FEW]
        many = [readout for readout in some if len(readout.channels) > _FEW]
        together, apart = _together(batched, activation, few), _one_by_one(segment, activation, many, instead)
        for readout in some:
            yield next(together if len(readout.channels) <= _FEW else apart)


def _together(batched: BatchedAttribution, activation: Activation, readouts: Sequence[Readout]) -> Iterator[Scores]:
    """Values of few channels, all answered at once when the first of them is asked for."""
    height, width = batched.size
    channels = [channel for readout in readouts for channel in readout.channels]
    maps = [readout.maps(height, width).to(activation) for readout in readouts]
    scores = batched.shares(channels, torch.cat(maps))
    for own in torch.split(scores, [len(readout.channels) for readout in readouts]):
        yield own.sum(0)


def _one_by_one(
    segment: Segment, activation: Activation, readouts: Iterable[Readout], instead: PerChannel | None
) -> Iterator[Scores]:
    """A pass back for each value, stopped at the lower layer."""
    away = away_from(instead, activation)
    for gradient in gradients(segment, activation, readouts):
        yield (away * gradient).sum((0, 2, 3))


def away_from(instead: PerChannel | None, activation: Activations) -> Activations:
    """What is shared out of an activation, a - b; the activation itself where the baseline is zero."""
    return activation if instead is None else activation - instead


def gradients(segment: Segment, activation: Activation, readouts: Iterable[Readout]) -> Iterator[Activation]:
    """∂f/∂a of several values over the same lower layer, one after the other, each (1, c, h, w)."""
    point = activation.detach().requires_grad_()
    read = lru_cache(maxsize=1)(segment.reader(point))  # of groups all read the whole layer
    for readout in readouts:
        with torch.enable_grad():
            value = readout.of(read(readout.channels)).sum()
            gradient = _gradient(value, point, keep=True)
        yield gradient


def _gradient(
    value: torch.Tensor, point: Activations, above: Activations | None = None, *, keep: bool = False
) -> Activations:
    """Gradient of a value in a point; zero where the value does not depend on it."""
    if not value.requires_grad:
        return torch.zeros_like(point)
    return torch.autograd.grad(value, point, above, retain_graph=keep, materialize_grads=True)[0]


def integrated_gradients(
    segment: Segment, activation: Activation, readout: Readout, instead: PerChannel | None = None, *, steps: int = 32
) -> Scores:
    """Share of a value that each channel accounts for on the straight way from the baseline. Mode `ig`.

    S_j = Σ_hw (a_j - b_j) · ∫₀¹ ∂f(b + α(a - b))/∂a_j dα   (Sundararajan, Taly & Yan 2017), Gauss-Legendre quadrature

    Σ_j S_j = f(a) - f(b), up to the error of the quadrature.

    Args:
        segment: from the lower layer to the upper.
        activation: of the lower layer, for one photo.
        readout: the value to explain, on the upper layer.
        instead: b, zero if `None`.
        steps: points of the quadrature.

    Returns:
        Signed, in units of f, (c,).

    Raises:
        InputError: if steps is less than 1.
    """
    gradient = mean_gradient(segment, activation, readout, instead, steps=steps)
    return (away_from(instead, activation) * gradient).sum((0, 2, 3))


def mean_gradient(
    segment: Segment, activation: Activation, readout: Readout, instead: PerChannel | None = None, *, steps: int = 32
) -> Activation:
    """∫₀¹ ∂f(b + α(a - b))/∂a dα, the gradient's mean over the way from the baseline; see `integrated_gradients`."""
    if steps < 1:
        raise InputError(f"steps is {steps}; integrated gradients needs at least 1.")
    places, weights = np.polynomial.legendre.leggauss(steps)
    alphas = torch.from_numpy((places + 1) / 2).to(activation)
    shares = torch.from_numpy(weights / 2).to(activation)
    total = torch.zeros_like(activation[0])
    for some in torch.split(torch.arange(steps, device=activation.device), at_once(activation)):
        way = away_from(instead, activation) * alphas[some, None, None, None]
        point = (way if instead is None else instead + way).detach().requires_grad_()
        with torch.enable_grad():
            gradient = _gradient(readout.through(segment, point).sum(), point)
        total += (gradient * shares[some, None, None, None]).sum(0)
    return total[None]


def ablation(
    segment: Segment,
    activation: Activation,
    readout: Readout,
    instead: PerChannel | None = None,
    *,
    channels: Sequence[int] | None = None,
) -> Scores:
    """Exact change of a value when one channel at a time is set to its baseline. Mode `ablate`.

    S_j = f(a) - f(a with a_j = b_j)   (one forward pass through the segment a channel that changes, batched)

    The shares need not add up: what two channels do only together is counted in both, or in neither.

    Args:
        segment: from the lower layer to the upper.
        activation: of the lower layer, for one photo.
        readout: the value to explain, on the upper layer.
        instead: b, zero if `None`.
        channels: the ones to set to it; every one if `None`.

    Returns:
        Signed, in units of f, (c,); zero for channels that were not asked for.
    """
    scores = torch.zeros_like(activation[0, :, 0, 0])
    instead = torch.zeros_like(activation[:, :, :1, :1]) if instead is None else instead
    alive = (activation != instead)[0].flatten(1).any(1)
    if channels is not None:
        wanted = torch.zeros_like(alive)
        wanted[list(channels)] = True
        alive = alive & wanted
    alive = alive.nonzero().flatten()
    with torch.no_grad():
        whole = readout.through(segment, activation)
        for some in torch.split(alive, at_once(activation)):
            copies = with_replaced(activation, [[channel] for channel in some.tolist()], instead)
            scores[some] = whole - readout.through(segment, copies)
    return scores


def with_replaced(activation: Activation, sets: Sequence[Sequence[int]], instead: PerChannel) -> Activations:
    """Copies of an activation, in each of which a set of channels is replaced, (sets, c, h, w)."""
    copies = activation.repeat(len(sets), 1, 1, 1)
    for copy, channels in zip(copies, sets, strict=True):
        copy[list(channels)] = instead[0, list(channels)]
    return copies


def at_once(activation: Activation) -> int:
    """How many copies of a layer's activation to run at once, within the memory bound."""
    return int(max(1, min(64, _BATCH_BYTES // (16 * activation.element_size() * activation.numel()))))


def gradient_down(segment: Segment, activation: Activation, above: Activations | Readout) -> Activation:
    """Gradient of a target with respect to the lower layer, from its gradient with respect to the upper layer.

    ∂T/∂a_lower = (∂a_upper/∂a_lower)ᵀ · ∂T/∂a_upper   (chain rule)
    """
    point = activation.detach().requires_grad_()
    with torch.enable_grad():
        if isinstance(above, Readout):
            return _gradient(above.through(segment, point).sum(), point)
        return _gradient(segment(point), point, above)


def strongest(scores: Scores, top: int, signs: str) -> list[int]:
    """The channels to show: the `top` with the highest positive share, or (`both`) of the highest magnitude.

    Raises:
        InputError: if signs is neither `positive` nor `both`.

    Example:
        >>> scores = torch.tensor([1.0, -3.0, 2.0, 0.0])
        >>> strongest(scores, 2, "positive"), strongest(scores, 2, "both")
        ([2, 0], [1, 2])
    """
    if signs not in ("positive", "both"):
        raise InputError(f"signs is {signs!r}; it must be 'positive' or 'both'.")
    order = (scores if signs == "positive" else scores.abs()).argsort(descending=True, stable=True)[:top].tolist()
    return [channel for channel in order if (scores[channel] > 0 if signs == "positive" else scores[channel] != 0)]
