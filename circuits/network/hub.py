"""Networks and weights of other people: timm's architectures, and files of the Hugging Face hub.

Both packages are optional: `pip install 'circuit-explorer[timm]'`.
"""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from circuits.errors import InputError, UnknownError, did_you_mean, listed
from circuits.image.preprocessing import Preprocessing
from circuits.network.weights import load_weights

_WEIGHTS = "model.safetensors"


def _optional(package: str, what: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(
            f"{what} needs the package {package}; pip install 'circuit-explorer[timm]' brings it."
        ) from error


def make_timm(name: str, weights: str | Path | None) -> tuple[nn.Module, str, Preprocessing, tuple[str, ...] | None]:
    """One of timm's networks.

    Args:
        name: as `timm.list_models()` has it, such as `resnet10t` or `resnet10t.c3_in1k`.
        weights: `None` for the pretrained ones, which are downloaded once; `random` (seeded); or a file.

    Returns:
        The module, the source of its weights, its preprocessing (timm's data config), and the labels of its classes,
        if they are ImageNet's.

    Raises:
        UnknownError: if timm has no such network.
        InputError: if timm is not installed, the download fails, or the weights do not fit.
    """
    timm = _optional("timm", f"timm:{name}")
    if not timm.is_model(name.partition(".")[0]):
        near = timm.list_models(f"*{name[:4]}*") or timm.list_models("resnet*")
        meant = did_you_mean(name, timm.list_models())
        raise UnknownError(f"timm has no network {name!r}{meant}; it has for example {listed(near)}.")
    source = "timm:random" if weights == "random" else "timm"
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module: nn.Module = timm.create_model(name, pretrained=weights is None)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"timm:{name} could not be loaded: {_why(error)}; without a connection give --weights, a file or random."
        ) from error
    if weights is not None and weights != "random":
        source = load_weights(module, weights)
    facts = timm.data.resolve_model_data_config(module)
    _, height, width = facts["input_size"]
    preprocessing = Preprocessing(
        size=(height, width),
        resize=math.floor(min(height, width) / facts["crop_pct"]),
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        interpolation=facts["interpolation"] if facts["interpolation"] in ("bilinear", "bicubic") else "bicubic",
    )
    subset = timm.data.infer_imagenet_subset(module)
    info = timm.data.ImageNetInfo(subset) if subset else None
    labels = tuple(info.index_to_description(n) for n in range(info.num_classes())) if info else None
    return _split_norms(timm, module), source, preprocessing, labels


def _split_norms(timm: Any, module: nn.Module) -> nn.Module:
    """The module with each of timm's batch norms that hold an activation taken apart, so that they can be folded."""
    for path, part in list(module.named_modules()):
        if isinstance(part, timm.layers.BatchNormAct2d) and isinstance(part.drop, nn.Identity):
            norm = nn.BatchNorm2d(part.num_features, part.eps, affine=part.affine)
            norm.load_state_dict(part.state_dict())
            parent, _, leaf = path.rpartition(".")
            setattr(module.get_submodule(parent), leaf, nn.Sequential(norm, part.act))
    return module


def whole_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the modules of a timm network that timm says `torch.fx` cannot look into."""
    timm = _optional("timm", "This network")
    return tuple(path for path, part in module.named_modules() if path and timm.models.is_notrace_module(type(part)))


def from_hub(address: str) -> Path:
    """A file of weights of the Hugging Face hub, downloaded once.

    Args:
        address: `hf:owner/repository`, for its `model.safetensors`, or `hf:owner/repository/file`.

    Raises:
        InputError: if the address is none, there is no such file, or no connection.
    """
    parts = address.removeprefix("hf:").split("/")
    if len(parts) < 2 or not all(parts):
        raise InputError(f"{address!r} is no address of the hub; write hf:owner/repository, or add /file.")
    hub = _optional("huggingface_hub", address)
    repository, file = "/".join(parts[:2]), "/".join(parts[2:]) or _WEIGHTS
    try:
        return Path(hub.hf_hub_download(repository, file))
    except (OSError, ValueError, RuntimeError) as error:  # what the hub's client raises is made of these
        raise InputError(
            f"{file} of {repository} could not be had from the Hugging Face hub: {_why(error)}; without a connection "
            "give a file that is on this machine."
        ) from error


def _why(error: Exception) -> str:
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return words if len(words) < 160 else f"{words[:160]} …"
