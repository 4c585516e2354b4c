"""What the library raises when what it was given is at fault: one sentence for the person who gave it.

Every sentence says what is wrong, the value given, the rule it breaks, and what to do or what exists.
The command line and the page show it as it is, so it must read well with no traceback around it.
"""

from collections.abc import Iterable


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
