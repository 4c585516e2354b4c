"""A person's own names: kept for a network, over those that come along, whoever writes at once."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from circuits import InputError, UnitName, names_of, remember
from circuits.naming import store
from circuits.units import Unit

A = "a" * 64
UNIT = Unit("conv1", 3)


def test_names_are_kept_by_network_and_go_when_they_are_emptied() -> None:
    assert not names_of(A)
    assert remember(A, "conv1:3", name=" dog  head ", network="net") == UnitName(UNIT, "dog head")
    assert remember(A, UNIT, note="on the muzzle").name == "dog head"
    assert dict(names_of(A)) == {UNIT: UnitName(UNIT, "dog head", "on the muzzle")}
    assert (names_of(A).network, names_of(A).fingerprint) == ("net", A)
    assert not names_of("b" * 64)
    remember(A, UNIT, name="")
    assert names_of(A)[UNIT] == UnitName(UNIT, "", "on the muzzle")
    remember(A, UNIT, note="")
    assert not names_of(A)


def test_nobody_s_names_are_lost_when_many_write() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: remember(A, Unit("conv1", at), name=f"name {at}"), range(24)))
    assert [each.name for each in names_of(A).values()] == [f"name {at}" for at in range(24)]


def test_own_names_lie_over_those_that_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Unit("conv1", 4)
    shipped = store.UnitNames([UnitName(UNIT, "cat"), UnitName(other, "sky")], "net", A)
    monkeypatch.setattr(store, "_shipped", lambda fingerprint: shipped)
    assert [each.name for each in names_of(A).values()] == ["cat", "sky"]
    remember(A, UNIT, name="dog")
    remember(A, other, name="")
    assert dict(names_of(A)) == {UNIT: UnitName(UNIT, "dog")}
    remember(A, UNIT, name="cat")  # as it came: nothing of one's own is left to keep
    assert store.names_file(A).read_text().splitlines()[2:] == ["conv1:4,,"]


def test_a_damaged_file_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    remember(A, UNIT, name="dog")
    file = store.names_file(A)
    file.write_text("unit,name\nconv1,dog\n")
    with caplog.at_level(logging.WARNING):
        assert not names_of(A)
    assert "line 2: 'conv1' is not a unit" in caplog.text
    with pytest.raises(InputError, match="line 2"):
        remember(A, UNIT, name="cat")
    assert file.read_text() == "unit,name\nconv1,dog\n"


def test_where_names_cannot_be_kept_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.FOLDER, str(tmp_path / "file" / "below"))
    assert not names_of(A)
    with pytest.raises(InputError, match="CIRCUITS_NAMES name another folder"):
        remember(A, UNIT, name="dog")
    for wrong in ("", "../" * 3, "A" * 64):
        with pytest.raises(InputError, match="is no fingerprint"):
            remember(wrong, UNIT, name="dog")
    with pytest.raises(InputError, match="is a neuron"):
        remember(A, "conv1:3@0,0", name="dog")


def test_tests_never_touch_a_person_s_own_names() -> None:
    assert Path(os.environ[store.FOLDER]) in (store.names_folder(), *store.names_folder().parents)
    assert "circuits-names-" in str(store.names_folder())
