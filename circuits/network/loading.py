"""Get a network: the built-in one, any torchvision classifier by its name, or one of the user's own."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, TypedDict

import torch
from torch import nn

from circuits import builtin
from circuits.errors import InputError, UnknownError, did_you_mean, listed, nearest
from circuits.image.preprocessing import InputOptions, Preprocessing
from circuits.network.checkpoints import check_weights_file
from circuits.network.copying import copy_of, has_lazy, unwrapped
from circuits.network.device import chosen_device
from circuits.network.hub import from_hub
from circuits.network.labels import Labels, as_labels
from circuits.network.network import Network
from circuits.network.own_code import call_factory, check_file, find_factory, run_own_code, without_factory
from circuits.network.prepare import prepare
from circuits.network.pretrained import Pretrained, seeded
from circuits.network.probe import example_for, first_pass
from circuits.network.timm_models import EFFICIENTNET_LITE0, make_efficientnet_lite0, make_timm
from circuits.network.torchvision_models import make_torchvision
from circuits.network.transformers_models import make_transformers
from circuits.network.weights import load_weights
from circuits.network.words import check_words


def available_networks() -> tuple[str, ...]:
    """Names that `load_network` takes besides a file or package of the user's own.

    Example:
        >>> "builtin" in available_networks() and "googlenet" in available_networks()
        True
    """
    from torchvision import models

    return ("builtin", EFFICIENTNET_LITE0, *models.list_models(module=models))


def load_network(
    name_or_path: str = "builtin",
    *,
    weights: str | Path | None = None,
    labels: str | Path | Labels | None = None,
    size: SupportsIndex | Iterable[SupportsIndex] | None = None,
    mean: SupportsFloat | Iterable[SupportsFloat] | None = None,
    std: SupportsFloat | Iterable[SupportsFloat] | None = None,
    layers: str | Sequence[str] = "auto",
    leaf_modules: Sequence[str] = (),
    multi_label: bool | None = None,
    output: str | int | None = None,
    words: str | Sequence[str] | None = None,
    device: str | torch.device = "auto",
) -> Network:
    """Load and prepare a network.

    Args:
        name_or_path: `builtin`; `efficientnet_lite0`, which is trained on ImageNet and needs no download; a torchvision
            classifier (`googlenet`); one of timm's (`timm:resnet10t`); one of transformers'
            (`hfmodel:owner/repository`, or `hfmodel:` and a folder); `path/to/file.py:Factory` or
            `package.module:Factory`, where Factory returns the module. Loading a file runs its code.
        weights: for torchvision and timm `None` (the default pretrained weights, downloaded once), the name of one of
            torchvision's weights (`IMAGENET1K_V1`), `random`, a `.safetensors` / `.pth` file, or
            `hf:owner/repository` of the Hugging Face hub (its `model.safetensors`, or the file named after one more
            slash); for one's own network a file, `random`, or `None` to keep what the factory returns.
        labels: a file (text, TSV, CSV or JSON), a list, an array, or a dictionary by number.
        size: input side, or (height, width).
        mean: of the normalisation, one a colour, or a number for all; a list of one makes a greyscale network.
        std: of the normalisation.
        layers: `auto`, `fine`, or names.
        leaf_modules: names of modules that are traced as wholes, because `torch.fx` cannot look into them.
        multi_label: whether each class is judged on its own (sigmoid); if `None`, of a network that ends in a sigmoid
            or has one output.
        output: which of several outputs is explained, by its name (a key, a field) or its number; see `prepare`.
        words: of a CLIP or SigLIP model of transformers the texts that are its classes, a list, or one text with
            semicolons between: the logit of a class is the cosine of the photo's embedding and the text's, scaled as
            the model scales it.
        device: `auto` (CUDA if it works, else the CPU), `cpu`, `cuda`, `cuda:1`, or `mps`.

    Raises:
        UnknownError: if there is no network, output, layer or module of that name.
        InputError: if the weights, labels, words or sizes do not fit, or a download fails.

    Example:
        >>> network = load_network()
        >>> network.layers[0], network.layers[-1], network.find_class("cat") == network.labels.index("cat")
        ('conv1', 'fc', True)
    """
    labels, words = None if labels is None else as_labels(labels), check_words(name_or_path, words)
    common: _Common = {
        "labels": labels, "layers": layers, "leaf_modules": leaf_modules, "multi_label": multi_label, "output": output,
        "device": chosen_device(device),
    }  # fmt: skip
    if name_or_path == "builtin":
        if any(given is not None for given in (weights, labels, size, mean, std, multi_label, output, *leaf_modules)):
            raise InputError("The built-in network brings its own weights, labels and input size; give none of them.")
        return _load_builtin(layers, common["device"])
    changes = InputOptions(size, mean, std)
    if str(weights).startswith("hf:"):
        weights = from_hub(str(weights))
    _check_name(name_or_path)
    if ":" in name_or_path and not is_in_library(name_or_path):
        return _load_own(name_or_path, weights, changes, common)
    ready = _of_a_library(name_or_path, weights, classes=len(labels) if labels else None, words=words)
    common["labels"] = ready.labels if labels is None else labels
    common["multi_label"] = ready.multi_label if multi_label is None else multi_label
    preprocessing = changes.applied_to(ready.preprocessing)
    name = name_in_files(name_or_path)
    network = prepare(ready.module, name=name, source=ready.source, preprocessing=preprocessing, **common)
    if weights != "random":
        network.traced.meta[_TRAINED_SIZE] = ready.preprocessing.size
    return network


_TRAINED_SIZE = "trained_size"
"""In `meta` of the graph of a library's network with trained weights: the size of the photos that it was trained on."""


def far_from_training(network: Network) -> str:
    """That a network is shown photos of less than half or more than twice the size that it knows; "" if it is not."""
    trained = network.traced.meta.get(_TRAINED_SIZE)
    seen = network.preprocessing.size
    if trained is None or all(known <= 2 * own <= 4 * known for known, own in zip(trained, seen, strict=True)):
        return ""
    return (
        f"{network.name} was trained on photos of {trained[0]} by {trained[1]} pixels; of {seen[0]} by {seen[1]} it "
        "may say anything. Leave --size out, or give one that is nearer."
    )


def _of_a_library(
    name: str, weights: str | Path | None, *, classes: int | None, words: Sequence[str] | None
) -> Pretrained:
    library, _, model = name.partition(":")
    if library == "timm":
        return make_timm(model, weights, classes=classes)
    if library == "hfmodel":
        return make_transformers(model, weights, words=words)
    if name == EFFICIENTNET_LITE0:
        return make_efficientnet_lite0(weights)
    return make_torchvision(name, weights, classes=classes)


def is_in_library(name_or_path: str) -> bool:
    """Whether a name is one of timm's or of transformers' networks."""
    return name_or_path.startswith(("timm:", "hfmodel:"))


def name_in_files(name_or_path: str) -> str:
    """What circuit files call a network that is loaded by a name or path; of a folder they tell its last name alone.

    >>> name_in_files("googlenet"), name_in_files("timm:resnet10t"), name_in_files("nets/mine.py:Net")
    ('googlenet', 'timm:resnet10t', 'Net')
    >>> name_in_files("hfmodel:microsoft/resnet-18"), name_in_files("hfmodel:/home/me/cats")
    ('hfmodel:microsoft/resnet-18', 'hfmodel:cats')
    """
    library, _, model = name_or_path.partition(":")
    if library == "hfmodel" and (Path(model).expanduser().is_dir() or Path(model).is_absolute()):
        return f"hfmodel:{Path(model).name}"
    return name_or_path if is_in_library(name_or_path) else name_or_path.rpartition(":")[2]


def check_given(name_or_path: str, weights: str | Path | None, words: str | None = None) -> None:
    """Refuse, without loading anything, what can be seen not to be there: a name, or a file of code or weights.

    Raises:
        UnknownError: if no network has the name.
        InputError: if there is no such file, or it can have no words.
    """
    _check_name(name_or_path)
    check_words(name_or_path, words)
    check_file(name_or_path)
    if weights is not None and Path(weights).suffix and not str(weights).startswith("hf:"):
        check_weights_file(Path(weights))


def _check_name(name_or_path: str) -> None:
    library, _, model = name_or_path.rpartition(":")
    if not library and model.endswith(".py"):
        raise UnknownError(without_factory(model))
    if not library and Path(model).is_file():
        raise UnknownError(
            f"{model!r} is a file, but none of code; give the code that makes the network, path/to/file.py:Factory, or "
            "a name of torchvision's, and weights with --weights."
        )
    if "/" in model and not is_in_library(name_or_path) and not library.endswith(".py"):
        model = model.partition("huggingface.co/")[2] or model
        where = "folder that transformers has saved" if Path(model).is_dir() else "classifier of the Hugging Face hub"
        raise UnknownError(
            f"No network {name_or_path!r}; a {where} is hfmodel:{model}, one of timm's "
            f"timm:{Path(model).name}, and your own path/to/file.py:Factory."
        )
    if library == "torchvision":
        raise UnknownError(f"No network {name_or_path!r}; torchvision's go by their names alone, such as {model}.")
    known = () if ":" in name_or_path or name_or_path == "builtin" else available_networks()
    if known and name_or_path not in known:
        meant = nearest(name_or_path, known)
        near = [other for other in known if name_or_path[:4].lower() in other and other != meant]
        others = f"for example {listed(near or known)}," if near or not meant else "also"
        raise UnknownError(
            f"No network {name_or_path!r}{did_you_mean(name_or_path, known)}; there are {others} timm:NAME, "
            "hfmodel:OWNER/NAME, or write path/to/file.py:Factory."
        )


class _Common(TypedDict):
    """Arguments of `prepare` that do not depend on where the network comes from."""

    labels: Sequence[str] | None
    layers: str | Sequence[str]
    leaf_modules: Sequence[str]
    multi_label: bool | None
    output: str | int | None
    device: torch.device


def _load_builtin(layers: str | Sequence[str], device: torch.device) -> Network:
    side = builtin.INPUT_SIZE
    preprocessing = Preprocessing(
        size=(side, side), resize=side, mean=builtin.MEAN, std=builtin.STD, interpolation="bilinear"
    )
    return prepare(
        builtin.load(),
        name="builtin",
        source="builtin",
        preprocessing=preprocessing,
        labels=builtin.labels(),
        layers=layers,
        check=False,
        device=device,
    )


def _load_own(path: str, weights: str | Path | None, changes: InputOptions, common: _Common) -> Network:
    with run_own_code(path):
        return _prepare_own(path, weights, changes, common)


def _prepare_own(path: str, weights: str | Path | None, changes: InputOptions, common: _Common) -> Network:
    with seeded():
        module = unwrapped(call_factory(find_factory(path), path))
    preprocessing = changes.for_module(module)
    if weights is not None:
        module = copy_of(module, name=path)  # the path may name a module, which is not ours to change
        if has_lazy(module):
            first_pass(module, example_for(preprocessing), name=path)
    source = "as made" if weights is None else str(weights)
    if weights == "random":
        _draw_weights(module)
    elif weights is not None:
        source = load_weights(module, weights)
    preprocessing = changes.for_module(module)
    return prepare(module, name=name_in_files(path), source=source, preprocessing=preprocessing, **common)


def _draw_weights(module: nn.Module) -> None:
    """Draw seeded random weights for every part that has `reset_parameters`."""
    with seeded():
        for part in module.modules():
            if callable(reset := getattr(part, "reset_parameters", None)):
                reset()
