"""The tools that are compared, each at its best on the same prepared network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from circuits import Readout
from circuits.attribution.modes import attribute
from circuits.network.execute import execute
from peers.job import Job, Scores, Tool, marker, summed, with_markers

BATCH = 8
"""Units that captum takes at once; of 4, 8, 16, 32 and 64 it is fastest with 8 on squeezenet1_1."""
CRP_BATCH = 16
"""Units that zennit-crp takes at once: what its attribution graph takes by default."""


def circuits(job: Job) -> Callable[[], Scores]:
    """One forward pass, then the units of each layer through the segment below it: what `trace` does."""

    def run() -> Scores:
        activations = job.network.activations(job.image)
        scores: Scores = {}
        for (upper, lower), channels in job.groups.items():
            segment = job.network.segment(lower, upper)
            found = attribute("sum", segment, activations[lower], map(Readout.of_unit, channels))
            scores |= {(upper, channel): row for channel, row in zip(channels, found, strict=True)}
        return scores

    return run


def treevis(job: Job) -> Callable[[], Scores]:
    """Our own reimplementation of what cnn_treevis does (Cogswell 2016), with PyTorch in the place of Caffe.

    One forward pass that is kept. For each unit the gradient of its summed map is passed back, through all that lies
    between its layer and the one below, and multiplied by the activation there.
    """
    traced = job.network.traced
    wanted = {layer for pair in job.groups for layer in pair}
    nodes = {name: job.network.layer(name).node for name in wanted}
    start = next(node for node in traced.graph.nodes if node.op == "placeholder")

    def run() -> Scores:
        image = job.image.contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.enable_grad():
            values = execute(traced, {start: image}, list(nodes.values()))
        kept = {name: values[node] for name, node in nodes.items()}
        scores: Scores = {}
        for upper, lower, channel in job.parents:
            (gradient,) = torch.autograd.grad(kept[upper][:, channel].sum(), kept[lower], retain_graph=True)
            scores[upper, channel] = summed((kept[lower] * gradient).detach())[0]
        return scores

    return run


def captum(job: Job) -> Callable[[], Scores]:
    """Captum's `LayerGradientXActivation`: the network cut above each layer, its units in batches."""
    from captum.attr import LayerGradientXActivation

    explainers = {}
    for upper, lower in job.groups:
        graph = with_markers(job.network, upper)
        explainers[upper] = LayerGradientXActivation(_Sum(graph), getattr(graph, marker(lower)))

    def run() -> Scores:
        scores: Scores = {}
        for (upper, _), channels in job.groups.items():
            for start in range(0, len(channels), BATCH):
                some = channels[start : start + BATCH]
                batch = job.image.expand(len(some), -1, -1, -1)
                found = summed(explainers[upper].attribute(batch, target=some).detach())
                scores |= {(upper, channel): row for channel, row in zip(some, found, strict=True)}
        return scores

    return run


class _Sum(nn.Module):
    """Sums each channel over space, which is the number that captum is asked to explain."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return summed(self.body(x))


def crp(job: Job) -> Callable[[], Scores]:
    """What zennit-crp's `AttributionGraph` runs for a level: `CondAttribution.generate`, the units as its conditions.

    With plain gradients (no composite), from ones at the units' layer, times the activations: the same formula as ours.
    The graph itself starts each level in the same way, but again for every parent that a unit has; here once.
    """
    from crp.attribution import CondAttribution

    attribution = CondAttribution(with_markers(job.network))

    def run() -> Scores:
        scores: Scores = {}
        for (upper, lower), channels in job.groups.items():
            image = job.image.clone().requires_grad_()
            conditions = [{marker(upper): [channel]} for channel in channels]
            found = attribution.generate(
                image, conditions, record_layer=[marker(lower)], start_layer=marker(upper), init_rel=torch.ones_like,
                batch_size=CRP_BATCH, exclude_parallel=False, verbose=False,
            )  # fmt: skip
            rows = [summed(some.activations[marker(lower)] * some.relevances[marker(lower)]) for some in found]
            scores |= {(upper, channel): row for channel, row in zip(channels, torch.cat(rows), strict=True)}
        return scores

    return run


TOOLS: dict[str, Tool] = {"circuits": circuits, "treevis": treevis, "captum": captum, "crp": crp}
