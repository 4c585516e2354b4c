"""The keys that the page and its guide tell of, and the pane of a target that is a difference."""

import re
from pathlib import Path

from dashboard import components
from dashboard.features.help import dialog
from tests.support.parts import words
from tests.support.person import Person

GUIDE = Path(__file__).parents[2] / "docs" / "page.md"
SCRIPTS = Path(components.__file__).parent / "assets"


def test_every_letter_that_the_graph_listens_to_is_in_the_dialog_and_in_the_guide() -> None:
    table = re.search(
        r"const ON_UNIT = \{(.*?)\n    \};", (SCRIPTS / "graph" / "keys.js").read_text("utf-8"), re.DOTALL
    )
    assert table is not None
    listened = set(re.findall(r"^      (\w):|^      (\w),", table[1], re.MULTILINE))
    letters = {one or other for one, other in listened} | set(re.findall(r"^      ([a-z]): ", table[1], re.MULTILINE))
    assert {"e", "c", "f", "l", "m", "p", "x"} == letters
    told = {key for key, _ in dialog.ALL["In the graph"]}
    assert letters <= told
    guide = GUIDE.read_text("utf-8")
    assert all(re.search(rf"\| {letter}[ ,|]", guide) for letter in letters)


def test_all_keys_that_one_begins_with_are_among_all_keys() -> None:
    known = {key for group in dialog.ALL.values() for key, _ in group}
    assert {key for key, _ in components.BEGIN} - known == {"click", "double click", "drag", "Shift click"}
    assert "expand it; Shift e expands its whole layer" in words(dialog.help_dialog())


def test_the_pane_of_a_difference_says_whose_logit_and_picture_it_shows(ann: Person) -> None:
    seen = ann.why("cat - dog")
    assert "logit of cat" in words(seen["head"])
    assert "highest activation" not in words(seen["head"])
    assert "at row" not in words(seen["head"])
    assert "For: cat" in words(seen["looks"])
    assert "Against: dog" in words(seen["fired"])
