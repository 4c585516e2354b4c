"""Options that several commands share, and the network and photo that they describe."""

import functools
import inspect
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from circuits.cli.console import keep_answers_apart, warn
from circuits.cli.values import numbers, pair
from circuits.errors import InputError, short

if TYPE_CHECKING:
    from circuits.image.photo import Photo
    from circuits.network.network import Network


def option(default: Any, help: str, *names: str, panel: str | None = None, **details: Any) -> Any:
    """The default of a command's parameter, or of a field of its options, that is given as an option.

    Args:
        default: its value where it is not given; `MISSING` where it must be.
        help: what `--help` says of it.
        names: how it is written, by default as the parameter is called.
        panel: of the help.
        details: what else `typer.Option` takes.
    """
    return field(default=default, metadata={_TYPER: typer.Option(*names, help=help, rich_help_panel=panel, **details)})


def argument(metavar: str, help: str, *, default: Any = MISSING, **details: Any) -> Any:
    """The same for what is given by its place alone."""
    return field(default=default, metadata={_TYPER: typer.Argument(metavar=metavar, help=help, **details)})


def file_option(help: str, *names: str, metavar: str = "FILE", **details: Any) -> Any:
    """An option that names a file or a folder."""
    return option(None, help, *names, metavar=metavar, readable=False, **details)


_TYPER, _PANEL = "typer", "Network"
_LARGEST = 2**63
"""No seed is larger."""

PHOTO = argument("PHOTO", "An image file, or example:cat.")
WINDOW = option(None, "The part of the photo to look at, in its pixels; by default its centre.", metavar="L,T,R,B")
AS_JSON = option(False, "Print JSON instead of a table.", "--json")
INDEX_FOLDER = file_option("Where `circuits exemplars` keeps its indices.", metavar="DIR")
NETWORKS = (
    "efficientnet_lite0, a torchvision classifier such as googlenet, timm:NAME, hfmodel:OWNER/NAME or a folder of "
    "transformers, or your own as file.py:Factory or package.module:Factory (this runs your code)."
)
NETWORK = option(
    "builtin",
    f"builtin, {NETWORKS}",
    "--network", "-n", metavar="NAME", panel=_PANEL,
)  # fmt: skip
LAYERS = option(
    "auto",
    "auto, fine (down to the branches), stream (of a vision transformer, its tokens after each block), or names with "
    "commas between.",
    metavar="LAYERS",
    panel=_PANEL,
)


@dataclass(frozen=True)
class NetworkOptions:
    """How a network is loaded, whatever its name and layers."""

    weights: str | None = option(
        None,
        "A .safetensors or .pth file, hf:owner/repository, random, or a name of torchvision's such as IMAGENET1K_V1.",
        metavar="WEIGHTS",
        panel=_PANEL,
    )
    labels: Path | None = file_option("Class labels, one a line, or the last column of a TSV file.", panel=_PANEL)
    input_size: str | None = option(
        None, "Input size in pixels, N or HxW.", "--size", "--input-size", metavar="SIZE", panel=_PANEL
    )
    mean: str | None = option(None, "Mean of the normalisation, on a scale of 0 to 1.", metavar="R,G,B", panel=_PANEL)
    std: str | None = option(None, "Standard deviation of the normalisation.", metavar="R,G,B", panel=_PANEL)
    leaf: list[str] | None = option(
        None,
        "A module that torch.fx cannot trace into, kept as a whole; repeatable.",
        metavar="MODULE",
        panel=_PANEL,
    )
    multi_label: bool | None = option(
        None,
        "Treat each class independently (sigmoid); by default if the network ends in a sigmoid.",
        "--multi-label/--one-label",
        panel=_PANEL,
    )
    network_output: str | None = option(
        None,
        "Which of several outputs is explained, by its name (a key, a field) or its number, from 0.",
        "--network-output",
        "--output",
        metavar="NAME",
        panel=_PANEL,
    )
    words: str | None = option(
        None,
        "Classes of a CLIP or SigLIP model of transformers, with ; between: 'a photo of a cat; a photo of a dog'.",
        metavar="TEXTS",
        panel=_PANEL,
    )
    device: str = option(
        "auto",
        "Where the network runs: auto (CUDA if it works, else the CPU), cpu, cuda, cuda:1 or mps.",
        metavar="DEVICE",
        panel=_PANEL,
    )

    def load(self, network: str, layers: str = "auto") -> "Network":
        """The network that the options describe.

        Raises:
            InputError: if they do not describe one.
            UnknownError: if there is no network, weights or layer of that name.
        """
        return self.loader(network, layers)()

    def loader(self, network: str, layers: str = "auto") -> "Callable[[], Network]":
        """What loads the network; what can be refused without loading it is refused at once.

        Raises:
            InputError: if a size, a mean or a standard deviation is none, or a file is not there.
            UnknownError: if there is no network of that name.
        """
        from circuits.network.device import chosen_device
        from circuits.network.labels import as_labels
        from circuits.network.loading import check_given, load_network

        check_given(network, self.weights, self.words)
        chosen_device(self.device)

        if ":" in network:
            keep_answers_apart()
        if ":" in network and os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())  # package.module:Factory is looked up here, as `python -m` does
        return functools.partial(
            _load_and_warn,
            load_network,
            network,
            weights=self.weights,
            labels=None if self.labels is None else as_labels(self.labels),
            size=None if self.input_size is None else pair(self.input_size),
            mean=None if self.mean is None else numbers("--mean", self.mean),
            std=None if self.std is None else numbers("--std", self.std),
            layers=layers,
            leaf_modules=self.leaf or (),
            multi_label=self.multi_label,
            output=self.network_output,
            words=self.words,
            device=self.device,
        )


def _load_and_warn(load: "Callable[..., Network]", *args: Any, **options: Any) -> "Network":
    from circuits.network.loading import far_from_training

    network = load(*args, **options)
    if said := far_from_training(network):
        warn(said)
    return network


@dataclass(frozen=True)
class NetworkBesideFile(NetworkOptions):
    """The same where `--output` is a file that is written."""

    network_output: str | None = option(
        None,
        "Which of several outputs of the network is explained, by its name (a key, a field) or its number, from 0.",
        metavar="NAME",
        panel=_PANEL,
    )


@dataclass(frozen=True)
class NetworkBesidePictures(NetworkBesideFile):
    """The same where `--size` is that of pictures."""

    input_size: str | None = option(
        None, "Input size of the network in pixels, N or HxW.", metavar="SIZE", panel=_PANEL
    )


@dataclass(frozen=True)
class NetworkBesideWords(NetworkOptions):
    """The same where `--words` are those that names are suggested from."""

    words: str | None = option(
        None,
        "Classes of a CLIP or SigLIP model of transformers, with ; between.",
        "--network-words",
        metavar="TEXTS",
        panel=_PANEL,
    )


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer: where it takes a dataclass, it gets the fields of it as options, and hands on the value."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(command).parameters.values():
        if is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += [_parameter(each.name, each.type, each) for each in fields(parameter.annotation)]
        else:
            declared = parameter.default
            parameters.append(
                _parameter(parameter.name, parameter.annotation, declared)
                if isinstance(declared, Field)
                else parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            )

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, value in given.items():
            _check(name, value)
        values = {
            name: group(**{each.name: given.pop(each.name) for each in fields(group)}) for name, group in groups.items()
        }
        command(**given, **values)

    del run.__wrapped__  # typer must not look through to the command's own parameters
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameter(name: str, kind: Any, declared: "Field[Any]") -> inspect.Parameter:
    default = inspect.Parameter.empty if declared.default is MISSING else declared.default
    annotation = Annotated[kind, declared.metadata[_TYPER]]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def get_photo(photo: str, window: str | None = None) -> "Photo":
    """A photo, and the part of it to look at, left, top, right and bottom in its pixels.

    Raises:
        InputError: if it is no photo, or the window is not four numbers with commas between that lie in it.
    """
    from circuits.image.photo import load_photo

    if photo.lower().endswith(".json") and Path(photo).is_file():
        raise InputError(f"{photo} is no photo; a circuit is opened by: circuits explore {shlex.quote(photo)}.")
    loaded = load_photo(photo)
    if loaded.warning:
        warn(loaded.warning)
    if window is None:
        return loaded
    return loaded.framed(numbers("--window", window, "window", "left,top,right,bottom, such as 80,40,304,264"))


def _check(name: str, value: object) -> None:
    """Refuse numbers that no command can mean: NaN, and those of more digits than any seed has."""
    for each in value if isinstance(value, list) else (value,):
        if each != each or (isinstance(each, int) and abs(each) > _LARGEST):
            written = "--" + name.replace("_", "-")
            raise InputError(f"{written} {short(str(each))} is no number that can be meant; give one up to 2^63.")
