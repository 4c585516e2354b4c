"""The pictures of `docs/visualization.md`, drawn anew: every choice of the visualiser beside what it changes.

    python docs/gallery.py OUT --googlenet FILE.py:NAME --weights googlenet.safetensors --labels classes.tsv \
        --squeezenet squeezenet1_1.safetensors --photos FOLDER

Each section makes one sheet, `OUT/<section>.webp`; `--only` names some. OUT is `docs/images/visualization` for the
documentation. The network is the BVLC GoogLeNet (Szegedy 2015; Caffe's model zoo) with layers conv1, conv2,
inception_3a … fc; the overview has SqueezeNet 1.1 (Iandola 2016; torchvision's weights) too. All of it takes about an
hour of one core.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import torch
import typer
from PIL import Image
from rich.console import Console
from torch import Tensor

from circuits import Network, load_network, load_photo
from circuits.files import write_atomically
from circuits.image.photo import photos_in
from circuits.image.tensors import fitted
from circuits.visualization import (
    Objective,
    balance,
    caricature,
    channel,
    class_logit,
    class_probability,
    direction,
    diversity,
    interpolation,
    inversion,
    joint,
    layer,
    negative,
    neuron,
)
from circuits.visualization.contact_sheet import sheet
from circuits.visualization.parameterization.color import colour_matrix_of
from circuits.visualization.parameterization.registry import make_images
from circuits.visualization.regularizers import l1, l2, opacity, total_variation
from circuits.visualization.store import PictureStore, pictures
from circuits.visualization.transforms import TRANSFORMS, none
from circuits.visualization.visualize import Options, visualize

# Units that the overview shows to be clear, from low to high, and classes.
LOW, MIDDLE, HIGH = "conv2:155", "inception_3b:123", "inception_4a:152"
UNITS = (LOW, MIDDLE, HIGH)
PAIRS = (("inception_3b:123", "inception_3b:83"), ("inception_4a:102", "inception_4a:204"))
SMOOTH = "conv1:40"
ENDS = ("inception_4a:0", "inception_4a:152")
MANIFOLD = ("inception_4a:256", "inception_4a:460")
CLASSES = ("fc:130", "fc:284", "fc:340", "fc:950")
PHOTO = "example:cat"

SIZE, STEPS = 96, 128
"""Of the pictures outside of the overview: less than the defaults, to save time."""


@dataclass(frozen=True)
class Studio:
    """What pictures are made with.

    Args:
        network: the GoogLeNet.
        squeezenet: for the overview.
        store: where the pictures of the overview are kept.
        photos: a folder of photos, for colours.
    """

    network: Network
    squeezenet: Network
    store: PictureStore
    photos: Path

    def draw(
        self, *objectives: Objective, count: int = 1, size: int = SIZE, steps: int = STEPS, **choices: Any
    ) -> list[Image.Image]:
        """The images of the objectives, one after the other."""
        options = Options(size=size, steps=steps, **choices)
        drawn = visualize(self.network, objectives, count=count, options=options)
        return [image for each in drawn for image in each.images]

    def name(self, unit: str) -> str:
        """What a class is called, or else the unit's address."""
        layer_name, _, number = unit.partition(":")
        return self.network.labels[int(number)].partition(",")[0] if layer_name == self.network.layers[-1] else unit


@dataclass(frozen=True)
class Row:
    """Pictures beside each other, each with what is special about it; all of them with a title on the left."""

    title: str
    images: Sequence[Image.Image]
    titles: Sequence[str]


def page(rows: Sequence[Row]) -> Image.Image:
    """A sheet of rows; the shorter ones have empty places at their ends."""
    columns = max(len(row.images) for row in rows)
    return sheet(
        [image for row in rows for image in (*row.images, *[None] * (columns - len(row.images)))],
        [text for row in rows for text in (*row.titles, *[""] * (columns - len(row.titles)))],
        columns=columns,
        row_titles=[row.title for row in rows],
    )


def turned(titles: Sequence[str], columns: Sequence[tuple[str, Sequence[Image.Image]]]) -> Image.Image:
    """A sheet of columns: each with its own title below its pictures, each row with a title on the left."""
    names = [name for name, _ in columns]
    return page([Row(title, [images[at] for _, images in columns], names) for at, title in enumerate(titles)])


def overview(network: Network, layers: Sequence[str], store: PictureStore) -> Image.Image:
    """Ten units of each layer, evenly spaced, at the default settings."""
    rows = []
    for name in layers:
        count = network.layer(name).channels
        drawn = pictures(network, [f"{name}:{at * count // 10}" for at in range(10)], store=store)
        for half in (drawn[:5], drawn[5:]):
            rows.append(Row(name, [p.image for p in half], [f":{p.unit.channel}" for p in half]))
    return page(rows)


def googlenet(studio: Studio) -> Image.Image:
    """Low, middle and high units of the GoogLeNet."""
    return overview(studio.network, ("conv2", "inception_4a", "inception_5b"), studio.store)


def squeezenet(studio: Studio) -> Image.Image:
    """Low, middle and high units of SqueezeNet."""
    return overview(studio.squeezenet, ("features.4", "features.7", "features.12"), studio.store)


def units(studio: Studio) -> Image.Image:
    """A unit everywhere, once, and minimising image."""
    made = [(title, studio.draw(*map(goal, UNITS))) for title, goal in _GOALS]
    return turned(UNITS, made)


_GOALS: tuple[tuple[str, Callable[[str], Objective]], ...] = (
    ("channel", channel),
    ("neuron", neuron),
    ("negative", negative),
)


def layers(studio: Studio) -> Image.Image:
    """Whole layers, from noise."""
    names = ("conv2", "inception_3b", "inception_4a", "inception_4c", "inception_5a")
    return page([Row("layer", studio.draw(*map(layer, names)), names)])


def classes(studio: Studio) -> Image.Image:
    """Classes by their logits and by their probabilities."""
    names = [studio.name(unit) for unit in CLASSES]
    return page(
        [
            Row("logit", studio.draw(*map(class_logit, CLASSES), size=128), names),
            Row("probability", studio.draw(*map(class_probability, CLASSES), size=128), names),
        ]
    )


def diverse(studio: Studio) -> Image.Image:
    """Four images of a unit, from different noise only, and asked to differ."""
    apart = studio.draw(*map(channel, MANIFOLD), count=4)
    asked = [balance(channel(unit), 0.5 * diversity(unit.partition(":")[0])) for unit in MANIFOLD]
    differ = studio.draw(*asked, count=4)
    rows = []
    for at, unit in enumerate(MANIFOLD):
        own = slice(4 * at, 4 * at + 4)
        rows.append(Row(unit, [*apart[own], *differ[own]], [*["seeds"] * 4, *["diversity"] * 4]))
    return page(rows)


def pairs(studio: Studio) -> Image.Image:
    """Two units, and both in one picture."""
    rows = []
    for first, second in PAIRS:
        drawn = studio.draw(channel(first), joint(first, second), channel(second))
        rows.append(Row("", drawn, (first, "both", second)))
    return page(rows)


def between(studio: Studio) -> Image.Image:
    """Rows from one unit to another, with and without alignment."""
    first, second = ENDS
    titles = [first, *[f"{share} %" for share in (20, 40, 60, 80)], second]
    rows = [
        Row(title, studio.draw(interpolation(first, second, 6, align)), titles)
        for title, align in (("align = 0.2", 0.2), ("align = 0", 0.0))
    ]
    return page(rows)


def directions(studio: Studio) -> Image.Image:
    """Directions of a layer, by the dot product alone and with the cosine."""
    name = MIDDLE.partition(":")[0]
    first, second = (int(unit.partition(":")[2]) for unit in PAIRS[0])
    axes = torch.eye(studio.network.layer(name).channels)
    chosen = {
        f"{first} - {second}": axes[first] - axes[second],
        f"{second} - {first}": axes[second] - axes[first],
        "random": torch.randn(len(axes), generator=torch.Generator().manual_seed(0)),
        "random, another": torch.randn(len(axes), generator=torch.Generator().manual_seed(1)),
    }
    return page(
        [
            Row(f"power = {power:g}", studio.draw(*(direction(name, d, power) for d in chosen.values())), tuple(chosen))
            for power in (0.0, 2.0)
        ]
    )


def photo(studio: Studio) -> Image.Image:
    """A photo inverted, exaggerated, and dreamt on, at three heights."""
    names, size = ("conv2", "inception_3b", "inception_4c"), 128
    cat = load_photo(PHOTO).image
    given = fitted(cat, size)
    rows = [
        Row("inversion", [given, *studio.draw(*(inversion(PHOTO, n) for n in names), size=size, zoom=1)], ()),
        Row("caricature", [given, *studio.draw(*(caricature(PHOTO, n) for n in names), size=size, zoom=1)], ()),
        Row("layer", [given, *studio.draw(*map(layer, names), size=size, steps=48, start=cat, zoom=1)], ()),
    ]
    return page([Row(row.title, row.images, ("photo", *names)) for row in rows])


def images(studio: Studio) -> Image.Image:
    """Ways of writing an image."""
    goals = [channel(unit) for unit in UNITS]
    plain = [channel(unit, slope=None) for unit in UNITS]
    made = [("plain", studio.draw(*plain, images=make_images("plain"), steps=100, transform=none, zoom=1))]
    for name in ("pixels", "pyramid", "fourier", "maco"):
        made.append((name, studio.draw(*goals, images=make_images(name))))
    return turned(UNITS, made)


def colours(studio: Studio) -> Image.Image:
    """Colours that go together as in ImageNet, not at all, and as in other photos."""
    kinds: dict[str, dict[str, Tensor]] = {
        "imagenet": {},
        "none": {"matrix": torch.eye(3)},
        "a folder's": {"matrix": colour_matrix_of(photos_in(studio.photos))},
    }
    goals = [channel(unit) for unit in UNITS]
    made = [(name, studio.draw(*goals, images=make_images("fourier", **options))) for name, options in kinds.items()]
    return turned(UNITS, made)


def transparent(studio: Studio) -> Image.Image:
    """Images with an opacity, at several prices."""
    chosen = (MIDDLE, HIGH, CLASSES[0])
    goals = [channel(MIDDLE), channel(HIGH), class_logit(CLASSES[0])]
    alpha = make_images("fourier", alpha=True)
    made = []
    for price in (0.0, 0.1, 0.3, 1.0):
        drawn = studio.draw(*goals, images=alpha, regularizers=(price * opacity(),) if price else ())
        made.append((f"opacity {price:g}", drawn))
    return turned([studio.name(unit) for unit in chosen], made)


def movements(studio: Studio) -> Image.Image:
    """How images are moved at each step."""
    goals = [channel(unit) for unit in UNITS]
    return turned(UNITS, [(name, studio.draw(*goals, transform=moved)) for name, moved in TRANSFORMS.items()])


def regularizers(studio: Studio) -> Image.Image:
    """Each regulariser at four weights, for two units."""
    goals = [channel(MIDDLE), channel(HIGH)]
    bare = studio.draw(*goals)
    rows = []
    for title, penalty in (("total variation", total_variation()), ("l1", l1()), ("l2", l2())):
        weights = (0.1, 0.3, 1.0)
        drawn = [bare, *(studio.draw(*goals, regularizers=(w * penalty,)) for w in weights)]
        rows.append(Row(title, [made[at] for at in (0, 1) for made in drawn], [f"{w:g}" for w in (0, *weights)] * 2))
    for title, sigmas in (("blur_gradient", (0.5, 1.0, 2.0)), ("blur_image", (0.3, 0.4, 0.5))):
        blurs: list[dict[str, Any]] = [{title: sigma} for sigma in sigmas]
        drawn = [bare, *(studio.draw(*goals, **blur) for blur in blurs)]
        rows.append(Row(title, [made[at] for at in (0, 1) for made in drawn], [f"{s:g} px" for s in (0, *sigmas)] * 2))
    return page(rows)


def defaults(studio: Studio) -> Image.Image:
    """How the defaults came about: one change after the other, from the plain recipe."""
    chosen = (SMOOTH, *UNITS)
    active, mean, leaky = ([channel(unit, slope) for unit in chosen] for slope in (None, 1.0, 0.3))
    grey = torch.eye(3)
    with border_counted_twice():
        made = [
            ("plain", studio.draw(*active, images=make_images("plain"), steps=100, transform=none, zoom=1)),
            ("pixels", studio.draw(*active, images=make_images("pixels", matrix=grey), transform=none)),
            ("Fourier", studio.draw(*active, images=make_images("fourier", matrix=grey), transform=none)),
            ("+ colours", studio.draw(*active, transform=none)),
            ("+ movement", studio.draw(*active)),
            ("mean of z", studio.draw(*mean)),
            ("leaky z", studio.draw(*leaky)),
        ]
    made.append(("once each", studio.draw(*leaky)))
    return turned(chosen, made)


@contextmanager
def border_counted_twice() -> Iterator[None]:
    """Gradients as they were before each pixel counted once (`border_weights`)."""
    with mock.patch("circuits.visualization.optimize.equalize_gradient", return_value=lambda images: images):
        yield


def unbounded(studio: Studio) -> Image.Image:
    """The plain recipe, longer and longer: linear in the pixels, rectified, and some layers above."""
    steps, rows = (0, 1, 10, 100, 1000), []
    options = Options(size=SIZE, steps=steps[-1], images=make_images("plain"), transform=none, zoom=1)
    cases = (
        ("conv1, linear", studio.network, channel("conv1:20", slope=1.0)),
        ("conv1", studio.network, channel("conv1:20", slope=None)),
        ("features.4", studio.squeezenet, channel("features.4:25", slope=None)),
    )
    for title, network, goal in cases:
        [drawn] = visualize(network, [goal], options=options, frames=steps)
        rows.append(Row(title, [frame for _, [frame] in drawn.frames], [f"step {step}" for step, _ in drawn.frames]))
    return page(rows)


def filmstrip(studio: Studio) -> Image.Image:
    """How pictures come about."""
    steps, rows = (0, 4, 8, 16, 32, 64, 128), []
    goals, options = [channel(unit) for unit in UNITS], Options(size=SIZE, steps=steps[-1])
    drawn = visualize(studio.network, goals, options=options, frames=steps)
    for unit, each in zip(UNITS, drawn, strict=True):
        rows.append(Row(unit, [frame for _, [frame] in each.frames], [f"step {step}" for step, _ in each.frames]))
    return page(rows)


SECTIONS: tuple[Callable[[Studio], Image.Image], ...] = (
    googlenet, squeezenet, units, layers, classes, diverse, pairs, between, directions, photo, images, colours,
    transparent, movements, regularizers, defaults, unbounded, filmstrip,
)  # fmt: skip
QUALITY = 82


def save(image: Image.Image, file: Path) -> None:
    """Write a sheet as lossy WebP."""
    data = io.BytesIO()
    image.save(data, "WEBP", quality=QUALITY, method=6)
    write_atomically(file, data.getvalue())


def main(
    out: Path,
    googlenet: Annotated[str, typer.Option(help="FILE.py:NAME of the BVLC GoogLeNet.")],
    weights: Annotated[Path, typer.Option(help="Its weights.")],
    labels: Annotated[Path, typer.Option(help="Its labels.")],
    squeezenet: Annotated[str, typer.Option(help="Weights of squeezenet1_1.")],
    photos: Annotated[Path, typer.Option(help="A folder of photos.")],
    store: Annotated[Path | None, typer.Option(help="Where pictures of the overview are kept.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Sections to make; all of them by default.")] = None,
) -> None:
    """Draw the gallery."""
    console = Console()
    studio = Studio(
        load_network(googlenet, weights=weights, labels=labels),
        load_network("squeezenet1_1", weights=squeezenet),
        PictureStore(store),
        photos,
    )
    out.mkdir(parents=True, exist_ok=True)
    for section in SECTIONS:
        if not only or section.__name__ in only:
            save(section(studio), out / f"{section.__name__}.webp")
            console.print(f"Wrote {out / section.__name__}.webp")


if __name__ == "__main__":
    typer.run(main)
