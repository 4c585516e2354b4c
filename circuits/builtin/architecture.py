"""The built-in network: a plain rectified CNN that is small enough to be read unit by unit.

Seven convolutions, each rectified inside its own block, so that every block's output is a layer;
pooling lies between the blocks, a global average and one linear layer turn the last block into logits.
Convolution, rectifier, pooling and averaging are piecewise linear: attributions add up exactly.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (32, 64, 128, 128, 192, 256, 384)
"""Channels of conv1 … conv7."""

CLASSES = 68


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
        self.fc = nn.Linear(CHANNELS[6], CLASSES)

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
