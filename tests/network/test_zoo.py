"""Classifiers of torchvision, timm and transformers: small ones always, all in a slow test that prints a table."""

from pathlib import Path

import pytest
import timm
import torchvision

from tests.support import timm_models
from tests.support.timm_models import check_timm
from tests.support.transformers_models import FULL, check_transformers
from tests.support.zoo_checks import (
    NAMES,
    NOT_RUN,
    SMALLEST,
    check,
    known_rows,
    row,
    row_not_run,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    """The cells of a row of the table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", SMALLEST.values())
def test_the_smallest_of_a_family_passes_everything_as_the_page_says(name):
    compare_with_the_page(name, check(name, narrow=True))


@pytest.mark.parametrize("name", timm_models.SMALLEST)
def test_a_small_network_of_timms_passes_everything_as_the_page_says(name):
    compare_with_the_page(name, check_timm(name))


def compare_with_the_page(name, found):
    """Compare what was found of a network that works with its row of the page."""
    _, layers, ends, fine, exact, *_, status = cells(known_rows(PAGE)[name])
    assert (layers, fine) == (str(len(found.layers)), str(found.fine))
    assert exact == f"{found.exact} of {len(found.layers) - 1}"
    assert ends == f"`{found.layers[0]}` … `{found.layers[-1]}`"
    assert status == "works"


def test_the_page_has_a_row_for_every_network_of_its_torchvision():
    rows = known_rows(PAGE)
    own = [name for name in rows if name not in timm_models.NAMES and name not in FULL]
    assert not [name for name in own if "refused" in rows[name]]
    if f"torchvision\n{torchvision.__version__.partition('+')[0]}," in PAGE:
        assert own == list(NAMES)


def test_the_page_says_of_each_network_that_it_works_or_is_refused_or_was_not_run():
    rows = known_rows(PAGE)
    for name, line in rows.items():
        *found, status = cells(line)[1:]
        assert status in ("works", "not run") or status.startswith("refused: "), name
        assert all(found) if status == "works" else not any(found), name
    assert {name: line for name, line in rows.items() if "not run" in line} == {
        name: row_not_run(name) for name in NOT_RUN if not rows[name].endswith("| works |")
    }


def test_the_readme_says_how_many_networks_of_torchvision_pass():
    own = [line for name, line in known_rows(PAGE).items() if name not in timm_models.NAMES and name not in FULL]
    works = sum(line.endswith("| works |") for line in own)
    assert f"[{works} of its {len(own)} networks](docs/networks.md) pass everything" in README


def test_the_page_has_a_row_for_at_least_fifty_families_of_timms_that_work():
    rows = known_rows(PAGE)
    works = [name.removeprefix("timm:") for name in timm_models.NAMES if rows[name].endswith("| works |")]
    assert set(FULL) <= set(rows)
    if f"timm {timm.__version__} " in PAGE:
        assert len({timm.models.model_entrypoint(name).__module__ for name in works}) >= 50


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, *timm_models.NAMES, *FULL])
def test_every_network_passes_everything_as_the_page_says(name):
    if name in NOT_RUN:
        pytest.skip("too large")
    made = row(name, check_timm if name in timm_models.NAMES else check_transformers if name in FULL else check)
    print(made)
    page = cells(known_rows(PAGE)[name])
    assert [cells(made)[at] for at in (0, 1, 2, 3, 4, -1)] == [page[at] for at in (0, 1, 2, 3, 4, -1)]
