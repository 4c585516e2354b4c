"""Windows: rectangles of a photo, (left, top, right, bottom) in its pixels, through which a network may look at it."""

import math
from collections.abc import Sequence

from circuits.errors import InputError

Window = tuple[float, float, float, float]
Corners = Sequence[int | float]
"""A rectangle as it is given from outside."""

LEAST = 8
"""Pixels of a photo along the longer side of the smallest window; fewer tell a network nothing."""
_SAME = 1e-6


def check_window(window: Corners, width: int, height: int) -> Window:
    """A window as it may be used on an image of a size: finite, inside the image, not too small.

    Raises:
        InputError: if it is not.

    Example:
        >>> check_window([0, 10, 30, 40], 30, 60)
        (0.0, 10.0, 30.0, 40.0)
    """
    left, top, right, bottom = _four(window)
    shown = ", ".join(f"{side:g}" for side in (left, top, right, bottom))
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(
            f"The window ({shown}) does not lie in the photo of {width}×{height} pixels; give left, top, right and "
            "bottom within it."
        )
    least = min(LEAST, width, height)
    if max(right - left, bottom - top) < least - _SAME:
        size = f"{right - left:g}×{bottom - top:g}"
        raise InputError(f"The window ({shown}) shows {size} pixels; make its longer side {least} or more.")
    return left, top, right, bottom


def inner_window(window: Window, size: tuple[int, int]) -> Window:
    """The largest part of a window, around its centre, that has the shape of a network's input.

    A window whose shape differs by less than a pixel of the input stays as it is: no more than that is lost when sides
    are rounded to whole pixels.

    Args:
        window: the window.
        size: (height, width) of the input.

    Example:
        >>> inner_window((0.0, 0.0, 40.0, 20.0), (224, 224))
        (10.0, 0.0, 30.0, 20.0)
    """
    left, top, right, bottom = window
    width, height, aspect = right - left, bottom - top, size[1] / size[0]
    if abs(width - aspect * height) < width / max(size):
        return window
    across, down = max(0.0, width - aspect * height) / 2, max(0.0, height - width / aspect) / 2
    return left + across, top + down, right - across, bottom - down


def nearest_window(window: Corners, aspect: float, width: int, height: int) -> Window:
    """The window of an aspect inside an image that comes closest to a rectangle that a person drew.

    1. Around the rectangle's centre, take the smallest window of the aspect that covers it.
    2. Make it larger until its longer side has 8 pixels, but no larger than fits into the image.
    3. Move it by as little as brings it inside.

    Args:
        window: two opposite corners, in any order, inside the image or not.
        aspect: width over height.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        InputError: if it is not four finite numbers.

    Example:
        >>> nearest_window((90, -10, 110, 20), 1.0, 100, 50)
        (70.0, 0.0, 100.0, 30.0)
    """
    first, second, third, fourth = _four(window)
    centre, middle = (first + third) / 2, (second + fourth) / 2
    largest = min(width, aspect * height)
    wanted = max(abs(third - first), aspect * abs(fourth - second), LEAST * min(1, aspect))
    across = min(wanted, largest)
    down = min(across / aspect, height)
    left = float(min(max(centre - across / 2, 0), width - across))
    top = float(min(max(middle - down / 2, 0), height - down))
    return left, top, min(left + across, float(width)), min(top + down, float(height))


def _four(window: Corners) -> Window:
    numbers = tuple(float(number) for number in window)
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"A window is four finite numbers, left, top, right and bottom; this one is {tuple(window)}.")
    return numbers[0], numbers[1], numbers[2], numbers[3]
