"""What an atlas says, in words: the same on the page, in the terminal, and on pages that need no server."""

from math import floor, log10
from typing import TYPE_CHECKING

from circuits.report.text import many, number, percent

if TYPE_CHECKING:
    from circuits.atlas.facts import Mean, ServedClass
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.edge import Edge

MAKE = "circuits atlas PHOTOS -o atlas"
"""The command that makes an atlas."""
EXPANDING_NEEDS_ATLAS = (
    "This is the circuit of a class: expanding it needs the atlas that it comes from; start with "
    "`circuits explore --atlas FOLDER`."
)
WITHOUT_EXEMPLARS = (
    "Which units fire together is not known: this atlas was made without exemplars. Make it again with `--exemplars`."
)


def without_atlas(network: str) -> str:
    """That a network has no atlas, and how to get one.

    Example:
        >>> without_atlas("googlenet")[:61]
        'There is no atlas of googlenet here. Make one from folders of'
    """
    return (
        f"There is no atlas of {network} here. Make one from folders of photos, a folder a class, with `{MAKE}`, and "
        "start with `circuits explore --atlas atlas`."
    )


def needs_one_photo(circuit: "Circuit") -> str:
    """Why of the circuit of a class not all can be seen that there is to see of that of a photo."""
    return (
        f"Means over {circuit.photo_info.name}. Heat maps, patches and ablation are of single photos: choose This "
        "photo over the graph for them."
    )


def mean_in_words(mean: "Mean", *, sign: bool = False) -> str:
    """A mean with its standard error, if that is known.

    Example:
        >>> from circuits.atlas.facts import Mean
        >>> mean_in_words(Mean(0.7172, 0.0317)), mean_in_words(Mean(0.7172, float("nan")), sign=True)
        ('0.717 ± 0.032', '+0.717')
    """
    return number(mean.mean, sign=sign) + ("" if mean.error != mean.error else f" ± {_error(mean.mean, mean.error)}")


def edge_in_words(edge: "Edge") -> str:
    """An edge's attribution with its standard error, if it has one."""
    return number(edge.attribution, sign=True) + _plus_minus(edge)


def _plus_minus(edge: "Edge") -> str:
    return "" if edge.error is None else f" ± {_error(edge.attribution, edge.error)}"


def _error(mean: float, error: float) -> str:
    """A standard error with the decimals that the mean is written with, or as many as it takes to be seen."""
    shown = number(mean)
    if "e" in shown or error <= 0:
        return number(error)
    decimals = max(len(shown.partition(".")[2]), -floor(log10(error)))
    return f"{error:.{decimals}f}"


def sureness_in_words(edge: "Edge") -> str:
    """How sure an edge of the circuit of a class is; "" of one that is of a single photo.

    Example:
        >>> from circuits.tracing.edge import Edge
        >>> sureness_in_words(Edge("conv6:22", "conv7:281", 0.1234, 1, photos=160, error=0.0121, consistency=0.85))
        ' ± 0.012 over 160 photos, among the five strongest in 85 % of batches'
    """
    words = _plus_minus(edge)
    if edge.consistency is not None and edge.photos is not None:
        words += (
            f" over {many(edge.photos, 'photo')}, among the five strongest in {percent(edge.consistency)} of batches"
        )
    return words


def served_in_words(unit: str, served: "ServedClass", classes: int) -> str:
    """What a unit does for the class that it serves most, in a sentence.

    Example:
        >>> from circuits.atlas.facts import Mean, ServedClass
        >>> served_in_words("conv7:281", ServedClass(0, "cat", 160, Mean(0.717, 0.0317), 0.697, 1), 68)
        'conv7:281 serves cat most of the 68 classes: it contributes 0.717 ± 0.032 to its logit, over 160 photos.'
    """
    if served.contribution.mean <= 0:
        return f"{unit} contributes to none of the {classes} classes of the atlas on average."
    which = f"most of the {classes} classes" if classes > 1 else "the only class"
    told, photos = mean_in_words(served.contribution), many(served.photos, "photo")
    return f"{unit} serves {served.label} {which}: it contributes {told} to its logit, over {photos}."
