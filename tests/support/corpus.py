"""Inputs of every kind that people have and that hostile files are, and the one judge of what becomes of them.

A `Case` is what is typed, and the files that lie around; `judge` runs it through the real command line, in this
process, and holds it to what is promised of every input whatever:

- the exit code is 0 or 2; a refusal is one sentence on standard error, and nothing is on standard output;
- no traceback, and nothing that a terminal would obey;
- a refusal leaves every file as it was; what is written is whole, and opens again in the programs it is for;
- it ends, and needs no more memory than `MOST_MEMORY` above what the process had.

To add a kind, write a function of `tests/corpus` that yields cases, and list it in `tests/corpus/test_corpus.py`.
"""

import contextlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch
from xml.dom import minidom

import networkx as nx
import numpy as np
from PIL import Image

from circuits.cli.main import main
from circuits.tracing.circuit import Circuit

MOST_MEMORY = 1200 * 2**20
_PATIENCE = 120
"""Seconds after which something hangs; nothing here takes a tenth of it."""
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NOISE = ("Warning: ", "Skipped: ")

NETWORK = '''"""A network of two rectified layers."""
import torch
from torch import nn


def Net():
    torch.manual_seed(1)
    maps = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
    return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
'''
NET = ("--network", "net.py:Net", "--size", "8")
Content = bytes | str | Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What is typed in a folder that has `net.py`, `photo.png` and `circuit.json`.

    Args:
        name: of the case, unique.
        arguments: what is typed after `circuits`.
        files: more files of the folder: their bytes or text, or a function that writes one at a path.
        exit: the exit code; `None` if either will do.
        says: what is said on standard error, a regular expression.
        shows: the same of standard output.
        encoding: of the streams.
        slow: run only with `-m slow`, because it takes seconds.
    """

    name: str
    arguments: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    exit: int | None = None
    says: str = ""
    shows: str = ""
    encoding: str = "utf-8"
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


def run_main(arguments: tuple[str, ...], encoding: str = "utf-8") -> Outcome:
    """`circuits` with these arguments, in this process, with streams of an encoding that are no terminals."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    with patch.object(sys, "stdout", streams[0]), patch.object(sys, "stderr", streams[1]):
        try:
            main(arguments)
            code: object = 0
        except SystemExit as left:
            code = left.code
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
    return Outcome(code if isinstance(code, int) else 0, *texts)


def stage(folder: Path) -> None:
    """Put the network, the photo and the circuit that cases begin with into a folder."""
    (folder / "net.py").write_text(NETWORK)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    with contextlib.chdir(folder):
        done = run_main(("trace", "photo.png", *NET, "--depth", "1", "--top", "2", "-o", "circuit.json"))
    assert done.code == 0, done.err


def judge(case: Case, folder: Path) -> Outcome:
    """Run a case in a folder that has been staged, and hold it to what is promised of all."""
    for name, content in case.files.items():
        path = os.fsencode(folder) + b"/" + os.fsencode(name)
        if callable(content):
            content(Path(os.fsdecode(path)))
        else:
            with open(path, "wb") as file:
                file.write(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    before = _listing(folder)
    with contextlib.chdir(folder), _bounded(case.name):
        outcome = run_main(case.arguments, case.encoding)
    after = _listing(folder)
    said = f"{case.name}: exit {outcome.code}\n{outcome.err[-2000:]}"
    assert outcome.code in (0, 2), said
    assert case.exit in (None, outcome.code), said
    assert "Traceback" not in outcome.err + outcome.out, said
    assert not _OBEYED.search(outcome.err + outcome.out), said
    assert re.search(case.says, outcome.err), said
    assert re.search(case.shows, outcome.out), outcome.out[-2000:]
    lines = [line for line in outcome.err.splitlines() if not line.startswith(_NOISE)]
    if outcome.code == 2:
        assert len(lines) == 1, said
        assert lines[0].startswith("Error: "), said
        assert lines[0].endswith((".", "--help.")), said
        assert "Error: Error" not in lines[0], said
        assert outcome.out == "", outcome.out[-500:]
        assert after == before, said
    else:
        assert not any(line.startswith("Error") for line in lines), said
        if "--json" in case.arguments:
            json.loads(outcome.out, parse_constant=_no_number)
        for name in after.keys() - before.keys():
            check_whole(Path(os.fsdecode(os.fsencode(folder) + b"/" + name)))
    return outcome


def check_whole(path: Path) -> None:
    """A file that was written opens again in the programs that it is for."""
    ending = path.suffix.lower()
    assert ending or not path.name.startswith("."), f"{path.name!r} was left behind"
    if ending == ".json":
        data = json.loads(path.read_text("utf-8"), parse_constant=_no_number)
        if data.get("format") == "circuits/1":
            circuit = Circuit.from_json(path)
            assert circuit.to_json_text() == path.read_text("utf-8")
            assert set(nx.node_link_graph(data, edges="edges")) == set(circuit.graph)
    elif ending == ".graphml":
        minidom.parse(str(path))
        assert nx.read_graphml(path).number_of_nodes() > 0
    elif ending == ".svg":
        minidom.parse(str(path))
    elif ending == ".html":
        page = path.read_text("utf-8")
        assert page.endswith("</html>\n")
        assert not _OBEYED.search(page)
    elif ending in (".png", ".webp", ".jpg"):
        with Image.open(path) as image:
            image.load()


def _no_number(constant: str) -> float:
    raise AssertionError(f"JSON holds {constant}")


def _listing(folder: Path) -> dict[bytes, tuple[int, int]]:
    """The files in a folder and when they were written."""
    found = {}
    for entry in os.scandir(os.fsencode(folder)):
        if entry.name != b"__pycache__":
            facts = entry.stat(follow_symlinks=False)
            found[entry.name] = (facts.st_size, facts.st_mtime_ns)
    return found


@contextlib.contextmanager
def _bounded(name: str) -> Iterator[None]:
    """Stop what hangs, and refuse what needs more memory than a photo and a network do."""
    if sys.platform == "win32":
        yield
        return
    import resource

    def hangs(*_: object) -> None:
        raise AssertionError(f"{name} hangs")

    old = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_PATIENCE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * (1 if sys.platform == "darwin" else 1024)
    assert grown < MOST_MEMORY, f"{name} took {grown >> 20} MiB"
