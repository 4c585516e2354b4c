"""`circuits groups`: directions of layers that the photos of one class have in common."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.cli.console import note, output, plain_table, print_json, progress, say
from circuits.cli.files import check_output, photos_in
from circuits.cli.options import AS_JSON, LAYERS, NETWORK, NetworkBesideFile, argument, file_option, option
from circuits.cli.values import counts
from circuits.errors import InputError
from circuits.report.text import many, number
from circuits.units import Unit

if TYPE_CHECKING:
    from circuits.groups.dictionary import Dictionary
    from circuits.image.photo import Photo
    from circuits.naming.names import UnitNames
    from circuits.network.network import Network


def groups(
    folder: Path = argument("FOLDER", "Photos of one class, in any number of folders.", readable=False),
    file: Path | None = file_option("Write them to a .safetensors file.", "--output", "-o"),
    target: str | None = option(
        None, "The class that they are to explain; by default that predicted of most photos.", metavar="TARGET"
    ),
    number_of: str = option("8", "Groups of each layer, or one number a level: 8,12.", "--groups", metavar="N"),
    depth: int | None = option(None, "Layers below the target; 4, or as many as --layers names.", min=1, max=2000),
    as_json: bool = AS_JSON,
    layers: str = LAYERS,
    network: str = NETWORK,
    *,
    options: NetworkBesideFile,
) -> None:
    """Fit groups of channels to the photos of one class, so that a group means the same in all of them."""
    check_output("--output", file, "groups", (".safetensors",))
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one with photos of a class.")
    wanted = counts("--groups", number_of)
    loaded = options.load(network, layers)
    from circuits.groups.storage import save_groups
    from circuits.naming.store import names_of
    from circuits.tracing.class_groups import DEPTH, fit_groups

    photos = photos_in(loaded, folder)
    predicted = _predicted(loaded, photos)
    explained = Counter(predicted).most_common(1)[0][0] if target is None and predicted else target
    levels = depth or (DEPTH if layers in ("auto", "fine") else len(loaded.layers) - 1)
    with progress("Fitting") as report:
        found = fit_groups(
            loaded, photos, explained, groups=wanted, depth=levels, source=folder.resolve().name, progress=report
        )
    if as_json:
        print_json(_facts(found))
    else:
        say(output(), _fitted_to(loaded, predicted, len(photos), explained))
        _print(found, names_of(loaded.sha256))
    if file is not None:
        save_groups(file, loaded, found)
        note(f"Wrote {file}. Use it with circuits trace PHOTO --groups {file}.")


def _predicted(network: "Network", photos: "Sequence[Photo]") -> list[int]:
    """The class predicted of each photo; nothing where the network has no classes."""
    if not network.labels:
        return []
    return [int(network.logits(network.preprocessing.input_of(photo))[0].argmax()) for photo in photos]


def _fitted_to(network: "Network", predicted: list[int], photos: int, target: "str | int | None") -> str:
    """How many photos there were, and of how many the network says what the groups are to explain."""
    said = f"Fitted to {many(photos, 'photo')}"
    if target is None or not predicted:
        return f"{said}."
    from circuits.tracing.targets import find_target

    found = find_target(network, target, predicted[0])
    if found.kind != "class":
        return f"{said}, for {found.label}."
    called = predicted.count(found.unit.channel)
    which = "it" if photos == 1 else f"{called} of them"
    verb = "calls" if called or photos > 1 else "does not call"
    return f"{said}, for {found.label}; the network {verb} {which} that."


def _print(found: "dict[str, Dictionary]", names: "UnitNames") -> None:
    """Each group with the channels that make it up, and their names."""
    table = plain_table(("group", "made of", "channels"), numbers=[2])
    for layer, each in found.items():
        for group in range(each.groups):
            strongest = each.strongest_channels(group)
            called = [f"{channel} {names.of(Unit(layer, channel)).name}".rstrip() for channel, _ in strongest]
            parts = ", ".join(f"{name}: {number(weight)}" for name, (_, weight) in zip(called, strongest, strict=True))
            table.add_row(f"{layer}/{group}", parts, str(int((each.directions[group] != 0).sum())))
    output().print(table, soft_wrap=True)


def _facts(found: "dict[str, Dictionary]") -> dict[str, Any]:
    return {
        layer: {
            "source": each.source,
            "groups": [
                [{"channel": channel, "weight": weight} for channel, weight in each.strongest_channels(group, 20)]
                for group in range(each.groups)
            ],
        }
        for layer, each in found.items()
    }
