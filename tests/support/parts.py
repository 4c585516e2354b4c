"""Components of the page: their words, their properties, and those among them that have some."""

import re
from typing import Any

_BESIDE_A_MARK = re.compile(r" (?=[,.:;)])|(?<=\() ")


def words(component: Any) -> str:
    """All text of a component and what it holds, in one line."""
    return _BESIDE_A_MARK.sub("", " ".join(_text(component).split()))


def _text(component: Any) -> str:
    if component is None:
        return ""
    if isinstance(component, str | int | float):
        return str(component)
    if isinstance(component, list | tuple):
        return " ".join(_text(part) for part in component)
    return _text(getattr(component, "children", None))


def facts(component: Any) -> dict[str, Any]:
    """The properties of a component."""
    found: dict[str, Any] = component.to_plotly_json()["props"]
    return found


def every(component: Any) -> list[Any]:
    """A component, or several, and all that they hold."""
    if isinstance(component, list | tuple):
        return [found for part in component for found in every(part)]
    if not hasattr(component, "to_plotly_json"):
        return []
    return [component, *every(facts(component).get("children"))]


def find(component: Any, **wanted: Any) -> list[Any]:
    """All components inside that have these properties."""
    return [part for part in every(component) if all(facts(part).get(name) == wanted[name] for name in wanted)]
