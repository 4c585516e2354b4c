"""Files of the Hugging Face hub."""

from pathlib import Path

from circuits.errors import InputError
from circuits.network.pretrained import optional, reason

_WEIGHTS = "model.safetensors"
_WHY = {
    "GatedRepoError": "its owner asks whoever downloads it to agree to terms, and to log in to the hub",
    "RepositoryNotFoundError": "there is no such repository, or it is a private one",
    "LocalEntryNotFoundError": "there is no connection, and it was not downloaded before",
}


def fetch(repository: str, *patterns: str, otherwise: str) -> Path:
    """The folder of some files of a repository of the hub, downloaded once, with a progress bar.

    Without a connection it is the folder of those that were downloaded before. The hub's client waits half a minute for
    a connection when it is asked for a single file, and not for a folder.

    Args:
        repository: `owner/name`.
        patterns: names of files, with `*` in them or without.
        otherwise: what the error says to do without a connection.

    Raises:
        InputError: if there is no such repository, or no connection.
    """
    hub = optional("huggingface_hub", f"The hub's {repository}", "timm")
    try:
        return Path(hub.snapshot_download(repository, allow_patterns=list(patterns)))
    except (OSError, ValueError, RuntimeError) as error:  # what the hub's client raises is made of these
        known = (_WHY[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _WHY)
        raise InputError(
            f"{repository} could not be had from the Hugging Face hub: {next(known, reason(error))}; "
            f"without a connection {otherwise}."
        ) from error


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
    repository, file = "/".join(parts[:2]), "/".join(parts[2:]) or _WEIGHTS
    path = fetch(repository, file, otherwise="give a file that is on this machine") / file
    if not path.is_file():
        raise InputError(f"{repository} of the Hugging Face hub has no file {file!r}, or it could not be had.")
    return path
