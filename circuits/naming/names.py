"""The names of a network's units, and their file: CSV that a spreadsheet opens, tied to the network by its fingerprint.

    unit,name,note
    network,builtin,2f1c…             which network it is: its name, and the sha256 of its graph and parameters
    conv4:17,left-facing dog head,fires on the muzzle

The row of the network may stand anywhere, so that a sorted file is still one. A cell that a spreadsheet would take for
a formula gets an apostrophe in front, which reading takes away again.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from circuits.errors import InputError, UnknownError
from circuits.files import read_text, write_atomically
from circuits.naming.annotations import checked_name, checked_note
from circuits.units import Address, Unit

_HEADS = ("unit", "name", "note")
_NETWORK = "network"
_FORMULA = re.compile("'*(?:\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_SHOWN = 60


@dataclass(frozen=True)
class UnitName:
    """What a unit is called, and a note on it.

    Args:
        unit: a whole channel.
        name: blanks and line ends between words become one blank; empty if it has none.
        note: a text of some sentences.

    Raises:
        InputError: if the unit is a neuron, or the name or the note is too long.

    >>> UnitName(Unit("conv4", 17), "  dog   head ").name
    'dog head'
    """

    unit: Unit
    name: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.unit.position is not None:
            raise InputError(f"{self.unit} is a neuron, and names are those of channels; give {self.unit.whole}.")
        object.__setattr__(self, "name", checked_name(self.name))
        object.__setattr__(self, "note", checked_note(self.note))

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return not self.name and not self.note

    def to_row(self) -> dict[str, str]:
        """What the row of a node in a circuit says of it."""
        return {"note": self.note} | ({"name": self.name} if self.name else {})


class UnitNames(Mapping[Unit, UnitName]):
    """What the units of one network are called; never changed, only replaced.

    Args:
        names: one a unit.
        network: name of the network.
        fingerprint: its sha256, as circuits and atlases record it; "" if nobody says whose names they are.

    >>> names = UnitNames([UnitName(Unit("conv4", 17), "dog head")], "builtin")
    >>> names[Unit("conv4", 17)].name, names.of(Unit("conv4", 3, (0, 1))).name
    ('dog head', '')
    """

    def __init__(self, names: Iterable[UnitName] = (), network: str = "", fingerprint: str = "") -> None:
        self._names = {each.unit: each for each in names}
        self.network, self.fingerprint = network, fingerprint

    def __getitem__(self, unit: Unit) -> UnitName:
        return self._names[unit]

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"UnitNames({self.network!r}, {self.fingerprint[:12]!r}, units={len(self)})"

    def of(self, unit: Unit) -> UnitName:
        """What a unit, or the channel of a neuron, is called; nothing, if it has no name."""
        return self._names.get(unit.whole) or UnitName(unit.whole)

    def called(self, unit: Address) -> str:
        """The address of a unit, and its name if it has one.

        >>> UnitNames([UnitName(Unit("conv4", 17), "dog head")]).called(Unit("conv4", 17, (3, 5)))
        'conv4:17@3,5 dog head'
        """
        return f"{unit} {self.of(unit).name}".rstrip() if isinstance(unit, Unit) else str(unit)

    def row_of(self, unit: Address, node: str) -> dict[str, str]:
        """What the row of a node says of its unit; nothing of a group, or of the difference of two classes."""
        return self.of(unit).to_row() if isinstance(unit, Unit) and str(unit) == node else {}

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        fingerprint: str | None = None,
        check: Callable[[Unit], object] | None = None,
        anyway: bool = False,
    ) -> "UnitNames":
        """Read a file.

        Args:
            path: CSV with the columns `unit` and `name`, perhaps `note`, separated by commas, semicolons or tabs.
            fingerprint: of the network that the names are wanted for; that of another one is refused.
            check: raises a `CircuitsError` of a unit that the network lacks, as `Network.check_unit` does; any unit is
                taken, if `None`.
            anyway: take the names of another network too, as of one with the same layers that was trained again.

        Raises:
            InputError: if there is no such file, it is of another network, or a line cannot be used; the sentence says
                which and why.
            UnknownError: if the network lacks a unit.
        """
        names = cls.parse(read_text(path), str(path), check)
        if fingerprint is None or names.fingerprint == fingerprint:
            return names
        if names.fingerprint and not anyway:
            raise InputError(
                f"{path} holds names of {names.network or 'another network'} ({names.fingerprint[:12]}), and not of "
                f"this one ({fingerprint[:12]}), whose channels are others; give its own names, or read them --anyway "
                "if it is the same network trained further."
            )
        return cls(names.values(), names.network, fingerprint)

    @classmethod
    def parse(cls, text: str, called: str, check: Callable[[Unit], object] | None = None) -> "UnitNames":
        r"""The names that the text of a file says, of which errors speak as `called`.

        >>> text = "unit,name\r\nconv4:17,dog head\r\nconv4:17,cat\r\n"
        >>> UnitNames.parse(text, "names.csv")
        Traceback (most recent call last):
        circuits.errors.InputError: names.csv, line 3: conv4:17 is named a second time, after line 2; keep one of them.
        """
        found: dict[Unit, UnitName] = {}
        lines: dict[Unit, int] = {}
        network = fingerprint = ""
        for line, unit, name, note in _rows(text, called):
            try:
                if unit.casefold() == _NETWORK:
                    fingerprint = _same_network(fingerprint, note)
                    network = name
                    continue
                read = UnitName(Unit.parse(unit), name, note)
                if check is not None:
                    check(read.unit)
            except (InputError, UnknownError) as error:
                raise type(error)(f"{called}, line {line}: {error}") from None
            if read.unit in lines:
                raise InputError(
                    f"{called}, line {line}: {read.unit} is named a second time, after line {lines[read.unit]}; keep "
                    "one of them."
                )
            found[read.unit], lines[read.unit] = read, line
        return cls(found.values(), network, fingerprint)

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all; units in the order in which they are here.

        Raises:
            InputError: if it cannot be written.
        """
        write_atomically(path, self.to_text())

    def to_text(self) -> str:
        """The file as text.

        >>> print(UnitNames([UnitName(Unit("conv4", 17), "=dog")]).to_text(), end="")
        unit,name,note
        conv4:17,'=dog,
        """
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(_HEADS)
        rows = [[_NETWORK, self.network, self.fingerprint]] if self.fingerprint else []
        rows += [[str(each.unit), each.name, each.note] for each in self.values()]
        writer.writerows([f"'{cell}" if _FORMULA.match(cell) else cell for cell in row] for row in rows)
        return buffer.getvalue()


def _rows(text: str, called: str) -> Iterator[tuple[int, str, str, str]]:
    """The line in which each row begins, and its unit, name and note."""
    head = text.lstrip("\n").partition("\n")[0]
    between = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=between, strict=True)
    places: list[int | None] | None = None
    try:
        before = 0
        for row in reader:
            line, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if places is None:
                places = _places([cell.strip().casefold() for cell in row], called)
                continue
            cells = [row[at] if at is not None and at < len(row) else "" for at in places]
            unit, name, note = (cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell for cell in cells)
            yield line, unit.strip(), name, note
    except csv.Error as error:
        raise InputError(f"{called}, line {reader.line_num}: this is no CSV ({error}).") from None
    if places is None:
        raise InputError(f"{called} is empty; give a CSV file with the columns unit and name.")


def _places(heads: list[str], called: str) -> list[int | None]:
    """In which columns units, names and notes stand."""
    missing = [name for name in _HEADS[:2] if name not in heads]
    if missing:
        raise InputError(
            f"{called} has no column {' and no column '.join(missing)}; its first line must name the columns unit and "
            "name, and perhaps note."
        )
    twice = next((name for name in _HEADS if heads.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{called} has two columns {twice}; keep one of them.")
    return [heads.index(name) if name in heads else None for name in _HEADS]


def _same_network(before: str, found: str) -> str:
    """The fingerprint of a row of the network; refused if it is none, or another one than before."""
    found = found.strip()
    if not _FINGERPRINT.fullmatch(found):
        raise InputError(
            f"{found[:_SHOWN]!r} is no fingerprint of a network, which has 64 hexadecimal digits; leave the row out if "
            "you do not know it."
        )
    if before not in ("", found):
        raise InputError("the file names a second network; keep the names of one in a file.")
    return found


def check_fingerprint(fingerprint: str) -> str:
    """A fingerprint, which also names a file.

    Raises:
        InputError: if it is none.
    """
    return _same_network("", fingerprint)
