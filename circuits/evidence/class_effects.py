"""What a unit does to every class: estimated by the gradient, and measured by ablation."""

import numpy as np
from jaxtyping import Float

from circuits.errors import InputError
from circuits.evidence.maps import along
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.network.subgraphs import segment_between
from circuits.tracing.groups import part_of
from circuits.tracing.intervene import EditedRun
from circuits.tracing.run import IMAGE
from circuits.tracing.source import Source, forward_cache
from circuits.units import Address, as_address


def class_attributions(network: Network, source: Source, unit: Address | str) -> Float[np.ndarray, " classes"]:
    """What a unit contributes to the logit of every class: Σ_hw a_j(h,w) · ∂T_k/∂a_j(h,w), along all paths.

    One Jacobian-vector product gives all classes: the derivative of the logits in the direction of the unit's
    activation. Of a class k it is the sum of the attribution map of a circuit for k.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        unit: the unit, or a group of a circuit's layer; of a neuron its position alone counts.

    Returns:
        Signed, in units of the logits, (classes,).

    Raises:
        InputError: if the unit is one of the logits.
        UnknownError: if the network has no such unit.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=1)
        >>> [edge] = circuit.edges_into("fc:0")
        >>> abs(float(class_attributions(network, circuit, edge.source)[0]) - edge.attribution) < 1e-3
        True
    """
    unit = as_address(unit)
    run = forward_cache(network, source)
    cut, top = run.network, run.network.layers[-1]
    name, direction = _below_logits(cut, unit), part_of(run, source, unit)
    activation = run.activations[name]
    segment = segment_between(cut, name, top, run.activations.get(IMAGE))
    change = along(segment, activation, direction, range(cut.layer(top).channels))
    return np.array(change[0].sum((1, 2)).detach().cpu().numpy())


@exact()
def class_losses(network: Network, source: Source, unit: Address | str) -> Float[np.ndarray, " classes"]:
    """What every logit loses when a unit is ablated, all that lies above it computed anew: T_k(a) - T_k(a - part).

    The part is what is shared out of the unit, so that in a circuit from the mean the unit is set to its mean. What
    `class_attributions` estimates by the gradient is measured here, which bends where the network does.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        unit: the unit, or a group of a circuit's layer; of a neuron its position alone counts.

    Returns:
        Signed, in units of the logits, (classes,).

    Raises:
        InputError: if the unit is one of the logits.
        UnknownError: if the network has no such unit.

    Example:
        >>> from circuits import intervene, load_network, load_photo
        >>> network, photo = load_network(), load_photo("example:cat")
        >>> outcome = intervene(network, photo, {"conv7:281": 0})
        >>> found = class_losses(network, photo, "conv7:281")
        >>> bool(np.allclose(found, outcome.before - outcome.after, atol=1e-4))
        True
    """
    unit = as_address(unit)
    run = forward_cache(network, source)
    name, top = _below_logits(run.network, unit), run.network.layers[-1]
    part = part_of(run, source, unit)
    ablated = EditedRun(run, top, [name])({name: lambda activation: activation - part})
    return np.array((run.activations[top] - ablated)[0].sum((1, 2)).cpu().numpy())


def _below_logits(network: Network, unit: Address) -> str:
    """The layer of a unit that is no logit."""
    name, top = network.layer(unit.layer).name, network.layers[-1]
    if name == top:
        raise InputError(f"{unit} is a logit itself; ask for a unit of a layer below {top}.")
    return name
