"""The glossary: what each term on the page means. Its one place is `docs/glossary.md`, which the page reads."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dash import html
from dash.development.base_component import Component as DashComponent

from circuits.files import DISTRIBUTION

Component = Any
_ENTRY = re.compile(r"^\*\*(.+?)\*\*\n: (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
_LINK_ALONE = re.compile(r"\s*\[[^]]+\]\([^)]+\)$")
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_MARKS = re.compile(r"[*`]")


@cache
def folder() -> Path | None:
    """Where the documentation lies: beside the code, or where it was installed with it; `None` if nowhere."""
    beside = Path(__file__).parents[1] / "docs"
    if (beside / "glossary.md").is_file():
        return beside
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())).resolve() for file in files if file.parts[-2:] == (DISTRIBUTION, "glossary.md"))
    return next((path.parent for path in found if path.is_file()), None)


@cache
def meanings() -> Mapping[str, str]:
    """Every term in lower case, with what it means; none where the documentation was not installed."""
    place = folder()
    return MappingProxyType({} if place is None else read((place / "glossary.md").read_text("utf-8")))


def read(text: str) -> dict[str, str]:
    r"""The terms of a glossary in Markdown; several that stand in one entry mean the same.

    Example:
        >>> read("**Channel, unit**\n: One of the *maps* of a\n  [layer](#layer). [How](methods.md)\n")
        {'channel': 'One of the maps of a layer.', 'unit': 'One of the maps of a layer.'}
    """
    found: dict[str, str] = {}
    for names, meaning in _ENTRY.findall(text):
        plain = _MARKS.sub("", _LINK.sub(r"\1", _LINK_ALONE.sub("", " ".join(meaning.split()))))
        found |= dict.fromkeys((name.strip().lower() for name in re.split("[,:]", names)), plain)
    return found


def term(name: str, words: Any = "") -> Component:
    """A term of the glossary, or other words for it: `terms.js` shows what it means.

    It does so while the term is pointed at, has the focus, or was tapped. It is no `button` element, because the words
    of those do not wrap with the line. Without the documentation it is plain text.

    Args:
        name: the term, as the glossary has it, in lower case.
        words: that stand for it on the page, if not its name.
    """
    meaning = meanings().get(name)
    if meaning is None:
        return html.Span(words or name)
    told: dict[str, Any] = {"data-term": meaning}
    return html.Span(words or name, role="button", tabIndex=0, className="term", **told)


def with_term(sentence: str, name: str, words: str = "") -> list[Component]:
    """A sentence in which a term, or other words for it, is explained; as it is where they are not in it.

    Example:
        >>> [getattr(part, "children", part) for part in with_term("The coverage is 19 %.", "coverage")]
        ['The ', 'coverage', ' is 19 %.']
    """
    words = words or name
    start = sentence.lower().find(words.lower())
    if start < 0:
        return [sentence]
    end = start + len(words)
    return [part for part in (sentence[:start], term(name, sentence[start:end]), sentence[end:]) if part]


def each_once(part: Any, seen: set[str] | None = None) -> Any:
    """Components in which each term is explained at its first use and plain text after that.

    Args:
        part: a component, a text, or a list of these; components are changed in place.
        seen: meanings that were explained before.
    """
    seen = set() if seen is None else seen
    if isinstance(part, list | tuple):
        return [each_once(each, seen) for each in part]
    if not isinstance(part, DashComponent) or getattr(part, "children", None) is None:
        return part
    if getattr(part, "className", "") == "term":
        meaning = getattr(part, "data-term")
        again = meaning in seen
        seen.add(meaning)
        return html.Span(part.children) if again else part
    part.children = each_once(part.children, seen)
    return part
