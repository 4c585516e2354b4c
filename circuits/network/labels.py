"""Labels of classes as people have them: a list, a dictionary, an array, or a file of text, TSV, CSV or JSON."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.errors import InputError, UnknownError, did_you_mean, listed, nearest, printable
from circuits.files import parse_json, read_text, refuse_address
from circuits.network.label_tables import NAMES, NUMBERS, labels_of_lines
from circuits.units import Unit

LONGEST_LABEL = 400
"""Two of them, and what stands between, are the label of a difference, which a circuit's file must hold."""
_MOST_BYTES = 16 * 2**20
_LARGER = ("id2label", "label2id", "labels", "names", "classes", "class_names", "categories", "class_to_idx")
_MOST_CODE = 2**20
_MINUS = re.compile("[-\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}]")
_ORDER = "in the order of the network's classes"

Labels = Sequence[str] | Mapping[Any, Any] | NDArray[Any]


def matching(text: str, labels: Sequence[str]) -> list[int]:
    """Numbers of the classes that a text may mean: of that label, else of that synonym, else of that beginning.

    Args:
        text: without spaces around it; case is ignored.
        labels: of all classes, each with its synonyms between commas.

    >>> matching("cat", ["tabby, cat", "catamaran", "dog"]), matching("do", ["cat", "dog"])
    ([0], [1])
    """
    text, folded = text.casefold(), [label.casefold() for label in labels]
    synonyms = [{part.strip() for part in label.split(",")} for label in folded]
    exact = [n for n, label in enumerate(folded) if label == text]
    synonym = [n for n, names in enumerate(synonyms) if text in names]
    begins = [n for n, names in enumerate(synonyms) if text and any(name.startswith(text) for name in names)]
    return exact or synonym or begins


def class_of(wanted: str | int, labels: Sequence[str], name: str, top: str) -> int:
    """Number of a class given by its label or number, as `Network.find_class` says.

    Args:
        wanted: the label or number.
        labels: of the classes; none if the network has no classes.
        name: of the network, for a sentence.
        top: its layer of logits, for a sentence.

    Raises:
        UnknownError: if no class, or more than one, is meant.

    >>> class_of("dog", ["tabby, cat", "dog"], "net", "fc"), class_of("1", ["cat", "dog"], "net", "fc")
    (1, 1)
    """
    if not labels:
        unit = Unit(top, 0)
        raise UnknownError(f"{name} has no classes, so none is {wanted!r}; name a unit, such as {unit}.")
    text = wanted.strip().casefold() if isinstance(wanted, str) else ""
    if isinstance(wanted, int) or (text.isdecimal() and text not in map(str.casefold, labels)):
        # No network has so many classes, and Python reads no number of thousands of digits.
        number = wanted if isinstance(wanted, int) else int(text[:18])
        if not 0 <= number < len(labels):
            raise UnknownError(f"No class {number} in {name}; it has classes 0 to {len(labels) - 1}.")
        return number
    matches = matching(text, labels)
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = listed([f"{labels[n]!r} ({n})" for n in matches])
        way = f"its unit, such as {Unit(top, matches[0])}" if text.isdecimal() else "a number"
        raise UnknownError(f"{wanted!r} matches {len(matches)} classes of {name}: {several}; give {way}.")
    sides = _difference(text, labels)
    if sides is not None and text == " - ".join(sides).casefold():
        raise UnknownError(f"{wanted!r} is the difference of two classes; give one, {sides[0]!r} or {sides[1]!r}.")
    meant = nearest(text, _synonyms(labels))
    near = [label for label in labels if text[:3] and text[:3] in label.casefold() and meant not in _synonyms([label])]
    others = "" if meant and not near else f"; it knows for example {listed(near or labels)}"
    raise UnknownError(f"No class {wanted!r} in {name}{meant_label(text, labels)}{others}.")


def meant_label(text: str, labels: Sequence[str]) -> str:
    """What may have been meant by a text that is no label, as a remark for an error sentence; "" if nothing is like it.

    >>> meant_label("catt", ["cat", "dog"]), meant_label("cat-dog", ["cat", "dog"]), meant_label("ship", ["cat", "dog"])
    (" (did you mean 'cat'?)", " (did you mean 'cat - dog'?)", '')
    """
    sides = _difference(text, labels)
    if sides is not None:
        return f" (did you mean {' - '.join(sides)!r}?)"
    return did_you_mean(text, _synonyms(labels))


def _synonyms(labels: Sequence[str]) -> list[str]:
    return [part.strip() for label in labels for part in label.split(",")]


def _difference(text: str, labels: Sequence[str]) -> tuple[str, str] | None:
    """The labels of two classes that a text names with a minus sign between them."""
    for minus in list(_MINUS.finditer(text))[:4]:
        classes = [matching(side.strip(), labels) for side in (text[: minus.start()], text[minus.end() :])]
        if all(len(found) == 1 for found in classes) and classes[0] != classes[1]:
            plus, other = (labels[found[0]].partition(",")[0] for found in classes)
            return plus, other
    return None


def as_labels(labels: Labels | str | Path) -> tuple[str, ...]:
    """Labels of the classes, class 0 first.

    Args:
        labels: a sequence; a dictionary from numbers to labels, or from labels to numbers; an array; or a file.

    Raises:
        InputError: if the file cannot be read, the numbers do not count the classes, or a label is empty or has more
            than 400 characters.

    >>> as_labels({1: "dog", 0: "cat"}), as_labels({"cat": 0, "dog": 1})
    (('cat', 'dog'), ('cat', 'dog'))
    """
    if isinstance(labels, str | Path):
        return read_labels(labels)
    if isinstance(labels, np.ndarray):
        labels = labels.ravel().tolist()
    return _checked(_of_mapping(labels, "The labels") if isinstance(labels, Mapping) else labels, "the labels")


def read_labels(path: str | Path) -> tuple[str, ...]:
    r"""Labels of the classes from a file.

    - text: one a line, with its number in front or behind or not (`0: cat`); or with tabs a table whose last column is
      the label;
    - `.csv`: a table with commas, semicolons or tabs, its column `label`, `name` or `class` if it has a head, else the
      last; or one line of labels;
    - `.json`: a list, or an object from numbers to labels (`{"0": "cat"}`, `{"0": ["n02123045", "tabby"]}`) or from
      labels to numbers, alone or as `id2label` of a larger one; in a text file also as Python writes them.

    Where a column of a table, or a number in front, counts the classes, the lines may stand in any order.

    Raises:
        InputError: if the file cannot be read as UTF-8 text, is larger than 16 MiB, or holds no labels, its numbers
            leave one out or name one twice, or a label is empty or has more than 400 characters.
    """
    path, what = Path(path), f"the labels in {str(path)!r}"
    refuse_address(path)
    try:
        text = read_text(path, most=_MOST_BYTES)
    except InputError as error:
        raise InputError(
            f"The labels in {str(path)!r} could not be read; give a regular file of UTF-8 text, one a line, of at most "
            f"{_MOST_BYTES >> 20} MiB."
        ) from error
    ending = path.suffix.lower()
    if ending == ".json":
        return _checked(_of_json(path, text), what)
    if ending in (".yaml", ".yml"):
        raise InputError(f"{str(path)!r} is YAML, which is not read; write one label a line, {_ORDER}, or JSON.")
    if (value := _written_as_code(text.strip())) is not None:
        return _checked(_of_value(path, value), what)
    if not (labels := labels_of_lines(text, ending, what)):
        raise InputError(f"{str(path)!r} holds no labels; write one a line, {_ORDER}.")
    return _checked(labels, what)


def _written_as_code(text: str) -> object:
    """What a text holds that is one list or dictionary of JSON or Python, or one JSON object a line; else `None`."""
    if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return None
    try:
        return parse_json(text)
    except InputError:
        pass
    try:
        return [parse_json(line) for line in text.splitlines() if line.strip()] if "\n{" in text else _literal(text)
    except (InputError, ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _literal(text: str) -> object:
    value: object = ast.literal_eval(text) if len(text) <= _MOST_CODE else None
    return value if isinstance(value, list | dict) and value else None


def _of_json(path: Path, text: str) -> Iterable[object]:
    try:
        value = parse_json(text)
    except InputError as error:
        raise InputError(f"The labels in {str(path)!r} could not be read: {error}") from None
    return _of_value(path, value)


def _of_value(path: Path, value: object) -> Iterable[object]:
    if isinstance(value, dict):
        value = next((value[key] for key in _LARGER if isinstance(value.get(key), list | dict)), value)
    if isinstance(value, dict) and value:
        return _of_mapping(value, f"The labels in {str(path)!r}")
    if isinstance(value, list) and value:
        named = [_named(each) for each in _in_order(value)]
        if all(isinstance(each, str) for each in named):
            return named
    raise InputError(f"{str(path)!r} holds no labels; write a JSON list of them, or an object from numbers to labels.")


def _in_order(rows: list[Any]) -> list[Any]:
    """Objects with a label each, by their numbers where these count them from 0 or 1."""
    names = [name for name in NUMBERS if name and rows and all(isinstance(row, dict) and name in row for row in rows)]
    numbers = [_number(row[names[0]]) for row in rows] if names else []
    known = [number for number in numbers if number is not None]
    if known and sorted(known) in (list(range(len(rows))), list(range(1, len(rows) + 1))):
        return [row for _, row in sorted(zip(known, rows, strict=True), key=lambda pair: pair[0])]
    return rows


def _named(value: object) -> object:
    """A label that stands in an object or a list, such as ["n01440764", "tench"]."""
    if isinstance(value, dict):
        return next((value[name] for name in NAMES if isinstance(value.get(name), str)), None)
    return value[-1] if isinstance(value, list | tuple) and value else value


def _of_mapping(labels: Mapping[Any, Any], what: str) -> list[object]:
    """The labels of a dictionary by their numbers, which are its keys or its values."""
    by_number = {_number(key): _named(value) for key, value in labels.items()}
    if None in by_number:
        by_number = {_number(value): key for key, value in labels.items()}
    numbers = sorted(number for number in by_number if number is not None)
    counts = (list(range(len(labels))), list(range(1, len(labels) + 1)))
    if len(by_number) != len(labels) or numbers not in counts:
        raise InputError(f"{what} must be numbered 0 to {len(labels) - 1}, each once; these are not: give a list.")
    return [by_number[number] for number in numbers]


def _number(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) < 10 else None
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _checked(labels: Iterable[object], what: str) -> tuple[str, ...]:
    """Labels as they are kept: without blanks around, and with nothing that a terminal or a file could not show."""
    kept = []
    for number, label in enumerate(labels):
        if not isinstance(label, str | int | float | np.number):
            raise InputError(f"Class {number} of {what} is called {str(label)[:40]!r}; a label is a text.")
        text = printable(" ".join(str(label).split()))
        if not text:
            raise InputError(f"Class {number} of {what} has an empty label; give it one.")
        if len(text) > LONGEST_LABEL:
            raise InputError(
                f"Class {number} of {what}, {text[:20] + '…'!r}, has {len(text)} characters; "
                f"a label has at most {LONGEST_LABEL}."
            )
        kept.append(text)
    return tuple(kept)
