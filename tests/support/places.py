"""Where things are on the screen."""

from typing import Any


def box_of(found: Any) -> dict[str, float]:
    """The place of what a locator finds, once it is drawn; the page may just be making it anew."""
    box = None
    while box is None:
        found.wait_for()
        box = found.bounding_box()
    place: dict[str, float] = box
    return place
