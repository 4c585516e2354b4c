"""Dictionaries in a file: safetensors, one tensor a part, so that those of other programs can be read too.

    LAYER.directions   (K, C)    d_g, one a row; `LAYER.decoder` is another name for it
    LAYER.encoder      (K, C)    of a sparse autoencoder, h = max(0, E a + b)
    LAYER.bias         (K,)      its bias; `LAYER.encoder_bias` is another name for it

All are of a floating-point type. The metadata may hold a record in JSON under `circuits`: the format, the name and
fingerprint of the network, and for each layer what its directions were fitted to and whether the fit is weighted. What
a file does not say, is taken to be so: directions of this network, not weighted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from circuits.errors import InputError, listed
from circuits.files import refuse_address, write_atomically
from circuits.groups.dictionary import Dictionary, checked
from circuits.network.network import Network

FORMAT = "circuits-groups/1"
_PARTS = {name: name for name in ("directions", "encoder", "bias")} | {"decoder": "directions", "encoder_bias": "bias"}
_DIMENSIONS = {"directions": 2, "encoder": 2, "bias": 1}
_MOST_BYTES = 2**31


def save_groups(path: str | Path, network: Network, dictionaries: Mapping[str, Dictionary]) -> None:
    """Write dictionaries by layer to a file, whole or not at all.

    Raises:
        InputError: if there are none, one is of another network, or the file cannot be written.
    """
    if not dictionaries:
        raise InputError("There are no groups to write; fit those of at least one layer.")
    tensors: dict[str, Tensor] = {}
    for layer, each in checked(network, dictionaries).items():
        tensors[f"{layer}.directions"] = each.directions.contiguous()
        if each.encoder is not None and each.bias is not None:
            tensors |= {f"{layer}.encoder": each.encoder.contiguous(), f"{layer}.bias": each.bias.contiguous()}
    record = {
        "format": FORMAT,
        "network": {"name": network.name, "sha256": network.sha256},
        "layers": {layer: {"source": each.source, "weighted": each.weighted} for layer, each in dictionaries.items()},
    }
    write_atomically(path, save(tensors, {"circuits": json.dumps(record, ensure_ascii=False)}))


def load_groups(path: str | Path, network: Network) -> dict[str, Dictionary]:
    """Read dictionaries by layer, for `trace(…, groups=…)`.

    Args:
        path: a file of `save_groups`, or of another program (see the top of this module).
        network: the network; that whose fingerprint the file names, if it names one.

    Raises:
        InputError: if there is no such file, it holds no dictionaries, or they are of another network or shape.
        UnknownError: if the network has no such layer.

    Example:
        >>> import tempfile, torch
        >>> from circuits import load_network
        >>> network = load_network()
        >>> pair = Dictionary(torch.eye(2, network.layer("conv7").channels), "by hand")
        >>> folder = tempfile.TemporaryDirectory()
        >>> save_groups(Path(folder.name, "pair.safetensors"), network, {"conv7": pair})
        >>> load_groups(Path(folder.name, "pair.safetensors"), network)["conv7"].groups
        2
        >>> folder.cleanup()
    """
    path = Path(path)
    tensors, record = _read(path)
    _check_network(path, record, network)
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if not layer or part not in _PARTS:
            raise InputError(
                f"{path.name} holds {name!r}, which is no part of a dictionary; name its tensors LAYER.directions and, "
                "of an autoencoder, LAYER.encoder and LAYER.bias."
            )
        layers.setdefault(layer, {})[_PARTS[part]] = _part(path, name, tensor, _DIMENSIONS[_PARTS[part]])
    facts = record.get("layers", {})
    found = {layer: _dictionary(path, layer, parts, facts.get(layer, {})) for layer, parts in layers.items()}
    return dict(checked(network, found))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file, and the record in its metadata."""
    refuse_address(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}; make one with `circuits groups FOLDER -o FILE`.")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path.name} has {path.stat().st_size >> 20} MiB; dictionaries have at most 2048 MiB.")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{path.name} is not a .safetensors file of dictionaries; make one with `circuits groups FOLDER -o FILE`."
        ) from error
    if not tensors:
        raise InputError(f"{path.name} holds no dictionary; make one with `circuits groups FOLDER -o FILE`.")
    try:
        record = json.loads(metadata.get("circuits", "{}"))
    except ValueError:
        record = None
    known = isinstance(record, dict) and record.get("format", FORMAT) == FORMAT
    if not known or not all(isinstance(record.get(key, {}), dict) for key in ("network", "layers")):
        raise InputError(f"{path.name} does not say that it is {FORMAT!r}, which this version reads; make it anew.")
    return tensors, record


def _check_network(path: Path, record: Mapping[str, Any], network: Network) -> None:
    known = record.get("network", {})
    if known.get("sha256", network.sha256) != network.sha256:
        raise InputError(
            f"The groups in {path.name} are of {known.get('name', 'another network')} "
            f"({str(known['sha256'])[:12]}), not of {network.name} ({network.sha256[:12]}); load that network."
        )


def _part(path: Path, name: str, tensor: Tensor, dimensions: int) -> Tensor:
    """A tensor as float32, if it is one of numbers with that many dimensions."""
    if not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise InputError(f"{name} in {path.name} is of type {kind}; it must be of a floating-point type.")
    if tensor.dim() != dimensions:
        size = " × ".join(map(str, tensor.shape))
        wanted = "groups × channels" if dimensions == 2 else "one number a group"
        raise InputError(f"{name} in {path.name} is {size or 'a single number'}; it must be {wanted}.")
    return tensor.float()


def _dictionary(path: Path, layer: str, parts: Mapping[str, Tensor], facts: Any) -> Dictionary:
    if "directions" not in parts:
        raise InputError(f"{path.name} has {listed(parts)} of {layer}, but no {layer}.directions; add them.")
    facts = facts if isinstance(facts, dict) else {}
    source, weighted = facts.get("source", path.name), facts.get("weighted", False)
    if not isinstance(source, str) or not source or not isinstance(weighted, bool):
        raise InputError(f"What {path.name} says of {layer} is damaged; make it anew.")
    try:
        return Dictionary(parts["directions"], source[:1000], weighted, parts.get("encoder"), parts.get("bias"))
    except InputError as error:
        raise InputError(f"{path.name}, {layer}: {error}") from error
