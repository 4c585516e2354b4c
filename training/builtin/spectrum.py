"""Measure the spectrum of the built-in network's training photos: `python -m training.builtin.spectrum NPZ`.

Writes `spectrum.safetensors` beside the weights: the mean magnitude of each frequency and decorrelated colour over all
training photos' periodic components, as 16-bit floats, and the colour matrix. `MacoImages` draws with it. No photo can
be told from it.
"""

import sys
from pathlib import Path

import safetensors.torch
from PIL import Image

from circuits.files import write_atomically
from circuits.visualization.parameterization.maco import Spectrum, magnitude_spectrum
from training.builtin.data import read

HERE = Path(__file__).parents[2] / "circuits" / "builtin" / "spectrum.safetensors"


def pack(spectrum: Spectrum) -> bytes:
    """The file of a spectrum.

    >>> import torch
    >>> len(pack(Spectrum(torch.ones(3, 64, 33), torch.eye(3)))) < 15_000
    True
    """
    return safetensors.torch.save({"magnitudes": spectrum.magnitudes.half(), "matrix": spectrum.matrix.contiguous()})


def main(archive: Path, file: Path = HERE) -> None:
    """Measure the archive's training photos and write the file, whole or not at all."""
    from circuits.cli.console import note

    photos, _ = read(archive)
    images = (Image.fromarray(pixels) for pixels in photos.pixels.permute(0, 2, 3, 1).numpy())
    write_atomically(file, pack(magnitude_spectrum(images, photos.pixels.shape[-1])))
    note(f"Wrote {file}, {len(photos)} photos, {file.stat().st_size / 1e3:.1f} kB.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
