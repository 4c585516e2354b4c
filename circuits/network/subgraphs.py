"""The subgraphs of a network between its layers, whether or not these form a chain (`branches`)."""

from circuits.errors import InputError
from circuits.network import operations as ops
from circuits.network.branches import BranchSegment, place_in_concatenation
from circuits.network.dataflow import value_inputs
from circuits.network.execute import image_node, nodes_between
from circuits.network.layers import all_names, why_no_layers
from circuits.network.network import Network
from circuits.network.segments import Segment
from circuits.shapes import Images
from circuits.units import Unit


def subgraph_below(network: Network, upper: str) -> Segment:
    """The function from the nearest layers below a layer, on each path, to the layer.

    In a chain, the segment from the layer below. Otherwise the lower activations are passed as one tensor
    (`branches.pack`): those of `Network.layers_below` and, where a path meets none of these, the image as
    the last.

    Raises:
        UnknownError: if there is no such layer.
        InputError: if it is the lowest: only the image is below it.
    """
    layer = network.layer(upper)
    if len(network.layers) == 1:
        raise InputError(why_no_layers(network.traced))
    if not layer.below:
        raise InputError(f"{upper} is a lowest layer of {network.name}; only the image is below it.")
    lowers = [network.layer(name).node for name in layer.below]
    if layer.is_open:
        lowers.append(image_node(network.traced))
    if len(lowers) == 1:
        return network.segment(layer.below[0], upper)
    return BranchSegment(network.traced, lowers[0], layer.node, layer.piecewise_linear, tuple(lowers))


def segment_between(network: Network, lower: str, upper: str, image: Images | None) -> Segment:
    """From one layer to a higher one along all paths; the image is needed where the layers form no chain."""
    if not network.branched:
        return network.segment(lower, upper)
    assert image is not None
    return subgraph_between(network, lower, upper, image)


def subgraph_between(network: Network, lower: str, upper: str, image: Images) -> Segment:
    """The function from a layer to a higher one, for one photo, along every path from the one to the other.

    On paths from the photo to the upper layer that do not pass the lower one, the photo's values are kept.

    Args:
        network: the network.
        lower: name of the lower layer.
        upper: name of the upper layer.
        image: the photo, preprocessed, (1, c, h, w).

    Raises:
        UnknownError: if a layer does not exist.
        InputError: if nothing leads from the one up to the other.
    """
    bottom, top, pixels = network.layer(lower).node, network.layer(upper).node, image_node(network.traced)
    steps = nodes_between(bottom, top)
    if bottom is top or not any(bottom in value_inputs(step) for step in steps):
        raise InputError(
            f"{upper} does not lie above {lower} in {network.name}; nothing leads from the one up to the other."
        )
    if pixels not in steps:
        return network.segment(lower, upper)
    linear = all(ops.is_piecewise_linear(network.traced, node) for node in steps)
    return BranchSegment(network.traced, bottom, top, linear, (bottom,), ((pixels, image),))


def entrance_of(network: Network, lower: Unit, upper: str) -> str | None:
    """The channel of a concatenation as which a unit of a branch enters a layer above, such as `inception4a:209`.

    `None` if it enters none between the layers, or more than one.

    Example:
        >>> from circuits import load_network
        >>> network = load_network("squeezenet1_1", weights="random")
        >>> network = network.with_layers(["features.3.expand1x1_activation", "features.3.expand3x3_activation"])
        >>> entrance_of(network, Unit("features.3.expand3x3_activation", 2), network.layers[-1])
        'features.3:66'
    """
    top = network.layer(upper)
    lowers = [network.layer(name).node for name in top.below]
    if len(lowers) == 1 and not top.is_open:
        return None
    place = place_in_concatenation(network.traced, network.layer(lower.layer).node, lowers, top.node)
    if place is None:
        return None
    concatenation, start = place
    return str(Unit(all_names(network.traced)[concatenation], start + lower.channel))
