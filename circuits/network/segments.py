"""Segments: the function between two layers, run alone and only as far as the wanted channels need it (`execute`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, fx

from circuits.errors import UnknownError
from circuits.network import operations as ops
from circuits.network.execute import SlicedEvaluation
from circuits.shapes import Activations


@dataclass(frozen=True, eq=False)
class Segment:
    """`h_upper = segment(h_lower)`: what the network does between two layers.

    Args:
        traced: the prepared network.
        lower: node of the lower layer (or the image).
        upper: node of the upper layer.
        piecewise_linear: whether every operation between them is piecewise linear.

    Example:
        >>> import torch
        >>> from circuits import load_network
        >>> network = load_network("squeezenet1_1", weights="random")
        >>> segment = network.segment("features.6", "features.7")
        >>> segment(torch.zeros(1, 256, 13, 13), [17, 4]).shape
        torch.Size([1, 2, 13, 13])
    """

    traced: fx.GraphModule
    lower: fx.Node
    upper: fx.Node
    piecewise_linear: bool

    def __call__(
        self,
        x: Activations,
        channels: Sequence[int] | None = None,
        *,
        rectified: bool = True,
        rectifier: ops.Rectifier | None = None,
    ) -> Activations:
        """Activation of the upper layer, or of some of its channels.

        Args:
            x: activation of the lower layer (or images), (N, c, h, w).
            channels: the upper channels to compute, in this order; all of them if `None`.
            rectified: `False` leaves out the activation function that ends the upper layer (its *pre-activation*).
            rectifier: run in place of rectifiers that are zero below zero: the same values with another gradient.

        Returns:
            (N, C, H, W) with C the number of wanted channels; differentiable in x.

        Raises:
            UnknownError: if no channel is wanted, or one that does not exist.
        """
        return self._read(SlicedEvaluation(self.traced, self.given(x), rectifier), channels, rectified)

    def reader(self, x: Activations) -> Callable[[Sequence[int]], Activations]:
        """A function from channels to their activation, for several calls with the same lower activation.

        What the calls have in common, such as the reduction before a block's branches, is run once. Each result's
        gradient passes through what that result needs alone.

        Args:
            x: activation of the lower layer, (N, c, h, w).

        Example:
            >>> import torch
            >>> from circuits import load_network
            >>> segment = load_network("squeezenet1_1", weights="random").segment("features.6", "features.7")
            >>> read = segment.reader(torch.zeros(1, 256, 13, 13))
            >>> read([17]).shape, read([4, 200]).shape
            (torch.Size([1, 1, 13, 13]), torch.Size([1, 2, 13, 13]))
        """
        evaluation = SlicedEvaluation(self.traced, self.given(x))
        return lambda channels: self._read(evaluation, channels, True)

    def _read(self, evaluation: SlicedEvaluation, channels: Sequence[int] | None, rectified: bool) -> Tensor:
        wanted = None if channels is None else tuple(int(channel) for channel in channels)
        width = (ops.shape(self.upper) or (0, 0))[1]
        if wanted is not None and not (wanted and all(0 <= channel < width for channel in wanted)):
            raise UnknownError(f"The channels {list(wanted)} are not all there; the layer has {width}, from 0.")
        evaluation.prepare([(self.upper, wanted, rectified)])
        return ops.as_maps(evaluation.value(self.upper, wanted, rectified))

    def given(self, x: Activations) -> dict[fx.Node, Tensor]:
        """The lower activation, in the shape that it has in the graph."""
        return {self.lower: ops.stored(self.lower, x)}
