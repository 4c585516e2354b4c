"""What every classifier must pass, in one function; the tests and the tables of the docs both call it.

1. It loads by its name with random weights. A second one, none of whose weights, biases and statistics are trivial, is
   prepared, and puts out what the original does.
2. Its circuit for a photo is traced to depth 5. In each layer one unit is expanded the plain way as well: the whole
   network is run, nothing cut, sliced or batched, and one gradient taken.
3. The books are kept in float64: where a layer is told piecewise linear, what no unit accounts for is the effective
   biases alone, computed independently; where it is not, it is more, and is called the remainder.
4. So they are with the layers of `fine`, in one layer above several others, where there is one; there the edges are
   compared with what each tensor that is a layer is handed, when it is held as a number of its own.
5. A unit each of the lowest, a middle and the highest layer is drawn; the circuit goes out to a file and comes back.
"""

import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import fx, nn
from torchvision import models

from circuits import Circuit, Network, Settings, Unit, expand, load_network, load_photo, render, trace
from circuits.attribution.gradient import Readout, gradient_times_activation
from circuits.errors import InputError
from circuits.network.token_moves import TOKENS as TOKEN_STEPS
from circuits.tracing.run import ForwardCache
from tests.support import reference
from tests.support.branched import Blocked
from tests.support.nets import CLASSES, difference, image_for, ready, seeded, zoo

NAMES = tuple(models.list_models(module=models))
SMALLEST = {
    "AlexNet": "alexnet",
    "ConvNeXt": "convnext_tiny",
    "DenseNet": "densenet121",
    "EfficientNet": "efficientnet_b0",
    "GoogLeNet": "googlenet",
    "Inception v3": "inception_v3",
    "MaxViT": "maxvit_t",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3": "mobilenet_v3_small",
    "RegNetY": "regnet_y_400mf",
    "ResNet": "resnet18",
    "ResNeXt": "resnext50_32x4d",
    "ShuffleNetV2": "shufflenet_v2_x0_5",
    "SqueezeNet": "squeezenet1_1",
    "Swin": "swin_t",
    "Swin V2": "swin_v2_t",
    "VGG with batch norm": "vgg11_bn",
}
"""The smallest of each family of torchvision that is built in another way; its siblings are among those that are slow.

Wide ResNets are ResNeXts without groups, RegNetX is RegNetY without squeezing, VGG that without batch norm, and MNASNet
and EfficientNetV2 are put together from the blocks of MobileNetV2 and EfficientNet.
"""
NOT_RUN = ("vit_h_14",)
"""Those of which the checks cannot be finished; the page says "not run", and why."""
TOKENS = "rows of tokens"
BY_NAME = ("alexnet", "resnet18", "squeezenet1_1", "swin_t")
"""Those that are also loaded as wide as they are, by name, where time is short."""
DEPTH = 5
_SAME = 1e-4
_CLOSED = 1e-9


@dataclass(frozen=True)
class Found:
    """What was seen of a network that passed.

    Args:
        layers: its names, from the image up.
        fine: how many layers there are down to the branches.
        exact: how many layers above the lowest have books that close with biases alone.
        output: largest difference of its outputs from the original's, relative.
        gradient: the same of its edges from the plain gradient's.
        books: of the value from shares and effective biases, where these are all, in float64; `None` if not summed.
    """

    layers: tuple[str, ...]
    fine: int
    exact: int
    output: float
    gradient: float
    books: float | None


def side_of(name: str, *, narrow: bool = False) -> int:
    """A small input side that the architecture takes; MaxViT's windows of 7 by 7 divide no smaller one than 224."""
    fixed = {"inception_v3": 80, "maxvit_t": 64 if narrow else 224}
    return fixed.get(name, 224 if name.startswith("vit_") else 64)


def check(name: str, *, narrow: bool = False) -> Found:
    """Put a torchvision classifier through everything.

    Args:
        name: as torchvision lists it.
        narrow: whether the wide heads of alexnet and vgg, and MaxViT's windows, are made narrow, to save time.

    Raises:
        AssertionError: if something does not hold.
    """
    found = check_module(name, zoo(name, narrow=narrow), side_of(name, narrow=narrow))
    if not narrow or name in BY_NAME:
        assert loaded_layers(name, side_of(name)) == found.layers
    return found


def check_module(name: str, module: nn.Module, side: int) -> Found:
    """Put a module with weights, biases and statistics of which none is trivial through everything.

    Args:
        name: what errors call it.
        module: in eval mode; its batch norms are calibrated.
        side: of the photos that it is shown.

    Raises:
        AssertionError: if something does not hold.
        InputError: if it is refused.
    """
    calibrate(module, side)
    network = ready(module, side, name=name, check=False)
    image = image_for(network)
    with torch.no_grad():
        given = module(image)
        output = difference(network.logits(image), given if isinstance(given, torch.Tensor) else given.logits)
    assert output <= _SAME, f"{name}: the output changed by {output:.1e}"
    circuit = trace(network, load_photo("example:cat"), depth=DEPTH, top=(3, 2, 1, 1, 1), signs="both")
    of_tokens = any(layer.node.target in TOKEN_STEPS for layer in network.layer_list)
    gradient = (_compare_with_slow_definition if of_tokens else _compare_with_plain_gradient)(network, circuit)
    _check_pictures(network)
    _check_file(network, circuit)
    exact = sum(layer.piecewise_linear for layer in network.layer_list[1:])
    if of_tokens:
        double(network.traced)
    books = None if of_tokens else _check_books(network, circuit)
    return Found(network.layers, _check_fine(network), exact, output, gradient, books)


def row(name: str, check: Callable[[str], Found] = check) -> str:
    """Put one network through everything; its row of a table in docs/networks.md.

    Raises:
        AssertionError: if something does not hold.
    """
    try:
        found = check(name)
    except InputError as error:
        why = next((sentence for sentence in (TOKENS, "no layer") if sentence in str(error)), None)
        if why is None:
            raise
        return f"| `{name}` | | | | | | | | refused: {why} |"
    ends = f"`{found.layers[0]}` … `{found.layers[-1]}`"
    books = ("–" if found.books is None else _short(found.books)) if found.exact else "remainder"
    exact = f"{found.exact} of {len(found.layers) - 1}"
    measured = f"{_short(found.output)} | {_short(found.gradient)} | {books}"
    return f"| `{name}` | {len(found.layers)} | {ends} | {found.fine} | {exact} | {measured} | works |"


def row_not_run(name: str) -> str:
    """The row of a network that was not put through anything."""
    return f"| `{name}` | | | | | | | | not run |"


def _short(number: float) -> str:
    return f"{number:.0e}" if number else "0"


def known_rows(page: str) -> dict[str, str]:
    """The rows of docs/networks.md, by network."""
    return {found[1]: found[0] for found in re.finditer(r"^\| `([\w.: ]+)` \|.*$", page, flags=re.MULTILINE)}


def loaded(name: str, side: int) -> Network:
    """A torchvision classifier that is loaded by its name, with random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = [f"class {number}" for number in range(CLASSES)]
        return load_network(name, weights="random", labels=labels, size=side)


def loaded_layers(name: str, side: int) -> tuple[str, ...]:
    """The layers of a torchvision classifier that is loaded by its name."""
    return loaded(name, side).layers


def calibrate(module: nn.Module, side: int) -> None:
    """Let batch norms of random weights know the size of what they see and make it small, in place.

    Otherwise activations grow from block to block until gates and sigmoids are all but steps, and rounding decides what
    the network puts out.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        module(torch.randn(4, 3, side, side, generator=seeded(1)))
        for norm in norms:
            norm.weight *= 0.3
    module.eval()


def _first_units(network: Network, circuit: Circuit) -> list[Unit]:
    """Of each layer that was expanded one unit, from the logits down; all of the wanted depth are there."""
    first: dict[str, Unit] = {}
    for node in circuit.nodes.values():
        if node.expanded and node.books is not None and node.books.gross > 0:
            first.setdefault(node.unit.layer, node.unit)
    wanted = min(DEPTH, len(network.layers) - 1)
    assert list(first) == list(network.layers[::-1][:wanted]), f"{network.name}: {list(first)}"
    return list(first.values())


def _compare_with_plain_gradient(network: Network, circuit: Circuit) -> float:
    """Largest difference of the circuit's edges from those of the whole network's gradient, relative to the gross."""
    photo = network.preprocessing.input_of(load_photo("example:cat")).requires_grad_()
    values: dict[str, torch.Tensor] = {}

    class Remember(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            values[n.name] = super().run_node(n)
            return values[n.name]

    Remember(network.traced, garbage_collect_values=False).run(photo)
    worst = 0.0
    for unit in _first_units(network, circuit):
        upper = values[network.layer(unit.layer).node.name]
        below = network.below(unit.layer)
        assert below is not None
        lower = values[network.layer(below).node.name]
        (slope,) = torch.autograd.grad(upper[:, unit.channel].sum(), lower, retain_graph=True)
        product = (lower * slope).detach()
        plain = product.flatten(2).sum((0, 2)) if product.dim() > 2 else product.sum(0)
        gross = float(plain.abs().sum())
        assert gross > 0, f"{unit} has nothing below it"
        edges = circuit.edges_into(unit)
        assert edges
        top = plain.abs().argsort(descending=True)[: len(edges)].tolist()
        assert sum(abs(edge.attribution) for edge in edges) >= float(plain.abs()[top].sum()) - _SAME * gross
        worst = max(worst, *(abs(e.attribution - float(plain[Unit.parse(e.source).channel])) / gross for e in edges))
    assert worst <= _SAME, f"{network.name}: an edge differs by {worst:.1e} from the plain gradient"
    return worst


def _compare_with_slow_definition(network: Network, circuit: Circuit) -> float:
    """The same where the layers form no chain, from the gradient of each tensor held as a number of its own."""
    image, worst = network.preprocessing.input_of(load_photo("example:cat")), 0.0
    expanded = [node for node in circuit.nodes.values() if node.books is not None and node.books.gross > 0]
    assert expanded[0].id == circuit.root
    for node in expanded[:3]:
        assert node.books is not None
        shares = Blocked(network, image, node.unit.layer).shares(node.unit.channel)
        gross = sum(float(each.abs().sum()) for each in shares.values())
        assert abs(node.books.gross - gross) <= _SAME * gross
        for edge in circuit.edges_into(node.id):
            unit = Unit.parse(edge.source)
            worst = max(worst, abs(edge.attribution - float(shares[unit.layer][unit.channel])) / gross)
    assert worst <= _SAME, f"{network.name}: an edge differs by {worst:.1e} from the slow definition"
    return worst


def double(traced: fx.GraphModule) -> None:
    """Let a network compute in float64, also where its code says float32."""

    def wide(given: object) -> object:
        return torch.float64 if given is torch.float32 else given

    traced.double()
    for node in traced.graph.nodes:
        node.args, node.kwargs = (fx.node.map_aggregate(each, wide) for each in (node.args, node.kwargs))
        if node.op == "call_method" and node.target == "float":
            node.target = "double"


def _check_books(network: Network, circuit: Circuit) -> float:
    """Close the books of a unit a layer with independent biases, in float64; the largest gap where they must close."""
    units = _first_units(network, circuit)
    for unit in units:
        node = circuit.node(unit)
        exact = network.layer(unit.layer).piecewise_linear
        assert node.books is not None
        assert node.books.bias_name == ("bias" if exact else "remainder")
        assert abs(node.books.shown + node.books.rest + node.books.bias - node.value) <= 1e-4 * node.books.gross + 1e-6
    double(network.traced)
    photo = network.preprocessing.input_of(load_photo("example:cat")).double()
    wanted = {name for unit in units for name in (unit.layer, network.below(unit.layer)) if name is not None}
    activations = network.activations(photo, list(wanted))
    worst = 0.0
    for unit in units:
        below = network.below(unit.layer)
        assert below is not None
        segment, lower = network.segment(below, unit.layer), activations[below]
        value = float(activations[unit.layer][0, unit.channel].sum())
        scores = gradient_times_activation(segment, lower, Readout.of_unit(unit.channel))
        bias = reference.effective_bias(network.traced, reference.sum_of_channel(segment, unit.channel), lower)
        gap = abs(value - float(scores.sum()) - bias) / max(abs(value), float(scores.abs().sum()))
        exact = network.layer(unit.layer).piecewise_linear
        assert (gap <= _CLOSED) == exact, f"{unit}: the books leave {gap:.1e}, told {'exact' if exact else 'curved'}"
        worst = max(worst, gap if exact else 0.0)
    return worst


def _check_fine(network: Network) -> int:
    """Close the books of a unit whose branches are layers, the network being in float64; how many layers there are."""
    network = network.with_layers("fine")
    several = [name for name in network.layers if len(network.layers_below(name)) > 1]
    candidates = several or [name for name in network.layers if network.layers_below(name)]
    upper = candidates[len(candidates) // 2]
    image = network.preprocessing.input_of(load_photo("example:cat")).double()
    run = ForwardCache.of(network, image)
    lower, slow = run.below(upper), Blocked(network, image, upper)
    channel = int(run.activations[upper].abs().sum((0, 2, 3)).argmax())
    [scores] = lower.shares("sum", iter([Readout.of_unit(channel)]))
    shares = slow.shares(channel)
    names = [*lower.layers, *(["image"] if lower.image is not None else [])]
    assert set(shares) <= set(names)
    value = float(run.activations[upper][0, channel].sum())
    scale = max(abs(value), float(scores.abs().sum()))
    for name, own in zip(names, scores.split([layer.units for layer in lower.packed]), strict=True):
        expected = shares.get(name, torch.zeros_like(own))
        assert float((own - expected).abs().max()) <= _CLOSED * scale, f"{upper}:{channel}: {name} is shared otherwise"
    bias = reference.effective_bias(network.traced, lambda _: Blocked(network, image, upper).f(channel), image)
    gap = abs(value - float(scores.sum()) - bias) / scale
    exact = lower.piece.piecewise_linear
    assert (gap <= _CLOSED) == exact, f"{upper}: the books leave {gap:.1e}, told {'exact' if exact else 'curved'}"
    return len(network.layers)


def _check_pictures(network: Network) -> None:
    """Draw a unit each of the lowest, a middle and the highest layer."""
    layers = network.layers
    units = [Unit(name, 1) for name in (layers[0], layers[len(layers) // 2], layers[-1])]
    pictures = render(network, units, settings=Settings(size=64, steps=2, transform="none"))
    assert [picture.unit for picture in pictures] == units
    assert all(picture.image.size == (64, 64) for picture in pictures)
    assert all(len(picture.image.getcolors(64 * 64)) > 16 for picture in pictures)


def _check_file(network: Network, circuit: Circuit) -> None:
    """Export the circuit, import it, and go on from the file as from the circuit itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "circuit.json"
        circuit.to_json(path)
        read = Circuit.from_json(path)
    assert read == circuit
    again = expand(network, read, circuit.root, top=3)
    expected = expand(network, circuit, circuit.root, top=3)
    assert [edge.source for edge in again.edges_into(circuit.root)] == [
        edge.source for edge in expected.edges_into(circuit.root)
    ]
