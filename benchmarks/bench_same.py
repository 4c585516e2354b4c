"""Whether our edges are captum's numbers, on real architectures with random weights.

- `sum` against `LayerGradientXActivation` on the network from the image up, summed over space;
- `ig` against `LayerIntegratedGradients` on the segment between the two layers, from a lower layer that is zero, with
  the same quadrature (Gauss-Legendre, 32 points), summed over space. Captum's way goes from the layer's activation for
  one image to that for another; no image makes a layer zero, so the segment is given to it as the whole network.

The difference of a share is given as a part of the largest share of its unit. Run it with
`python benchmarks/bench_same.py`, which needs `pip install -e '.[benchmark]'`.
"""

import torch
import typer
from peers.job import Job, check_same, find_parents, load, make_job
from peers.same import captum_integrated
from peers.tools import captum, circuits
from rich.console import Console
from rich.table import Table

from circuits import Readout
from circuits.attribution.gradient import integrated_gradients

STEPS = 32


def integrated_difference(job: Job) -> float:
    """The largest difference of `ig`, as a part of the largest share of its unit."""
    activations = job.network.activations(job.image)
    worst = 0.0
    for upper, lower, channel in job.parents:
        segment = job.network.segment(lower, upper)
        mine = integrated_gradients(segment, activations[lower], Readout.of_unit(channel), steps=STEPS)
        theirs = captum_integrated(segment, activations[lower], channel, STEPS)
        scale = float(mine.abs().max().clamp_min(1e-30))
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4 * scale)
        worst = max(worst, float((mine - theirs).abs().max()) / scale)
    return worst


def main(networks: str = "squeezenet1_1,googlenet,resnet18", depth: int = 4, top: int = 3) -> None:
    """Print the table."""
    table = Table(title=f"Largest difference from captum, circuits of depth {depth}, top {top}, float32")
    for column in ("network", "units", "sum", "ig"):
        table.add_column(column, justify="right")
    for name in networks.split(","):
        job = make_job(name, "", find_parents(*load(name), depth, top))
        summed = check_same(circuits(job)(), captum(job)())
        table.add_row(name, str(len(job.parents)), f"{summed:.1e}", f"{integrated_difference(job):.1e}")
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
