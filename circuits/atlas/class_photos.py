"""The photos of a class: those of an atlas, found again and checked, or those of a folder."""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath

from circuits.atlas.atlas import Atlas
from circuits.atlas.plan import class_of_folder, collect
from circuits.atlas.storage import AtlasFolder
from circuits.errors import InputError, listed
from circuits.exemplars.loader import PhotoFile, files_in
from circuits.exemplars.top_k import photo_number
from circuits.network.network import Network
from circuits.tracing.targets import find_target


def photos_of_folder(network: Network, folder: Path, of: str | int) -> list[Path]:
    """The files of a class: where folders are named after classes those of its own, else all that are there.

    Of a unit, `layer:channel`, all files are taken.

    Args:
        network: whose classes they are.
        folder: the folder, or a CSV file as `circuits atlas` takes it.
        of: the class, or a unit.

    Raises:
        InputError: if there is no such folder, or no photo of the class in it.
        UnknownError: if the network has no such class or unit.
    """
    target = find_target(network, of, 0)
    files: Sequence[PhotoFile] = () if folder.is_file() else tuple(files_in(folder))
    if target.kind == "unit":
        found = collect(network, folder, None) if folder.is_file() else None
        files = files if found is None else [file for some in found.classes.values() for file in some]
        return _by_hash(folder if found is None else found.folder, [file.path for file in files])
    channel = network.find_class(of)
    groups = {file.path.parts[0] for file in files if len(file.path.parts) > 1}
    if folder.is_file() or any(class_of_folder(network, name) is not None for name in groups):
        found = collect(network, folder, [network.labels[channel]])
        folder, files = found.folder, found.classes[channel]
    return _by_hash(folder, [file.path for file in files])


def photos_of_atlas(atlas: Atlas, folder: Path | None, of: str | int) -> list[Path]:
    """The photos that an atlas was made of, of a class, if all of them are there and still the same.

    Args:
        atlas: the atlas.
        folder: of its photos, or of those of the class alone; where they were when it was made, if `None`.
        of: the class; or a unit, of which they are those of all classes.

    Raises:
        InputError: if some are missing or others, or the atlas does not say which they were.
        UnknownError: if the atlas has no photo of the class.
    """
    own, is_class = AtlasFolder(atlas.folder), str(of).rpartition(":")[0] not in atlas.layer_names[:-1]
    label, number = (atlas.find(of).label, f"{atlas.find(of).number:05}") if is_class else ("all classes", "*")
    folder = Path(atlas.record.folder) if folder is None else folder
    files = sorted(atlas.folder.glob(f"buckets/{number}/*.safetensors"))
    entries = [entry for file in files for entry in own.read_photos(file) if not entry.fault]
    if not entries:
        raise InputError(
            f"The atlas in {atlas.folder} does not say which photos it was made of; leave out --atlas, and give a "
            f"folder of photos of {label} with --photos."
        )
    if not folder.is_dir():
        raise InputError(f"The photos of the atlas are not in {folder}, which is no folder; say where, with --photos.")
    # The folder may be that of all classes, or of this one.
    inside = {entry: _inside(folder, entry.path) for entry in entries}
    if missing := [entry for entry, path in inside.items() if path is None]:
        raise InputError(
            f"Of the {len(entries)} photos of {label} in the atlas {len(missing)} are not in {folder}: "
            f"{_named(missing)}; give their folder with --photos, or make the atlas again."
        )
    changed = [entry for entry, path in inside.items() if path is not None and _digest(folder / path) != entry.sha256]
    if changed:
        raise InputError(
            f"Of the {len(entries)} photos of {label} in the atlas {len(changed)} are others now in {folder}: "
            f"{_named(changed)}; give the folder with those that it was made of, or make the atlas again."
        )
    return _by_hash(folder, [path for path in inside.values() if path is not None])


def _by_hash(folder: Path, files: Sequence[PurePath]) -> list[Path]:
    """Files in the order of the hashes of their names, so that the first of them are any."""
    return [folder / file for file in sorted(files, key=lambda file: (photo_number(PurePath(file.name)), file))]


def _inside(folder: Path, path: PurePath) -> PurePath | None:
    """Where in a folder a photo is, whose path begins with its class."""
    return next((each for each in (path, PurePath(*path.parts[1:])) if each.parts and (folder / each).is_file()), None)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _named(entries: Sequence[PhotoFile]) -> str:
    return listed([entry.path.as_posix() for entry in entries], limit=3)
