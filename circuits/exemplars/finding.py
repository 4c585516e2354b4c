"""Find the index of exemplars that was made for a network, or for an atlas."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path

import platformdirs

from circuits.errors import InputError
from circuits.exemplars.exemplars import Exemplars
from circuits.exemplars.storage import IndexFolder, IndexRecord
from circuits.network.network import Network


def find_exemplars(
    network: Network,
    into: str | Path | None = None,
    *,
    folder: str | Path | None = None,
    layers: Collection[str] = (),
) -> Exemplars | None:
    """The index finished last of those made for a network, shown photos as it is now; `None` if there is none.

    Args:
        network: the network; the choice of layers does not matter.
        into: folder that indices are kept in, or one index; `exemplars` in the person's cache folder for circuits, if
            `None`.
        folder: of the photos; any, if `None`.
        layers: an index that has all of these comes before those finished later that have not.

    Raises:
        InputError: if the index is damaged.
    """
    photos = None if folder is None else str(Path(folder).expanduser().resolve())
    return _latest(into, lambda record: photos in (None, record.folder) and _is_of(record, network), layers)


def find_any_exemplars(into: str | Path) -> Exemplars | None:
    """The index finished last of those in a folder, whichever network it was made with; `None` if there is none.

    Raises:
        InputError: if the index is damaged.
    """
    return _latest(into, lambda record: True)


def _latest(
    into: str | Path | None, accepts: Callable[[IndexRecord], bool], layers: Collection[str] = ()
) -> Exemplars | None:
    finished: list[tuple[bool, float, IndexFolder]] = []
    folder = kept_in(into)
    for file in [folder / "index.json"] if is_index(folder) else folder.glob("*/index.json"):
        index = IndexFolder(file.parent)
        record = index.read(file.name)
        if record is not None and record.finished is not None and accepts(record):
            has_all = set(layers) <= {layer.name for layer in record.layers}
            finished.append((has_all, record.finished, index))
    return _opened(max(finished, key=lambda each: each[:2])[2]) if finished else None


def _is_of(record: IndexRecord, network: Network) -> bool:
    """Whether an index was made with a network, shown photos as it is now."""
    preprocessing = json.loads(json.dumps(asdict(network.preprocessing)))
    return bool(record.network.get("sha256") == network.sha256 and record.preprocessing == preprocessing)


def is_index(path: Path) -> bool:
    """Whether a path is an index of exemplars, its folder or its `index.json`, and not a folder of photos."""
    return path.name == "index.json" or (path / "index.json").is_file()


def read_index(path: str | Path, network: Network) -> Exemplars:
    """An index that was made before, wherever it lies.

    Args:
        path: its folder, or its `index.json`.
        network: with which it was made.

    Raises:
        InputError: if it is no finished index, it is damaged, or it was made with another network.
    """
    path = Path(path)
    index = IndexFolder(path.parent if path.name == "index.json" else path)
    record = index.read("index.json")
    if record is None or record.finished is None:
        raise InputError(f"{path} is no index of exemplars that can be used; give the folder of photos itself.")
    if not _is_of(record, network):
        made = record.network.get("name", "another network")
        other = " of other weights or another input size" if made == network.name else f", and not with {network.name}"
        raise InputError(
            f"The index {path} was made with {made}{other}; give the folder of photos itself, {record.folder}, to have "
            "one made."
        )
    return Exemplars(index, record)


def kept_in(into: str | Path | None) -> Path:
    """The folder that indices are kept in."""
    return Path(into) if into is not None else platformdirs.user_cache_path("circuits") / "exemplars"


def _opened(index: IndexFolder) -> Exemplars | None:
    """The finished index; read once more if another process replaced it meanwhile."""
    record = index.read("index.json")
    while record is not None:
        try:
            return Exemplars(index, record)
        except InputError:
            again = index.read("index.json")
            if again == record:
                raise
            record = again
    return None
