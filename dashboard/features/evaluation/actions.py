"""What a person can do with the score of the circuit: ask for it, in which photos, and see it with another baseline."""

from dataclasses import replace

from circuits.errors import InputError
from dashboard.features.evaluation.queries import BASELINES, FEW, key_of, why_not
from dashboard.features.photo.actions import photos_of
from dashboard.library import Explorer
from dashboard.session.acting import Handler, circuit_of
from dashboard.session.state import Scoring, Session


def _score(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show the circuit's score, and have it scored: in its photo, or with `strip` over all photos of the strip."""
    if subject not in ("", "photo", "strip"):
        raise InputError(f"{subject!r} is not what a circuit is scored over; there is photo, and strip.")
    circuit, before = circuit_of(session), session.scoring
    at_rest = replace(session.work, selected="", edge=None)
    showing = replace(session.showing, unit="", page="circuit")
    session = replace(session, work=at_rest, showing=showing)
    if why_not(circuit, explorer, session.work.locked):
        return session
    strip = subject == "strip" or (not subject and before is not None and before.strip)
    if strip and len(photos_of(session)) < FEW:
        if subject:
            raise InputError("The strip holds one photo; take another one to score the circuit over both.")
        strip = False
    baseline = before.baseline if before is not None else BASELINES[0]
    return replace(session, scoring=Scoring(key_of(session, strip=strip), strip, baseline))


def _baseline(session: Session, subject: str, explorer: Explorer) -> Session:
    """Show the scores with another baseline."""
    if subject not in BASELINES:
        raise InputError(f"{subject!r} is not a baseline; there are {', '.join(BASELINES)}.")
    if session.scoring is None:
        return session
    return replace(session, scoring=replace(session.scoring, baseline=subject))


HANDLERS: dict[str, Handler] = {"score": _score, "baseline": _baseline}
