"""Whatever is wrong with what was given, the command line says it in one sentence; what is only odd simply works."""

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.support.commandline import HANDMADE, on_handmade, refusal, run, save_photo
from tests.support.handmade import Handmade


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return on_handmade(tmp_path)


def predicted(path: Path, options: list[str]) -> list[float]:
    """Logits of a photo, by class."""
    result = run("predict", path, *options, "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["predictions"]
    return [row["logit"] for row in sorted(rows, key=lambda row: row["class"])]


def claims(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims a picture of that size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


def noise_png(folder: Path) -> bytes:
    path = folder / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda _: b"Dear diary, today", "is not an image that can be read; give a PNG, JPEG"),
        (lambda folder: noise_png(folder)[:2000], "is damaged or cut short; save or download it again"),
        (lambda _: claims(30_000, 30_000), "claims over 60 megapixels; give a smaller one"),
        (lambda _: b"", "is empty (0 bytes); give an image file"),
        (lambda _: claims(1, 1), "has 1×1 pixels; a photo needs 2 or more on each side"),
        (
            lambda _: claims(20_000, 3),
            "has 20000×3 pixels, and its longer side may be at most 50 times the shorter one",
        ),
    ],
    ids=["no image", "truncated", "bomb", "no bytes", "one pixel", "a thread"],
)
@pytest.mark.parametrize("command", ["predict", "trace", "explore"])
def test_a_photo_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, options: list[str], command: str, content: Callable[[Path], bytes], sentence: str
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content(tmp_path))
    said = refusal(run(command, path, *options))
    assert said.startswith(f"Error: {path} ")
    assert sentence in said


def test_a_photo_that_is_missing_or_a_folder_is_refused(tmp_path: Path, options: list[str]) -> None:
    assert "There is no file nowhere.jpg; check the path, or try example:cat." in refusal(
        run("predict", "nowhere.jpg", *options)
    )
    assert "is a folder; give one image file in it" in refusal(run("predict", tmp_path, *options))
    assert "no example photo 'horse'; there is cat" in refusal(run("predict", "example:horse", *options))


def test_a_photo_without_permission_is_refused(
    tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_photo(tmp_path)

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert "photo.png may not be read; give yourself permission to read it." in refusal(run("predict", path, *options))


def test_odd_photos_say_what_their_plain_twin_says(tmp_path: Path, options: list[str]) -> None:
    plain = predicted(save_photo(tmp_path), options)
    image = Image.open(save_photo(tmp_path)).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=turned)
    opaque = image.convert("RGBA")
    opaque.save(tmp_path / "alpha.png")
    image.save(tmp_path / "moving.png", save_all=True, append_images=[Image.new("RGB", (4, 4), "blue")])
    image.quantize(4).save(tmp_path / "palette.gif")
    for name in ("turned.png", "alpha.png", "moving.png", "palette.gif"):
        assert predicted(tmp_path / name, options) == pytest.approx(plain, abs=1e-5)


def test_a_turned_photo_equals_the_upright_one(tmp_path: Path, options: list[str]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "upright.png")
    stored_on_its_side = Image.Exif()
    stored_on_its_side[0x0112] = 8
    Image.fromarray(np.rot90(pixels, -1)).save(tmp_path / "turned.png", exif=stored_on_its_side)
    files = []
    for name in ("upright", "turned"):
        result = run("trace", tmp_path / f"{name}.png", *options, "--json")
        files.append(json.loads(result.stdout.replace(f"{name}.png", "photo.png")))
    assert files[0] == files[1]


def test_transparent_cmyk_and_sixteen_bit_photos_are_seen_as_they_look(tmp_path: Path, options: list[str]) -> None:
    Image.new("RGB", (4, 4), "white").save(tmp_path / "white.png")
    white = predicted(tmp_path / "white.png", options)
    Image.new("RGBA", (4, 4), (9, 90, 200, 0)).save(tmp_path / "clear.png")
    Image.new("CMYK", (4, 4), (0, 0, 0, 0)).save(tmp_path / "cmyk.tif")
    Image.fromarray(np.full((4, 4), 65535, np.uint16)).save(tmp_path / "deep.png")
    for name in ("clear.png", "cmyk.tif", "deep.png"):
        assert predicted(tmp_path / name, options) == pytest.approx(white, abs=1e-5)
    Image.new("L", (4, 4), 100).save(tmp_path / "grey.png")
    Image.fromarray(np.full((4, 4), 100 * 257, np.uint16)).save(tmp_path / "deep.png")
    assert predicted(tmp_path / "deep.png", options) == pytest.approx(predicted(tmp_path / "grey.png", options))


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("sqeezenet1_1", "No network 'sqeezenet1_1' (did you mean 'squeezenet1_1'?); there are also timm:NAME"),
        ("nowhere.py:Net", "There is no file 'nowhere.py'; write path/to/file.py:Factory."),
        ("no_such_package:Net", "'no_such_package' could not be run: ModuleNotFoundError"),
        (HANDMADE.replace(":Handmade", ":Handmaid"), "has no 'Handmaid'; it has"),
        (HANDMADE.replace(":Handmade", ":POSITIONS"), "could not be called without arguments"),
    ],
)
def test_an_unknown_network_is_refused(tmp_path: Path, network: str, sentence: str) -> None:
    photo = save_photo(tmp_path)
    assert sentence in refusal(run("predict", photo, "--network", network))
    assert sentence in refusal(run("layers", network))


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--layers", "conv1,attic"], "'attic'"),
        (["--target", "attic:3"], "'attic'"),
        (["--target", "conv2:3"], "No unit conv2:3 in Handmade; conv2 has 3 channels"),
        (["--target", "conv2:0@4,0"], "No neuron conv2:0@4,0 in Handmade; conv2 has 4 rows and 4 columns"),
        (["--target", "hot"], "No class 'hot' in Handmade"),
        (["--target", "7"], "No class 7 in Handmade; it has classes 0 to 1"),
        (["--target", "warm - warm"], "is the difference of 'warm' and itself"),
        (["--top", "0"], "--top '0' is not a whole number from 1 to 100000; give one such as 5"),
        (["--top", "many"], "--top 'many' is not a whole number"),
        (["--top", "3,2", "--depth", "3"], "top gives 2 numbers for a depth of 3"),
        (["--mode", "guess"], "'guess'"),
        (["--signs", "negative"], "'negative'"),
        (["--depth", "0"], "--depth"),
        (["--size", "big"], "--size 'big' is no size"),
        (["--mean", "a,b,c"], "--mean 'a,b,c' is no list of numbers"),
        (["--mean", "0.5,0.5"], "give both one (grey) or three (RGB)"),
        (["--std", "0,0,0"], "std"),
        (["--labels", "nowhere.txt"], "'nowhere.txt'"),
    ],
)
def test_an_option_that_cannot_be_met_is_refused(
    tmp_path: Path, options: list[str], extra: list[str], sentence: str
) -> None:
    photo = save_photo(tmp_path)
    named = [text.replace("conv1", low).replace("conv2", high) for low, high in [layer_names()] for text in extra]
    low, high = layer_names()
    said = refusal(run("trace", photo, *options, *named)).replace(high, "conv2").replace(low, "conv1")
    assert sentence in said


def layer_names() -> list[str]:
    rows = json.loads(run("layers", HANDMADE, "--size", 4, "--json").stdout)["layers"]
    return [row["name"] for row in rows[:2]]


def test_labels_of_another_number_are_refused(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    said = refusal(run("predict", save_photo(tmp_path), *options))
    assert "has 2 classes, but 3 labels were given" in said


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ("fc:", "'fc:' is not a unit; write layer:channel"),
        ("attic:0", "No layer 'attic' in Handmade; it has"),
        ("fc:2", "No unit fc:2 in Handmade; fc has 2 channels"),
    ],
)
def test_an_unknown_unit_is_not_rendered(tmp_path: Path, unit: str, sentence: str) -> None:
    out = tmp_path / "unit.png"
    assert sentence in refusal(run("render", unit, "-o", out, "--network", HANDMADE, "--input-size", 16, "--size", 16))
    assert not out.exists()


def test_a_picture_needs_an_ending_that_says_its_format(tmp_path: Path) -> None:
    assert "name it .png, .webp or .jpg" in refusal(run("render", "fc:0", "-o", tmp_path / "unit.tiff"))


class Payload:
    """What a hostile file of weights would hold: code that runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_pickled_code_in_weights_is_refused_and_never_run(tmp_path: Path, options: list[str]) -> None:
    mark, weights = tmp_path / "was run", tmp_path / "hostile.pth"
    torch.save({"fc.weight": Payload(mark)}, weights)
    said = refusal(run("predict", save_photo(tmp_path), *options, "--weights", weights))
    assert "holds pickled code, which is never run here" in said
    assert not mark.exists()


def test_weights_that_are_missing_or_no_weights_are_refused(tmp_path: Path, options: list[str]) -> None:
    photo = save_photo(tmp_path)
    assert "There is no weights file 'nowhere.pth'" in refusal(
        run("predict", photo, *options, "--weights", "nowhere.pth")
    )
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("these are no weights, whatever the name says")
        said = refusal(run("predict", photo, *options, "--weights", tmp_path / name))
        assert f"{name}' could not be read as weights" in said
    torch.save([1, 2, 3], tmp_path / "list.pth")
    assert "holds no state dict" in refusal(run("predict", photo, *options, "--weights", tmp_path / "list.pth"))


def test_weights_that_do_not_fit_are_refused_with_their_names(tmp_path: Path, options: list[str]) -> None:
    state = Handmade().state_dict()
    state["extra.weight"] = torch.zeros(2)
    state["fc.weight"] = torch.zeros(5, 3)
    del state["conv1.bias"]
    save_file(state, tmp_path / "other.safetensors")
    said = refusal(run("predict", save_photo(tmp_path), *options, "--weights", tmp_path / "other.safetensors"))
    assert "missing: conv1.bias" in said
    assert "unknown: extra.weight" in said
    assert "fc.weight is (5, 3) and should be (2, 3)" in said


@pytest.mark.parametrize("format", ["pth", "safetensors"])
def test_weights_that_fit_are_used(tmp_path: Path, options: list[str], format: str) -> None:
    photo = save_photo(tmp_path)
    plain = predicted(photo, options)
    state = Handmade().state_dict()
    state["fc.bias"] += 1
    path = tmp_path / f"shifted.{format}"
    torch.save(state, path) if format == "pth" else save_file(state, path)
    assert predicted(photo, [*options, "--weights", str(path)]) == pytest.approx([value + 1 for value in plain])


def a_circuit(folder: Path, options: list[str]) -> dict[str, object]:
    result = run("trace", save_photo(folder), *options, "--json")
    circuit: dict[str, object] = json.loads(result.stdout)
    return circuit


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text, _: "not JSON at all", "This is not JSON, so it is no circuit"),
        (lambda text, _: text[: len(text) // 2], "This is not JSON"),
        (lambda text, _: '{"hello": "world"}', "it has no `format`; a circuit says 'circuits/1' or 'circuits/2'"),
        (lambda text, _: "[1, 2]", "This is no circuit"),
        (
            lambda text, _: text.replace("circuits/1", "circuits/9"),
            "format is 'circuits/9'; this version reads 'circuits/1' and 'circuits/2'",
        ),
        (lambda text, _: text.replace('"value": ', '"value": NaN, "was": '), "holds NaN"),
        (lambda text, _: text.replace('"rank"', '"rang"'), "not valid at"),
    ],
)
def test_a_file_that_is_no_circuit_is_refused(
    tmp_path: Path, options: list[str], change: Callable[[str, Path], str], sentence: str
) -> None:
    path = tmp_path / "circuit.json"
    path.write_text(change(json.dumps(a_circuit(tmp_path, options)), tmp_path))
    said = refusal(run("explore", path, *options))
    assert "circuit.json: " in said
    assert sentence in said


def test_a_circuit_file_that_is_missing_is_refused(options: list[str]) -> None:
    assert "There is no file nowhere.json" in refusal(run("explore", "nowhere.json", *options))


@pytest.mark.parametrize("output", ["-o", "--graphml", "--html", "--svg"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, options: list[str], output: str
) -> None:
    photo = save_photo(tmp_path)
    said = refusal(run("trace", photo, *options, output, tmp_path / "nowhere" / "out"))
    assert "there is no folder" in said
    assert said.endswith("nowhere; make it first.")
    assert "is a folder; give the name of a file" in refusal(run("trace", photo, *options, output, tmp_path))


def test_an_output_without_permission_is_refused_before_any_work(
    tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = save_photo(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    said = refusal(run("trace", photo, *options, "-o", tmp_path / "out.json"))
    assert "does not permit it; choose another folder" in said


def test_two_outputs_of_one_name_are_refused(tmp_path: Path, options: list[str]) -> None:
    photo, out = save_photo(tmp_path), tmp_path / "out"
    assert "Two outputs have the same name" in refusal(run("trace", photo, *options, "-o", out, "--html", out))


def test_a_full_disk_is_said_and_the_old_file_stays(
    tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out = save_photo(tmp_path), tmp_path / "out.json"
    out.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run("trace", photo, *options, "-o", out)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {out} cannot be written: no space is left in {tmp_path}; free some")
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.txt", "out.json", "photo.png"]


def test_a_download_without_a_connection_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib.error

    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    said = refusal(run("predict", save_photo(tmp_path), "--network", "squeezenet1_1"))
    assert "could not be downloaded from download.pytorch.org" in said
    assert "--weights" in said
