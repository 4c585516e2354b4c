"""The benchmark with planted parts: its pictures hold what they say, and its scores are what they are called."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray
from torch import nn

from benchmarks import bench_planted, planted
from benchmarks.bench_planted import (
    MODES,
    PlantedScore,
    Small,
    as_input,
    interval,
    losses,
    recognized,
    responding,
    score,
    scores_of,
)
from benchmarks.planted import CELL, CLASSES, GRID, PARTS, SIDE, areas_under_curve, peaks_in_cells, plant, stencil
from circuits import Network, prepare


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return prepare(
        Small().eval(), name="planted", preprocessing=bench_planted.SEE, labels=planted.LABELS, multi_label=True
    )


def test_a_mask_lies_in_the_cell_of_its_part_and_what_it_covers_is_drawn_there() -> None:
    made = plant(40, 0, classed=False)
    for n in range(40):
        for row, column in np.ndindex(GRID, GRID):
            box = slice(CELL * row, CELL * (row + 1)), slice(CELL * column, CELL * (column + 1))
            inside = [part for part in range(len(PARTS)) if made.masks[n, part][box].any()]
            part = made.parts[n, row, column]
            assert inside == ([] if part == planted.EMPTY else [part])
            if part != planted.EMPTY:
                cell, mask = made.pictures[n][box].astype(float), made.masks[n, part][box]
                height, width = (int(np.ptp(np.nonzero(mask.any(axis))[0])) + 1 for axis in (1, 0))
                assert 12 <= max(height, width) <= 15
                assert cell[mask].mean() > cell[~mask].mean() + 50
    assert made.pictures.shape == (40, SIDE, SIDE, 3)
    assert (made.asked == -1).all()


def test_a_class_is_there_if_and_only_if_both_of_its_parts_are() -> None:
    made = plant(200, 1)
    for n in range(200):
        present = set(made.parts[n].flat) - {planted.EMPTY}
        assert made.classes[n].tolist() == [set(pair) <= present for pair in CLASSES]
        assert made.classes[n, made.asked[n]]
        assert 2 <= len(present) <= 5
    assert set(made.asked) == set(range(len(CLASSES)))
    assert sum(len(set(made.parts[n].flat)) > 3 for n in range(200)) > 100
    parts, times = np.unique(CLASSES, return_counts=True)
    assert (parts.tolist(), times.tolist()) == ([0, 1, 2, 3, 4, 5], [2] * 6)


def test_the_same_seed_gives_the_same_pictures_and_another_one_others() -> None:
    first, again, other = plant(3, 5), plant(3, 5), plant(3, 6)
    assert np.array_equal(first.pictures, again.pictures)
    assert np.array_equal(first.masks, again.masks)
    assert not np.array_equal(first.pictures, other.pictures)


def test_no_two_parts_look_alike() -> None:
    drawn = [stencil(part, 14) for part in range(len(PARTS))]
    for one, first in enumerate(drawn):
        assert 0.2 < first.mean() < 0.8
        for second in drawn[one + 1 :]:
            assert np.abs(first - second).mean() > 0.3


def test_peaks_in_cells_are_those_of_a_loop() -> None:
    activation = np.random.default_rng(0).normal(size=(2, 3, 12, 6)).astype(np.float32)
    found = peaks_in_cells(activation)
    for n, channel, row, column in np.ndindex(2, 3, GRID, GRID):
        cell = activation[n, channel, 4 * row : 4 * row + 4, 2 * column : 2 * column + 2]
        assert found[n, channel, row, column] == max(cell.flat)


def slow_area(peaks: NDArray[np.float32], parts: NDArray[np.int64], channel: int, part: int) -> float:
    """By the definition: over all pairs of a cell with the part and a cell with another."""
    values = peaks[:, channel]
    mine, others = values[parts == part], values[(parts != part) & (parts != planted.EMPTY)]
    return float(np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a in mine for b in others]))


def test_areas_under_the_curve_are_those_of_all_pairs_ties_included() -> None:
    parts = plant(25, 3, classed=False).parts
    peaks = np.random.default_rng(1).integers(0, 6, (25, 4, GRID, GRID)).astype(np.float32)
    peaks[:, 1][parts == 2] += 9
    peaks[:, 2][(parts == 0) | (parts == 1)] += 9
    peaks[:, 3] = 0
    found = areas_under_curve(peaks, parts)
    expected = [[slow_area(peaks, parts, channel, part) for part in range(len(PARTS))] for channel in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[1, 2] == 1
    assert 0.8 < min(found[2, 0], found[2, 1]) < 1
    assert (found[3] == 0.5).all()


def test_a_score_counts_channels_of_the_class_of_others_and_parts_found() -> None:
    responds = np.zeros((6, len(PARTS)), dtype=bool)
    responds[0, 0] = responds[1, 1] = responds[2, 3] = responds[3, [1, 3]] = responds[4, 5] = True
    wanted, others = (0, 1), (3,)
    assert score(responds, [0, 1, 2, 3, 4, 5], wanted, others) == PlantedScore(3 / 6, 1 / 6, 1.0, 6)
    assert score(responds, [3, 2], wanted, others) == PlantedScore(0.5, 0.5, 0.5, 2)
    assert score(responds, [4, 5], wanted, others) == PlantedScore(0.0, 0.0, 0.0, 2)
    assert score(responds, [], wanted, others) == PlantedScore(0.0, 0.0, 0.0, 0)


def test_an_interval_holds_the_mean_and_narrows_with_more_pictures() -> None:
    values = np.random.default_rng(0).normal(3, 1, 400)
    mean, low, high = interval(values.tolist())
    assert mean == values.mean()
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert low < mean < high
    _, low, high = interval(values[:25].tolist())
    assert high - low > 0.5
    assert interval([2.0, 2.0]) == (2.0, 2.0, 2.0)


class Detector(nn.Module):
    """Two channels: the brightness, and the darkness; in halves of the side, so that there is a layer to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 2, 1), nn.Linear(2, len(CLASSES))
        with torch.no_grad():
            self.conv.weight[:] = torch.tensor([1.0, -1.0])[:, None, None, None]
            self.conv.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


def test_a_channel_responds_to_the_part_that_it_tells_from_the_others() -> None:
    """Only the wing is drawn at all: the brightness finds it in each picture, the darkness finds nothing."""
    made = plant(30, 4, classed=False)
    dark = np.full_like(made.pictures, 20)
    wing = made.masks[:, PARTS.index("wing")]
    dark[wing] = 250
    network = prepare(Detector(), preprocessing=bench_planted.SEE, labels=planted.LABELS)
    shown = planted.Planted(dark, made.asked, made.classes, made.parts, made.masks)
    [table] = responding(network, network.layers[:1], shown).values()
    assert table[0].tolist() == [part == "wing" for part in PARTS]
    assert not table[1].any()


def test_scores_and_losses_of_a_network_are_told_for_each_layer_and_way(network: Network) -> None:
    layers = network.layers[-2:0:-1]
    assert layers == ("conv4", "conv3", "conv2")
    test = plant(3, 9)
    width = {layer: network.layer(layer).channels for layer in layers}
    everything = {layer: np.ones((width[layer], len(PARTS)), dtype=bool) for layer in layers}
    found = scores_of(network, everything, test, 0, 5)
    assert set(found) == {(layer, way) for layer in layers for way in (*MODES, "|activation|", "peak", "any channel")}
    assert found["conv4", "sum"] == found["conv4", "peak"] == PlantedScore(1.0, 0.0, 1.0, 5)
    assert found["conv2", "any channel"] == PlantedScore(1.0, 0.0, 1.0, 32)
    both = losses(network, "conv4", everything["conv4"], test)
    assert both["its first part"][1] == [48] * 3
    for drop, image, asked in zip(both["its first part"][0], as_input(test.pictures), test.asked, strict=True):
        before = network.logits(image[None])[0, asked]
        assert drop == pytest.approx(float(before - network.traced.fc.bias[asked]), abs=1e-5)
    none = losses(network, "conv4", ~everything["conv4"], test)
    assert none["its first part"][0] == pytest.approx([0.0] * 3, abs=1e-7)
    assert none["its first part"][1] == [0] * 3


def test_only_pictures_whose_class_is_seen_are_kept(network: Network) -> None:
    test = plant(60, 2)
    logits = network.logits(as_input(test.pictures)).numpy()
    seen = [n for n in range(60) if logits[n, test.asked[n]] > 0]
    assert 0 < len(seen) < 60
    kept = recognized(network, test)
    assert np.array_equal(kept.pictures, test.pictures[seen])
    assert np.array_equal(kept.parts, test.parts[seen])


def test_a_few_steps_of_training_bring_the_loss_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_planted, "BATCH", 8)
    before, after = (bench_planted.train(steps, 0) for steps in (2, 12))
    test = plant(32, 8)
    wanted = torch.from_numpy(test.classes).float()
    with torch.no_grad():
        lost = [
            float(nn.functional.binary_cross_entropy_with_logits(module(as_input(test.pictures)), wanted))
            for module in (before, after)
        ]
    assert lost[1] < lost[0]


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In place of training, a network with seeded weights."""

    def train(steps: int, seed: int, head: str) -> Small:
        torch.manual_seed(seed)
        return Small(head).eval()

    monkeypatch.setattr(bench_planted, "train", train)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("untrained")
def test_the_benchmark_runs_from_end_to_end_and_tells_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    bench_planted.main(pictures=12, probe=40, top=2)
    said = capsys.readouterr().out
    for words in ("classes right in new pictures", "of 48 channels respond to a part", "any channel", "as many, any"):
        assert words in said
    assert said.count("conv3") == 1 + len((*MODES, "|activation|", "peak", "any channel")) + 4


@pytest.mark.usefixtures("untrained")
def test_a_network_that_sees_no_class_is_told_of_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "logits", lambda network, images: torch.full((len(images), len(CLASSES)), -1.0))
    with pytest.raises(typer.BadParameter, match="no class is seen in any of 3 pictures; take more"):
        bench_planted.main(pictures=3, probe=20)
