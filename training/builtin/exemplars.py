"""Make the scores that ship with the built-in network, of the photos that were held out.

python -m training.builtin.exemplars tiny-imagenet-100.npz
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from circuits import builtin
from circuits.exemplars.build import index_photos
from circuits.network.loading import load_network
from circuits.units import Unit
from training.builtin.classes import LABELS, merge

OUT = Path(builtin.__file__).with_name("exemplars.safetensors")


def write_photos(archive: Path, folder: Path) -> int:
    """The photos of the 68 classes that were held out, as they are, one folder a class; how many."""
    with np.load(archive, allow_pickle=False) as read:
        jpeg, offsets, labels, held, names = (read[name] for name in ("jpeg", "offsets", "labels", "is_val", "names"))
    classes = np.asarray(merge(names.tolist()))[labels]
    chosen = np.flatnonzero((classes >= 0) & held)
    for number in chosen.tolist():
        path = folder / LABELS[classes[number]] / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(jpeg[offsets[number] : offsets[number + 1]].tobytes())
    return len(chosen)


def main(arguments: Sequence[str] | None = None) -> None:
    """Index them and write what may ship."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args(arguments)
    network = load_network()
    with tempfile.TemporaryDirectory() as made:
        photos, into = Path(made) / "photos", Path(made) / "index"
        photos.mkdir()
        count = write_photos(given.archive, photos)
        index = index_photos(network, photos, into=into)
        assert index.photos == count
        layers = {layer.name: layer.channels for layer in network.layer_list}
        found = [index.of(Unit(layer, channel)) for layer, channels in layers.items() for channel in range(channels)]
    quantiles = torch.tensor([list(unit.peaks.values()) for unit in found])
    classes = torch.tensor([[LABELS.index(str(each.group)) for each in unit.most] for unit in found], dtype=torch.uint8)
    told = {"photos": str(count), "layers": json.dumps(layers)}
    save_file({"quantiles": quantiles, "classes": classes}, given.out, told)


if __name__ == "__main__":
    main()
