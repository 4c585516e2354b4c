"""What a person can do with the score of the circuit: ask for it, in which photos, and see it with another baseline."""

from dataclasses import dataclass, replace

from circuits.errors import InputError
from dashboard.features.evaluation.queries import BASELINES, FEW, key_of, why_not
from dashboard.library import Library
from dashboard.session.actions import ActionType, circuit_of
from dashboard.session.state import Scoring, Session, photos_of


@dataclass(frozen=True)
class Over:
    """What a circuit is scored over: its `photo`, the `strip`, or `all` of the strip, of any class; "" as before."""

    over: str = ""


@dataclass(frozen=True)
class ShownBaseline:
    """The baseline of the scores that are shown."""

    baseline: str


def _score(session: Session, payload: Over, library: Library) -> Session:
    """Show the circuit's score, and have it scored."""
    over = payload.over
    if over not in ("", "photo", "strip", "all"):
        raise InputError(f"{over!r} is not what a circuit is scored over; there is photo, strip, and all.")
    circuit, before = circuit_of(session), session.scoring
    at_rest = replace(session.work, selected="", edge=None)
    showing = replace(session.showing, unit="", page="circuit")
    session = replace(session, work=at_rest, showing=showing)
    if why_not(circuit, library, session.work.locked):
        return session
    strip = over in ("strip", "all") or (not over and before is not None and before.strip)
    all_photos = over == "all" or (not over and before is not None and before.all_photos)
    if strip and len(photos_of(session)) < FEW:
        if over:
            raise InputError("The strip holds one photo; take another one to score the circuit over both.")
        strip = False
    baseline = before.baseline if before is not None else ""
    key = key_of(session, strip=strip, all_photos=strip and all_photos)
    return replace(session, scoring=Scoring(key, strip, baseline, all_photos=strip and all_photos))


def _baseline(session: Session, payload: ShownBaseline, library: Library) -> Session:
    """Show the scores with another baseline."""
    if payload.baseline not in BASELINES:
        raise InputError(f"{payload.baseline!r} is not a baseline; there are {', '.join(BASELINES)}.")
    if session.scoring is None:
        return session
    return replace(session, scoring=replace(session.scoring, baseline=payload.baseline))


ACTIONS = {"score": ActionType(Over, _score), "baseline": ActionType(ShownBaseline, _baseline)}
