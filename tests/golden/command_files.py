"""Golden files of the command line: what commands print and write, run as `python -m circuits` in this process."""

import contextlib
import io
import os
import runpy
import shutil
import sys
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path

from PIL import Image

from tests.golden import nets
from tests.golden.record import Recorder, seen

_NETWORKS: dict[str, list[str]] = {
    "builtin": [],
    "plain": ["--network", "nets.py:Plain"],
    "branched": ["--network", "nets.py:Branched"],
    "smooth": ["--network", "nets.py:Smooth"],
}
_OPTIONS = ["--labels", "labels.txt", "--mean", ".5,.5,.5", "--std", ".25,.25,.25"]
_SIZE = str(nets.SIDE)
_UNITS = {"builtin": "conv5:3", "plain": "relu_1:3", "branched": "cat:3", "smooth": "norm:3"}


def write_commands(to: Recorder, networks: Collection[str], work: Path, collection: Path) -> None:
    """What every command says of the networks of these names."""
    work.mkdir()
    shutil.copy(Path(nets.__file__), work / "nets.py")
    (work / "labels.txt").write_text("\n".join(nets.LABELS) + "\n", "utf-8")
    for name, seed in (("photo.png", 5), ("other.png", 6)):
        Image.fromarray(nets.photo_pixels(seed)).save(work / name)
    with _inside(work):
        for name in networks:
            _of_network(to, name, _NETWORKS[name], collection)
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
    own = _OPTIONS if network else []
    sized, by_input = ([*network, *own, *([option, _SIZE] if network else [])] for option in ("--size", "--input-size"))
    photo, unit = "photo.png" if network else "example:cat", _UNITS[name]
    for what, (line, options) in _commands(name, photo, unit, str(collection), sized, by_input).items():
        to.text(f"commands/{name}/{what}.txt", _say([*line.split(), *options]))
    described = [*network[1:], *own, *(["--size", _SIZE] if network else [])]
    for what, more in (("layers", []), ("layers-fine-json", ["--layers", "fine", "--json"])):
        to.text(f"commands/{name}/{what}.txt", _say(["layers", *described, *more]))
    for made in sorted(Path().glob(f"{name}*.*")):
        if made.suffix == ".png":
            with Image.open(made) as image:
                to.json(f"commands/{name}/{made.stem}", {"picture": seen(image), "text": dict(image.info)})
        else:
            to.text(f"commands/{name}/files/{made.name}", made.read_text("utf-8"))


def _commands(
    name: str, photo: str, unit: str, collection: str, sized: list[str], by_input: list[str]
) -> dict[str, tuple[str, list[str]]]:
    """What is typed, and the options of the network, by what it is called."""
    layer = unit.partition(":")[0]
    trace = f"trace {photo} --depth 2 --top 3,2"
    files = f"-o {name}.json --graphml {name}.graphml --html {name}.html --no-pictures"
    few = f"--ladder 1,3 --draws 2 --stability 1 --resamples 20 -o {name}-card.json -o {name}-card.html"
    index = f"exemplars {collection} --unit {unit} --top 3 --into indices"
    evidence = f"evidence {unit} {photo} --no-pictures --into indices"
    small = "--size 32 --steps 3"
    return {
        "predict": (f"predict {photo}", sized),
        "predict-json": (f"predict {photo} --json --top 2 --window 2,1,26,25", sized),
        "trace": (f"{trace} {files}", sized),
        "trace-measured": (f"{trace} --measure --signs both --mode target --target", ["cat - dog", *sized]),
        "trace-json": (f"{trace} --json --target dog -o {name}-dog.json", sized),
        "compare": (f"compare {name}.json {name}-dog.json -o {name}-compared.json", []),
        "what-if": (f"what-if {photo} --unit {unit}=0 --unit {layer}:0-1=2 --class dog", sized),
        "what-if-json": (f"what-if {photo} --unit {unit}@1,1=0 --json", sized),
        "evaluate": (f"evaluate {name}.json photo.png other.png --all-photos {few}", sized),
        "exemplars": (index, sized),
        "exemplars-json": (f"{index} --json", sized),
        "evidence": (f"{evidence} -o {name}-evidence.png --size 64", by_input),
        "evidence-json": (f"{evidence} --json", by_input),
        "render": (f"render {unit} {layer}:1 {small} -o {name}-sheet.png", by_input),
        "render-caricature": (
            f"render {layer} --objective caricature --photo {photo} {small} -o {name}-caricature.png",
            by_input,
        ),
    }


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
            runpy.run_module("circuits", run_name="__main__", alter_sys=True)
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
