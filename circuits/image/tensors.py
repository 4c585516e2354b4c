"""Between pictures for people (PIL) and images for networks (tensors from 0 to 1)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from PIL import Image, ImageOps
from torch import Tensor

GREY = 0.5


def to_pictures(images: Tensor) -> tuple[Image.Image, ...]:
    """Images in 8 bits: one colour gives L, three give RGB, four RGBA.

    Args:
        images: (N, C, h, w); values outside 0 to 1 are cut.

    >>> to_pictures(torch.ones(1, 3, 2, 2))[0].getpixel((0, 0))
    (255, 255, 255)
    """
    eights = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return tuple(Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one) for one in eights)


def to_images(pictures: Sequence[Image.Image], colours: int = 3) -> Tensor:
    """Pictures of one size as (N, colours, h, w) from 0 to 1; what is transparent is put on grey.

    >>> to_images([Image.new("RGB", (3, 2), "white")]).shape
    torch.Size([1, 3, 2, 3])
    """
    return torch.stack([_to_image(picture, colours) for picture in pictures])


def fitted(photo: Image.Image, side: int) -> Image.Image:
    """The middle square of a photo, `side` pixels wide.

    >>> fitted(Image.new("RGB", (60, 40)), 16).size
    (16, 16)
    """
    return ImageOps.fit(photo, (side, side), Image.Resampling.BICUBIC)


def resized(images: Tensor, side: int) -> Tensor:
    """The middle square of each image, `side` pixels wide: (N, C, h, w) to (N, C, side, side)."""
    height, width = images.shape[-2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = images[:, :, top : top + short, left : left + short]
    if short == side:
        return square
    return F.interpolate(square, size=(side, side), mode="bilinear", antialias=True).clamp(0, 1)


def _to_image(picture: Image.Image, colours: int) -> Tensor:
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, (round(GREY * 255),) * 3 + (255,))
        picture = Image.alpha_composite(ground, picture)
    values = np.array(picture.convert("L" if colours == 1 else "RGB"), dtype=np.uint8)
    return torch.from_numpy(values.reshape(*values.shape[:2], -1)).permute(2, 0, 1).float() / 255
