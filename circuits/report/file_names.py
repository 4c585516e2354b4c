"""Names of files that are made up: of the photo, what is explained, and what is in the file."""

import re
import unicodedata
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuits.tracing.circuit import Circuit


def slug(words: str, otherwise: str) -> str:
    """Words as part of a file's name, in letters that every system and every header takes.

    >>> slug("Siamese cat", "target"), slug("../../etc", "photo"), slug("猫", "target"), slug("Café 1", "photo")
    ('siamese-cat', 'etc', 'target', 'cafe-1')
    """
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or otherwise


def file_name(circuit: "Circuit", kind: str, ending: str) -> str:
    """The name of a file about a circuit: of the photo, what is explained, and what is in it.

    Args:
        circuit: the circuit.
        kind: what is in it, such as `circuit` or `score`.
        ending: without the dot.

    Example:
        >>> from circuits import load_network, trace
        >>> file_name(trace(load_network(), "example:cat", depth=1), "circuit", "json")
        'cat--cat--circuit.json'
    """
    return named_file(circuit.photo_info.name, circuit.target.label, kind, ending)


def named_file(photo: str, target: str, kind: str, ending: str) -> str:
    """The name of a file about a photo, whose name may have an ending, and a target.

    >>> named_file("IMG 12.final.jpg", "tabby, tabby cat", "circuit", "svg")
    'img-12-final--tabby-tabby-cat--circuit.svg'
    """
    return f"{slug(PurePath(photo).stem, 'photo')}--{slug(target, 'target')}--{kind}.{ending}"
