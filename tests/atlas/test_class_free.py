"""What units are made of whatever the class: links over all photos, and an atlas that was begun without them."""

import json
from pathlib import Path

import pytest
import torch

from circuits.atlas.atlas import Atlas
from circuits.atlas.build import build_atlas
from circuits.attribution.links import find_links
from circuits.attribution.weight_links import LinkPass, free_of_classes
from circuits.errors import InputError
from circuits.image.photo import load_photo
from circuits.network.network import Network
from tests.atlas.conftest import save_photo
from tests.support.linked import sources_and_shares

FREE = "class_free"


@pytest.fixture
def atlas(network: Network, photos: Path, tmp_path: Path) -> Atlas:
    build_atlas(network, photos, tmp_path / "atlas")
    return Atlas.open(tmp_path / "atlas")


def test_they_are_means_over_all_photos_whose_books_close_with_the_activation(
    atlas: Atlas, network: Network, photos: Path
) -> None:
    links = find_links(network)[0]
    run, free = LinkPass(network, links, class_free=True), free_of_classes(links, network.layers[-1])
    every, classes, alive = [], [], torch.zeros(5)
    for folder in sorted(photos.iterdir()):
        for file in folder.iterdir():
            photo = network.preprocessing.input_of(load_photo(file))
            batch = run(photo, 0)  # any class gives the same
            every.append(sources_and_shares(free, batch.class_free, "last", 3))
            classes.append(folder.name)
            alive += (network.activations(photo, ["last"])["last"][0] > 0).float().mean((1, 2))
    found = {str(link.source): link for link in atlas.links("last:3", class_free=True)}
    assert len(found) == 13
    for name, link in found.items():
        shares = torch.tensor([row[name] for row in every], dtype=torch.float64)
        assert link.share == pytest.approx(float(shares.mean()), rel=1e-4, abs=1e-6)
        assert link.photos == 25
        assert link in atlas.users(link.source, class_free=True)
        means = torch.stack([shares[[each == of for each in classes]].mean() for of in classes])
        between = float((means - shares.mean()).square().sum())  # the variance within classes is that of batches
        assert link.error >= (between / 24 / 25) ** 0.5 * (1 - 1e-3)
    overall = {str(link.source): link.share for link in atlas.links("last:3")}
    assert found.keys() == overall.keys()
    assert any(abs(link.share - overall[name]) > 0.01 for name, link in found.items())  # it is another number
    bias = network.traced.get_submodule("last").bias.detach().numpy()
    for channel in range(13):
        assert atlas.table(f"{FREE}.total", "cat")[channel] == pytest.approx(
            atlas.table("activation", "cat")[channel], rel=1e-5, abs=1e-6
        )
    explained = atlas.table(f"{FREE}.total", "last") + bias * alive.numpy() / 25
    assert explained == pytest.approx(atlas.table("activation", "last"), rel=1e-4, abs=1e-6)


def test_the_logits_have_none_and_a_class_cannot_be_asked_for(atlas: Atlas) -> None:
    assert atlas.links("head:0", class_free=True) == ()
    assert {link.target.layer for link in atlas.users("cat:4", class_free=True)} == {"last"}
    with pytest.raises(InputError, match="Class-free links are of no class; leave out class 1"):
        atlas.links("last:3", "class 1", class_free=True)


def test_an_atlas_goes_on_as_it_was_begun(network: Network, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "without"
    build_atlas(network, photos, folder, class_free=False)
    record = json.loads((folder / "atlas.json").read_text())
    assert (record["format"], "class_free" in record) == ("circuits-atlas/1", False)
    begun = json.loads((folder / "subject.json").read_text())
    del begun["format"]  # older versions did not write it there
    (folder / "subject.json").write_text(json.dumps(begun))
    save_photo(photos / "class 0" / "new.png", 77)
    times = {file: file.stat().st_mtime_ns for file in (folder / "buckets" / "00001").glob("*.safetensors")}
    build_atlas(network, photos, folder)
    assert times == {file: file.stat().st_mtime_ns for file in times}
    atlas = Atlas.open(folder)
    assert (atlas.photos, atlas.has_class_free) == (26, False)
    assert atlas.links("last:3")
    for ask in (lambda: atlas.links("last:3", class_free=True), lambda: atlas.circuit("last:3")):
        with pytest.raises(InputError, match="was made without class-free links; make one in another folder"):
            ask()
    with pytest.raises(InputError, match=r"without class-free links.*, and this is .*with class-free links"):
        build_atlas(network, photos, folder, class_free=True)
    build_atlas(network, photos, tmp_path / "with", class_free=True)
    other = Atlas.open(tmp_path / "with")
    for of in (None, 0):  # the links of classes are the same, with and without
        assert [atlas.links(unit, of) for unit in atlas.all_units()] == [
            other.links(unit, of) for unit in other.all_units()
        ]
    record["format"] = "circuits-atlas/9"
    (folder / "atlas.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="the format 'circuits-atlas/9', and this version reads 'circuits-atlas/2'"):
        Atlas.open(folder)
