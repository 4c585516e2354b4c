"""The options of `circuits render`, in the panels of its help."""

from pathlib import Path
from typing import Annotated, Any

import typer


def _option(panel: str, *names: str, **told: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **told)


_PICTURE, _OBJECTIVE, _IMAGE, _REGULARISATION = "Picture", "Objective", "Image", "Regularisation"

Units = Annotated[
    list[str],
    typer.Argument(
        metavar="UNIT…",
        help="Units: inception4a:17, inception4a:0-39, inception4a:3,7,10-12, fc:cat; a layer is all of its units.",
    ),
]
File = Annotated[
    Path,
    _option(
        _PICTURE, "--output", "-o", metavar="FILE", readable=False,
        help="A .png, .webp or .jpg file, which carries its settings: a picture, or a sheet of several.",
    ),
]  # fmt: skip
Sheet = Annotated[str | None, _option(_PICTURE, metavar="RxC", help="Grid of the sheet: 5x8 is 5 rows of 8 pictures.")]
PictureSize = Annotated[int, _option(_PICTURE, "--size", min=16, max=1024, help="Side of each picture.")]
Steps = Annotated[int, _option(_PICTURE, min=1, max=10_000, help="Steps of gradient ascent.")]
Seed = Annotated[int, _option(_PICTURE, min=0, help="Another seed gives another picture.")]
Diverse = Annotated[int | None, _option(_PICTURE, min=2, max=32, metavar="N", help="N pictures of each that differ.")]
Interpolate = Annotated[
    int | None, _option(_PICTURE, min=2, max=32, metavar="N", help="A row of N from one unit to another.")
]
Filmstrip = Annotated[
    int | None, _option(_PICTURE, min=2, max=32, metavar="N", help="How each picture came about, in N frames.")
]

Objective = Annotated[
    str | None,
    _option(
        _OBJECTIVE, metavar="NAME",
        help="channel, neuron, negative, joint (all units in one picture), logit, probability; of a layer as a whole: "
        "layer (DeepDream), direction, inversion, caricature.",
    ),
]  # fmt: skip
PhotoFile = Annotated[
    str | None, _option(_OBJECTIVE, metavar="PHOTO", help="What is inverted or caricatured; example:cat.")
]
Direction = Annotated[
    Path | None,
    _option(
        _OBJECTIVE, metavar="FILE", readable=False,
        help='Numbers of a layer\'s channels: .json, .csv or .npy; JSON {"17": 1, "5": -0.5} gives some of them.',
    ),
]  # fmt: skip
Power = Annotated[
    float | None, _option(_OBJECTIVE, min=0, metavar="P", help="Power of the cosine in a direction or caricature.")
]

Images = Annotated[
    str, _option(_IMAGE, metavar="NAME", help="How it is written: fourier, pixels, pyramid, maco, or plain pixels.")
]
Spectrum = Annotated[
    Path | None, _option(_IMAGE, metavar="FOLDER", readable=False, help="Photos whose spectrum maco takes.")
]
Colours = Annotated[
    str, _option(_IMAGE, metavar="NAME", help="How they go together: imagenet, none, or as in a folder of photos.")
]
Alpha = Annotated[bool, _option(_IMAGE, "--alpha", help="Transparent where nothing is needed.")]
Opacity = Annotated[float | None, _option(_IMAGE, min=0, metavar="W", help="Price of opacity, with --alpha.")]
Prior = Annotated[
    str | None, _option(_IMAGE, metavar="FILE.py:NAME", help="A learned prior of your own (this runs your code).")
]
Start = Annotated[str | None, _option(_IMAGE, metavar="PHOTO", help="A photo to start from, in place of noise.")]

TransformName = Annotated[
    str, _option(_REGULARISATION, "--transform", metavar="NAME", help="How it is moved: none, light or standard.")
]
TotalVariation = Annotated[float, _option(_REGULARISATION, min=0, metavar="W", help="Weight of the total variation.")]
L1 = Annotated[float, _option(_REGULARISATION, "--l1", min=0, metavar="W", help="Weight of the distance from grey.")]
L2 = Annotated[float, _option(_REGULARISATION, "--l2", min=0, metavar="W", help="Weight of the squared distance.")]
BlurGradient = Annotated[float, _option(_REGULARISATION, min=0, metavar="PX", help="Blur of each step's gradient.")]
BlurImage = Annotated[float, _option(_REGULARISATION, min=0, metavar="PX", help="Blur of the image every few steps.")]
