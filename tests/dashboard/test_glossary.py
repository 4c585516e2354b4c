"""Terms of the glossary are explained on the page, from the one place where the glossary is written."""

import ast
import re
from pathlib import Path
from typing import Any

from dash import html

from dashboard import glossary
from dashboard.glossary import each_once, meanings, term, with_term
from tests.support.parts import every, facts, words
from tests.support.person import Person

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "neuron",  # of a target alone, whose question says what it is
    "strongest path",  # of the command line
    "what if",  # of a box whose controls say what they do
    "name",  # of fields with these labels
    "note",
    "suggestion",  # of the command line
    "named set",  # of a line that says itself what it is
    "mode",  # of the command line; the page says method
    "share",  # its other name, attribution, is explained
    "shown",  # with these three the decomposition is explained
    "rest",
    "bias",
}


def asked_for() -> set[str]:
    """The terms that the page's code names."""
    found = set()
    for path in (ROOT / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("term", "with_term"):
                place = 0 if node.func.id == "term" else 1
                named = node.args[place]
                found |= {each.value for each in ast.walk(named) if isinstance(each, ast.Constant)} - {":", 0}
    return found


def test_every_term_that_the_page_names_is_in_the_glossary() -> None:
    assert asked_for() <= set(meanings())


def test_every_term_of_the_glossary_is_explained_on_the_page() -> None:
    measures = {"faithfulness", "completeness"}  # named by what the bars say of themselves
    assert set(meanings()) - asked_for() - measures == ELSEWHERE


def test_what_is_shown_is_what_the_glossary_says_without_its_marks() -> None:
    text = " ".join((ROOT / "docs" / "glossary.md").read_text("utf-8").split())
    assert meanings()["coverage"] in text
    assert not any(re.search(r"[*`\[\]]", meaning) for meaning in meanings().values())
    assert all(meaning[0].isupper() or "=" in meaning for meaning in meanings().values())
    assert all(len(meaning) < 400 and meaning.endswith((".", ")")) for meaning in meanings().values())


def test_a_term_is_explained_once_in_each_pane(ann: Person) -> None:
    seen = ann.why("2")
    child = next(node["id"] for node in seen["view"]["nodes"] if not node["root"])
    for step in (("select", "fc:2"), ("select", child), ("edge", f"{child} fc:2"), ("measure", "fc:2"), ("score", "")):
        ann.do(*step)
        told = [facts(part)["data-term"] for part in every(ann.pane) if getattr(part, "className", "") == "term"]
        assert told
        assert len(told) == len(set(told))


def test_later_uses_are_plain_text() -> None:
    parts: list[Any] = [html.P(["The ", term("coverage"), "."]), html.P([html.B(term("coverage"))]), term("logit")]
    assert words(each_once(parts)) == "The coverage. coverage logit"
    assert [words(part) for part in every(parts) if getattr(part, "className", "") == "term"] == ["coverage", "logit"]


def test_a_sentence_keeps_its_words_and_its_capitals() -> None:
    assert words(with_term("Silent in this photo.", "silent unit", "silent")) == "Silent in this photo."
    assert with_term("Nothing of it.", "coverage") == ["Nothing of it."]


def test_without_the_documentation_terms_are_plain_text(monkeypatch: Any) -> None:
    monkeypatch.setattr(glossary, "meanings", dict)
    assert facts(term("coverage")) == {"children": "coverage"}
