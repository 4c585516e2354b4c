"""The whole evaluation on the hand-wired network: every row against the scores that it is made of; the card."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from torch import nn

from circuits import (
    Baseline,
    Card,
    Circuit,
    InputError,
    Network,
    Photo,
    UnknownError,
    discard,
    evaluate,
    expand,
    index_photos,
    prepare,
    random_like,
    score_edges,
    score_units,
    sources_of,
    trace,
    units_of,
)
from circuits.evaluation.card import schema
from circuits.evaluation.scores import mean_score
from circuits.evaluation.statistics import METRICS
from circuits.report.card_words import left_out
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import target_of
from tests.support.branched import Branches, branched
from tests.support.handmade import Handmade, colour_photo, handmade_network, levels
from tests.support.nets import preprocessing, randomize, ready, zoo_network

QUICK = {"resamples": 50, "draws": 3, "ladder": (1, 2), "stability": 4, "all_photos": True}


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    colours = [(0.75, 0.25, 0.5), (0.5, 0.5, 1.0), (1.0, 0.75, 0.0)]
    return [replace(colour_photo(*colour), name=f"colour {n}") for n, colour in enumerate(colours)]


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    return trace(network, colour_photo(), "warm", depth=2, top=2)


@pytest.fixture(scope="module")
def card(network: Network, circuit: Circuit, photos: list[Photo], tmp_path_factory: pytest.TempPathFactory) -> Card:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return evaluate(network, circuit, photos, **QUICK)


def run_of(network: Network, photo: Photo) -> ForwardCache:
    return ForwardCache.of(network, network.preprocessing.input_of(photo))


def test_the_schema_is_a_schema_and_every_card_validates(card: Card, network: Network, circuit: Circuit) -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator(schema()).validate(card.to_dict())
    bare = evaluate(network, circuit, controls=False, ladder=(), stability=0)
    Draft202012Validator(schema()).validate(bare.to_dict())
    neuron = trace(network, colour_photo(), "conv2:0@1,1", depth=1, top=2)
    found = evaluate(network, neuron, ladder=(1, 2), stability=2, draws=2)
    Draft202012Validator(schema()).validate(found.to_dict())
    assert found.metrics == ("value",)


def test_a_circuit_inside_branches_is_evaluated_whole() -> None:
    network = branched(Branches())
    circuit = trace(network, colour_photo(0.75, 0.5, 0.25), "one", depth=4, top=2)
    found = evaluate(network, circuit, **QUICK)
    Draft202012Validator(schema()).validate(found.to_dict())
    assert tuple(found.units) == network.layers[:-1]
    assert [row.method for row in found.rows][:2] == ["circuit", "random"]
    red, green, blue = levels(0.75, 0.5, 0.25)
    whole = (red + green) - 2 * (blue - 0.1) + 3 * 2 * (red - green) + 0.5 * (red - green + 0.5)
    row = found.row("circuit")
    # All units of conv1 and below are kept, so only cat:1 and cat:3 are missing.
    assert row.faithfulness.value == pytest.approx((red + green + 6 * (red - green)) / whole, abs=1e-4)
    # Along the edges reduce:0 does not see green, which holds it back.
    assert row.edges.value == pytest.approx((red + green + 6 * red) / whole, abs=1e-4)


def test_the_same_arguments_give_the_same_bytes_from_the_circuit_and_from_its_file(
    card: Card, network: Network, circuit: Circuit, photos: list[Photo], tmp_path: Path
) -> None:
    circuit.to_json(tmp_path / "circuit.json")
    read = Circuit.from_json(tmp_path / "circuit.json")
    again = evaluate(network, read, photos, **QUICK)
    assert again.to_json_text() == card.to_json_text()
    assert again.to_html() == card.to_html()
    assert evaluate(network, read, photos, **QUICK, seed=1).to_json_text() != card.to_json_text()
    card.to_json(tmp_path / "card.json")
    assert json.loads((tmp_path / "card.json").read_text("utf-8")) == card.to_dict()


def test_rows_are_ratios_of_sums_over_the_photos(
    card: Card, network: Network, circuit: Circuit, photos: list[Photo]
) -> None:
    target, units = target_of(circuit), units_of(network, circuit)
    zero = Baseline.zero()
    [own] = score_units(run_of(network, colour_photo()), target, [units], zero)
    assert card.row("circuit", over="own").faithfulness.value == pytest.approx(own.value.faithfulness)
    assert card.row("circuit", over="own", metric="probability").necessity.value == pytest.approx(
        own.probability.necessity
    )
    each = [score_units(run_of(network, photo), target, [units], zero)[0].value for photo in photos]
    scale = sum(score.whole - score.nothing for score in each)
    row = card.row("circuit")
    assert row.over == card.main == "photos"
    assert row.faithfulness.value == pytest.approx(sum(score.alone - score.nothing for score in each) / scale)
    assert row.completeness.value == pytest.approx(sum(score.without - score.nothing for score in each) / scale)
    assert row.necessity.value == pytest.approx(1 - row.completeness.value)
    assert row.faithfulness.low <= row.faithfulness.value <= row.faithfulness.high
    edges = [score_edges(run_of(network, photo), target, sources_of(circuit), zero) for photo in photos]
    assert row.edges.value == pytest.approx(mean_score(edges).faithfulness)
    assert card.row("circuit", metric="probability").edges is None


def test_controls_are_beside_the_circuit_with_what_it_is_ahead(
    card: Card, network: Network, circuit: Circuit, photos: list[Photo]
) -> None:
    methods = [row.method for row in card.rows if (row.over, row.baseline, row.metric) == ("own", "zero", "value")]
    assert methods == ["circuit", "random", "activation", "gradient", "weights", "randomised"]
    units, target = units_of(network, circuit), target_of(circuit)
    source = np.random.default_rng(0)
    sets = [random_like(network, units, source) for _ in range(3)]
    found = [score_units(run_of(network, photo), target, sets, Baseline.zero()) for photo in photos]
    drawn = [mean_score([each[n].value for each in found]).faithfulness for n in range(3)]
    row, own = card.row("random"), card.row("circuit")
    assert row.faithfulness.value == pytest.approx(np.mean(drawn))
    assert row.spread == pytest.approx(np.std(drawn, ddof=1))
    for method in methods[1:]:
        other = card.row(method)
        assert other.advantage.value == pytest.approx(own.faithfulness.value - other.faithfulness.value)
        assert other.advantage_necessity.value == pytest.approx(own.necessity.value - other.necessity.value)
        assert other.advantage.low <= other.advantage.value <= other.advantage.high
    assert own.advantage is None
    assert set(card.correlations) == set(units)


def test_the_curve_has_the_scores_of_circuits_traced_with_other_settings(network: Network, photos: list[Photo]) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, top=2, signs="both")
    target, card = target_of(circuit), evaluate(network, circuit, photos, **QUICK)
    for top in (1, 2):
        traced = units_of(network, trace(network, colour_photo(), "warm", depth=2, top=top, signs="both"))
        each = [score_units(run_of(network, p), target, [traced], Baseline.zero())[0].value for p in photos]
        [point] = [
            point
            for point in card.points
            if (point.top, point.method, point.baseline, point.metric) == (top, "circuit", "zero", "value")
        ]
        assert point.faithfulness == pytest.approx(mean_score(each).faithfulness)
        assert point.completeness == pytest.approx(mean_score(each).completeness)
        assert point.units == sum(map(len, traced.values()))
        assert point.share == pytest.approx(point.units / 7)
    assert {point.over for point in card.points} == {"photos"}
    [area] = [each for each in card.areas if (each.method, each.baseline, each.metric) == ("circuit", "zero", "value")]
    heights = [p.faithfulness for p in card.points if (p.method, p.baseline, p.metric) == ("circuit", "zero", "value")]
    assert area.faithfulness == pytest.approx(np.mean(heights))


def test_the_ladder_ends_where_nothing_is_added(network: Network, circuit: Circuit) -> None:
    found = evaluate(network, circuit, controls=False, ladder=(1, 2, 3, 4, 9), stability=0)
    tops = [point.top for point in found.points if (point.baseline, point.metric) == ("zero", "value")]
    # conv2:0 alone argues for warm, and red alone for that.
    assert tops == [1]


def test_parts_can_be_left_out_and_are_then_not_there(network: Network, circuit: Circuit) -> None:
    bare = evaluate(network, circuit, controls=False, ladder=(), stability=0)
    assert {row.method for row in bare.rows} == {"circuit"}
    assert (bare.points, bare.areas, bare.stability, bare.changes, bare.correlations) == ((), (), None, (), {})
    assert bare.main == "own"
    assert bare.notes[0].startswith("Mean ablation is left out, because there are no photos to take a mean over")


def test_the_mean_comes_from_an_index_or_from_the_photos(
    card: Card, network: Network, circuit: Circuit, photos: list[Photo], tmp_path: Path
) -> None:
    assert [each["source"] for each in card.settings["baselines"]] == ["", "the photos that are scored (3 photos)"]
    # The class is linear in the highest ablated layer, so over these very photos nothing is left to keep.
    assert card.row("circuit", baseline="mean").faithfulness.value is None
    assert card.row("circuit", baseline="mean", over="own").faithfulness.value is not None
    said = [note for note in card.notes if note.startswith("With mean ablation no share of the target is given over")]
    assert len(said) == 1
    folder = tmp_path / "greys"
    folder.mkdir()
    for level in (0.25, 0.5, 0.75):
        colour_photo(level, 0.25, level).image.save(folder / f"{level}.png")
    index_photos(network, folder)
    found = evaluate(network, circuit, photos, controls=False, ladder=(), stability=0)
    assert [each["source"] for each in found.settings["baselines"]] == ["", "greys (3 photos)"]
    assert found.row("circuit", baseline="mean").faithfulness.value is not None


def test_photos_of_another_class_are_scored_and_told(card: Card) -> None:
    own, *others = card.photos
    assert (own.own, own.given, own.agrees) == (True, False, True)
    assert [photo.prediction.label for photo in others] == ["warm", "cold", "warm"]
    assert [photo.agrees for photo in others] == [True, False, True]
    assert {each.photo for each in card.measured} == {0, 1, 2, 3}


def test_photos_of_another_class_are_left_out_unless_asked_for(
    card: Card, network: Network, circuit: Circuit, photos: list[Photo]
) -> None:
    options = {"controls": False, "ladder": (1, 2), "stability": 0}
    found = evaluate(network, circuit, photos, **options)
    warm = [photos[0], photos[2]]
    assert [photo.name for photo in found.left_out] == [photos[1].name]
    assert [photo.name for photo in found.counted] == [photo.name for photo in warm]
    assert left_out(found) == "The network does not call 1 of 3 photos warm; only the other 2 are scored."
    assert left_out(card) == ""
    assert {each.photo for each in found.measured} == {0, 1, 3}
    alone = evaluate(network, circuit, warm, **options)
    assert (found.rows, found.points, found.main) == (alone.rows, alone.points, "photos")
    cold = evaluate(network, circuit, [photos[1]], **options)
    assert cold.main == "own"
    assert left_out(cold) == "The network does not call the photo warm; so only the circuit's own photo is scored."
    Draft202012Validator(schema()).validate(cold.to_dict())


def test_of_a_unit_and_of_a_difference_all_photos_are_scored(network: Network, photos: list[Photo]) -> None:
    for wish in ("conv2:0", "warm - cold"):
        traced = trace(network, colour_photo(), wish, depth=1, top=2)
        found = evaluate(network, traced, photos, controls=False, ladder=(), stability=0)
        assert (len(found.counted), found.left_out) == (3, ())


def test_a_row_says_what_was_measured_as_means_over_its_photos(
    card: Card, network: Network, circuit: Circuit, photos: list[Photo]
) -> None:
    target, units = target_of(circuit), units_of(network, circuit)
    each = [score_units(run_of(network, photo), target, [units], Baseline.zero())[0].value for photo in photos]
    values = card.row("circuit").values
    for name in ("whole", "nothing", "alone", "without"):
        assert getattr(values, name) == pytest.approx(sum(getattr(score, name) for score in each) / 3)
    [record] = [
        row for row in card.to_dict()["scores"]
        if (row["over"], row["baseline"], row["metric"], row["method"]) == ("photos", "zero", "value", "circuit")
    ]  # fmt: skip
    assert record["values"]["alone"] == pytest.approx(values.alone)


def test_the_circuits_own_photo_among_those_given_is_scored_once(
    network: Network, circuit: Circuit, photos: list[Photo]
) -> None:
    found = evaluate(network, circuit, [photos[0], colour_photo(), photos[0]], controls=False, ladder=(), stability=0)
    assert [(photo.name, photo.own, photo.given) for photo in found.photos] == [
        ("colour", True, True),
        ("colour 0", False, True),
    ]


def test_a_circuit_whose_file_has_no_photo_needs_it_given(
    network: Network, circuit: Circuit, photos: list[Photo]
) -> None:
    data = circuit.to_dict()
    data["graph"]["photo"] = {key: value for key, value in data["graph"]["photo"].items() if key != "thumbnail"}
    bare = Circuit.from_dict(data)
    with pytest.raises(InputError, match="The circuit's file does not carry its photo, colour; give that photo too"):
        evaluate(network, bare, photos)
    options = {"controls": False, "ladder": (), "stability": 0, "baselines": [Baseline.zero()]}
    with_photo = evaluate(network, bare, [colour_photo()], **options)
    whole = evaluate(network, circuit, [colour_photo()], **options)
    assert with_photo.rows == whole.rows


def test_what_a_person_grew_or_discarded_is_what_is_scored(network: Network, circuit: Circuit) -> None:
    both = trace(network, colour_photo(), "warm", depth=1, top=2, signs="both")
    grown = discard(expand(network, both, "conv2:0"), "conv2:1")
    found = evaluate(network, grown, **QUICK)
    assert found.units == {"conv1": (0, 1), "conv2": (0,)}
    # The walk shows conv1:2 below conv2:1 too; nothing that is shown was added by hand.
    assert found.stability.by_hand == ()
    assert set(found.stability.edges) == {("conv2:0", "fc:0"), ("conv1:0", "conv2:0"), ("conv1:1", "conv2:0")}
    assert found.circuit["levels"] == 2


def test_a_flat_colour_survives_every_change(card: Card) -> None:
    # Mirrored, shifted and cropped, a photo of one colour is the same; noise is small beside the colours.
    assert set(card.stability.edges.values()) == {1.0}
    assert [change.kind for change in card.changes] == ["flip", "shift", "crop", "noise"]


def test_progress_is_told_and_can_cancel(network: Network, circuit: Circuit, photos: list[Photo]) -> None:
    told: list[tuple[int, int, str]] = []
    evaluate(network, circuit, photos, **QUICK, progress=lambda *step: told.append(step))
    steps = 1 + 4 * 2 + 4
    names = ["colour", *(photo.name for photo in photos)]
    assert [what for _, _, what in told[:4]] == [f"Predicting {name}" for name in names]
    assert [done for done, _, _ in told] == [0, 0, 0, 0, *range(steps + 1)]
    assert {known for _, known, _ in told[4:]} == {steps}
    assert (told[4][2], told[5][2], told[-1][2]) == ("Choosing controls", "Scoring colour", "Evaluated")

    def cancel(done: int, known: int, what: str) -> None:
        if done == 3:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        evaluate(network, circuit, photos, **QUICK, progress=cancel)


def test_a_target_that_rises_when_all_is_ablated_is_remarked(network: Network, circuit: Circuit) -> None:
    options = {"controls": False, "ladder": (), "stability": 0, "baselines": [Baseline.zero()], "all_photos": True}
    found = evaluate(network, circuit, [colour_photo(0.0, 0.0, 1.0)], **options)
    # On blue alone warm is 0.1 − (1 + 0.5); with conv1 and conv2 silent its bias is left.
    assert found.row("circuit").faithfulness.value == pytest.approx(0.0, abs=1e-6)
    assert found.notes == (
        "With zero ablation the target is higher over the photos when all of these layers are ablated (0.100) than "
        "in the whole network (−1.40): a negative share means that it rose.",
    )
    assert evaluate(network, circuit, **options).notes == ()


def test_a_row_that_is_not_there_is_named(card: Card) -> None:
    with pytest.raises(UnknownError, match=r"The card has no row circuit \(own, zero, chance\); it has circuit"):
        card.row("circuit", over="own", metric="chance")


def test_numbers_out_of_range_are_refused(network: Network, circuit: Circuit) -> None:
    with pytest.raises(InputError, match=r"The ladder is \[1, 0\]; each number counts units below a unit"):
        evaluate(network, circuit, ladder=(1, 0))
    with pytest.raises(InputError, match=r"draws is 0; it must be at least 1\."):
        evaluate(network, circuit, draws=0)
    with pytest.raises(InputError, match=r"resamples is 0; it must be at least 1\."):
        evaluate(network, circuit, resamples=0)
    with pytest.raises(InputError, match=r"seed is -1; it must be 0 or more and below 2\^63\."):
        evaluate(network, circuit, seed=-1)
    with pytest.raises(InputError, match=r"stability is -1; it must be 0 or more\."):
        evaluate(network, circuit, stability=-1)
    with pytest.raises(InputError, match=r"The circuit was traced with handmade \(.*\), not with squeezenet1_1 \("):
        evaluate(zoo_network("squeezenet1_1"), circuit)


def test_a_multi_label_network_is_scored_by_its_own_sigmoids() -> None:
    network = ready(nn.Sequential(Handmade(), nn.Sigmoid()), 4, name="two labels")
    assert network.multi_label
    circuit = trace(network, colour_photo(), 1, depth=1, top=1)
    found = evaluate(network, circuit, controls=False, ladder=(), stability=0)
    [value], [chance] = ([each.scores[0] for each in found.measured if each.metric == metric] for metric in METRICS)
    for name in ("whole", "nothing", "alone", "without"):
        assert getattr(chance, name) == pytest.approx(1 / (1 + np.exp(-getattr(value, name))), abs=1e-6)


def test_a_network_without_classes_is_scored_by_its_units() -> None:
    backbone = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 5, 1), nn.ReLU(), nn.Conv2d(5, 6, 1), nn.ReLU()
    )
    network = prepare(randomize(backbone, seed=3), preprocessing=preprocessing(8), labels=[])
    circuit = trace(network, "example:cat", depth=2, top=2)
    found = evaluate(network, circuit, [colour_photo()], **QUICK)
    Draft202012Validator(schema()).validate(found.to_dict())
    assert found.metrics == ("value",)
    assert [(photo.prediction, photo.agrees) for photo in found.photos] == [(None, None), (None, None)]
    assert "activation of" in found.to_html()


def test_the_difference_of_two_classes_is_scored(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm - cold", depth=2, top=1)
    found = evaluate(network, circuit, **QUICK)
    Draft202012Validator(schema()).validate(found.to_dict())
    assert found.metrics == ("value",)
    assert found.row("circuit").edges is not None
    red, green, blue = levels(1.0, 0.5, 0.25)
    # warm - cold = 3 conv2:0 - 2 conv2:1 + 0.1; alone, conv2:0 = 2 red and conv2:1 is zero.
    whole = 3 * (2 * red - green) - 2 * (blue + 0.5)
    assert found.row("circuit").faithfulness.value == pytest.approx(6 * red / whole, abs=1e-4)
