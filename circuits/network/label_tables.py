"""Labels of classes in lines of text: one a line, with its number or not, or a table whose columns may be named."""

import csv
import re
from collections import Counter
from collections.abc import Sequence

from circuits.errors import InputError, listed

NUMBERS = ("id", "index", "idx", "class_id", "classid", "class_index", "number", "target", "")
"""What people call a column of numbers of classes."""
NAMES = ("label", "name", "class_name", "classname", "category", "class", "title", "description")
"""What they call a column of labels, likeliest first."""
_LINES = re.compile("\r\n|\r|\n")
_NUMBERED = re.compile(r"(\d{1,9})\s*([:,;=.)-]|\s)\s*(\S.*)")
_NUMBER_LAST = re.compile(r"(\S.*?)\s*[\s,;:=]\s*(\d{1,9})")


def labels_of_lines(text: str, ending: str, what: str) -> list[str]:
    r"""The labels in a text, in the order of their classes; none if it is blank.

    Args:
        text: the file's.
        ending: of its name, such as `.csv`, in small letters.
        what: what errors call it.

    Raises:
        InputError: if it is no table, or numbers its classes and leaves one out, or names one twice.

    >>> labels_of_lines("1: dog\n0: cat", ".txt", "the labels"), labels_of_lines("cat;dog", ".csv", "the labels")
    (['cat', 'dog'], ['cat', 'dog'])
    """
    lines = _LINES.split(text)
    try:
        rows = (
            list(csv.reader(lines, delimiter=_delimiter(next(filter(str.strip, lines), ""))))
            if ending == ".csv"
            else [line.split("\t") for line in lines]
        )
    except csv.Error as error:
        raise InputError(f"{what[0].upper()}{what[1:]} are no CSV ({error}); give one label a line.") from None
    rows = [[cell.strip() for cell in row] for row in rows]
    if not (rows := [row for row in rows if any(row)]):
        return []
    headed = ending in (".csv", ".tsv")
    if headed and len(rows) == 1 and not any(cell.isdecimal() for cell in rows[0]):
        return rows[0]
    return _of_table(rows if headed else _numbered(rows, what), what, headed=headed)


def _delimiter(line: str) -> str:
    return next((each for each in ",;\t" if each in line), ",")


def _numbered(rows: list[list[str]], what: str) -> list[list[str]]:
    """Lines such as `3: dog` or `dog 3` as tables, where their numbers count all lines and the labels differ."""
    lines = [row[0] for row in rows if len(row) == 1]
    if len(lines) < len(rows):
        return rows
    first = [match for line in lines if (match := _NUMBERED.fullmatch(line))]
    last = [match for line in lines if (match := _NUMBER_LAST.fullmatch(line))]
    for parts in ([[match[1], match[3]] for match in first], [[match[2], match[1]] for match in last]):
        numbers = sorted(int(number) for number, _ in parts)
        counts = len(parts) == len(rows) and numbers in (list(range(len(rows))), list(range(1, len(rows) + 1)))
        if counts and len({label for _, label in parts}) == len(rows):
            return parts
    if len(first) == len(rows) and not any(match[2].isspace() for match in first):
        _refuse_gaps([int(match[1]) for match in first], what)
    return rows


def _refuse_gaps(numbers: Sequence[int], what: str) -> None:
    """Refuse numbers that begin to count classes and then leave some out, or name one twice."""
    if min(numbers) > 1 or max(numbers) > 2 * len(numbers):  # they are something else, such as years
        return
    twice = sorted(number for number, times in Counter(numbers).items() if times > 1)
    lost = sorted(set(range(min(numbers), max(numbers))) - set(numbers))
    faults = [f"have {listed(map(str, twice), limit=4)} twice"] if twice else []
    faults += [f"lack {listed(map(str, lost), limit=4)}"] if lost else []
    raise InputError(
        f"{what[0].upper()}{what[1:]} number the classes, but {' and '.join(faults)}; number each once, or leave the "
        "numbers out if the lines are in the order of the network's classes."
    )


def _of_table(rows: list[list[str]], what: str, *, headed: bool) -> list[str]:
    """The column of labels, put in order by a column that counts."""
    head = [cell.casefold().replace(" ", "_") for cell in rows[0]]
    at, by = -1, 0
    if headed and len(rows) > 1 and _is_head(head, rows[1:]):
        at = next((head.index(name) for name in NAMES if name in head), -1)
        by = next((head.index(name) for name in NUMBERS if name in head and head.index(name) != at), 0)
        rows = rows[1:]
    elif headed and all(len(row) > 1 and row[-1].isdecimal() and not row[0].isdecimal() for row in rows):
        at, by = 0, -1
    if all(len(row) > 1 and -len(row) <= by < len(row) and row[by].isdecimal() for row in rows):
        numbers = [int(row[by][:18]) for row in rows]
        if sorted(numbers) == list(range(min(numbers), min(numbers) + len(rows))):
            rows = [row for _, row in sorted(zip(numbers, rows, strict=True), key=lambda pair: pair[0])]
        else:
            _refuse_gaps(numbers, what)
    return [row[at] if len(row) > at else "" for row in rows]


def _is_head(head: list[str], rows: list[list[str]]) -> bool:
    """Whether the first line of a table names its columns: all known words, or words above numbers."""
    known = (*NAMES, *NUMBERS, "wnid", "synset")
    numbered = [at for at in range(len(head)) if all(len(row) > at and row[at].isdecimal() for row in rows)]
    above = [head[at] for at in numbered if not head[at].isdecimal()]
    return all(cell in known for cell in head) or any(cell in NUMBERS or "label" in head for cell in above)
