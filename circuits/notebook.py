"""Values that show themselves as HTML, written by `circuits.report`, which lies on a floor above them.

`circuits.report.notebook` registers how each type is written. It is imported when the first value is shown, so that
neither the values nor `import circuits` depend on it.
"""

from functools import singledispatch
from importlib import import_module

_REPORTS = "circuits.report.notebook"


@singledispatch
def page_of(value: object) -> str:
    """The report of a value as a page that needs no other file."""
    raise TypeError(f"There is no report of a {type(value).__name__}.")


@singledispatch
def cell_of(value: object) -> str:
    """The report of a value as a notebook shows it below a cell."""
    raise TypeError(f"There is no report of a {type(value).__name__}.")


def to_page(value: object) -> str:
    """The report of a value as a page, with the reports imported."""
    import_module(_REPORTS)
    return page_of(value)


class Reported:
    """A value that a notebook shows as its report."""

    def _repr_html_(self) -> str:
        import_module(_REPORTS)
        return cell_of(self)
