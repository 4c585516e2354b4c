"""Pictures on disk, so that a unit is drawn once per machine.

A picture's address is the sha256 of all that decides what it looks like: the network's fingerprint, the unit (or a
layer and a direction's numbers), the settings. It is kept as `ab/ab12….webp` below the store's folder, written
atomically. Its EXIF description is a record in JSON: address, unit, activation, zoom, and `seal`, the sha256 of those
and of the pixels. A file that is cut short, altered, or put in another's place does not fit its seal or its address; it
is removed and counts as missing. Several processes may share a folder.

The pictures of the built-in network come with the package, in one archive of images before they are enlarged. Its
`index.json` has for each picture the address, file, unit, activation and zoom. As the address covers the network's
fingerprint and all settings, they are found for the very network and settings that they were drawn with.
"""

import atexit
import functools
import hashlib
import io
import json
import logging
import math
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import platformdirs
from PIL import Image

from circuits.errors import InputError
from circuits.files import write_atomically
from circuits.groups.layer_direction import LayerDirection, Subject
from circuits.network.network import Network
from circuits.units import Address, Group, Progress, Unit, as_unit, parse_address
from circuits.visualization.forward import Canvas
from circuits.visualization.metadata import DESCRIPTION
from circuits.visualization.render import OnPicture, Picture, can_be_dead, draw, subjects
from circuits.visualization.settings import DEFAULT, Settings, chosen


class DamagedError(Exception):
    """The bytes are not the picture that they are taken for."""


def pack(picture: Picture, key: str) -> bytes:
    """The file of a picture, lossless.

    >>> image = Image.new("RGB", (16, 16), "teal")
    >>> unpack(pack(Picture(Unit("conv1", 3), image, 2.5), "ab12"), "ab12").activation
    2.5
    """
    image = picture.image.convert("RGB")
    record: dict[str, object] = {
        "key": key,
        "unit": str(picture.unit),
        "activation": picture.activation,
        "zoom": picture.zoom,
    }
    record["seal"] = _seal(record, image)
    exif = Image.Exif()
    exif[DESCRIPTION] = json.dumps(record)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, exif=exif)
    return buffer.getvalue()


def unpack(data: bytes, key: str) -> Picture:
    """The picture of a file; a `DamagedError` if the bytes are not what was packed under this key."""
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as opened:
            record = json.loads(opened.getexif()[DESCRIPTION])
            image = opened.convert("RGB")
        seal = record.pop("seal")
        if record["key"] != key or seal != _seal(record, image) or not math.isfinite(record["activation"]):
            raise DamagedError(f"it is not the picture {key}")
        return Picture(parse_address(record["unit"]), image, float(record["activation"]), int(record["zoom"]))
    except DamagedError:
        raise
    except Exception as error:  # a damaged file makes decoders raise what they will
        raise DamagedError(str(error) or type(error).__name__) from error


def _seal(record: dict[str, object], image: Image.Image) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    digest.update(f"\n{image.width}x{image.height} RGB\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


INDEX = "index.json"

_KEY = re.compile(r"[0-9a-f]{64}")
_LOG = logging.getLogger(__name__)


class PictureArchive:
    """An archive of pictures, found by their address.

    Args:
        archive: a file of the form that `training.builtin.pictures` writes; one that is missing or damaged is empty.
            By default that in the package.

    >>> PictureArchive(Path("missing.zip")).get("ab12") is None
    True
    """

    def __init__(self, archive: Path | Traversable | None = None) -> None:
        self._archive = archive or resources.files("circuits").joinpath("builtin", "pictures.zip")

    def get(self, key: str) -> Picture | None:
        """The picture of that address, or `None`."""
        entry = self._index.get(key)
        if entry is None:
            return None
        try:
            data = self._member(entry["file"])
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as opened:
                drawn = opened.convert("RGB")
            zoom = int(entry["zoom"])
            image = Canvas(drawn.width, zoom).enlarge(drawn)
            return Picture(Unit.parse(entry["unit"]), image, float(entry["activation"]), zoom)
        except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
            _LOG.warning("A picture in %s is damaged (%s); it is drawn anew.", self._archive, error)
            return None

    def _member(self, name: str) -> bytes:
        with self._archive.open("rb") as file, zipfile.ZipFile(file) as members:
            return members.read(name)  # checked against the archive's checksum

    @functools.cached_property
    def _index(self) -> dict[str, dict[str, str]]:
        if not self._archive.is_file():
            return {}
        try:
            entries: list[dict[str, str]] = json.loads(self._member(INDEX))["pictures"]
            return {entry["key"]: entry for entry in entries}
        except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
            _LOG.warning("%s is damaged (%s); its pictures are drawn anew.", self._archive, error)
            return {}


class PictureStore:
    """Pictures by their address, in a folder.

    If the folder cannot be written to, that is logged once, and pictures are kept in a temporary folder until the
    process ends: a picture that was drawn is always shown.

    Args:
        folder: where; by default `pictures` in the person's cache folder for circuits.
        shipped: pictures that come along, looked up where the folder has none; by default those in the package.

    >>> from circuits import load_network
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = PictureStore(folder.name)
    >>> store.get(network, "features.4:17") is None
    True
    >>> [picture] = pictures(network, ["features.4:17"], settings=Settings(size=32, steps=1), store=store)
    >>> store.get(network, "features.4:17", Settings(size=32, steps=1)).activation == picture.activation
    True
    >>> folder.cleanup()
    """

    def __init__(self, folder: str | Path | None = None, *, shipped: PictureArchive | None = None) -> None:
        self.folder = Path(folder) if folder is not None else platformdirs.user_cache_path("circuits") / "pictures"
        self._shipped = PictureArchive() if shipped is None else shipped
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()
        self._fallback: Path | None = None

    def key(
        self, network: Network | str, unit: Subject | str, settings: Settings = DEFAULT, *, variant: str = ""
    ) -> str:
        """Address of a unit's picture: 64 hexadecimal digits. All neurons of a channel share a picture.

        A network may be given by its sha256 alone. `variant` names one of several pictures of a unit that are drawn
        with the same settings.
        """
        unit = _as_subject(unit)
        if isinstance(unit, LayerDirection):
            asked = f"{unit.layer}/{hashlib.sha256(unit.data).hexdigest()}"
        else:
            asked = str(unit.whole) if unit.position is None else f"{unit.whole}@middle"
        fingerprint = network if isinstance(network, str) else network.sha256
        decisive = [fingerprint, asked, asdict(settings), *([variant] if variant else [])]
        text = json.dumps(decisive, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def get(
        self, network: Network, unit: Subject | str, settings: Settings = DEFAULT, *, variant: str = ""
    ) -> Picture | None:
        """The picture of a unit, or `None` if there is no undamaged one."""
        picture = self.find(self.key(network, unit, settings, variant=variant))
        unit = _as_subject(unit)
        return None if picture is None else replace(picture, unit=unit, is_rectified=can_be_dead(network, unit))

    def find(self, key: str) -> Picture | None:
        """The picture of an address, or `None` if there is no undamaged one."""
        return self._read(key) or self._shipped.get(key)

    def put(self, network: Network, picture: Picture, settings: Settings = DEFAULT, *, variant: str = "") -> None:
        """Keep a picture that was drawn; one that is there is replaced."""
        assert not isinstance(picture.unit, Group)  # which a picture has that was read, not drawn
        self._write(self.key(network, picture.unit, settings, variant=variant), picture)

    def path(self, key: str) -> Path | None:
        """The WebP file of a picture's address, or `None` if there is no undamaged one; shipped ones are unpacked."""
        if not _KEY.fullmatch(key):
            return None
        if not self._holds(key) and (shipped := self._shipped.get(key)) is not None:
            self._write(key, shipped)
        return self._find(key)

    def _find(self, key: str) -> Path | None:
        folders = [self.folder] if self._fallback is None else [self._fallback, self.folder]
        files = [folder / key[:2] / f"{key}.webp" for folder in folders]
        with suppress(OSError):
            return next((file for file in files if file.is_file()), None)
        return None

    def _holds(self, key: str) -> bool:
        """Whether the folder has the picture, undamaged; a file that has not changed is not read again."""
        file = self._find(key)
        with suppress(OSError):
            if file is not None and self._seen.get(key) == _state(file):
                return True
        return self._read(key) is not None

    def _read(self, key: str) -> Picture | None:
        """The picture in the folder; a damaged file is removed."""
        file = self._find(key)
        if file is None:
            return None
        try:
            state = _state(file)
            picture = unpack(file.read_bytes(), key)
        except OSError as error:
            _LOG.warning("%s cannot be read (%s); its picture is drawn anew.", file, error)
            return None
        except DamagedError as error:
            _LOG.warning("%s is damaged (%s); it is removed, to be drawn anew.", file, error)
            with suppress(OSError):
                file.unlink()
            return None
        self._seen[key] = state
        return picture

    def _write(self, key: str, picture: Picture) -> None:
        data = pack(picture, key)
        if self._fallback is None:
            try:
                _save(self.folder, key, data)
                return
            except (OSError, InputError) as error:
                _LOG.warning("Pictures are kept until this program ends, and no longer: %s", error)
        try:
            _save(self._temporary(), key, data)
        except (OSError, InputError) as error:
            _LOG.warning("The picture %s is not kept: %s", picture.unit, error)

    def _temporary(self) -> Path:
        """A folder for this process alone, made when the real one fails."""
        with self._lock:
            if self._fallback is None:
                self._fallback = Path(tempfile.mkdtemp(prefix="circuits-"))
                atexit.register(shutil.rmtree, self._fallback, ignore_errors=True)
            return self._fallback


def _as_subject(given: Subject | str) -> Subject:
    return given if isinstance(given, LayerDirection) else as_unit(given)


def _save(folder: Path, key: str, data: bytes) -> None:
    place = folder / key[:2]
    place.mkdir(parents=True, exist_ok=True)
    write_atomically(place / f"{key}.webp", data)


def _state(file: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or rewritten."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def pictures(
    network: Network,
    units: Subject | str | Sequence[Subject | str],
    *,
    settings: Settings | None = None,
    store: PictureStore | None = None,
    progress: Progress | None = None,
    on_picture: Callable[[Picture], None] | None = None,
    on_preview: OnPicture | None = None,
    **choices: Any,
) -> list[Picture]:
    """Pictures of units: from the store, and drawn and stored where they are missing.

    Args:
        network: the network.
        units: as in `render`.
        settings: as in `render`.
        store: where they are kept; the person's cache folder by default.
        progress: as in `render`; if it raises, the pictures finished until then stay in the store.
        on_picture: called with each picture as soon as it is there; those found in the store come first.
        on_preview: as in `render`.
        choices: as in `render`.

    Returns:
        One picture a unit, in order.

    Raises:
        InputError: if a number is out of range, or both settings and their fields are given.
        UnknownError: if a unit or a choice does not exist.
    """
    settings = chosen(network, Settings, settings, choices)
    store = PictureStore() if store is None else store
    wanted = subjects(network, units)
    there: dict[Address | LayerDirection, Picture] = {}

    def keep(picture: Picture) -> None:
        there[picture.unit] = picture
        if on_picture is not None:
            on_picture(picture)

    for unit in dict.fromkeys(wanted):
        if (stored := store.get(network, unit, settings)) is not None:
            keep(stored)
    for drawn in draw(network, [unit for unit in wanted if unit not in there], settings, progress, on_preview):
        for picture in drawn:
            store.put(network, picture, settings)
            keep(picture)
    return [there[unit] for unit in wanted]
