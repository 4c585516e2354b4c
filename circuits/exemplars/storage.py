"""An index of exemplars on disk: what is written, in which order, so that it survives being killed at any moment.

    <index>/lock                      held by the process that works on it, freed by the system when it ends
    <index>/index.json                the finished index: read by everyone
    <index>/progress.json             how far unfinished work has come, in the same form
    <index>/<generation>/photos-000003.jsonl    the files of the third chunk, one a line, never changed
    <index>/<generation>/arrays-000003.safetensors    lists and samples after the third chunk

Every file is written whole or not at all. A chunk counts from the moment that `progress.json` names it, which is
written last; when all is done the same record becomes `index.json`. What no record names is removed.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from circuits.errors import InputError
from circuits.exemplars.loader import PhotoFile
from circuits.files import locked, write_atomically

FORMAT = "circuits-exemplars/2"
_OLDER = frozenset({"circuits-exemplars/1"})
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LayerRecord:
    """The shape of a layer's activation."""

    name: str
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class IndexRecord:
    """What an index holds, apart from arrays and the list of files.

    `network` has name, source and sha256; `folder` is that of the photos, `generation` the name of that of the other
    files; `top` photos are in each list, `parts` chunks were written, `photos` indexed and `skipped` files cannot be
    read; `finished` is in seconds since 1970, `None` while there is more to do.
    """

    network: Mapping[str, str]
    preprocessing: Mapping[str, Any]
    folder: str
    layers: tuple[LayerRecord, ...]
    top: int
    generation: str
    parts: int = 0
    photos: int = 0
    skipped: int = 0
    finished: float | None = None

    @property
    def units(self) -> int:
        return sum(layer.channels for layer in self.layers)

    def to_json(self) -> str:
        """The contents of `index.json`."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=1)

    @classmethod
    def of_json(cls, text: str) -> "IndexRecord":
        """What `to_json` wrote.

        Raises:
            ValueError: if it is something else.
        """
        try:
            facts = dict(json.loads(text))
            written = facts.pop("format")
            if written in _OLDER:
                raise ValueError(f"it is of an older version, {written}: index the photos again to use them")
            if written != FORMAT:
                raise ValueError("another format")
            layers = tuple(LayerRecord(**layer) for layer in facts.pop("layers"))
            return cls(layers=layers, **facts)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no record of an index ({error})") from None


class IndexFolder:
    """The folder of one index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locked(self, *, wait: bool = False) -> AbstractContextManager[None]:
        """Keep other processes out while a block runs.

        Args:
            wait: until another process is done that is at work.

        Raises:
            InputError: if another process is at work and is not waited for, or the folder cannot be made.
        """
        return locked(
            self.folder / "lock",
            busy=f"Another process is at work on the index in {self.folder}; wait until it is done, or keep a second "
            "index in another folder.",
            patience=-1.0 if wait else 0.0,
        )

    def read(self, name: str) -> IndexRecord | None:
        """The record in `index.json` or `progress.json`; `None` if there is none that can be used."""
        file = self.folder / name
        try:
            record = IndexRecord.of_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            _LOG.warning("%s cannot be used (%s); it counts as missing.", file, error)
            return None
        if record.parts and not self.arrays_file(record).is_file():
            _LOG.warning("%s names files that are missing; it counts as missing.", file)
            return None
        return record

    def arrays_file(self, record: IndexRecord) -> Path:
        """The arrays that belong to a record."""
        return self.folder / record.generation / f"arrays-{record.parts:06}.safetensors"

    def tensors(self, record: IndexRecord, names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Some arrays of a record, or all.

        Raises:
            InputError: if they are damaged.
        """
        file = self.arrays_file(record)
        try:
            with safe_open(file, "pt") as arrays:
                return {name: arrays.get_tensor(name) for name in (arrays.keys() if names is None else names)}
        except (SafetensorError, OSError) as error:
            raise self.damaged(file, error, record) from None

    def entries(self, record: IndexRecord) -> Iterator[PhotoFile]:
        """The files that a record counts, in the order in which they were read.

        Raises:
            InputError: if a list of them is missing or damaged.
        """
        for part in range(1, record.parts + 1):
            file = self._list_file(record, part)
            try:
                for line in file.read_text(encoding="utf-8").splitlines():
                    path, *facts = json.loads(line)
                    yield PhotoFile(PurePath(path), *facts)
            except (OSError, ValueError, TypeError, RecursionError) as error:
                raise self.damaged(file, error, record) from None

    def command(self, record: IndexRecord) -> str:
        """What makes the index, or brings it up to date: that of the atlas that it belongs to, or its own."""
        atlas = self.folder.parent.parent
        if self.folder.parent.name == "exemplars" and (atlas / "atlas.json").is_file():
            return f"circuits atlas {record.folder} -o {atlas}"
        return f"circuits exemplars {record.folder}"

    def damaged(self, file: Path, error: Exception, record: IndexRecord) -> InputError:
        """What is said of a file of an index that cannot be used."""
        return InputError(
            f"{file} is damaged ({error}); remove the folder {self.folder} and run `{self.command(record)}` again, "
            f"with {record.network.get('name', 'its network')}."
        )

    def write(self, record: IndexRecord, entries: Sequence[PhotoFile], tensors: Mapping[str, Tensor]) -> IndexRecord:
        """Add a chunk: list its files, write the arrays after it, and only then the record that counts it."""
        faults = sum(bool(entry.fault) for entry in entries)
        counted = replace(
            record,
            parts=record.parts + 1,
            photos=record.photos + len(entries) - faults,
            skipped=record.skipped + faults,
            finished=None,
        )
        (self.folder / record.generation).mkdir(exist_ok=True)
        rows = [
            [entry.path.as_posix(), entry.size, entry.changed, entry.sha256, entry.fault, *filter(None, [entry.label])]
            for entry in entries
        ]
        write_atomically(self._list_file(counted, counted.parts), "".join(f"{json.dumps(row)}\n" for row in rows))
        write_atomically(self.arrays_file(counted), save({name: t.contiguous() for name, t in tensors.items()}))
        write_atomically(self.folder / "progress.json", counted.to_json())
        self._clean()
        return counted

    def finish(self, record: IndexRecord, tensors: Mapping[str, Tensor], now: float) -> IndexRecord:
        """Publish a record with its final arrays."""
        record = self.write(record, [], tensors)
        record = replace(record, finished=now)
        write_atomically(self.folder / "index.json", record.to_json())
        (self.folder / "progress.json").unlink(missing_ok=True)
        self._clean()
        return record

    def _list_file(self, record: IndexRecord, part: int) -> Path:
        return self.folder / record.generation / f"photos-{part:06}.jsonl"

    def _clean(self) -> None:
        """Remove the arrays and generations that no record names."""
        records = [record for name in ("index.json", "progress.json") if (record := self.read(name)) is not None]
        arrays = {self.arrays_file(record) for record in records}
        generations = {record.generation for record in records}
        with suppress(OSError):
            for folder in [path for path in self.folder.iterdir() if path.is_dir()]:
                if folder.name not in generations:
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                for file in {*folder.glob("arrays-*"), *folder.glob(".arrays-*")} - arrays:
                    file.unlink(missing_ok=True)
