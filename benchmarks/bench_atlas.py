"""What an atlas costs, and how many photos a class needs.

- rates: one thread, process time, photos of noise in batches of eight. *forward* is the bare forward pass, *links* the
  pass that gives all links and contributions, *class-free* that with what units are made of whatever the class, and
  *all* with the sums; each also as a multiple of the forward pass.
  Networks are given by name, with random weights, or as NAME=WEIGHTS.
- workers: the built-in network over photos in files, from the files to the finished atlas, by who computes it
  (`--engines inline,1,2,ray-2`); the bytes must be the same. Starting a worker takes seconds, so a small folder says
  little.
- agreement: two disjoint sets of photos of a class, and how many of a unit's five strongest links they have in common,
  by the number of photos in each; over the fifty units that contribute most of two layers, and several classes.
- arithmetic: what 1.28 million photos cost at these rates on 16 and on 128 cores. Nobody has run that.

Run it with `python benchmarks/bench_atlas.py [NAME…] --archive tiny-imagenet-100.npz`.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from circuits import Network, build_atlas, load_network
from circuits.atlas.engines import Engine, inline, processes, ray
from circuits.atlas.measure import Sums, links_of_class, matrices_of_class, strongest
from circuits.atlas.work import BATCH, one_thread
from circuits.attribution.links import find_links, with_linked_layers
from circuits.attribution.weight_links import LinkPass
from circuits.image.decode import decode
from training.builtin.classes import CLASSES

NETWORKS = ("builtin", "squeezenet1_1", "googlenet", "resnet18")
LARGE = 1_281_167
"""Photos of ImageNet's training set (ILSVRC 2012)."""
SIZES = (8, 16, 40, 80, 160)
ASKED = 50
"""Units of a layer whose links are compared."""


def network_of(name: str) -> Network:
    named, _, weights = name.partition("=")
    given = {} if named == "builtin" else {"weights": weights or "random"}
    return with_linked_layers(load_network(named, device="cpu", **given))


def seconds(jobs: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Process time of each job in its quickest round; in a round all run in turn, and the first is not timed.

    In turn, because others who use the machine slow down whatever runs just then.
    """
    took = np.empty((rounds + 1, len(jobs)))
    for row in took:
        for place, job in enumerate(jobs):
            begun = time.process_time()
            job()
            row[place] = time.process_time() - begun
    return [float(each) for each in took[1:].min(0)]


def rates(name: str, rounds: int) -> tuple[int, list[float]]:
    """Pairs of linked units, and seconds a photo: forward, with links, with class-free ones too, and with the sums."""
    network = network_of(name)
    links, _ = find_links(network)
    run, free, top = LinkPass(network, links), LinkPass(network, links, class_free=True), network.layers[-1]
    sums = Sums(network.layers, links_of_class(links, top, 0), class_free=True)
    photos = torch.randn(BATCH, 3, *network.preprocessing.size, generator=torch.Generator().manual_seed(0))

    def whole() -> None:
        sums.add(matrices_of_class(free(photos, 0), links, top, 0))

    jobs: tuple[Callable[[], object], ...] = (
        lambda: network.activations(photos, [top]), lambda: run(photos, 0), lambda: free(photos, 0), whole,
    )  # fmt: skip
    return sum(link.rows * link.columns for link in links), [each / BATCH for each in seconds(jobs, rounds)]


class Photos:
    """The photos of Tiny ImageNet, by the classes of the built-in network."""

    def __init__(self, archive: Path) -> None:
        found = np.load(archive)
        self.data, self.offsets = found["jpeg"], found["offsets"]
        names, labels = [str(name) for name in found["names"]], found["labels"]
        self.of = {
            label: np.flatnonzero(np.isin(labels, [names.index(synset) for synset in synsets if synset in names]))
            for label, synsets in CLASSES.items()
        }

    def jpeg(self, number: int) -> bytes:
        """The file of a photo."""
        data: bytes = self.data[self.offsets[number] : self.offsets[number + 1]].tobytes()
        return data

    def inputs(self, network: Network, numbers: np.ndarray) -> Tensor:
        """Some photos as a network sees them."""
        crops = (network.preprocessing.crop(decode(self.jpeg(int(number)), str(number))) for number in numbers)
        return torch.cat([network.preprocessing.from_crop(crop) for crop in crops])


def agreement(photos: Photos, classes: int) -> dict[int, float]:
    """By the number of photos in each of two disjoint sets, the part of the five strongest links that they share."""
    network = network_of("builtin")
    links, _ = find_links(network)
    run = LinkPass(network, links)
    places = [place for place, link in enumerate(links) if link.upper in ("conv6", "conv7")]
    shared: dict[int, list[float]] = {size: [] for size in SIZES}
    for label, numbers in [each for each in photos.of.items() if len(each[1]) >= 2 * max(SIZES)][:classes]:
        chosen = np.random.default_rng(0).permutation(numbers)[: 2 * max(SIZES)]
        batches = [run(photos.inputs(network, some), network.find_class(label)) for some in chosen.reshape(-1, BATCH)]
        for place in places:
            worth = sum((batch.contributions[links[place].upper].sum(0) for batch in batches), torch.zeros(()))
            units = worth.argsort(descending=True)[:ASKED]
            matrices = [batch.links[place][units] for batch in batches]
            for size in SIZES:
                for one, other in _pairs(matrices, size // BATCH):
                    both = (strongest([one])[0] & strongest([other])[0]).sum(1).double() / 5
                    shared[size].append(float(both.mean()))
    return {size: float(np.mean(found)) for size, found in shared.items()}


def _pairs(matrices: list[Tensor], batches: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The sums of disjoint sets of so many batches, two by two."""
    sums = [torch.stack(matrices[at : at + batches]).sum(0) for at in range(0, len(matrices), batches)]
    return zip(sums[::2], sums[1::2], strict=False)


def engine_of(name: str) -> Engine:
    """Who computes: `inline`, a number of processes, or `ray-` and a number of workers of a cluster on this machine."""
    if name == "inline":
        return inline
    if name.startswith("ray-"):
        options = {"num_cpus": int(name.removeprefix("ray-")), "include_dashboard": False, "object_store_memory": 2**27}
        return ray(None, **options)
    return processes(int(name))


def workers(photos: Photos, count: int, names: Sequence[str]) -> dict[str, float]:
    """Wall seconds from the files to the finished atlas, by who computes it; the bytes must be the same."""
    network, load = load_network(device="cpu"), partial(load_network, device="cpu")
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept, "photos")
        for label in ("cat", "dog", "car", "pizza"):
            (folder / label).mkdir(parents=True)
            for number in photos.of[label][: count // 4]:
                (folder / label / f"{number}.jpg").write_bytes(photos.jpeg(int(number)))
        first: list[bytes] = []
        for name in names:
            begun = time.perf_counter()
            build_atlas(network, folder, Path(kept, name), engine=engine_of(name), load=load)
            took[name] = time.perf_counter() - begun
            files = sorted(Path(kept, name).rglob("*.safetensors"))
            found = [file.read_bytes() for file in files]
            first = first or found
            assert found == first, f"{name} has made another atlas"
    return took


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Networks, NAME or NAME=WEIGHTS.")] = None,
    archive: Annotated[Path | None, typer.Option(help="tiny-imagenet-100.npz, for agreement and workers.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds; the quickest counts.")] = 3,
    classes: Annotated[int, typer.Option(help="Classes of which the agreement is told.")] = 8,
    count: Annotated[int, typer.Option(help="Photos in files, for workers.")] = 1024,
    engines: Annotated[
        str, typer.Option(help="Who computes them: inline, numbers of processes, ray-2; with commas between.")
    ] = "inline,1,2",
    only_engines: Annotated[bool, typer.Option("--only-engines", help="Leave out the other tables.")] = False,
) -> None:
    """Print the four tables."""
    console = Console(width=140)
    with one_thread():
        heads = (each for name in ("links", "class-free", "all") for each in (f"{name} ms", "×"))
        table = Table("network", "pairs", "forward ms", *heads, "photos/s")
        costs = {}
        for name in () if only_engines else names or NETWORKS:
            pairs, (forward, *others) = rates(name, rounds)
            costs[name] = others[-1]
            cells = [f"{pairs / 1e6:.2f} M", f"{1e3 * forward:.1f}"]
            cells += [cell for each in others for cell in (f"{1e3 * each:.1f}", f"{each / forward:.2f}")]
            table.add_row(Path(name.partition("=")[0]).name, *cells, f"{1 / others[-1]:.1f}")
        if costs:
            console.print(table)
        if archive is not None and not only_engines:
            photos = Photos(archive)
            table = Table("photos in each set", *map(str, SIZES))
            table.add_row("of 5 links in common", *(f"{found:.0%}" for found in agreement(photos, classes).values()))
            console.print(table)
    table = Table("by arithmetic", "photos", "16 cores", "128 cores")
    for name, cost in costs.items():
        hours = [f"{LARGE * cost / cores / 3600:.1f} h" for cores in (16, 128)]
        table.add_row(Path(name.partition("=")[0]).name, f"{LARGE:,}", *hours)
    if costs:
        console.print(table)
    if archive is not None:
        took = workers(Photos(archive), count, engines.split(","))
        table = Table("atlas of the built-in network", *took)
        table.add_row(f"{count} photos, seconds", *(f"{each:.1f}" for each in took.values()))
        table.add_row("photos a second", *(f"{count / each:.0f}" for each in took.values()))
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
