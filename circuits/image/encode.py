"""Pictures as data URIs, and activations and gradients as colours: alone, or as a map over the photo.

The magnitude of gradients changes by powers of ten along a path of units: restricted to one unit a layer they vanish,
renormalised they saturate any fixed scale ("Why is this a cat?", 2016). As the backward pass is linear, that magnitude
is one factor for the whole picture and says nothing about it, so each picture is shown on its own scale:

    s = the 99.5th percentile of |v| over those values that are not zero

At most one in two hundred of the values that the unit depends on is then saturated, however long the path. A percentile
of all values would be pushed down by the zeros outside of a low unit's receptive field, to zero where that is less than
0.5 % of the photo; the largest value would leave the rest grey because of a few outliers.
"""

import base64
import binascii
import io
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, WebPImagePlugin  # noqa: F401  # known to Pillow, it need not import every other format

from circuits.errors import InputError
from circuits.image.decode import decode
from circuits.shapes import HeatMap


def to_data_uri(image: Image.Image, *, format: str = "webp", lossless: bool = False, quality: int = 82) -> str:
    """A picture as text that a page or a JSON file can hold.

    Args:
        image: the picture.
        format: "webp", "png" or "jpeg".
        lossless: keep every pixel (WebP; PNG always does).
        quality: 0 to 100, where not lossless.

    >>> from_data_uri(to_data_uri(Image.new("RGB", (2, 3), "red"), lossless=True)).getpixel((1, 2))
    (255, 0, 0)
    """
    buffer = io.BytesIO()
    if format == "webp":
        buffer.write(to_webp(image, lossless=lossless, quality=quality))
    elif format == "png":
        image.save(buffer, "PNG", optimize=True)
    elif format == "jpeg":
        image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    else:
        raise InputError(f"Pictures are packed as webp, png or jpeg, not as {format!r}.")
    return f"data:image/{format};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def to_webp(image: Image.Image, *, lossless: bool = False, quality: int = 82) -> bytes:
    """A picture as the bytes of a WebP file, as `to_data_uri` packs it."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=lossless, quality=quality, method=4, exact=lossless)
    return buffer.getvalue()


def from_data_uri(text: str) -> Image.Image:
    """The picture that `to_data_uri` packed, mode RGB.

    Raises:
        InputError: if the text is no data URI of an image, or the image is damaged or too large.
    """
    head, comma, body = text.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InputError(f"A picture must be a data:image/…;base64 address; this one starts {text[:30]!r}.")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("A picture in the file is damaged: its base64 text cannot be decoded.") from None
    return decode(data, "The picture in the file")


def overlay(crop: Image.Image, heat: NDArray[Any], *, size: int, signed: bool = False) -> Image.Image:
    """A heat map over the photo, which is muted where a unit is silent and glows where it fires.

    The scale runs from zero to the strongest magnitude in `heat`. If there are negative values, they are drawn in
    orange and positive ones in teal, the colours of edges that inhibit and excite.

    Args:
        crop: what the network saw.
        heat: (h, w), one value for each position of the layer, spread smoothly over the crop.
        size: the longer side of the result in pixels.
        signed: use the colours of both signs even if no value is negative, as for one of several maps.

    Raises:
        InputError: if `heat` is not a matrix of finite numbers.
    """
    values = np.asarray(heat, dtype=np.float32)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"A heat map must be a matrix of finite numbers; this one has shape {values.shape}.")
    shown = _scaled_size(crop, size)
    photo = crop.convert("RGB").resize(shown, Image.Resampling.LANCZOS)
    strongest = float(np.abs(values).max()) or 1.0
    smooth = Image.fromarray(values / strongest).resize(shown, Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(smooth, dtype=np.float64), -1, 1)[..., None]

    colours = np.asarray(photo, dtype=np.float64) / 255
    grey = colours @ np.array([[0.299], [0.587], [0.114]])
    muted = 0.85 * (0.35 * colours + 0.65 * grey)
    strength = np.abs(level)
    one_sign = values.min() >= 0 and not signed
    glow = _ramp(strength, _WARM if one_sign else _EXCITES)
    if not one_sign:
        glow = np.where(level >= 0, glow, _ramp(strength, _INHIBITS))
    # Faint values stay transparent; the photo's own shading shows through even the strongest.
    opacity = 0.88 * np.clip(strength / 0.75, 0, 1) ** 1.25
    shaded = glow * (0.72 + 0.28 * grey)
    mixed = (1 - opacity) * muted + opacity * shaded
    return Image.fromarray(np.round(np.clip(mixed, 0, 1) * 255).astype(np.uint8))


# (L, C, hue°) in OKLab, which is perceptually uniform (Ottosson 2020); L only rises, so more reads as brighter.
_WARM = ((0.36, 0.10, 330.0), (0.48, 0.17, 5.0), (0.60, 0.20, 28.0), (0.74, 0.17, 60.0), (0.90, 0.15, 98.0))
# Of two signs, more reads as stronger in colour instead, so that both do not end near white. The hues are those of
# edges, charts and reports; people who do not see red or green tell the dark teal from the light orange too.
_EXCITES = ((0.40, 0.063, 188.0), (0.385, 0.081, 188.0), (0.37, 0.09, 188.0))
_INHIBITS = ((0.79, 0.112, 54.0), (0.81, 0.144, 54.0), (0.82, 0.16, 54.0))


def _ramp(level: NDArray[np.float64], stops: tuple[tuple[float, float, float], ...]) -> NDArray[np.float64]:
    """Colours in sRGB, 0 to 1, (h, w, 3), for levels 0 to 1, (h, w, 1): stops joined by lines in OKLab."""
    lch = np.array(stops)
    hue = np.deg2rad(lch[:, 2])
    lab = np.stack([lch[:, 0], lch[:, 1] * np.cos(hue), lch[:, 1] * np.sin(hue)], axis=1)
    at = np.linspace(0, 1, len(stops))
    mixed = np.stack([np.interp(level[..., 0], at, lab[:, channel]) for channel in range(3)], axis=-1)
    cones = (mixed @ _OKLAB_TO_CONES.T) ** 3
    linear = np.clip(cones @ _CONES_TO_RGB.T, 0, 1)
    srgb: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return srgb


# Both matrices: B. Ottosson, "A perceptual color space for image processing" (2020).
_OKLAB_TO_CONES = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)

QUANTILE = 0.995


def own_scale(values: Float[np.ndarray, "..."], *, quantile: float = QUANTILE) -> float:
    """The magnitude at which a signed picture is shown at full strength: s of the file's head.

    s(c · v) = |c| · s(v), and zeros around a picture do not change it. 0.0 if all is zero.

    Args:
        values: signed.
        quantile: of the magnitudes that are not zero, above 0, up to 1 for the largest.

    Raises:
        InputError: if a value is not finite, or the quantile is out of range.

    >>> own_scale(np.array([0.0, -3.0, 0.0, 1.0]), quantile=1.0)
    3.0
    """
    if not 0 < quantile <= 1:
        raise InputError(f"quantile is {quantile}; it must be above 0 and at most 1, such as {QUANTILE}.")
    if not np.isfinite(values).all():
        raise InputError("There are numbers that are not finite in what is to be shown.")
    magnitudes = np.abs(values[values != 0]).astype(np.float64)
    return float(np.quantile(magnitudes, quantile)) if magnitudes.size else 0.0


def show_picture(
    picture: Float[np.ndarray, "rows columns colours"], *, size: int | None = None, quantile: float = QUANTILE
) -> Image.Image:
    """A gradient picture: grey where it is zero, brighter where more of a colour helps, darker where less.

    colour = ½ + ½ · clip(v / s, -1, 1)   with s from `own_scale`

    The brightnesses of two pictures cannot be compared. To look closer, cut out rows and columns first: cutting away
    zeros does not change the colours.

    Args:
        picture: signed, one colour or three.
        size: the longer side of the result in pixels, enlarged smoothly; the picture's own if `None`.
        quantile: share of the values, of those that are not zero, that are not saturated.

    Returns:
        Mode RGB.

    Raises:
        InputError: if it has no pixels, another number of colours, or a number that is not finite.

    >>> show_picture(np.array([[[0.0], [2.0], [-2.0], [1.0]]])).getpixel((3, 0))
    (191, 191, 191)
    """
    if picture.size == 0 or picture.shape[2] not in (1, 3):
        raise InputError(f"A gradient picture has pixels of 1 or 3 colours; this one has the shape {picture.shape}.")
    level = _levels(picture, quantile)
    colours = np.broadcast_to(np.round(255 * (0.5 + 0.5 * level)).astype(np.uint8), (*picture.shape[:2], 3))
    image = Image.fromarray(np.ascontiguousarray(colours))
    return image if size is None else image.resize(_scaled_size(image, size), Image.Resampling.BICUBIC)


def show_map(crop: Image.Image, signed: HeatMap, *, size: int, quantile: float = QUANTILE) -> Image.Image:
    """A signed map of positions over the photo, on its own scale: excitation glows teal, inhibition orange.

    Args:
        crop: what the network saw.
        signed: one number for each position of the layer, (H, W), spread smoothly over the crop.
        size: the longer side of the result in pixels.
        quantile: share of the positions, of those that are not zero, that are not saturated.

    Returns:
        Mode RGB.

    Raises:
        InputError: if the map is empty or has a number that is not finite.

    >>> show_map(Image.new("RGB", (20, 10)), np.array([[1.0, -1.0]]), size=40).size
    (40, 20)
    """
    return overlay(crop, _levels(signed, quantile), size=size, signed=True)


def _levels(values: NDArray[Any], quantile: float) -> NDArray[np.float64]:
    """Values over their own scale, -1 to 1."""
    scale = own_scale(values, quantile=quantile)
    return np.clip(values / scale if scale else values, -1.0, 1.0).astype(np.float64)


def _scaled_size(image: Image.Image, size: int) -> tuple[int, int]:
    """(width, height) with `size` as the longer side."""
    if size < 1:
        raise InputError(f"size is {size}; a picture must be at least 1 pixel long.")
    scale = size / max(image.size)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))
