"""Saliency pictures: how a unit's value depends on the pixels of the photo, alone or as part of a unit above.

1. Weigh each position of the unit by w(h,w): its highest one alone, or all where it fired.
2. Take ∂/∂x Σ_hw w(h,w) · a(h,w), with the rectifiers' gradient of the method.
3. At each lower unit of a path, restrict the gradient of its layer to that unit.

Methods replace the gradient of relu and relu6 (whose upper limit keeps its own: a neuron that has reached it has an
empty picture), modules and functions alike, while the network's graph is run; the network is left as it is. Leaky
rectifiers and smooth activations (GELU, SiLU) keep their gradient, so that in a network without relu every method is
the plain gradient; so do max pools, whose gradient goes to the largest position of this photo, the "switches" of
deconvnets.

Alone, a unit's picture starts where that unit fires most, which may be far from where the unit above does. A relative
picture starts at the unit above ("Why is this a cat?", Cogswell 2016, and its code, cnn_treevis). Magnitudes change
from layer to layer by powers of ten, so each picture is shown on its own scale (`circuits.image.encode`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuits.errors import InputError, listed
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.network.operations import Rectifier
from circuits.network.rectifiers import deconvnet_relu, guided_relu
from circuits.network.subgraphs import subgraph_between
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
class _GradientOptions:
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


@exact()
def gradient_picture(
    network: Network,
    source: Source,
    unit: Unit | str,
    *,
    method: str = "gradient",
    start: str = "peak",
    smooth: int = 0,
    noise: float = 0.15,
    seed: int = 0,
) -> GradientPicture:
    """How a unit's value changes with each pixel of the photo.

    G(x) = ∂/∂x Σ_hw w(h,w) · a(h,w), with respect to the image on its scale of 0 to 1

    Methods:
        `gradient`: G itself (Simonyan 2013).
        `gradient_x_input`: G · (x - mean), the gradient times what the network is given, in which the mean colour is
            zero (Shrikumar 2016); where no operation has a bias its sum is Σ w · a.
        `guided`: rectifiers pass what is positive on both ways (Springenberg 2014).
        `deconvnet`: rectifiers pass what comes back positive (Zeiler & Fergus 2013); max pools by their switches.

    `guided` and `deconvnet` are for pictures only, never for scores: they hardly change when the network's weights
    are made random (Adebayo 2018).

    Starts:
        `peak`: w = 1 at the unit's highest position and 0 elsewhere.
        `map`: w = max(a, 0) of the photo, held fixed: every place where it fired, in proportion; with equal weights
            the many places where it hardly fired would drown the few where it did. Empty if it fired nowhere.
        A unit with a position, such as `conv4:17@3,5`, starts there, with w = 1.
        For a difference of two classes a is the one's activation minus the other's.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        unit: the unit, or the id of a circuit's target, such as `fc:0-1`.
        method: one of the above.
        start: one of the above.
        smooth: SmoothGrad (Smilkov 2017): the mean of G at that many noisy copies of the photo, w being that of the
            photo itself; 0 for G at the photo.
        noise: its standard deviation, as a share of the photo's own range, highest minus lowest value.
        seed: of the noise.

    Returns:
        Signed float32, (h, w, colours), in pixels of what the network saw, in units of the start per unit of brightness
        from black (0) to white (1); for `gradient_x_input` in units of the start.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if there is no such method or start, the network has it not, or smooth or noise is negative.

    Example:
        >>> from circuits import load_network, load_photo
        >>> gradient_picture(load_network(), load_photo("example:cat"), "conv4:3", method="guided").shape
        (64, 64, 3)
    """
    return _descend(network, source, [unit], _own_part, _GradientOptions(method, start, smooth, noise, seed))


@exact()
def relative_picture(
    network: Network,
    source: Source,
    child: Unit | str,
    parent: Unit | str,
    *,
    method: str | None = None,
    start: str = "peak",
    smooth: int = 0,
    noise: float = 0.15,
    seed: int = 0,
) -> GradientPicture:
    """A unit of a lower layer, shown around where the parent fired, by the pixels through which it moves the parent.

    G_child = (∂a_child/∂x)ᵀ · g_child  with  g = ∂/∂a_lower Σ_hw w(h,w) · a_parent(h,w)

    With method `gradient` the pictures of all the lower layer's units add up to the parent's own gradient picture.
    Where the layers form no chain, g is along every path between the two; what goes past the lower layer is left out.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        child: the unit to show; with a position, that neuron alone.
        parent: a unit of a higher layer, the next one or any other; or the id of a circuit's target.
        method: see `gradient_picture`; the clearest that the network has, if `None` (`clearest_method`).
        start: of the parent; see `gradient_picture`.
        smooth: see `gradient_picture`.
        noise: see `gradient_picture`.
        seed: see `gradient_picture`.

    Returns:
        Signed float32, (h, w, colours), in the units of the parent's gradient picture; zero if the parent does not
        depend on the child in this photo.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if the parent does not lie above the child, or an option is not one of those that exist.

    Example:
        >>> from circuits import load_network, load_photo
        >>> relative_picture(load_network(), load_photo("example:cat"), "conv3:7", "conv4:3").shape
        (64, 64, 3)
    """
    return _descend(
        network,
        source,
        [parent, child],
        _own_part,
        _GradientOptions(method or clearest_method(network), start, smooth, noise, seed),
    )


@exact()
def path_picture(
    network: Network,
    source: Source,
    path: Sequence[Unit | str],
    *,
    method: str | None = None,
    start: str = "peak",
    smooth: int = 0,
    noise: float = 0.15,
    seed: int = 0,
) -> GradientPicture:
    """The lowest unit of a path, shown through all the units above it, each step with the magnitude of the whole.

    g ← g_unit · |g|₁ / |g_unit|₁   at each unit of the path below the topmost (cnn_treevis)

    where g is the gradient with respect to the whole layer, and g_unit the part of it at the path's unit. The factor
    makes up for the units left out; as one number an image it changes the picture's magnitude, and how noisy copies
    weigh against each other, and nothing else.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        path: from the topmost unit, such as a class or the id of a circuit's target, down; of one unit, it is its
            gradient picture.
        method: see `gradient_picture`; the clearest that the network has, if `None` (`clearest_method`).
        start: of the topmost unit; see `gradient_picture`.
        smooth: see `gradient_picture`.
        noise: see `gradient_picture`.
        seed: see `gradient_picture`.

    Returns:
        Signed float32, (h, w, colours); zero if somewhere on the path a unit does not depend on the next.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if the path is empty or does not go down, or an option is not one of those that exist.

    Example:
        >>> from circuits import load_network, load_photo
        >>> path_picture(load_network(), load_photo("example:cat"), ["fc:0", "conv7:5", "conv6:2"]).shape
        (64, 64, 3)
    """
    if not path:
        raise InputError("The path is empty; give its units from the topmost down.")
    return _descend(
        network,
        source,
        path,
        renormalised,
        _GradientOptions(method or clearest_method(network), start, smooth, noise, seed),
    )


def _descend(
    network: Network, source: Source, path: Sequence[Unit | str], restrict: _Restrict, options: _GradientOptions
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
        if network.branched:
            segment = subgraph_between(network, lower.layer, upper.layer, images)
        else:
            segment = network.segment(lower.layer, upper.layer)
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


def _own_part(gradient: Activations, unit: Unit) -> Activations:
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
    part = _own_part(gradient, unit)
    whole, kept = (values.abs().sum((1, 2, 3), keepdim=True) for values in (gradient, part))
    return torch.where(kept > 0, part * (whole / kept.clamp_min(torch.finfo(kept.dtype).tiny)), 0.0)


def _copies(network: Network, image: Images, options: _GradientOptions) -> Iterator[Images]:
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
