"""The gradient of a unit with respect to the photo, down a path of units; `circuits.evidence.saliency` says of what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError, listed
from circuits.network.network import Network
from circuits.network.operations import Rectifier
from circuits.network.rectifiers import deconvnet_relu, guided_relu
from circuits.network.subgraphs import segment_between
from circuits.network.token_moves import has_tokens
from circuits.shapes import Activations, Images
from circuits.tracing.circuit import Circuit
from circuits.tracing.source import Source, forward_cache, input_crop
from circuits.tracing.targets import target_of
from circuits.units import Unit, as_unit

GradientPicture = Float[np.ndarray, "rows columns colours"]
"""Signed, one number a pixel and colour of what the network saw."""

METHODS: MappingProxyType[str, Rectifier | None] = MappingProxyType(
    {"gradient": None, "gradient_x_input": None, "guided": guided_relu, "deconvnet": deconvnet_relu}
)
"""The methods, and the rectifier that each puts in place of the network's."""

STARTS = ("peak", "map")
_COPIES_AT_ONCE = 8

_Restrict = Callable[[Activations, Unit], Activations]
"""From the gradient of a whole layer to that of one unit of it, (n, 1, h, w)."""


@dataclass(frozen=True)
class GradientOptions:
    """How a picture is made; see `gradient_picture`."""

    method: str
    start: str
    smooth: int
    noise: float
    seed: int

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"There is no method {self.method!r}; there is {listed(METHODS)}.")
        if self.start not in STARTS:
            raise InputError(f"There is no start {self.start!r}; there is {listed(STARTS)}.")
        if self.smooth < 0:
            raise InputError(f"smooth is {self.smooth}; it must be 0, for no noise, or a number of noisy copies.")
        if not 0 <= self.noise < float("inf"):
            raise InputError(
                f"noise is {self.noise}; it must be a share of the photo's range, 0 or more, such as 0.15."
            )


def methods_of(network: Network) -> tuple[str, ...]:
    """The methods that a network has: of a transformer, whose gradients no rectifier stops, those that change none.

    Example:
        >>> from circuits import load_network
        >>> methods_of(load_network())
        ('gradient', 'gradient_x_input', 'guided', 'deconvnet')
    """
    of_tokens = has_tokens(network.traced)
    return tuple(name for name, rectifier in METHODS.items() if rectifier is None or not of_tokens)


def clearest_method(network: Network) -> str:
    """The method with the clearest pictures that a network has: guided, and where it has no rectifiers the gradient.

    Example:
        >>> from circuits import load_network
        >>> clearest_method(load_network())
        'guided'
    """
    return "guided" if "guided" in methods_of(network) else "gradient"


def descend(
    network: Network, source: Source, path: Sequence[Unit | str], restrict: _Restrict, options: GradientOptions
) -> GradientPicture:
    """The picture of a path of units, from the topmost, which may be the id of a circuit's target, down."""
    network = forward_cache(network, source).network if isinstance(source, Circuit) else network
    image = network.preprocessing.from_crop(input_crop(network, source))
    minus = None
    if isinstance(source, Circuit) and str(path[0]) == source.root:
        target = target_of(source)
        top, minus = target.unit, target.minus
    else:
        top = as_unit(path[0])
    if options.method not in methods_of(network):
        raise InputError(
            f"The method {options.method} changes what rectifiers hand back, and {network.name}, a transformer, has "
            "none to change; choose gradient or gradient_x_input."
        )
    units = [top, *map(as_unit, path[1:])]
    for unit in units:
        network.check_unit(unit)
    channels = [top.channel] if minus is None else [top.channel, minus]
    weights = _starting_weights(network, image, top, channels, options.start)
    total = torch.zeros_like(image)
    for some in _copies(network, image, options):
        gradient = _gradient(network, some, units, channels, weights, restrict, METHODS[options.method])
        total += gradient.sum(0, keepdim=True)
    scale = image if options.method == "gradient_x_input" else 1 / _per_colour(network.preprocessing.std)
    return (total / max(options.smooth, 1) * scale)[0].permute(1, 2, 0).contiguous().cpu().numpy()


def _starting_weights(
    network: Network, image: Images, unit: Unit, channels: Sequence[int], start: str
) -> Float[Tensor, "1 channels H W"]:
    """The weight of each position of a unit; of a difference, its second channel with the opposite sign."""
    activation = network.activations(image, [unit.layer])[unit.layer][:, list(channels)]
    signs = torch.tensor([1.0, -1.0])[: len(channels), None, None].to(activation)
    value = (activation * signs).sum(1, keepdim=True)
    if unit.position is not None:
        weights = _one_at(unit.position, value)
    elif start == "map":
        weights = value.clamp(min=0)
    else:
        weights = _one_at(divmod(int(value.argmax()), value.shape[3]), value)
    return weights * signs


def _gradient(
    network: Network,
    images: Images,
    path: Sequence[Unit],
    channels: Sequence[int],
    weights: Tensor,
    restrict: _Restrict,
    rectifier: Rectifier | None,
) -> Images:
    """Steps 2 and 3 for a batch of images, with respect to the network's input."""
    if network.branched and len(path) > 1 and len(images) > 1:  # what other paths carry is each image's own
        each = (images[n : n + 1] for n in range(len(images)))
        some = [_gradient(network, image, path, channels, weights, restrict, rectifier) for image in each]
        return torch.cat(some)
    below = [unit.layer for unit in path[1:]]
    activations = network.activations(images, below) if below else {}
    for upper, lower in pairwise(path):
        segment = segment_between(network, lower.layer, upper.layer, images)
        point = activations[lower.layer].detach().requires_grad_()
        with torch.enable_grad():
            value = (segment(point, channels, rectifier=rectifier) * weights).sum()
            (gradient,) = torch.autograd.grad(value, point)
        channels, weights = [lower.channel], restrict(gradient, lower)
    point = images.detach().requires_grad_()
    with torch.enable_grad():
        (activation,) = network.read(point, [(path[-1].layer, channels, True)], rectifier=rectifier)
        (gradient,) = torch.autograd.grad((activation * weights).sum(), point)
    return gradient


def own_part(gradient: Activations, unit: Unit) -> Activations:
    """A layer's gradient at one unit, or at one neuron of it."""
    part = gradient[:, unit.channel : unit.channel + 1]
    return part if unit.position is None else part * _one_at(unit.position, part)


def _one_at(position: tuple[int, int], like: Tensor) -> Activations:
    """One at a position, zero elsewhere, (1, 1, H, W)."""
    weights = torch.zeros_like(like[:1, :1])
    weights[0, 0, position[0], position[1]] = 1
    return weights


def renormalised(gradient: Activations, unit: Unit) -> Activations:
    """A layer's gradient at one unit, scaled to the magnitude of the whole: g_unit · |g|₁ / |g_unit|₁ for each image.

    >>> renormalised(torch.tensor([[[[1.0, -2.0]], [[3.0, 0.0]]]]), Unit("conv1", 0)).flatten().tolist()
    [2.0, -4.0]
    """
    part = own_part(gradient, unit)
    whole, kept = (values.abs().sum((1, 2, 3), keepdim=True) for values in (gradient, part))
    return torch.where(kept > 0, part * (whole / kept.clamp_min(torch.finfo(kept.dtype).tiny)), 0.0)


def _copies(network: Network, image: Images, options: GradientOptions) -> Iterator[Images]:
    """The image, or its noisy copies, a few at a time; each copy's noise is the same whatever the batch."""
    if not options.smooth:
        yield image
        return
    std, mean = (_per_colour(numbers) for numbers in (network.preprocessing.std, network.preprocessing.mean))
    levels = image * std + mean
    size = options.noise * (levels.max() - levels.min()) / std
    generator = torch.Generator().manual_seed(options.seed)
    for first in range(0, options.smooth, _COPIES_AT_ONCE):
        count = min(_COPIES_AT_ONCE, options.smooth - first)
        yield torch.cat([image + size * torch.randn(image.shape, generator=generator) for _ in range(count)])


def _per_colour(numbers: Sequence[float]) -> Tensor:
    return torch.tensor(numbers).view(1, -1, 1, 1)
