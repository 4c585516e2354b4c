"""The house is as `docs/architecture.md` says, and what must be read first stays short."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import make_architecture

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
SITTING = re.findall(r"^\d+\. `([\w/.]+)`", PAGE.partition("## The floors")[0], re.MULTILINE)
PLACES = re.findall(r"`((?:circuits|dashboard|docs|tests)[\w/.]*(?::[\w.]+)?)`", PAGE)
TWICE: dict[str, str] = {}
"""Names that two classes may have, and what they are."""


def names_in(file: Path) -> set[str]:
    """What a module defines: functions, classes, their methods as `Class.method`, and names assigned."""
    found: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def classes() -> Iterator[tuple[str, str]]:
    """The name of each class of the project without underscores in front, and its file."""
    for package in ("circuits", "dashboard"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield node.name.lstrip("_"), str(file.relative_to(ROOT))


def test_what_must_be_read_first_is_one_sitting() -> None:
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in SITTING}
    assert len(lengths) == 10
    assert max(lengths.values()) <= 300, lengths
    assert sum(lengths.values()) <= 2000, lengths


def test_the_picture_of_the_floors_is_that_of_the_contract() -> None:
    assert make_architecture.with_picture(PAGE) == PAGE, "run python docs/make_architecture.py"
    packages = {f"circuits.{path.parent.name}" for path in (ROOT / "circuits").glob("*/__init__.py")}
    assert packages <= {module for floor in make_architecture.floors() for module in floor}


@pytest.mark.parametrize("place", sorted(set(PLACES)))
def test_every_place_that_the_page_names_exists(place: str) -> None:
    path, _, name = place.partition(":")
    file = ROOT / (path.replace(".", "/") if "/" not in path else path)
    assert file.exists() or file.with_suffix(".py").exists(), place
    assert not name or name in names_in(file), place


def test_every_class_name_has_one_meaning() -> None:
    homes = defaultdict(list)
    for name, home in classes():
        homes[name].append(home)
    twice = {name: places for name, places in homes.items() if len(places) > 1 and name not in TWICE}
    assert not twice
