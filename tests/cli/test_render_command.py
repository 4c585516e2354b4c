"""`circuits render`: what is typed reaches the visualiser, and what it draws reaches the file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
import torch
from PIL import Image

from circuits.cli import _render_drawing
from circuits.cli._render_drawing import frame_steps
from circuits.cli._render_targets import read_direction
from circuits.cli.unit_expressions import layers_of, units_of
from circuits.errors import InputError, UnknownError
from circuits.units import Unit
from circuits.visualization import metadata
from circuits.visualization.forward import Canvas
from circuits.visualization.objectives.base import Objective, Scaled
from circuits.visualization.objectives.batch import Diversity, Interpolation
from circuits.visualization.objectives.unit import channel, class_logit, class_probability, layer, negative, neuron
from circuits.visualization.parameterization.learned import LearnedPrior
from circuits.visualization.regularizers import l1, l2, opacity, total_variation
from circuits.visualization.render import Picture
from circuits.visualization.settings import Settings
from circuits.visualization.visualize import Options, Visualization
from tests.support.commandline import HANDMADE, refusal, run, save_photo
from tests.support.handmade import handmade_network

NETWORK = ["--network", HANDMADE, "--input-size", 16, "--mean", "0,0,0", "--std", "1,1,1"]
SMALL = ["--size", 16, "--steps", 2]

PRIOR = """
from torch import nn
from circuits.visualization.parameterization.learned import LearnedPrior
def Prior():
    return LearnedPrior(nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (3, 2, 2)), nn.Tanh()), (2,), low=-1.0)
ready = Prior()
def Broken():
    raise RuntimeError("no weights here")
number = int
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures of a test are kept in a folder of its own."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "circuits" / "pictures"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.png"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is asked of the store and of the visualiser, which answer with red at once."""
    calls: list[dict[str, Any]] = []

    def pictures(network: object, units: Sequence[Unit], *, settings: Settings, **_: object) -> list[Picture]:
        calls.append({"units": list(units), "settings": settings})
        red = Image.new("RGB", (settings.size,) * 2, "red")
        return [Picture(unit, red, float(unit.channel)) for unit in units]

    def visualize(
        network: object, objectives: Sequence[Objective], *, options: Options, **others: Any
    ) -> list[Visualization]:
        calls.append({"objectives": list(objectives), "options": options} | others)
        red = Image.new("RGB", (options.size,) * 2, "red")
        canvas = Canvas(options.size, resize=(16, 16))
        found = []
        for objective in objectives:
            count = objective.count or others["count"]
            frames = tuple((step, (red,)) for step in others["frames"])
            found.append(Visualization(objective, (red,) * count, (1.5,) * count, options.steps, canvas, frames))
        return found

    monkeypatch.setattr(_render_drawing, "pictures", pictures)
    monkeypatch.setattr(_render_drawing, "visualize", visualize)
    return calls


@pytest.mark.parametrize(
    ("texts", "units"),
    [
        (["conv1:2"], ["conv1:2"]),
        (["conv1:1-3"], ["conv1:1", "conv1:2", "conv1:3"]),
        (["conv1:3,0-1"], ["conv1:3", "conv1:0", "conv1:1"]),
        (["conv1:2-2", " conv1:2 "], ["conv1:2"]),
        (["conv2"], ["conv2:0", "conv2:1", "conv2:2"]),
        (["conv1:1@3,2", "fc:1"], ["conv1:1@3,2", "fc:1"]),
        (["fc:warm", "fc:WARM,cold"], ["fc:0", "fc:1"]),
        (["fc:0", "conv1:0", "fc"], ["fc:0", "conv1:0", "fc:1"]),
    ],
)
def test_units_are_typed_one_by_one_in_ranges_lists_layers_and_classes(texts: list[str], units: list[str]) -> None:
    assert [str(unit) for unit in units_of(handmade_network(), texts)] == units


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("conv1:3-1", "The range conv1:3-1 runs backwards; write conv1:1-3."),
        ("conv1:2-4", "No unit conv1:4 in handmade; conv1 has 4 channels, from 0."),
        ("conv1:0-999999999", "No unit conv1:999999999 in handmade"),
        ("conv1:0,9", "No unit conv1:9 in handmade"),
        ("conv1:0@4,0", "No neuron conv1:0@4,0 in handmade"),
        ("conv1:cat", "'conv1:cat' is not a unit; write layer:channel, layer:0-39"),
        ("conv1:1-", "'conv1:1-' is not a unit"),
        ("conv1:-1", "'conv1:-1' is not a unit"),
        ("attic", "No layer 'attic' in handmade; it has conv1, conv2, fc."),
        ("attic:0-3", "No layer 'attic' in handmade"),
        ("fc:hot", "No class 'hot' in handmade"),
        ("fc:warm,hot", "No class 'hot' in handmade"),
    ],
)
def test_a_unit_that_cannot_be_meant_is_refused(text: str, sentence: str) -> None:
    with pytest.raises((InputError, UnknownError)) as caught:
        units_of(handmade_network(), [text])
    assert str(caught.value).startswith(sentence)


def test_layers_are_told_from_units() -> None:
    assert layers_of(handmade_network(), ["conv2", "conv1", "conv2"], "layer") == ["conv2", "conv1"]
    with pytest.raises(
        InputError, match="'conv1:3' is a unit; --objective layer is about a whole layer, such as conv1"
    ):
        layers_of(handmade_network(), ["conv1:3"], "layer")


def test_what_settings_can_say_comes_from_the_store(out: Path, asked: list[dict[str, Any]]) -> None:
    result = run(
        "render", "conv1:1", "conv2:0-1", "-o", out, *NETWORK, "--size", 32, "--steps", 7, "--seed", 3,
        "--objective", "negative", "--images", "pyramid", "--transform", "light", "--total-variation", 0.1,
        "--l1", 0.2, "--l2", 0.3, "--blur-gradient", 0.5, "--blur-image", 1,
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, f"Wrote {out}.\n")
    assert asked == [
        {
            "units": [Unit("conv1", 1), Unit("conv2", 0), Unit("conv2", 1)],
            "settings": Settings(32, 7, 3, "negative", "pyramid", "light", 0.1, 0.2, 0.3, 0.5, 1.0),
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "objectives"),
    [
        (["conv1:1"], [channel("conv1:1")]),
        (["conv1:1@3,2"], [neuron("conv1:1")]),
        (["conv1:1", "--objective", "neuron"], [neuron("conv1:1")]),
        (["conv1:1", "--objective", "negative"], [negative("conv1:1")]),
        (["fc:0-1", "--objective", "logit"], [class_logit("fc:0"), class_logit("fc:1")]),
        (["fc:1", "--objective", "probability"], [class_probability("fc:1")]),
        (["conv1", "conv2", "--objective", "layer"], [layer("conv1"), layer("conv2")]),
    ],
)
def test_an_objective_is_chosen_by_its_name(
    out: Path, asked: list[dict[str, Any]], arguments: list[str], objectives: list[Objective]
) -> None:
    assert run("render", *arguments, "-o", out, *NETWORK, "--colours", "none").exit_code == 0
    assert asked[0]["objectives"] == objectives


def test_a_joint_picture_is_one_picture_of_all_units(out: Path, asked: list[dict[str, Any]]) -> None:
    assert run("render", "conv1:1,2", "fc:0", "-o", out, *NETWORK, "--objective", "joint").exit_code == 0
    [objective] = asked[0]["objectives"]
    assert objective.terms == tuple((1.0, channel(unit)) for unit in ("conv1:1", "conv1:2", "fc:0"))
    assert metadata.read(out)["units"] == ["conv1:1+conv1:2+fc:0"]


@pytest.mark.parametrize(
    ("name", "write", "numbers"),
    [
        ("d.json", lambda path: path.write_text("[1, 0, -2.5, 4]"), [1, 0, -2.5, 4]),
        ("d.json", lambda path: path.write_text('{"2": -2.5, "0": 1}'), [1, 0, -2.5, 0]),
        ("d.csv", lambda path: path.write_text("1,0\n-2.5;4\n"), [1, 0, -2.5, 4]),
        ("d.txt", lambda path: path.write_text("1 0\n-2.5\n\n4"), [1, 0, -2.5, 4]),
        ("d.npy", lambda path: np.save(path, np.array([1, 0, -2.5, 4])), [1, 0, -2.5, 4]),
    ],
)
def test_a_direction_is_read_from_a_file(
    tmp_path: Path, out: Path, asked: list[dict[str, Any]],
    name: str, write: Callable[[Path], object], numbers: list[float],
) -> None:  # fmt: skip
    write(tmp_path / name)
    options = ["--direction", tmp_path / name, "--power", 2]
    assert run("render", "conv1", "-o", out, *NETWORK, *options).exit_code == 0
    [objective] = asked[0]["objectives"]
    assert (objective.layer, objective.power, objective.vector.tolist()) == ("conv1", 2.0, numbers)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("d.json", "[1, 2]", "it must be a row of 4 numbers, or JSON such as .*; it has 2 numbers"),
        ("d.json", "{", "d.json cannot be read: This is not JSON"),
        ("d.json", '{"a": 1}', "d.json holds no direction"),
        ("d.json", '{"4": 1}', "names channel 4; the layer has 4 channels, from 0"),
        ("d.json", "[1, 2, 3, null]", "d.json holds no direction"),
        ("d.csv", "1,2,x,4", "d.csv holds no direction"),
        ("d.csv", "1,2,nan,4", "d.csv holds no direction"),
        ("d.npy", "1,2,3,4", "d.npy holds no direction"),
    ],
)
def test_a_file_that_is_no_direction_is_refused(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises((InputError, UnknownError), match=sentence):
        read_direction(tmp_path / name, 4)


def test_a_direction_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("d.json", "d.csv", "d.npy"):
        with pytest.raises(InputError, match=r"There is no file|cannot be read"):
            read_direction(tmp_path / name, 4)


def test_a_photo_is_inverted_or_caricatured_by_each_layer(tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    photo = save_photo(tmp_path)
    for kind, name, power in (("inversion", "Inversion", []), ("caricature", "Caricature", ["--power", 3])):
        options = ["--objective", kind, "--photo", photo, *power]
        assert run("render", "conv1", "conv2", "-o", tmp_path / "out.jpg", *NETWORK, *options).exit_code == 0
        objectives = asked[-1]["objectives"]
        assert [(type(one).__name__, one.layer) for one in objectives] == [(name, "conv1"), (name, "conv2")]
        assert objectives[0].photo[0, :, 0, 0].mul(255).tolist() == pytest.approx([255, 128, 64])
        assert metadata.read(tmp_path / "out.jpg")["settings"]["photo"] == "photo.png"
    assert objectives[0].power == 3.0


def test_pictures_that_differ_are_asked_for_in_the_units_layer_or_the_nearest_with_places(
    out: Path, asked: list[dict[str, Any]]
) -> None:
    assert run("render", "conv1:1", "fc:0", "-o", out, *NETWORK, "--diverse", 3, "--size", 16).exit_code == 0
    assert asked[0]["count"] == 3
    for objective, unit, where in zip(asked[0]["objectives"], ("conv1:1", "fc:0"), ("conv1", "conv2"), strict=True):
        assert objective.terms == ((1.0, channel(unit)), (0.5, Diversity(where)))
    record = metadata.read(out)
    assert [len(values) for values in record["values"]] == [3, 3]
    assert record["settings"]["diverse"] == 3


def test_the_values_of_pictures_that_differ_leave_the_difference_out(out: Path, asked: list[dict[str, Any]]) -> None:
    options = ["--objective", "probability", "--diverse", 2, "--size", 16]
    assert run("render", "fc:0-1", "-o", out, *NETWORK, *options).exit_code == 0
    values = np.array(metadata.read(out)["values"])
    assert values.sum(axis=0) == pytest.approx([1.0, 1.0])


def test_a_row_leads_from_one_unit_to_another(out: Path, asked: list[dict[str, Any]]) -> None:
    assert run("render", "conv1:1", "conv2:0", "-o", out, *NETWORK, "--interpolate", 4, "--size", 64).exit_code == 0
    [objective] = asked[0]["objectives"]
    assert objective.count == 4
    assert isinstance(objective.terms[0][1], Interpolation)
    assert [objective.terms[0][1].first, objective.terms[0][1].second] == [channel("conv1:1"), channel("conv2:0")]
    with Image.open(out) as image:
        assert image.width == 8 + 4 * 72


def test_frames_tell_how_a_picture_came_about(out: Path, asked: list[dict[str, Any]]) -> None:
    options = ["--filmstrip", 5, "--steps", 64, "--size", 64]
    assert run("render", "conv1:1", "-o", out, *NETWORK, *options).exit_code == 0
    assert asked[0]["frames"] == (0, 4, 16, 36, 64)
    with Image.open(out) as image:
        assert image.width == 8 + 5 * 72
    assert frame_steps(8, 2) == (0, 1, 2)


def test_images_may_be_written_in_other_ways(tmp_path: Path, out: Path, asked: list[dict[str, Any]]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((80, 80), 60).convert("RGB").save(photos / "a.png")
    Image.linear_gradient("L").convert("RGB").save(photos / "b.png")
    own = tmp_path / "own.py"
    own.write_text(PRIOR)

    def options(*arguments: object) -> Options:
        assert run("render", "conv1:1", "-o", out, *NETWORK, "--size", 16, *arguments).exit_code == 0
        found: Options = asked[-1]["options"]
        return found

    assert torch.equal(options("--colours", "none").images.keywords["matrix"], torch.eye(3))
    assert options("--colours", photos, "--images", "pixels").images.keywords["matrix"].shape == (3, 3)
    assert options("--images", "maco", "--spectrum", photos).images.keywords["spectrum"].side == 64
    assert isinstance(options("--prior", f"{own}:Prior").images, LearnedPrior)
    assert isinstance(options("--prior", f"{own}:ready").images, LearnedPrior)
    assert options("--start", save_photo(tmp_path)).start.getpixel((0, 0)) == (255, 128, 64)
    assert options("--start", "example:cat").start.size == (451, 300)


def test_weights_reach_what_they_weigh(out: Path, asked: list[dict[str, Any]]) -> None:
    weights = ["--total-variation", 0.25, "--l1", 0.5, "--l2", 2, "--blur-gradient", 1.5, "--blur-image", 0.5]
    assert run("render", "conv1:1", "-o", out, *NETWORK, "--size", 16, "--alpha", *weights).exit_code == 0
    options: Options = asked[0]["options"]
    assert options.regularizers == (
        Scaled(0.25, total_variation()), Scaled(0.5, l1()), Scaled(2.0, l2()), Scaled(0.1, opacity()),
    )  # fmt: skip
    assert (options.blur_gradient, options.blur_image, options.images.keywords) == (1.5, 0.5, {"alpha": True})
    assert metadata.read(out)["settings"]["opacity"] == 0.1
    assert run("render", "conv1:1", "-o", out, *NETWORK, "--size", 16, "--alpha", "--opacity", 0).exit_code == 0
    assert asked[1]["options"].regularizers == ()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["conv1:1", "--objective", "joy"], "There is no objective 'joy'; there are channel, neuron, negative, joint"),
        (["conv1:1", "--objective", "joint"], "joint puts several units into one picture; give two or more"),
        (["conv1:1", "--objective", "logit"], "conv1:1 is no class; --objective logit is for the units of fc"),
        (["conv1:1", "--objective", "layer"], "'conv1:1' is a unit; --objective layer is about a whole layer"),
        (["conv1", "--objective", "inversion"], "--objective inversion needs a photo; give one with --photo"),
        (["conv1", "--objective", "inversion", "--photo", "no.jpg"], "There is no file no.jpg"),
        (["conv1", "--objective", "direction"], "needs its numbers; give a file of them with --direction"),
        (["conv1", "conv2", "--direction", "d.json"], "A direction belongs to one layer; give one, not 2"),
        (["conv1:1", "--photo", "example:cat"], "--photo has no meaning for --objective channel"),
        (["conv1:1", "--power", "2"], "--power has no meaning for --objective channel; it is for direction and car"),
        (["conv1:1", "--diverse", "2", "--filmstrip", "3"], "--diverse and --filmstrip both say what a row"),
        (["conv1:1", "--interpolate", "3"], "leads from one unit to another; give two, not 1"),
        (["conv1:0-1", "--interpolate", "3", "--objective", "negative"], "leave --objective negative out"),
        (["conv1:1", "--images", "clay"], "Images cannot be written as 'clay'; there is fourier"),
        (["conv1:1", "--transform", "wild"], "There is no transform 'wild'; there are none, light, standard"),
        (["conv1:1", "--spectrum", "photos"], "add --images maco to it, not fourier"),
        (["conv1:1", "--images", "maco", "--spectrum", "photos"], "There is no folder photos"),
        (["conv1:1", "--images", "maco", "--alpha"], "--alpha does not go with --images maco; choose fourier, pixels"),
        (["conv1:1", "--colours", "pastel"], "There are no colours 'pastel'; choose imagenet, none, or a folder"),
        (["conv1:1", "--opacity", "1"], "--opacity is the penalty on opacity in transparent pictures; add --alpha"),
        (["conv1:1", "--prior", "no.py:Prior"], "There is no file 'no.py'"),
        (["conv1:1", "--prior", "Prior"], "--prior 'Prior' names nothing in a file"),
        (["conv1:1", "--prior", "{own}:Broken"], "could not be called without arguments: RuntimeError: no weights"),
        (
            ["conv1:1", "--prior", "{own}:number"],
            "gave a int; it must give a circuits.visualization.LearnedPr",
        ),
        (["conv1:1", "--prior", "{own}:Prior", "--alpha"], "--alpha does not go with --prior"),
        (["conv1:1", "--start", "no.jpg"], "There is no file no.jpg"),
        (["conv1:0-3", "--sheet", "1x3"], "--sheet 1x3 has room for 3 pictures, but there are 4; give a larger one"),
        (["conv1:0-3", "--sheet", "4"], "--sheet '4' is no grid; write rows x columns, such as 5x8"),
        (["conv1:0-3", "--sheet", "0x4"], "--sheet '0x4' is no grid"),
        (["conv1:0-3", "--blur-image", "99"], "A blur_image of 99.0 pixels cannot be had; give 0 to 16"),
        (["conv1:0-3", "--l1", "inf"], "A l1 of inf cannot be had; give 0 or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_written(
    tmp_path: Path, out: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "own.py").write_text(PRIOR)
    given = [text.replace("{own}", str(tmp_path / "own.py")) for text in arguments]
    assert sentence in refusal(run("render", *given, "-o", out, *NETWORK, *SMALL))
    assert not out.exists()


def test_a_sheet_that_fits_no_file_is_refused_before_anything_is_drawn(
    tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    many = ["conv1", "conv2", "--diverse", 21, "--size", 1024]
    assert "draw fewer, or smaller ones" in refusal(run("render", *many, "-o", tmp_path / "out.png", *NETWORK))
    long = ["conv1:1", "--diverse", 17, "--size", 1024]
    assert "does not fit into WEBP; write a .png" in refusal(run("render", *long, "-o", tmp_path / "o.webp", *NETWORK))
    assert "cannot be transparent" in refusal(run("render", "conv1:1", "-o", tmp_path / "out.jpg", *NETWORK, "--alpha"))
    assert asked == []
