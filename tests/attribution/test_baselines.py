"""What ablated channels are set to: zero, or exact means over photos."""

from pathlib import Path

import pytest
import torch

from circuits import Baseline, InputError, UnknownError, load_photo, mean_of_photos
from circuits.attribution.baseline import resolve
from circuits.exemplars import build
from circuits.exemplars.build import index_photos
from circuits.network.network import Network
from tests.support.collections_of_photos import looked_at, save_photos, tiny_network


@pytest.fixture(scope="module")
def network() -> Network:
    return tiny_network()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_photos(tmp_path / "photos", 21)
    return tmp_path / "photos"


def slow_means(network: Network, folder: Path) -> dict[str, list[float]]:
    """By layer, the mean over photos and positions in a plain loop of Python's floats."""
    means: dict[str, list[float]] = {layer: [] for layer in network.layers}
    for unit, rows in looked_at(network, folder).items():
        means[unit.split(":")[0]].append(sum(row[4] for row in rows) / len(rows))
    return means


def test_the_mean_over_photos_is_that_of_a_plain_loop(network: Network, folder: Path) -> None:
    photos = sorted(folder.rglob("*.png"))  # more than two batches, and the last is not full
    baseline = mean_of_photos(network, photos, source="squares")
    assert (baseline.name, baseline.source, str(baseline)) == (
        "mean", "squares (21 photos)", "mean over squares (21 photos)",
    )  # fmt: skip
    for layer, expected in slow_means(network, folder).items():
        assert baseline.means[layer].dtype == torch.float32
        assert baseline.means[layer].tolist() == pytest.approx(expected, rel=1e-6, abs=1e-7)
    some = mean_of_photos(network, [load_photo(photos[0])], layers=["one"])
    assert list(some.means) == ["one"]
    assert some.source == "1 photo"


def test_an_index_keeps_the_mean_over_all_its_photos_when_it_is_continued_too(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "CHUNK", 8)
    monkeypatch.setattr("circuits.exemplars.quantiles.SAMPLE", 4)  # quantiles are those of a sample, the mean is not
    index_photos(network, folder, into=tmp_path / "kept")
    save_photos(folder, 9, start=21)
    index = index_photos(network, folder, into=tmp_path / "kept")
    assert index.photos == 30
    assert slow_means(network, folder) == {
        layer: pytest.approx(index.mean(layer).tolist(), rel=1e-6) for layer in network.layers
    }
    baseline = Baseline.mean(index)
    assert (baseline.name, baseline.source) == ("mean", "photos (30 photos)")
    assert {layer: mean.tolist() for layer, mean in baseline.means.items()} == {
        layer: index.mean(layer).tolist() for layer in network.layers
    }
    with pytest.raises(UnknownError, match="Layer 'three' is not in the index"):
        index.mean("three")


def test_a_baseline_is_given_as_the_layer_has_it() -> None:
    like = torch.ones(3, 2, 4, 5, dtype=torch.float64)
    zero = Baseline.zero()
    assert (zero.name, zero.source, str(zero)) == ("zero", "", "zero")
    assert zero.of("one", like).tolist() == [[[[0.0]], [[0.0]]]]
    baseline = Baseline("mean", "2 photos", {"one": torch.tensor([1.0, -2.0])})
    found = baseline.of("one", like)
    assert found.dtype == torch.float64
    assert found.tolist() == [[[[1.0]], [[-2.0]]]]


def test_what_a_baseline_cannot_say_gets_a_sentence(network: Network) -> None:
    baseline = Baseline("mean", "2 photos", {"one": torch.tensor([1.0, -2.0])})
    with pytest.raises(UnknownError, match="The mean over 2 photos is not known for layer 'fc', only for one; take it"):
        baseline.of("fc", torch.ones(1, 2, 1, 1))
    with pytest.raises(InputError, match="has 2 channels of one, which has 3; it belongs to another network"):
        baseline.of("one", torch.ones(1, 3, 1, 1))
    with pytest.raises(InputError, match="A mean needs photos, but there are none; give at least one"):
        mean_of_photos(network, [])
    with pytest.raises(UnknownError, match="No layer 'three' in tiny"):
        mean_of_photos(network, ["example:cat"], layers=["three"])


def test_a_baseline_is_zero_or_a_finite_mean() -> None:
    with pytest.raises(InputError, match=r"A baseline's name is 'median'; it must be zero or mean\."):
        Baseline("median")
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(
            InputError, match=r"The mean over 2 photos of one is not finite; take it over photos without"
        ):
            Baseline("mean", "2 photos", {"one": torch.tensor([1.0, wrong])})


def test_a_name_is_no_baseline_to_measure_with() -> None:
    zero, mean = Baseline.zero(), Baseline("mean", "2 photos", {"one": torch.zeros(2)})
    assert [[each.name for each in resolve(given)] for given in (None, zero, mean)] == [
        ["zero"],
        ["zero"],
        ["zero", "mean"],
    ]
    with pytest.raises(InputError, match=r"baseline is 'mean'; give mean_at_hand\(network\) or mean_of_photos\(…\)\."):
        resolve("mean")
