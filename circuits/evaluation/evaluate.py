"""The whole evaluation of a circuit: scores, controls, curve, edges and stability, in its own photo and in others.

1. Choose all sets of units by the circuit's own photo (`controls`): controls of its shape, circuits of other sizes.
2. Leave out the photos that the network puts in another class than the one that the circuit explains.
3. In every other photo, with every baseline, score all of them together, and the circuit's edges (`scores`).
4. Search the circuit again in changed photos (`stability`).
5. Put the numbers together over photos, with intervals (`statistics`), as a card.

Arguments are checked before anything is computed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from circuits.attribution.baseline import Baseline, mean_of_photos, resolve
from circuits.errors import InputError
from circuits.evaluation.arguments import baselines_of, count_of, ladder_of, photos_of, seed_of
from circuits.evaluation.card import Card, ScoredPhoto, fingerprint_of
from circuits.evaluation.controls import EvaluationPlan, plan
from circuits.evaluation.estimates import RESAMPLES
from circuits.evaluation.scores import Scored, score_edges, score_units
from circuits.evaluation.stability import Change, Stability, changes, survival
from circuits.evaluation.statistics import LARGEST, PhotoScores, ScoreTable, areas, rungs
from circuits.evaluation.unit_sets import CircuitSearch, count, sources_of
from circuits.exemplars.finding import find_exemplars
from circuits.files import versions
from circuits.image.encode import to_data_uri
from circuits.image.photo import Photo, PhotoSource
from circuits.network.device import exact
from circuits.network.network import Network
from circuits.network.predict import ranked
from circuits.tracing.circuit import Circuit
from circuits.tracing.run import ForwardCache
from circuits.tracing.source import check_network, input_crop
from circuits.tracing.targets import Target, target_of
from circuits.units import Progress

DRAWS = 10
CHANGES = 8
_LIKELY = 0.5


@exact()
def evaluate(
    network: Network,
    circuit: Circuit,
    photos: Sequence[Photo | PhotoSource] = (),
    *,
    baselines: Sequence[Baseline] | None = None,
    controls: bool = True,
    ladder: Sequence[int] = rungs(LARGEST),
    draws: int = DRAWS,
    stability: int = CHANGES,
    resamples: int = RESAMPLES,
    seed: int = 0,
    all_photos: bool = False,
    progress: Progress | None = None,
) -> Card:
    """Score a circuit: what it keeps of its target alone, and what is left without it.

    Args:
        network: the one that the circuit was traced with.
        circuit: the circuit.
        photos: more photos, or what `load_photo` takes, to score the same units and edges in, each once; intervals
            are over these.
        baselines: what stands in the place of ablated units; zero and, if `None`, the mean over the photos (two or
            more) or over an index of exemplars, where there is one.
        controls: score sets of the same shape that were chosen in other ways.
        ladder: units below each unit, of the circuits along the curve; none leaves the curve out.
        draws: random sets of the circuit's shape.
        stability: changed photos in which the circuit is searched again; 0 leaves that out.
        resamples: draws of photos for each interval.
        seed: of all that is drawn.
        all_photos: score photos too of which the network does not say the class that the circuit explains; in those
            there is little of it to keep, so that a share over photos of all kinds may not be defined.
        progress: called with (steps done, steps in all, what is under way); raising an exception in it cancels.

    Returns:
        The card, with all numbers; the same for the same arguments on one machine.

    Raises:
        InputError: if the circuit is of another network, shows nothing but its target, or carries no photo and none is
            given; or a photo cannot be read, or a number is out of its range.
        UnknownError: if a baseline knows nothing of one of the circuit's layers.

    Example:
        >>> from circuits import load_network, trace
        >>> network = load_network()
        >>> circuit = trace(network, "example:cat", depth=2, top=4)
        >>> card = evaluate(network, circuit, controls=False, ladder=(), stability=0, baselines=[Baseline.zero()])
        >>> [row.method for row in card.rows], card.row("circuit").faithfulness.value > 0
        (['circuit', 'circuit'], True)
    """
    ladder, seed = ladder_of(ladder), seed_of(seed)
    draws, resamples = count_of("draws", draws, least=1), count_of("resamples", resamples, least=1)
    stability = count_of("stability", stability, least=0)
    baselines = None if baselines is None else baselines_of(baselines)
    changed = changes(stability, seed)
    given = photos_of(photos)
    cut, scored, crops = _photos(network, circuit, given)
    target = target_of(circuit)
    if not any(sources_of(circuit).values()):
        raise InputError(
            f"The circuit shows no unit below {target.label}, so there is nothing to score; expand it, or choose "
            "another target."
        )
    report = progress or (lambda done, known, message: None)
    for number, photo in enumerate(scored):
        report(0, 1 + len(scored), f"Predicting {photo.name}")
        scored[number] = _with_prediction(photo, cut, crops[number], target, all_photos=all_photos)
    notes: list[str] = []
    if baselines is None:
        kept = {photo.sha256 for photo in scored if photo.given and photo.scored}
        baselines, why = default_baselines(cut, circuit, [photo for photo in given if photo.sha256 in kept])
        notes += [why] if why else []
    numbers = [number for number, photo in enumerate(scored) if photo.own or photo.scored]
    steps = 1 + len(numbers) * len(baselines) + len(changed)
    report(0, steps, "Choosing controls")
    image = cut.preprocessing.from_crop(crops[0])
    first = ForwardCache.of(cut, image).with_groups(circuit.dictionaries).from_baseline(circuit.baseline)
    planned = plan(first, image, circuit, target, controls=controls, ladder=ladder, draws=draws, seed=seed)
    measured: list[PhotoScores] = []
    for done, number in enumerate(numbers):
        run = ForwardCache.of(cut, cut.preprocessing.from_crop(crops[number])) if number else first
        for place, baseline in enumerate(baselines):
            report(1 + done * len(baselines) + place, steps, f"Scoring {scored[number].name}")
            measured += _photo_scores(run, planned, number, baseline)
    again = []
    for number, change in enumerate(changed):
        report(steps - len(changed) + number, steps, f"Searching the photo, {change}")
        run = ForwardCache.of(cut, cut.preprocessing.from_crop(change(crops[0])))
        run = run.with_groups(circuit.dictionaries).from_baseline(circuit.baseline)
        search = CircuitSearch(run, target, circuit.settings.mode)
        again.append(search.like(circuit))
    survived = survival(planned.sources, planned.unchanged, again) if changed else None
    report(steps, steps, "Evaluated")
    settings = {
        "seed": seed, "draws": draws if controls else 0, "resamples": resamples, "ladder": list(ladder),
        "controls": controls, "changes": stability, "all_photos": all_photos,
        "baselines": [{"name": each.name, "source": each.source} for each in baselines],
    }  # fmt: skip
    card = _card(cut, circuit, planned, tuple(scored), measured, changed, survived, settings=settings, notes=notes)
    return replace(card, thumbnail=to_data_uri(crops[0], lossless=True))


def _card(
    network: Network,
    circuit: Circuit,
    planned: EvaluationPlan,
    photos: tuple[ScoredPhoto, ...],
    measured: Sequence[PhotoScores],
    changed: tuple[Change, ...],
    stability: Stability | None,
    *,
    settings: dict[str, Any],
    notes: Sequence[str],
) -> Card:
    """What was measured, put together over photos."""
    given = [number for number, photo in enumerate(photos) if photo.given and photo.scored]
    over = {"own": [0], **({"photos": given} if given not in ([], [0]) else {})}  # of its own alone they are the same
    seed, resamples = settings["seed"], settings["resamples"]
    table = ScoreTable(plan=planned, measured=measured, over=over, seed=seed, resamples=resamples)
    rows, points = table.rows(), table.points(network, list(over)[-1])
    units = planned.sets[0].units
    return Card(
        network=circuit.network,
        circuit=_facts(circuit, planned),
        units=units,
        widths={layer: _width(network, circuit, layer) for layer in units},
        settings=settings,
        versions=versions("numpy", "torch"),
        photos=photos,
        rows=rows,
        points=points,
        areas=areas(points),
        measured=tuple(measured),
        methods=tuple((each.method, each.top) for each in planned.sets),
        correlations=planned.correlations,
        changes=changed,
        stability=stability,
        notes=(*notes, *planned.notes, *table.notes(rows)),
    )


def _width(network: Network, circuit: Circuit, layer: str) -> int:
    """How many units a layer has: groups, or channels."""
    dictionary = circuit.dictionaries.get(layer)
    return network.layer(layer).channels if dictionary is None else dictionary.groups


def _facts(circuit: Circuit, planned: EvaluationPlan) -> dict[str, Any]:
    """What the card says of the circuit."""
    photo = circuit.photo_info
    units = planned.sets[0].units
    return {
        "sha256": fingerprint_of(circuit.to_json_text()),
        "photo": {key: photo[key] for key in ("name", "sha256", "width", "height", "window") if key in photo},
        "target": circuit.target,
        "settings": circuit.settings,
        "levels": len(planned.tops),
        "units": count(units),
        "edges": sum(len(sources) for sources in planned.sources.values()),
    }


def _with_prediction(
    photo: ScoredPhoto, network: Network, crop: Image.Image, target: Target, *, all_photos: bool
) -> ScoredPhoto:
    logits = network.logits(network.preprocessing.from_crop(crop))[0]
    prediction = next(iter(ranked(network, logits, 1)), None)
    agrees = None
    if prediction is not None and target.kind == "class":
        agrees = prediction.index == target.unit.channel
        if network.multi_label:
            agrees = float(network.probabilities(logits)[target.unit.channel]) >= _LIKELY
    counted = agrees is not False or all_photos or not photo.given
    return replace(photo, prediction=prediction, agrees=agrees, scored=counted)


def _photos(
    network: Network, circuit: Circuit, photos: Sequence[Photo]
) -> tuple[Network, list[ScoredPhoto], list[Image.Image]]:
    """The network with the circuit's layers, and all photos and their crops, the circuit's own first; each once."""
    facts = circuit.photo_info
    given = {photo.sha256: photo for photo in photos}
    check_network(network, circuit, to="evaluate it")
    cut = network.with_layers(circuit.layers)
    if facts.thumbnail or circuit.collection is not None:
        crop = input_crop(cut, circuit)
    elif facts.sha256 in given:
        crop = cut.preprocessing.crop_of(given[facts.sha256])
    else:
        raise InputError(
            f"The circuit's file does not carry its photo, {facts.name}; give that photo too, so that the circuit "
            "can be scored in it."
        )
    own = ScoredPhoto(facts.name, facts.sha256, own=True, given=facts.sha256 in given)
    others = [photo for photo in given.values() if photo.sha256 != own.sha256]
    scored = [own, *(ScoredPhoto(photo.name, photo.sha256, own=False, given=True) for photo in others)]
    return cut, scored, [crop, *map(cut.preprocessing.crop_of, others)]


def default_baselines(network: Network, circuit: Circuit, photos: Sequence[Photo]) -> tuple[list[Baseline], str]:
    """Zero, and the mean over an index of exemplars or over the photos; a sentence says why, if there is no mean.

    Where the circuit's shares are measured from a mean, it is that one.

    An index comes first, because with the mean over the very photos that are scored, the sum of m(whole) − m(nothing)
    over them is next to nothing wherever the target is linear in the highest ablated layer, so that no score over all
    of them is defined; those of single photos are.
    """
    if circuit.baseline.name == "mean":
        return resolve(circuit.baseline), ""
    needed = circuit.layers[:-1]
    baselines = resolve(find_exemplars(network, layers=needed), layers=needed)
    if len(baselines) == 1 and len(photos) >= 2:
        baselines = resolve(mean_of_photos(network, photos, source="the photos that are scored"))
    if len(baselines) > 1:
        return baselines, ""
    calls = f" that the network calls {circuit.target.label}" if circuit.target.kind == "class" else ""
    few, more = ("is only one photo", "more photos") if photos else ("are no photos", "two photos or more")
    return baselines, (
        f"Mean ablation is left out, because there {few} to take a mean over: make an index with circuits exemplars "
        f"FOLDER, or give {more}{calls}."
    )


def _photo_scores(run: ForwardCache, planned: EvaluationPlan, photo: int, baseline: Baseline) -> list[PhotoScores]:
    """All scores in one photo with one baseline, by metric."""
    scored = _scored(run, planned, baseline)
    own = run.with_groups(planned.sets[0].dictionaries)
    edges = score_edges(own, planned.target, planned.sources, baseline)
    scores = [PhotoScores(photo, baseline.name, "value", tuple(each.value for each in scored), edges)]
    probabilities = tuple(each.probability for each in scored if each.probability is not None)
    if probabilities:
        scores.append(PhotoScores(photo, baseline.name, "probability", probabilities, None))
    return scores


def _scored(run: ForwardCache, planned: EvaluationPlan, baseline: Baseline) -> list[Scored]:
    """The scores of all sets, those with the same dictionaries together."""
    together: dict[int, list[int]] = {}
    for number, each in enumerate(planned.sets):
        together.setdefault(id(each.dictionaries) if each.dictionaries else 0, []).append(number)
    scored: dict[int, Scored] = {}
    for numbers in together.values():
        sets = [planned.sets[number] for number in numbers]
        coded = run.with_groups(sets[0].dictionaries)
        found = score_units(coded, planned.target, [each.units for each in sets], baseline)
        scored.update(zip(numbers, found, strict=True))
    return [scored[number] for number in range(len(planned.sets))]
