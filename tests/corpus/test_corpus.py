"""Every input of the corpus through the real command line, held to what is promised of all."""

import shutil
from pathlib import Path

import pytest

from tests.corpus.circuit_files import circuit_files
from tests.corpus.labels import labels
from tests.corpus.names import names
from tests.corpus.options import options
from tests.corpus.photos import large_photos, photos
from tests.corpus.weights import weights
from tests.support.corpus import Case, judge, stage

KINDS = (photos, large_photos, weights, labels, circuit_files, options, names)
CASES = [case for kind in KINDS for case in kind()]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stage")
    stage(folder)
    return folder


@pytest.fixture
def folder(staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for each case, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "here"
    place.mkdir()
    for name in ("net.py", "photo.png", "circuit.json"):
        shutil.copy(staged / name, place / name)
    return place


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert sum(not case.slow for case in CASES) >= 220
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.filterwarnings("default")  # what torch and Pillow say of odd files is theirs, and not shown to people
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name.encode("ascii", "backslashreplace").decode(),
            marks=[pytest.mark.slow] if case.slow else [],
        )
        for case in CASES
    ],
)
def test_an_input_is_taken_or_refused_in_one_sentence(case: Case, folder: Path) -> None:
    judge(case, folder)
