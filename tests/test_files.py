"""Files are written whole or not at all, and whatever prevents it is said in a sentence."""

import errno
import os
from pathlib import Path

import pytest

from circuits.errors import InputError
from circuits.files import check_writable, parse_json, read_json, read_text, write_atomically


def refuse(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fsync(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_atomically(tmp_path / "text", "Überraschung → 1\n")
    write_atomically(str(tmp_path / "bytes"), b"\r\n\0")
    assert (tmp_path / "text").read_bytes() == "Überraschung → 1\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\r\n\0"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bytes", "text"]


def test_an_old_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old and longer")
    path.chmod(0o640)
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_gets_the_permissions_that_new_files_get(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "out", "")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_a_link_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "out")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "out").read_text() == "new"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, r"out cannot be written: no space is left in .*; free some or choose another\."),
        (errno.EDQUOT, r"no space is left in"),
        (errno.EACCES, r"out cannot be written: .* does not permit it; choose another folder\."),
        (errno.EROFS, r"does not permit it"),
        (errno.EIO, r"out cannot be written \(Input/output error\)"),
    ],
)
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, sentence: str
) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    refuse(monkeypatch, code)
    with pytest.raises(InputError, match=sentence):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_writable(pipe)
        write_atomically(pipe, "conv1:3")
        assert os.read(reader, 100) == b"conv1:3"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out", "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attempt", [lambda path: write_atomically(path, ""), check_writable])
def test_folders_that_are_missing_and_targets_that_are_folders_are_refused(tmp_path: Path, attempt: object) -> None:
    assert callable(attempt)
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; make it first"):
        attempt(tmp_path / "nowhere" / "out")
    with pytest.raises(InputError, match=r"is a folder; give the name of a file to write"):
        attempt(tmp_path)
    with pytest.raises(InputError, match=r"cannot be written"):
        attempt(Path("a\0b"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"there is no folder .*file; make it first"):
        attempt(tmp_path / "file" / "out")


def test_a_folder_that_may_not_be_written_to_is_refused_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match=r"does not permit it; choose another folder"):
        check_writable(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_text_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin is not text in UTF-8\."):
        read_text(tmp_path / "latin")
    with pytest.raises(InputError, match=r"There is no file .*nowhere; check the path\."):
        read_text(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"is a folder; give a file\."):
        read_text(tmp_path)

    def forbidden(self: Path, **_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", forbidden)
    with pytest.raises(InputError, match=r"latin may not be read; give yourself permission"):
        read_text(tmp_path / "latin")


def test_a_read_only_file_is_neither_replaced_nor_said_to_be_writable(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("kept")
    path.chmod(0o444)
    for attempt in (lambda: check_writable(path), lambda: write_atomically(path, "new")):
        with pytest.raises(InputError, match=r"^.*out is read-only; make it writable, or give another name\.$"):
            attempt()
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_read_up_to_a_size_from_regular_files_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbf" + "ä→".encode())
    assert read_text(tmp_path / "text") == "ä→"
    with pytest.raises(InputError, match="has 0 MiB, and at most 0 are read"):
        read_text(tmp_path / "text", most=3)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="is not a regular file; give one"):
            read_text(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1,", "This is not JSON: Expecting value in line 1, column 4"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "a number of thousands of digits"),
        ('"\\ud800"', "half of a character"),
    ],
)
def test_json_that_cannot_be_is_refused_with_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=sentence):
        parse_json(text)
    with pytest.raises(InputError, match=f"a.json cannot be read: .*{sentence}"):
        read_json(tmp_path / "a.json")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no files")
def test_a_folder_that_takes_no_files_is_not_said_to_be_missing() -> None:
    with pytest.raises(InputError, match=r"^/proc/circuits\.json cannot be written: /proc takes no files"):
        write_atomically("/proc/circuits.json", "")
