"""An atlas as tables, for what reads tables: of its classes, its units by class, their links, and the class-free ones.

Contributions, shares of links and selectivity are in units of the logit of the photo's class, shares of class-free
links in those of the target's mean activation; errors are standard errors of the means. What is not known is left
empty, and so is the class where a row is of all classes together, in which each photo counts once. A table comes class
by class, because the links of a large network fill millions of rows.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from circuits.atlas.atlas import Atlas
from circuits.atlas.marked_folder import MarkedFolder
from circuits.atlas.storage import CLASS_FREE, LINK_ARRAYS, LINKS, NOBODY
from circuits.errors import InputError
from circuits.files import write_atomically, written_aside
from circuits.units import Progress

MARK = "tables.json"
"""Says that a folder is one of tables, and of which network, layers and folder of photos."""
Columns = Mapping[str, Any]
_OF = {"class": int, "label": str}
_MOMENTS = {
    f"{name}_{what}{unit}": float
    for name, unit in (("contribution", "_logits"), ("activation", ""), ("peak", ""))
    for what in ("mean", "error")
}
_FREE = ("class_free_total", "class_free_gross")
TABLES: dict[str, dict[str, type]] = {
    "classes": {**_OF, "photos": int, "batches": int, "logit_mean": float, "logit_error": float},
    "units": {
        **_OF, "unit": str, "layer": str, "channel": int, "photos": int, **_MOMENTS, "fires_photos": int,
        "summit_photos": int, "links_total_logits": float, "links_gross_logits": float, "selectivity_logits": float,
        "selectivity_rank": int, "class_free_total": float, "class_free_gross": float,
    },
    "links": {
        **_OF, "source": str, "target": str, "share_mean_logits": float, "share_error_logits": float,
        "consistency_share": float, "photos": int,
    },
    "class_free_links": {
        "source": str, "target": str, "share_mean": float, "share_error": float, "consistency_share": float,
        "photos": int,
    },
}  # fmt: skip
"""The tables by name, and of each its columns."""


def write_csv(atlas: Atlas, into: Path, progress: Progress | None = None) -> list[Path]:
    """Write the tables as CSV files; the files.

    Raises:
        InputError: if the folder cannot be made or written to, or holds something else or tables of another atlas.
    """

    def writer(stack: ExitStack, file: Path, kinds: Mapping[str, type]) -> Callable[[Columns], None]:
        opened = stack.enter_context(file.open("w", encoding="utf-8", newline=""))
        rows = csv.writer(opened, lineterminator="\n")
        rows.writerow(kinds)
        return lambda columns: rows.writerows(zip(*(map(_cell, columns[name]) for name in kinds), strict=True))

    return _write(atlas, into, ".csv", writer, progress)


def write_parquet(atlas: Atlas, into: Path, progress: Progress | None = None) -> list[Path]:
    """Write the tables as Parquet files, a group of rows for each class; the files.

    Raises:
        InputError: if pyarrow is not installed, the folder cannot be made or written to, or holds something else or
            tables of another atlas.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow: pip install 'circuit-explorer[parquet]'; or write CSV.") from None
    types = {int: pyarrow.int64(), float: pyarrow.float32(), str: pyarrow.string()}

    def writer(stack: ExitStack, file: Path, kinds: Mapping[str, type]) -> Callable[[Columns], None]:
        schema = pyarrow.schema([(name, types[kind]) for name, kind in kinds.items()])
        opened = stack.enter_context(pyarrow.parquet.ParquetWriter(file, schema))

        def write(columns: Columns) -> None:
            arrays = [pyarrow.array(columns[name], type=types[kind], from_pandas=True) for name, kind in kinds.items()]
            opened.write_table(pyarrow.table(arrays, schema=schema))

        return write

    return _write(atlas, into, ".parquet", writer, progress)


def _write(
    atlas: Atlas,
    into: Path,
    ending: str,
    writer: Callable[[ExitStack, Path, Mapping[str, type]], Callable[[Columns], None]],
    progress: Progress | None,
) -> list[Path]:
    marked = MarkedFolder(into, MARK, "circuits-tables/1", "a folder of tables")
    of = hashlib.sha256(f"{atlas.record.subject.key} {atlas.record.folder}".encode()).hexdigest()
    marked.check(atlas.folder, of)
    was_there = into.exists()
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise marked.refused(error) from None
    files = {name: into / f"{name}{ending}" for name in TABLES}
    with ExitStack() as stack:
        if not was_there:
            stack.push(partial(_leave_nothing, into))
        stack.enter_context(marked.locked())
        marked.check(atlas.folder, of)  # somebody else may have written there meanwhile
        write_atomically(into / MARK, marked.text(of=of))
        aside = {name: stack.enter_context(written_aside(file)) for name, file in files.items()}
        inner = stack.enter_context(ExitStack())  # closed before the files are moved to their places
        write = {name: writer(inner, aside[name], TABLES[name]) for name in TABLES}
        for done, tables in enumerate(tables_of(atlas)):
            if progress is not None:
                progress(done, len(atlas.classes) + 1, "Writing tables")
            for name, columns in tables.items():
                write[name](columns)
    return list(files.values())


def _leave_nothing(into: Path, kind: type[BaseException] | None, *_: object) -> None:
    """Remove a folder that was made for tables, if none could be written; somebody else may have written some."""
    own = {MARK, ".lock"}
    if kind is not None and {each.name for each in into.iterdir()} <= own:
        for name in own:
            (into / name).unlink(missing_ok=True)
        into.rmdir()


def tables_of(atlas: Atlas) -> Iterator[dict[str, Columns]]:
    """The tables of all classes together, and then of each class."""
    units = list(atlas.all_units())
    names = np.array([*map(str, units), ""])  # NOBODY is the last
    fixed: dict[str, Any] = {
        "unit": names[:-1], "layer": [unit.layer for unit in units], "channel": [unit.channel for unit in units],
    }  # fmt: skip
    contributions = atlas.arrays()["classes"].numpy()
    selectivity = contributions - contributions.mean(0)
    ranks = (-contributions).argsort(0, kind="stable").argsort(0, kind="stable") + 1
    for row, found in enumerate((None, *atlas.classes)):
        number, label, photos = (None, "", atlas.photos) if found is None else (found.number, found.label, found.photos)
        arrays = {name: value.numpy() for name, value in atlas.arrays(number).items()}
        nothing = [None] * len(units)

        def of(count: int, number: int | None = number, label: str = label, photos: int = photos) -> Columns:
            return {"class": [number] * count, "label": [label] * count, "photos": [photos] * count}

        tables: dict[str, Columns] = {
            "units": {
                **of(len(units)), **fixed,
                **{name: arrays[name.partition("_")[0] + (".error" if "_error" in name else "")] for name in _MOMENTS},
                "fires_photos": arrays["fires"], "summit_photos": arrays["summit"],
                **{f"links_{name}_logits": arrays.get(f"links.{name}", nothing) for name in ("total", "gross")},
                "selectivity_logits": nothing if found is None else selectivity[row - 1],
                "selectivity_rank": nothing if found is None else ranks[row - 1],
                **{name: arrays.get(name.replace("free_", "free."), nothing) for name in _FREE},
            }
        }  # fmt: skip
        for kind, table, unit in ((LINKS, "links", "_logits"), (CLASS_FREE, "class_free_links", "")):
            if f"{kind}.source" in arrays:
                columns = _links(arrays, kind, names, unit)
                tables[table] = {**of(len(columns["source"])), **columns}
        if found is not None:
            facts = {"batches": [atlas.facts(found.number)["batches"]]}
            tables["classes"] = {
                **of(1), **facts, "logit_mean": arrays["logit"], "logit_error": arrays["logit.error"]
            }  # fmt: skip
        yield tables


def _links(arrays: Mapping[str, Any], kind: str, names: Any, unit: str) -> Columns:
    """Links of a kind, whose shares are in some unit."""
    upper, column = np.nonzero(arrays[f"{kind}.source"] != NOBODY)
    source, share, error, consistency = (arrays[f"{kind}.{name}"][upper, column] for name in LINK_ARRAYS)
    return {
        "source": names[source], "target": names[upper], f"share_mean{unit}": share, f"share_error{unit}": error,
        "consistency_share": np.where(share > 0, consistency, np.float32(np.nan)),
    }  # fmt: skip


def _cell(value: Any) -> str:
    """A value as CSV has it, with as many digits as it has; nothing for what is not known."""
    return "" if value is None or value != value else str(value)
