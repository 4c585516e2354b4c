"""`circuits what-if`: what the network says when some of its units are scaled or switched off."""

from collections.abc import Sequence
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

from rich.table import Table

from circuits.cli.console import output, plain_table, print_json, say
from circuits.cli.options import AS_JSON, LAYERS, NETWORK, WINDOW, NetworkOptions, argument, get_photo, option
from circuits.errors import InputError
from circuits.numbers import decimals
from circuits.report.text import network_and_source, predictions_heading
from circuits.units import Group

if TYPE_CHECKING:
    from circuits.image.photo import Photo
    from circuits.naming.names import UnitNames
    from circuits.network.network import Network
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.intervene import Effect, Outcome
    from circuits.units import Address


_NAMED = 8


def what_if(
    photo: str = argument("PHOTO", "An image file, example:cat, or the .json file of a circuit, which has its groups."),
    unit: list[str] = option(
        MISSING,
        "A unit and its factor, 0 (off) to 4: conv4:17=0, conv4:17@3,5=2, conv4:0-39=0; of a circuit's file also a "
        "group: conv7/3=0. Repeatable.",
        "--unit",
        "-u",
        metavar="UNIT=FACTOR",
    ),
    top: int = option(5, "How many leading classes, before and after.", min=1),
    classes: list[str] | None = option(None, "Also this class, by number or label.", "--class", metavar="CLASS"),
    window: str | None = WINDOW,
    as_json: bool = AS_JSON,
    layers: str = LAYERS,
    network: str = NETWORK,
    *,
    options: NetworkOptions,
) -> None:
    """Predictions for a photo when some units are weakened, strengthened or switched off."""
    wanted = [_split(text) for text in unit]
    source = _source(photo, window)
    loaded = options.load(network, layers)
    from circuits.naming.store import names_of
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.intervene import intervene

    outcome = intervene(loaded, source, _changes(loaded, wanted), top=top, classes=tuple(classes or ()))
    if as_json:
        print_json(_record(outcome))
        return
    console = output()
    name = source.photo_info.name if isinstance(source, Circuit) else source.name
    heading = predictions_heading(network_and_source(loaded.name, loaded.source), name)
    say(console, f"{heading}, with {_changes_in_words(outcome, names_of(loaded.sha256))}:")
    console.print(_table(outcome))


def _source(photo: str, window: str | None) -> "Photo | Circuit":
    """The photo or, of a `.json` file, the circuit, which carries its photo and its groups."""
    if not photo.lower().endswith(".json"):
        return get_photo(photo, window)
    if window is not None:
        raise InputError(f"{photo} is a circuit, which carries its part of the photo; leave out --window.")
    from circuits.tracing.circuit import Circuit

    return Circuit.from_json(photo)


def _split(text: str) -> tuple[str, float]:
    """Units and their factor.

    >>> _split("conv4:17@3,5=0.5")
    ('conv4:17@3,5', 0.5)
    """
    name, _, factor = text.rpartition("=")
    try:
        return name, float(factor)
    except ValueError:
        raise InputError(f"--unit {text!r} has no factor; write UNIT=FACTOR, such as conv4:17=0.") from None


def _changes(network: "Network", wanted: Sequence[tuple[str, float]]) -> dict["Address", float]:
    """Each unit or group that is meant and its factor."""
    from circuits.cli.unit_expressions import units_of

    changes: dict[Address, float] = {}
    for text, factor in wanted:
        is_group = "/" in text and ":" not in text and text not in network.layers
        for unit in [Group.parse(text)] if is_group else units_of(network, [text]):
            if unit in changes and changes[unit] != factor:
                raise InputError(f"--unit gives {unit} two factors, {changes[unit]:g} and {factor:g}; give it one.")
            changes[unit] = factor
    return changes


def _changes_in_words(outcome: "Outcome", names: "UnitNames") -> str:
    shown = [f"{names.called(unit)} × {factor:g}" for unit, factor in outcome.changes[:_NAMED]]
    others = len(outcome.changes) - len(shown)
    return ", ".join(shown) + (f" and {others} more" if others else "")


def _table(outcome: "Outcome") -> Table:
    table = plain_table(("class", "label", "probability", "change", "logit", "change"), numbers=(0, 2, 3, 4, 5))
    for effect in outcome.effects:
        before, after = effect.before, effect.after
        table.add_row(
            str(before.index),
            before.label,
            f"{100 * before.probability:.1f} → {100 * after.probability:.1f} %",
            decimals(100 * effect.gain, 1, sign=True),
            f"{decimals(before.logit)} → {decimals(after.logit)}",
            decimals(after.logit - before.logit, sign=True),
        )
    return table


def _record(outcome: "Outcome") -> dict[str, Any]:
    return {
        "changes": [{"unit": str(unit), "factor": factor} for unit, factor in outcome.changes],
        "effects": [_numbers(effect) for effect in outcome.effects],
    }


def _numbers(effect: "Effect") -> dict[str, Any]:
    sides = (("before", effect.before), ("after", effect.after))
    numbers = {side: {"logit": row.logit, "probability": row.probability} for side, row in sides}
    return {"class": effect.before.index, "label": effect.label, **numbers}
