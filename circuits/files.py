"""Files that are either written whole or not at all, and the versions that they record."""

import errno
import json
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from circuits.errors import InputError, printable

MOST_BYTES = 64 * 2**20
"""Of a file that is read as text."""
_LOG = logging.getLogger(__name__)
_ADDRESS = re.compile("(https?|ftp):/+", re.IGNORECASE)
_UNWRITABLE = "{folder} cannot be written to ({reason}); choose another folder."
DISTRIBUTION = "circuit-explorer"
"""The name of this package on the package index, where another one is called `circuits`."""


def versions(*packages: str) -> dict[str, str]:
    """The versions of this package, under the name `circuits`, and of others, as a file records them.

    Raises:
        importlib.metadata.PackageNotFoundError: if a package is not installed.

    >>> sorted(versions("torch"))
    ['circuits', 'torch']
    """
    from importlib.metadata import version  # 50 ms, which `circuits --help` does without

    return {"circuits": version(DISTRIBUTION), **{name: version(name) for name in packages}}


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write a file whole or not at all; text is written as UTF-8.

    A temporary file beside the target is written, brought to disk and moved over it, so that whoever reads
    the target, or a crash, finds the old file or the new one and never a part. What is no file, such as a pipe or
    `/dev/null`, is written into and stays what it is.

    Args:
        path: where to; a file that exists is replaced and keeps its permissions.
        content: the bytes, or the text.

    Raises:
        InputError: if the folder is missing, may not be written to or is full, or the target is a folder.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> write_atomically(Path(folder.name, "note.txt"), "conv1:3")
    >>> Path(folder.name, "note.txt").read_text()
    'conv1:3'
    >>> folder.cleanup()
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with _sentences(path):
        target = path.resolve()  # a symbolic link stays one, and what it points to is replaced
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        if _is_no_file(target):
            target.write_bytes(data)
            return
        _refuse_read_only(path, target)
        temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o777)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


@contextmanager
def locked(file: Path, *, busy: str, unwritable: str = _UNWRITABLE, patience: float = 0.0) -> Iterator[None]:
    """Keep other processes out while the block runs, by a lock on a file, whose folder is made.

    Args:
        file: the lock.
        busy: what is said if another process holds it.
        unwritable: what is said if its folder cannot be made, with places for `folder` and `reason`.
        patience: seconds to wait for the other process; negative to wait until it is done.

    Raises:
        InputError: if another process holds it for longer, or the folder cannot be made.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with locked(Path(folder.name, "lock"), busy="Another process is at work; wait until it is done."):
    ...     pass
    >>> folder.cleanup()
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=max(patience, 0.0))
        except Timeout:
            if patience >= 0:
                raise
            _LOG.warning("Another process is at work in %s; waiting until it is done.", file.parent)
            lock.acquire()
    except Timeout:
        raise InputError(busy) from None
    except OSError as error:
        raise InputError(unwritable.format(folder=file.parent, reason=error.strerror)) from None
    except NotImplementedError:  # a file system without locks
        _LOG.warning("Files in %s cannot be locked; nothing keeps a second process out.", file.parent)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A file that is written in parts, whole or not at all: beside its place, to which it is moved after the block.

    Raises:
        InputError: if it cannot be written.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with written_aside(Path(folder.name, "units.csv")) as file:
    ...     _ = file.write_text("unit")
    >>> [each.name for each in Path(folder.name).iterdir()]
    ['units.csv']
    >>> folder.cleanup()
    """
    check_writable(path)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
    with _sentences(path):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def check_writable(path: str | Path) -> None:
    """Refuse a target that `write_atomically` could not write, before hours are spent on its content.

    Raises:
        InputError: if the folder is missing or may not be written to, or the target is a folder.
    """
    path = Path(path)
    with _sentences(path):
        target = path.resolve()
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        if _is_no_file(target):
            return
        if not target.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder")
        _refuse_read_only(path, target)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission")


def _refuse_read_only(path: Path, target: Path) -> None:
    """Refuse to replace a file that its owner has made read-only, though its folder would permit it."""
    if target.exists() and not target.stat().st_mode & 0o222:
        raise InputError(f"{path} is read-only; make it writable, or give another name.")


def _is_no_file(target: Path) -> bool:
    """Whether a target is there and is a device, a pipe or a socket, which must not be replaced."""
    return target.exists() and not target.is_file()


def read_text(path: str | Path, *, most: int = MOST_BYTES) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Args:
        path: a regular file.
        most: bytes, counted before they are read.

    Raises:
        InputError: if it is missing, no regular file, too large, not to be read by this person, or not UTF-8.
    """
    with reading(Path(path)):
        size = Path(path).stat().st_size
        if Path(path).is_dir():
            raise IsADirectoryError
        if not Path(path).is_file():  # a pipe that nobody writes to, or a device without end
            raise InputError(f"{path} is not a regular file; give one.")
        if size > most:
            raise InputError(
                f"{path} has {size / 2**20:.0f} MiB, and at most {most >> 20} are read; give a smaller file."
            )
        return Path(path).read_text(encoding="utf-8-sig")


def parse_json(text: str) -> object:
    """What a JSON text says.

    Raises:
        InputError: if it is no JSON, is nested too deeply, has a key twice in an object, or holds a number of thousands
            of digits, or half of a character.

    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    try:
        value: object = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=each_key_once)
        json.dumps(value, ensure_ascii=False).encode()
    except InputError:
        raise
    except RecursionError:
        raise InputError("This JSON is nested too deeply; it needs few levels.") from None
    except UnicodeEncodeError:
        raise InputError(
            "This JSON holds half of a character (a lone surrogate such as \\ud800), which no file can hold; remove it."
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(f"This is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
    except ValueError:
        raise InputError("This JSON holds a number of thousands of digits; shorten it.") from None
    return value


def each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON, of which Python would keep the last value of a key and lose the others without a word.

    Raises:
        InputError: if a key stands twice.

    >>> each_key_once([("a", 1), ("b", 2)])
    {'a': 1, 'b': 2}
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise InputError(f"This JSON has the key {printable(twice)[:60]!r} twice in one object; keep one of them.")
    return found


def read_json(path: str | Path, *, most: int = MOST_BYTES) -> object:
    """What a JSON file says, read as `read_text` reads.

    Raises:
        InputError: if it cannot be read, or is no JSON.
    """
    text = read_text(path, most=most)
    try:
        return parse_json(text)
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def refuse_address(path: str | Path) -> None:
    """Refuse the address of something on the web in place of a file or a folder, which must be downloaded first.

    >>> refuse_address(Path("https://example.org/cat.jpg"))
    Traceback (most recent call last):
    circuits.errors.InputError: https://example.org/cat.jpg is an address; download it first, then give the file.
    """
    text = Path(path).as_posix()
    if found := _ADDRESS.match(text):  # in a path, of its two slashes one is left
        raise InputError(f"{found[1]}://{text[found.end() :]} is an address; download it first, then give the file.")


@contextmanager
def reading(path: Path, missing: str = "check the path") -> Iterator[None]:
    """Say what the system says about a file to be read as a sentence with what to do; `missing` if there is none."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        refuse_address(path)
        raise InputError(f"There is no file {path}; {missing}.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; give a file.") from None
    except PermissionError:
        raise InputError(f"{path} may not be read; give yourself permission to read it.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({_reason(error)}).") from None


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Say what the system says about a target as a sentence with what to do."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno == errno.EISDIR:
            message = f"{path} is a folder; give the name of a file to write."
        elif error.errno in (errno.ENOENT, errno.ENOTDIR) and path.parent.is_dir():
            message = f"{path} cannot be written: {path.parent} takes no files; choose another folder."
        elif error.errno in (errno.ENOENT, errno.ENOTDIR):
            message = f"{path} cannot be written: there is no folder {path.parent}; make it first."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            message = f"{path} cannot be written: {path.parent} does not permit it; choose another folder."
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{path} cannot be written: no space is left in {path.parent}; free some or choose another."
        else:
            message = f"{path} cannot be written ({_reason(error)}); choose another name or folder."
        raise InputError(message) from None
    except ValueError as error:
        raise InputError(f"{str(path)!r} cannot be written ({error}); choose another name.") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
