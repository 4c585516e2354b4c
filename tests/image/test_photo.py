"""Photos of every kind are decoded or refused with a sentence, cropped as torchvision does, and coloured."""

import io
import re
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from circuits.errors import InputError, UnknownError
from circuits.image import decode
from circuits.image.encode import from_data_uri, overlay, to_data_uri
from circuits.image.photo import EXAMPLES, check_window, load_photo
from circuits.image.preprocessing import Preprocessing
from tests.support import limits

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def packed(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def gradient(width: int = 40, height: int = 30) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of some 60 bytes whose header claims a huge picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 64)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_every_lossless_format_gives_the_same_photo(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    photo = load_photo(packed(gradient(), format, **options))
    assert photo.sha256 == load_photo(gradient()).sha256
    assert (photo.width, photo.height, photo.image.mode) == (40, 30, "RGB")


@pytest.mark.parametrize("format", ["JPEG", "AVIF", "GIF"])
def test_every_lossy_format_is_close_to_the_original(format: str) -> None:
    photo = load_photo(packed(gradient(), format))
    difference = np.abs(np.asarray(photo.image, int) - np.asarray(gradient(), int))
    assert difference.mean() < 12


def test_the_fingerprint_depends_on_the_pixels_and_on_the_shape() -> None:
    flat = np.zeros((4, 6, 3), np.uint8)
    other = flat.copy()
    other[0, 0, 0] = 1
    fingerprints = {load_photo(array).sha256 for array in (flat, other, flat.reshape(6, 4, 3))}
    assert len(fingerprints) == 3


def test_a_file_keeps_its_name_and_bytes_take_the_name_given(tmp_path: Path) -> None:
    path = tmp_path / "my cat.png"
    gradient().save(path)
    assert load_photo(path).name == "my cat.png"
    assert load_photo(str(path)) == load_photo(path)
    assert load_photo(path.read_bytes(), name="upload.png").name == "upload.png"
    with Image.open(path) as opened:
        assert load_photo(opened) == load_photo(path)


def test_the_example_is_scikit_images_cat() -> None:
    from skimage import data

    photo = load_photo("example:cat")
    assert (photo.name, photo.width, photo.height) == ("cat", 451, 300)
    assert np.array_equal(np.asarray(photo.image), data.cat())


def test_an_unknown_example_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownError, match="no example photo 'dog'; there is cat"):
        load_photo("example:dog")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_turned_by_exif_equals_the_upright_one(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = load_photo(packed(gradient(), "PNG", exif=exif))
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    upright = gradient().transpose(turns[orientation]) if orientation > 1 else gradient()
    assert stored.sha256 == load_photo(upright).sha256


def test_transparent_pixels_become_white() -> None:
    see_through = np.full((4, 4, 4), 90, np.uint8)
    see_through[..., 3] = [[0, 255, 0, 255]] * 4
    pixels = np.asarray(load_photo(packed(Image.fromarray(see_through), "PNG")).image)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [90, 90, 90]
    assert np.array_equal(np.asarray(load_photo(see_through).image), pixels)


def test_a_palette_with_a_transparent_colour_is_put_on_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    for transparency in (0, bytes([0, 255])):
        photo = load_photo(packed(image, "PNG", transparency=transparency))
        assert photo.image.getpixel((0, 0)) == (255, 255, 255)
        assert photo.image.getpixel((1, 1)) == (0, 0, 255)


def test_the_first_frame_of_an_animation_is_the_photo() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "WEBP", "PNG"):
        data = packed(frames[0], format, save_all=True, append_images=frames[1:])
        red, green, blue = load_photo(data).image.getpixel((4, 4))
        assert (red > 240, green < 15, blue < 15) == (True, True, True)


def test_cmyk_becomes_the_colours_it_prints() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for format in ("JPEG", "TIFF"):
        red, green, blue = load_photo(packed(image, format)).image.getpixel((4, 4))
        assert (red > 240, green < 15, blue < 15) == (True, True, True)


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(8, axis=0)
    for format in ("PNG", "TIFF"):
        pixels = np.asarray(load_photo(packed(Image.fromarray(ramp), format)).image)
        assert np.array_equal(pixels[0, :, 0], np.arange(256))
        assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_grey_of_sixteen_bits_may_be_a_negative_and_have_a_transparent_value() -> None:
    ramp = np.arange(256, dtype=np.uint16)[None].repeat(8, axis=0) * 257
    negative = packed(Image.fromarray(ramp), "TIFF", tiffinfo={262: 0})
    assert np.asarray(load_photo(negative).image)[0, :, 1].tolist() == list(range(255, -1, -1))
    plain = packed(Image.fromarray(ramp), "PNG")
    after = plain.index(b"IDAT") - 4
    part = b"tRNS" + struct.pack(">H", 257 * 9)
    clear = plain[:after] + struct.pack(">I", 2) + part + struct.pack(">I", zlib.crc32(part)) + plain[after:]
    assert np.asarray(load_photo(clear).image)[0, :, 0].tolist() == [*range(9), 255, *range(10, 256)]


def test_grey_and_black_and_white_become_rgb() -> None:
    grey = Image.new("L", (4, 4), 77)
    assert load_photo(packed(grey, "PNG")).image.getpixel((0, 0)) == (77, 77, 77)
    assert load_photo(packed(grey.convert("LA"), "PNG")).image.getpixel((0, 0)) == (77, 77, 77)
    assert load_photo(packed(Image.new("1", (4, 4), 1), "PNG")).image.getpixel((0, 0)) == (255, 255, 255)


def test_floating_point_tiffs_are_read_from_zero_to_one_and_refused_beyond() -> None:
    values = np.array([[0.0, 0.5], [1.0, 0.2]], np.float32)
    pixels = np.asarray(load_photo(packed(Image.fromarray(values), "TIFF")).image)
    assert pixels[..., 0].tolist() == [[0, 128], [255, 51]]
    with pytest.raises(InputError, match=r"has values from 0 to 4, and 0 to 1 can be shown"):
        load_photo(packed(Image.fromarray(values * 4), "TIFF"))


def test_arrays_of_every_shape_give_the_photo_they_show() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = np.stack([grey] * 3, axis=-1)
    for array in (grey, grey[..., None], expected, expected / 255, (expected / 255).astype(np.float16)):
        assert np.array_equal(np.asarray(load_photo(array).image), expected)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 8, 8)), r"array has shape \(3, 8, 8\); an image is \(H, W\) or"),
        (np.zeros(8), r"array has shape \(8,\)"),
        (np.zeros((4, 4), np.int64), "array has dtype int64; an image is uint8, or floats from 0 to 1"),
        (np.full((4, 4), 2.0), "array has floats outside 0 to 1"),
        (np.full((4, 4), np.nan), "array has floats outside 0 to 1"),
        (np.zeros((0, 4), np.uint8), "array has 4×0 pixels"),
    ],
)
def test_an_array_that_is_no_image_is_refused(array: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_photo(array)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", r"photo is empty \(0 bytes\); give an image file"),
        (b"Dear diary", "photo is not an image that can be read; give a PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo is not an image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "photo is not an image that can be read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "photo is a HEIC photo.*save it as JPEG or PNG"),
        (bomb(), "photo claims over 60 megapixels; give a smaller one"),
        (bomb(9_000, 7_000), "photo has 9000×7000 pixels, over the limit of 60 megapixels"),
        (bomb(20_000, 3), "photo has 20000×3 pixels, and its longer side may be at most 50 times"),
        (
            packed(Image.new("RGB", (1, 1)), "PNG"),
            "photo has 1×1 pixels; a photo needs 2 or more on each side",
        ),
    ],
)
def test_bytes_that_are_no_photo_are_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_photo(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "AVIF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(format: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = packed(Image.fromarray(noise), format)
    with pytest.raises(InputError, match=r"photo is (damaged or cut short|not an image that can be read)"):
        load_photo(data[: int(len(data) * kept)])


def test_random_damage_never_raises_anything_but_an_input_error() -> None:
    generator = np.random.default_rng(0)
    for format in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        whole = np.frombuffer(packed(gradient(), format), np.uint8)
        for _ in range(25):
            damaged = whole.copy()
            damaged[generator.integers(0, len(whole), 12)] = generator.integers(0, 256, 12)
            with suppress(InputError):
                assert load_photo(damaged.tobytes()).image.mode == "RGB"


def test_more_bytes_than_the_limit_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    with open(path, "wb") as file:
        file.truncate(65 * 2**20)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda self: pytest.fail("was read"))
        with pytest.raises(InputError, match=r"large\.png has 65 MiB, and at most 64 are read"):
            load_photo(path)
    monkeypatch.setattr(decode, "MAX_BYTES", 2**20)
    with pytest.raises(InputError, match=r"photo has 2 MiB, and at most 1 are read"):
        load_photo(b"\0" * 2**21)


def test_missing_files_folders_and_forbidden_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"There is no file .*nowhere\.png; check the path"):
        load_photo(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))} is a folder; give one image file in it"):
        load_photo(tmp_path)
    with pytest.raises(InputError, match=r"^/dev/null is not a regular file"):
        load_photo("/dev/null")
    with pytest.raises(InputError, match=r"cannot be read \(.*embedded null"):
        load_photo("a\0b")
    (tmp_path / "secret.png").write_bytes(packed(gradient(), "PNG"))

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(InputError, match=r"secret\.png may not be read; give yourself permission"):
        load_photo(tmp_path / "secret.png")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (224, 224), (232, 224), (342, 299), (65, 64)])
@pytest.mark.parametrize("width", [451, 300, 97])
def test_the_input_is_exactly_what_torchvision_makes(interpolation: str, resize: int, crop: int, width: int) -> None:
    image = load_photo("example:cat").image.crop((0, 0, width, 300))
    preset = ImageClassification(crop_size=crop, resize_size=resize, interpolation=InterpolationMode(interpolation))
    ours = Preprocessing((crop, crop), resize, *IMAGENET, interpolation)
    assert torch.equal(ours.to_tensor(image), preset(image)[None])


def test_a_crop_and_its_stored_thumbnail_give_the_same_input() -> None:
    for mean, std in (IMAGENET, ((0.5,), (0.25,))):
        preprocessing = Preprocessing((56, 56), 64, mean, std)
        crop = preprocessing.crop(load_photo("example:cat").image)
        restored = from_data_uri(to_data_uri(crop, lossless=True))
        assert torch.equal(preprocessing.from_crop(restored), preprocessing.from_crop(crop))


def test_a_greyscale_network_gets_one_channel_of_luma() -> None:
    preprocessing = Preprocessing((4, 4), 4, (0.5,), (0.25,))
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    assert preprocessing.crop(image).mode == "L"
    assert preprocessing.to_tensor(image).shape == (1, 1, 4, 4)
    assert preprocessing.to_tensor(image).unique().item() == pytest.approx((76 / 255 - 0.5) / 0.25)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert preprocessing.normalize(red).item() == pytest.approx((0.299 - 0.5) / 0.25)


@pytest.mark.parametrize("size", [(32, 96), (96, 32), (50, 50)])
@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (2, 5)])
def test_every_crop_has_the_size_asked_for_and_no_border(size: tuple[int, int], shape: tuple[int, int]) -> None:
    white = Image.new("RGB", shape, "white")
    crop = Preprocessing(size, 32, *IMAGENET).crop(white)
    assert crop.size == (size[1], size[0])
    assert np.asarray(crop).min() == 255


def test_a_small_photo_is_enlarged_and_the_middle_is_kept() -> None:
    stripes = np.zeros((2, 6, 3), np.uint8)
    stripes[:, 2:4] = 200
    crop = Preprocessing((2, 2), 2, *IMAGENET).crop(Image.fromarray(stripes))
    assert np.asarray(crop).min() == 200


def test_a_crop_of_another_size_is_refused() -> None:
    preprocessing = Preprocessing((8, 8), 8, *IMAGENET)
    with pytest.raises(InputError, match="crop of 9×7 pixels does not fit the network, which takes 8×8"):
        preprocessing.from_crop(Image.new("RGB", (9, 7)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((0, 8), 8, *IMAGENET), r"Input size \(0, 8\), resized to 8, must be 1 pixel or more"),
        (((8, 8), 0, *IMAGENET), "must be 1 pixel or more"),
        (((8, 8), 8, (0.5, 0.5), (0.5, 0.5)), "one number for each input channel"),
        (((8, 8), 8, (0.5,), (0.5, 0.5, 0.5)), "one number for each input channel"),
        (((8, 8), 8, (0.5,), (0.0,)), r"std \(0.0,\) finite and above 0"),
        (((8, 8), 8, (float("nan"),), (1.0,)), "must be finite"),
        (((8, 8), 8, (123.7, 116.3, 103.5), (0.2,) * 3), r"beyond pixels from 0 to 1.*, here 0\.485,0\.456,0\.406\.$"),
        (((8, 8), 8, (0.5,) * 3, (58.4, 57.1, 57.4)), r"beyond pixels from 0 to 1.*, here 0\.229,0\.224,0\.225\.$"),
        (((8, 8), 8, (0.0,) * 3, (1e-320, 1.0, 1.0)), r"must be 1e-06 or more, .* give a std of 0\.00392"),
        (((100_000, 100_000), 8, (0.0,) * 3, (1.0,) * 3), "over the limit of 16 megapixels"),
        (((8, 8), 8, *IMAGENET, "lanczos"), "'lanczos' is not known; there is bilinear, bicubic"),
    ],
)
def test_preprocessing_that_no_photo_can_meet_is_refused(arguments: tuple, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Preprocessing(*arguments)


def test_normalize_is_differentiable_and_follows_its_formula() -> None:
    preprocessing = Preprocessing((2, 2), 2, (0.1, 0.2, 0.3), (0.5, 0.25, 2.0))
    images = torch.full((2, 3, 2, 2), 0.6, requires_grad=True)
    output = preprocessing.normalize(images)
    assert output[0, :, 0, 0].tolist() == pytest.approx([1.0, 1.6, 0.15])
    output.sum().backward()
    assert images.grad is not None
    assert images.grad[1, :, 1, 1].tolist() == pytest.approx([2.0, 4.0, 0.5])


def test_a_heat_map_glows_where_it_is_strong_and_leaves_the_rest() -> None:
    crop = Image.new("RGB", (64, 64), (120, 120, 120))
    heat = np.zeros((8, 8))
    heat[1, 6] = 5.0
    pixels = np.asarray(overlay(crop, heat, size=128), float)
    assert pixels.shape == (128, 128, 3)
    silent, hot = pixels[100, 20], pixels[24, 104]
    assert silent.tolist() == pytest.approx([102] * 3, abs=2)
    assert hot[0] > 180
    assert hot[0] - hot[2] > 90


def test_a_silent_unit_leaves_the_photo_readable_and_shape_and_scale_do_not_matter() -> None:
    crop = load_photo("example:cat").image
    muted = overlay(crop, np.zeros((7, 7)), size=200)
    assert muted.size == (200, 133)
    grey = np.asarray(crop.resize(muted.size).convert("L"), float)
    assert np.corrcoef(np.asarray(muted.convert("L"), float).ravel(), grey.ravel())[0, 1] > 0.99
    heat = np.random.default_rng(0).random((5, 9))
    assert overlay(crop, heat, size=90).tobytes() == overlay(crop, heat * 1000, size=90).tobytes()


def test_a_stronger_value_is_always_lighter_and_negative_ones_are_orange_beside_teal() -> None:
    ramp = np.linspace(-1, 1, 256)[None].repeat(8, axis=0)
    pixels = np.asarray(overlay(Image.new("RGB", (256, 8), "black"), ramp, size=256), float)[4]
    luma = pixels @ [0.299, 0.587, 0.114]
    assert (np.diff(luma[140:]) > -1).all()
    assert (np.diff(luma[:116]) < 1).all()
    assert pixels[2, 0] > pixels[2, 2] + 40
    assert min(pixels[253, 1:]) > pixels[253, 0] + 40


@pytest.mark.parametrize("heat", [np.zeros(4), np.zeros((0, 3)), np.array([[np.nan]]), np.zeros((1, 2, 3))])
def test_a_heat_map_that_is_no_matrix_of_numbers_is_refused(heat: np.ndarray) -> None:
    with pytest.raises(InputError, match="must be a matrix of finite numbers"):
        overlay(Image.new("RGB", (8, 8)), heat, size=8)


@pytest.mark.parametrize(("format", "lossless"), [("webp", True), ("png", False)])
def test_lossless_addresses_keep_every_pixel(format: str, lossless: bool) -> None:
    text = to_data_uri(gradient(), format=format, lossless=lossless)
    assert text.startswith(f"data:image/{format};base64,")
    assert from_data_uri(text).tobytes() == gradient().tobytes()


def test_lossy_addresses_are_short_and_close() -> None:
    cat = load_photo("example:cat").image
    for format in ("webp", "jpeg"):
        text = to_data_uri(cat, format=format)
        assert len(text) < len(to_data_uri(cat, lossless=True)) / 4
        assert np.abs(np.asarray(from_data_uri(text), int) - np.asarray(cat, int)).mean() < 6


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("https://example.org/cat.png", "must be a data:image/"),
        ("data:text/html;base64,PGI+", "must be a data:image/"),
        ("data:image/png;base64,%%%%", "base64 text cannot be decoded"),
        ("data:image/png;base64,aGVsbG8=", "is not an image that can be read"),
    ],
)
def test_addresses_that_hold_no_picture_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        from_data_uri(text)


def test_pictures_are_packed_in_three_formats_only() -> None:
    with pytest.raises(InputError, match="webp, png or jpeg, not as 'tiff'"):
        to_data_uri(gradient(), format="tiff")


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, circuits.image.photo; sys.exit('torch' in sys.modules)"
    assert limits.python("-c", code, check=False).returncode == 0


def test_a_broken_exif_block_does_not_hide_the_pixels() -> None:
    data = packed(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    assert load_photo(data).sha256 == load_photo(packed(gradient(), "JPEG")).sha256


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_which_part_was_overwritten_comes_with_a_warning(progressive: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", progressive=progressive)
    data = file.getvalue()
    assert load_photo(data).warning == ""
    for start in (len(data) // 3, len(data) // 2):
        zeroed = data[:start] + bytes(300) + data[start + 300 :]
        photo = load_photo(zeroed, name="a.jpg")
        assert photo.warning.startswith("a.jpg is damaged (Corrupt JPEG data: ")
        assert photo.warning.endswith("): part of what it shows is made up by the decoder.")
        assert photo.sha256 != load_photo(data).sha256


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_of_other_colours_is_not_called_damaged(mode: str) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").convert(mode).save(file, "JPEG")
    assert load_photo(file.getvalue()).warning == ""


def test_the_name_of_a_photo_can_be_written_and_shown() -> None:
    black = np.zeros((4, 4, 3), dtype=np.uint8)
    assert load_photo(black, name="caf\udce9\x1b[2J.png").name == "caf\\udce9\\x1b[2J.png"
    assert len(load_photo(black, name="n" * 5000).name) == 400


@pytest.mark.parametrize("window", [(10**400, 0, 1, 1), (0, 0, 1), (0, 0, float("nan"), 1)])
def test_a_window_that_is_no_four_numbers_is_refused(window: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="A window is four finite numbers, left, top, right and bottom; this one is"):
        check_window(window, 10, 10)


def test_the_example_is_read_without_the_package_that_ships_it_and_is_the_same_picture() -> None:
    code = "import sys; from circuits.image.photo import EXAMPLES; EXAMPLES['cat'](); print('skimage' in sys.modules)"
    said = limits.python("-c", code).stdout
    assert said.strip() == "False"
    assert np.array_equal(EXAMPLES["cat"](), data.cat())
