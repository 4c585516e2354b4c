"""Get a network: the built-in one, any torchvision classifier by its name, or one of the user's own."""

import http.client
import urllib.error
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex, TypedDict

import torch
from torch import nn

from circuits import builtin
from circuits.errors import InputError, UnknownError, did_you_mean, listed
from circuits.image.preprocessing import InputOptions, Preprocessing
from circuits.network.checkpoints import check_weights_file
from circuits.network.copying import copy_of, has_lazy, unwrapped
from circuits.network.device import chosen_device
from circuits.network.hub import from_hub, make_timm, whole_modules
from circuits.network.labels import Labels, as_labels
from circuits.network.network import Network
from circuits.network.own_code import call_factory, check_file, find_factory, run_own_code
from circuits.network.prepare import prepare
from circuits.network.probe import example_for, first_pass
from circuits.network.weights import fit_weights, load_weights, read_weights

_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_WITH_AUXILIARY = ("googlenet", "inception_v3")


def available_networks() -> tuple[str, ...]:
    """Names that `load_network` takes besides a file or package of the user's own.

    Example:
        >>> "builtin" in available_networks() and "googlenet" in available_networks()
        True
    """
    from torchvision import models

    return ("builtin", *models.list_models(module=models))


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
    device: str | torch.device = "auto",
) -> Network:
    """Load and prepare a network.

    Args:
        name_or_path: `builtin`; a torchvision classifier (`googlenet`); one of timm's (`timm:resnet10t`);
            `path/to/file.py:Factory` or `package.module:Factory`, where Factory returns the module. Loading a file
            runs its code.
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
        device: `auto` (CUDA if it works, else the CPU), `cpu`, `cuda`, `cuda:1`, or `mps`.

    Raises:
        UnknownError: if there is no network, output, layer or module of that name.
        InputError: if the weights, labels or sizes do not fit, or a download fails.

    Example:
        >>> network = load_network()
        >>> network.layers[0], network.layers[-1], network.find_class("cat") == network.labels.index("cat")
        ('conv1', 'fc', True)
    """
    labels = None if labels is None else as_labels(labels)
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
    if name_or_path.startswith("timm:"):
        module, source, default, known = make_timm(name_or_path.removeprefix("timm:"), weights)
        common["labels"] = known if labels is None else labels
        common["leaf_modules"] = (*whole_modules(module), *leaf_modules)
        return prepare(module, name=name_or_path, source=source, preprocessing=changes.applied_to(default), **common)
    if ":" in name_or_path:
        return _load_own(name_or_path, weights, changes, common)
    return _load_torchvision(name_or_path, weights, changes, common)


def name_in_files(name_or_path: str) -> str:
    """What circuit files call a network that is loaded by a name or path.

    >>> name_in_files("googlenet"), name_in_files("timm:resnet10t"), name_in_files("nets/mine.py:Net")
    ('googlenet', 'timm:resnet10t', 'Net')
    """
    return name_or_path if name_or_path.startswith("timm:") else name_or_path.rpartition(":")[2]


def check_given(name_or_path: str, weights: str | Path | None) -> None:
    """Refuse, without loading anything, what can be seen not to be there: a name, or a file of code or weights.

    Raises:
        UnknownError: if no network has the name.
        InputError: if there is no such file.
    """
    _check_name(name_or_path)
    check_file(name_or_path)
    if weights is not None and Path(weights).suffix and not str(weights).startswith("hf:"):
        check_weights_file(Path(weights))


def _check_name(name_or_path: str) -> None:
    known = () if ":" in name_or_path or name_or_path == "builtin" else available_networks()
    if known and name_or_path not in known:
        near = [other for other in known if name_or_path[:4].lower() in other] or list(known)
        meant = did_you_mean(name_or_path, known)
        raise UnknownError(
            f"No network {name_or_path!r}{meant}; there are for example {listed(near)}, timm:NAME, or write "
            "path/to/file.py:Factory."
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
    with _seeded():
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


@contextmanager
def _seeded() -> Iterator[None]:
    """Draw random weights from a seed, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _draw_weights(module: nn.Module) -> None:
    """Draw seeded random weights for every part that has `reset_parameters`."""
    with _seeded():
        for part in module.modules():
            if callable(reset := getattr(part, "reset_parameters", None)):
                reset()


def _load_torchvision(name: str, weights: str | Path | None, changes: InputOptions, common: _Common) -> Network:
    from torchvision import models

    _check_name(name)
    entries: Any = models.get_model_weights(name)
    chosen: Any = None
    if weights is None:
        chosen = entries.DEFAULT
    elif str(weights) in entries.__members__:
        chosen = entries[str(weights)]
    elif weights != "random":
        chosen = next((entry for entry in entries if entry.url.endswith("/" + Path(weights).name)), None)
    meta = chosen or entries.DEFAULT
    default = _preset(meta.transforms())
    if weights is None or str(weights) in entries.__members__:
        module, source = _download(name, chosen), f"torchvision:{chosen.name}"
    elif weights == "random":
        module, source = _empty(name, len(common["labels"] or ()) or 1000, official=False), "random"
    else:
        module, source = _from_file(name, weights, official=chosen is not None)
    categories = meta.meta["categories"]
    if common["labels"] is None and _classes(module) == len(categories):
        common["labels"] = categories
    return prepare(module, name=name, source=source, preprocessing=changes.applied_to(default), **common)


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


def _empty(name: str, classes: int, *, official: bool) -> nn.Module:
    """A torchvision module with seeded random weights."""
    from torchvision import models

    options: dict[str, Any] = {"num_classes": classes}
    if name in _WITH_AUXILIARY:
        options |= {"aux_logits": False, "init_weights": False, "transform_input": official}
    with _seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = models.get_model(name, weights=None, **options)
    return module


def _from_file(name: str, weights: str | Path, *, official: bool) -> tuple[nn.Module, str]:
    module = _empty(name, 1000, official=official)
    read = read_weights(weights, module)
    state = {key: value for key, value in read.tensors.items() if not key.startswith(_AUXILIARY)}
    last = _weights_of(module)[-1]
    if last in state and state[last].shape[0] != 1000:
        module = _empty(name, int(state[last].shape[0]), official=official)
    fit_weights(module, state, what=f"The weights in {str(weights)!r}")
    return module, read.source


def _weights_of(module: nn.Module) -> list[str]:
    return [key for key in module.state_dict() if key.endswith(".weight")]


def _classes(module: nn.Module) -> int:
    return int(module.state_dict()[_weights_of(module)[-1]].shape[0])
