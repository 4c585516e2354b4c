"""How numbers are written for people, the same on the page, in the terminal and in notebooks."""


def number(value: float, *, sign: bool = False) -> str:
    """Three significant digits, whole from 1000 on, with a true minus; `sign` writes a plus too.

    >>> number(3.14159), number(-0.5), number(2624.3), number(0.0), number(12.0, sign=True)
    ('3.14', '\N{MINUS SIGN}0.500', '2624', '0', '+12.0')
    >>> number(0.00012345)
    '0.000123'
    """
    if value == 0:
        return "0"
    size = abs(value)
    if 0.0001 <= size < 1000:
        text = f"{size:#.3g}".rstrip(".")
        text = f"{size:.0f}" if "e" in text else text
    else:
        text = f"{size:.0f}" if 1000 <= size < 1e7 else f"{size:.2e}"
    return ("\N{MINUS SIGN}" if value < 0 else "+" if sign else "") + text


def percent(share: float) -> str:
    """A share as a whole percentage.

    >>> percent(0.584), percent(0.004), percent(0.0), percent(0.997)
    ('58 %', '< 1 %', '0 %', '> 99 %')
    """
    if 0 < share < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
