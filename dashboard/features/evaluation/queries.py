"""How good the circuit on the page is: what is asked of the library when a person wants it scored, in three stages.

1. The score of the circuit alone, at once.
2. Beside it controls of its shape, which say whether it is better than chance.
3. The whole card: the curve over sizes, and the circuit searched again in changed photos.

A stage's key is made of the circuit, of the photos, and of what stands in the place of ablated units: whoever asks for
the same score shares the work, and a circuit that was changed and changed back has its old score.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from circuits.attribution.baseline import Baseline, resolve
from circuits.errors import InputError
from circuits.evaluation.card import Card, fingerprint_of
from circuits.evaluation.evaluate import evaluate
from circuits.evaluation.unit_sets import sources_of
from circuits.image.photo import Photo
from circuits.report.atlas_sentences import needs_one_photo
from circuits.tracing.circuit import Circuit
from circuits.units import Progress
from dashboard.answers import Failure
from dashboard.library import Library
from dashboard.session.actions import circuit_of
from dashboard.session.state import Scoring, Session, photos_of
from dashboard.work.evidence import Evidence
from dashboard.work.results import SCORES, Answers, Query, ResultStore

STAGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "score": {"controls": False, "ladder": (), "stability": 0},
        "controls": {"ladder": (), "stability": 0},
        "card": {},
    }
)
"""What is left out of each stage; the last leaves out nothing."""
BASELINES = ("zero", "mean")
FEW = 2
"""Photos from which on it means something to score a circuit over the strip."""


@dataclass(frozen=True)
class ShownScore:
    """What the page says of the score of its circuit.

    Args:
        refused: why it cannot be scored, or "".
        scoring: what was asked, if anything was.
        card: the newest that is known.
        missing: stages that are not there yet.
        stale: the circuit was changed since, and the card is of how it was.
        failure: why there is no more, if there is a reason.
    """

    refused: str = ""
    scoring: Scoring | None = None
    card: Card | None = None
    missing: tuple[str, ...] = tuple(STAGES)
    stale: bool = False
    failure: Failure | None = None

    @property
    def busy(self) -> bool:
        """Whether it is being scored."""
        return self.scoring is not None and not (self.stale or self.scoring.stopped) and bool(self.missing)


def why_not(circuit: Circuit, library: Library, locked: str) -> str:
    """Why a circuit cannot be scored, in a sentence; "" if it can."""
    if not library.fit.is_own(circuit):
        name = circuit.network.name
        return f"This circuit is of another network, {name}: load {name} to score it."
    if circuit.collection is not None:
        return needs_one_photo(circuit)
    if circuit.photo is None:
        return "This circuit's file holds no photo, which is needed to score it."
    if locked:
        return locked
    try:
        sources_of(circuit)
    except InputError as refusal:
        return str(refusal)
    return ""


def key_of(session: Session, *, strip: bool, all_photos: bool = False) -> str:
    """What tells the circuit of a session from others, as far as its score depends on it.

    Args:
        session: whose circuit; it has one that can be scored.
        strip: whether it is scored over the strip too.
        all_photos: whether that counts photos of another class.
    """
    circuit = circuit_of(session)
    photos = photos_of(session) if strip else ()
    return hashlib.sha256(
        repr(
            (
                circuit.network.sha256,
                circuit.layers,
                circuit.target,
                circuit.settings,
                _digest(circuit.photo_info.thumbnail),
                sources_of(circuit),
                [(photo.sha256, photo.window) for photo in photos],
                all_photos,
            )
        ).encode()
    ).hexdigest()[:32]


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def wanted(session: Session, evidence: Evidence) -> list[Query]:
    """What is to be worked out for a session: nothing unless it was asked, of the circuit as it is now."""
    scoring, circuit = session.scoring, session.work.circuit
    if scoring is None or scoring.stopped or circuit is None or not _is_fresh(session, scoring, evidence.library):
        return []
    photos = photos_of(session) if scoring.strip else ()
    keys, counted = _keys(scoring, evidence), {"all_photos": True} if scoring.all_photos else {}
    return [
        Query(
            stage,
            keys[stage],
            partial(score, evidence, circuit, photos, {**STAGES[stage], **counted}),
            label="Scoring the circuit",
            group=SCORES,
        )
        for stage in STAGES
    ]


def score(
    evidence: Evidence, circuit: Circuit, photos: tuple[Photo, ...], parts: Mapping[str, Any], progress: Progress
) -> Card:
    """The card of a circuit, or a part of it.

    Args:
        evidence: what the network can be asked.
        circuit: the circuit.
        photos: further photos, or its own among them.
        parts: arguments of `circuits.evaluate` that leave things out.
        progress: told how far, and raises to stop.
    """
    network = evidence.library.network
    return evaluate(network, circuit, photos, baselines=_baselines(evidence, circuit), progress=progress, **parts)


def _baselines(evidence: Evidence, circuit: Circuit) -> list[Baseline]:
    """Zero, and the mean over the collection, if it has all layers.

    Never the mean over the strip: over the very photos that are scored it changes next to nothing.
    """
    own = circuit.baseline
    return resolve(own if own.name == "mean" else evidence.collection.baseline(), layers=circuit.layers[:-1])


def shown(session: Session, evidence: Evidence, found: Answers, results: ResultStore) -> ShownScore:
    """What the page says of the score, of what is known by now.

    Args:
        session: whose circuit.
        evidence: what the network can be asked.
        found: stages that are wanted, as far as they are there.
        results: where those are that were found out before.
    """
    circuit, scoring = session.work.circuit, session.scoring
    if circuit is None:
        return ShownScore()
    refused = why_not(circuit, evidence.library, session.work.locked)
    if refused or scoring is None:
        return ShownScore(refused)
    stale = not _is_fresh(session, scoring, evidence.library)
    stages: dict[str, Any] = {name: found.get(name) for name in STAGES}
    if stale or scoring.stopped:
        stages = {name: results.get(key) for name, key in _keys(scoring, evidence).items()}
    cards = [stage for stage in stages.values() if isinstance(stage, Card)]
    failures = [stage for stage in stages.values() if isinstance(stage, Failure)]
    missing = tuple(name for name, stage in stages.items() if stage is None)
    return ShownScore("", scoring, cards[-1] if cards else None, missing, stale, failures[0] if failures else None)


def _is_fresh(session: Session, scoring: Scoring, library: Library) -> bool:
    """Whether the circuit is the one that was to be scored."""
    circuit = circuit_of(session)
    if why_not(circuit, library, session.work.locked):
        return False
    return scoring.key == key_of(session, strip=scoring.strip, all_photos=scoring.all_photos)


def _keys(scoring: Scoring, evidence: Evidence) -> dict[str, str]:
    """What each stage is kept under; an index that was made since gives another score."""
    stamp = evidence.collection.stamp()
    return {stage: f"{stage}/{scoring.key}/{stamp}" for stage in STAGES}


def card_of(session: Session, evidence: Evidence, results: ResultStore) -> Card | None:
    """The whole card of the circuit as it is on the page, to be saved; `None` if there is none."""
    circuit, scoring = session.work.circuit, session.scoring
    if circuit is None or scoring is None or not _is_fresh(session, scoring, evidence.library):
        return None
    card = results.get(_keys(scoring, evidence)["card"])
    if not isinstance(card, Card):
        return None
    # A name or a note may have been written since; it changes the file, and no number.
    return replace(card, circuit={**card.circuit, "sha256": fingerprint_of(circuit.to_json_text())})
