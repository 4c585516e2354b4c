"""Tables of layers: what every unit of a layer did in a photo, and what it argued for.

1. Highest activation of unit j: max_hw a_j(h,w), and where that was.
2. Its attribution for a circuit's target T: A_j = Σ_hw a_j(h,w) · ∂T/∂a_j(h,w), along every path of the network.
   One gradient for the whole layer, which is kept with the circuit.
3. Its share: A_j / Σ_j |A_j|, signed.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuits.circuit import Circuit
from circuits.evidence.sources import activations_seen
from circuits.growth import Run, run_of_circuit
from circuits.images import Photo
from circuits.networks import Network
from circuits.targets import Target
from circuits.tracing import target_of


@dataclass(frozen=True, eq=False)
class LayerTable:
    """What the units of a layer did in a photo, by channel.

    Attributes:
        layer: its name.
        peaks: highest activation of each unit, in the layer's own units, (C,).
        places: (row, column) of it, (C, 2).
        silent: whether the unit's activation is zero at every position, (C,).
        attributions: of each unit for the circuit's target, signed, in units of the target, (C,); `None` without a
            circuit, and for a layer above its target.
    """

    layer: str
    peaks: Float[np.ndarray, " c"]
    places: Int[np.ndarray, "c 2"]
    silent: np.ndarray
    attributions: Float[np.ndarray, " c"] | None

    @property
    def shares(self) -> Float[np.ndarray, " c"] | None:
        """Signed share of the gross attribution, A_j / Σ_j |A_j|; zeros where nothing is attributed."""
        if self.attributions is None:
            return None
        gross = float(np.abs(self.attributions).sum())
        return self.attributions / gross if gross > 0 else np.zeros_like(self.attributions)


def layer_table(network: Network, source: Circuit | Photo, layer: str) -> LayerTable:
    """What every unit of a layer did in a photo and, for a circuit, what each contributes to its target.

    A_j = Σ_hw a_j(h,w) · ∂T/∂a_j(h,w), whatever the circuit shows and in whatever mode it was traced; it is the sum of
    `argument_map` over positions. In a piecewise linear network they add up to T minus the bias terms above the layer.

    Args:
        network: the network.
        source: a photo, or a circuit that carries its photo.
        layer: name of one of the network's layers, or of the circuit's.

    Raises:
        InputError: if the network or photo is not the circuit's.
        UnknownError: if there is no such layer.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=1, top=1)
        >>> [edge] = circuit.edges_into(circuit.root)
        >>> layer, _, channel = edge.source.rpartition(":")
        >>> table = layer_table(network, circuit, layer)
        >>> abs(float(table.attributions[int(channel)]) - edge.attribution) < 1e-3
        True
        >>> int(table.attributions.argmax()) == int(channel)
        True
    """
    name = network.layer(layer).name if isinstance(source, Photo) else layer
    seen_by, activations = activations_seen(network, source, [name])
    activation = activations[name][0]
    flat = activation.flatten(1)
    peaks, at = flat.max(dim=1)
    width = activation.shape[2]
    attributions = None
    if isinstance(source, Circuit):
        attributions = _attributions(run_of_circuit(seen_by, source), target_of(source), name)
    return LayerTable(
        name,
        peaks.numpy().copy(),
        torch.stack([at // width, at % width], dim=1).numpy(),
        (flat == 0).all(dim=1).numpy(),
        None if attributions is None else attributions.numpy(),
    )


def _attributions(run: Run, target: Target, layer: str) -> Tensor | None:
    """Gradient times activation of a layer for a target, one a channel; `None` above the target."""
    layers, own = run.network.layers, target.unit.layer
    if layers.index(layer) > layers.index(own):
        return None
    activation = run.activations[layer][0].double()
    if layer != own:
        gradient: Tensor = run.gradient(target, layer)[0]
        return (activation * gradient).sum((1, 2))
    readout = target.readout(run.network)
    found = torch.zeros(activation.shape[0], dtype=torch.float64)
    weights = torch.ones_like(activation[list(readout.channels)]) if readout.weights is None else readout.weights
    found[list(readout.channels)] = (activation[list(readout.channels)] * weights).sum((1, 2))
    return found
