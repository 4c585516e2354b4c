"""The atlas that a command is given, and what goes with it."""

from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.options import NetworkBesideFile, option
from circuits.errors import InputError

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.network.network import Network


def opened_atlas(folder: Path | None) -> "Atlas":
    """The atlas of a folder; without one that which comes with the built-in network."""
    from circuits.atlas.atlas import Atlas
    from circuits.builtin import atlas_folder

    return Atlas.open(atlas_folder() if folder is None else folder)


def check_outside(atlas: "Atlas", *paths: Path | None) -> None:
    """Refuse to write among the files of an atlas.

    Raises:
        InputError: if a path is the folder of the atlas, or lies in it.
    """
    own = atlas.folder.resolve()
    for path in paths:
        if path is not None and own in (path.resolve(), *path.resolve().parents):
            raise InputError(f"{path} lies in the folder of the atlas, whose own files are there; write it elsewhere.")


def network_of(atlas: "Atlas", name: str | None, options: NetworkBesideFile) -> "Network | None":
    """The network of an atlas, cut at its layers; `None` where it has to be given and is not.

    Raises:
        InputError: if it is another one.
    """
    made_with = atlas.record.subject.network
    if name is None and made_with["source"] != "builtin":
        return None
    loaded = options.load(name or "builtin")
    atlas.check_network(loaded)
    return loaded.with_layers([layer.name for layer in atlas.layers])


def network_option(purpose: str) -> str | None:
    """The option that names the network of an atlas, which a command needs for a purpose alone."""
    given: str | None = option(
        None,
        f"The network of the atlas, for {purpose}; not needed where that is the built-in one.",
        "--network",
        "-n",
        metavar="NAME",
        panel="Network",
    )
    return given
