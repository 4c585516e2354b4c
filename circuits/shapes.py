"""Shapes of the arrays that functions pass to each other; checked at run time in the tests."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "n _colours _rows _columns"]
"""Preprocessed images."""

Activations = Float[Tensor, "n _c _h _w"]
"""A layer's output for n images, (n, C, H, W); a fully connected layer has H = W = 1."""

Activation = Float[Tensor, "1 c h w"]
"""A layer's output for one photo."""

PerChannel = Float[Tensor, "1 c 1 1"]
"""One number a channel that stands at every position."""

Scores = Float[Tensor, " c"]
"""One signed number a channel."""

UnitScores = Float[Tensor, " units"]
"""One signed number a unit of a layer, which may be a channel or a group of channels."""

PerExample = Float[Tensor, " n"]
"""One number an image."""

Maps = Float[Tensor, "channels rows columns"]
"""One map a channel."""

HeatMap = Float[np.ndarray, "rows columns"]
"""One number a position of a layer."""
