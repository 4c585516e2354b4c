"""Draws the pictures of an atlas, for the commands that make an atlas and its site."""

from typing import TYPE_CHECKING

from circuits.cli.console import progress

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.network.network import Network


def draw_pictures(network: "Network", atlas: "Atlas") -> None:
    """Draw what the units of an atlas lack, and say how far it is."""
    from circuits.atlas.pictures import draw_missing

    with progress("Drawing pictures") as report:
        draw_missing(network, atlas, progress=report)
