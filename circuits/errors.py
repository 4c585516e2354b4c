"""What the library raises when what it was given is at fault: one sentence for the person who gave it.

Every sentence says what is wrong, the value given, the rule it breaks, and what to do or what exists.
The command line and the page show it as it is, so it must read well with no traceback around it.
"""

import difflib
import os
import re
from collections.abc import Iterable

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_DIGITS = re.compile(r"\d")
_MOST_COMPARED, _LONGEST_COMPARED = 5000, 80
_ALIKE, _ALIKE_OF_THREE = 0.75, 0.65
_PACKAGE = os.path.dirname(os.path.abspath(__file__))


class CircuitsError(Exception):
    """Something that a person gave cannot be used; the message is the sentence to show.

    >>> str(InputError("cat.txt is not an image; give a PNG or a JPEG."))
    'cat.txt is not an image; give a PNG or a JPEG.'
    """


class InputError(CircuitsError, ValueError):
    """A value, file or option that cannot be used as it is."""


class UnknownError(CircuitsError, LookupError):
    """A name that is not among those that exist."""


def listed(names: Iterable[str], *, limit: int = 12) -> str:
    """Names in a row for an error sentence, cut short where there are many.

    >>> listed(["conv1", "conv2", "fc"])
    'conv1, conv2, fc'
    >>> listed(["a", "b", "c", "d"], limit=2)
    'a, b and 2 more'
    >>> listed([])
    'none'
    """
    known = list(names)
    if not known:
        return "none"
    if len(known) <= limit:
        return ", ".join(known)
    return f"{', '.join(known[:limit])} and {len(known) - limit} more"


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """The known name that is most like the wanted one, as a remark for an error sentence; "" if none is like it.

    Names that differ in their numbers alone are not alike: `conv1` is no slip for `conv9`. Of a word of three letters
    one may be wrong, or two may have changed places.

    >>> did_you_mean("googlnet", ["alexnet", "googlenet"]), did_you_mean("dog", ["alexnet", "googlenet"])
    (" (did you mean 'googlenet'?)", '')
    >>> did_you_mean("dgo", ["cat", "dog"]), did_you_mean("conv9", ["conv1"])
    (" (did you mean 'dog'?)", '')
    """
    near = nearest(wanted, known)
    return f" (did you mean {near!r}?)" if near else ""


def nearest(wanted: str, known: Iterable[str]) -> str:
    """The known name that `did_you_mean` speaks of; "" if none is like the wanted one."""
    text = wanted.casefold()[:_LONGEST_COMPARED]
    names = {name.casefold(): name for name in reversed(list(known)[:_MOST_COMPARED])}
    possible = [name for name in names if _DIGITS.sub("", name) != _DIGITS.sub("", text) or name == text]
    cutoff = _ALIKE if len(text) > len("dog") else _ALIKE_OF_THREE
    return next((names[near] for near in difflib.get_close_matches(text, possible, n=1, cutoff=cutoff)), "")


def printable(text: str) -> str:
    r"""A text that can be shown on any terminal, and written into any file of UTF-8 or XML.

    Control characters, marks that turn the direction of writing and halves of characters are written out, as in
    Python's own literals; tabs and line ends stay.

    >>> printable("cat\x1b[2J, crème brûlée")
    'cat\\x1b[2J, crème brûlée'
    >>> printable("caf\udce9.png")
    'caf\\udce9.png'
    """
    return _UNSEEN.sub(lambda found: ascii(found.group())[1:-1], text)


def in_one_line(text: str) -> str:
    r"""The same with tabs and line ends written out too, for a line that has to stay one.

    >>> in_one_line("a\nb.png is not an image.")
    'a\\nb.png is not an image.'
    """
    return printable(text).replace("\t", "\\t").replace("\n", "\\n")


def mixed_installation(package: str = _PACKAGE) -> str | None:
    """What to do if the package index's `circuits`, an event framework, shares the folder of this package, or did.

    Two packages of one import name write into one folder: `__init__.py` is of whichever was installed later, and
    uninstalling either takes it away. To look for two files costs microseconds, the metadata of packages 50 ms.
    """
    again = "pip install --force-reinstall --no-deps circuit-explorer"
    if os.path.exists(os.path.join(package, "core", "manager.py")):
        return (
            f"Another package named circuits, an event framework, is installed in the same folder ({package}), where "
            "it and circuit-explorer overwrite each other; give each an environment of its own, or keep this one with "
            f"pip uninstall circuits, then {again}."
        )
    if not os.path.exists(os.path.join(package, "__init__.py")):
        return (
            f"{package} has no __init__.py, as after another package named circuits was uninstalled; "
            f"{again} brings it back."
        )
    return None


def short(text: str) -> str:
    """What was written, for an error sentence.

    >>> short("224"), len(short("9" * 5000))
    ("'224'", 63)
    """
    return repr(text if len(text) <= 60 else text[:60] + "…")
