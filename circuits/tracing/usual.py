"""How a photo is explained where nobody has said how: the one place where this is decided.

A network is explained by its units, as it was loaded. Of a vision transformer single units show next to nothing: five
of some 37,000 hold 1 % of what pushes a logit up or down. A few groups of the tokens after its last blocks hold most of
the answer (measured in `docs/transformers.md`). They are what tells the photo from the mean over others, so where means
are at hand, they are the usual view.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from circuits.attribution.baseline import Baseline
from circuits.network.layers import stream_names
from circuits.network.network import Network

GROUPS = 8
UNITS = 20


@dataclass(frozen=True)
class UsualView:
    """What `trace` is given.

    Args:
        network: with the layers that are chosen.
        groups: how many a layer, 0 for units.
        units: a budget over the whole circuit; `None` for some below each.
        signs: of what is shown. What tells a photo from the mean may argue against a class that it is still put in.
        baseline: what shares are measured from.
    """

    network: Network
    groups: int = 0
    units: int | None = None
    signs: str = "positive"
    baseline: Baseline = field(default_factory=Baseline.zero)


def usual_view(network: Network, mean: Callable[[Network], Baseline | None]) -> UsualView:
    """How a network is explained where nobody has said how.

    Args:
        network: as it was loaded.
        mean: gives the means that are at hand for a choice of layers, if there are any; asked of a vision transformer.

    Example:
        >>> from circuits import load_network
        >>> view = usual_view(load_network(), lambda network: None)
        >>> view.groups, view.units, view.baseline.name
        (0, None, 'zero')
    """
    if not stream_names(network.traced):
        return UsualView(network)
    stream = network.with_layers("stream")
    found = mean(stream)
    if found is None or not set(stream.layers[:-1]) <= found.means.keys():
        return UsualView(network)
    return UsualView(stream, GROUPS, UNITS, "both", found)
