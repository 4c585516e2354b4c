"""torchvision's classifiers, with its weights, its preprocessing and its labels."""

import http.client
import math
import urllib.error
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from circuits.errors import InputError
from circuits.image.preprocessing import Preprocessing
from circuits.network.pretrained import Pretrained, seeded
from circuits.network.weights import fit_weights, read_weights

_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_WITH_AUXILIARY = ("googlenet", "inception_v3")


def make_torchvision(name: str, weights: str | Path | None, *, classes: int | None = None) -> Pretrained:
    """One of torchvision's classifiers.

    Args:
        name: as torchvision lists it.
        weights: `None` for the default ones, downloaded once, the name of others, `random` (seeded), or a file.
        classes: how many a network of random weights has, if not ImageNet's 1,000.

    Raises:
        InputError: if the download fails, or the weights do not fit.
    """
    from torchvision import models

    entries: Any = models.get_model_weights(name)
    chosen: Any = None
    if weights is None:
        chosen = entries.DEFAULT
    elif str(weights) in entries.__members__:
        chosen = entries[str(weights)]
    elif weights != "random":
        chosen = next((entry for entry in entries if entry.url.endswith("/" + Path(weights).name)), None)
    if weights is None or str(weights) in entries.__members__:
        module, source = _download(name, chosen), f"torchvision:{chosen.name}"
    elif weights == "random":
        module, source = _empty(name, official=False, num_classes=classes or 1000), "random"
    else:
        module, source = _from_file(name, weights, official=chosen is not None)
    categories = (chosen or entries.DEFAULT).meta["categories"]
    labels = categories if _classes(module) == len(categories) else None
    presets = [_preset(entry.transforms()) for entry in (chosen or entries.DEFAULT, *entries)]
    side = getattr(module, "image_size", presets[0].size[0])  # a vision transformer takes one size alone
    sized = replace(presets[0], size=(side, side), resize=side)
    return Pretrained(module, source, next((each for each in presets if each.size == sized.size), sized), labels)


def _preset(transforms: Any) -> Preprocessing:
    side = int(transforms.crop_size[0])
    return Preprocessing(
        size=(side, side),
        resize=int(transforms.resize_size[0]),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=str(transforms.interpolation.value),
    )


def _download(name: str, entry: Any) -> nn.Module:
    from torchvision import models

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module: nn.Module = models.get_model(name, weights=entry, progress=True)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise InputError(
            f"The weights of {name} could not be downloaded from {entry.url.split('/')[2]}: there is no connection; "
            "give a file of weights with --weights, or use the network that ships with circuits, builtin."
        ) from error
    except RuntimeError as error:
        if "invalid hash" not in str(error):
            raise
        raise InputError(f"The download of {name}'s weights was damaged; try again.") from error
    return module


def _empty(name: str, *, official: bool, **options: Any) -> nn.Module:
    """A torchvision module with seeded random weights."""
    from torchvision import models

    if name in _WITH_AUXILIARY:
        options |= {"aux_logits": False, "init_weights": False, "transform_input": official}
    with seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = models.get_model(name, weights=None, **options)
        if isinstance(head := getattr(getattr(module, "heads", None), "head", None), nn.Linear):
            head.reset_parameters()  # of vision transformers it is made of zeros, through which nothing counts
    return module


def _from_file(name: str, weights: str | Path, *, official: bool) -> tuple[nn.Module, str]:
    from torchvision import models

    module = _empty(name, official=official)
    read = read_weights(weights, module)
    state = {key: value for key, value in read.tensors.items() if not key.startswith(_AUXILIARY)}
    last, options = _weights_of(module)[-1], dict[str, int]()
    if last in state and state[last].shape[0] != 1000:
        options["num_classes"] = int(state[last].shape[0])
    positions = "encoder.pos_embedding"
    if isinstance(module, models.VisionTransformer) and positions in state and state[positions].dim() == 3:
        # One of the positions is the class token's.
        options["image_size"] = module.patch_size * math.isqrt(max(1, state[positions].shape[1] - 1))
    if options:
        module = _empty(name, official=official, **options)
    fit_weights(module, state, what=f"The weights in {str(weights)!r}")
    return module, read.source


def _weights_of(module: nn.Module) -> list[str]:
    return [key for key in module.state_dict() if key.endswith(".weight")]


def _classes(module: nn.Module) -> int:
    return int(module.state_dict()[_weights_of(module)[-1]].shape[0])
