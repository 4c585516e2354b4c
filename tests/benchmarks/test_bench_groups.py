"""The benchmark of groups: its circuits are those of `trace`, its controls are what they are called, and it goes on."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from benchmarks import groups_tables
from benchmarks.bench_class_groups import HeldOut, recognized, split
from benchmarks.bench_groups import measure, measure_classes
from benchmarks.bench_quality import sample
from benchmarks.groups_measuring import Measuring, Plan, agreement, asked_all, principal, random_channels
from benchmarks.quality_results import Row
from circuits import Network, trace, units_of
from circuits.groups.coding import encode
from circuits.tracing.class_groups import fit_groups
from circuits.tracing.levels import dictionaries_for
from tests.support.nets import seeded

PLAN = Plan(tops=(1, 2), groups=(3, 4), depths=(1, 3), best=(2, 5), ranks=(1,), changed=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("photos")
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(found / f"{number:03}_{number}.png")
    return found


@pytest.fixture(scope="module")
def measuring(network: Network, folder: Path) -> Measuring:
    scored, others = sample(folder, 2, seed=0)
    return Measuring(network, scored, others, PLAN)


@pytest.fixture(scope="module")
def row(measuring: Measuring) -> Row:
    return measuring.row(measuring.scored[0])


def test_circuits_are_those_of_trace(measuring: Measuring, network: Network) -> None:
    path = measuring.scored[0]
    run, target, fitted, _ = measuring._started(path)
    asked = {each.name: each.units for each in measuring.channels(run, target)}
    by_budget = units_of(
        network, trace(network, path, target.id, units=sum(map(len, asked["walk 2"].values())), depth=3)
    )
    for name, circuit in {"walk 2": units_of(network, trace(network, path, target.id, depth=3, top=2))}.items():
        assert {layer: sorted(units) for layer, units in asked[name].items()} == {
            k: sorted(v) for k, v in circuit.items()
        }
    assert {layer: sorted(units) for layer, units in asked["budget 2"].items() if units} == {
        layer: sorted(units) for layer, units in by_budget.items() if units
    }
    for top in PLAN.tops:
        sizes = [{layer: len(units) for layer, units in asked[f"{name} {top}"].items()} for name in ("walk", "G×A")]
        assert sizes[0] == sizes[1]
    best = measuring.best_groups(run, target, fitted)
    assert [sum(map(len, each.units.values())) for each in best] == [2, 5]


def test_whole_and_nothing_are_the_same_for_circuits_of_the_same_layers(row: Row) -> None:
    deep = [each["zero"][0][:2] for name, each in row["scores"].items() if "× 1" not in name]
    assert len(deep) > 10
    assert all(each == pytest.approx(deep[0], abs=1e-5) for each in deep)


def test_first_says_whether_the_class_is_still_the_first(row: Row) -> None:
    for each in row["scores"].values():
        _, probability, first = each["zero"]
        assert first[0] == 1.0
        assert first[2] in (0.0, 1.0)
        if probability[2] > 0.5:
            assert first[2] == 1.0
        if first[2] == 1.0:
            assert probability[2] >= 1 / 5


def test_components_hold_what_lies_in_their_span_and_no_other_control_does() -> None:
    activation = torch.rand(6, 2, generator=seeded(0)) @ torch.rand(2, 20, generator=seeded(1))
    code = encode(principal(activation, 2), activation[None, :, :, None])
    assert code.residual.abs().max() < 1e-5
    drawn = encode(random_channels(activation, 2, np.random.default_rng(0)), activation[None, :, :, None])
    assert (drawn.residual != 0).any(1).flatten().sum() == 4


def test_shares_agree_with_ablation_where_the_value_is_linear(measuring: Measuring, row: Row) -> None:
    """The class is linear in the layer right below it."""
    rank, error = row["ablation"][measuring.layers[0]]
    assert rank == pytest.approx(1)
    assert error < 1e-4
    run, target, fitted, _ = measuring._started(measuring.scored[0])
    assert agreement(run.with_groups(fitted), target, measuring.layers) == row["ablation"]


def test_another_photo_is_the_next_one(measuring: Measuring, row: Row) -> None:
    run, target, _, _ = measuring._started(measuring.scored[1])
    other = dictionaries_for(run, target, 3, 3)
    run, target, _, _ = measuring._started(measuring.scored[0])
    scored = measuring.score(run, target, [asked_all("it", other, measuring.layers)], [measuring.zero])
    assert scored["it"]["zero"] == row["scores"]["another photo 3 × 3"]["zero"]
    assert set(row["stability"]) == {"flip", "crop", "noise", "another photo"}


def test_what_was_measured_is_kept_and_printed(network: Network, folder: Path, row: Row, tmp_path: Path) -> None:
    kept = measure(network, folder, 2, PLAN, tmp_path / "net.jsonl")
    assert [each["photo"] for each in kept.rows] == [row["photo"], *kept.photos - {row["photo"]}]
    assert kept.rows[0]["scores"] == row["scores"]
    before = (tmp_path / "net.jsonl").read_bytes()
    again = measure(network, folder, 2, PLAN, tmp_path / "net.jsonl", go_on=False)
    assert (tmp_path / "net.jsonl").read_bytes() == before
    table = groups_tables.kept_table("it", again.rows, ["groups 3 × 1", "permuted 3 × 3"])
    console = Console(width=160, record=True, file=StringIO())
    console.print(table)
    alone = [each["scores"]["groups 3 × 1"]["zero"][0] for each in again.rows]
    logit = np.median([four[2] / four[0] for four in alone if four[0] > 0])
    assert f"{logit:.2f}" in next(line for line in console.export_text().splitlines() if "groups 3" in line)
    groups_tables.print_tables("it", again.rows, PLAN)


def test_groups_of_a_class_are_fitted_to_its_folder(
    network: Network, folder: Path, measuring: Measuring, tmp_path: Path
) -> None:
    path = measuring.scored[0]
    run, target, _, _ = measuring._started(path)
    assert measuring.class_row(path, tmp_path)["scores"] == {}
    own = tmp_path / "classes" / target.label
    own.mkdir(parents=True)
    for number, other in enumerate(measuring.scored):
        (own / f"{number}.png").write_bytes(other.read_bytes())
    fitted = fit_groups(network, sorted(own.iterdir()), target.unit.channel, groups=3, depth=3)
    asked = asked_all("it", fitted, measuring.layers)
    expected = measuring.score(run, target, [asked], [measuring.zero])["it"]["zero"]
    kept = measure_classes(network, folder, tmp_path / "classes", 2, PLAN, tmp_path / "net classes.jsonl")
    assert kept.rows[0]["scores"]["groups of the class 3 × 3"]["zero"] == expected


def test_groups_of_a_class_are_scored_on_photos_that_they_were_not_fitted_to(
    network: Network, folder: Path, measuring: Measuring, tmp_path: Path
) -> None:
    path = measuring.scored[0]
    label = measuring._started(path)[1].label
    for name in (label, next(each for each in network.labels if each != label)):
        (tmp_path / name).mkdir()
        for number, other in enumerate(sorted(folder.iterdir())):
            (tmp_path / name / f"{number}.png").write_bytes(other.read_bytes())
    held = HeldOut(network, tmp_path, 2, PLAN)
    own = tmp_path / label
    fitted, others = held.split[own]
    assert sorted([*fitted, *others]) == sorted(own.iterdir())
    assert split(own, 2, PLAN.seed) == (fitted, others)
    channel = network.find_class(label)
    rows = held.rows(own, 5)
    assert [row["photo"] for row in rows] == [each.name for each in recognized(network, others, channel, 5)]
    assert len(recognized(network, sorted(own.iterdir()), channel, 1)) == 1
    asked = asked_all("it", fit_groups(network, fitted, channel, groups=3, depth=3), held.measuring.layers)
    for row in rows:
        run, target, _, _ = held.measuring._started(own / row["photo"])
        expected = held.measuring.score(run, target, [asked], [held.measuring.zero])["it"]["zero"]
        assert row["scores"]["of the class × 3"]["zero"] == expected
    assert rows
