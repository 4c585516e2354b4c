"""The atlas that ships with the built-in network, and which atlas is a network's."""

from circuits import builtin
from circuits.atlas.atlas import Atlas
from circuits.network.network import Network


def atlas_of(network: Network, given: Atlas | None = None) -> Atlas | None:
    """The atlas of a network: one that is given, if it is this network's, or that which ships with it, if any does."""
    if given is not None and given.record.subject.network["sha256"] == network.sha256:
        return given
    if network.source != "builtin":
        return None
    atlas = Atlas.open(builtin.atlas_folder())
    return atlas if atlas.record.subject.network["sha256"] == network.sha256 else None
