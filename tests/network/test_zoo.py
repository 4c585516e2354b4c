"""Every classifier of torchvision: the smallest of each family always, all in a slow test that prints a table."""

from pathlib import Path

import pytest
import torchvision

from circuits.errors import InputError
from tests.support.zoo_checks import (
    NAMES,
    REFUSED,
    SMALLEST,
    check,
    is_refused,
    known_rows,
    row,
    side_of,
    trace_loaded,
)

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    """The cells of a row of the table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", SMALLEST.values())
def test_the_smallest_of_a_family_passes_everything_as_the_page_says(name):
    found = check(name, narrow=True)
    _, layers, ends, fine, exact, *_, status = cells(known_rows(PAGE)[name])
    assert (layers, fine) == (str(len(found.layers)), str(found.fine))
    assert exact == f"{found.exact} of {len(found.layers) - 1}"
    assert ends == f"`{found.layers[0]}` … `{found.layers[-1]}`"
    assert status == "works"


@pytest.mark.parametrize("name", REFUSED.values())
def test_a_vision_transformer_is_refused_with_the_reason_as_the_page_says(name):
    with pytest.raises(InputError, match=r"^The network keeps its tensors as rows of tokens, \(1, 50, 768\) of "):
        trace_loaded(name, side_of(name))
    assert cells(known_rows(PAGE)[name])[-1] == "refused: rows of tokens"


def test_the_page_has_a_row_for_every_network_of_its_torchvision():
    rows = known_rows(PAGE)
    assert {name: is_refused(name) for name in rows} == {name: "refused" in line for name, line in rows.items()}
    if f"torchvision {torchvision.__version__.partition('+')[0]};" in PAGE:
        assert list(rows) == list(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_network_passes_everything_as_the_page_says(name):
    made = row(name)
    print(made)
    page = cells(known_rows(PAGE)[name])
    assert [cells(made)[at] for at in (0, 1, 2, 3, 4, -1)] == [page[at] for at in (0, 1, 2, 3, 4, -1)]
