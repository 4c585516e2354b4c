"""People read plain English of the field: phrases that were riddles do not come back, wherever people see them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD = (
    "what it is against", "is against it", "four that differ", "drives it down most", "what it sees", "explained now",
    "what it is made of", "that it is made of", "hangs? on", "its argument", "argued for", "argues? (?:most )?for",
    "sees all of it", "left without them", "beside as many units", "chosen in other ways", "mean height", "ranks agree",
    "hold this circuit", "held circuit", "to the circuit page", "choose nothing", "books close", "books always close",
    "of all that is", "that convolves", "found anew", "kept account of", "put through all of it",
    "circuit that is known", "chosen or pointed at", "the way from zero", "no measure of anything",
    "not to measure with", "hands on what",
    "a word from you", "told what they are called", "all the same, and named", "what would come along others",
    "what it (?:lost|gained|loses|gains)", r"\bloses \d", r"\bgains \d", "silenced", "silenc(?:e|ing) (?:each|it|them)",
    "nothing is called", "moves? no logit", "price of opacity",
    "through the unit above", "by itself, through", "[−-]< 0", r"\+< 0",
)  # fmt: skip
_OLD = re.compile("|".join(OLD), re.IGNORECASE)
_SCRIPT_TEXT = re.compile(r"(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)")


def in_code(path: Path) -> Iterator[str]:
    """The texts of a module that people may see: all but docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


def commands(path: Path) -> Iterator[str]:
    """The docstrings of commands, which their help shows."""
    tree = ast.parse(path.read_text("utf-8"))
    yield from (ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef))


def seen(place: str) -> list[str]:
    """What people read in one place."""
    if place == "docs":
        pages = [ROOT / "README.md", ROOT / "circuits" / "builtin" / "MODEL_CARD.md", *(ROOT / "docs").glob("*.md")]
        return [page.read_text("utf-8") for page in pages]
    if place == "scripts":
        scripts = [*(ROOT / "dashboard" / "assets").rglob("*.js"), *(ROOT / "circuits" / "report").rglob("*.js")]
        return [text for path in scripts for text in _SCRIPT_TEXT.findall(path.read_text("utf-8"))]
    if place == "templates":
        return [path.read_text("utf-8") for path in (ROOT / "circuits" / "report").rglob("*.j2")]
    folder = ROOT / place
    told = [text for path in folder.rglob("*.py") for text in in_code(path)]
    return told + [text for path in (folder / "cli").glob("*.py") for text in commands(path)]


@pytest.mark.parametrize("place", ["docs", "scripts", "templates", "circuits", "dashboard"])
def test_no_old_phrase_comes_back(place: str) -> None:
    texts = seen(place)
    assert len(texts) > 5
    plain = (" ".join(text.split()) for text in texts)
    assert [text[max(0, old.start() - 40) : old.end() + 40] for text in plain for old in _OLD.finditer(text)] == []


@pytest.mark.parametrize("text", ["What it is against", "Four that\n  differ", "conv7:3 loses 43.7", "−< 0.1 %"])
def test_an_old_phrase_is_found(text: str) -> None:
    assert _OLD.search(" ".join(text.split()))
