"""Golden files: what the product says, written down before its insides are moved, and compared afterwards.

    python tests/golden/make.py FOLDER                       make them
    python tests/golden/make.py --against FOLDER             make them anew and compare them, byte for byte
    python tests/golden/make.py --against FOLDER --trees     HTML, SVG and GraphML as parsed trees
    python tests/golden/make.py --only circuits FOLDER       some parts alone; may be given again

Only public names (`circuits.X`), the command line and, in one place (`page_files.py`), the page are used, so that the
script outlives any move. Two runs on one machine give the same bytes; between machines the last bits of floats differ,
and `test_golden.py` compares numbers with a tolerance against the files in `files/`.

The repository keeps the files of some networks for each part. After a change that is meant to change an answer, make
those anew and read what git says of them: `python tests/golden/make.py --brief tests/golden/files`.
"""

# ruff: noqa: E402

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a file, from anywhere

import torch

import circuits
from circuits import Network, Photo
from tests.golden import circuit_files, command_files, evidence_files, nets, page_files
from tests.golden.compare import differences
from tests.golden.record import Recorder


@dataclass(frozen=True)
class Stage:
    """What golden files are made from.

    Args:
        to: where they are written.
        networks: the built-in one and seeded random ones.
        photos: a photo for each.
        work: an empty folder.
        collection: a folder of photos.
    """

    to: Recorder
    networks: dict[str, Network]
    photos: dict[str, Photo]
    work: Path
    collection: Path


PARTS: dict[str, Callable[[Stage], None]] = {
    "networks": lambda stage: evidence_files.write_attributions(stage.to, stage.networks, stage.photos),
    "circuits": lambda stage: circuit_files.write_traces(stage.to, stage.networks, stage.photos),
    "changes": lambda stage: circuit_files.write_changes(stage.to, stage.networks, stage.photos),
    "cards": lambda stage: circuit_files.write_cards(stage.to, stage.networks, stage.photos),
    "evidence": lambda stage: evidence_files.write_evidence(stage.to, stage.networks, stage.photos),
    "exemplars": lambda stage: evidence_files.write_exemplars(
        stage.to, stage.networks, stage.collection, stage.work / "indices"
    ),
    "pictures": lambda stage: evidence_files.write_pictures(stage.to, stage.networks),
    "commands": lambda stage: command_files.write_commands(
        stage.to, stage.networks, stage.work / "commands", stage.collection
    ),
    "page": lambda stage: page_files.write_page(stage.to, stage.networks, stage.photos, stage.collection, stage.work),
}
"""Each part writes into the folder of its name."""

BRIEF: dict[str, tuple[str, ...]] = {
    "circuits": ("builtin", "branched", "smooth"),
    "changes": ("branched",),
    "cards": ("branched",),
    "evidence": ("builtin", "branched"),
    "exemplars": ("branched",),
    "pictures": ("plain",),
    "commands": ("branched",),
    "page": ("plain",),
}
"""Networks of the parts of which the repository does not keep those of all."""


def make(folder: Path, parts: Sequence[str] = (), *, brief: bool = False) -> None:
    """Make golden files.

    Args:
        folder: where to.
        parts: which; all if there are none.
        brief: only those that the repository keeps.
    """
    torch.set_num_threads(1)
    networks, photos = _networks(), _photos()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        work = Path(temporary).resolve()
        stack.enter_context(
            patch.dict(os.environ, {"XDG_CACHE_HOME": str(work / "cache"), "CIRCUITS_NAMES": str(work / "names")})
        )
        # Whether pictures are drawn in 16 bits depends on the processor.
        stack.enter_context(patch("circuits.visualization.optimize.has_fast_bfloat16", return_value=False))
        to = Recorder(folder.resolve(), {str(work): "WORK", str(ROOT): "REPOSITORY"})
        collection = evidence_files.save_photos(work / "collection")
        for part, write in PARTS.items():
            if not parts or part in parts:
                names = BRIEF.get(part, networks) if brief else networks
                write(Stage(to, {name: networks[name] for name in names}, photos, work, collection))


@cache
def _networks() -> dict[str, Network]:
    made = {"plain": nets.Plain, "branched": nets.Branched, "smooth": nets.Smooth}
    middle = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    random = {
        name: circuits.prepare(module().eval(), name=name, size=nets.SIDE, labels=nets.LABELS, **middle)
        for name, module in made.items()
    }
    return {"builtin": circuits.load_network(), **random}


@cache
def _photos() -> dict[str, Photo]:
    seeded = {
        name: circuits.load_photo(nets.photo_pixels(seed), name=f"patches {seed}")
        for seed, name in enumerate(("plain", "branched", "smooth"))
    }
    return {"builtin": circuits.load_photo("example:cat"), **seeded}


def check(against: Path, parts: Sequence[str], *, trees: bool, brief: bool) -> dict[str, str]:
    """Make the files anew and compare them with those of a folder; by file the first difference."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), parts, brief=brief)
        found = differences(Path(folder), against, trees=trees)
        return {name: said for name, said in found.items() if not parts or name.partition("/")[0] in parts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where to write the files")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="compare with files made on this machine")
    parser.add_argument("--trees", action="store_true", help="compare HTML, SVG and GraphML as parsed trees")
    parser.add_argument("--only", action="append", choices=PARTS, default=[], help="this part alone; repeatable")
    parser.add_argument("--brief", action="store_true", help="only what the repository keeps")
    given = parser.parse_args(arguments)
    if (given.folder is None) == (given.against is None):
        parser.error("give a folder to write to, or one to compare with --against")
    if given.folder is not None:
        make(given.folder, given.only, brief=given.brief)
        return 0
    found = check(given.against, given.only, trees=given.trees, brief=given.brief)
    for name, said in found.items():
        print(f"{name}: {said}")
    print(f"{len(found)} files differ." if found else "All files are the same.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
