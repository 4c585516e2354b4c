"""The photos that `circuits evaluate` scores, and those that it takes means over."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.console import note
from circuits.errors import InputError

if TYPE_CHECKING:
    from circuits.attribution.ablation import Baseline
    from circuits.image.photo import Photo
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit


def photos_of(network: "Network", names: Sequence[str]) -> "list[Photo]":
    """Photos by their files, and those in folders, each once; of each only what the network sees is kept in memory.

    Raises:
        InputError: if a name is empty, a file is no photo, or a folder has none.
    """
    from circuits.evaluation import evaluate
    from circuits.image.photo import load_photo

    found: list[Photo] = []
    for name in names:
        if not name:
            raise InputError("A photo's name is empty; give a file, a folder or example:cat.")
        if not name.startswith("example:") and Path(name).is_dir():
            found += _in_folder(network, Path(name))
        else:
            found.append(_seen(network, load_photo(name)))
    return evaluate.photos_of(found)


def _seen(network: "Network", photo: "Photo") -> "Photo":
    """A photo of which no more is at hand than what the network sees."""
    return replace(photo, image=network.preprocessing.crop_of(photo), whole=False)


def _in_folder(network: "Network", folder: Path) -> "list[Photo]":
    """The photos in a folder; files that are none are counted on standard error."""
    from circuits.exemplars.loader import files_in
    from circuits.image.photo import load_photo

    found: list[Photo] = []
    skipped = 0
    for entry in files_in(folder):
        try:
            found.append(_seen(network, load_photo(folder / entry.path)))
        except InputError:
            skipped += 1
    if not found:
        raise InputError(f"There is no photo in {folder}; give a folder with PNG or JPEG files in it.")
    if skipped:
        others = "1 file" if skipped == 1 else f"{skipped} files"
        note(f"{others} in {folder} cannot be read as a photo; left out.")
    return found


def baselines_of(
    network: "Network", circuit: "Circuit", wanted: str | None, photos: "Sequence[Photo]"
) -> "list[Baseline] | None":
    """Zero, and the mean that is asked for; `None` leaves the choice to the library.

    Args:
        network: the circuit's.
        circuit: whose layers the means are of.
        wanted: `index`, `photos`, `none`, a folder, or `None`.
        photos: those that were given.

    Raises:
        InputError: if there is no index, there are no photos, or nothing of that name.
    """
    from circuits.attribution.ablation import Baseline, mean_of_photos
    from circuits.exemplars.exemplars import find_exemplars

    if wanted is None:
        return None
    zero = Baseline.zero()
    if wanted == "none":
        return [zero]
    if wanted == "index":
        index = find_exemplars(network)
        if index is None:
            raise InputError(f"There is no index of exemplars for {network.name}; make one with circuits exemplars.")
        return [zero, Baseline.mean(index)]
    if wanted == "photos" and not photos:
        raise InputError("--mean-over photos needs photos to take the mean over; give some after the circuit.")
    if wanted != "photos" and not Path(wanted).is_dir():
        raise InputError(f"--mean-over {wanted!r} is no folder; give one, or index, photos or none.")
    some = photos if wanted == "photos" else _in_folder(network, Path(wanted))
    source = "the photos that are scored" if wanted == "photos" else Path(wanted).resolve().name
    return [zero, mean_of_photos(network.with_layers(circuit.layers), some, source=source)]
