"""How well what something is called fits what somebody types."""

import re
from functools import lru_cache

_WORDS = re.compile(r"[^\w]+")


@lru_cache(64)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, folded.

    >>> words_of("Left-facing  DOG head")
    ('left', 'facing', 'dog', 'head')
    """
    return tuple(word for word in _WORDS.split(text.casefold()) if word)


def rank_of(label: str, text: str) -> int | None:
    """How well a label fits a text; 0 is best, `None` not at all.

    It is the text, or one of its synonyms, with commas between, is; one begins with it; of every word of the text a
    word of the label begins with it; it contains it.

    >>> [rank_of(label, "dog") for label in ("dog", "hound, dog", "dogged", "left-facing dog head", "hotdog", "cat")]
    [0, 0, 1, 2, 3, None]
    """
    label, wanted = label.casefold(), text.casefold()
    names = [name.strip() for name in label.split(",")]
    if wanted == label or wanted in names:
        return 0
    if any(name.startswith(wanted) for name in (label, *names)):
        return 1
    parts, words = _WORDS.split(label), words_of(wanted)
    if words and all(any(part.startswith(word) for part in parts) for word in words):
        return 2
    return 3 if len(wanted) > 2 and wanted in label else None
