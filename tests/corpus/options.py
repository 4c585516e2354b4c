"""Options: numbers that are none, of thousands of digits, nested and repeated, and outputs that cannot be."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.corpus import NET, Case

_LONG = "9" * 5000
_TRACE = ("trace", "photo.png", *NET, "--depth", "1")
_RENDER = (
    "render",
    "6:0",
    "-o",
    "o.png",
    "--network",
    "net.py:Net",
    "--input-size",
    "8",
    "--size",
    "16",
    "--steps",
    "1",
)
_SCORE = ("evaluate", "circuit.json", "--network", "net.py:Net", "--size", "8", "--stability", "0", "--largest", "0")


def options() -> Iterator[Case]:
    """Values that an option cannot have, each in its command; and places that cannot be written to."""
    for option, values in {
        "--target": (
            _LONG,
            "6:" + _LONG,
            "6:0@" + _LONG + ",0",
            "-1",
            "",
            "a - " * 3000 + "b",
            "(" * 5000,
            "6:0 - 6:0",
            "\x1b[2J",
        ),
        "--top": (_LONG, "0", "-1", "1.5", "", ",", "²", "1," * 5000, "100001", "2,2"),
        "--layers": ("", ",", "a," * 5000, _LONG),
        "--size": (_LONG, "0", "-8", "8x", "8x8x8", "", "²", "1e3", "100000", "1"),
        "--mode": ("", "guess", _LONG),
        "--mean": ("", "nan,0,0", "123.7,116.3,103.5", "0,0", "a,b,c", "1e400,0,0", _LONG),
        "--signs": ("", "negative"),
        "--std": ("0,0,0", "1e-320,1,1", "-1,1,1", "58.4,57.1,57.4", "inf,1,1", "1,1"),
        "--depth": (_LONG, "0", "99999999999", "1.5"),
        "--weights": (_LONG, "", "hf:", "nowhere.pth"),
        "--leaf": ("", _LONG, "a.b.c"),
        "--baseline": ("mean", "x"),
    }.items():
        for value in values:
            yield _refused(_TRACE, option, value)
    for option, values in {
        "--unit": (
            "",
            "=",
            "6:0",
            "6:0=nan",
            "6:0=1e999",
            "6:0=-1",
            "6:0=" + _LONG,
            "6:0-" + _LONG + "=0",
            "6:" + "0," * 5000 + "=0",
            "x=0",
        ),
        "--class": ("", _LONG, "x"),
        "--top": ("0", _LONG, "x"),
    }.items():
        for value in values:
            yield _refused(("what-if", "photo.png", *NET, "--unit", "6:0=0"), option, value)
    for option, values in {
        "--seed": ("-1", _LONG, "1.5"),
        "--l1": ("-1", "nan", "inf"),
        "--blur-image": ("nan", "99999"),
        "--size": (_LONG, "0"),
        "--steps": ("0", _LONG),
        "--sheet": ("0x1", _LONG, "²x2"),
        "--objective": ("x",),
        "--transform": ("x",),
        "--images": ("x",),
        "--direction": ("nowhere.json",),
        "--opacity": ("1",),
        "--diverse": ("1", _LONG),
        "--colours": ("x", _LONG),
    }.items():
        for value in values:
            yield _refused(_RENDER, option, value)
    for option, values in {
        "--ladder": ("", "0", _LONG, "1,,2"),
        "--draws": ("0", "99999999999"),
        "--resamples": ("0", _LONG),
        "--seed": ("-1", _LONG),
        "--largest": ("-1", _LONG),
        "--mean-over": ("x", _LONG),
        "--card": ("card.txt", "circuit.json"),
    }.items():
        for value in values:
            yield _refused(_SCORE, option, value)
    for unit in (_LONG, "6:" + _LONG, "", "-", "6:", "6:0-99999999", "6:3-0", "6:" + "0," * 5000):
        yield Case(f"render {unit[:20]!r}", ("render", unit, *_RENDER[2:]), exit=2)
    for content in (
        "[" * 100_000,
        '{"' + "9" * 5000 + '": 1}',
        "[NaN, 1, 1, 1]",
        "[" + "9" * 5000 + "]",
        "[1e400, 1, 1, 1]",
        "{}x",
        '{"9": 1}',
        "[]",
    ):
        arguments = ("render", "3", *_RENDER[2:], "--objective", "direction", "--direction", "d.json")
        yield Case(f"direction {content[:16]!r}", arguments, {"d.json": content}, exit=2)
    yield Case("direction from a pipe", (*arguments[:-1], "/dev/zero"), exit=2)
    yield Case("into a missing folder", (*_TRACE, "-o", "no/o.json"), exit=2, says="there is no folder")
    yield Case("over a folder", (*_TRACE, "-o", "."), exit=2, says="is a folder")
    yield Case("two of one name", (*_TRACE, "-o", "o", "--html", "o"), exit=2, says="the same name")
    yield Case(
        "over a read-only file",
        (*_TRACE, "-o", "o.json"),
        {"o.json": _read_only},
        exit=2,
        says="is read-only; make it w",
    )
    yield Case("into a name that cannot be", (*_TRACE, "-o", "o" * 300), exit=2)
    yield Case("into a name with a zero", (*_TRACE, "-o", "o\0.json"), exit=2)
    yield Case(
        "over the circuit that is compared", ("compare", "circuit.json", "circuit.json", "-o", "circuit.json"), exit=2
    )
    for arguments in (
        (),
        ("nonsense",),
        ("predict",),
        ("predict", "--nonsense"),
        ("predict", "photo.png", "--top"),
        ("trace", "--json"),
    ):
        yield Case(f"typed {arguments}", arguments)
    for encoding in ("cp1252", "ascii", "latin-1", "utf-16"):
        unit = ("--unit", "1:0=0")
        yield Case(
            f"a table for {encoding}", ("what-if", "photo.png", *NET, *unit), exit=0, shows="→", encoding=encoding
        )
        yield Case(
            f"JSON for {encoding}",
            (*_TRACE, "--labels", "l.txt", "--json"),
            {"l.txt": "é\n猫\n→\n−"},
            exit=0,
            encoding=encoding,
        )


def _refused(command: tuple[str, ...], option: str, value: str) -> Case:
    return Case(f"{command[0]} {option} {value[:24]!r}", (*command, option, value), exit=2)


def _read_only(path: Path) -> None:
    path.write_text("kept")
    os.chmod(path, 0o444)
