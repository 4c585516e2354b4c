"""Golden files of the command line: what each command prints and writes, run as `python -m circuits` in this process."""

import contextlib
import io
import os
import runpy
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.golden import nets
from tests.golden.record import Recorder, seen

NETWORKS = {"builtin": [], "plain": ["--network", "nets.py:Plain"], "branched": ["--network", "nets.py:Branched"]}
_OPTIONS = ["--labels", "labels.txt", "--mean", ".5,.5,.5", "--std", ".25,.25,.25"]
_SIZE = str(nets.SIDE)


def write_commands(to: Recorder, work: Path, collection: Path) -> None:
    """What every command says of the built-in network and of two random ones."""
    work.mkdir()
    shutil.copy(Path(nets.__file__), work / "nets.py")
    (work / "labels.txt").write_text("\n".join(nets.LABELS) + "\n", "utf-8")
    for name, seed in (("photo.png", 5), ("other.png", 6)):
        Image.fromarray(nets.photo_pixels(seed)).save(work / name)
    with _inside(work):
        for name, network in NETWORKS.items():
            _of_network(to, name, network, collection)
        to.text("commands/refused.txt", "\n".join(map(_say, _REFUSED)))
        to.text("commands/help.txt", _say(["--help"]))


_REFUSED = (
    ["predict", "missing.png"],
    ["trace", "photo.png", "--target", "nothing"],
    ["trace", "photo.png", "--mode", "other"],
    ["what-if", "photo.png", "--unit", "conv4:17"],
    ["layers", "nosuchnet"],
    ["render", "conv99:1", "-o", "x.png"],
    ["nothing"],
)


def _of_network(to: Recorder, name: str, network: list[str], collection: Path) -> None:
    """Run the commands, the files of one being those that the next one reads."""
    photo = "photo.png" if network else "example:cat"
    options = [*network, *(_OPTIONS if network else ())]
    sized = [*options, *(("--size", _SIZE) if network else ())]
    by_input = [*options, *(("--input-size", _SIZE) if network else ())]
    unit = {"builtin": "conv5:3", "plain": "relu_1:3", "branched": "cat:3"}[name]
    trace = ["trace", photo, "--depth", "2", "--top", "3,2", *sized]
    commands = {
        "predict": ["predict", photo, *sized],
        "predict-json": ["predict", photo, "--json", "--top", "2", "--window", "2,1,26,25", *sized],
        "layers": ["layers", *network[1:], *(["--size", _SIZE, *_OPTIONS] if network else ())],
        "layers-fine-json": ["layers", *network[1:], "--layers", "fine", "--json", *(["--size", _SIZE, *_OPTIONS] if network else ())],
        "trace": [*trace, "-o", f"{name}.json", "--graphml", f"{name}.graphml", "--html", f"{name}.html", "--no-pictures"],
        "trace-measured": [*trace, "--measure", "--signs", "both", "--mode", "target", "--target", "cat - dog"],
        "trace-json": [*trace, "--json", "--target", "dog", "-o", f"{name}-dog.json"],
        "compare": ["compare", f"{name}.json", f"{name}-dog.json", "-o", f"{name}-compared.json"],
        "what-if": ["what-if", photo, "--unit", f"{unit}=0", "--unit", f"{unit[:-1]}0-1=2", "--class", "dog", *sized],
        "what-if-json": ["what-if", photo, "--unit", f"{unit}@1,1=0", "--json", *sized],
        "evaluate": ["evaluate", f"{name}.json", "photo.png", "other.png", "--ladder", "1,3", "--draws", "2", "--stability", "1", "--resamples", "20", "-o", f"{name}-card.json", "-o", f"{name}-card.html", *sized],
        "exemplars": ["exemplars", str(collection), "--unit", unit, "--top", "3", "--into", "indices", *sized],
        "exemplars-json": ["exemplars", str(collection), "--unit", unit, "--top", "3", "--into", "indices", "--json", *sized],
        "evidence": ["evidence", unit, photo, "--no-pictures", "--into", "indices", "-o", f"{name}-evidence.png", "--size", "64", *by_input],
        "evidence-json": ["evidence", unit, photo, "--no-pictures", "--into", "indices", "--json", *by_input],
        "render": ["render", unit, f"{unit[:-1]}1", "--size", "32", "--steps", "3", "-o", f"{name}-sheet.png", *by_input],
        "render-caricature": ["render", unit[:-2], "--objective", "caricature", "--photo", photo, "--size", "32", "--steps", "3", "-o", f"{name}-caricature.png", *by_input],
    }  # fmt: skip
    for what, arguments in commands.items():
        to.text(f"commands/{name}/{what}.txt", _say(arguments))
    for made in sorted(Path().glob(f"{name}*.*")):
        if made.suffix == ".png":
            with Image.open(made) as image:
                to.json(f"commands/{name}/{made.stem}", {"picture": seen(image), "text": dict(image.info)})
        else:
            to.text(f"commands/{name}/files/{made.name}", made.read_text("utf-8"))


def _say(arguments: list[str]) -> str:
    """The command, what it prints and its exit code."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = _run(arguments)
    lines = [
        f"$ circuits {' '.join(arguments)}",
        out.getvalue().rstrip(),
        errors.getvalue().rstrip(),
        f"exit code {code}",
    ]
    return "\n".join(line.rstrip() for part in lines if part for line in part.splitlines()) + "\n"


def _run(arguments: list[str]) -> int:
    """Run `python -m circuits`, wherever its parts lie."""
    before = sys.argv
    sys.argv = ["circuits", *arguments]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'circuits.*' found in sys.modules", RuntimeWarning)
            runpy.run_module("circuits", run_name="__main__")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    finally:
        sys.argv = before
    return 0


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """In a folder, with a terminal of a known width and no colours."""
    known = {"COLUMNS": "110", "LINES": "40", "NO_COLOR": "1", "TERM": "dumb", "TERMINAL_WIDTH": "110"}
    before, there = dict(os.environ), Path.cwd()
    os.environ.update(known)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(there)
        os.environ.clear()
        os.environ.update(before)
