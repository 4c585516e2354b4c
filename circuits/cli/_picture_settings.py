"""How `circuits render` makes its pictures: what a request means to the store and to the visualiser."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, cast

import torch

from circuits.cli._render_request import RenderRequest
from circuits.errors import CircuitsError, InputError
from circuits.image.photo import load_photo, photos_in
from circuits.network.own_code import find_factory, run_own_code
from circuits.visualization.parameterization.base import MakeImages
from circuits.visualization.parameterization.color import colour_matrix_of
from circuits.visualization.parameterization.learned import LearnedPrior
from circuits.visualization.parameterization.maco import magnitude_spectrum
from circuits.visualization.parameterization.registry import make_images
from circuits.visualization.regularizers import opacity
from circuits.visualization.render import options_of
from circuits.visualization.settings import Settings
from circuits.visualization.visualize import Options

_OPACITY = 0.1
"""Price of opacity where none was given: what the unit needs stays, most of the rest goes."""
_WHAT = ("objective", "photo", "direction", "power", "diverse", "interpolate", "filmstrip")


def settings_of_request(request: RenderRequest) -> Settings:
    """What a store's address depends on."""
    shared = {field.name for field in fields(Settings)} - {"objective", "version"}
    chosen: dict[str, Any] = {name: getattr(request, name) for name in shared}
    return Settings(**chosen, objective="negative" if request.kind == "negative" else "channel")


def options_of_request(request: RenderRequest) -> Options:
    """How images are made, with the files that were named."""
    options = options_of(settings_of_request(request))
    if request.own_images:
        options = replace(options, images=_make_images(request))
    if request.alpha and _price(request):
        options = replace(options, regularizers=(*options.regularizers, _price(request) * opacity()))
    return options if request.start is None else replace(options, start=load_photo(request.start).image)


def record_of_request(request: RenderRequest) -> dict[str, Any]:
    """All that was chosen, as JSON can hold it: how, then what; of files only the names."""
    chosen = {name: value for name, value in asdict(request).items() if value is not None}
    for name in ("spectrum", "start", "prior", "photo", "direction"):
        if name in chosen:
            chosen[name] = Path(str(chosen[name])).name
    if request.colours not in ("imagenet", "none"):
        chosen["colours"] = Path(request.colours).name
    how = {name: value for name, value in chosen.items() if name not in ("units", "file", "sheet", *_WHAT)}
    what = {name: chosen[name] for name in _WHAT if name in chosen}
    price = {"opacity": _price(request)} if request.alpha else {}
    return how | price | what | {"objective": request.kind, "version": settings_of_request(request).version}


def _price(request: RenderRequest) -> float:
    return _OPACITY if request.opacity is None else request.opacity


def _make_images(request: RenderRequest) -> MakeImages:
    if request.prior is not None:
        return _images_of_prior(request.prior)
    options: dict[str, Any] = {"alpha": True} if request.alpha else {}
    if request.colours != "imagenet":
        options["matrix"] = _colour_matrix(request.colours)
    if request.spectrum is not None:
        options["spectrum"] = magnitude_spectrum(photos_in(request.spectrum))
    return make_images(request.images, **options)


def _colour_matrix(colours: str) -> torch.Tensor:
    if colours == "none":
        return torch.eye(3)
    if not Path(colours).is_dir():
        raise InputError(f"There are no colours {colours!r}; choose imagenet, none, or a folder of photos.")
    return colour_matrix_of(photos_in(colours))


def _images_of_prior(path: str) -> MakeImages:
    """What a person's own factory makes images with."""
    if not path.rpartition(":")[0]:
        raise InputError(f"--prior {path!r} names nothing in a file; write path/to/file.py:Name.")
    try:
        with run_own_code(path):
            factory = find_factory(path)
            made = factory if isinstance(factory, LearnedPrior) else factory()  # type: ignore[operator]  # whatever is wrong with it is said below
    except CircuitsError:
        raise
    except Exception as error:  # the person's code may raise anything
        raise InputError(f"{path!r} could not be called without arguments: {type(error).__name__}: {error}.") from error
    if not callable(made):
        raise InputError(
            f"{path!r} gave a {type(made).__name__}; it must give a circuits.visualization.LearnedPrior, or a "
            "function of side and colours that gives a parameterization."
        )
    return cast(MakeImages, made)
