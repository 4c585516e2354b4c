"""Options that all commands share which make a circuit, and the files that they write it to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli.console import note, progress
from circuits.cli.files import check_output
from circuits.cli.options import file_option, option
from circuits.cli.values import whole
from circuits.errors import InputError
from circuits.files import write_atomically

if TYPE_CHECKING:
    from circuits.attribution.baseline import Baseline
    from circuits.groups.dictionary import Dictionary
    from circuits.network.network import Network
    from circuits.report.circuit_svg import Looks
    from circuits.tracing.circuit import Circuit

USUAL_DEPTH = 2
"""Layers to walk down, as on the page."""
LINES = 60
"""Of the table, unless all of it is asked for."""
_SIDE = 192
"""Longer side of patches and heat maps in files, in pixels."""

DEPTH = option(None, "Layers to walk down; 2, or one for each number of --top or --groups.", "--depth", min=1, max=2000)
TOP = option(
    None,
    "Units to show below each unit, or one number a level: 8,5,3; by default 5, and of groups all.",
    "--top",
    metavar="N",
)
_CHOSEN = (
    "Which units are chosen: positive (excitatory ones only), or both (inhibitory ones too). With --groups, what is in "
    "no group is shown whatever its sign"
)
SIGNS = option("positive", f"{_CHOSEN}.", "--signs", metavar="SIGNS")
TRACE_SIGNS = option(
    "positive",
    f"{_CHOSEN}, and with --units or --share so is every edge between two chosen units.",
    "--signs",
    metavar="SIGNS",
)
EVERYTHING = option(False, "Print every unit, even if that takes many lines.", "--all")


@dataclass(frozen=True)
class CircuitFiles:
    """The files that a circuit is written to."""

    file: Path | None = file_option("Write the circuit as JSON.", "--output", "-o")
    graphml: Path | None = file_option("Write the circuit as GraphML.")
    html: Path | None = file_option("Write the circuit as one HTML page.")
    svg: Path | None = file_option("Write the circuit as a drawing.")
    pictures: bool = option(True, "Draw what each unit looks for, for --html and --svg.", "--pictures/--no-pictures")

    @property
    def show_units(self) -> bool:
        """Whether one of them shows what units look like."""
        return bool(self.html or self.svg)

    @property
    def show_pictures(self) -> bool:
        """Whether one of them shows what units look for."""
        return self.pictures and self.show_units

    def __iter__(self) -> Iterator[Path]:
        return (path for path in (self.file, self.graphml, self.html, self.svg) if path is not None)

    def check(self) -> None:
        """Refuse them before there is anything to write, if one cannot be written, or two are the same."""
        others = {".html": "--html", ".htm": "--html", ".graphml": "--graphml", ".svg": "--svg"}
        rather = others.get(self.file.suffix.lower(), "") if self.file else ""
        check_output("--output", self.file, "JSON", (".json",), rather)
        check_output("--graphml", self.graphml, "GraphML", (".graphml", ".xml"))
        check_output("--html", self.html, "a page", (".html", ".htm"))
        check_output("--svg", self.svg, "a drawing", (".svg",))
        paths = list(self)
        if len({path.resolve() for path in paths}) < len(paths):
            raise InputError(f"Two outputs have the same name, {paths[0]}; give each its own.")

    def write(self, circuit: "Circuit", looks: "Looks") -> None:
        """Write those that `check` has let pass, and say so."""
        if self.show_units:
            from circuits.report.circuit import page_of
            from circuits.report.circuit_svg import svg_file

        for path, write in (
            (self.file, circuit.to_json),
            (self.graphml, circuit.to_graphml),
            (self.html, lambda path: write_atomically(path, page_of(circuit, looks))),
            (self.svg, lambda path: write_atomically(path, svg_file(circuit, looks))),
        ):
            if path is not None:
                write(path)
                note(f"Wrote {path}.")


def groups_of(network: "Network", text: str) -> "int | tuple[int, ...] | Mapping[str, Dictionary]":
    """How many groups each layer has, or the groups of a file."""
    numbers = [whole(part) for part in text.split(",")]
    found = tuple(number for number in numbers if number is not None)
    if len(found) == len(numbers):
        return found[0] if len(found) == 1 else found
    if not Path(text).suffix:
        raise InputError(
            f"--groups {text!r} is no number of groups; give one such as 8, one for each level such as 8,12, or a "
            ".safetensors file of groups."
        )
    from circuits.groups.storage import load_groups

    return load_groups(text, network)


def baseline_of(network: "Network", name: str, exemplars: Path | None = None) -> "Baseline | None":
    """`None` for zero, and for `mean` the mean over the newest index of exemplars or the network's atlas."""
    if name == "zero":
        return None
    if name != "mean":
        raise InputError(f"--baseline {name!r} does not exist; write zero or mean.")
    from circuits.atlas.means import mean_at_hand

    mean = mean_at_hand(network, exemplars)
    if mean is None:
        where = f" in {exemplars}" if exemplars is not None else ""
        raise InputError(
            f"There is no index of exemplars of {network.name}{where} to take means over; make one with "
            "`circuits exemplars FOLDER` and the same network, or leave out --baseline mean."
        )
    return mean


def with_looks(network: "Network", circuit: "Circuit", looks: "Looks", *, pictures: bool) -> "Looks":
    """What the units of a circuit can show in a file: their patches, heat maps and, where wanted, pictures.

    What is in no group has no picture.

    Args:
        network: the network.
        circuit: the circuit.
        looks: which of them they show first.
        pictures: whether to draw what they look for; takes a while.
    """
    from circuits.evidence.patches import patches_and_maps
    from circuits.tracing.groups import subject_of

    nodes = [circuit.nodes[name] for name in circuit.visible]
    if circuit.photo is not None:
        made = list(patches_and_maps(network, circuit, [node.unit for node in nodes], side=_SIDE))
        patches, maps = ({node.id: pair[at] for node, pair in zip(nodes, made, strict=True)} for at in (0, 1))
        looks = replace(looks, patch=patches, heat=maps)
    if not pictures:
        return looks
    from circuits.visualization.store import pictures as pictures_of

    subjects = {node.id: subject for node in nodes if (subject := subject_of(circuit, node.id)) is not None}
    root = circuit.nodes[circuit.root]
    subjects |= {root.id: root.channel}  # which may be a neuron, drawn as such
    with progress("Rendering pictures") as report:
        drawn = pictures_of(network, list(subjects.values()), progress=report)
    found = {name: picture.image for name, picture in zip(subjects, drawn, strict=True) if not picture.dead}
    return replace(looks, picture=found)
