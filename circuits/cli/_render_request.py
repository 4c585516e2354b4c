"""What `circuits render` is asked for: its options in the panels of its help, and which do not go together."""

import re
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from circuits.cli.options import argument, file_option, option
from circuits.errors import InputError, UnknownError, listed

OF_LAYERS = ("layer", "direction", "inversion", "caricature")
_OBJECTIVES = ("channel", "neuron", "negative", "joint", "logit", "probability", *OF_LAYERS)
_STORED = ("channel", "neuron", "negative")
_WITH_COLOURS = ("fourier", "pixels", "pyramid")
_GRID = re.compile(r"(\d{1,4})[x×](\d{1,4})", re.IGNORECASE)
_PICTURE, _OBJECTIVE, _IMAGE, _REGULARISATION = "Picture", "Objective", "Image", "Regularisation"


def _several(help: str) -> Any:
    return option(None, help, min=2, max=32, metavar="N", panel=_PICTURE)


def _weight(help: str, *names: str, metavar: str = "W") -> Any:
    return option(0.0, help, *names, min=0, metavar=metavar, panel=_REGULARISATION)


@dataclass(frozen=True)
class RenderRequest:
    """Which pictures are drawn of what, how, and where they go."""

    units: list[str] = argument(
        "UNIT…", "Units: inception4a:17, inception4a:0-39, inception4a:3,7,10-12, fc:cat; a layer is all of its units."
    )
    file: Path = option(
        MISSING,
        "A .png, .webp or .jpg file, which carries its settings: a picture, or a sheet of several.",
        "--output",
        "-o",
        metavar="FILE",
        readable=False,
        panel=_PICTURE,
    )
    sheet: str | None = option(None, "Grid of the sheet: 5x8 is 5 rows of 8 pictures.", metavar="RxC", panel=_PICTURE)
    size: int = option(128, "Side of each picture.", "--size", min=16, max=1024, panel=_PICTURE)
    steps: int = option(128, "Steps of gradient ascent.", min=1, max=10_000, panel=_PICTURE)
    seed: int = option(0, "Random seed; another seed gives another picture.", min=0, panel=_PICTURE)
    diverse: int | None = _several("N diverse pictures of each unit.")
    interpolate: int | None = _several("N pictures that lead from one unit to another.")
    filmstrip: int | None = _several("N frames of the optimisation of each picture.")
    objective: str | None = option(
        None,
        "channel, neuron, negative, joint (all units in one picture), logit, probability; of a layer as a whole: "
        "layer (DeepDream), direction, inversion, caricature.",
        metavar="NAME",
        panel=_OBJECTIVE,
    )
    photo: str | None = option(
        None, "Photo to invert or to caricature, or example:cat.", metavar="PHOTO", panel=_OBJECTIVE
    )
    direction: Path | None = file_option(
        'Numbers of a layer\'s channels: .json, .csv or .npy; JSON {"17": 1, "5": -0.5} gives some of them.',
        panel=_OBJECTIVE,
    )
    power: float | None = option(
        None, "Exponent of the cosine in a direction or caricature.", min=0, metavar="P", panel=_OBJECTIVE
    )
    images: str = option(
        "fourier", "Parameterisation of the image: fourier, pixels, pyramid or maco.", metavar="NAME", panel=_IMAGE
    )
    spectrum: Path | None = file_option("Folder of photos whose spectrum maco uses.", metavar="FOLDER", panel=_IMAGE)
    colours: str = option(
        "imagenet",
        "Correlation of the colours: imagenet, none, or that of a folder of photos.",
        metavar="NAME",
        panel=_IMAGE,
    )
    alpha: bool = option(
        False, "Make the image transparent where the objective needs nothing.", "--alpha", panel=_IMAGE
    )
    opacity: float | None = option(None, "Penalty on opacity, with --alpha.", min=0, metavar="W", panel=_IMAGE)
    prior: str | None = option(
        None, "A learned prior of your own (this runs your code).", metavar="FILE.py:NAME", panel=_IMAGE
    )
    start: str | None = option(None, "A photo to start from instead of noise.", metavar="PHOTO", panel=_IMAGE)
    transform: str | None = option(
        None,
        "Random transformations at each step: none, light, standard or, as transformers need, tokens.",
        metavar="NAME",
        panel=_REGULARISATION,
    )
    total_variation: float = _weight("Weight of the total variation.")
    l1: float = _weight("Weight of the distance from grey.", "--l1")
    l2: float = _weight("Weight of the squared distance.", "--l2")
    blur_gradient: float = _weight("Blur of each step's gradient.", metavar="PX")
    blur_image: float = _weight("Blur of the image every few steps.", metavar="PX")

    def __post_init__(self) -> None:
        _ = self.format, self.grid
        self._check_objective()
        self._check_images()

    def _check_objective(self) -> None:
        if self.kind not in _OBJECTIVES:
            raise UnknownError(f"There is no objective {self.kind!r}; there are {listed(_OBJECTIVES)}.")
        rows = [f"--{name}" for name in ("diverse", "interpolate", "filmstrip") if getattr(self, name) is not None]
        if len(rows) > 1:
            raise InputError(f"{rows[0]} and {rows[1]} both say what a row of pictures shows; give one.")
        if self.interpolate is not None and self.kind != "channel":
            raise InputError(f"--interpolate leads from one channel to another; leave --objective {self.kind} out.")
        if self.diverse is not None and self.kind in ("inversion", "caricature"):
            raise InputError(f"--diverse does not go with --objective {self.kind}, which has one photo to look like.")
        for name, kinds in (
            ("photo", ("inversion", "caricature")),
            ("direction", ("direction",)),
            ("power", ("direction", "caricature")),
        ):
            if getattr(self, name) is not None and self.kind not in kinds:
                raise InputError(
                    f"--{name} has no meaning for --objective {self.kind}; it is for {' and '.join(kinds)}."
                )
        if self.kind in ("inversion", "caricature") and self.photo is None:
            raise InputError(f"--objective {self.kind} needs a photo; give one with --photo.")
        if self.kind == "direction" and self.direction is None:
            raise InputError("--objective direction needs its numbers; give a file of them with --direction.")

    def _check_images(self) -> None:
        if self.spectrum is not None and self.images != "maco":
            raise InputError(f"--spectrum is what maco takes from photos; add --images maco to it, not {self.images}.")
        recoloured = self.colours != "imagenet"
        for name, given in (("--colours", recoloured), ("--alpha", self.alpha)):
            if given and self.images not in _WITH_COLOURS:
                either = f"{', '.join(_WITH_COLOURS[:-1])} or {_WITH_COLOURS[-1]}"
                raise InputError(f"{name} does not go with --images {self.images}; choose {either}.")
        if self.opacity is not None and not self.alpha:
            raise InputError("--opacity is the penalty on opacity in transparent pictures; add --alpha.")
        if self.prior is not None:
            others = {"--images": self.images != "fourier", "--colours": recoloured}
            for name, given in (others | {"--alpha": self.alpha, "--start": self.start is not None}).items():
                if given:
                    raise InputError(f"{name} does not go with --prior, which makes images in its own way.")

    @property
    def format(self) -> str:
        """Of the file: PNG, WEBP or JPEG."""
        from circuits.visualization import metadata

        return metadata.format_of(self.file)

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of the sheet that were asked for."""
        if self.sheet is None:
            return None
        match = _GRID.fullmatch(self.sheet.strip())
        if match is None or 0 in (int(match[1]), int(match[2])):
            raise InputError(f"--sheet {self.sheet!r} is no grid; write rows x columns, such as 5x8.")
        return int(match[1]), int(match[2])

    @property
    def kind(self) -> str:
        """Name of the objective."""
        return self.objective or ("channel" if self.direction is None else "direction")

    @property
    def count(self) -> int:
        """Pictures of each target."""
        return self.diverse or self.interpolate or self.filmstrip or 1

    @property
    def stored(self) -> bool:
        """Whether a store keeps such pictures: whether a unit and `Settings` say all of it."""
        return self.kind in _STORED and self.count == 1 and not self.own_images and self.start is None

    @property
    def own_images(self) -> bool:
        """Whether images are made in a way that has no name in `Settings`."""
        others = self.spectrum is not None or self.prior is not None
        return others or self.alpha or self.colours != "imagenet"
