"""Files of labels: lines, tables and JSON, and what they should not hold."""

import json
import os
from collections.abc import Iterator

from tests.support.corpus import NET, Case, Content

_FOUR = ["cat", "dog", "owl", "elk"]
_TEXT = "\n".join(_FOUR)


def labels() -> Iterator[Case]:
    """Labels in every form that is read, and files that hold none."""
    for name, content in {
        "l.txt": _TEXT,
        "crlf.txt": _TEXT.replace("\n", "\r\n"),
        "bom.txt": "\ufeff" + _TEXT,
        "blank.txt": f"\n{_TEXT}\n\n\n",
        "l.tsv": "".join(f"{at}\t{label}\n" for at, label in reversed(list(enumerate(_FOUR)))),
        "head.tsv": "id\tlabel\n" + "".join(f"{at}\t{label}\n" for at, label in enumerate(_FOUR)),
        "l.csv": "index,name\n" + "".join(f"{at},{label}\n" for at, label in enumerate(_FOUR)),
        "no head.csv": "".join(f"{at},{label}\n" for at, label in enumerate(_FOUR)),
        "list.json": json.dumps(_FOUR),
        "bom.json": "\ufeff" + json.dumps(_FOUR),
        "by number.json": json.dumps(dict(enumerate(_FOUR))),
        "by label.json": json.dumps({label: at for at, label in enumerate(_FOUR)}),
        "imagenet.json": json.dumps({str(at): [f"n{at}", label] for at, label in enumerate(_FOUR)}),
        "config.json": json.dumps({"id2label": dict(enumerate(_FOUR)), "model_type": "x"}),
        "rows.json": json.dumps([{"id": at, "name": label} for at, label in enumerate(_FOUR)]),
    }.items():
        yield _labels(name, content, exit=0, shows='"label": "(cat|dog)"')
    yield _labels("escapes.txt", "c\x1b[2Jat\nd\x9bog\no\u202ewl\nelk\x07", exit=0)
    yield _labels("digits.txt", "0\n1\n10\n2", exit=0)
    yield _labels("long digits.tsv", "".join("9" * 5000 + f"\t{label}\n" for label in _FOUR), exit=0)
    yield _labels("markup.txt", "[red]cat[/]\n<b>dog</b>\n{owl}\n&elk;", exit=0)
    yield _labels("twins.txt", "cat\ncat\ncat\ncat", exit=0)
    for name, content, says in (
        ("three.txt", "a\nb\nc", "has 4 classes, but 3 labels"),
        ("none.txt", "", "holds no labels"),
        ("blanks.txt", " \n\t\n", "holds no labels"),
        ("long.txt", "L" * 1001 + "\nb\nc\nd", "has 1001 characters; a label has at most 400"),
        ("empty.tsv", "0\ta\n1\t\n2\tc\n3\td\n", "has an empty label"),
        ("latin.txt", b"caf\xe9\n" * 4, "could not be read"),
        ("utf16.txt", _TEXT.encode("utf-16"), "could not be read"),
        ("bytes.txt", bytes(range(256)), "could not be read"),
        ("gaps.json", '{"0": "a", "1": "b", "2": "c", "9": "d"}', "must be numbered 0 to 3"),
        ("no.json", "cat", "This is not JSON"),
        ("deep.json", "[" * 100_000, "nested too deeply"),
        ("half.json", '["\\ud800", "a", "b", "c"]', "half of a character"),
        ("nan.json", "[NaN, null, 1, 2]", "holds no labels|a label is a text"),
        ("digits.json", "[" + "9" * 5000 + "]", "thousands of digits"),
        ("number.json", "3", "holds no labels"),
        ("quote.csv", 'a,"b\n' + "c" * 200_000, ""),
    ):
        yield _labels(name, content, exit=2, says=says)
    yield Case("labels that are missing", ("predict", "photo.png", *NET, "--labels", "nowhere"), exit=2)
    yield Case("labels that are a folder", ("predict", "photo.png", *NET, "--labels", "."), exit=2)
    if hasattr(os, "mkfifo"):
        fifo = {"pipe": lambda path: os.mkfifo(path)}
        yield Case("labels from a pipe", ("predict", "photo.png", *NET, "--labels", "pipe"), fifo, exit=2)
        yield Case("labels without end", ("predict", "photo.png", *NET, "--labels", "/dev/zero"), exit=2)
    for wanted, shows in (
        ("2", '"unit": "6:3"'),
        ("10", '"unit": "6:2"'),
        ("6:2", '"unit": "6:2"'),
        ("3", '"unit": "6:3"'),
    ):
        arguments = ("trace", "photo.png", *NET, "--labels", "l.txt", "--depth", "1", "--json", "--target", wanted)
        yield Case(f"digits, of which {wanted} is meant", arguments, {"l.txt": "0\n1\n10\n2"}, exit=0, shows=shows)


def _labels(name: str, content: Content, *, exit: int, says: str = "", shows: str = "") -> Case:
    arguments = ("predict", "photo.png", *NET, "--labels", name, "--json")
    return Case(f"labels {name}", arguments, {name: content}, exit, says, shows)
