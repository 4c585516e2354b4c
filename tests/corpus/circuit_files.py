"""Circuit files: changed by hand, by other programs, and by people who mean harm."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.corpus import Case

Change = Callable[[dict[str, Any]], object]


def circuit_files() -> Iterator[Case]:
    """Files that say the same in another way, and those that say what cannot be."""
    for name, write in {
        "bom": lambda text: b"\xef\xbb\xbf" + text.encode(),
        "one line": lambda text: json.dumps(json.loads(text)).encode(),
        "escaped": lambda text: json.dumps(json.loads(text), ensure_ascii=True).encode(),
        "crlf": lambda text: text.replace("\n", "\r\n").encode(),
        "other order": lambda text: json.dumps(dict(reversed(json.loads(text).items()))).encode(),
    }.items():
        yield _bytes(name, write, exit=0)
    for name, write in {
        "utf-16": lambda text: text.encode("utf-16"),
        "latin": lambda text: b"\xe9" + text.encode(),
        "nothing": lambda text: b"",
        "half": lambda text: text[: len(text) // 2].encode(),
        "NaN": lambda text: text.replace('"value": ', '"value": NaN, "x": ').encode(),
        "deep": lambda text: b"[" * 200_000,
        "deep objects": lambda text: b'{"a":' * 100_000,
        "text": lambda text: b"cat",
        "half a character": lambda text: text.replace('"name": "', '"name": "\\ud800', 1).encode(),
        "digits": lambda text: text.replace('"width": 16', '"width": ' + "9" * 5000).encode(),
        "comments": lambda text: text.replace("{", "{ // all of it\n", 1).encode(),
        "list": lambda text: b"[1, 2]",
    }.items():
        yield _bytes(name, write, exit=2)
    for name, change in {
        "escapes in a label": lambda data: data["graph"]["target"].update(label="cat\x1b]0;owned\x07\x1b[2J"),
        "markup in a label": lambda data: data["graph"]["target"].update(label="[red]<b>&{{x}}"),
        "control characters in a note": lambda data: data["nodes"][0].update(note="a\x00b\x1bc"),
        "a label of 1,000": lambda data: data["graph"]["target"].update(label="L" * 1000),
        "whole numbers as fractions": lambda data: data["edges"][0].update(rank=1.0),
    }.items():
        yield _changed(name, change, exit=0)
    for name, change in {
        "another format": lambda data: data.update(format="circuits/9"),
        "no format": lambda data: data.pop("format"),
        "a format that is no text": lambda data: data.update(format=[[[]]]),
        "no nodes": lambda data: data.update(nodes=[]),
        "no edges": lambda data: data.pop("edges"),
        "edges of nothing": lambda data: data.update(edges=[{}] * 200_000),
        "nodes of nothing": lambda data: data.update(nodes=[{}] * 20_000),
        "null": lambda data: data.update(graph=None),
        "layers that are objects": lambda data: data["graph"]["network"].update(
            layers=[{"a": at} for at in range(20_000)]
        ),
        "many keys": lambda data: data.update({f"x{at}": at for at in range(100_000)}),
        "a window of 400 digits": lambda data: data["graph"]["photo"].update(window=[int("9" * 400), 0, 1, 1]),
        "a window of texts": lambda data: data["graph"]["photo"].update(window=["a", 0, 1, 1]),
        "a window outside": lambda data: data["graph"]["photo"].update(window=[-9, 0, 99, 99]),
        "a width of 400 digits": lambda data: data["graph"]["photo"].update(
            width=int("9" * 400), window=[0, 0, 8, 8.5, 1]
        ),
        "a value of 400 digits": lambda data: data["nodes"][0].update(value=int("9" * 400)),
        "a value beyond float32": lambda data: data["nodes"][0].update(value=1e300),
        "a value that is a text": lambda data: data["nodes"][0].update(value="1"),
        "two nodes of one id": lambda data: data["nodes"].append(data["nodes"][0]),
        "an edge to nowhere": lambda data: data["edges"][0].update(target="6:99"),
        "an edge down": lambda data: data["edges"][0].update(
            source=data["edges"][0]["target"], target=data["edges"][0]["source"]
        ),
        "a foreign layer": lambda data: data["nodes"][0].update(layer="stem"),
        "an id that is no address": lambda data: data["nodes"][1].update(id="conv 1"),
        "an empty label": lambda data: data["nodes"][0].update(label=""),
        "a label of 1,001": lambda data: data["graph"]["target"].update(label="L" * 1001),
        "a target that is missing": lambda data: data["graph"]["target"].update(unit="6:77"),
        "a picture that is none": lambda data: data["graph"]["photo"].update(thumbnail="data:image/webp;base64,AAAA"),
        "a picture of another kind": lambda data: data["graph"]["photo"].update(thumbnail="data:text/html;base64,AAAA"),
        "more than there is": lambda data: data["nodes"][0].update(surprise=1),
    }.items():
        yield _changed(name, change, exit=2)
    yield Case(
        "a circuit that is missing",
        ("compare", "no.json", "circuit.json"),
        exit=2,
        says="Error: There is no file no.json",
    )
    yield Case("a circuit that is a folder", ("compare", ".", "circuit.json"), exit=2)
    yield Case("a circuit that is a photo", ("compare", "photo.png", "circuit.json"), exit=2)
    if hasattr(os, "mkfifo"):
        fifo = {"c.json": lambda path: os.mkfifo(path)}
        yield Case(
            "a circuit from a pipe", ("compare", "c.json", "circuit.json"), fifo, exit=2, says="not a regular file"
        )
        yield Case("a circuit without end", ("compare", "/dev/zero", "circuit.json"), exit=2, says="not a regular file")


def _bytes(name: str, write: Callable[[str], bytes], *, exit: int) -> Case:
    def put(path: Path) -> None:
        path.write_bytes(write((path.parent / "circuit.json").read_text("utf-8")))

    return Case(f"circuit: {name}", ("compare", "c.json", "circuit.json"), {"c.json": put}, exit)


def _changed(name: str, change: Change, *, exit: int) -> Case:
    def write(text: str) -> bytes:
        data = json.loads(text)
        change(data)
        return json.dumps(data).encode()

    return _bytes(name, write, exit=exit)
