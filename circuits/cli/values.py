"""Values that are written as text: sizes, and numbers with commas between."""

import math

from circuits.errors import InputError, short

_MOST = 100_000


def pair(text: str) -> tuple[int, int]:
    """A size, `224` or `224x320`, as (height, width).

    >>> pair("224"), pair("224x320")
    ((224, 224), (224, 320))

    Raises:
        InputError: if it is neither.
    """
    parts = text.lower().replace("×", "x").split("x")
    sides = [whole(part) for part in parts]
    if len(sides) > 2 or not all(sides):
        raise InputError(
            f"--size {short(text)} is no size; write pixels such as 224, or height x width such as 224x320."
        )
    return int(sides[0] or 0), int(sides[-1] or 0)


def numbers(
    option: str, text: str, what: str = "list of numbers", form: str = "it as 0.485,0.456,0.406"
) -> tuple[float, ...]:
    """A comma list of finite numbers.

    >>> numbers("--mean", "0.5,0.4,0.3")
    (0.5, 0.4, 0.3)

    Raises:
        InputError: if a part is no finite number; the sentence says what it should be, and in which form.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(map(math.isfinite, values)):
        raise InputError(f"{option} {short(text)} is no {what}; write {form}.")
    return values


def counts(option: str, text: str) -> int | tuple[int, ...]:
    """One whole number above 0, or a comma list of them.

    >>> counts("--top", "5"), counts("--top", "8,5,3")
    (5, (8, 5, 3))

    Raises:
        InputError: if a part is no such number, or above 100,000.
    """
    values = [whole(part, most=_MOST) for part in text.split(",")]
    if not all(values):
        raise InputError(
            f"{option} {short(text)} is not a whole number from 1 to {_MOST}; give one such as 5, or one for each "
            "level such as 8,5,3."
        )
    found = tuple(value for value in values if value)
    return found[0] if len(found) == 1 else found


def whole(text: str, *, most: int = 10**9) -> int | None:
    """A whole number from 0 to `most`; `None` for anything else, however long.

    >>> whole(" 12 "), whole("-1"), whole("9" * 5000)
    (12, None, None)
    """
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 19 and int(text) <= most else None
