"""What a person can do with a point of the photo: ask what fires there, and in which layer."""

from dataclasses import dataclass, replace

from circuits.errors import InputError
from dashboard.library import Library
from dashboard.session.actions import ActionType
from dashboard.session.state import Session


@dataclass(frozen=True)
class Point:
    """A place in the crop, x and y as shares of its sides; `None` asks no more."""

    at: tuple[float, float] | None = None


@dataclass(frozen=True)
class PointLayer:
    """The layer that is asked what fires at the point."""

    layer: str


def _point(session: Session, payload: Point, library: Library) -> Session:
    if payload.at is None:
        return replace(session, work=replace(session.work, spot=None)) if session.work.spot is not None else session
    if session.work.photo is None or session.work.locked:
        raise InputError(session.work.locked or "There is no photo to point at; choose one first.")
    if not all(0 <= share <= 1 for share in payload.at):
        raise InputError(f"{payload.at} is not a position in the photo; give x and y from 0 to 1.")
    return replace(session, work=replace(session.work, spot=payload.at))


def _point_layer(session: Session, payload: PointLayer, library: Library) -> Session:
    if payload.layer not in library.placed:
        raise InputError(
            f"{payload.layer!r} has a single value for the whole image; choose a layer with positions: "
            f"{', '.join(library.placed)}."
        )
    return replace(session, spot_layer=payload.layer)


ACTIONS = {"point": ActionType(Point, _point), "point-layer": ActionType(PointLayer, _point_layer)}
