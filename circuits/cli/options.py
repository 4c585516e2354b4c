"""Options that several commands share, and the network they describe."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from circuits.errors import InputError

if TYPE_CHECKING:
    import circuits.image.photo
    import circuits.network.network


_PANEL = "Network"

NetworkName = Annotated[
    str,
    typer.Option(
        "--network",
        "-n",
        metavar="NAME",
        help="builtin, a torchvision classifier such as googlenet, timm:NAME, or your own as file.py:Factory "
        "or package.module:Factory (this runs your code).",
        rich_help_panel=_PANEL,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="WEIGHTS",
        help="A .safetensors or .pth file, hf:owner/repository, random, or a name of torchvision's such as "
        "IMAGENET1K_V1.",
        rich_help_panel=_PANEL,
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        readable=False,
        help="Class labels, one a line, or the last column of a TSV file.",
        rich_help_panel=_PANEL,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size", "--input-size", metavar="SIZE", help="Input size in pixels, N or HxW.", rich_help_panel=_PANEL
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(metavar="R,G,B", help="Mean of the normalisation, on a scale of 0 to 1.", rich_help_panel=_PANEL),
]
Std = Annotated[
    str | None,
    typer.Option(metavar="R,G,B", help="Standard deviation of the normalisation.", rich_help_panel=_PANEL),
]
Leaf = Annotated[
    list[str] | None,
    typer.Option(
        "--leaf",
        metavar="MODULE",
        help="A module that torch.fx cannot look into, traced as a whole; may be given again.",
        rich_help_panel=_PANEL,
    ),
]
MultiLabel = Annotated[
    bool | None,
    typer.Option(
        "--multi-label/--one-label",
        help="Judge each class on its own (sigmoid); by default if the network ends in a sigmoid.",
        rich_help_panel=_PANEL,
    ),
]
Layers = Annotated[
    str,
    typer.Option(
        metavar="LAYERS",
        help="auto, fine (down to the branches), or names with commas between.",
        rich_help_panel=_PANEL,
    ),
]
Window = Annotated[
    str | None,
    typer.Option(metavar="L,T,R,B", help="The part of the photo to look at, in its pixels; by default its centre."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def get_network(
    network: str,
    *,
    weights: str | None = None,
    labels: Path | None = None,
    size: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    layers: str = "auto",
    leaf: list[str] | None = None,
    multi_label: bool | None = None,
) -> "circuits.network.network.Network":
    """The network that the options describe.

    Raises:
        InputError: if they do not describe one.
        UnknownError: if there is no network, weights or layer of that name.
    """
    from circuits.network.loading import load_network

    if ":" in network and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # package.module:Factory is looked up here, as `python -m` does
    return load_network(
        network,
        weights=weights,
        labels=labels,
        size=None if size is None else pair(size),
        mean=None if mean is None else numbers("--mean", mean),
        std=None if std is None else numbers("--std", std),
        layers=layers,
        leaf_modules=leaf or (),
        multi_label=multi_label,
    )


def get_photo(photo: str, window: str | None = None) -> "circuits.image.photo.Photo":
    """A photo, and the part of it to look at, left, top, right and bottom in its pixels.

    Raises:
        InputError: if it is no photo, or the window is not four numbers with commas between that lie in it.
    """
    from circuits.image.photo import load_photo

    loaded = load_photo(photo)
    if window is None:
        return loaded
    try:
        sides = [float(part) for part in window.split(",")]
    except ValueError:
        raise InputError(
            f"--window {window!r} is no window; write left,top,right,bottom, such as 80,40,304,264."
        ) from None
    return loaded.framed(sides)


def pair(text: str) -> tuple[int, int]:
    """A size, `224` or `224x320`, as (height, width).

    >>> pair("224"), pair("224x320")
    ((224, 224), (224, 320))

    Raises:
        InputError: if it is neither.
    """
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--size {text!r} is no size; write pixels such as 224, or height x width such as 224x320.")
    return int(parts[0]), int(parts[-1])


def numbers(option: str, text: str) -> tuple[float, ...]:
    """A comma list of numbers.

    >>> numbers("--mean", "0.5,0.4,0.3")
    (0.5, 0.4, 0.3)

    Raises:
        InputError: if a part is no number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text!r} is no list of numbers; write it as 0.485,0.456,0.406.") from None


def counts(option: str, text: str) -> int | tuple[int, ...]:
    """One whole number above 0, or a comma list of them.

    >>> counts("--top", "5"), counts("--top", "8,5,3")
    (5, (8, 5, 3))

    Raises:
        InputError: if a part is no such number.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(f"{option} {text!r} is no number; write one above 0, or one a level such as 8,5,3.")
    return int(parts[0]) if len(parts) == 1 else tuple(int(part) for part in parts)
