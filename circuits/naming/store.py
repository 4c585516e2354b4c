"""The names that are known of a network: those that come with the package, and over them a person's own.

A person's own lie in a file for each network, `<fingerprint>.csv`, in the folder that `CIRCUITS_NAMES` names, or
`names` in their data folder for circuits. Several processes may share it: whoever writes holds a lock, reads what is
there, and replaces the file whole. A name that came with the package is taken away by a row that says nothing.
"""

import logging
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import lru_cache
from importlib import resources
from pathlib import Path

import platformdirs

from circuits.errors import CircuitsError
from circuits.files import locked
from circuits.naming.names import UnitName, UnitNames, check_fingerprint
from circuits.units import Unit, as_unit

FOLDER = "CIRCUITS_NAMES"
"""The environment variable that names another folder."""
_PATIENCE = 10.0
"""Seconds to wait for another process that writes."""
_LOG = logging.getLogger(__name__)


def names_folder() -> Path:
    """Where a person's own names are kept."""
    given = os.environ.get(FOLDER)
    return Path(given).expanduser() if given else platformdirs.user_data_path("circuits") / "names"


def names_file(fingerprint: str) -> Path:
    """The file of a person's own names for a network.

    Raises:
        InputError: if the fingerprint is none.
    """
    return names_folder() / f"{check_fingerprint(fingerprint)}.csv"


def names_of(fingerprint: str) -> UnitNames:
    """What the units of a network are called, by its fingerprint; where a person's file is damaged, without theirs.

    >>> len(names_of("0" * 64))
    0
    """
    try:
        return _known(fingerprint)
    except CircuitsError as error:
        _say_once(str(error))
        return _overlaid(fingerprint, UnitNames())


@lru_cache(64)
def _say_once(fault: str) -> None:
    """Say why names are left out, and not again for each unit that is named."""
    _LOG.warning("A network's own names are left out: %s", fault)


def remember(
    fingerprint: str, unit: Unit | str, *, name: str | None = None, note: str | None = None, network: str = ""
) -> UnitName:
    """Keep what a unit of a network is called, for all circuits of it.

    Args:
        fingerprint: of the network.
        unit: one of its channels.
        name: what it is called; "" takes the name away, `None` leaves it.
        note: the same of its note.
        network: what the network is called, for whoever reads the file.

    Returns:
        What is known of the unit now.

    Raises:
        InputError: if the unit is a neuron, the name or note too long, or the file is damaged or cannot be written.
    """
    unit = UnitName(as_unit(unit)).unit  # which refuses a neuron
    with _locked(fingerprint):
        before = _known(fingerprint).of(unit)
        found = UnitName(unit, before.name if name is None else name, before.note if note is None else note)
        _write(fingerprint, [found], network)
    return found


def remember_all(fingerprint: str, names: Iterable[UnitName], network: str = "") -> None:
    """Keep many at once; units that are not among them keep their names.

    Raises:
        InputError: if the file is damaged or cannot be written.
    """
    with _locked(fingerprint):
        _write(fingerprint, names, network)


def _write(fingerprint: str, names: Iterable[UnitName], network: str) -> None:
    own, shipped = _own(fingerprint), _shipped(fingerprint)
    kept = {**own, **{each.unit: each for each in names}}
    told = [kept[unit] for unit in sorted(kept) if kept[unit] != shipped.of(unit)]
    UnitNames(told, network or own.network, fingerprint).write(names_file(fingerprint))
    _read.cache_clear()  # of two writes within a tick of its clock a file system may say the same


def _known(fingerprint: str) -> UnitNames:
    """The names that come along, and a person's own over them, without rows that say nothing."""
    return _read(names_file(fingerprint), fingerprint, *_state(fingerprint))[1]


def _own(fingerprint: str) -> UnitNames:
    """A person's own names, with rows that say nothing."""
    return _read(names_file(fingerprint), fingerprint, *_state(fingerprint))[0]


def _state(fingerprint: str) -> tuple[int, ...]:
    """What changes when a person's file does; nothing if there is none."""
    try:
        status = names_file(fingerprint).stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(32)
def _read(file: Path, fingerprint: str, *state: int) -> tuple[UnitNames, UnitNames]:
    """The names of a person's file, and with those that come along; what has not changed is not read again."""
    own = UnitNames.read(file, fingerprint=fingerprint) if state else UnitNames((), "", fingerprint)
    return own, _overlaid(fingerprint, own)


def _overlaid(fingerprint: str, own: UnitNames) -> UnitNames:
    shipped = _shipped(fingerprint)
    both = {**shipped, **own}
    named = (both[unit] for unit in sorted(both) if not both[unit].is_empty)
    return UnitNames(named, own.network or shipped.network, fingerprint)


@lru_cache(32)
def _shipped(fingerprint: str) -> UnitNames:
    """The names that come with the package, if they are this network's."""
    file = resources.files("circuits").joinpath("builtin", "names.csv")
    if not file.is_file():
        return UnitNames((), "", fingerprint)
    names = UnitNames.parse(file.read_text("utf-8"), "names.csv")
    return names if names.fingerprint == fingerprint else UnitNames((), "", fingerprint)


def _locked(fingerprint: str) -> AbstractContextManager[None]:
    """Keep others from writing while a block runs.

    Raises:
        InputError: if they write for long, or the folder cannot be made.
    """
    file = names_file(fingerprint)
    return locked(
        file.with_suffix(".lock"),
        busy=f"Another process is writing {file}; try again in a moment.",
        unwritable="Names cannot be kept in {folder} ({reason}); let " + FOLDER + " name another folder.",
        patience=_PATIENCE,
    )
