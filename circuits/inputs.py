"""What a network of one's own wants to see: its size and normalisation, as far as they were told or can be guessed."""

from collections.abc import Sequence

from torch import nn

from circuits.errors import InputError
from circuits.images import Preprocessing

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Input:
    """What the user said of the input: size, mean and std, each of which may be left open.

    Args:
        size: side, or (height, width).
        mean: of the normalisation, one a colour; one number makes a greyscale network.
        std: of the normalisation.

    Raises:
        InputError: if a number is out of its range.
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        self.size = (size, size) if isinstance(size, int) else size
        self.mean = None if mean is None else tuple(float(value) for value in mean)
        self.std = None if std is None else tuple(float(value) for value in std)
        if self.size is not None and min(self.size) < 1:
            raise InputError(f"The input size is {size}; it must be at least 1.")
        if self.std is not None and min(self.std) <= 0:
            raise InputError(f"The std is {self.std}; each must be above 0.")

    def over(self, default: Preprocessing) -> Preprocessing:
        """The default with what the user said put over it."""
        size = self.size or default.size
        resize = default.resize
        if self.size is not None:
            side = min(size)
            resize = round(side * 256 / 224) if side >= 128 else side
        mean, std = self.mean or default.mean, self.std or default.std
        if len(mean) != len(std) or len(mean) not in (1, 3):
            raise InputError(f"mean has {len(mean)} numbers and std {len(std)}; give both one (grey) or three (RGB).")
        return Preprocessing(size=size, resize=resize, mean=mean, std=std, interpolation=default.interpolation)

    def of(self, module: nn.Module) -> Preprocessing:
        """What was said over what is usual: 224 × 224, ImageNet's colours, grey if the first convolution is.

        Example:
            >>> Input(28).of(nn.Sequential(nn.Conv2d(1, 8, 3))).mean
            (0.449,)
        """
        channels = next((part.in_channels for part in module.modules() if isinstance(part, nn.Conv2d)), 3)
        grey = channels == 1 or (self.mean is not None and len(self.mean) == 1)
        default = Preprocessing(
            size=(224, 224),
            resize=256,
            interpolation="bilinear",
            mean=(0.449,) if grey else IMAGENET_MEAN,
            std=(0.226,) if grey else IMAGENET_STD,
        )
        return self.over(default)
