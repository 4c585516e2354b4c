"""A unit's value taken apart: what the units shown account for, what the layer's other units do, and the bias.

Of a layer of groups what lies in no group is told apart, the residual.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from circuits.network.device import in_doubles
from circuits.shapes import Scores


@dataclass(frozen=True)
class Decomposition:
    """Where a unit's value comes from, its books: value = shown + rest + residual + bias.

    Args:
        value: what is explained.
        shown: sum of the shares of the units that are shown.
        rest: sum of the shares of the layer's other units.
        bias: what no unit of the layer accounts for; where shares are measured from a mean, with what the means give.
        coverage: Σ_shown |S| / Σ_all |S|, 0 to 1.
        gross: Σ_all |S|.
        exact: whether `bias` is the effective bias alone: mode `sum` or `target` in a piecewise linear segment.
        residual: share of what no group of a layer of groups holds; 0 where the units are channels.
        from_mean: whether shares are measured from the units' means, and not from zero.
    """

    value: float
    shown: float
    rest: float
    bias: float
    coverage: float
    gross: float
    exact: bool
    residual: float = 0.0
    from_mean: bool = field(default=False, repr=False)

    @property
    def bias_name(self) -> str:
        """`bias`; `base` with what the means give; `remainder` where it holds anything else."""
        return CLOSING[0 if not self.exact else 2 if self.from_mean else 1]

    def share(self, attribution: float) -> float:
        """The signed part of the gross attribution that an attribution is, S / Σ_all |S|; 0 where there is none."""
        return attribution / self.gross if self.gross > 0 else 0.0

    def showing(self, attributions: Sequence[float], residual: float = 0.0) -> "Decomposition":
        """The same value when the units with these attributions are the ones shown, beside a residual.

        Example:
            >>> Decomposition(10.0, 6.0, 3.0, 1.0, 0.6, 10.0, True).showing([4.0]).rest
            5.0
        """
        shown = float(sum(attributions))
        coverage = min(1.0, self.share(float(sum(map(abs, attributions)))))
        rest = self.value - self.bias - residual - shown
        return replace(self, shown=shown, rest=rest, coverage=coverage, residual=residual)


CLOSING = ("remainder", "bias", "base")
"""What the last part of a decomposition may be called, here and in files."""
Books = Decomposition
"""A decomposition, as it is called on the page and in files."""


def decompose(
    value: float,
    scores: Scores,
    shown: Sequence[int],
    *,
    exact: bool,
    residuals: Sequence[int] = (),
    from_mean: bool = False,
) -> Decomposition:
    """A value over the shares of all units of the layer below, (c,), of which some are shown, and some are residuals.

    Example:
        >>> import torch
        >>> decompose(5.0, torch.tensor([3.0, -1.0, 2.0]), [0], exact=True)
        Decomposition(value=5.0, shown=3.0, rest=1.0, bias=1.0, coverage=0.5, gross=6.0, exact=True, residual=0.0)
    """
    doubles = in_doubles(scores)
    total, gross = float(doubles.sum()), float(doubles.abs().sum())
    whole = Decomposition(value, 0.0, 0.0, value - total, 0.0, gross, exact, from_mean=from_mean)
    listed = [float(doubles[channel]) for channel in shown if channel not in residuals]
    return whole.showing(listed, float(doubles[list(residuals)].sum()))
