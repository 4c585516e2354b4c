"""Pictures of units: what each of them looks for, with the activation that the picture reaches.

A direction of a layer is drawn as a unit is: what goes furthest in it.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from circuits.errors import InputError
from circuits.groups.layer_direction import LayerDirection, Subject
from circuits.image.tensors import to_images
from circuits.network.network import Network
from circuits.notebook import Reported
from circuits.units import Address, Progress, Unit
from circuits.visualization.forward import BatchSlice, Canvas, forward
from circuits.visualization.objectives.base import Objective, Read
from circuits.visualization.objectives.direction import direction
from circuits.visualization.objectives.unit import channel, negative, objective_of
from circuits.visualization.parameterization.registry import make_images
from circuits.visualization.regularizers import l1, l2, total_variation
from circuits.visualization.settings import DEFAULT, Options, Settings, chosen
from circuits.visualization.transforms import named_transform
from circuits.visualization.visualize import run, task_of


@dataclass(frozen=True)
class Picture(Reported):
    """What a unit looks for.

    Attributes:
        unit: the unit that was asked for, or the direction; of one that was read from a file, its group.
        image: mode RGB, `size` pixels wide.
        activation: the highest rectified activation of the unit's channel over all positions, when the network is
            shown the image, in 8 bits, reduced by `zoom`; of a direction d the highest d · a / ‖d‖.
        zoom: how many pixels of the image, along a side, make one pixel for the network.
        is_rectified: whether the unit's layer is, so that it can be dead; a logit may be below zero and alive.
    """

    unit: Address | LayerDirection
    image: Image.Image
    activation: float
    zoom: int = 1
    is_rectified: bool = True

    @property
    def dead(self) -> bool:
        """Whether nothing was found that excites the unit: it is rectified, and its activation nowhere above zero."""
        return self.is_rectified and self.activation <= 0

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()


OnPicture = Callable[[Subject, Image.Image], None]


@torch.inference_mode(False)  # gradients are needed, whoever calls
def render(
    network: Network,
    units: Subject | str | Sequence[Subject | str],
    *,
    settings: Settings | None = None,
    progress: Progress | None = None,
    on_preview: OnPicture | None = None,
    **choices: Any,
) -> list[Picture]:
    """Draw what each unit looks for.

    Maximises the unit's leaky rectified pre-activation, averaged over all positions (a channel, a class) or in the
    middle (a neuron, `layer:channel@row,column`), by gradient ascent on the spectrum of an image (Olah 2017), unless
    the settings say otherwise.

    Args:
        network: the network.
        units: one or several, such as `"features.7:3"`, `"fc:284"` or `Unit("conv4", 17)`; the name of a layer stands
            for all of its units. Also directions of a layer.
        settings: how they are drawn.
        progress: called as `progress(done, total, message)` every few steps; an exception that it raises ends the work.
        on_preview: called with a unit and its picture as it is after a few steps, and again later.
        choices: in place of `settings`, its fields: `render(network, units, size=64, steps=128)`.

    Returns:
        One picture a unit, in order.

    Raises:
        InputError: if a number is out of range, or both settings and their fields are given.
        UnknownError: if a unit or a choice does not exist.

    >>> from circuits import load_network
    >>> network = load_network("squeezenet1_1", weights="random")
    >>> [picture] = render(network, "features.4:17", size=32, steps=2)
    >>> picture.unit, picture.image.size
    (Unit(layer='features.4', channel=17, position=None), (32, 32))
    """
    settings = chosen(network, Settings, settings, choices)
    wanted = subjects(network, units)
    drawn: dict[Address | LayerDirection, Picture] = {}
    for pictures in draw(network, wanted, settings, progress, on_preview):
        drawn |= {picture.unit: picture for picture in pictures}
    return [drawn[unit] for unit in wanted]


def subjects(network: Network, given: Subject | str | Sequence[Subject | str]) -> list[Subject]:
    """What is to be drawn, one or several: units, as `Network.units` reads them, and directions.

    Raises:
        InputError: if a direction has another number of channels than its layer, or a text is no address.
        UnknownError: if a unit or a layer does not exist.
    """
    found: list[Subject] = []
    for each in [given] if isinstance(given, Subject | str) else given:
        if not isinstance(each, LayerDirection):
            found += network.units(each)
            continue
        channels = network.layer(each.layer).channels
        if each.channels != channels:
            raise InputError(
                f"The direction of {each} has {each.channels} channels and {each.layer} has {channels}; it belongs to "
                "another layer or network."
            )
        found.append(each)
    return found


@torch.inference_mode(False)  # gradients are needed, whoever calls
def draw(
    network: Network,
    units: Sequence[Subject],
    settings: Settings = DEFAULT,
    progress: Progress | None = None,
    on_preview: OnPicture | None = None,
) -> Iterator[list[Picture]]:
    """Draw units batch by batch, each unit once, and hand each batch over when it is done."""
    wanted = list(dict.fromkeys(units))
    tasks = [task_of(unit_objective(unit, settings), settings.seed) for unit in wanted]
    show = None if on_preview is None else lambda at, images: on_preview(wanted[at], images[0].convert("RGB"))
    for batch in run(network, tasks, options_of(settings), progress=progress, on_preview=show):
        own = [wanted[at] for at in batch]
        images = [drawn.images[0] for drawn in batch.values()]
        yield shown_to(network, own, images, next(iter(batch.values())).canvas)


def shown_to(
    network: Network, units: Sequence[Subject], images: Sequence[Image.Image], canvas: Canvas
) -> list[Picture]:
    """Drawn images of one layer's units as pictures, with the activations that they reach."""
    colours = [image.convert("RGB") for image in images]
    activations = reached(network, units, colours, canvas)
    return [
        Picture(unit, image, activation, canvas.zoom, can_be_dead(network, unit))
        for unit, image, activation in zip(units, colours, activations, strict=True)
    ]


def can_be_dead(network: Network, unit: Subject) -> bool:
    """Whether what nothing drives above zero is dead: what belongs to a rectified layer."""
    return network.can_be_dead(Unit(unit.layer, 0))


def unit_objective(unit: Subject, settings: Settings = DEFAULT) -> Objective:
    """What is maximised for the picture of a unit, or of a direction."""
    if isinstance(unit, LayerDirection):
        if settings.objective == "activation":
            return direction(unit.layer, unit.vector, slope=None)
        return direction(unit.layer, -unit.vector if settings.objective == "negative" else unit.vector)
    if settings.objective == "activation":
        return channel(unit, slope=None)
    return negative(unit) if settings.objective == "negative" else objective_of(unit)


def options_of(settings: Settings) -> Options:
    """The settings with what their names stand for."""
    penalties = ((settings.total_variation, total_variation()), (settings.l1, l1()), (settings.l2, l2()))
    return Options(
        size=settings.size,
        steps=settings.steps,
        images=make_images(settings.images),
        transform=named_transform(settings.transform),
        regularizers=tuple(weight * penalty for weight, penalty in penalties if weight),
        blur_gradient=settings.blur_gradient,
        blur_image=settings.blur_image,
        zoom=1 if settings.images == "plain" else None,
    )


def reached(network: Network, units: Sequence[Subject], pictures: Sequence[Image.Image], canvas: Canvas) -> list[float]:
    """Highest activation of each unit's channel over all positions when the network is shown the unit's picture.

    Of a direction d it is the highest d · a / ‖d‖.

    Args:
        network: the network.
        units: of one layer.
        pictures: one a unit, of one size.
        canvas: by whose zoom they are reduced first.
    """
    images = to_images([picture.reduce(canvas.zoom) for picture in pictures], network.preprocessing.channels)
    reads = [Read(unit.layer, (unit.channel,) if isinstance(unit, Unit) else None) for unit in units]
    with torch.no_grad():
        values = forward(network, canvas, [BatchSlice((read,), 1) for read in reads], images)
    maps = [
        own[read]
        if isinstance(unit, Unit)
        else torch.einsum("nchw,c->nhw", own[read], _of_length_one(unit.vector.to(own[read])))
        for unit, read, own in zip(units, reads, values, strict=True)
    ]
    return [float(values.max()) for values in maps]


def _of_length_one(vector: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vector, dim=0)
