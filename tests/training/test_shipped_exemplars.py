"""The scores that ship are those of an index of the photos that were held out, and of no others."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open

from circuits.exemplars.build import index_photos
from circuits.network.loading import load_network
from circuits.units import Unit
from training.builtin.classes import LABELS
from training.builtin.exemplars import main, write_photos

NAMES = ["tabby", "goldfish", "trilobite"]


def archive(path: Path) -> Path:
    """Thirty photos of three synsets, of which one is of no class; two in three are held out."""
    files = []
    for number in range(30):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(file, "JPEG")
        files.append(file.getvalue())
    np.savez(
        path,
        jpeg=np.frombuffer(b"".join(files), dtype=np.uint8),
        offsets=np.cumsum([0, *map(len, files)]),
        labels=np.arange(30) % 3,
        is_val=np.arange(30) < 20,
        names=np.asarray(NAMES),
    )
    return path


def test_scores_are_those_of_the_index(tmp_path: Path) -> None:
    source, out, folder = archive(tmp_path / "photos.npz"), tmp_path / "out.safetensors", tmp_path / "photos"
    main([str(source), "--out", str(out)])
    folder.mkdir()
    assert write_photos(source, folder) == 14
    assert sorted(path.name for path in folder.iterdir()) == ["cat", "goldfish"]
    network = load_network()
    index = index_photos(network, folder, into=tmp_path / "index")
    with safe_open(out, "pt") as read:
        quantiles, classes = read.get_tensor("quantiles"), read.get_tensor("classes")
        assert read.metadata()["photos"] == "14"
    row = 0
    for layer in network.layer_list:
        for channel in (0, layer.channels - 1):
            unit = index.of(Unit(layer.name, channel))
            assert quantiles[row + channel].tolist() == list(unit.peaks.values())
            assert [LABELS[number] for number in classes[row + channel].tolist()] == [each.group for each in unit.most]
        row += layer.channels
    assert row == len(quantiles)
