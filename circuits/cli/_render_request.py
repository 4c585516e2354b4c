"""What `circuits render` is asked for: its options in the panels of its help, and which do not go together."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from circuits.errors import InputError, UnknownError, listed

OF_LAYERS = ("layer", "direction", "inversion", "caricature")
_OBJECTIVES = ("channel", "neuron", "negative", "joint", "logit", "probability", *OF_LAYERS)
_STORED = ("channel", "neuron", "negative")
_WITH_COLOURS = ("fourier", "pixels", "pyramid")
_GRID = re.compile(r"(\d{1,4})[x×](\d{1,4})", re.IGNORECASE)
_PICTURE, _OBJECTIVE, _IMAGE, _REGULARISATION = "Picture", "Objective", "Image", "Regularisation"


def _option(panel: str, *names: str, **details: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **details)


@dataclass(frozen=True)
class RenderRequest:
    """Which pictures are drawn of what, how, and where they go.

    Raises:
        InputError: if two of the options do not go together, or the file's ending or the grid cannot be used.
        UnknownError: if there is no such objective.
    """

    units: Annotated[
        list[str],
        typer.Argument(
            metavar="UNIT…",
            help="Units: inception4a:17, inception4a:0-39, inception4a:3,7,10-12, fc:cat; a layer is all of its units.",
        ),
    ]
    file: Annotated[
        Path,
        _option(
            _PICTURE,
            "--output",
            "-o",
            metavar="FILE",
            readable=False,
            help="A .png, .webp or .jpg file, which carries its settings: a picture, or a sheet of several.",
        ),
    ]
    sheet: Annotated[
        str | None, _option(_PICTURE, metavar="RxC", help="Grid of the sheet: 5x8 is 5 rows of 8 pictures.")
    ] = None
    size: Annotated[int, _option(_PICTURE, "--size", min=16, max=1024, help="Side of each picture.")] = 128
    steps: Annotated[int, _option(_PICTURE, min=1, max=10_000, help="Steps of gradient ascent.")] = 256
    seed: Annotated[int, _option(_PICTURE, min=0, help="Another seed gives another picture.")] = 0
    diverse: Annotated[
        int | None, _option(_PICTURE, min=2, max=32, metavar="N", help="N pictures of each that differ.")
    ] = None
    interpolate: Annotated[
        int | None, _option(_PICTURE, min=2, max=32, metavar="N", help="A row of N from one unit to another.")
    ] = None
    filmstrip: Annotated[
        int | None, _option(_PICTURE, min=2, max=32, metavar="N", help="How each picture came about, in N frames.")
    ] = None
    objective: Annotated[
        str | None,
        _option(
            _OBJECTIVE,
            metavar="NAME",
            help="channel, neuron, negative, joint (all units in one picture), logit, probability; of a layer as a "
            "whole: layer (DeepDream), direction, inversion, caricature.",
        ),
    ] = None
    photo: Annotated[
        str | None, _option(_OBJECTIVE, metavar="PHOTO", help="What is inverted or caricatured; example:cat.")
    ] = None
    direction: Annotated[
        Path | None,
        _option(
            _OBJECTIVE,
            metavar="FILE",
            readable=False,
            help='Numbers of a layer\'s channels: .json, .csv or .npy; JSON {"17": 1, "5": -0.5} gives some of them.',
        ),
    ] = None
    power: Annotated[
        float | None, _option(_OBJECTIVE, min=0, metavar="P", help="Power of the cosine in a direction or caricature.")
    ] = None
    images: Annotated[
        str, _option(_IMAGE, metavar="NAME", help="How it is written: fourier, pixels, pyramid, maco, or plain pixels.")
    ] = "fourier"
    spectrum: Annotated[
        Path | None, _option(_IMAGE, metavar="FOLDER", readable=False, help="Photos whose spectrum maco takes.")
    ] = None
    colours: Annotated[
        str, _option(_IMAGE, metavar="NAME", help="How they go together: imagenet, none, or as in a folder of photos.")
    ] = "imagenet"
    alpha: Annotated[bool, _option(_IMAGE, "--alpha", help="Transparent where nothing is needed.")] = False
    opacity: Annotated[float | None, _option(_IMAGE, min=0, metavar="W", help="Price of opacity, with --alpha.")] = None
    prior: Annotated[
        str | None, _option(_IMAGE, metavar="FILE.py:NAME", help="A learned prior of your own (this runs your code).")
    ] = None
    start: Annotated[str | None, _option(_IMAGE, metavar="PHOTO", help="A photo to start from, in place of noise.")] = (
        None
    )
    transform: Annotated[
        str, _option(_REGULARISATION, "--transform", metavar="NAME", help="How it is moved: none, light or standard.")
    ] = "standard"
    total_variation: Annotated[
        float, _option(_REGULARISATION, min=0, metavar="W", help="Weight of the total variation.")
    ] = 0.0
    l1: Annotated[
        float, _option(_REGULARISATION, "--l1", min=0, metavar="W", help="Weight of the distance from grey.")
    ] = 0.0
    l2: Annotated[
        float, _option(_REGULARISATION, "--l2", min=0, metavar="W", help="Weight of the squared distance.")
    ] = 0.0
    blur_gradient: Annotated[
        float, _option(_REGULARISATION, min=0, metavar="PX", help="Blur of each step's gradient.")
    ] = 0.0
    blur_image: Annotated[
        float, _option(_REGULARISATION, min=0, metavar="PX", help="Blur of the image every few steps.")
    ] = 0.0

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
        for option, given in (("--colours", recoloured), ("--alpha", self.alpha)):
            if given and self.images not in _WITH_COLOURS:
                either = f"{', '.join(_WITH_COLOURS[:-1])} or {_WITH_COLOURS[-1]}"
                raise InputError(f"{option} does not go with --images {self.images}; choose {either}.")
        if self.opacity is not None and not self.alpha:
            raise InputError("--opacity is the price of opacity in transparent pictures; add --alpha.")
        if self.prior is not None:
            others = {"--images": self.images != "fourier", "--colours": recoloured}
            for option, given in (others | {"--alpha": self.alpha, "--start": self.start is not None}).items():
                if given:
                    raise InputError(f"{option} does not go with --prior, which makes images in its own way.")

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
