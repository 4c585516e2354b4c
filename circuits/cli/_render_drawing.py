"""How `circuits render` comes to its pictures: from the store where it keeps them, or by drawing."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from PIL import Image

from circuits.cli._picture_settings import options_of_request, settings_of_request
from circuits.cli._render_request import RenderRequest
from circuits.cli._render_targets import RenderTarget
from circuits.cli.console import Report
from circuits.cli.unit_expressions import short_name
from circuits.errors import InputError
from circuits.exemplars.finding import find_exemplars
from circuits.network.network import Network
from circuits.report.text import number, percent
from circuits.units import Unit
from circuits.visualization.contact_sheet import box
from circuits.visualization.diverse import diverse_objective
from circuits.visualization.objectives.base import Objective, layers_of
from circuits.visualization.render import reached
from circuits.visualization.store import pictures
from circuits.visualization.visualize import Visualization, values_of, visualize

_ACTIVATIONS = ("channel", "neuron", "logit")


@dataclass(frozen=True)
class RenderedRow:
    """The pictures of one target.

    Args:
        title: what to call it.
        expression: of what is drawn.
        images: its pictures.
        titles: one a picture.
        captions: one a picture.
        values: one a picture: the activation that it reaches, or else the value of its objective.
        dead: whether no picture excites the unit.
        shares: one a picture: of the photos in which the unit fires less; empty where none were indexed.
    """

    title: str
    expression: str
    images: tuple[Image.Image, ...]
    titles: tuple[str, ...]
    captions: tuple[str, ...]
    values: tuple[float, ...]
    dead: bool = False
    shares: tuple[float, ...] = ()


def draw(
    network: Network, targets: Sequence[RenderTarget], request: RenderRequest, report: Report
) -> list[RenderedRow]:
    """Draw all that was asked for, or find it in the store."""
    rows = (_stored if request.stored else _drawn)(network, targets, request, report)
    if request.kind not in _ACTIVATIONS or request.filmstrip or request.interpolate:
        return rows
    return beside_photos(network, rows)


def beside_photos(network: Network, rows: list[RenderedRow]) -> list[RenderedRow]:
    """The rows, with how many photos excite each unit less than its pictures do, where `circuits exemplars` knows."""
    index = None
    with suppress(InputError):  # one that is damaged is not what was asked about
        index = find_exemplars(network)
    if index is None:
        return rows
    compared = []
    for row in rows:
        unit = Unit.parse(row.expression)
        if unit.layer in index.layers and not row.dead:
            shares = tuple(index.percentile(unit, value) / 100 for value in row.values)
            captions = tuple(f"{text} ({percent(share)})" for text, share in zip(row.captions, shares, strict=True))
            row = replace(row, captions=captions, shares=shares)
        compared.append(row)
    return compared


def _stored(
    network: Network, targets: Sequence[RenderTarget], request: RenderRequest, report: Report
) -> list[RenderedRow]:
    units = [Unit.parse(target.expression) for target in targets]
    stored = pictures(network, units, settings=settings_of_request(request), progress=report)
    return [
        _row(network, target, (picture.image,), (picture.activation if target.unit else math.nan,))
        for target, picture in zip(targets, stored, strict=True)
    ]


def _drawn(
    network: Network, targets: Sequence[RenderTarget], request: RenderRequest, report: Report
) -> list[RenderedRow]:
    drawings = visualize(
        network,
        [_diverse(network, target.objective) if request.diverse else target.objective for target in targets],
        count=request.diverse or 1,
        seed=request.seed,
        options=options_of_request(request),
        frames=frame_steps(request.filmstrip, request.steps) if request.filmstrip else (),
        progress=report,
    )
    rows = []
    for target, drawing in zip(targets, drawings, strict=True):
        if request.filmstrip:
            rows.append(_filmstrip(target, drawing))
        elif request.interpolate:
            rows.append(_interpolation(network, target, drawing))
        else:
            rows.append(_row(network, target, drawing.images, _values(network, target, drawing), request.kind))
    return rows


def _diverse(network: Network, objective: Objective) -> Objective:
    """For pictures that differ: in the highest layer it reads, or where that has no positions, in one below."""
    return diverse_objective(network, objective, max(layers_of(objective), key=network.layers.index))


def frame_steps(count: int, steps: int) -> tuple[int, ...]:
    """Steps whose pictures tell how the last came about: closer together at first, when most happens.

    >>> frame_steps(5, 256)
    (0, 16, 64, 144, 256)
    """
    return tuple(sorted({round(steps * (at / (count - 1)) ** 2) for at in range(count)}))


def _row(
    network: Network,
    target: RenderTarget,
    images: Sequence[Image.Image],
    values: tuple[float, ...],
    kind: str = "channel",
) -> RenderedRow:
    can_be_dead = target.unit is not None and network.can_be_dead(target.unit)
    silent = [can_be_dead and value <= 0 for value in values]
    return RenderedRow(
        target.title,
        target.expression,
        tuple(
            box(image.width, target.title, "never activated") if dead else image
            for image, dead in zip(images, silent, strict=True)
        ),
        (target.title,) * len(values),
        tuple(_caption(value, kind) for value in values),
        values,
        all(silent),
    )


def _caption(value: float, kind: str) -> str:
    if not math.isfinite(value):
        return ""
    if kind == "probability":
        return percent(value)
    return f"error {percent(-value)}" if kind == "inversion" else number(value)


def _values(network: Network, target: RenderTarget, drawing: Visualization) -> tuple[float, ...]:
    """The activations that a target's pictures reach, or the values of its objective."""
    if target.unit is None:
        return values_of(network, target.objective, drawing.images, drawing.canvas)
    return tuple(reached(network, [target.unit] * len(drawing.images), drawing.images, drawing.canvas))


def _filmstrip(target: RenderTarget, drawing: Visualization) -> RenderedRow:
    frames = [(step, images[0]) for step, images in drawing.frames if step < drawing.steps]
    frames.append((drawing.steps, drawing.images[0]))
    return RenderedRow(
        target.title,
        target.expression,
        tuple(image for _, image in frames),
        (target.title,) * len(frames),
        tuple(f"step {step}" for step, _ in frames),
        drawing.values,
    )


def _interpolation(network: Network, target: RenderTarget, drawing: Visualization) -> RenderedRow:
    first, last = (short_name(network, Unit.parse(name)) for name in target.expression.split("+"))
    count = len(drawing.images)
    titles = (first, *[""] * (count - 2), last)
    captions = tuple(percent(at / (count - 1)) for at in range(count))
    return RenderedRow(target.title, target.expression, drawing.images, titles, captions, drawing.values)
