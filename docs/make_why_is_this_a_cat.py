"""Walk down a network from a class to its first layer, as in "Why is this a cat?" (Cogswell 2016), on one page.

    python docs/make_why_is_this_a_cat.py PHOTO OUT --network FILE.py:NAME --weights googlenet.safetensors \
        --labels classes.tsv [--notes docs/why-is-this-a-cat.toml] [--docs docs]

OUT/index.html is the whole walk: at each step a unit and the five units of the layer below that gave it most, each with
what it looks for, the patch of the photo that it answered to, its pixels as seen from the unit above (relative
pictures), and where it fed that unit. What is seen in them, which are kept, which discarded, and why, is in the notes,
which are written by hand. `--docs` writes the part of it that shows nothing of the photo: `why-is-this-a-cat.md` and
pictures of what the units look for. The notes belong to one network and one photo; where the units are others, that is
said.
"""

import html
import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from rich.console import Console

from circuits import Circuit, Network, Photo, PictureStore, Unit, load_network, load_photo, pictures, trace
from circuits.cli._evidence_layout import Cell, Section, fitted, page, stacked
from circuits.cli._evidence_sheet import held
from circuits.evidence.descent import GradientPicture
from circuits.evidence.maps import edge_maps
from circuits.evidence.saliency import gradient_picture, relative_picture
from circuits.files import write_atomically
from circuits.image.encode import show_map, show_picture
from circuits.report.text import number, percent
from circuits.tracing.edge import Edge
from circuits.tracing.source import input_crop
from circuits.visualization.contact_sheet import box, sheet

TOP = 5
SIZE = 160
HELD = 0.75
FINEST = 28
"""Positions along a side from which on a map of them shows dots too small to be seen."""
NAME = "why-is-this-a-cat"
NOTES = Path(__file__).with_name(f"{NAME}.toml")


@dataclass(frozen=True)
class Step:
    """A unit and those below that gave it most, with what was seen in them.

    Args:
        unit: the unit that is taken apart.
        text: about this step.
        result: what it adds up to, in words.
        words: what each unit below looks like.
        discarded: why some of them were set aside.
    """

    unit: str
    text: str
    result: str
    words: Mapping[str, str]
    discarded: Mapping[str, str]


@dataclass(frozen=True)
class Notes:
    """What was written about a walk.

    Args:
        title: of the page.
        layers: those that the walk goes through.
        opening: paragraphs before the first step.
        steps: from the class down.
        closing: paragraphs after the last.
    """

    title: str
    layers: tuple[str, ...]
    opening: str
    steps: tuple[Step, ...]
    closing: str


def read_notes(file: Path) -> Notes:
    """Read a file of notes."""
    told = tomllib.loads(file.read_text("utf-8"))
    steps = tuple(
        Step(each["unit"], each["text"], each["result"], each.get("kept", {}), each.get("discarded", {}))
        for each in told["step"]
    )
    return Notes(told["title"], tuple(told["layers"]), told["opening"], steps, told["closing"])


class Walk:
    """Everything that is shown about the steps.

    Args:
        network: with the layers of the notes.
        photo: the photo.
        store: where pictures are kept.
    """

    def __init__(self, network: Network, photo: Photo, store: PictureStore) -> None:
        self.network, self.photo, self.store = network, photo, store

    @cached_property
    def crop(self) -> Image.Image:
        """What the network saw."""
        return input_crop(self.network, self.photo)

    def below(self, step: Step) -> Circuit:
        """The step's unit and those that gave it most."""
        return trace(self.network, self.photo, step.unit, depth=1, top=TOP)

    def name(self, unit: str) -> str:
        """A class by its first label, any other unit by its address."""
        return self.network.unit_label(Unit.parse(unit)).partition(",")[0]

    def looks_for(self, units: Sequence[str]) -> list[Image.Image]:
        """Pictures of what units look for."""
        return [picture.image for picture in pictures(self.network, units, store=self.store)]

    def parent(self, step: Step, circuit: Circuit) -> Section:
        """The unit that is taken apart, by itself."""
        signed = gradient_picture(self.network, self.photo, step.unit, method="guided")
        [picture] = self.looks_for([step.unit])
        node = circuit.nodes[circuit.root]
        cells = [Cell(picture, "looks for"), Cell(self.crop, "the photo"), *self._patches(signed)]
        assert node.books is not None
        note = (
            f"value {number(node.value)} · the units below gave it {number(node.books.shown, sign=True)}, "
            f"{percent(node.books.coverage)} of everything that pushed it up or down"
        )
        return Section(self.name(step.unit), note, (tuple(cells),))

    def children(self, step: Step, circuit: Circuit) -> Section:
        """Units of the layer below: what they look for, the patch, its pixels relative to the parent, and where."""
        edges = in_order(step, circuit)
        drawn = self.looks_for([edge.source for edge in edges])
        columns = []
        for edge, picture in zip(edges, drawn, strict=True):
            signed = relative_picture(self.network, self.photo, edge.source, step.unit)
            lower = edge_maps(self.network, self.photo, edge.source, step.unit).lower
            said = "discarded, gave" if edge.source in step.discarded else "gave"
            cells = [
                Cell(picture, edge.source, f"{said} {number(edge.attribution, sign=True)}"),
                *self._patches(signed),
            ]
            if 1 < max(lower.shape) <= FINEST:
                cells.append(Cell(show_map(self.crop, lower, size=SIZE), "where", "teal: for, orange: against"))
            columns.append(cells)
        return Section("The units below that gave it most", "", tuple(zip(*columns, strict=True)))

    def _patches(self, signed: GradientPicture) -> list[Cell]:
        """The part of the photo that holds most of a gradient picture, and the same part of that picture."""
        if not signed.any():
            return [Cell(box(SIZE, "nothing reaches", "the peak above"), title) for title in ("patch", "its pixels")]
        around = held(signed, HELD)
        own = signed[around.top : around.bottom, around.left : around.right]
        return [Cell(self.crop.crop(around.corners), "patch"), Cell(show_picture(own, size=SIZE), "its pixels")]


def in_order(step: Step, circuit: Circuit) -> list[Edge]:
    """The edges below a step's unit, strongest first, but those to what was discarded last."""
    return sorted(circuit.edges_into(circuit.root), key=lambda edge: (edge.source in step.discarded, edge.rank))


def step_sheet(walk: Walk, step: Step, circuit: Circuit) -> Image.Image:
    """All pictures of a step, one below the other."""
    sections = [walk.parent(step, circuit), walk.children(step, circuit)]
    return stacked([page(section, TOP, SIZE) for section in sections])


def synthetic_sheet(walk: Walk, step: Step, circuit: Circuit) -> Image.Image:
    """What the units of a step look for, and nothing of the photo."""
    edges = in_order(step, circuit)
    units = [step.unit, *(edge.source for edge in edges)]
    images = [fitted(image, 128) for image in walk.looks_for(units)]
    gave = [number(edge.attribution, sign=True) for edge in edges]
    kept = [edge.source not in step.discarded for edge in edges]
    captions = ["", *(text if keep else f"{text}, discarded" for text, keep in zip(gave, kept, strict=True))]
    return sheet(images, [walk.name(unit) for unit in units], columns=len(units), captions=captions)


def whole_page(walk: Walk, notes: Notes, folder: Path) -> None:
    """Write `index.html` and its pictures."""
    parts = [f"<h1>{html.escape(notes.title)}</h1>", *paragraphs(notes.opening)]
    for at, step in enumerate(notes.steps, start=1):
        circuit, name = walk.below(step), f"{at:02}.webp"
        save(step_sheet(walk, step, circuit), folder / name)
        parts += [f"<h2>{html.escape(walk.name(step.unit))}</h2>", *paragraphs(step.text)]
        parts.append(f'<img src="{name}" alt="{html.escape(step.unit)} and the units below that gave it most">')
        parts.append(f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines_of(step))}</ul>")
        parts.append(f"<p><b>{html.escape(step.result)}</b></p>")
    parts += paragraphs(notes.closing)
    write_atomically(folder / "index.html", _PAGE.format(title=html.escape(notes.title), body="\n".join(parts)))


def synthetic_page(walk: Walk, notes: Notes, folder: Path) -> None:
    """Write the page that shows nothing of the photo, and its pictures."""
    images = folder / "images" / NAME
    images.mkdir(parents=True, exist_ok=True)
    parts = [f"# {notes.title}", notes.opening.strip()]
    for at, step in enumerate(notes.steps, start=1):
        circuit, name = walk.below(step), f"{at:02}.webp"
        save(synthetic_sheet(walk, step, circuit), images / name)
        books = circuit.nodes[circuit.root].books
        assert books is not None
        parts += [
            f"## {walk.name(step.unit)}",
            step.text.strip(),
            f"![What {step.unit} and the units below that gave it most look for](images/{NAME}/{name})",
            f"These {len(circuit.edges_into(circuit.root))} account for {percent(books.coverage)} of everything that "
            "pushed it up or down.",
            "\n".join(f"- {line}" for line in lines_of(step)),
            f"**{step.result}**",
        ]
    parts.append(notes.closing.strip())
    write_atomically(folder / f"{NAME}.md", "\n\n".join(parts) + "\n")


def lines_of(step: Step) -> list[str]:
    """What was seen in each unit, those kept first."""
    kept = [f"{unit}: {words}" for unit, words in step.words.items()]
    return kept + [f"{unit}, discarded: {why}" for unit, why in step.discarded.items()]


def others(walk: Walk, notes: Notes) -> list[str]:
    """Units that the notes say something about and that are not there, and the other way round."""
    found = []
    for step in notes.steps:
        circuit = walk.below(step)
        there = {edge.source for edge in circuit.edges_into(circuit.root)}
        told = {*step.words, *step.discarded}
        if there != told:
            found.append(f"{step.unit}: notes on {sorted(told)}, but below it are {sorted(there)}.")
    return found


def save(image: Image.Image, file: Path, quality: int = 82) -> None:
    """Write a sheet as lossy WebP."""
    data = io.BytesIO()
    image.save(data, "WEBP", quality=quality, method=6)
    write_atomically(file, data.getvalue())


def paragraphs(text: str) -> list[str]:
    r"""Text with the little Markdown that notes are written in, as HTML.

    >>> paragraphs("## What *not*\n\n**a** `b`")
    ['<h2>What <i>not</i></h2>', '<p><b>a</b> <code>b</code></p>']
    """
    found = []
    for part in text.split("\n\n"):
        line = html.escape(" ".join(part.split()), quote=False)
        for mark, tag in ((r"\*\*", "b"), (r"\*", "i"), ("`", "code")):
            line = re.sub(rf"{mark}(.+?){mark}", rf"<{tag}>\1</{tag}>", line)
        if line:
            found.append(f"<h2>{line[3:]}</h2>" if line.startswith("## ") else f"<p>{line}</p>")
    return found


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{max-width:58rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 sans-serif;color:#1a1a1a}}
img{{max-width:100%;border:1px solid #d6d6d6}}h2{{margin-top:3rem}}</style>
<body>
{body}
</body></html>
"""


def main(
    photo: Annotated[str, typer.Argument(help="The photo that is explained.")],
    out: Annotated[Path, typer.Argument(help="Folder of the whole page, with crops of the photo.")],
    network: Annotated[str, typer.Option(help="A name, or FILE.py:NAME.")],
    weights: Annotated[Path | None, typer.Option(help="Its weights.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Its labels.")] = None,
    notes: Annotated[Path, typer.Option(help="What was seen.")] = NOTES,
    docs: Annotated[Path | None, typer.Option(help="Folder of the page without crops of the photo.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where pictures are kept; the cache by default.")] = None,
) -> None:
    """Walk from a class to the first layer."""
    told = read_notes(notes)
    loaded = load_network(network, weights=weights, labels=labels, layers=told.layers)
    walk = Walk(loaded, load_photo(photo), PictureStore(store))
    console = Console(stderr=True)
    for line in others(walk, told):
        console.print(line, soft_wrap=True)
    out.mkdir(parents=True, exist_ok=True)
    whole_page(walk, told, out)
    console.print(f"Wrote {out / 'index.html'}")
    if docs is not None:
        synthetic_page(walk, told, docs)
        console.print(f"Wrote {docs / NAME}.md")


if __name__ == "__main__":
    typer.run(main)
