"""`circuits class --photos` and `--groups`: from a folder, from an atlas's own photos, and what it refuses."""

import shutil
from pathlib import Path

import pytest

from circuits.atlas.atlas import Atlas
from circuits.tracing.circuit import Circuit
from tests.cli.test_atlas_command import save_photos
from tests.support.commandline import on_handmade, refusal, run


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, an atlas of them, and groups of a class; no test may change it."""
    at = tmp_path_factory.mktemp("class")
    save_photos(at / "photos")
    options = on_handmade(at)
    assert run("atlas", at / "photos", "-o", at / "atlas", "--no-exemplars", *options).exit_code == 0
    fitted = run("groups", at / "photos" / "warm", "--groups", 1, "--depth", 1, "-o", at / "warm.safetensors", *options)
    assert fitted.exit_code == 0, fitted.output
    return at


def test_groups_explain_the_photos_of_a_folder_or_of_an_atlas(at: Path, tmp_path: Path) -> None:
    options, files = on_handmade(at), [tmp_path / f"{number}.json" for number in range(4)]
    grouped = ["class", "warm", "--groups", at / "warm.safetensors", *options, "-o"]
    result = run(*grouped, files[0], "--photos", at / "photos" / "warm", "--html", tmp_path / "warm.html")
    assert result.exit_code == 0, result.output
    assert "on 10 photos of warm." in result.stdout
    assert "conv2/0" in result.stdout
    assert "1 file in " in result.stderr  # notes.txt
    assert (tmp_path / "warm.html").stat().st_size
    circuit = Circuit.from_json(files[0])
    assert circuit.dictionaries["conv2"].source == "warm (10 photos)"
    assert circuit.collection is not None
    assert (circuit.collection.photos, circuit.collection.batches, circuit.settings.top) == (10, 2, 1)
    for file, more in zip(
        files[1:],
        (
            ["--photos", at / "photos"],  # of whose folders it is that of the class
            ["--atlas", at / "atlas"],  # where its photos were when it was made
            ["--atlas", at / "atlas", "--photos", at / "photos" / "warm"],
        ),
        strict=True,
    ):
        assert run(*grouped, file, *more).exit_code == 0
        assert file.read_text() == files[0].read_text()
    switched = refusal(run("what-if", files[0], "--unit", "conv2/0=0", *options))
    assert "The circuit explains 10 photos of warm together" in switched


def test_photos_alone_are_explained_by_channels_as_the_atlas_explains_them(at: Path, tmp_path: Path) -> None:
    file, some = tmp_path / "warm.json", tmp_path / "some.json"
    result = run("class", "warm", "--photos", at / "photos", "-o", file, *on_handmade(at))
    assert result.exit_code == 0, result.output
    circuit, known = Circuit.from_json(file), Atlas.open(at / "atlas").circuit("warm", depth=2)
    assert {name: node.value for name, node in circuit.nodes.items()} == pytest.approx(
        {name: node.value for name, node in known.nodes.items()}, rel=1e-5
    )
    for name in known.nodes:
        shares, expected = (
            {edge.source: (edge.attribution, edge.consistency) for edge in each.edges_into(name)}
            for each in (circuit, known)
        )
        assert shares.keys() == expected.keys()
        for source, (share, consistency) in shares.items():
            assert share == pytest.approx(expected[source][0], rel=1e-5)
            assert consistency == expected[source][1]
    result = run("class", "warm", "--photos", at / "photos", "--limit", 3, "-o", some, *on_handmade(at))
    assert "3 of 11 files, chosen by the hash of their names." in result.stderr
    assert Circuit.from_json(some).photo_info.name == "3 photos of warm"


def test_a_unit_is_explained_in_all_photos_and_from_the_mean_over_the_atlas(at: Path, tmp_path: Path) -> None:
    atlas, file, other = Atlas.open(at / "atlas"), tmp_path / "unit.json", tmp_path / "other.json"
    result = run("class", "conv2:0", "--photos", at / "photos", "--limit", 99, "-o", file, *on_handmade(at))
    assert result.exit_code == 0, result.output
    assert "What conv2:0 is made of, whatever the class" in result.stdout
    assert "on 13 photos of any class" in result.stdout
    from_mean = ["--baseline", "mean", "--atlas", at / "atlas", "--photos", at / "photos", *on_handmade(at)]
    for wanted, count in (("warm", 10), ("conv2:0", 12)):
        result = run("class", wanted, *from_mean, "-o", other)
        assert result.exit_code == 0, result.output
        assert "mean over the atlas of Handmade (12 photos)" in result.stdout
        circuit = Circuit.from_json(other)
        assert (circuit.settings.baseline, circuit.photo_info.name.split()[0]) == ("mean", str(count))
    root, known = circuit.nodes["conv2:0"], atlas.circuit("conv2:0", depth=1).nodes["conv2:0"]
    assert root.value == pytest.approx(known.value, rel=1e-5)
    assert root.books is not None
    assert root.books.bias_name == "base"
    assert root.books.shown + root.books.rest == pytest.approx(0, abs=1e-4)  # all photos, of which the mean is taken


def test_what_cannot_be_explained_gets_a_sentence(at: Path, tmp_path: Path) -> None:
    options = on_handmade(at)
    other = shutil.copytree(at / "photos", tmp_path / "other")
    (other / "warm" / "3.png").write_bytes((other / "warm" / "4.png").read_bytes())
    fewer = shutil.copytree(at / "photos", tmp_path / "fewer")
    (fewer / "warm" / "3.png").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    for given, message in (
        (["--groups", 2], "Groups are found in photos, and the atlas of the built-in network has none"),
        (["--limit", 3], "--limit, --layers and --baseline say how photos are explained"),
        (["--baseline", "mean", "--atlas", at / "atlas"], "--limit, --layers and --baseline say how"),
        (["--baseline", "median", "--photos", empty], "--baseline 'median' does not exist; write zero or mean."),
        (["--groups", 2, "--photos", tmp_path / "nowhere"], "There is no folder "),
        (["--groups", 2, "--photos", empty], "There is no photo in "),
        (["--groups", "x", "--photos", empty], "--groups 'x' is no number of groups"),
        (["--atlas", at / "atlas", "--photos", fewer], "Of the 10 photos of warm in the atlas 1 are not in "),
        (["--atlas", at / "atlas", "--photos", other], "Of the 10 photos of warm in the atlas 1 are others now in "),
        (["--atlas", at / "atlas", "--photos", empty / "no"], "which is no folder; say where, with --photos"),
    ):
        said = refusal(run("class", "warm", *given, *options))
        assert message in said, said
    assert "warm/3.png" in refusal(run("class", "warm", "--atlas", at / "atlas", "--photos", fewer, *options))
    assert "No class 'hot'" in refusal(run("class", "hot", "--photos", at / "photos", *options))
    assert "was made with Handmade" in refusal(run("class", "warm", "--atlas", at / "atlas", "--groups", 2))
