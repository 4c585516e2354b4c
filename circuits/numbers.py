"""Numbers as people read them: the same in the terminal, in files and on the page."""

MINUS = "\N{MINUS SIGN}"


def number(value: float, *, sign: bool = False) -> str:
    """Three significant digits, whole from 1000 on, with a true minus; `sign` writes a plus too.

    >>> number(3.14159), number(-0.5), number(2624.3), number(0.0), number(12.0, sign=True)
    ('3.14', '\N{MINUS SIGN}0.500', '2624', '0', '+12.0')
    >>> number(0.00012345), number(0.000012345), number(-2e9)
    ('0.000123', '1.23e\N{MINUS SIGN}05', '\N{MINUS SIGN}2.00e+09')
    """
    if value == 0:
        return "0"
    size = abs(value)
    if 0.0001 <= size < 1000:
        text = f"{size:#.3g}".rstrip(".")
        text = f"{size:.0f}" if "e" in text else text
    else:
        text = f"{size:.0f}" if 1000 <= size < 1e7 else f"{size:.2e}".replace("-", MINUS)
    return (MINUS if value < 0 else "+" if sign else "") + text


def decimals(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """A number with so many decimals and a true minus, for columns; `sign` writes a plus too.

    >>> decimals(9.066), decimals(-0.41), decimals(0.18, sign=True), decimals(-0.001), decimals(-1.62, 1, sign=True)
    ('9.07', '\N{MINUS SIGN}0.41', '+0.18', '0.00', '\N{MINUS SIGN}1.6')
    """
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def percent(share: float) -> str:
    """A share as a whole percentage, with a true minus.

    >>> percent(0.584), percent(0.004), percent(0.0), percent(0.997), percent(-0.012), percent(-0.004)
    ('58 %', '< 1 %', '0 %', '> 99 %', '\N{MINUS SIGN}1 %', '\N{MINUS SIGN}0.4 %')
    >>> percent(-0.0001), percent(-0.997)
    ('about 0 %', 'about \N{MINUS SIGN}100 %')
    """
    size, sign = abs(share), MINUS if share < 0 else ""
    if 0 < size < 0.005:
        if sign:
            return f"{sign}{100 * size:.1f} %" if size >= 0.0005 else "about 0 %"
        return "< 1 %"
    if 0.995 <= size < 1:
        return f"about {sign}100 %" if sign else "> 99 %"
    return f"{sign}{100 * size:.0f} %"


def signed_share(share: float) -> str:
    """A signed share with one decimal.

    >>> signed_share(0.0412), signed_share(-0.003), signed_share(0.0), signed_share(0.0001), signed_share(-0.0001)
    ('+4.1 %', '\N{MINUS SIGN}0.3 %', '0 %', '< +0.1 %', '> \N{MINUS SIGN}0.1 %')
    """
    if share == 0:
        return "0 %"
    sign, size = MINUS if share < 0 else "+", abs(100 * share)
    if size < 0.05:
        return f"{'>' if share < 0 else '<'} {sign}0.1 %"
    return f"{sign}{size:.1f} %"


def chance(probability: float) -> str:
    """A probability with one decimal; one that is next to nothing is not called nothing.

    >>> chance(0.9684), chance(0.0004), chance(0.0)
    ('96.8 %', '< 0.1 %', '< 0.1 %')
    """
    return f"{100 * probability:.1f} %" if probability >= 0.0005 else "< 0.1 %"


def share(value: float | None) -> str:
    """A score in percent, with a true minus; a dash where it is not defined.

    Example:
        >>> share(0.7346), share(-0.02), share(None), share(0.0004), share(-37.0)
        ('73 %', '−2 %', '–', '0 %', '−3700 %')
    """
    if value is None:
        return "–"
    whole = round(100 * value)
    return f"{MINUS if whole < 0 else ''}{abs(whole)} %"
