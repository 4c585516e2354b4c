"""`circuits atlas` and `circuits class`, as they are typed, on the hand-wired network."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save

from circuits.atlas.atlas import Atlas
from circuits.atlas.suggestion import write_suggestions
from circuits.network.network import Network
from circuits.tracing.circuit import Circuit
from circuits.units import Unit
from circuits.visualization.render import Picture
from circuits.visualization.store import PictureStore
from tests.support.commandline import on_handmade, refusal, run


def save_photos(folder: Path) -> None:
    """Ten warm photos and two cold ones of one colour, what is no photo, and a folder that is no class."""
    for name, count, red in (("warm", 10, 200), ("cold", 2, 20), ("zebra", 1, 100)):
        for number in range(count):
            path = folder / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4, 3), (red + 5 * number, 30, 60), dtype=np.uint8)).save(path)
    (folder / "warm" / "notes.txt").write_text("no photo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_photos(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas, which no test may change."""
    at = tmp_path_factory.mktemp("finished")
    save_photos(at / "photos")
    result = run("atlas", at / "photos", "-o", at / "atlas", *on_handmade(at))
    assert result.exit_code == 0, result.output
    assert "12 photos of 2 classes: 9 units of Handmade in 3 layers" in result.stdout
    said = result.stderr.splitlines()
    assert said[0] == "Left out: zebra is no class of the network (1 file)."
    assert said[1].startswith("Skipped: warm/notes.txt is not an image")
    return at / "atlas"


@pytest.fixture
def made(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, whose network is there too."""
    on_handmade(tmp_path)
    return shutil.copytree(finished, tmp_path / "atlas")


class TestAtlas:
    def test_an_atlas_is_made_with_its_exemplars(self, finished: Path) -> None:
        atlas = Atlas.open(finished)
        assert [(each.label, each.photos) for each in atlas.classes] == [("warm", 10), ("cold", 2)]
        assert atlas.exemplars is not None
        assert atlas.exemplars.photos == 13  # zebras too: what units fire on is asked of all photos
        correlations = atlas.coactivation("conv1")
        assert correlations.shape == (4, 4)
        assert np.abs(correlations).max() <= 1 + 1e-6
        assert correlations[0, 0] == pytest.approx(1.0)

    def test_a_second_run_computes_nothing_again(self, made: Path, folder: Path, tmp_path: Path) -> None:
        times = {file: file.stat().st_mtime_ns for file in (made / "buckets").rglob("*.safetensors")}
        result = run("atlas", folder, "-o", made, *on_handmade(tmp_path), "--json", "--no-exemplars")
        assert json.loads(result.stdout)["classes"] == {"warm": 10, "cold": 2}
        assert times == {file: file.stat().st_mtime_ns for file in (made / "buckets").rglob("*.safetensors")}

    def test_parts_are_put_together_by_the_last(self, folder: Path, tmp_path: Path) -> None:
        arguments = ["atlas", folder, "-o", tmp_path / "parts", *on_handmade(tmp_path), "--no-exemplars"]
        first = run(*arguments, "--part", "1/2")
        assert "1 bucket of other parts still to do" in first.stdout
        said = refusal(run("class", "warm", "--atlas", tmp_path / "parts"))
        assert said.endswith(f"is not finished; go on with it: `circuits atlas PHOTOS -o {tmp_path / 'parts'}`.")
        assert "12 photos of 2 classes" in run(*arguments, "--part", "2/2").stdout

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (["--part", "3/2"], "--part '3/2' is no part; write the part and how many there are, such as 3/16."),
            (["--part", "a"], "is no part"),
            (["--workers", "2", "--ray", "auto"], "--workers and --ray say both who computes; give one of them."),
            (["--classes", "ship"], "No class 'ship'"),
            (["--classes", ","], "No class is named; name those that are to be explained"),
            (["--layers", "conv9"], "Layer 'conv9' does not exist"),
            (["--layers", ","], "A circuit needs at least two layers; the choice leaves fc alone."),
        ],
    )
    def test_what_cannot_be_meant_is_refused(
        self, given: list[str], message: str, folder: Path, tmp_path: Path
    ) -> None:
        result = run("atlas", folder, "-o", tmp_path / "atlas", *on_handmade(tmp_path), *given)
        assert message in refusal(result)

    def test_it_needs_photos_and_a_folder(self, tmp_path: Path) -> None:
        assert "-o is missing" in refusal(run("atlas", tmp_path))
        result = run("atlas", tmp_path / "none", "-o", tmp_path / "atlas", *on_handmade(tmp_path))
        assert "There is no folder" in refusal(result)
        (tmp_path / "photos" / "warm").mkdir(parents=True)
        result = run("atlas", tmp_path / "photos", "-o", tmp_path / "atlas", *on_handmade(tmp_path))
        assert "There is no photo in" in refusal(result)
        Image.new("RGB", (4, 4)).save(tmp_path / "photos" / "warm" / "0.png")
        result = run("atlas", tmp_path / "photos", "-o", tmp_path / "a", "--classes", "cold", *on_handmade(tmp_path))
        assert refusal(result).endswith("has no photo of cold; it has folders of warm.")
        (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
        result = run("atlas", tmp_path / "photo.jpg", "-o", tmp_path / "atlas", *on_handmade(tmp_path))
        assert refusal(result).endswith("give a CSV file with the columns photo and class.")

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems take only text as the name of a file")
    def test_names_that_are_no_text_and_links_to_themselves_stop_nothing(self, folder: Path, tmp_path: Path) -> None:
        (folder / "warm" / os.fsdecode(b"bad\xff.jpg")).write_text("no photo")
        (folder / "warm" / "self.jpg").symlink_to("self.jpg")
        (folder / "hot").symlink_to(folder / "warm")
        (folder / "ze\nbra").mkdir()
        (folder / "ze\nbra" / "no\nphoto\t.png").write_text("no photo")
        (folder / "warm" / "no\nphoto\t.png").write_text("no photo")
        arguments = ["atlas", folder, "-o", tmp_path / "atlas", *on_handmade(tmp_path), "--no-exemplars"]
        result = run(*arguments)
        assert "12 photos of 2 classes" in result.stdout
        assert sorted(line.partition(" is ")[0] for line in result.stderr.splitlines()) == [
            "Left out: hot, warm/self.jpg: links to folders, or to nothing, are not followed.",
            "Left out: ze\\nbra",
            "Left out: zebra",
            *(f"Skipped: warm/{name}" for name in ("bad\\xff.jpg", "no\\nphoto\\t.png", "notes.txt")),
        ]
        names = ["warm/bad\\xff.jpg", "warm/no\nphoto\t.png", "warm/notes.txt"]
        assert sorted(Atlas.open(tmp_path / "atlas").skipped) == names

    def test_a_list_has_exemplars_too(self, folder: Path, tmp_path: Path) -> None:
        rows = [
            f"photos/{name}.png,{label}" for name, label in (("warm/1", "cold"), ("cold/0", "warm"), ("cold/1", "x"))
        ]
        (tmp_path / "list.csv").write_text("\n".join(["photo,class", *rows]) + "\n")
        result = run("atlas", tmp_path / "list.csv", "-o", tmp_path / "atlas", *on_handmade(tmp_path))
        assert "2 photos of 2 classes" in result.stdout
        found = Atlas.open(tmp_path / "atlas").exemplars
        assert found is not None
        assert {each.photo: each.group for each in found.of("fc:0").most} == {
            tmp_path / "photos" / "warm" / "1.png": "cold",
            tmp_path / "photos" / "cold" / "0.png": "warm",
            tmp_path / "photos" / "cold" / "1.png": "x",
        }

    def test_what_comes_to_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "photos" / "warm").mkdir(parents=True)
        (tmp_path / "photos" / "warm" / "0.png").write_text("no photo")
        (tmp_path / "mine").mkdir()
        for into in ("new", "mine"):
            result = run("atlas", tmp_path / "photos", "-o", tmp_path / into, *on_handmade(tmp_path))
            assert "There is no photo that can be read in " in refusal(result)
            assert "photos (warm/0.png is not an image that can be read" in refusal(result)
        assert not (tmp_path / "new").exists()
        assert list((tmp_path / "mine").iterdir()) == []

    def test_folders_called_otherwise_are_told_by_a_list(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "names.csv").write_text("folder,class\nzebra,cold\n")
        arguments = ["--classes", tmp_path / "names.csv", *on_handmade(tmp_path), "--no-exemplars", "--json"]
        result = run("atlas", folder, "-o", tmp_path / "atlas", *arguments)
        assert json.loads(result.stdout)["classes"] == {"cold": 1}


class TestClass:
    def test_the_circuit_of_a_class_is_shown_and_written(self, made: Path, tmp_path: Path) -> None:
        files = [tmp_path / f"warm{ending}" for ending in (".json", ".html", ".svg", ".graphml")]
        options = [
            part for file in files for part in (f"--{file.suffix[1:]}" if file.suffix != ".json" else "-o", file)
        ]
        result = run("class", "warm", "--atlas", made, *options)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("Handmade (as made) on 10 photos of warm.\nThe circuit of warm (fc:0, ")
        assert "Half of the edges have a standard error of" in result.stdout
        assert "edges are among the five strongest of their unit in " in " ".join(result.stdout.split())
        circuit = Circuit.from_json(files[0])
        assert (circuit.settings.mode, circuit.settings.depth) == ("target", 2)
        assert all(file.stat().st_size for file in files)
        assert "Without pictures: give --network for Handmade to have them drawn." in result.stderr
        compared = run("compare", files[0], files[0])
        assert "Why warm? Handmade on 10 photos of warm" in compared.stdout

    def test_that_of_a_unit_is_what_it_is_made_of(self, made: Path, tmp_path: Path) -> None:
        atlas, file = Atlas.open(made), tmp_path / "unit.json"
        layer = atlas.layers[-2].name
        result = run("class", f"{layer}:0", "--atlas", made, "-o", file)
        assert result.stdout.startswith(
            f"Handmade (as made) on {atlas.photos} photos of 2 classes.\nWhat {layer}:0 is "
        )
        assert Circuit.from_json(file) == atlas.circuit(f"{layer}:0", depth=2)

    def test_nothing_is_written_among_the_files_of_the_atlas(self, made: Path) -> None:
        before = (made / "atlas.json").read_bytes()
        said = refusal(run("class", "warm", "--atlas", made, "-o", made / "atlas.json"))
        assert "lies in the folder of the atlas, whose own files are there; write it elsewhere" in said
        assert (made / "atlas.json").read_bytes() == before

    def test_it_has_no_photo_to_be_scored_in(self, made: Path, tmp_path: Path) -> None:
        file = tmp_path / "warm.json"
        assert run("class", "warm", "--atlas", made, "-o", file).exit_code == 0
        said = refusal(run("evaluate", file, *on_handmade(tmp_path)))
        assert said.startswith("Error: The circuit explains 10 photos of warm together, so there is no single photo")

    def test_a_damaged_atlas_is_named(self, made: Path) -> None:
        file = made / "atlas.json"
        whole = json.loads(file.read_text())
        damages: list[dict[str, object]] = [
            {"network": {}}, {"preprocessing": {}}, {"labels": [1, 2]}, {"layers": []}, {"links": 3}, {"skipped": [1]},
            {"kept": ["a", "b"]}, {"photos": {"500": 3}}, {"photos": {"0": 0}}, {"photos": {"-1": 2}},
        ]  # fmt: skip
        for damage in damages:
            file.write_text(json.dumps(whole | damage))
            said = refusal(run("class", "warm", "--atlas", made))
            assert f"{file} is damaged, or no file of an atlas" in said, damage

    def test_each_damaged_file_gets_one_sentence_and_nothing_is_half_written(self, made: Path, tmp_path: Path) -> None:
        overall, own = made / "overall.safetensors", made / "classes" / "00000.safetensors"
        [bucket], [listed] = (made / "buckets" / "00000").glob("*.safetensors"), made.glob("exemplars/*/*/*1.jsonl")
        again, suggest = f"run `circuits atlas PHOTOS -o {made}` again", ("names", "--suggest", "--atlas", made)
        write_suggestions(Atlas.open(made), "classes", {})
        suggestions, site, tables = made / "suggestions.json", tmp_path / "site", tmp_path / "tables"
        read = safe_open(own, "pt")
        arrays = {name: read.get_tensor(name) for name in read.keys()}  # noqa: SIM118  # it is no mapping
        header = json.loads(read.metadata()["atlas"])
        unknown = save(arrays | {"contribution": torch.full_like(arrays["contribution"], torch.nan)}, read.metadata())
        other = save(arrays, {"atlas": json.dumps(header | {"subject": "0" * 64})})
        future = save(arrays, {"atlas": json.dumps(header | {"format": "circuits-atlas/99"})})
        to_site, to_tables = ("atlas", "site", made, "-o", site), ("atlas", "export", made, "--csv", tables)
        for file, content, given, said in (
            (overall, b"", to_site, again),
            (overall, None, to_tables, f"There is no file {overall}; {again}"),
            (own, own.read_bytes()[:-9], to_tables, again),
            (own, unknown, to_site, f"{own} is damaged, or no file of an atlas (contribution); remove it and {again}"),
            (own, other, to_tables, "is of another atlas, or another class; remove it and run"),
            (own, future, ("class", "warm", "--atlas", made), "this version reads the format 'circuits-atlas/2'"),
            (made / "atlas.json", b"{", to_site, "(This is not JSON: Expecting"),
            (bucket, save({}, {"atlas": '{"format": "circuits-atlas/2"}'}), suggest, again),
            (listed, b"", suggest, f"photos -o {made}` again, with Handmade."),
            (suggestions, b"[]", to_site, f"look for them again: `circuits names --atlas {made} --suggest`"),
        ):  # fmt: skip
            before = file.read_bytes()
            file.unlink()
            if content is not None:
                file.write_bytes(content)
            assert said in refusal(run(*given)), file
            assert not site.exists()
            assert not tables.exists()
            file.write_bytes(before)
        assert run(*to_tables).exit_code == 0

    def test_one_batch_does_not_say_how_sure_it_is(self, finished: Path) -> None:
        assert "One batch of photos does not say how sure" in run("class", "cold", "--atlas", finished).stdout

    def test_json_is_the_file(self, finished: Path) -> None:
        result = run("class", "warm", "--atlas", finished, "--json", "--top", "2,1")
        assert Circuit.from_dict(json.loads(result.stdout)).settings.depth == 2

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (["ship"], "No class 'ship' in Handmade"),
            (["warm", "--top", "9"], "an atlas keeps the 8 strongest"),
            (["warm", "--signs", "all"], "signs is 'all'"),
            (["warm", "-o", "warm.png"], "--output writes JSON, not .png files"),
            (["warm", "--html", "warm.html", "--network", "builtin"], "was made with Handmade ("),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, given: list[str], message: str, finished: Path) -> None:
        assert message in refusal(run("class", *given, "--atlas", finished))

    def test_without_an_atlas_it_is_that_of_the_built_in_network(self, tmp_path: Path) -> None:
        assert run("class", "koala").stdout.startswith("builtin on 160 photos of koala.")
        assert "No class 'warm' in builtin" in refusal(run("class", "warm"))
        assert "There is no atlas in" in refusal(run("class", "warm", "--atlas", tmp_path))


class TestSite:
    def test_it_has_pictures_and_patches_if_asked_for(
        self, finished: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def draw(network: Network, units: list[Unit], *, store: PictureStore, progress: object) -> None:
            for unit in units:
                store.put(network, Picture(unit, Image.new("RGB", (16, 16), "teal"), 2.0))

        monkeypatch.setattr("circuits.atlas.pictures.pictures", draw)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        out, shared = tmp_path / "site", [*on_handmade(tmp_path)]
        result = run("atlas", "site", finished, "-o", out)
        assert result.stdout.startswith("15 pages and 0 pictures, ")
        assert "9 of 9 units have no picture yet; --pictures draws them" in result.stderr
        assert not (out / "exemplars").exists()
        (folder / "warm" / "9.png").unlink()
        given = ["atlas", "site", finished, "-o", out, "--pictures", "--exemplars", folder, *shared, "--json"]
        result = run(*given)
        facts = json.loads(result.stdout)
        assert (facts["pages"], facts["pictures"], facts["missing"]) == (15, 9, 0)
        assert f"The patches of 1 photo are left out, because {folder} does not have them as they were" in result.stderr
        patches = list((out / "exemplars").rglob("*.webp"))
        assert len(patches) == facts["patches"] > 9
        page = (out / "units" / "fc" / "0.html").read_text("utf-8")
        assert page.count("../../exemplars/fc/0-") == len(list((out / "exemplars" / "fc").glob("0-*.webp")))

    def test_a_folder_of_photos_of_that_name_is_given_as_a_path(
        self, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert "/site; give one with photos in it." in refusal(run("atlas", "./site", "-o", "out"))
        assert "-o is missing" in refusal(run("atlas", "site", finished))
        assert "--network is missing" in refusal(run("atlas", "site", finished, "-o", "out", "--pictures"))
        given = ["atlas", "site", finished, "-o", "out", *on_handmade(tmp_path)]
        assert "There is no folder none" in refusal(run(*given, "--exemplars", "none"))
        (tmp_path / "site" / "warm").mkdir(parents=True)
        assert "give its photos as ./site, or the atlas" in refusal(run("atlas", "site", "-o", "out"))
        assert not (tmp_path / "out").exists()
