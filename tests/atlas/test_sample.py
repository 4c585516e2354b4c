"""The small form of an atlas that is given to others, and the one that ships with the built-in network."""

import lzma
import tomllib
from pathlib import Path

import numpy as np
import pytest

from circuits import builtin
from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas
from circuits.atlas.facts import AtlasLink
from circuits.errors import InputError
from circuits.network.loading import load_network
from circuits.network.network import Network
from tests.training.test_shipped_exemplars import archive
from training.builtin.atlas import COLLECTION, write_photos, write_sample

ROOT = Path(__file__).parents[2]


def strongest(links: tuple[AtlasLink, ...], signs: str) -> set[str]:
    wanted = [link for link in links if signs == "both" or link.share > 0]
    return {str(link.source) for link in sorted(wanted, key=lambda link: -abs(link.share))[:5]}


def test_a_sample_is_read_as_its_atlas(network: Network, photos: Path, tmp_path: Path) -> None:
    build_atlas(network, photos, tmp_path / "full")
    write_sample(tmp_path / "full", tmp_path / "small")
    full, small = Atlas.open(tmp_path / "full"), Atlas.open(tmp_path / "small")
    assert (small.classes, small.layers, small.photos) == (full.classes, full.layers, full.photos)
    for of in (None, 0, 1, 2):
        for layer in small.layers:
            for name in ("contribution", "activation", "peak", "fires", "summit"):
                expected = full.table(name, layer.name, of)
                assert small.table(name, layer.name, of) == pytest.approx(expected, rel=4e-3, abs=1e-7)
            errors = full.table("contribution.error", layer.name, of)
            assert small.table("contribution.error", layer.name, of) == pytest.approx(errors, rel=0.04, nan_ok=True)
        assert small.selectivity("cat") == pytest.approx(full.selectivity("cat"), abs=2e-3)
    for channel in (1, 3, 4):  # the others are silent
        kept, links = (atlas.links(f"last:{channel}", 1) for atlas in (small, full))
        assert 5 <= len(kept) < len(links)
        for signs in ("positive", "both"):
            assert strongest(kept, signs) == strongest(links, signs)
        shares = {link.source: link for link in links}
        for link in kept:
            assert link.share == pytest.approx(shares[link.source].share, rel=4e-3)
            assert link.consistency == pytest.approx(shares[link.source].consistency, rel=1e-3)
    overall = {link.source: link.share for link in full.links("last:3")}
    assert {link.source: link.share for link in small.links("last:3")} == pytest.approx(
        {link.source: overall[link.source] for link in small.links("last:3")}, rel=4e-3
    )
    for signs in ("positive", "both"):
        for of in (1, "last:3"):
            circuits = (atlas.circuit(of, depth=3, top=5, signs=signs) for atlas in (small, full))
            assert len({circuit.visible for circuit in circuits}) == 1


def test_a_sample_names_no_photo(network: Network, photos: Path, tmp_path: Path) -> None:
    (photos / "class 0" / "secret.png").write_text("no photo")
    build_atlas(network, photos, tmp_path / "full")
    write_sample(tmp_path / "full", tmp_path / "small")
    files = [file for file in (tmp_path / "small").rglob("*") if file.is_file()]
    assert len(files) == 5  # of three classes, of all, and the record
    for file in files:
        content = file.read_bytes()
        content = lzma.decompress(content) if file.suffix == ".xz" else content
        assert b".png" not in content
        assert str(photos).encode() not in content
    assert Atlas.open(tmp_path / "small").record.folder == COLLECTION


def test_a_damaged_sample_is_said_to_be_damaged(network: Network, photos: Path, tmp_path: Path) -> None:
    build_atlas(network, photos, tmp_path / "full", classes=["class 2"])
    write_sample(tmp_path / "full", tmp_path / "small")
    file = tmp_path / "small" / "classes" / "00002.safetensors.xz"
    whole = file.read_bytes()
    for damaged in (whole[:-20], b"no xz", lzma.compress(b"{}"), lzma.compress(b"\x02" + bytes(7) + b"{}")):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"00002\.safetensors\.xz is damaged, or no file of an atlas"):
            Atlas.open(tmp_path / "small").links("last:0", 2)


def test_photos_are_taken_evenly_from_all_of_the_archive(tmp_path: Path) -> None:
    write_photos(archive(tmp_path / "photos.npz"), tmp_path / "photos", 4)
    found = {folder.name: [file.name for file in folder.iterdir()] for folder in (tmp_path / "photos").iterdir()}
    assert {name: sorted(files) for name, files in found.items() if files} == {
        "cat": ["0.jpg", "18.jpg", "27.jpg", "9.jpg"],
        "goldfish": ["1.jpg", "10.jpg", "19.jpg", "28.jpg"],
    }


class TestShipped:
    def test_it_belongs_to_the_shipped_weights(self) -> None:
        atlas, network = Atlas.open(builtin.atlas_folder()), load_network("builtin")
        assert atlas.record.subject.network["sha256"] == network.sha256
        assert atlas.record.subject.labels == network.labels
        assert [(layer.name, layer.channels) for layer in atlas.layers] == [
            (layer.name, layer.channels) for layer in network.layer_list
        ]
        assert atlas.photos == 68 * 160
        assert atlas.exemplars is None

    def test_a_class_has_the_units_of_the_full_atlas(self) -> None:
        atlas = Atlas.open(builtin.atlas_folder())
        units = [str(unit.unit) for unit in atlas.strongest("conv7", "cat", 5)]
        assert units == ["conv7:257", "conv7:281", "conv7:139", "conv7:346", "conv7:202"]
        circuit = atlas.circuit("cat", depth=2)
        assert {edge.source for edge in circuit.edges_into("fc:0")} == set(units)
        assert circuit.collection is not None
        assert (circuit.collection.photos, circuit.collection.batches) == (160, 21)
        books = circuit.nodes["fc:0"].books
        assert books is not None
        assert books.shown + books.rest + books.bias == pytest.approx(circuit.nodes["fc:0"].value, abs=1e-5)
        assert books.bias == pytest.approx(float(load_network("builtin").traced.fc.bias[0]), abs=0.01)
        assert [each.label for each in atlas.classes_of("conv7:257", 2)] == ["guinea pig", "cat"]
        assert np.isfinite(atlas.selectivity("conv7")).all()

    def test_it_is_small_and_in_the_wheel(self) -> None:
        files = [file for file in builtin.atlas_folder().rglob("*") if file.is_file()]
        assert sum(file.stat().st_size for file in files) < 4e6
        declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
            "circuits"
        ]
        packed = {path for pattern in declared for path in (ROOT / "circuits").glob(pattern)}
        assert set(files) <= packed
