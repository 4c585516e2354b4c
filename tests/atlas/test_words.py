"""An encoder of one's own, in both forms: what it says of planted photos, and what is said of one that is none."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from circuits import InputError, PictureEncoder, UnknownError, suggest_words, units_like
from circuits.atlas.storage import AtlasFolder
from circuits.exemplars.loader import PhotoFile
from circuits.image.photo import load_photo
from circuits.units import Unit

WORDS = ("red", "green", "blue")
CODE = """
import torch

calls = []

class Colours:
    size, mean, std = (4, 8), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def encode_image(self, images):
        print("looking")
        calls.append(len(images))
        assert images.shape[1:] == (3, 4, 8)
        return 7 * images.mean((2, 3))

    def encode_text(self, texts):
        return torch.stack([torch.tensor([1.0 if w == c else -1.0 for c in ("red", "green", "blue")]) for w in texts])

def make():
    return Colours()

made = Colours()

class Broken(Colours):
    def __init__(self, image=None):
        self.image = image
"""


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.size = 4

    @torch.jit.export
    def encode_image(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) - 0.5

    @torch.jit.export
    def encode_text(self, texts: list[str]) -> Tensor:
        rows = []
        for text in texts:
            value = torch.full((3,), -1.0)
            value[["red", "green", "blue"].index(text)] = 1.0
            rows.append(value)
        return torch.stack(rows)

    def forward(self, images: Tensor) -> Tensor:
        return self.encode_image(images)


@pytest.fixture
def atlas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An atlas of noise over photos of one colour each, in which unit 2 has a higher peak in red ones."""
    chance = np.random.default_rng(0)
    colours = np.arange(180) % 3
    photos = []
    for at, colour in enumerate(colours):
        pixels = np.full((6, 6, 3), 40, dtype=np.uint8)
        pixels[..., colour] = 200
        Image.fromarray(pixels + chance.integers(0, 30, 3, dtype=np.uint8)).save(tmp_path / f"{at}.png")
        photos.append(PhotoFile(Path(f"{at}.png"), 1, 0, f"{at:x}"))
    peaks = chance.random((180, 12)).astype(np.float32)
    peaks[:, 2] += 3 * (colours == 0)
    exemplars = SimpleNamespace(
        folder=tmp_path, layers=("c",), sampled_photos=lambda: tuple(photos), sampled_peaks=lambda layer: peaks
    )
    monkeypatch.setattr(AtlasFolder, "class_of_photos", lambda self: dict.fromkeys((each.path for each in photos), 0))
    subject = SimpleNamespace(labels=("x",), network={"sha256": "0" * 64})
    (tmp_path / "atlas").mkdir()
    return SimpleNamespace(
        folder=tmp_path / "atlas", exemplars=exemplars, needed_exemplars=lambda: exemplars,
        record=SimpleNamespace(subject=subject, photos={0: 180}),
        layers=(SimpleNamespace(name="c"), SimpleNamespace(name="fc")), unit=lambda unit: None,
    )  # fmt: skip


def test_both_forms_find_the_planted_unit(atlas: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript will be left behind
        torch.jit.script(Scripted()).save(tmp_path / "mine.pt")
    for path in ("mine.pt", "mine.py:make"):
        encoder = PictureEncoder.load(str(tmp_path / path))
        found = suggest_words(atlas, encoder, WORDS)
        assert list(found) == [Unit("c", 2)], path
        told = found[Unit("c", 2)]
        assert (told.label, told.is_word) == ("red", True)
        assert told.auc > 0.8
        assert list(units_like(atlas, encoder, "red")) == [Unit("c", 2)]
        assert not units_like(atlas, encoder, "green")
    for path in ("mine.py:Colours", "mine.py:made"):
        assert PictureEncoder.load(str(tmp_path / path)).words(["red"]).argmax() == 0
    assert capsys.readouterr().out == ""  # what its code prints is no answer
    directions = torch.cat(list(encoder.pictures([load_photo(tmp_path / "0.png")])))
    assert float(directions.norm()) == pytest.approx(1)


def test_photos_are_shown_once_to_an_encoder_that_stays_the_same(atlas: Any) -> None:
    shown: list[int] = []

    def encoder(sign: float) -> PictureEncoder:
        def encode_image(images: Tensor) -> Tensor:
            shown.append(len(images))
            return sign * (images.mean((2, 3)) - 0.5)

        def encode_text(texts: list[str]) -> Tensor:
            return Scripted().encode_text(texts)

        return PictureEncoder(SimpleNamespace(size=4, encode_image=encode_image, encode_text=encode_text))

    first = suggest_words(atlas, encoder(1), WORDS)
    assert sum(shown) == 180
    assert suggest_words(atlas, encoder(1), WORDS) == first
    assert sum(shown) == 181  # the first photo, to see whether it is the same encoder
    assert suggest_words(atlas, encoder(-1), ["red"]) == {}
    assert sum(shown) == 361
    (atlas.folder / "embeddings.safetensors").write_bytes(b"x" * 100)
    assert suggest_words(atlas, encoder(1), WORDS) == first
    (atlas.exemplars.folder / "40.png").unlink()
    (atlas.folder / "embeddings.safetensors").unlink()
    with pytest.raises(InputError, match=r"has to see the photos of the atlas, and .*40.png is not there any more"):
        suggest_words(atlas, encoder(1), WORDS)


def test_an_encoder_that_is_none_is_refused_in_a_sentence(atlas: Any) -> None:
    for image, said in (
        (lambda images: [1.0], "encode_image gave a list; it must give a tensor"),
        (lambda images: images, r"encode_image gave \(1, 3, 4, 4\) for 1 of them; it must be \(N, D\)"),
        (lambda images: torch.ones(3, 2), r"encode_image gave \(3, 2\) for 1"),
        (lambda images: torch.ones(1, 2, dtype=torch.int64), "gave torch.int64; it must give floating"),
        (lambda images: torch.full((1, 3), torch.nan), "gave NaN, infinity or zeros"),
        (lambda images: torch.zeros(1, 3), "gave NaN, infinity or zeros"),
        (lambda images: 1 / 0, r"encode_image failed \(ZeroDivisionError: division by zero\)\.$"),
        (lambda images: torch.ones(1, 2), "gives 2 numbers for a picture and 3 for a word"),
    ):
        broken = SimpleNamespace(size=4, encode_image=image, encode_text=Scripted().encode_text)
        with pytest.raises(InputError, match=said) as refused:
            suggest_words(atlas, PictureEncoder(broken), WORDS)
        assert "\n" not in str(refused.value)
    assert not (atlas.folder / "suggestions.json").exists()


def test_what_cannot_be_loaded_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE + "def fails():\n    raise RuntimeError('no')\n")
    (tmp_path / "no.pt").write_bytes(b"PK\x03\x04" + bytes(60))
    for path, said in {
        "gone.pt": "There is no encoder",
        "gone.py:make": "There is no file",
        "mine.py": "mine.py is Python code; say what makes the encoder in it, as .*mine.py:Factory",
        "no.pt": "no.pt cannot be loaded as TorchScript",
        "mine.py:calls": "could not be called without arguments: TypeError",
        "mine.py:fails": "could not be called without arguments: RuntimeError: no",
        "mine.py:torch": "could not be called",
        "mine.py:nothing": "has no 'nothing'",
    }.items():
        with pytest.raises((InputError, UnknownError), match=said) as refused:
            PictureEncoder.load(str(tmp_path / path))
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="has no encode_text; an encoder has"):
        PictureEncoder(SimpleNamespace(encode_image=len))
    for wrong in ({"size": "large"}, {"size": 0}, {"mean": (0.5,)}, {"mean": (0.5,), "std": (1.0,)}):
        with pytest.raises(InputError, match="the encoder has a"):
            PictureEncoder(SimpleNamespace(encode_image=len, encode_text=len, **wrong))
