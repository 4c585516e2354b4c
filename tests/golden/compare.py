"""Compare golden files: byte for byte, as parsed trees, or with a tolerance for numbers.

With a tolerance, numbers of JSON may differ by `RELATIVE` of themselves, `ABSOLUTE` of the largest beside them, or
`SMALLEST`; numbers inside texts by one unit of the last digit that is written; digests, which hang on the last
bits, by anything. Whole numbers must be the same.
"""

import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

RELATIVE = 1e-4
ABSOLUTE = 2e-5
SMALLEST = 1e-6
_BLOCKS = 1.5
_TREES = (".html", ".svg", ".graphml")
_NUMBER = re.compile(r"[-−+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?:\s?%)?")
_DIGEST = re.compile(r"(?<![\w.])[0-9a-f]{16,64}\b")


def differences(made: Path, stored: Path, *, trees: bool = False, tolerant: bool = False) -> dict[str, str]:
    """What differs between two folders of golden files.

    Args:
        made: the new files.
        stored: those to compare with.
        trees: HTML, SVG and GraphML as parsed trees: element names, attributes and texts.
        tolerant: numbers within the tolerance, and those three formats as trees.

    Returns:
        By file the first difference.
    """
    ours, theirs = _files(made), _files(stored)
    found = {}
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs:
            found[name] = "is not made any more" if name not in ours else "is new"
        elif said := difference(ours[name], theirs[name], trees=trees, tolerant=tolerant):
            found[name] = said
    return found


def difference(made: Path, stored: Path, *, trees: bool = False, tolerant: bool = False) -> str:
    """The first difference between two files; "" if there is none."""
    ours, theirs = made.read_text("utf-8"), stored.read_text("utf-8")
    if ours == theirs:
        return ""
    if tolerant and made.suffix == ".json":
        return next(_in_values(json.loads(ours), json.loads(theirs), "", 0.0), "")
    if made.suffix in _TREES and (trees or tolerant):
        ours, theirs = _tree(ours, made.suffix), _tree(theirs, made.suffix)
    lines = zip(ours.splitlines(), theirs.splitlines(), strict=False)
    for number, (one, other) in enumerate(lines, 1):
        if one != other and not (tolerant and is_close_text(one, other)):
            return f"line {number}: {_apart(one, other)}"
    counts = [len(text.splitlines()) for text in (ours, theirs)]
    return f"{counts[0]} lines instead of {counts[1]}" if counts[0] != counts[1] else ""


def is_close_text(ours: str, theirs: str) -> bool:
    """Whether two texts are the same but for the last digit of numbers and for digests.

    >>> is_close_text("a value of 0.123, 1 unit", "a value of 0.124, 1 unit"), is_close_text("1 unit", "2 unit")
    (True, False)
    """
    ours, theirs = _DIGEST.sub("DIGEST", ours), _DIGEST.sub("DIGEST", theirs)
    if _words(ours) != _words(theirs):
        return False
    return all(map(_is_close_number, _NUMBER.findall(ours), _NUMBER.findall(theirs)))


def _words(text: str) -> list[str]:
    """What stands between the numbers; how numbers are lined up in columns does not count."""
    return [" ".join(part.split()) for part in _NUMBER.split(text)]


def _is_close_number(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    if not ({".", "e", "%"} & set(ours + theirs)):
        return False
    one, other = (float(text.rstrip("% ").replace("−", "-")) for text in (ours, theirs))
    decimals = max(len(text.rstrip("% ").partition("e")[0].partition(".")[2]) for text in (ours, theirs))
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=max(SMALLEST, 1.01 * 10.0**-decimals))


def _in_values(ours: Any, theirs: Any, where: str, scale: float) -> Iterator[str]:
    """Where two JSON values differ by more than is allowed, and how."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            yield f"{where or 'the top'}: the keys {list(ours)} instead of {list(theirs)}"
            return
        beside = _largest(theirs.values())
        for key in ours:
            room = _BLOCKS / ABSOLUTE if key == "blocks" else 0.0
            yield from _in_values(ours[key], theirs[key], f"{where}/{key}", max(beside, room))
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{where}: {len(ours)} values instead of {len(theirs)}"
            return
        beside = max(_largest(theirs), scale)
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _in_values(one, other, f"{where}/{place}", beside)
    elif not _is_close_value(ours, theirs, scale):
        yield f"{where}: {_apart(str(ours), str(theirs))}"


def _is_close_value(ours: Any, theirs: Any, scale: float) -> bool:
    if isinstance(ours, str) and isinstance(theirs, str):
        return is_close_text(ours, theirs)
    if float in (type(ours), type(theirs)) and {type(ours), type(theirs)} <= {int, float}:
        return math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=max(SMALLEST, ABSOLUTE * scale))
    return type(ours) is type(theirs) and bool(ours == theirs)


def _largest(values: Any) -> float:
    return max((abs(value) for value in values if isinstance(value, float)), default=0.0)


class _Tree(HTMLParser):
    """An HTML page as one line an element, attribute and text."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element and its attributes, whatever their order."""
        self.lines += [
            f"<{tag}>",
            *(f"  {key}={' '.join((value or '').split())}" for key, value in sorted(attrs, key=str)),
        ]

    def handle_endtag(self, tag: str) -> None:
        """Its end."""
        self.lines.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """A text, one blank between words; texts in a row are one."""
        words = " ".join(data.split())
        if words and self.lines and self.lines[-1].startswith("| "):
            self.lines[-1] += f" {words}"
        elif words:
            self.lines.append(f"| {words}")


def _tree(text: str, ending: str) -> str:
    """A parsed page or XML file, one line an element, attribute and text."""
    if ending == ".html":
        tree = _Tree()
        tree.feed(text)
        return "\n".join(tree.lines)
    return "\n".join(_elements(ElementTree.fromstring(text)))


def _elements(element: ElementTree.Element) -> Iterator[str]:
    yield f"<{element.tag}>"
    yield from (f"  {key}={value}" for key, value in sorted(element.attrib.items()))
    if element.text and element.text.strip():
        yield f"| {' '.join(element.text.split())}"
    for child in element:
        yield from _elements(child)
        if child.tail and child.tail.strip():
            yield f"| {' '.join(child.tail.split())}"
    yield f"</{element.tag}>"


def _apart(ours: str, theirs: str) -> str:
    """Two texts from a little before the place where they part."""
    same = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, same - 40)
    return f"{ours[start : same + 80]!r} instead of {theirs[start : same + 80]!r}"


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
