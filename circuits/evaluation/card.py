"""The card of an evaluation: all settings and all numbers, as a value, as JSON (`circuits-card/1`) and as a page.

The JSON is described by a schema that ships with the package. Numbers are finite float32, written in full; what is not
defined is null. The same arguments give the same bytes on one machine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from circuits.errors import UnknownError, listed
from circuits.evaluation.estimates import Estimate
from circuits.evaluation.scores import Score
from circuits.evaluation.stability import Change, Stability
from circuits.evaluation.statistics import CurveArea, CurvePoint, PhotoScores, ScoreRow
from circuits.files import write_atomically
from circuits.network.predict import Prediction
from circuits.notebook import Reported, to_page
from circuits.tracing.circuit_file import number

FORMAT = "circuits-card/1"


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the card."""
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath("card.schema.json").read_text("utf-8"))
    return loaded


@dataclass(frozen=True)
class ScoredPhoto:
    """A photo that a circuit was scored in.

    Args:
        name: of the photo.
        sha256: of its pixels.
        own: whether the circuit was traced in it.
        given: whether it was given for the evaluation; intervals are over these.
        prediction: of the network; `None` if it has no classes.
        agrees: whether that is the class that the circuit explains, or in a multi-label network one that is likelier
            than not; `None` if it explains none.
        scored: whether the scores over photos count it, or, of the circuit's own photo that was not given, those in it.
    """

    name: str
    sha256: str
    own: bool
    given: bool
    prediction: Prediction | None = None
    agrees: bool | None = None
    scored: bool = True


@dataclass(frozen=True, eq=False)
class Card(Reported):
    """What an evaluation found, and all that decides it. Made by `evaluate`.

    Args:
        network: name, source, fingerprint, layers and piecewise linearity.
        circuit: fingerprint, photo, target, settings, levels, and numbers of units and edges.
        units: the circuit's units by ablated layer.
        widths: the number of channels of these layers.
        settings: seeds, draws, baselines and the like.
        versions: of what the numbers depend on.
        photos: the circuit's own first.
        rows: scores of the circuit and its controls, with intervals.
        points: of the curve over sizes.
        areas: of the curve.
        measured: every value in every photo.
        methods: of the sets of `measured`, each with its number of units below each unit if it is one of the curve.
        correlations: by layer, the rank correlation with the shuffled network's attributions.
        changes: small changes of the photo.
        stability: what is left of the circuit in these.
        notes: sentences on what is left out or not defined.
        thumbnail: data URI of what the network saw of the circuit's photo; for the page, and in no file of numbers.
    """

    network: Mapping[str, Any]
    circuit: Mapping[str, Any]
    units: Mapping[str, Sequence[int]] = field(repr=False)
    widths: Mapping[str, int] = field(repr=False)
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    photos: tuple[ScoredPhoto, ...]
    rows: tuple[ScoreRow, ...] = field(repr=False)
    points: tuple[CurvePoint, ...] = field(repr=False)
    areas: tuple[CurveArea, ...] = field(repr=False)
    measured: tuple[PhotoScores, ...] = field(repr=False)
    methods: tuple[tuple[str, int | None], ...] = field(repr=False)
    correlations: Mapping[str, float | None] = field(repr=False)
    changes: tuple[Change, ...] = field(repr=False)
    stability: Stability | None = field(repr=False)
    notes: tuple[str, ...]
    thumbnail: str = field(default="", repr=False)

    def row(self, method: str, *, over: str | None = None, baseline: str = "zero", metric: str = "value") -> ScoreRow:
        """The scores of `circuit`, `random`, `activation`, `gradient`, `weights` or `randomised`.

        Args:
            method: one of these.
            over: `own` or `photos`; if `None`, the photos where some were given.
            baseline: `zero` or `mean`.
            metric: `value` or `probability`.

        Raises:
            UnknownError: if there is no such row.
        """
        wanted = (over or self.main, baseline, metric, method)
        for row in self.rows:
            if (row.over, row.baseline, row.metric, row.method) == wanted:
                return row
        known = listed(dict.fromkeys(f"{row.method} ({row.over}, {row.baseline}, {row.metric})" for row in self.rows))
        raise UnknownError(f"The card has no row {method} ({', '.join(wanted[:3])}); it has {known}.")

    @property
    def main(self) -> str:
        """The photos that the headline is over: `photos` if others than its own are scored, else `own`."""
        return "photos" if any(not photo.own for photo in self.counted) else "own"

    @property
    def counted(self) -> tuple[ScoredPhoto, ...]:
        """The photos given that scores over photos are over."""
        return tuple(photo for photo in self.photos if photo.given and photo.scored)

    @property
    def left_out(self) -> tuple[ScoredPhoto, ...]:
        """The photos given that are not scored, since the network does not say of them what the circuit explains."""
        return tuple(photo for photo in self.photos if photo.given and not photo.scored)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the baselines: `zero`, and `mean` where there is one."""
        return tuple(each["name"] for each in self.settings["baselines"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """`value`, and `probability` of a class."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        """The contents of the file, `circuits-card/1`."""
        layers = self.units.items()
        return {
            "format": FORMAT,
            "network": dict(self.network),
            "circuit": dict(self.circuit),
            "layers": [{"name": name, "channels": self.widths[name], "units": list(units)} for name, units in layers],
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "photos": [_photo(photo) for photo in self.photos],
            "scores": [_record(row) for row in self.rows],
            "curve": {
                "axis": "ln(units / all units of the layers)",
                "points": [_record(point) for point in self.points],
                "areas": [_record(area) for area in self.areas],
            },
            "correlations": {layer: _number(value) for layer, value in self.correlations.items()},
            "stability": None if self.stability is None else _stability(self.stability, self.changes),
            "methods": [method for method, top in self.methods if top is None],
            "measured": [_measured(each, self.methods) for each in self.measured],
            "notes": list(self.notes),
        }

    def to_json_text(self) -> str:
        """The file as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    def to_json(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            InputError: if it cannot be written.
        """
        write_atomically(path, self.to_json_text())

    def to_html(self) -> str:
        """The card as a page that needs no other file."""
        return to_page(self)


def fingerprint_of(text: str) -> str:
    """sha256 of a circuit's file as the library writes it."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _number(value: float | None) -> float | None:
    return None if value is None else number(value)


def _record(row: ScoreRow | CurvePoint | CurveArea) -> dict[str, Any]:
    """The fields of a row; those that it does not have are left out."""
    record: dict[str, Any] = {}
    for name, value in vars(row).items():
        if isinstance(value, Estimate):
            record[name] = {end: _number(each) for end, each in vars(value).items()}
        elif isinstance(value, Score):
            record[name] = _score(value)
        elif isinstance(value, float):
            record[name] = number(value)
        elif value is not None or not isinstance(row, ScoreRow):
            record[name] = value
    return record


def _photo(photo: ScoredPhoto) -> dict[str, Any]:
    first = photo.prediction
    prediction = None if first is None else {
        "class": first.index, "label": first.label,
        "logit": number(first.logit), "probability": number(first.probability),
    }  # fmt: skip
    return {**vars(photo), "prediction": prediction}


def _score(score: Score) -> dict[str, float]:
    return {name: number(value) for name, value in vars(score).items() if value is not None}


def _measured(each: PhotoScores, methods: Sequence[tuple[str, int | None]]) -> dict[str, Any]:
    """What was measured in one photo, the points of the curve left out."""
    scores = [_score(score) for score, (_, top) in zip(each.scores, methods, strict=True) if top is None]
    edges = {} if each.edges is None else {"edges": _score(each.edges)}
    return {"photo": each.photo, "baseline": each.baseline, "metric": each.metric, "scores": scores, **edges}


def _change(change: Change) -> dict[str, Any]:
    seed = {} if change.seed is None else {"seed": change.seed}
    return {"kind": change.kind, "amounts": list(change.amounts), **seed}


def _stability(stability: Stability, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "edges": [
            {"source": source, "target": target, "survival": number(share)}
            for (source, target), share in stability.edges.items()
        ],
        "units": [{"unit": unit, "survival": number(share)} for unit, share in stability.units.items()],
        "edge_mean": _number(stability.edge_mean),
        "unit_mean": _number(stability.unit_mean),
        "by_hand": [{"source": source, "target": target} for source, target in stability.by_hand],
        "changes": [_change(change) for change in changes],
    }
