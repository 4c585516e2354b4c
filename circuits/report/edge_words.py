"""What measurements say of an edge and of the unit above it, in words."""

from typing import TYPE_CHECKING

from circuits.numbers import chance as chance
from circuits.numbers import decimals as decimals
from circuits.numbers import number as number
from circuits.numbers import percent as percent
from circuits.numbers import share as share

if TYPE_CHECKING:
    from circuits.attribution.agreement import Agreement
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.edge import Edge

WARNING_SIGNS = {"disagrees": "≠", "cancels": "±", "saturates": "∫"}
"""How an edge's warnings are marked."""


WARNING_LABELS = {
    "disagrees": "ablation disagrees",
    "cancels": "parts cancel",
    "saturates": "saturated or past a threshold",
}
"""What an edge's warnings are called."""


WARNING_MEANINGS = {
    "disagrees": "the measured change has another sign, or is more than twice or less than half the attribution",
    "cancels": "the unit excites in some places and inhibits in others, and what is left is under a tenth of both",
    "saturates": "gradients integrated on the way to the photo give less than half, or more than twice, what the one "
    "here does",
}
"""What they mean, as the end of a sentence."""


def warning_label(edge: "Edge", name: str) -> str:
    """What a warning about this edge is called, as briefly as it can be said.

    Example:
        >>> from circuits.tracing.edge import Edge
        >>> edges = [Edge("a:0", "b:0", 2.0, 1, positive=2.0, negative=0.0, integrated=ig) for ig in (9.0, 0.5)]
        >>> [warning_label(edge, "saturates") for edge in edges]
        ['saturated', 'past a threshold']
    """
    if name != "saturates":
        return WARNING_LABELS[name]
    return "saturated" if abs(edge.integrated or 0.0) > abs(_net(edge)) else "past a threshold"


def warning_sentence(circuit: "Circuit", edge: "Edge", name: str) -> str:
    """A warning about an edge in a sentence, with its numbers.

    Args:
        circuit: that it is in.
        edge: which.
        name: one of `Edge.warnings`.
    """
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    if name == "cancels":
        return (
            f"{lower} excites {upper} in some places ({_signed(edge.positive)}) and inhibits it in others "
            f"({_signed(edge.negative)}); the two nearly cancel, so their sum says little."
        )
    if name == "saturates":
        less, start = abs(edge.integrated or 0.0) > abs(_net(edge)), "zero" if edge.baseline == "zero" else "the mean"
        return (
            f"A small change has {'less' if less else 'more'} effect at the photo than on the path from {start}: "
            f"gradient × activation gives {_signed(_net(edge))}, integrated along the path {_signed(edge.integrated)}."
        )
    return f"Ablation gives {_signed(edge.ablated)}, not {_signed(edge.attribution)}."


def _net(edge: "Edge") -> float:
    """Gradient × activation."""
    return (edge.positive or 0.0) + (edge.negative or 0.0)


def ranks_in_words(agreement: "Agreement") -> str:
    """How alike attribution and ablation order the layer below, in a sentence; "" if that was not measured.

    Example:
        >>> from circuits.attribution.agreement import Agreement
        >>> ranks_in_words(Agreement("zero", "", 480, spearman=0.934))
        'Rank correlation 0.93 over 480 units.'
        >>> ranks_in_words(Agreement("zero", "", 37248, spearman=0.934, sampled=256))
        'Rank correlation 0.93 over 256 units, a random sample of 37248.'
        >>> ranks_in_words(Agreement("zero", "", 1, spearman=None))
        ''
    """
    rho = agreement.spearman
    if rho is None:
        return ""
    if agreement.sampled is None:
        return f"Rank correlation {decimals(rho)} over {agreement.units} units."
    return f"Rank correlation {decimals(rho)} over {agreement.sampled} units, a random sample of {agreement.units}."


def error_in_words(agreement: "Agreement") -> str:
    """How far the shown attributions are from their ablations, in a sentence; "" if that is not known.

    Example:
        >>> from circuits.attribution.agreement import Agreement
        >>> error_in_words(Agreement("zero", "", 480, error=0.12))
        'The attributions shown differ from ablation by 12 %.'
    """
    if agreement.error is None:
        return ""
    return f"The attributions shown differ from ablation by {percent(round(agreement.error, 3))}."


def joint_in_words(circuit: "Circuit", agreement: "Agreement", name: str) -> str:
    """What a unit loses without all units shown below it at once, in a sentence; "" if that is not known.

    It says so where this is more than twice, or less than half, what they lose it one by one.

    Args:
        circuit: that it is in.
        agreement: that was found of it.
        name: id of its node.
    """
    edges = circuit.edges_into(name)
    if agreement.joint is None or not edges:
        return ""
    upper, count = circuit.nodes[name].called, len(edges)
    changes = f"{upper} {'drops' if agreement.joint >= 0 else 'rises'} by {number(abs(agreement.joint))}"
    if count == 1:
        return f"When it is ablated, {changes}."
    single = [edge.ablation if agreement.baseline == "zero" else edge.ablation_mean for edge in edges]
    alone = sum(lost for lost in single if lost is not None)
    together = "both are" if count == 2 else f"all {count} are"
    said = f"When {together} ablated together, {changes}; one at a time, the drops add up to {number(alone)}."
    if agreement.joint > 2 * max(alone, 0.0):
        return f"{said} They are redundant."
    return f"{said} Each needs the others." if 0 <= 2 * agreement.joint < alone else said


def _signed(value: float | None) -> str:
    return number(value or 0.0, sign=True)
