"""How time and memory grow with depth, top, the size of the image and the network, of what `trace` does.

Each row is a process of its own, with random weights and a photo of noise: the median time of the whole trace, that of
its forward pass, of the units' shares per unit, the slowest single expansion (one unit alone, with nothing prepared),
and the most memory in RAM that the process held. Run it with `python benchmarks/bench_scaling.py` (Linux).
"""

import time

import torch
from peers.job import noise_photo
from peers.measuring import median_seconds, memory_mib
from peers.processes import ask, run_benchmark
from rich.console import Console
from rich.table import Table

from circuits import Readout, load_network, trace
from circuits.attribution.gradient import gradient_times_activation

NETWORKS = (
    "squeezenet1_1,alexnet,shufflenet_v2_x1_0,mobilenet_v2,resnet18,googlenet,densenet121,resnet50,vgg16,"
    "convnext_tiny,resnet152"
)


def measure(name: str, depth: int, top: int, size: int | None, within: float) -> dict[str, float]:
    """What one row holds: seconds, units and MiB."""
    network = load_network(name, weights="random", **({} if size is None else {"size": size}))
    photo = noise_photo()
    loaded = memory_mib(what="VmHWM")
    circuit = trace(network, photo, depth=depth, top=top)
    peak = memory_mib(what="VmHWM")
    whole = median_seconds(lambda: trace(network, photo, depth=depth, top=top), at_most=5, within=within)
    image = network.preprocessing.to_tensor(photo.image)
    forward = median_seconds(lambda: network.activations(image), at_most=5, within=within)
    units = sum(node.expanded for node in circuit.nodes.values())
    slowest = 0.0
    activations = network.activations(image)
    for lower, upper in zip(network.layers, network.layers[1:], strict=False):
        begin = time.perf_counter()
        gradient_times_activation(network.segment(lower, upper), activations[lower], Readout.of_unit(0))
        slowest = max(slowest, time.perf_counter() - begin)
    return {"units": units, "whole": whole, "forward": forward, "slowest": slowest, "loaded": loaded, "peak": peak}


def main(
    networks: str = NETWORKS,
    depths: str = "2,4,6,8",
    tops: str = "3,5,10,20",
    sizes: str = "224,448,896",
    within: float = 1.0,
    threads: int = torch.get_num_threads(),
) -> None:
    """Print the table: networks at depth 6 and top 5, then one of depth, top and size at a time."""
    cases: list[tuple[str, int, int, int | None]] = [(name, 6, 5, None) for name in networks.split(",") if name]
    cases += [("resnet18", int(depth), 5, None) for depth in depths.split(",") if depth]
    cases += [("resnet18", 6, int(top), None) for top in tops.split(",") if top]
    cases += [("resnet18", 6, 5, int(size)) for size in sizes.split(",") if size]
    table = Table(title=f"Tracing, {threads} threads")
    titles = "network,depth,top,size,units,trace ms,forward ms,ms a unit,slowest alone ms,loaded MiB,peak MiB"
    for column in titles.split(","):
        table.add_column(column, justify="right")
    for name, depth, top, size in cases:
        found = ask(__file__, threads, name, depth, top, size, within)
        Console(stderr=True).print(name, depth, top, size, found)
        each = 1000 * (found["whole"] - found["forward"]) / found["units"]
        table.add_row(
            name, str(depth), str(top), str(size or ""), str(found["units"]), f"{1000 * found['whole']:.0f}",
            f"{1000 * found['forward']:.0f}", f"{each:.1f}", f"{1000 * found['slowest']:.0f}",
            f"{found['loaded']:.0f}", f"{found['peak']:.0f}",
        )  # fmt: skip
    Console(width=118).print(table)


if __name__ == "__main__":
    run_benchmark(main, measure)
