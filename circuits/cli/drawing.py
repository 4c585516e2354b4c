"""How `circuits render` comes to its pictures: from the store where it keeps them, or by drawing."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from circuits.cli.console import Report, note
from circuits.cli.picture_settings import Manner
from circuits.cli.render_targets import Item, Subject, called
from circuits.errors import InputError, listed
from circuits.report.text import number, percent
from circuits.visualization.contact_sheet import box

if TYPE_CHECKING:
    from PIL import Image

    from circuits.network.network import Network
    from circuits.visualization.objectives.base import Objective
    from circuits.visualization.visualize import Visualization


_ACTIVATIONS = ("channel", "neuron", "logit")


@dataclass(frozen=True)
class Row:
    """The pictures of one item.

    Args:
        title: what to call it.
        address: of what is drawn.
        images: its pictures.
        titles: one a picture.
        captions: one a picture.
        values: one a picture: the activation that it reaches, or else the value of its objective.
        dead: whether no picture excites the unit.
        shares: one a picture: of the photos in which the unit fires less; empty where none were indexed.
    """

    title: str
    address: str
    images: "tuple[Image.Image, ...]"
    titles: tuple[str, ...]
    captions: tuple[str, ...]
    values: tuple[float, ...]
    dead: bool = False
    shares: tuple[float, ...] = ()


def draw(network: "Network", items: Sequence[Item], subject: Subject, manner: Manner, report: Report) -> list[Row]:
    """Draw all that was asked for, or find it in the store.

    Args:
        network: the network.
        items: what is drawn.
        subject: what was asked for.
        manner: how it is drawn.
        report: told how far the work is.

    Raises:
        InputError: if something turns out not to be drawable.
    """
    how = _stored if subject.stored and manner.stored else _anew
    rows = how(network, items, subject, manner, report)
    if subject.kind not in _ACTIVATIONS or subject.filmstrip or subject.interpolate:
        return rows
    return beside_photos(network, rows)


def beside_photos(network: "Network", rows: list[Row]) -> list[Row]:
    """The rows, with how many photos excite each unit less than its pictures do, where `circuits exemplars` knows."""
    from circuits.exemplars.exemplars import find_exemplars
    from circuits.units import Unit

    index = None
    with suppress(InputError):  # one that is damaged is not what was asked about
        index = find_exemplars(network)
    if index is None:
        return rows
    found = []
    for row in rows:
        unit = Unit.parse(row.address)
        if unit.layer in index.layers and not row.dead:
            shares = tuple(index.percentile(unit, value) / 100 for value in row.values)
            told = tuple(f"{text} ({percent(share)})" for text, share in zip(row.captions, shares, strict=True))
            row = replace(row, captions=told, shares=shares)
        found.append(row)
    return found


def tell_dead(rows: Sequence[Row]) -> None:
    """Say which units have no picture, if any."""
    dead = [row.address for row in rows if row.dead]
    if dead:
        share = f"{len(dead)} of {len(rows)} units" if len(rows) > 1 else "The unit"
        note(f"{share} never lit up, whatever was drawn: {listed(dead)}; a box stands for each picture.")


def _stored(network: "Network", items: Sequence[Item], subject: Subject, manner: Manner, report: Report) -> list[Row]:
    from circuits.units import Unit
    from circuits.visualization.store import pictures

    units = [Unit.parse(item.address) for item in items]
    found = pictures(network, units, settings=manner.settings(subject.kind), progress=report)
    return [
        _row(item, [picture.image], [picture.activation if item.unit else math.nan])
        for item, picture in zip(items, found, strict=True)
    ]


def _anew(network: "Network", items: Sequence[Item], subject: Subject, manner: Manner, report: Report) -> list[Row]:
    from circuits.visualization.visualize import visualize

    frames = frame_steps(subject.filmstrip, manner.steps) if subject.filmstrip else ()
    found = visualize(
        network,
        [diverse(network, item) if subject.diverse else item.objective for item in items],
        count=subject.diverse or 1,
        seed=manner.seed,
        options=manner.options(),
        frames=frames,
        progress=report,
    )
    rows = []
    for item, drawn in zip(items, found, strict=True):
        if subject.filmstrip:
            rows.append(_filmstrip(item, drawn))
        elif subject.interpolate:
            rows.append(_interpolation(network, item, drawn))
        else:
            rows.append(_row(item, drawn.images, _values(network, item, drawn), subject.kind))
    return rows


def diverse(network: "Network", item: Item) -> "Objective":
    """An item's objective, for pictures that differ: in its own layer, or where that has no places, in one below."""
    from circuits.visualization.diverse import diverse_objective

    return diverse_objective(network, item.objective, item.layer)


def frame_steps(count: int, steps: int) -> tuple[int, ...]:
    """Steps whose pictures tell how the last came about: closer together at first, when most happens.

    >>> frame_steps(5, 256)
    (0, 16, 64, 144, 256)
    """
    return tuple(sorted({round(steps * (at / (count - 1)) ** 2) for at in range(count)}))


def _row(item: Item, images: "Sequence[Image.Image]", values: Sequence[float], kind: str = "channel") -> Row:
    dead = item.unit is not None and all(value <= 0 for value in values)
    shown = [
        box(image.width, item.title, "never lit up") if item.unit is not None and value <= 0 else image
        for image, value in zip(images, values, strict=True)
    ]
    titles = [item.title] * len(shown)
    return Row(
        item.title,
        item.address,
        tuple(shown),
        tuple(titles),
        tuple(_told(v, kind) for v in values),
        tuple(values),
        dead,
    )


def _values(network: "Network", item: Item, drawn: "Visualization") -> tuple[float, ...]:
    """The activations that an item's pictures reach, or the values of its objective."""
    from circuits.visualization.render import reached
    from circuits.visualization.visualize import values_of

    if item.unit is None:
        return values_of(network, item.objective, drawn.images, drawn.canvas)
    return tuple(reached(network, [item.unit] * len(drawn.images), drawn.images, drawn.canvas))


def _filmstrip(item: Item, drawn: "Visualization") -> Row:
    frames = [(step, images[0]) for step, images in drawn.frames if step < drawn.steps]
    frames.append((drawn.steps, drawn.images[0]))
    return Row(
        item.title,
        item.address,
        tuple(image for _, image in frames),
        (item.title,) * len(frames),
        tuple(f"step {step}" for step, _ in frames),
        drawn.values,
    )


def _interpolation(network: "Network", item: Item, drawn: "Visualization") -> Row:
    from circuits.units import Unit

    first, last = (called(network, Unit.parse(address)) for address in item.address.split("+"))
    count = len(drawn.images)
    titles = (first, *[""] * (count - 2), last)
    captions = tuple(percent(at / (count - 1)) for at in range(count))
    return Row(item.title, item.address, drawn.images, titles, captions, drawn.values)


def _told(value: float, kind: str) -> str:
    """A value below a picture."""
    if not math.isfinite(value):
        return ""
    if kind == "probability":
        return percent(value)
    return f"error {percent(-value)}" if kind == "inversion" else number(value)
