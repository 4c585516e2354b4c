"""How fast a circuit is traced, and in how much memory, against other tools that do the same job.

Every tool gets the same prepared network, the same photo, and the units that the circuit expands, and gives the share
of every channel of the layer below in each of them. The results are checked to be equal. Weights are random and the
photo is noise; with `--photos FOLDER` batch norms are calibrated on photos and one of them is explained, and
`--networks NAME=FILE` takes trained weights.

- treevis: our reimplementation of cnn_treevis' procedure, one forward pass that is kept and a pass back a unit;
- captum: `LayerGradientXActivation` on the network cut above the units' layer, units in batches;
- crp: zennit-crp's `CondAttribution.generate`, which its attribution graph runs on, with plain gradients;
- circuits: `trace`'s own work, one forward pass and the units of each layer together.

Each runs in a process of its own. `--by-turns` runs ours and treevis by turns in one process instead, and compares
their processor time, so that what else runs on the machine hardly counts.

Run it with `python benchmarks/bench_trace.py`; it needs `pip install -e '.[benchmark]'` and a Linux system, which says
how much memory a process took at most.
"""

import time

import torch
from peers.job import Job, check_same, find_parents, load, make_job
from peers.measuring import flops_of, forget_peak, least_seconds, median_seconds, memory_mib, peak_flops
from peers.processes import ask, run_benchmark
from peers.tools import TOOLS, circuits, treevis
from rich.console import Console
from rich.table import Table

BY_TURNS = "by turns"
TURNS = ("forward", "circuits", "treevis")
NETWORKS = "vgg16,googlenet,resnet18,resnet50"


def measure(
    tool: str, name: str, photos: str, parents: list[tuple[str, str, int]], repeats: int, within: float
) -> dict[str, float]:
    """Seconds and MiB of one tool on one job; its results are checked against ours."""
    job = make_job(name, photos, tuple((upper, lower, channel) for upper, lower, channel in parents))
    if tool == BY_TURNS:
        return alternate(job, repeats)
    run = TOOLS[tool](job)
    forget_peak()
    held = memory_mib()
    start = time.perf_counter()
    scores = run()
    seconds = time.perf_counter() - start
    peak = memory_mib(what="VmHWM")
    if seconds < within:  # what takes longer is run once: warming up is nothing to it
        seconds = median_seconds(run, at_most=repeats, within=within)
    ours = circuits(job)
    found: dict[str, float] = {"seconds": seconds, "held": held, "peak": peak, "difference": check_same(ours(), scores)}
    if tool == "circuits":
        found["forward"] = median_seconds(lambda: job.network.activations(job.image), at_most=repeats, within=within)
        found["flops"], found["forward_flops"] = flops_of(run), flops_of(lambda: job.network.activations(job.image))
        found["peak_flops"] = peak_flops()
    return found


def alternate(job: Job, repeats: int) -> dict[str, float]:
    """Least processor time of the forward pass, of ours and of treevis, by turns."""
    works = [lambda: job.network.activations(job.image), circuits(job), treevis(job)]
    times = least_seconds(works, repeats)
    return {"difference": check_same(works[1](), works[2]()), **dict(zip(TURNS, times, strict=True))}


def main(
    depth: int = 6,
    top: int = 5,
    repeats: int = 9,
    networks: str = NETWORKS,
    tools: str = ",".join(TOOLS),
    within: float = 5.0,
    threads: int = torch.get_num_threads(),
    photos: str = "",
    by_turns: bool = False,
) -> None:
    """Print the tables; `--within` is how many seconds of further runs each tool gets after its first."""
    chosen = tools.split(",")
    console = Console(width=118)
    if by_turns:
        turns = Table(title=f"Depth {depth}, top {top}, {threads} threads: least processor time, ms")
        for column in ("network", "units", *TURNS, "× treevis", "difference"):
            turns.add_column(column, justify="right")
        for name in networks.split(","):
            parents = find_parents(*load(name, photos), depth, top)
            row = ask(__file__, threads, BY_TURNS, name, photos, parents, repeats, within)
            cells = [f"{1000 * row[key]:.0f}" for key in TURNS]
            cells += [f"{row['treevis'] / row['circuits']:.1f}", f"{row['difference']:.0e}"]
            turns.add_row(name.partition("=")[0], str(len(parents)), *cells)
        console.print(turns)
        return
    times = Table(title=f"Depth {depth}, top {top}, {threads} threads: median ms (peak MiB over what was loaded)")
    work = Table(title="How far from the convolution peak of the same run")
    for column in ("network", "units", "forward", *chosen, *(f"× {tool}" for tool in chosen if tool != "circuits")):
        times.add_column(column, justify="right")
    for column in ("network", "GFLOP forward", "GFLOP expansions", "GFLOP/s at peak", "ms at peak", "ms", "ratio"):
        work.add_column(column, justify="right")
    for name in networks.split(","):
        parents = find_parents(*load(name, photos), depth, top)
        found = {}
        for tool in chosen:
            found[tool] = ask(__file__, threads, tool, name, photos, parents, repeats, within)
            Console(stderr=True).print(name, tool, found[tool])
        ours = found["circuits"]
        cells = [f"{1000 * row['seconds']:.0f} ({row['peak'] - row['held']:.0f})" for row in found.values()]
        ratios = [f"{row['seconds'] / ours['seconds']:.1f}" for tool, row in found.items() if tool != "circuits"]
        times.add_row(name, str(len(parents)), f"{1000 * ours['forward']:.0f}", *cells, *ratios)
        least = 1000 * ours["flops"] / ours["peak_flops"]
        giga = [ours["forward_flops"], ours["flops"] - ours["forward_flops"], ours["peak_flops"]]
        work.add_row(
            name, *(f"{each / 1e9:.1f}" for each in giga), f"{least:.1f}", f"{1000 * ours['seconds']:.1f}",
            f"{1000 * ours['seconds'] / least:.1f}",
        )  # fmt: skip
    console.print(times)
    console.print(work)


if __name__ == "__main__":
    run_benchmark(main, measure)
