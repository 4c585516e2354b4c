"""The benchmark of equal circuits: every method has the same sizes, and its figures are what they are called."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import quality_figure
from benchmarks.bench_quality import Measuring, Plan, measure, sample, shared, true_class
from benchmarks.quality_captum import Captum
from benchmarks.quality_choosing import Sizes, Walk, drawn, highest, parents_of, places_below
from benchmarks.quality_results import RESAMPLES, Results, Row, curves, mean_over
from benchmarks.quality_tables import ORDER, curve_table, difference_table, summary
from circuits import Network, Readout, gradient_times_activation, load_photo, trace, units_of
from circuits.evaluation.controls import neutral
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import Target, find_target

PLAN = Plan(tops=(1, 2, 3), ig_up_to=2, captum_up_to=0, depth=3, draws=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("photos")
    for number in range(7):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(found / f"{number % 5:03}_{number}.png")
    (found / "notes.txt").write_text("no photo")
    return found


@pytest.fixture(scope="module")
def rows(network: Network, folder: Path) -> list[Row]:
    scored, others = sample(folder, 4, seed=0)
    measuring = Measuring(network, others, PLAN)
    return [measuring.row(path) for path in scored]


def started(network: Network, path: Path) -> tuple[ForwardCache, Target]:
    run = ForwardCache.of(network, network.preprocessing.input_of(load_photo(path)))
    top = network.layers[-1]
    predicted = int(run.activations[top].flatten().argmax())
    return run, find_target(network, f"{top}:{predicted}", predicted)


@pytest.mark.parametrize("top", [1, 2, 4, 100])
@pytest.mark.parametrize("mode", ["sum", "target", "ig"])
def test_a_walk_of_its_own_sizes_is_the_circuit_of_trace(network: Network, folder: Path, mode: str, top: int) -> None:
    path = folder / "003_3.png"
    run, target = started(network, path)
    layers = network.layers[-2:0:-1]
    walk = Walk(parents_of(run, target, mode), target, layers)
    sizes = walk.sizes(top)
    circuit = trace(network, path, target.id, depth=3, top=top, mode=mode)
    assert walk.choose(sizes) == {layer: units_of(network, circuit)[layer] for layer in layers}
    assert sizes == {layer: len(units_of(network, circuit)[layer]) for layer in layers}


def test_a_place_is_the_best_rank_below_any_parent_and_what_argues_for_none_comes_last() -> None:
    found = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    found[:, 5] = -abs(found[:, 5])
    places, best = places_below(found)
    for unit in range(9):
        ranks = [sum(row > row[unit]) + 9 * (row[unit] <= 0) for row in found]
        assert places[unit] == min(ranks)
        assert best[unit] == max(row[unit] for row, rank in zip(found, ranks, strict=True) if rank == min(ranks))
    assert ((places < 9) == (found > 0).any(0)).all()
    assert places[5] >= 9


def test_sums_of_edges_below_every_unit_of_a_layer_are_the_attributions_over_all_paths(
    network: Network, folder: Path
) -> None:
    run, target = started(network, folder / "001_1.png")
    upper, lower = network.layers[-2], network.layers[-3]
    walk = Walk(parents_of(run, target, "target"), target, (upper, lower))
    for count in (1, 3, 6):
        sizes = {upper: network.layer(upper).channels, lower: count}
        expected = run.attributions(target, lower).argsort(descending=True)[:count]
        assert walk.choose(sizes, summed=True)[lower] == tuple(sorted(expected.tolist()))


def test_captum_says_of_the_class_and_of_one_unit_after_the_other_what_gradients_say(
    network: Network, folder: Path
) -> None:
    run, target = started(network, folder / "003_3.png")
    layers = network.layers[-2:0:-1]
    captum = Captum(network, layers)
    found = captum.gradient(run, target)
    for layer in layers:
        torch.testing.assert_close(found[layer], run.attributions(target, layer))
    upper, lower = layers[0], layers[1]
    for channel, scores in enumerate(captum.below(run, upper, range(12))):
        segment, activation = network.segment(lower, upper), run.activations[lower]
        torch.testing.assert_close(scores, gradient_times_activation(segment, activation, Readout.of_unit(channel)))


def test_captums_integrated_gradients_account_for_the_way_from_grey(network: Network, folder: Path) -> None:
    run, target = started(network, folder / "003_3.png")
    grey = ForwardCache.of(network, neutral(network))
    gained = float(run.activations[network.layers[-1]][0, target.unit.channel].sum())
    gained -= float(grey.activations[network.layers[-1]][0, target.unit.channel].sum())
    captum = Captum(network, network.layers[-2:0:-1])
    for scores in captum.integrated(run, target, 512).values():
        assert float(scores.sum()) == pytest.approx(gained, rel=0.01)


def test_the_highest_scores_are_taken_layer_by_layer_and_draws_are_of_the_sizes_asked() -> None:
    scores = {"a": torch.tensor([1.0, -5.0, 3.0, 3.0]), "b": torch.tensor([0.0, 2.0])}
    assert highest(scores, {"a": 2, "b": 1}) == {"a": (2, 3), "b": (1,)}
    assert highest(scores, {"a": 1, "b": 0}) == {"a": (2,), "b": ()}
    draws = [drawn({"a": 4, "b": 2}, {"a": 2, "b": 2}, np.random.default_rng(seed)) for seed in range(40)]
    assert {draw["b"] for draw in draws} == {(0, 1)}
    assert {draw["a"] for draw in draws} == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


def test_every_method_has_the_same_number_of_units_in_each_layer(network: Network, folder: Path) -> None:
    scored, others = sample(folder, 4, seed=0)
    measuring = Measuring(network, others, PLAN)
    run, target = started(network, scored[0])
    walk = Walk(parents_of(run, target, "sum"), target, measuring.layers)
    sizes: dict[int, Sizes] = {top: walk.sizes(top) for top in PLAN.tops}
    chosen = measuring.walked(walk, run, run, target, sizes) | measuring.ranked(run, target, sizes)
    chosen |= {f"draw {n}": {top: draws[n] for top, draws in measuring.random("x", sizes).items()} for n in range(3)}
    assert len(chosen) == 10
    for name, found in chosen.items():
        assert list(found) == [top for top in PLAN.tops if name != "ig" or top <= PLAN.ig_up_to]
        for top, units in found.items():
            assert {layer: len(set(channels)) for layer, channels in units.items()} == sizes[top]
    # A copy that is not shuffled is walked as the network is.
    assert chosen["shuffled"] == chosen["sum"]
    assert chosen["draw 0"] != chosen["draw 1"]


def in_steps(
    network: Network, run: ForwardCache, kept: dict[str, Sequence[int]], means: dict[str, torch.Tensor]
) -> torch.Tensor:
    """The logits when only some units of each layer are kept, from layer to layer."""
    layers = [layer for layer in network.layers if layer in kept]
    value = run.activations[layers[0]]
    for layer, upper in zip(layers, [*layers[1:], network.layers[-1]], strict=True):
        replaced = means[layer][None, :, None, None].expand_as(value).clone()
        replaced[:, list(kept[layer])] = value[:, list(kept[layer])]
        value = network.segment(layer, upper)(replaced)
    return value.flatten()


@pytest.mark.parametrize("baseline", ["zero", "mean"])
def test_scores_are_the_logits_of_a_run_in_which_all_other_units_are_replaced(
    network: Network, folder: Path, rows: list[Row], baseline: str
) -> None:
    scored, others = sample(folder, 4, seed=0)
    seen = [network.activations(network.preprocessing.input_of(load_photo(path))) for path in others]
    layers = network.layers[-2:0:-1]
    means = {layer: torch.stack([some[layer].mean((0, 2, 3)) for some in seen]).mean(0) for layer in layers}
    if baseline == "zero":
        means = {layer: torch.zeros_like(mean) for layer, mean in means.items()}
    run, target = started(network, scored[1])
    for top in PLAN.tops:
        units = Walk(parents_of(run, target, "sum"), target, layers).choose(rows[1]["sizes"][str(top)])
        rest = {layer: sorted({*range(len(means[layer]))} - {*kept}) for layer, kept in units.items()}
        expected = [
            float(run.activations[network.layers[-1]].flatten()[target.unit.channel]),
            *(
                float(in_steps(network, run, kept, means)[target.unit.channel])
                for kept in (dict.fromkeys(layers, ()), units, rest)
            ),
        ]
        assert rows[1]["scores"]["sum"][str(top)][baseline] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_row_says_what_a_method_shares_with_ours_and_what_the_network_saw(folder: Path, rows: list[Row]) -> None:
    for row in rows:
        assert row["shared"]["sum"] == {"1": 1.0, "2": 1.0, "3": 1.0}
        assert set(row["scores"]) == {*ORDER} - {"captum G×A", "captum IG"}
        assert row["true"] == int(row["photo"][:3])
        assert 0 <= row["class"] < 5
        assert row["units"] == 31
        assert (folder / row["photo"]).exists()
    assert shared({"a": (1, 2), "b": (3,)}, {"a": (2, 4), "b": (3,)}) == pytest.approx(2 / 3)
    assert [true_class(name) for name in ("284_Siamese_cat.jpg", "cat.jpg", "007.png")] == [284, None, None]


def test_a_larger_sample_begins_with_the_smaller_one_and_leaves_photos_for_the_means(folder: Path) -> None:
    small, others = sample(folder, 3, seed=1)
    large, _ = sample(folder, 5, seed=1)
    assert large[:3] == small
    assert len({*small, *others}) == 7
    assert small != sample(folder, 3, seed=2)[0]
    with pytest.raises(ValueError, match="has 7 photos; 7 are scored, and the means need others"):
        sample(folder, 7, seed=0)


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_file(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    measure(network, folder, 2, PLAN, tmp_path / "whole.jsonl")
    whole = (tmp_path / "whole.jsonl").read_text()
    assert len(whole.splitlines()) == 3
    for kept in (40, whole.index("\n") + 1, len(whole) - 1, len(whole)):
        stopped = tmp_path / f"{kept}.jsonl"
        stopped.write_text(whole[:kept])
        measure(network, folder, 2, PLAN, stopped)
        assert stopped.read_text() == whole


def test_results_of_other_settings_are_refused(tmp_path: Path) -> None:
    Results(tmp_path / "found.jsonl", {"seed": 0, "tops": [1]}).add({"photo": "a"})
    assert Results(tmp_path / "found.jsonl", {"seed": 0, "tops": (1,)}).photos == {"a"}
    with pytest.raises(ValueError, match=r"found.jsonl holds results of other settings \(seed\)"):
        Results(tmp_path / "found.jsonl", {"seed": 1, "tops": [1]})


def test_an_interval_of_paired_differences_is_that_of_a_plain_bootstrap() -> None:
    source = np.random.default_rng(3)
    ours = source.normal(0.5, 0.3, 20)
    other = ours - source.normal(0.05, 0.02, 20)
    found = mean_over((other - ours).tolist(), seed=7)
    draws, means = np.random.default_rng(7), []
    for places in draws.integers(0, 20, (RESAMPLES, 20)):
        means.append(sum(other[place] for place in places) / 20 - sum(ours[place] for place in places) / 20)
    means.sort()
    low, high = means[round(0.025 * RESAMPLES)], means[round(0.975 * RESAMPLES)]
    assert found.value == pytest.approx(other.mean() - ours.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)
    assert found.is_sure
    assert not mean_over([-1.0, 1.0, -2.0, 2.0], seed=0).is_sure
    # Unpaired, twenty photos that differ this much would show nothing.
    assert mean_over(ours.tolist(), seed=7).high - mean_over(ours.tolist(), seed=7).low > 5 * (found.high - found.low)


def made_up(alone: dict[str, Sequence[float]], nothing: float = 2.0) -> Row:
    """A photo with a logit of 10, 100 units in the layers, and circuits of 1, 10 and 100 of them."""
    tops = ("1", "2", "3")
    scores: dict[str, dict[str, Any]] = {
        method: {
            top: {"zero": [10.0, nothing, value, 10 - value], "mean": [10.0, 9.0, value, 9.5]}
            for top, value in zip(tops, values, strict=False)
        }
        for method, values in alone.items()
    }
    sizes = {top: {"a": 10**power} for power, top in enumerate(tops)}
    shares = {method: dict.fromkeys(found, 0.5) for method, found in scores.items()}
    return {
        "photo": "3_a.png", "class": 3, "true": 3, "units": 100, "sizes": sizes, "shared": shares, "scores": scores,
        "captum walk": {"1": 1.0},
    }  # fmt: skip


def test_curves_are_ratios_photo_by_photo_and_a_photo_without_one_is_left_out() -> None:
    rows = [made_up({"sum": (2.0, 6.0, 10.0), "ig": (4.0,)}), made_up({"sum": (2.0, 2.0, 2.0), "ig": (2.0,)}, 10.0)]
    found = curves(rows, "zero", (1, 2, 3))
    assert list(found.faithfulness) == ["sum"]
    assert found.faithfulness["sum"].tolist() == [[0.0, 0.5, 1.0]]
    assert found.completeness["sum"].tolist() == [[0.75, 0.25, -0.25]]
    assert found.shares.tolist() == [[0.01, 0.1, 1.0]]
    assert found.left_out == 1
    assert found.areas("sum", "faithfulness") == [pytest.approx(0.5)]
    assert found.areas("sum", "distance") == [pytest.approx(0.5)]
    assert found.areas("sum", "completeness") == [pytest.approx(0.25)]
    assert curves(rows, "zero", (1,)).faithfulness["ig"].tolist() == [[0.25]]


def test_tables_tell_means_and_differences() -> None:
    rows = [
        made_up({"sum": (2.0, 6.0, 10.0), "random": (2.0, 2.0, 4.0)}),
        made_up({"sum": (2.0, 8.0, 10.0), "random": (2.0, 3.0, 5.0)}),
    ]
    text = summary("tiny", rows, (1, 2, 3))
    assert "2 photos, of 2 the true class is known, 2 predicted right" in text
    assert "top 2: 10 units a layer, 10.0 % of all\n" in text
    assert "walked by captum the same units on 2 of 2 photos" in text
    assert "random shares with sum, by top: 1: 50 %, 2: 50 %, 3: 50 %" in text
    table = curve_table("tiny", "zero", curves(rows, "zero", (1, 2, 3)), seed=0)
    cells = list(zip(*(column.cells for column in table.columns), strict=True))
    assert cells[0][:5] == ("sum", "0.000", "0.625", "1.000", "0.562")
    assert cells[1][:5] == ("random", "0.000", "0.062", "0.312", "0.109")
    assert cells[1][6] == "-0.453"
    [row] = zip(*(column.cells for column in difference_table("t", "zero", rows, (1, 2, 3), 0).columns), strict=True)
    assert row[:4] == ("random", "+0.000", "-0.562*", "-0.688*")


def test_the_figure_draws_every_method_at_its_heights() -> None:
    rows = [made_up({"sum": (2.0, 6.0, 10.0), "random": (2.0, 2.0, 4.0)})] * 2
    root = ElementTree.fromstring(quality_figure.draw({"tiny & new": rows, "other": rows}, (1, 2, 3)))
    space = "{http://www.w3.org/2000/svg}"
    lines = [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in root.iter(f"{space}polyline")
    ]
    assert len(lines) == 2 * len(quality_figure.PANELS) * 2
    ours = lines[1]
    bottom, top = quality_figure.HEIGHT - quality_figure.BOTTOM, quality_figure.TOP
    assert [y for _, y in ours] == [bottom, (bottom + top) / 2, top]
    assert ours[1][0] == pytest.approx((ours[0][0] + ours[2][0]) / 2, abs=0.1)
    assert "tiny & new: faithfulness, zero ablation" in [text.text for text in root.iter(f"{space}text")]


def test_rows_are_whole_numbers_and_floats_that_json_can_hold(rows: list[Row]) -> None:
    for row in rows:
        assert json.loads(json.dumps(row, allow_nan=False)) == row
