"""Draw every unit of the built-in network and pack the pictures: `python -m training.builtin.pictures`.

Writes `pictures.zip` beside the weights: for each unit the image as it was drawn, as a lossy WebP (`conv1/17.webp`),
and `index.json` with its address, activation and zoom. The activation is that of the compressed image. Pictures that
were drawn before are taken from the store, so that a run which was stopped goes on where it ended.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from circuits.files import write_atomically
from circuits.network.network import Network
from circuits.units import Progress, Unit
from circuits.visualization.render import Picture
from circuits.visualization.settings import DEFAULT, Settings
from circuits.visualization.store import INDEX, PictureArchive, PictureStore, pictures

HERE = Path(__file__).parents[2] / "circuits" / "builtin" / "pictures.zip"
QUALITY = 75

# Members carry this date, so that the same pictures give the same archive.
_DATE = (1980, 1, 1, 0, 0, 0)


def all_units(network: Network) -> list[Unit]:
    """Every channel of every layer, from the image up, the class logits last."""
    return [Unit(layer.name, channel) for layer in network.layer_list for channel in range(layer.channels)]


def build(
    network: Network,
    archive: Path = HERE,
    *,
    units: Sequence[Unit] | None = None,
    settings: Settings = DEFAULT,
    store: PictureStore | None = None,
    progress: Progress | None = None,
) -> None:
    """Draw the units and write the archive, whole or not at all.

    Args:
        network: usually the built-in one.
        archive: the file to write.
        units: which; all by default.
        settings: how they are drawn; only pictures with the default settings are found in the package.
        store: where drawn pictures are kept meanwhile.
        progress: called while pictures are drawn; raising in it stops, and nothing is written.

    Raises:
        InputError: if the archive cannot be written.
    """
    none = PictureArchive(archive.with_name("none"))
    store = PictureStore(shipped=none) if store is None else store
    units = all_units(network) if units is None else units
    drawn = pictures(network, units, settings=settings, store=store, progress=progress)
    buffer = io.BytesIO()
    entries = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as members:
        for unit, picture in zip(units, drawn, strict=True):
            data = compress(picture)
            name = f"{unit.layer}/{unit.channel}.webp"
            members.writestr(zipfile.ZipInfo(name, _DATE), data)
            entries.append(
                {
                    "file": name,
                    "unit": str(unit),
                    "key": store.key(network, unit, settings),
                    "activation": reached(network, unit, data),
                    "zoom": picture.zoom,
                }
            )
        index = {"network": network.sha256, "settings": asdict(settings), "pictures": entries}
        members.writestr(zipfile.ZipInfo(INDEX, _DATE), json.dumps(index, indent=1))
    write_atomically(archive, buffer.getvalue())


def compress(picture: Picture) -> bytes:
    """The drawn image, before it was enlarged, as a lossy WebP."""
    buffer = io.BytesIO()
    picture.image.reduce(picture.zoom).save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def reached(network: Network, unit: Unit, data: bytes) -> float:
    """Highest activation of a unit over all positions when the network is shown a compressed image."""
    with Image.open(io.BytesIO(data)) as opened:
        pixels = torch.from_numpy(np.array(opened.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    values = network.activations(network.preprocessing.normalize(pixels), [unit.layer])[unit.layer]
    return float(values[0, unit.channel].max())


def main() -> None:
    """Draw all, showing how far it is."""
    from circuits import load_network
    from circuits.cli.console import note, progress

    with progress("Drawing the built-in network") as report:
        build(load_network("builtin"), progress=report)
    note(f"Wrote {HERE}, {HERE.stat().st_size / 1e6:.1f} MB.")


if __name__ == "__main__":
    main()
