"""A layer's activations as colours over the photo that caused them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from circuits.errors import InputError


def overlay(crop: Image.Image, heat: NDArray[Any], *, size: int, signed: bool = False) -> Image.Image:
    """A heat map over the photo: where a unit is silent the photo is muted, where it fires it glows.

    The scale runs from zero to the strongest magnitude in `heat`; where there are negative values, they are drawn in
    orange, and positive ones in blue: inhibition is orange as in edges.

    Args:
        crop: what the network saw.
        heat: (h, w), one value for each position of the layer, spread smoothly over the crop.
        size: the longer side of the result in pixels.
        signed: whether it is one of several maps of both signs, and drawn in their colours even if it has none below
            zero.

    Raises:
        InputError: if `heat` is not a matrix of finite numbers.
    """
    values = np.asarray(heat, dtype=np.float32)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"A heat map must be a matrix of finite numbers; this one has shape {values.shape}.")
    scale = size / max(crop.size)
    width, height = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
    photo = crop.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    strongest = float(np.abs(values).max()) or 1.0
    smooth = Image.fromarray(values / strongest).resize((width, height), Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(smooth, dtype=np.float64), -1, 1)[..., None]

    colours = np.asarray(photo, dtype=np.float64) / 255
    grey = colours @ np.array([[0.299], [0.587], [0.114]])
    muted = 0.85 * (0.35 * colours + 0.65 * grey)
    strength = np.abs(level)
    above, below = (_WARM, _WARM) if values.min() >= 0 and not signed else (_EXCITES, _INHIBITS)
    glow = np.where(level >= 0, _ramp(strength, above), _ramp(strength, below))
    # Faint values stay transparent; the photo's own shading shows through even the strongest.
    opacity = 0.88 * np.clip(strength / 0.75, 0, 1) ** 1.25
    shaded = glow * (0.72 + 0.28 * grey)
    mixed = (1 - opacity) * muted + opacity * shaded
    return Image.fromarray(np.round(np.clip(mixed, 0, 1) * 255).astype(np.uint8))


# (L, C, hue°) in OKLab, which is even to the eye (Ottosson 2020); L only rises, so more reads as brighter.
_WARM = ((0.36, 0.10, 330.0), (0.48, 0.17, 5.0), (0.60, 0.20, 28.0), (0.74, 0.17, 60.0), (0.90, 0.15, 98.0))
# Of two signs, more reads as stronger in colour instead, so that light blue and yellow do not both end near white; blue
# and orange are told apart by people who do not see red or green, as the teal of edges and orange on a photo would not.
_EXCITES = ((0.56, 0.12, 250.0), (0.55, 0.16, 254.0), (0.52, 0.19, 258.0))
_INHIBITS = ((0.72, 0.12, 58.0), (0.75, 0.16, 60.0), (0.78, 0.17, 66.0))


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
