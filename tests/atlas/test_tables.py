"""An atlas as tables: every number where it belongs, in CSV and in Parquet."""

import csv
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas
from circuits.atlas.tables import MARK, TABLES, write_csv, write_parquet
from circuits.errors import InputError
from circuits.network.network import Network
from tests.atlas.conftest import save_photo
from tests.support.commandline import refusal, run


@pytest.fixture(scope="module")
def atlas(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """Of three photos of one class and nine of another."""
    folder = tmp_path_factory.mktemp("tables")
    for at, (name, count) in enumerate((("class 0", 3), ("class 2", 9))):
        for number in range(count):
            save_photo(folder / "photos" / name / f"{number}.png", 100 * at + number)
    build_atlas(network, folder / "photos", folder / "atlas")
    return Atlas.open(folder / "atlas")


def value_of(text: str) -> float | None:
    return float(text) if text else None


def test_every_number_of_the_atlas_is_in_the_tables(atlas: Atlas, tmp_path: Path) -> None:
    files = write_csv(atlas, tmp_path / "tables")
    assert [file.name for file in files] == ["classes.csv", "units.csv", "links.csv", "class_free_links.csv"]
    visible = [file.name for file in (tmp_path / "tables").iterdir() if file.name != ".lock"]
    assert sorted(visible) == sorted([*(file.name for file in files), MARK])
    classes, units, links, free = (list(csv.DictReader(file.read_text("utf-8").splitlines())) for file in files)
    assert [list(rows[0]) for rows in (classes, units, links, free)] == [list(columns) for columns in TABLES.values()]
    assert [(row["class"], row["label"], row["photos"], row["batches"]) for row in classes] == [
        ("0", "class 0", "3", "1"),
        ("2", "class 2", "9", "2"),
    ]
    assert classes[0]["logit_error"] != ""
    assert len(units) == 3 * atlas.units
    for row in units:
        of = int(row["class"]) if row["class"] else None
        unit = atlas.unit(row["unit"], of)
        assert (row["layer"], int(row["channel"]), int(row["photos"])) == (
            unit.unit.layer, unit.unit.channel, unit.photos,
        )  # fmt: skip
        for name in ("contribution", "activation", "peak"):
            suffix, mean = "_logits" if name == "contribution" else "", getattr(unit, name)
            assert value_of(row[f"{name}_mean{suffix}"]) == pytest.approx(mean.mean, rel=1e-6)
            assert value_of(row[f"{name}_error{suffix}"]) == pytest.approx(mean.error, rel=1e-6)
        assert int(row["fires_photos"]) == round(unit.fires * unit.photos)
        assert int(row["summit_photos"]) == unit.summit
        assert float(row["links_total_logits"]) == pytest.approx(unit.total, rel=1e-6)
        assert float(row["links_gross_logits"]) == pytest.approx(unit.gross, rel=1e-6)
        served = [each for each in atlas.classes_of(unit.unit) if each.number == of]
        assert value_of(row["selectivity_logits"]) == (
            pytest.approx(served[0].selectivity, abs=1e-6) if served else None
        )
        assert row["selectivity_rank"] == (str(served[0].rank) if served else "")
        for name in ("total", "gross"):
            known = atlas.table(f"class_free.{name}", unit.unit.layer)[unit.unit.channel]
            assert row[f"class_free_{name}"] == ("" if of is not None else str(known))
    expected = {
        (of, str(link.source), str(link.target)): link
        for of in (None, 0, 2) for unit in atlas.all_units() for link in atlas.links(unit, of)
    }  # fmt: skip
    assert len(links) == len(expected)
    for row in links:
        link = expected[int(row["class"]) if row["class"] else None, row["source"], row["target"]]
        assert float(row["share_mean_logits"]) == pytest.approx(link.share, rel=1e-6)
        assert value_of(row["share_error_logits"]) == (
            pytest.approx(link.error, rel=1e-6) if link.error == link.error else None
        )
        known = pytest.approx(link.consistency, rel=1e-6) if link.share > 0 else None
        assert value_of(row["consistency_share"]) == known
        assert int(row["photos"]) == link.photos
    each = {
        (str(link.source), str(link.target)): link
        for unit in atlas.all_units() for link in atlas.links(unit, class_free=True)
    }  # fmt: skip
    assert len(free) == len(each) > 0
    for row in free:
        link = each[row["source"], row["target"]]
        assert float(row["share_mean"]) == pytest.approx(link.share, rel=1e-6)
        assert value_of(row["share_error"]) == pytest.approx(link.error, rel=1e-6)
        assert value_of(row["consistency_share"]) == (
            pytest.approx(link.consistency, rel=1e-6) if link.share > 0 else None
        )
        assert int(row["photos"]) == 12


def test_parquet_has_the_numbers_of_the_csv_and_a_group_of_rows_for_each_class(atlas: Atlas, tmp_path: Path) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("pyarrow is not installed, which is part of the extra `test`.")
        pytest.skip("pyarrow is not installed: pip install 'circuit-explorer[parquet]'.")
    from pyarrow.parquet import ParquetFile

    files = write_parquet(atlas, tmp_path)
    assert [file.name for file in files] == [f"{name}.parquet" for name in TABLES]
    for file, table, (name, kinds) in zip(files, write_csv(atlas, tmp_path), TABLES.items(), strict=True):
        with ParquetFile(file) as opened:
            assert opened.num_row_groups == {"classes": 2, "class_free_links": 1}.get(name, 3)
            columns = opened.read().to_pydict()
        rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
        assert list(columns) == list(kinds)
        for column, kind in kinds.items():
            told = [row[column] for row in rows]
            if kind is str:
                assert columns[column] == told
            else:
                assert columns[column] == [value_of(text) and pytest.approx(float(text), rel=1e-6) for text in told]


def test_it_says_what_is_missing(atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        InputError, match=r"Parquet needs pyarrow: pip install 'circuit-explorer\[parquet\]'; or write CSV"
    ):
        write_parquet(atlas, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "links.csv").mkdir(parents=True)
    for arguments, sentence in (
        ([], "--parquet and --csv are missing"),
        (["--csv", atlas.folder / "tables"], "lies in the folder of the atlas"),
        (["--csv", tmp_path / "file"], "cannot be written to (Not a directory)"),
        (["--csv", tmp_path / "taken"], "holds links.csv, and is not a folder of tables of an atlas"),
        (["--parquet", tmp_path / "t"], "Parquet needs pyarrow"),
    ):
        assert sentence in refusal(run("atlas", "export", atlas.folder, *arguments))
    assert [file.name for file in (tmp_path / "taken").iterdir()] == ["links.csv"]
    assert "Wrote " in run("atlas", "export", atlas.folder, "--csv", tmp_path / "t").stdout


def test_a_folder_is_brought_up_to_date_but_never_mixed(atlas: Atlas, tmp_path: Path, network: Network) -> None:
    into, other = tmp_path / "tables", tmp_path / "other"
    write_csv(atlas, into)
    before = {file.name: file.read_bytes() for file in into.iterdir()}
    (into / "notes.txt").write_text("mine")
    write_csv(atlas, into)
    assert {file.name: file.read_bytes() for file in into.iterdir()} == {**before, "notes.txt": b"mine"}
    shutil.copytree(atlas.record.folder, tmp_path / "photos")
    for photos, layers in ((atlas.record.folder, ["stem", "last", "head"]), (tmp_path / "photos", "linked")):
        build_atlas(network, photos, other / layers[0], layers=layers)
        with pytest.raises(InputError, match="is a folder of tables of another atlas; give another folder, or remove"):
            write_csv(Atlas.open(other / layers[0]), into)
    assert (into / "links.csv").read_bytes() == before["links.csv"]
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "may.txt").write_text("mine")
    with pytest.raises(InputError, match=r"diary holds may\.txt, and is not a folder of tables of an atlas"):
        write_csv(atlas, tmp_path / "diary")
    assert [file.name for file in (tmp_path / "diary").iterdir()] == ["may.txt"]
