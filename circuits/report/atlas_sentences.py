"""What an atlas says of classes, units and links, in words: the same in the terminal, on a site and on the page."""

import math
from statistics import median
from typing import TYPE_CHECKING

from circuits.atlas.facts import STRONGEST
from circuits.report.text import decimals, many, number, percent

if TYPE_CHECKING:
    from circuits.atlas.facts import AtlasUnit, ServedClass
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.edge import Edge

_NAMED = 10
"""Edges that are listed as doubtful."""
_FINEST = 1e-6
"""Errors below are written with a power of ten."""
MAKE = "circuits atlas PHOTOS -o atlas"
"""The command that makes an atlas."""
EXPANDING_NEEDS_ATLAS = (
    "This is the circuit of a class: expanding it needs the atlas that it comes from; start with "
    "`circuits explore --atlas FOLDER`."
)
GROUPS_NEED_PHOTOS = (
    "This is the circuit of a class by groups, of which an atlas knows nothing; for more of it, make it deeper from "
    "its photos, with `circuits class CLASS --groups FILE --photos FOLDER --depth 3`."
)
CLASS_BY_CHANNELS = (
    "The atlas explains a class by channels. By groups `circuits class CLASS --groups 8 --photos FOLDER -o class.json` "
    "explains it from its photos; open that file here."
)
WITHOUT_EXEMPLARS = (
    "Which units fire together is not known: this atlas has no exemplars. One that `circuits atlas` makes of your "
    "own photos has them."
)
FEW = 80
"""Fewer photos are counted, because a percentage of some batches of eight says more than is known."""
DOUBTFUL = 0.5
"""A link that is among its unit's five strongest in fewer of the batches is doubtful."""


def estimate(mean: float, error: float | None, *, sign: bool = True) -> str:
    """A mean and its standard error, to the error's second digit; the mean alone, if the error is not known.

    >>> estimate(0.09453, 0.004331), estimate(-12.34, 0.5), estimate(2.0, float("nan")), estimate(2.0, None, sign=False)
    ('+0.0945 ± 0.0043', '−12.34 ± 0.50', '+2.00', '2.00')
    >>> estimate(2624.3, 31.0), estimate(3e-9, 1e-9), estimate(2.0, 0.0)
    ('+2624 ± 31', '+3.00e−09 ± 1.00e−09', '+2.00 ± 0')
    """
    if error is None or error != error:
        return number(mean, sign=sign)
    if not _FINEST <= error < math.inf:
        return f"{number(mean, sign=sign)} ± {number(error)}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{decimals(mean, digits, sign=sign)} ± {error:.{digits}f}"


def keeps_in_words(most: int) -> str:
    """That no more units can be shown below one of the circuit of a class, whose atlas keeps so many.

    >>> keeps_in_words(5)
    'The atlas keeps the 5 strongest links of a unit, so no more than 5 units can be shown below one.'
    """
    shown = f"no more than {many(most, 'unit')} can be shown below one"
    return f"The atlas keeps the {most} strongest links of a unit, so {shown}."


def often(consistency: float, photos: int) -> str:
    """How often a link is among the strongest of its unit.

    >>> often(0.9, 160), often(0.667, 12)
    ('among the five strongest in 90 % of batches', 'among the five strongest in the batches of 8 of 12 photos')
    """
    return f"among the five strongest in {batches(consistency, photos)}"


def inside(consistency: float, photos: int) -> str:
    """The share of the photos in whose batches a link is among the strongest, for a column; of few how many they are.

    >>> inside(0.9, 160), inside(0.667, 12)
    ('90 %', '8 of 12')
    """
    return percent(consistency) if photos >= FEW else f"{round(consistency * photos)} of {photos}"


def batches(consistency: float, photos: int) -> str:
    """The batches in which a link is among the strongest: a share of them, or of few photos how many are in them.

    >>> batches(0.9, 160), batches(1.0, 12)
    ('90 % of batches', 'the batches of all 12 photos')
    """
    if photos >= FEW:
        return f"{percent(consistency)} of batches"
    inside = round(consistency * photos)
    return f"the batches of {'all' if inside == photos else f'{inside} of'} {photos} photos"


def estimated(edge: "Edge") -> str:
    """An edge's attribution and, in the circuit of a class, its error, over how many photos, and its consistency.

    >>> from circuits.tracing.edge import Edge
    >>> estimated(Edge("conv6:22", "conv7:281", 0.1234, 1, photos=160, error=0.0121, consistency=0.85))
    '+0.123 ± 0.012 over 160 photos, among the five strongest in 85 % of batches'
    >>> estimated(Edge("conv6:22", "conv7:281", 0.1234, 1))
    '+0.123'
    """
    words = estimate(edge.attribution, edge.error)
    if edge.consistency is not None and edge.photos is not None:
        words += f" over {many(edge.photos, 'photo')}, {often(edge.consistency, edge.photos)}"
    return words


def served_in_words(unit: str, served: "ServedClass", classes: int) -> str:
    """What a unit does for the class that it serves most, in a sentence.

    >>> from circuits.atlas.facts import Mean, ServedClass
    >>> served_in_words("conv7:281", ServedClass(0, "cat", 160, Mean(0.7172, 0.0317), 0.697, 1), 68)
    'conv7:281 serves cat most of the 68 classes: it contributes +0.717 ± 0.032 to its logit, over 160 photos.'
    """
    if served.contribution.mean <= 0:
        return f"{unit} contributes to none of the {classes} classes of the atlas on average."
    which = f"most of the {classes} classes" if classes > 1 else "the only class"
    told, photos = estimate(served.contribution.mean, served.contribution.error), many(served.photos, "photo")
    return f"{unit} serves {served.label} {which}: it contributes {told} to its logit, over {photos}."


def without_atlas(network: str) -> str:
    """That a network has no atlas, and how to get one.

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


def activity(unit: "AtlasUnit") -> str:
    """In how many photos a unit fires, and in how many it is among the strongest, in a sentence.

    >>> from circuits.atlas.facts import AtlasUnit, Mean
    >>> from circuits.units import Unit
    >>> nothing = Mean(0.0, 0.0)
    >>> activity(AtlasUnit(Unit("conv7", 281), 160, nothing, nothing, Mean(6.86, 0.25), 0.9875, 40))
    'It fires in 99 % of 160 photos, with a mean peak of 6.86 ± 0.25, and is among the fewest channels that hold 3 %
    of the peaks of conv7 in 40 of them.'
    """
    peak = estimate(unit.peak.mean, unit.peak.error, sign=False)
    fires = f"It fires in {percent(unit.fires)} of {many(unit.photos, 'photo')}, with a mean peak of {peak}"
    among = f"is among the fewest channels that hold 3 % of the peaks of {unit.unit.layer}"
    return f"{fires}, and {among} in {unit.summit or 'none'} of them."


def sureness(circuit: "Circuit") -> str:
    """How sure the edges of a class's circuit are: their relative errors and consistency, and those least sure."""
    visible = [name for name in circuit.nodes if name in circuit.visible]  # in the same order every time
    edges = [edge for name in visible for edge in circuit.edges_into(name)]
    errors = [edge.error / abs(edge.attribution) for edge in edges if edge.error is not None and edge.attribution]
    # Of edges that excite; a sixth cannot be expected to be among five.
    ranked = [[edge for edge in circuit.edges_into(name) if edge.consistency is not None] for name in visible]
    counted = sorted((edge for some in ranked for edge in some[:STRONGEST]), key=lambda edge: edge.consistency or 0)
    consistency = [edge.consistency or 0 for edge in counted]
    if not errors or not consistency:
        return "One batch of photos does not say how sure the edges are; add photos."
    photos = max(edge.photos or 1 for edge in edges)
    which = "the edges" if max(map(len, ranked)) <= STRONGEST else "the five strongest edges of each unit"
    doubtful = [edge for edge in counted if (edge.consistency or 0) < DOUBTFUL]
    often = median(consistency)
    said = (
        f"Half of the edges have a standard error of {percent(median(errors))} of the edge or less. The edges are "
        f"ranked anew in every batch of photos: half of {which} are among the five strongest of their unit in "
        f"{'every batch' if often == 1 else f'{batches(often, photos)} or more'}"
    )
    if not doubtful:
        return f"{said}; none is in fewer than half of the batches."
    named = [f"{edge.source} → {edge.target} ({percent(edge.consistency or 0)})" for edge in doubtful[:_NAMED]]
    more = f" and {len(doubtful) - _NAMED} more" if len(doubtful) > _NAMED else ""
    return f"{said}. Less sure, in fewer than half of the batches: {', '.join(named)}{more}."
