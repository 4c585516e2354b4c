"""Hand-wired networks with branches and with a skip, whose books are known, and the slow definition of theirs.

On a photo of one colour, red r, green g, blue b at each of 16 positions (all tensors but the logits rectified):

    Branches   conv1: r, g, b
               a:      0 = r + g             1 = b - 0.1
               reduce: 0 = r - g
               expand: 0 = 2 reduce          1 = reduce + 0.5
               cat:    a:0, a:1, expand:0, expand:1
               fc:     one = cat:0 - 2 cat:1 + 3 cat:2 + 0.5 cat:3 + 0.2 (of means)      two = cat:3

    Skip       conv1: r, g, b
               inner:  0 = r + 2 g
               outer:  0 = inner + 0.25      1 = -inner      2 = 0      (not rectified)
               add:    conv1 + outer
               relu_1: rectified add
               fc:     one = relu_1:0 + relu_1:1 + 4 relu_1:2       two = relu_1:2 + 1 (of means)
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from circuits import Network, Preprocessing, prepare
from circuits.network.execute import image_node
from circuits.network.operations import as_maps, run_node

SEE = Preprocessing(size=(4, 4), resize=4, mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear")


def convolution(weight: Sequence[Sequence[float]], bias: Sequence[float] | None = None) -> nn.Conv2d:
    """A 1×1 convolution with these weights."""
    rows = torch.tensor(weight)
    made = nn.Conv2d(rows.shape[1], rows.shape[0], 1)
    with torch.no_grad():
        made.weight[:, :, 0, 0] = rows
        made.bias[:] = torch.tensor(bias) if bias is not None else 0
    return made


def linear(weight: Sequence[Sequence[float]], bias: Sequence[float]) -> nn.Linear:
    made = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        made.weight[:], made.bias[:] = torch.tensor(weight), torch.tensor(bias)
    return made


SAME = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = convolution(SAME)
        self.a = convolution([[1.0, 1, 0], [0, 0, 1]], [0.0, -0.1])
        self.reduce = convolution([[1.0, -1, 0]])
        self.expand = convolution([[2.0], [1.0]], [0.0, 0.5])
        self.fc = linear([[1.0, -2, 3, 0.5], [0, 0, 0, 1]], [0.2, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv1(x))
        deep = torch.relu(self.expand(torch.relu(self.reduce(x))))
        return self.fc(torch.cat([torch.relu(self.a(x)), deep], 1).mean((2, 3)))


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = convolution(SAME)
        self.inner = convolution([[1.0, 2, 0]])
        self.outer = convolution([[1.0], [-1.0], [0.0]], [0.25, 0.0, 0.0])
        self.fc = linear([[1.0, 1, 4], [0, 0, 1]], [0.0, 1.0])

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv1(x))
        x = torch.relu(x + self.outer(torch.relu(self.inner(x))))
        return self.fc(x.mean((2, 3)))


def branched(module: nn.Module, layers: str | Sequence[str] = "fine") -> Network:
    """A hand-wired network cut at some layers."""
    name = type(module).__name__.lower()
    return prepare(module, name=name, source="by hand", preprocessing=SEE, labels=["one", "two"], layers=layers)


class Blocked:
    """The slow definition: run every node, and put a tensor of its own in the place of each chosen one.

    Whatever is computed from a chosen tensor is then computed from a number without a past, so that no gradient goes
    on below it, and nothing needs to know which chosen tensors are the nearest.
    """

    def __init__(self, network: Network, image: Tensor, upper: str) -> None:
        """Run the network on an image, (1, c, h, w)."""
        traced, pixels = network.traced, image_node(network.traced)
        chosen = {layer.node: layer.name for layer in network.layer_list if layer.name != upper}
        self.network, self.upper = network, upper
        self.image = image.clone().requires_grad_()
        self.points: dict[str, Tensor] = {}
        values: dict[object, object] = {pixels: self.image}
        for node in traced.graph.nodes:
            if node.op in ("placeholder", "output"):
                continue
            values[node] = run_node(traced, node, values)
            if node in chosen:
                values[node] = values[node].detach().requires_grad_()
                self.points[chosen[node]] = values[node]
        self.value = as_maps(values[network.layer(upper).node])

    def f(self, channel: int) -> Tensor:
        """The value of a unit of the upper layer."""
        return self.value[0, channel].sum()

    def shares(self, channel: int) -> dict[str, Tensor]:
        """S_lj of every chosen tensor that the unit's value depends on, and of the image, "image"."""
        points = {**self.points, "image": self.image}
        found = torch.autograd.grad(self.f(channel), list(points.values()), allow_unused=True, retain_graph=True)
        return {
            name: as_maps(point * gradient).sum((0, 2, 3)).detach()
            for (name, point), gradient in zip(points.items(), found, strict=True)
            if gradient is not None
        }
