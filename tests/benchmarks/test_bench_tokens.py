"""The benchmark of transformers: its shares are those of `trace`, its circuits what they are called, and it goes on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.bench_quality import sample
from benchmarks.bench_tokens import ALONE, UNITS, WITHOUT, kept_table, measure, rank_table, share
from benchmarks.quality_results import Row
from benchmarks.tokens_measuring import ALL_FROM_MEAN, FROM_MEAN, Measuring, Plan, components, shares_of
from circuits import trace
from circuits.groups.coding import encode
from tests.support.tokens import Tokens, tokens

PLAN = Plan(
    sizes=(2, 1000), hidden=(2,), groups=(2, 9), control=2, blocks=(2,), ablated=12, ranked=1, of_class=2, mean_over=3
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("photos")
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(found / f"{number:03}.png")
    return found


@pytest.fixture(scope="module")
def measuring(folder: Path) -> Measuring:
    return Measuring(tokens(Tokens()), *sample(folder, 2, seed=0), PLAN)


@pytest.fixture(scope="module")
def row(measuring: Measuring) -> Row:
    return measuring.row(measuring.scored[0])


def test_shares_are_those_of_trace_and_from_the_mean_those_of_what_differs_from_it(measuring: Measuring) -> None:
    path = measuring.scored[0]
    run, target = measuring.started(measuring.network, path)
    shares = shares_of(run, target, measuring.mean)
    for mode in ("sum", "frozen"):
        circuit = trace(measuring.network, path, target.id, depth=1, top=999, signs="both", mode=mode)
        for edge in circuit.edges_into(circuit.root):
            layer, _, channel = edge.source.rpartition(":")
            assert float(shares[mode][layer][int(channel)]) == pytest.approx(edge.attribution, abs=1e-6)
    layer = "blocks.1.act.cls"  # nothing lies between it and the class, so that all its paths are direct
    activation, mean = run.activations[layer][0, :, 0, 0], measuring.mean.means[layer]
    expected = (activation - mean) * run.gradient(target, layer)[0, :, 0, 0]
    torch.testing.assert_close(shares[FROM_MEAN][layer], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(shares[ALL_FROM_MEAN][layer], expected, rtol=1e-4, atol=1e-6)


def test_circuits_are_what_they_are_called(row: Row) -> None:
    scores = row["scores"]
    sizes = {name.rpartition(" ")[0]: found[UNITS] for name, found in scores.items() if name.endswith(" 2")}
    assert sizes["sum"] == sizes["as many of the same layers, at random"] == 2
    assert scores["sum 1000"][UNITS] < row["units"] == 4 + 2 * 6 * 2  # those that are positive
    # More directions than a layer has channels hold all of it, the mean's own among them.
    whole, nothing, alone, without, _ = scores["groups 9 × 2"]
    assert (alone, without) == pytest.approx((whole, nothing), abs=0.1)
    assert abs(whole - nothing) > 1
    assert scores["shuffled × 2"][ALONE] != pytest.approx(scores["groups 2 × 2"][ALONE], abs=1e-4)
    assert row["ranks"]["zero"]["sum"] == pytest.approx(1, abs=0.2)
    assert row["ranks"]["mean"][FROM_MEAN] > row["ranks"]["mean"]["sum"] - 0.2


def test_components_hold_what_the_tokens_span_and_nothing_of_the_mean() -> None:
    mean = torch.tensor([5.0, -5.0, 0.0])
    matrix = mean[:, None] + torch.tensor([[1.0], [1.0], [0.0]]) @ torch.tensor([[2.0, -3.0]])
    found = components(matrix, mean, 1)
    code = encode(found, matrix[None, :, :, None])
    held = torch.einsum("gp,gc->cp", code.weights[:, :, 0], found.directions)
    torch.testing.assert_close(held, matrix - mean[:, None], rtol=1e-5, atol=1e-5)
    assert bool((encode(found, mean[None, :, None, None]).weights < 1e-5).all())


def test_a_share_is_a_ratio_of_sums_and_what_is_there_is_not_measured_again(
    measuring: Measuring, folder: Path, row: Row, tmp_path: Path
) -> None:
    rows = [{"scores": {"one": [4.0, 0.0, 1.0, 3.0, 2]}}, {"scores": {"one": [6.0, 0.0, 4.0, 5.0, 2]}}]
    assert share(rows, "one", ALONE).startswith("0.50 (0.25 to 0.67")
    assert share(rows, "one", WITHOUT).startswith("0.20 (")
    assert kept_table("", rows, ["one"]).row_count == 1
    assert rank_table([row]).row_count == 5
    kept = measure(measuring.network, folder, 2, PLAN, tmp_path / "results.jsonl")
    assert [each["photo"] for each in kept.rows] == [path.name for path in measuring.scored]
    assert kept.rows[0]["scores"].keys() == row["scores"].keys()
    again = measure(measuring.network, folder, 2, PLAN, tmp_path / "results.jsonl", go_on=False)
    assert again.rows == kept.rows
