"""What a person can do with the atlas: choose a class, see its circuit, and choose a map of units."""

from dataclasses import dataclass, replace

from circuits.atlas.unit_map import METHODS
from circuits.errors import InputError, listed
from dashboard.library import Library
from dashboard.session.actions import ActionType
from dashboard.session.selection import OfClass, ask_for_class
from dashboard.session.state import Session


@dataclass(frozen=True)
class ClassShown:
    """The class whose page is shown, by its number or label; "" for the list of all."""

    of: str = ""


@dataclass(frozen=True)
class MapShown:
    """The layer whose units are mapped, the lowest of the atlas for "", and how they are placed."""

    layer: str = ""
    spread: str = ""


def _class(session: Session, payload: ClassShown, library: Library) -> Session:
    number = str(library.of_atlas().find(_named(payload.of, library)).number) if payload.of else ""
    return replace(session, showing=replace(session.showing, page="atlas", of=number, map=""))


def _named(of: str, library: Library) -> str | int:
    """A class as it was written; a number that no class is called is one."""
    return int(of) if of.isdecimal() and of not in library.network.labels else of


def _circuit(session: Session, payload: OfClass, library: Library) -> Session:
    return ask_for_class(session, payload.of, library)


def _map(session: Session, payload: MapShown, library: Library) -> Session:
    atlas = library.of_atlas()
    layer = payload.layer or session.showing.map or atlas.layers[-2].name
    atlas.layer(layer)
    spread = payload.spread or session.showing.spread
    if spread not in METHODS:
        raise InputError(f"{spread!r} is no way to place units; there is {listed(METHODS)}.")
    return replace(session, showing=replace(session.showing, page="atlas", map=layer, spread=spread))


ACTIONS = {
    "atlas-class": ActionType(ClassShown, _class),
    "atlas-map": ActionType(MapShown, _map),
    "class-circuit": ActionType(OfClass, _circuit),
}
