"""The modes of attribution by their names: which formula of `gradient` shares a value out."""

from collections.abc import Callable, Iterable, Iterator

from circuits.attribution.gradient import (
    Readout,
    ablation,
    gradient_times_activation,
    gradients_times_activation,
    integrated_gradients,
)
from circuits.errors import InputError, did_you_mean
from circuits.network.held import hold
from circuits.network.segments import Segment
from circuits.shapes import Activation, PerChannel, Scores


def held_gradient_times_activation(
    segment: Segment, activation: Activation, readout: Readout, instead: PerChannel | None = None
) -> Scores:
    """Share of a value with attention patterns, norm scales and gates held as they are. Mode `frozen`.

    S_j = Σ_hw a_j · ∂f/∂a_j with f linear in what is not held (`held`), so that Σ_j S_j = f - bias

    Of what bends a network only the values count, not how they came about (Ali et al. 2022, "XAI for transformers").
    """
    return gradient_times_activation(hold(segment), activation, readout, instead)


MODES: dict[str, Callable[..., Scores]] = {
    "sum": gradient_times_activation,
    "target": gradient_times_activation,
    "ig": integrated_gradients,
    "ablate": ablation,
    "frozen": held_gradient_times_activation,
}
_GRADIENTS = ("sum", "target", "frozen")


def attribute(
    mode: str,
    segment: Segment,
    activation: Activation,
    readouts: Iterable[Readout],
    instead: PerChannel | None = None,
) -> Iterator[Scores]:
    """Shares of several values over the same lower layer, one after the other, in a mode and from a baseline."""
    if mode in _GRADIENTS:
        return gradients_times_activation(as_explained(mode, segment), activation, readouts, instead)
    return (MODES[mode](segment, activation, readout, instead) for readout in readouts)


def as_explained(mode: str, segment: Segment) -> Segment:
    """The segment whose gradients a mode takes."""
    return hold(segment) if mode == "frozen" else segment


def is_exact(mode: str, segment: Segment) -> bool:
    """Whether the shares of a mode leave nothing of a value but the effective bias."""
    return mode in _GRADIENTS and as_explained(mode, segment).piecewise_linear


def check_mode(mode: str) -> str:
    """The mode, if there is one of that name.

    Raises:
        InputError: if not.
    """
    if mode not in MODES:
        raise InputError(f"There is no mode {mode!r}{did_you_mean(mode, MODES)}; there are {', '.join(MODES)}.")
    return mode
