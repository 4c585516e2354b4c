"""Exemplars against the plain loop: one photo after another, all kept, sorted at the end."""

from collections import Counter
from pathlib import Path, PurePath

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from circuits.exemplars import quantiles
from circuits.exemplars.accumulator import Accumulator
from circuits.exemplars.build import index_photos
from circuits.exemplars.exemplars import exemplar_crop, exemplar_patch
from circuits.exemplars.loader import PhotoFile, PhotoReader
from circuits.exemplars.quantiles import PERCENTS, QuantileSample
from circuits.exemplars.statistics import StatisticsCollector
from circuits.exemplars.top_k import TopK, photo_number
from circuits.image.photo import load_photo
from circuits.image.preprocessing import Preprocessing
from circuits.network.network import Network
from tests.support.collections_of_photos import SIDE, Tiny, best, looked_at, told
from tests.support.nets import difference, image_for, seeded, zoo_network


def test_lists_quantiles_and_classes_are_those_of_a_plain_loop(network: Network, folder: Path, tmp_path: Path) -> None:
    index = index_photos(network, folder, top=5, into=tmp_path / "kept")
    rows = looked_at(network, folder)
    assert index.photos == 40
    assert index.exact
    assert index.units == len(rows) == 5 + 7 + 3
    negative = 0
    for unit, of_unit in rows.items():
        found = index.of(unit)
        for kind in ("most", "slightly_positive", "slightly_negative", "least"):
            assert told(index, unit, kind) == best(of_unit, kind, 5)
        negative += len(found.slightly_negative)
        for values, column in ((found.peaks, 3), (found.means, 4)):
            expected = np.percentile([row[column] for row in of_unit], PERCENTS)
            assert list(values) == list(PERCENTS)
            assert list(values.values()) == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-6)
        groups = Counter(each.photo.parent.name for each in found.most)
        assert dict(found.classes) == groups
        assert [count for _, count in found.classes] == sorted(groups.values(), reverse=True)
    assert negative > 10


def test_equal_values_are_told_apart_by_the_photos_numbers_whatever_their_order() -> None:
    numbers = [7, 3, 9, 1, 5]
    scores = torch.tensor([[2.0], [1.0], [2.0], [2.0], [-torch.inf]])
    places = torch.arange(5, dtype=torch.int32)[:, None]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [3, 1, 4, 0, 2]):
        found = TopK.empty(1, 2)
        for at in order:
            found = found.merged(scores[[at]], torch.tensor([numbers[at]]), places[[at]])
        assert found.photos.tolist() == [[1, 7]]
        assert found.positions.tolist() == [[3, 0]]
        together = TopK.empty(1, 4).merged(scores[order], torch.tensor(numbers)[order], places[order])
        assert together.photos.tolist() == [[1, 7, 9, 3]]
    none = TopK.empty(1, 3).merged(scores[[4, 1]], torch.tensor([5, 3]), places[[4, 1]])
    assert none.photos.tolist() == [[3, -1, -1]]
    assert none.positions.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet", "mobilenet_v2", "resnet18", "efficientnet_b0"])
def test_one_pass_tells_the_same_as_all_maps(name: str) -> None:
    network = zoo_network(name)
    images = image_for(network, 3)
    summary = StatisticsCollector(network, network.layer_list)(images)
    asks = [(layer, None, rectified) for rectified in (False, True) for layer in network.layers]
    with torch.no_grad():
        maps = network.read(images, asks)
    before, after = maps[: len(network.layers)], maps[len(network.layers) :]
    assert difference(summary.peaks, torch.cat([z.amax((2, 3)) for z in before], 1)) < 1e-5
    assert difference(summary.activations, torch.cat([a.amax((2, 3)) for a in after], 1)) < 1e-5
    assert difference(summary.means, torch.cat([a.mean((2, 3)) for a in after], 1)) < 1e-5
    at = torch.cat(
        [z.flatten(2).gather(2, p[..., None].long())[..., 0] for z, p in _places(before, summary.positions)], 1
    )
    assert difference(at, summary.peaks) < 1e-5
    unchanged = network.read(images, asks)
    assert all(torch.equal(one, other) for one, other in zip(maps, unchanged, strict=True))


def _places(maps: tuple[Tensor, ...], positions: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(maps, positions.split([each.shape[1] for each in maps], dim=1), strict=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_photos_are_read_with_exactly_the_pixels_of_the_preprocessing(channels: int, tmp_path: Path) -> None:
    see = Preprocessing((30, 24), 32, (0.485, 0.456, 0.406)[:channels], (0.229, 0.224, 0.225)[:channels], "bicubic")
    chance = np.random.default_rng(1)
    for number, size in enumerate([(61, 47), (20, 90), (32, 32)]):
        pixels = chance.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((size[0] * 2, size[1])).save(tmp_path / f"{number}.jpg")
        read = PhotoReader(tmp_path, see)(PhotoFile(PurePath(f"{number}.jpg"), 0, 0)).pixels
        assert read is not None
        expected = see.to_tensor(load_photo(tmp_path / f"{number}.jpg").image)[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(read, expected)


def test_memory_and_files_do_not_grow_with_the_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "SAMPLE", 32)
    tally = Accumulator.empty(15, 4)
    sizes = []
    from circuits.exemplars.statistics import UnitStatistics

    for part in range(6):
        values = torch.randn((16, 15), generator=seeded(part))
        summary = UnitStatistics(values, torch.zeros((16, 15), dtype=torch.int32), values.relu(), values)
        tally = tally.with_photos(list(range(part * 16, part * 16 + 16)), summary)
        sizes.append(sum(each.nbytes for each in tally.tensors().values()))
    assert sizes[0] < sizes[1] == sizes[2] == sizes[5]


def test_beyond_its_size_the_sample_does_not_depend_on_the_order_and_knows_the_extremes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quantiles, "SAMPLE", 100)
    numbers, values = numbered(2000)
    sample, other = QuantileSample.empty(1), QuantileSample.empty(1)
    for part in torch.arange(2000).split(64):
        sample = sample.merged(numbers[part], {"peaks": values[part], "means": -values[part]})
    for part in torch.randperm(2000, generator=seeded()).split(700):
        other = other.merged(numbers[part], {"peaks": values[part], "means": -values[part]})
    assert sample.seen == 2000 > len(sample.photos)
    assert sample.photos.tolist() == sorted(numbers.tolist())[:100] == other.photos.tolist()
    for what in ("peaks", "means"):
        assert torch.equal(sample.quantiles(what), other.quantiles(what))
    assert sample.quantiles("peaks")[0, [0, -1]].tolist() == [values.min().item(), values.max().item()]
    kept = values[numbers.argsort()[:100], 0].numpy()
    assert sample.quantiles("peaks")[0, 5].item() == pytest.approx(np.median(kept))


def test_the_error_of_a_sample_is_the_one_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "SAMPLE", 100)
    errors = []
    for salt in range(60):
        numbers, values = numbered(1500, f"{salt}/")
        sample = QuantileSample.empty(1).merged(numbers, {"peaks": values, "means": values})
        errors.append(sample.quantiles("peaks")[0].numpy() - np.array(PERCENTS) / 100)
    shares = np.array(PERCENTS[2:-2]) / 100
    spread = np.sqrt(np.mean(np.square(errors), axis=0))[2:-2]
    assert spread == pytest.approx(np.sqrt(shares * (1 - shares) / 100), rel=0.35)


def numbered(count: int, prefix: str = "") -> tuple[Tensor, Tensor]:
    """Numbers of some photos, and values of which a share p is below p."""
    numbers = torch.tensor([photo_number(PurePath(f"{prefix}{number}.jpg")) for number in range(count)])
    return numbers, torch.arange(count, dtype=torch.float32)[:, None] / count


def test_percentile_is_the_share_of_photos_with_a_lower_peak(network: Network, folder: Path, tmp_path: Path) -> None:
    index = index_photos(network, folder, into=tmp_path)
    peaks = index.of("one:2").peaks
    assert index.percentile("one:2", peaks[100] + 1) == 100
    assert index.percentile("one:2", -1.0) == 0
    assert index.percentile("one:2@1,1", peaks[50]) == pytest.approx(
        min(percent for percent in PERCENTS if peaks[percent] == peaks[50])
    )
    low, high = peaks[99], peaks[100]
    assert high > low
    assert index.percentile("one:2", (low + high) / 2) == pytest.approx(99.5)
    values = [index.percentile("one:2", value) for value in np.linspace(peaks[0], peaks[100], 50)]
    assert values == sorted(values)


def test_patches_are_cut_from_what_the_network_saw(network: Network, folder: Path, tmp_path: Path) -> None:
    exemplar = index_photos(network, folder, into=tmp_path).of("one:0").most[0]
    seen = exemplar_crop(network, exemplar)
    assert seen.size == (SIDE, SIDE)
    row, column = exemplar.position
    patch = exemplar_patch(network, "one:0", exemplar)
    assert patch.tobytes() == seen.crop((column, row, column + 3, row + 3)).tobytes()
    weight, bias = Tiny().one.weight[0], Tiny().one.bias[0]
    pixels = torch.from_numpy(np.array(patch)).permute(2, 0, 1) / 255
    assert (weight * pixels).sum().item() + bias.item() == exemplar.value
