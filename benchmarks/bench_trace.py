"""How fast a circuit is traced: against the plain way, and against captum at its best, with the same results.

Everything is measured in one run, on the same networks (random weights), the same photo and the same parents:

- plain: for each parent a full forward pass and a backward pass to the layer below, as a script with hooks would;
- captum: `LayerGradientXActivation` on the network cut above the parents' layer, the parents of a layer in batches;
- ours: `trace`'s own work, one forward pass of the photo and each expansion through its sliced segment.

Run it with `python benchmarks/bench_trace.py`, which needs `pip install -e '.[benchmark]'`.
"""

import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import typer
from captum.attr import LayerGradientXActivation
from rich.console import Console
from rich.table import Table
from torch import Tensor, fx, nn

from circuits import Network, Photo, Readout, load_network, load_photo, trace
from circuits.attribution import attribute

Parents = list[tuple[str, str, int]]
Scores = dict[tuple[str, int], Tensor]

BATCH = 8
"""Parents that captum takes at once; of 4, 8, 16, 32 and 64 it is fastest with 8 on squeezenet1_1."""


def find_parents(network: Network, photo: Photo, depth: int, top: int) -> Parents:
    """(upper, lower, channel) of every unit that the circuit of this depth and width expands."""
    circuit = trace(network, photo, depth=depth, top=top)
    parents: Parents = []
    for node in circuit.nodes.values():
        lower = network.below(node.unit.layer)
        if node.expanded and lower is not None:
            parents.append((node.unit.layer, lower, node.unit.channel))
    return parents


def ours(network: Network, image: Tensor, parents: Parents) -> Scores:
    """One forward pass, then the parents of each layer through the segment below it, sliced for each."""
    activations = network.activations(image)
    scores: Scores = {}
    for upper, lower in dict.fromkeys((upper, lower) for upper, lower, _ in parents):
        channels = [channel for above, _, channel in parents if above == upper]
        readouts = map(Readout.of_unit, channels)
        found = attribute("sum", network.segment(lower, upper), activations[lower], readouts)
        scores |= {(upper, channel): row for channel, row in zip(channels, found, strict=True)}
    return scores


def plain(module: nn.Module, names: dict[str, str], image: Tensor, parents: Parents) -> Scores:
    """A full forward and backward pass a parent, activations kept by hooks, parameters as they are."""
    scores: Scores = {}
    modules = dict(module.named_modules())
    for upper, lower, channel in parents:
        kept: dict[str, Tensor] = {}
        hooks = [modules[names[layer]].register_forward_hook(partial(_keep, kept, layer)) for layer in (upper, lower)]
        module.zero_grad()
        module(image)
        for hook in hooks:
            hook.remove()
        kept[lower].retain_grad()
        kept[upper][:, channel].sum().backward()
        gradient = kept[lower].grad
        assert gradient is not None
        scores[upper, channel] = (kept[lower] * gradient).detach().flatten(2).sum(2)[0]
    return scores


def _keep(kept: dict[str, Tensor], layer: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
    kept[layer] = output


def with_captum(network: Network, cut: dict[str, fx.GraphModule], image: Tensor, parents: Parents) -> Scores:
    """Captum at its best: the network cut above the upper layer, one call a layer with its parents as a batch."""
    scores: Scores = {}
    for upper, lower in dict.fromkeys((upper, lower) for upper, lower, _ in parents):
        channels = [channel for above, _, channel in parents if above == upper]
        graph = cut[upper]
        explain = LayerGradientXActivation(_Sum(graph), getattr(graph, _marker(lower)))
        for start in range(0, len(channels), BATCH):
            some = channels[start : start + BATCH]
            batch = image.expand(len(some), -1, -1, -1)
            found = explain.attribute(batch, target=some).detach().flatten(2).sum(2)
            scores |= {(upper, channel): row for channel, row in zip(some, found, strict=True)}
    return scores


class _Sum(nn.Module):
    """Sums each channel over space, which is the number that captum is asked to explain."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return y.flatten(2).sum(2) if y.dim() > 2 else y


def _marker(layer: str) -> str:
    return "at_" + layer.replace(".", "_")


def cut_networks(network: Network) -> dict[str, fx.GraphModule]:
    """For each layer the prepared network cut above it, with an identity module at every layer for captum to watch."""
    cuts: dict[str, fx.GraphModule] = {}
    for top in network.layers[1:]:
        graph = fx.Graph()
        copied: dict[fx.Node, fx.Node] = {}
        known = {layer.node: layer.name for layer in network.found}
        body = nn.Module()
        for name, module in network.traced.named_children():
            body.add_module(name, module)
        for node in network.traced.graph.nodes:
            copied[node] = graph.node_copy(node, copied.__getitem__)
            if node in known:
                body.add_module(_marker(known[node]), nn.Identity())
                copied[node] = graph.call_module(_marker(known[node]), (copied[node],))
            if node is network.layer(top).node:
                graph.output(copied[node])
                break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cuts[top] = fx.GraphModule(body, graph)
    return cuts


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median time of some work, after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def compare(name: str, depth: int, top: int, repeats: int) -> tuple[int, float, float, float, float]:
    """Parents, and the medians of plain, captum, ours and one forward pass, in ms; the results are checked equal."""
    import torchvision

    network = load_network(name, weights="random")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        module = torchvision.models.get_model(name, weights=None, **options).eval()
    for child in module.modules():
        if hasattr(child, "inplace"):
            child.inplace = False
    names = {layer: layer for layer in network.layers if layer in dict(module.named_modules())}
    names |= {layer: "classifier" for layer in network.layers if layer not in names}
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    photo = load_photo(noise, name="noise")
    image = network.preprocessing.to_tensor(photo.image)
    parents = find_parents(network, photo, depth, top)
    cut = cut_networks(network)
    results = ours(network, image, parents), plain(module, names, image, parents)
    for other in (results[1], with_captum(network, cut, image, parents)):
        for key, mine in results[0].items():
            scale = float(mine.abs().max())
            torch.testing.assert_close(mine, other[key], rtol=1e-3, atol=1e-4 * scale)
    fast = max(3 * repeats, 10)
    return (
        len(parents),
        median_ms(lambda: plain(module, names, image, parents), repeats),
        median_ms(lambda: with_captum(network, cut, image, parents), repeats),
        median_ms(lambda: ours(network, image, parents), fast),
        median_ms(lambda: network.activations(image), fast),
    )


def main(depth: int = 6, top: int = 5, repeats: int = 5, networks: str = "squeezenet1_1,googlenet") -> None:
    """Print the table."""
    console = Console(width=110)
    threads = torch.get_num_threads()
    table = Table(title=f"Expanding a circuit of depth {depth}, top {top}; {threads} threads; median in ms")
    for column in ("network", "parents", "plain", "captum", "circuits", "of it forward", "× plain", "× captum"):
        table.add_column(column, justify="right")
    for name in networks.split(","):
        count, slow, peer, fast, forward = compare(name, depth, top, repeats)
        times = [f"{slow:.0f}", f"{peer:.0f}", f"{fast:.1f}", f"{forward:.1f}"]
        table.add_row(name, str(count), *times, f"{slow / fast:.1f}", f"{peer / fast:.1f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
