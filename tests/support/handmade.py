"""A hand-wired network whose circuit is known, and a photo of one colour.

On a 4 × 4 photo with red 1, green 0.5 and blue 0.25 everywhere (16 positions):

    conv1 (rectified):  0 red = 1    1 green = 0.5    2 blue = 0.25    3 dark = max(0, 1 - red - green - blue) = 0
    conv2 (rectified):  0 = 2 red - green = 1.5     1 = blue + 0.5 = 0.75 (0.5 is its bias)   2 = green - red, dead
    fc (of means):      0 "warm" = 3 · unit 0 - 1 · unit 1 + 0.1 = 3.85        1 "cold" = unit 1 = 0.75
"""

import numpy as np
import torch
from torch import Tensor, nn

from circuits import Network, Photo, Preprocessing, load_photo, prepare

POSITIONS = 16


class Handmade(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1), nn.Linear(3, 2)
        with torch.no_grad():
            self.conv1.weight[:, :, 0, 0] = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]])
            self.conv1.bias[:] = torch.tensor([0.0, 0, 0, 1])
            self.conv2.weight[:, :, 0, 0] = torch.tensor([[2.0, -1, 0, 0], [0, 0, 1, 0], [-1, 1, 0, 0]])
            self.conv2.bias[:] = torch.tensor([0.0, 0.5, 0])
            self.fc.weight[:] = torch.tensor([[3.0, -1, 0], [0, 1, 0]])
            self.fc.bias[:] = torch.tensor([0.1, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.conv2(torch.relu(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def handmade_network() -> Network:
    see = Preprocessing(size=(4, 4), resize=4, mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear")
    return prepare(Handmade(), name="handmade", source="by hand", preprocessing=see, labels=["warm", "cold"])


def colour_photo(red: float = 1.0, green: float = 0.5, blue: float = 0.25) -> Photo:
    """A photo of one colour; 8 bits round it, so values are exact to 1/255."""
    return load_photo(np.full((4, 4, 3), (red, green, blue), dtype=np.float64), name="colour")


def levels(*values: float) -> list[float]:
    """What 8 bits make of numbers from 0 to 1."""
    return [round(value * 255) / 255 for value in values]
