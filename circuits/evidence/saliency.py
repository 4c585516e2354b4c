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

from collections.abc import Sequence

from circuits.errors import InputError
from circuits.evidence.descent import GradientOptions, GradientPicture, clearest_method, descend, own_part, renormalised
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.tracing.source import Source
from circuits.units import Unit


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
    return descend(network, source, [unit], own_part, GradientOptions(method, start, smooth, noise, seed))


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
    return descend(
        network,
        source,
        [parent, child],
        own_part,
        GradientOptions(method or clearest_method(network), start, smooth, noise, seed),
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
    return descend(
        network,
        source,
        path,
        renormalised,
        GradientOptions(method or clearest_method(network), start, smooth, noise, seed),
    )
