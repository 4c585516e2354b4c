"""`circuits atlas site`: an atlas as static pages that anyone can open and link to."""

from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli._atlas_given import network_of, network_option, opened_atlas
from circuits.cli._atlas_pictures import draw_pictures
from circuits.cli.console import note, output, print_json, progress, say
from circuits.cli.options import AS_JSON, NetworkBesideFile, argument, file_option, option
from circuits.errors import InputError
from circuits.report.text import many, size_in_words

if TYPE_CHECKING:
    from circuits.atlas.atlas import Atlas
    from circuits.network.network import Network
    from circuits.report.site.write import WrittenSite


def atlas_site(
    atlas: Path | None = argument(
        "ATLAS",
        "The folder of an atlas, from circuits atlas; by default the one that comes with the built-in network.",
        default=None,
        readable=False,
    ),
    into: Path | None = file_option(
        "The folder of the site; one that is there is brought up to date.", "--output", "-o", metavar="DIR"
    ),
    pictures: bool = option(
        False, "First draw the pictures that are missing, most important first; can be stopped.", "--pictures"
    ),
    exemplars: Path | None = file_option(
        "The folder of the atlas's photos, to show patches of those that excite each unit; publish only what you may.",
        metavar="PHOTOS",
    ),
    as_json: bool = AS_JSON,
    network: str | None = network_option("--pictures and --exemplars"),
    *,
    options: NetworkBesideFile,
) -> None:
    """Write the site of an atlas: classes, layers and units as static pages, for any web space, with no server."""
    if into is None:
        raise InputError("-o is missing; give the folder that the site is to be made in.")
    from circuits.report.site.folder import site_folder
    from circuits.report.site.write import write_site

    if atlas is None and _is_meant_as_photos(into):
        raise InputError(
            "site is taken for the command, not for the folder of that name here; give its photos as ./site, or the "
            "atlas whose site is to be written."
        )
    opened = opened_atlas(atlas)
    site_folder(into).check(opened.folder)
    drawn_by = _network(opened, network, options) if pictures or exemplars else None
    if pictures and drawn_by is not None:
        draw_pictures(drawn_by, opened)
    with progress("Writing the site") as report:
        made = write_site(opened, into, network=drawn_by, photos=exemplars, progress=report)
    if made.lost:
        note(
            f"The patches of {many(made.lost, 'photo')} are left out, because {exemplars} does not have them as they "
            "were; give the folder that the atlas was made of."
        )
    if made.missing:
        note(
            f"{made.missing} of {many(opened.units, 'unit')} have no picture yet; --pictures draws them, most "
            "important first, and can be stopped and gone on with."
        )
    if as_json:
        print_json(_facts(made))
        return
    say(
        output(),
        f"{many(made.pages, 'page')} and {many(made.pictures, 'picture')}, {size_in_words(made.size)} in all; open "
        f"{made.folder / 'index.html'}.",
    )


def _is_meant_as_photos(into: Path) -> bool:
    """Whether there is a folder called site that is neither written nor was: perhaps photos for `circuits atlas`."""
    from circuits.report.site.folder import site_folder

    folder = Path("site")
    return (
        folder.is_dir()
        and any(folder.iterdir())
        and folder.resolve() != into.resolve()
        and not site_folder(folder).is_ours
    )


def _network(atlas: "Atlas", name: str | None, options: NetworkBesideFile) -> "Network":
    found = network_of(atlas, name, options)
    if found is None:
        raise InputError(
            f"--network is missing; --pictures and --exemplars need {atlas.network}, which the atlas was made with."
        )
    return found


def _facts(made: "WrittenSite") -> dict[str, object]:
    return {
        "folder": str(made.folder),
        "pages": made.pages,
        "bytes": made.size,
        "pictures": made.pictures,
        "missing": made.missing,
        "patches": made.patches,
    }
