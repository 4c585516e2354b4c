"""What a person may say of a unit: a name of their own, a note, and a place on the page."""

import unicodedata

from circuits.errors import InputError

LONGEST_NAME = 80
LONGEST_NOTE = 2000
FARTHEST = 1_000_000
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, also of what stands beside a name; Arabic and Hebrew need none."""


def tidied(name: str) -> str:
    r"""A name as it is kept: one blank between words, and nothing that cannot be seen.

    Example:
        >>> tidied("  left-facing\n dog head ")
        'left-facing dog head'
    """
    return "".join(
        letter
        for letter in " ".join(name.split())
        if unicodedata.category(letter) not in ("Cc", "Cs") and letter not in _TURNING
    )


def checked_name(name: str) -> str:
    """A name, tidied; refused if it is too long."""
    name = tidied(name)
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"The name {name[:20] + '…'!r} has {len(name)} characters; a name has at most {LONGEST_NAME}, "
            "and a note has room for more."
        )
    return name


def checked_note(note: str) -> str:
    """A note, without halves of characters, which no file can hold; refused if it is too long."""
    note = "".join(character for character in note if unicodedata.category(character) != "Cs")
    if len(note) > LONGEST_NOTE:
        raise InputError(f"The note has {len(note)} characters; a note has at most {LONGEST_NOTE}, so shorten it.")
    return note


def checked_place(place: tuple[float, float]) -> list[float]:
    """A place, as the file writes it; refused if it is not finite or too far out."""
    if not all(abs(value) <= FARTHEST for value in place):
        raise InputError(f"The place {place} is not on any page; give two finite numbers up to ±{FARTHEST:,}.")
    return [float(value) for value in place]
