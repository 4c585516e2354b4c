"""What was measured, in words for people: the same on the page, in the HTML file and in the terminal."""

from typing import TYPE_CHECKING

from circuits.wording import number, percent

if TYPE_CHECKING:
    from circuits.agreement import Agreement
    from circuits.circuit import Circuit
    from circuits.units import Edge

SIGNS = {"disagrees": "≠", "cancels": "±", "saturates": "∫"}
"""How an edge's warnings are marked."""
LABELS = {"disagrees": "ablation disagrees", "cancels": "parts cancel", "saturates": "saturated or past a threshold"}
"""What an edge's warnings are called."""
MEANINGS = {
    "disagrees": "the measured change has another sign, or is more than twice or less than half the attribution",
    "cancels": "at different places the unit argues for and against, and what is left is under a tenth of both",
    "saturates": "gradients integrated from zero give less than half, or more than twice, what the one here does",
}
"""What they mean, as the end of a sentence."""


def label(edge: "Edge", name: str) -> str:
    """What a warning about this edge is called, as briefly as it can be said.

    Example:
        >>> from circuits.units import Edge
        >>> edges = [Edge("a:0", "b:0", 2.0, 1, positive=2.0, negative=0.0, integrated=ig) for ig in (9.0, 0.5)]
        >>> [label(edge, "saturates") for edge in edges]
        ['saturated', 'past a threshold']
    """
    if name != "saturates":
        return LABELS[name]
    return "saturated" if abs(edge.integrated or 0.0) > abs(_net(edge)) else "past a threshold"


def warning(circuit: "Circuit", edge: "Edge", name: str) -> str:
    """A warning about an edge in a sentence, with its numbers.

    Args:
        circuit: that it is in.
        edge: which.
        name: one of `Edge.warnings`.
    """
    lower, upper = circuit.nodes[edge.source].called, circuit.nodes[edge.target].called
    if name == "cancels":
        return (
            f"{lower} argues for {upper} in some places ({_signed(edge.positive)}) and against it in others "
            f"({_signed(edge.negative)}); the two nearly cancel, so that their sum says little."
        )
    if name == "saturates":
        less = abs(edge.integrated or 0.0) > abs(_net(edge))
        return (
            f"A small change here does {'less' if less else 'more'} than one on the way from zero: gradient × "
            f"activation gives {_signed(_net(edge))} at the photo, integrated over the way {_signed(edge.integrated)}."
        )
    return f"Ablation gives {_signed(edge.ablation)}, not {_signed(edge.attribution)}."


def _net(edge: "Edge") -> float:
    """Gradient × activation."""
    return (edge.positive or 0.0) + (edge.negative or 0.0)


def ranks_in_words(agreement: "Agreement") -> str:
    """How alike attribution and ablation order the layer below, in a sentence; "" if that was not measured.

    Example:
        >>> from circuits.agreement import Agreement
        >>> ranks_in_words(Agreement("zero", "", 480, spearman=0.934))
        'Ranks agree closely, 0.93 over 480 units.'
        >>> ranks_in_words(Agreement("zero", "", 1, spearman=None))
        ''
    """
    found = agreement.spearman
    if found is None:
        return ""
    how = next(words for least, words in _CLOSE if found >= least)
    said = f"{found:.2f}".replace("-", "\N{MINUS SIGN}")
    return f"Ranks {how}, {said} over {agreement.units} units."


_CLOSE = (
    (0.9, "agree closely"),
    (0.7, "agree"),
    (0.4, "agree in part"),
    (-0.1, "hardly agree"),
    (-1.0, "are reversed"),
)


def error_in_words(agreement: "Agreement") -> str:
    """How far the shown attributions are from their ablations, in a sentence; "" if that is not known.

    Example:
        >>> from circuits.agreement import Agreement
        >>> error_in_words(Agreement("zero", "", 480, error=0.12))
        'The attributions shown are off by 12 % of what ablation finds.'
    """
    if agreement.error is None:
        return ""
    return f"The attributions shown are off by {percent(round(agreement.error, 3))} of what ablation finds."


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
    changes = f"{upper} {'loses' if agreement.joint >= 0 else 'gains'} {number(abs(agreement.joint))}"
    if count == 1:
        return f"Without it {changes}."
    single = [edge.ablation if agreement.baseline == "zero" else edge.ablation_mean for edge in edges]
    alone = sum(lost for lost in single if lost is not None)
    said = f"Without {'both' if count == 2 else f'all {count}'} together {changes}; one by one {_signed(alone)}."
    if agreement.joint > 2 * max(alone, 0.0):
        return f"{said} They stand in for one another."
    return f"{said} Each needs the others." if 0 <= 2 * agreement.joint < alone else said


def _signed(value: float | None) -> str:
    return number(value or 0.0, sign=True)
