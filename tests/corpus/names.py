"""Names of layers: whatever modules are called, every file that is written opens again."""

from collections.abc import Iterator

from tests.support.corpus import Case

_NETWORK = """from collections import OrderedDict
from torch import nn


def Net():
    parts = []
    for at, name in enumerate(NAMES):
        parts += [(f"c{at}", nn.Conv2d(3 if at == 0 else 4, 4, 3, padding=1)), (name, nn.ReLU())]
    parts += [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("fc", nn.Linear(4, 3))]
    return nn.Sequential(OrderedDict(parts))
"""
_NAMES = {
    "blanks": ["re lu", " re", "lu "],
    "colons": ["re:7", "a:b:c", ":"],
    "ats": ["re@1,2", "@"],
    "signs": ["a=b", "a/b", "a,b", "-"],
    "quotes": ['re"lu', "re'lu", "re\\lu", "`"],
    "markup": ["<b>&amp;", "]]>", "[red]", "{{x}}", "${x}"],
    "escapes": ["re\x1b[2Jlu", "re\x07", "re\x9b2J"],
    "lines": ["re\nlu", "re\r", "re\tlu"],
    "zeros": ["re\0lu", "\x01"],
    "halves": ["re\ud800lu", "\udfff"],
    "no characters": ["\uffff", "\ufffe", "\u202ere"],
    "others": ["relu é", "猫", "🐈", "α→β"],
    "long": ["L" * 300, "L" * 1200],
    "like others": ["a-b", "a_b", "a b", "a\x01b"],
    "numbers": ["7", "007", "1e5"],
    "words of Python": ["class", "None", "lambda", "0x1"],
    "methods": ["forward_", "T_", "__init___"],
}


def names() -> Iterator[Case]:
    """Networks with modules of every kind of name, traced into every kind of file."""
    size = ("--network", "odd.py:Net", "--size", "8")
    out = ("-o", "o.json", "--graphml", "o.graphml", "--html", "o.html", "--no-pictures", "--depth", "9", "--top", "2")
    for kind, some in _NAMES.items():
        network = {"odd.py": _NETWORK.replace("NAMES", ascii(some))}
        yield Case(f"layers with {kind}, traced", ("trace", "photo.png", *size, *out), network, exit=0)
        yield Case(f"layers with {kind}, listed", ("layers", *size[1:], "--json"), network, exit=0)
