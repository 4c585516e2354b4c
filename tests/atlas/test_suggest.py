"""Suggested names: a planted unit is found, chance is not, and the score is that of photos that did not choose."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from circuits import Atlas, InputError, Network, Suggestion, build_atlas, index_photos, suggest_classes
from circuits.atlas import suggest
from circuits.atlas.storage import AtlasFolder
from circuits.atlas.suggestion import write_suggestions
from circuits.exemplars.loader import PhotoFile
from circuits.units import Unit

PHOTOS, UNITS, CLASSES = 240, 40, 8


@dataclass
class Planted:
    """An atlas of noise, in which unit 3 has a higher peak in photos of class 2."""

    folder: Path
    shuffled: bool = False
    layers: tuple[Any, ...] = (SimpleNamespace(name="c"), SimpleNamespace(name="fc"))
    exemplars: Any = field(init=False)
    record: Any = field(init=False)

    def __post_init__(self) -> None:
        chance = np.random.default_rng(0)
        classes = np.arange(PHOTOS) % CLASSES
        self.peaks = chance.standard_normal((PHOTOS, UNITS)).clip(0).astype(np.float32)
        self.peaks[:, 3] += 2 * (classes == 2)
        self.classes = chance.permutation(classes) if self.shuffled else classes
        names = [PurePath(f"{at}.png") for at in range(PHOTOS)]
        photos = tuple(PhotoFile(name, 1, 0, hashlib.sha256(str(name).encode()).hexdigest()) for name in names)
        self.of = dict(zip(names, self.classes.tolist(), strict=True))
        self.exemplars = SimpleNamespace(
            folder=self.folder, layers=("c",), sampled_photos=lambda: photos, sampled_peaks=lambda layer: self.peaks
        )
        labels = tuple(f"class {number}, other name" for number in range(CLASSES))
        subject = SimpleNamespace(labels=labels, network={"sha256": "0" * 64})
        self.record = SimpleNamespace(subject=subject, photos=dict.fromkeys(range(CLASSES), PHOTOS // CLASSES))

    def unit(self, unit: Unit) -> None:
        pass

    def needed_exemplars(self) -> Any:
        return self.exemplars


@pytest.fixture(params=[False, True], ids=["planted", "shuffled"])
def planted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    made = Planted(tmp_path, request.param)
    monkeypatch.setattr(AtlasFolder, "class_of_photos", lambda self: made.of)
    return made


def slow(values: NDArray[Any], members: NDArray[Any]) -> float:
    """The chance that a member has a higher value than another photo, pair by pair."""
    pairs = [(values[i], values[j]) for i in np.flatnonzero(members) for j in np.flatnonzero(~members)]
    return float(np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs]))


def test_ranks_say_what_pairs_say() -> None:
    chance = np.random.default_rng(1)
    values, members = chance.integers(0, 5, (30, 4)).astype(float), chance.random((30, 3)) < 0.3
    told = suggest.auc(values, members)
    assert told.shape == (3, 4)
    for row, column in np.ndindex(3, 4):
        assert told[row, column] == pytest.approx(slow(values[:, column], members[:, row]), abs=1e-12)
    assert suggest.auc(values, np.zeros((30, 1), dtype=bool)).tolist() == [[0.5] * 4]


def test_a_planted_unit_is_found_and_chance_is_not(planted: Planted) -> None:
    found = suggest_classes(planted)  # type: ignore[arg-type]
    assert list(found) == ([] if planted.shuffled else [Unit("c", 3)])
    if not planted.shuffled:
        sample = suggest.sample_of(planted)  # type: ignore[arg-type]
        held = ~sample.half
        told = found[Unit("c", 3)]
        assert told.auc == pytest.approx(slow(planted.peaks[held, 3], planted.classes[held] == 2))
        inside = int((planted.classes[held] == 2).sum())
        assert (told.photos, told.others) == (inside, int(held.sum()) - inside)
        assert told.auc > 0.85
        assert told.sentence.startswith(f"tells class 2 from the rest, {told.auc:.2f}, held out ({told.photos} photos")


def test_photos_that_choose_would_flatter(planted: Planted) -> None:
    sample = suggest.sample_of(planted)  # type: ignore[arg-type]
    members = planted.classes[:, None] == np.arange(CLASSES)
    noise = np.delete(planted.peaks, 3, axis=1)
    by, held = (suggest.auc(noise[half], members[half]) for half in (sample.half, ~sample.half))
    best = by.argmax(0)
    rows = np.arange(UNITS - 1)
    assert by[best, rows].mean() > 0.59  # of noise
    assert abs(held[best, rows].mean() - 0.5) < 0.03


def test_the_split_goes_by_what_a_photo_is_and_not_by_when_it_came(planted: Planted) -> None:
    before = suggest.sample_of(planted)  # type: ignore[arg-type]
    assert 0.4 < before.half.mean() < 0.6
    photos = planted.exemplars.sampled_photos()
    planted.exemplars.sampled_photos = lambda: photos[::-1]
    after = suggest.sample_of(planted)  # type: ignore[arg-type]
    assert after.half[::-1].tolist() == before.half.tolist()
    assert after.classes[::-1].tolist() == before.classes.tolist()


def test_they_are_kept_in_the_atlas_until_its_photos_change(network: Network, photos: Path, tmp_path: Path) -> None:
    build_atlas(network, photos, tmp_path / "atlas")
    atlas = Atlas.open(tmp_path / "atlas")
    assert dict(atlas.suggestions) == {}
    with pytest.raises(InputError, match="has no exemplars"):
        suggest_classes(atlas)
    index_photos(network, photos, into=tmp_path / "atlas" / "exemplars")
    atlas = Atlas.open(tmp_path / "atlas")
    sample = suggest.sample_of(atlas)
    assert np.bincount(sample.classes).tolist() == [11, 11, 3]
    suggest_classes(atlas)  # of photos of chance, perhaps none
    unit = next(atlas.all_units())
    write_suggestions(atlas, "classes", {unit: Suggestion("class 0", 0.9, 5, 9)})
    write_suggestions(atlas, "words", {unit: Suggestion("fur", 0.8, 2, 12, is_word=True)})
    again = Atlas.open(tmp_path / "atlas")
    assert again.suggestions == {unit: Suggestion("class 0", 0.9, 5, 9)} == atlas.suggestions
    assert again.suggested_words[unit].label == "fur"
    file = tmp_path / "atlas" / "suggestions.json"
    text = file.read_text()
    for broken in (
        '{"format": 1}',
        text[:-9],
        text.replace("0.9", "9"),
        text.replace('"class 0"', "0"),
        text.replace(str(unit), "x:1"),
    ):
        file.write_text(broken)
        with pytest.raises(InputError, match="is damaged, or no file of suggestions"):
            _ = Atlas.open(tmp_path / "atlas").suggestions
    file.write_text('{"format": "circuits-suggestions/1", "network": "other", "classes": {"x:1": {}}}')
    assert dict(Atlas.open(tmp_path / "atlas").suggestions) == {}
