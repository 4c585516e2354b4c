"""The built-in network: a plain rectified CNN that is small enough to be read unit by unit.

Seven convolutions, each rectified inside its own block, so that every block's output is a layer;
pooling lies between the blocks, a global average and one linear layer turn the last block into logits.
Convolution, rectifier, pooling and averaging are piecewise linear: attributions add up exactly.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from circuits.builtin.classes import LABELS

CHANNELS = (32, 64, 128, 128, 192, 256, 384)
"""Channels of conv1 … conv7."""

POOLED = (1, 2, 4, 6)
"""Stages that a 2×2 max pooling follows: 64 pixels become 32, 16, 16, 8, 8, 4 from conv2 on."""


class Stage(nn.Module):
    """One convolution and its rectifier; in training, a batch norm between them.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: odd side of the square kernel, in pixels; the output is as large as the input.
        batch_norm: whether to normalise, and so to leave out the convolution's own bias.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else None

    def before_rectifier(self, x: Tensor) -> Tensor:
        """The convolution's output, normalised if the stage normalises, not yet rectified."""
        x = self.convolution(x)
        return x if self.norm is None else self.norm(x)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w), never negative."""
        return functional.relu(self.before_rectifier(x))


class BuiltinNetwork(nn.Module):
    """The stages conv1 … conv7, pooling between them, a global average, and the linear layer `fc`.

    The first stage has no batch norm even in training: its input is normalised already, and at full
    resolution a batch norm costs a quarter of the whole step.
    """

    def __init__(self, *, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = Stage(3, CHANNELS[0], 5, batch_norm=False)
        self.conv2 = Stage(CHANNELS[0], CHANNELS[1], 3, batch_norm=batch_norm)
        self.conv3 = Stage(CHANNELS[1], CHANNELS[2], 3, batch_norm=batch_norm)
        self.conv4 = Stage(CHANNELS[2], CHANNELS[3], 3, batch_norm=batch_norm)
        self.conv5 = Stage(CHANNELS[3], CHANNELS[4], 3, batch_norm=batch_norm)
        self.conv6 = Stage(CHANNELS[4], CHANNELS[5], 3, batch_norm=batch_norm)
        self.conv7 = Stage(CHANNELS[5], CHANNELS[6], 3, batch_norm=batch_norm)
        self.pool = nn.MaxPool2d(2)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(CHANNELS[6], len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Normalised photos (n, 3, h, w) to logits (n, classes); h and w are at least 16."""
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        x = self.conv3(x)
        x = self.pool(self.conv4(x))
        x = self.conv5(x)
        x = self.pool(self.conv6(x))
        x = self.conv7(x)
        logits: Tensor = self.fc(torch.flatten(self.average(x), 1))
        return logits

    def stages(self) -> list[Stage]:
        """The stages, from the photo upwards."""
        return [self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6, self.conv7]


def build(*, batch_norm: bool = False) -> BuiltinNetwork:
    """The network with fresh random weights: as shipped, or with batch norms for training.

    Weights are drawn as in He 2015, "Delving Deep into Rectifiers": variance 2 / fan-in.

    >>> [name for name, _ in build().named_children()][:3]
    ['conv1', 'conv2', 'conv3']
    >>> any(isinstance(module, nn.BatchNorm2d) for module in build().modules())
    False
    """
    network = BuiltinNetwork(batch_norm=batch_norm)
    for stage in network.stages():
        nn.init.kaiming_normal_(stage.convolution.weight, nonlinearity="relu")
        if stage.convolution.bias is not None:
            nn.init.zeros_(stage.convolution.bias)
    nn.init.zeros_(network.fc.bias)
    return network


def pooled_features(network: BuiltinNetwork, x: Tensor) -> Tensor:
    """The averaged output of the last stage, (n, channels), what `fc` reads; a cheaper order of steps.

    Taking the maximum and rectifying can be swapped, max(relu(a)) = relu(max(a)), and rectifying the
    pooled map is four times less work, which dominates training on a processor.
    """
    for number, stage in enumerate(network.stages(), start=1):
        x = stage.before_rectifier(x)
        x = functional.relu(network.pool(x) if number in POOLED else x)
    return torch.flatten(network.average(x), 1)


@torch.no_grad()
def fold(network: BuiltinNetwork) -> BuiltinNetwork:
    """The same function without batch norms: each is folded into the convolution before it.

    In evaluation a batch norm is g · (a - m) / sqrt(v + e) + b with fixed g, m, v, b, so a convolution
    with weight w becomes one with weight s · w and bias b - s · m, where s = g / sqrt(v + e).

    Args:
        network: any `BuiltinNetwork`; it is left as it is.

    Returns:
        A network of plain convolutions with bias, float32, in evaluation mode.
    """
    plain = build()
    for old, new in zip(network.stages(), plain.stages(), strict=True):
        norm, weight = old.norm, old.convolution.weight
        assert new.convolution.bias is not None
        if norm is None:
            assert old.convolution.bias is not None
            new.convolution.weight.copy_(weight)
            new.convolution.bias.copy_(old.convolution.bias)
            continue
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        new.convolution.weight.copy_(weight * scale[:, None, None, None])
        new.convolution.bias.copy_(norm.bias - scale * norm.running_mean)
    plain.fc.load_state_dict(network.fc.state_dict())
    return plain.eval()
