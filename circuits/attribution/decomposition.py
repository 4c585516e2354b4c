"""The books of a unit: its value, and where it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.shapes import Scores


@dataclass(frozen=True)
class Books:
    """Where a unit's value comes from: value = shown + rest + bias.

    Args:
        value: what is explained.
        shown: sum of the shares of the units that are shown.
        rest: sum of the shares of the layer's other units.
        bias: what no unit of the layer accounts for; called the *remainder* where `exact` is False.
        coverage: Σ_shown |S| / Σ_all |S|, 0 to 1.
        gross: Σ_all |S|.
        exact: whether `bias` is the effective bias alone: mode `sum` or `target` in a piecewise linear segment.
    """

    value: float
    shown: float
    rest: float
    bias: float
    coverage: float
    gross: float
    exact: bool

    @property
    def bias_name(self) -> str:
        """`bias`, or `remainder` where it holds more than biases."""
        return "bias" if self.exact else "remainder"

    def showing(self, attributions: Sequence[float]) -> "Books":
        """The same books when the units with these attributions are the ones shown.

        Example:
            >>> Books(10.0, 6.0, 3.0, 1.0, 0.6, 10.0, True).showing([4.0]).rest
            5.0
        """
        shown = float(sum(attributions))
        magnitude = float(sum(abs(share) for share in attributions))
        coverage = min(1.0, magnitude / self.gross) if self.gross > 0 else 0.0
        rest = self.value - self.bias - shown
        return Books(self.value, shown, rest, self.bias, coverage, self.gross, self.exact)


def keep_books(value: float, scores: Scores, shown: Sequence[int], *, exact: bool) -> Books:
    """Books of a value over the shares of all units of the layer below, of which some are shown.

    Example:
        >>> import torch
        >>> keep_books(5.0, torch.tensor([3.0, -1.0, 2.0]), [0], exact=True)
        Books(value=5.0, shown=3.0, rest=1.0, bias=1.0, coverage=0.5, gross=6.0, exact=True)
    """
    doubles = scores.double()
    total, gross = float(doubles.sum()), float(doubles.abs().sum())
    books = Books(value, 0.0, 0.0, value - total, 0.0, gross, exact)
    return books.showing([float(doubles[channel]) for channel in shown])
