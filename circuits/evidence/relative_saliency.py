"""Relative pictures: a unit shown around the same place as the unit above that it is a part of.

Alone, a unit's gradient picture starts where that unit fires most, which may be far from where its parent does, so the
two cannot be compared. Started at the parent instead,

1. take the parent's gradient with respect to all units of the child's layer;
2. set all of it to zero but the child's: how the parent, around where *it* fired, hangs on the child;
3. send that on to the pixels.

For a path of units, from a circuit's target down, steps 1 and 2 are repeated from unit to unit.

Source: "Why is this a cat?" (Cogswell 2016) and its code, cnn_treevis. Magnitudes change from layer to layer by powers
of ten; a picture is to be shown on its own scale (`showing`).
"""

from collections.abc import Sequence

import torch

from circuits.errors import InputError
from circuits.evidence.saliency import GradientPicture, descend, own_part
from circuits.image.photo import Photo
from circuits.network.network import Network
from circuits.shapes import Activations
from circuits.tracing.circuit import Circuit
from circuits.units import Unit


def relative_picture(
    network: Network,
    source: Circuit | Photo,
    child: Unit | str,
    parent: Unit | str,
    *,
    method: str = "guided",
    start: str = "peak",
    smooth: int = 0,
    noise: float = 0.15,
    seed: int = 0,
) -> GradientPicture:
    """A unit of a lower layer, shown around where the parent fired, by the pixels through which it moves the parent.

    G_child = (∂a_child/∂x)ᵀ · g_child  with  g = ∂/∂a_lower Σ_hw w(h,w) · a_parent(h,w)

    With method `gradient` the pictures of all the lower layer's units add up to the parent's own gradient picture.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        child: the unit to show; with a position, that neuron alone.
        parent: a unit of a higher layer, the next one or any other; or the id of a circuit's target.
        method: see `gradient_picture`.
        start: of the parent; see `gradient_picture`.
        smooth: see `gradient_picture`.
        noise: see `gradient_picture`.
        seed: see `gradient_picture`.

    Returns:
        Signed float32, (h, w, colours), in the units of the parent's gradient picture. All zero if the parent does not
        hang on the child in this photo.

    Raises:
        UnknownError: if the network has no such unit.
        InputError: if the parent does not lie above the child, or an option is not one of those that exist.

    Example:
        >>> from circuits import load_network, load_photo
        >>> relative_picture(load_network(), load_photo("example:cat"), "conv3:7", "conv4:3").shape
        (64, 64, 3)
    """
    path = [parent, child]
    return descend(network, source, path, own_part, method=method, start=start, smooth=smooth, noise=noise, seed=seed)


def path_picture(
    network: Network,
    source: Circuit | Photo,
    path: Sequence[Unit | str],
    *,
    method: str = "guided",
    start: str = "peak",
    smooth: int = 0,
    noise: float = 0.15,
    seed: int = 0,
) -> GradientPicture:
    """The lowest unit of a path, shown through all the units above it, each step with the magnitude of the whole.

    g ← g_unit · |g|₁ / |g_unit|₁   at each unit of the path below the topmost (cnn_treevis)

    where g is the gradient with respect to all units of the layer, and g_unit what of it belongs to the path's unit.
    The factor makes up for the units that were left out. It is one number an image, so it changes the magnitude of the
    picture, and nothing else but how noisy copies weigh against each other.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        path: from the topmost unit, such as a class or the id of a circuit's target, down; of one unit, it is its
            gradient picture.
        method: see `gradient_picture`.
        start: of the topmost unit; see `gradient_picture`.
        smooth: see `gradient_picture`.
        noise: see `gradient_picture`.
        seed: see `gradient_picture`.

    Returns:
        Signed float32, (h, w, colours). All zero if somewhere on the path a unit does not hang on the next.

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
        network, source, path, renormalised, method=method, start=start, smooth=smooth, noise=noise, seed=seed
    )


def renormalised(gradient: Activations, unit: Unit) -> Activations:
    """A layer's gradient at one unit, made as large as the whole: g_unit · |g|₁ / |g_unit|₁ for each image.

    >>> renormalised(torch.tensor([[[[1.0, -2.0]], [[3.0, 0.0]]]]), Unit("conv1", 0)).flatten().tolist()
    [2.0, -4.0]
    """
    part = own_part(gradient, unit)
    whole, kept = (values.abs().sum((1, 2, 3), keepdim=True) for values in (gradient, part))
    return torch.where(kept > 0, part * (whole / kept.clamp_min(torch.finfo(kept.dtype).tiny)), 0.0)
