"""What the page's scripts send around actions and files, read into typed values; anything else is answered with 400."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from circuits.errors import InputError
from dashboard.session.actions import Action, read_payload
from dashboard.session.tabs import NAME

_T = TypeVar("_T")
_MOST_ACTIONS = 2000
_LONGEST = 64
_LARGEST = 2**53


class MalformedError(InputError):
    """Something that no page of ours sends."""


@dataclass(frozen=True)
class Entry:
    """One action of the queue; its payload is looked at when it is applied."""

    number: int
    kind: str
    payload: object = None


@dataclass(frozen=True)
class Envelope:
    """The queue of a page.

    Args:
        session: of the tab, 32 hexadecimal digits.
        tab: of the page that sends.
        queue: actions that it does not know to be applied.
        born: of the session that it shows.
        books: which state of the books it shows.
    """

    session: str
    tab: str = ""
    queue: tuple[dict, ...] = ()  # type: ignore[type-arg]  # compared at run time
    born: str = ""
    books: str = ""

    @property
    def entries(self) -> list[Entry]:
        """The actions of the queue, in order."""
        return [_read(each, Entry, "an action") for each in self.queue]


@dataclass(frozen=True)
class FileEnvelope:
    """A file: `kind` is `photo`, `circuit` or `beside`, and `contents` a data URI."""

    session: str
    tab: str
    number: int
    kind: str
    name: str
    contents: str


@dataclass(frozen=True)
class Have:
    """What the page has already.

    Args:
        born: of which session.
        drawing: key of the drawing of its circuit.
        tiles: version of what its units show.
        seen: ids of the units of the graph that are on the screen.
        atlas: which state of the atlas's page.
    """

    born: str = ""
    drawing: str = ""
    tiles: int = 0
    seen: tuple[str, ...] = ()
    atlas: str = ""


NOTHING = Have()


def read_envelope(sent: object) -> Envelope:
    """The queue that was sent.

    Raises:
        MalformedError: if it has another form.

    Example:
        >>> read_envelope({"session": "a" * 32, "tab": "t", "queue": [{"number": 1, "kind": "undo"}]}).entries
        [Entry(number=1, kind='undo', payload=None)]
    """
    envelope = _read(sent, Envelope, "the queue")
    _check(envelope.session, envelope.tab, *(entry.number for entry in envelope.entries))
    if len(envelope.queue) > _MOST_ACTIONS:
        raise MalformedError(f"The page sent {len(envelope.queue)} actions at once; {_MOST_ACTIONS} are taken.")
    return envelope


def read_file_envelope(sent: object) -> FileEnvelope:
    """The file that was sent.

    Raises:
        MalformedError: if it has another form.
    """
    envelope = _read(sent, FileEnvelope, "a file")
    _check(envelope.session, envelope.tab, envelope.number)
    return envelope


def read_have(have: object) -> Have:
    """What the page says it has; nothing for `None`.

    Raises:
        MalformedError: if it has another form.
    """
    return _read({} if have is None else have, Have, "what the page has")


def _check(session: str, tab: str, *numbers: int) -> None:
    if NAME.fullmatch(session) is None:
        raise MalformedError("A session's name is 32 hexadecimal digits.")
    if len(tab) > _LONGEST or not all(0 <= number <= _LARGEST for number in numbers):
        raise MalformedError("A page has a name of up to 64 characters, and numbers its actions from 1.")


def _read(sent: object, kind: type[_T], what: str) -> _T:
    """A mapping as a value of a dataclass; keys that it does not know are left out."""
    if not isinstance(sent, Mapping):
        raise MalformedError(f"The page sent {what} that is no object.")
    known: dict[str, Any] = {field.name: sent[field.name] for field in fields(kind) if field.name in sent}  # type: ignore[arg-type]
    try:
        value: _T = read_payload(Action(what, known), kind)
    except InputError as error:
        raise MalformedError(str(error)) from None
    return value
