"""The file of names: what is written is read again, and a line that cannot be used is named."""

import csv
import io
from pathlib import Path

import pytest

from circuits import InputError, UnitName, UnitNames, UnknownError
from circuits.units import Unit

A, B = "a" * 64, "b" * 64


def check(unit: Unit) -> None:
    if unit.layer != "conv1" or unit.channel > 7:
        raise UnknownError(f"No unit {unit} here.")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    odd = ["=1+2", "+x", "-x", "@x", "'=x", "''-x", "'tis", 'say "dog", cat', "Ärmel 犬", "＝x", "a;b", "\t x"]
    names = UnitNames([UnitName(Unit("conv1", at), name, f" {name}\n{name}") for at, name in enumerate(odd)], "=net", A)
    names.write(tmp_path / "names.csv")
    text = (tmp_path / "names.csv").read_text("utf-8")
    assert text.splitlines()[:2] == ["unit,name,note", f"network,'=net,{A}"]
    cells = [cell.lstrip() for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@＝"))]
    read = UnitNames.read(tmp_path / "names.csv", fingerprint=A)
    assert dict(read) == dict(names)
    assert (read.network, read.fingerprint) == ("=net", A)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffUnit;Name;Note\r\nconv1:3;dog;\r\nnetwork;net;" + A + "\r\n",
        "note\tunit\tname\tmine\n" + A + "\tnetwork\tnet\n\n\tconv1:3\tdog\tx\n",
        'unit,name\n\n"conv1:3","  dog "\n',
    ],
)
def test_files_of_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "names.csv"
    file.write_bytes(text.encode())
    assert dict(UnitNames.read(file, fingerprint=A, check=check)) == {
        Unit("conv1", 3): UnitName(Unit("conv1", 3), "dog")
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "is empty; give a CSV"),
        ("name,note\nx,y\n", "has no column unit; its first line"),
        ("unit,name,name\n", "has two columns name"),
        ('unit,name,note\nconv1:1,a,"two\nlines"\nconv1:1,b\n', "line 4: conv1:1 is named a second time, after line 2"),
        ("unit,name\nconv1:1,a\nconv1-2,b\n", "line 3: 'conv1-2' is not a unit"),
        ("unit,name\nconv1:1@2,3,b\n", "line 2: "),
        ('unit,name\n"conv1:1@2,3",b\n', "line 2: conv1:1@2,3 is a neuron"),
        (f"unit,name\nconv1:1,{'x' * 81}\n", "line 2: The name .* has 81 characters"),
        (f"unit,name,note\nconv1:1,x,{'y' * 2001}\n", "line 2: The note has 2001 characters"),
        ("unit,name\nconv1:8,x\n", "line 2: No unit conv1:8 here"),
        ("unit,name\nconv3:0,x\n", "line 2: No unit conv3:0 here"),
        ("unit,name,note\nnetwork,x,12\n", "line 2: '12' is no fingerprint"),
        (f"unit,name,note\nnetwork,x,{A}\nnetwork,x,{B}\n", "line 3: the file names a second network"),
        ('unit,name\nconv1:1,"dog\n', "line 2: this is no CSV"),
        (
            f"unit,name,note\nconv1:1,x,\nnetwork,net,{B}\n",
            "holds names of net .bbbbbbbbbbbb., and not of this one",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "names.csv"
    file.write_text(lines)
    with pytest.raises((InputError, UnknownError), match=said) as refused:
        UnitNames.read(file, fingerprint=A, check=check)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_names_of_another_network_are_taken_if_that_is_wanted(tmp_path: Path) -> None:
    UnitNames([UnitName(Unit("conv1", 1), "dog")], "net", B).write(tmp_path / "names.csv")
    read = UnitNames.read(tmp_path / "names.csv", fingerprint=A, anyway=True)
    assert (read.of(Unit("conv1", 1, (0, 0))).name, read.fingerprint) == ("dog", A)
