"""Where the class token looks: the weights with which it reads the photo's patches, in each block and head.

Attention is not attribution. A weight says from where a head reads, and neither what it reads there, nor whether that
matters for the class: a value that is read with much weight may be zero, and later layers may ignore or undo it (Jain &
Wallace 2019, "Attention is not Explanation"). What the patches contribute is `argument_map`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuits.network import operations as ops
from circuits.network.attention import attention_patterns
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.network.token_moves import tokens_extra, tokens_map
from circuits.shapes import HeatMap
from circuits.tracing.source import Source, input_crop
from circuits.units import Address


@dataclass(frozen=True, eq=False)
class ClassAttention:
    """How the class token reads the photo in one block.

    Attributes:
        layer: of the block's hidden units in the class token, which come after.
        heads: of each head the weight of every patch, (heads, rows, columns); what is missing to 1 is read from the
            class token itself and other tokens that are no patches.
    """

    layer: str
    heads: Float[np.ndarray, "heads rows columns"]

    @property
    def mean(self) -> HeatMap:
        """The mean over the heads, (rows, columns)."""
        found: HeatMap = self.heads.mean(0)
        return found


@exact()
def class_attention(network: Network, source: Source) -> tuple[ClassAttention, ...]:
    """The attention of the class token to the patches, a block each, from the lowest up.

    A_h(p) = softmax_p(q_class · k_p / √d + mask) in each head h, of the photo as the network sees it

    Where a network has no class token, or attends in windows, there is nothing.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.

    Raises:
        InputError: if the circuit does not carry its photo.

    Example:
        >>> from circuits import load_network, load_photo
        >>> class_attention(load_network(), load_photo("example:cat"))
        ()
    """
    nodes = network.traced.graph.nodes
    maps = {node.args[0]: node.args[1:] for node in nodes if node.target is tokens_map}
    beside = {node.args[0]: node for node in nodes if node.target is tokens_extra}
    names = {layer.node: layer.name for layer in network.layer_list}
    blocks = [(rows, maps[rows], beside[rows]) for rows in maps if beside.get(rows) in names]
    if not blocks:
        return ()
    found: dict[str, ClassAttention] = {}
    image = network.preprocessing.from_crop(input_crop(network, source))
    for node, pattern in attention_patterns(network.traced, image):
        above = next(((hidden, place, extra) for hidden, place, extra in blocks if hidden > node), None)
        if above is None:
            continue
        hidden, (start, rows, columns, *order), extra = above
        tokens = (ops.shape(hidden) or ())[1]
        if pattern.shape[-2:] == (tokens, tokens):
            read = pattern[0, :, 0 if start else rows * columns, start : start + rows * columns]
            read = read if not order or order[0] is None else read[:, list(order[0])]
            heads = read.reshape(-1, rows, columns).cpu().numpy().copy()
            found[names[extra]] = ClassAttention(names[extra], heads)
    return tuple(found.values())


def attention_behind(network: Network, source: Source, unit: Address) -> ClassAttention | None:
    """The attention of the class token in the block of one of its units, of a class in the last; `None` of all others.

    Args:
        network: the network.
        source: a photo, or what `load_photo` takes, or a circuit that carries its photo.
        unit: of the network.
    """
    layer = network.layer(unit.layer)
    if not (layer.is_of_extra_tokens or layer.name == network.layers[-1]):
        return None
    blocks = class_attention(network, source)
    own = next((block for block in blocks if block.layer == layer.name), None)
    return own if layer.is_of_extra_tokens else next(iter(blocks[::-1]), None)
