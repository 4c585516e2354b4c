"""What a card's numbers are called and how they are read, the same in the terminal and on the page."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from circuits.evaluation.intervals import Estimate
from circuits.wording import percent

if TYPE_CHECKING:
    from circuits.evaluation.card import Card
    from circuits.evaluation.summing_up import Row

METHOD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "circuit": "this circuit",
        "random": "random units",
        "activation": "strongest units",
        "gradient": "gradient × activation",
        "weights": "weights alone",
        "randomised": "shuffled network",
    }
)
METHOD_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "circuit": "the units that the circuit shows",
        "random": "as many units of each layer, drawn by chance",
        "activation": "as many units of each layer, those that fire most in the photo",
        "gradient": "as many units of each layer, by attribution to the target, without walking along edges",
        "weights": "as many units of each layer, by the gradient at a grey image: no photo, no activation",
        "randomised": "as many units of each layer, from a circuit traced with all weights shuffled",
    }
)


def share(value: float | None) -> str:
    """A score in percent, with a true minus; a dash where it is not defined.

    Example:
        >>> share(0.7346), share(-0.02), share(None), share(0.0004), share(-37.0)
        ('73 %', '−2 %', '–', '0 %', '−3700 %')
    """
    if value is None:
        return "–"
    whole = round(100 * value)
    return f"{'−' if whole < 0 else ''}{abs(whole)} %"


def interval(found: Estimate | None) -> str:
    """The ends of an interval, empty where there is none.

    Example:
        >>> interval(Estimate(0.5, 0.41, 0.62)), interval(Estimate(0.5))
        ('41 to 62 %', '')
    """
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{share(found.low).removesuffix(' %')} to {share(found.high)}"


def many(things: Sequence[object], name: str) -> str:
    """How many there are, with their name.

    Example:
        >>> many([1], "changed photo"), many([], "changed photo")
        ('1 changed photo', '0 changed photos')
    """
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def metric_name(card: "Card", metric: str) -> str:
    """What is measured: the target's own value, or the probability of its class."""
    kind = card.circuit["target"]["kind"]
    if metric == "probability":
        return "probability"
    return {"class": "logit", "difference": "difference of logits"}.get(kind, "activation")


def over_name(card: "Card", over: str) -> str:
    """Which photos a number is over."""
    if over == "own":
        return f"its own photo, {card.circuit['photo']['name']}"
    given = sum(photo.given for photo in card.photos)
    return f"{given} photo{'s' * (given != 1)}"


def headline(card: "Card") -> str:
    """The card in a few sentences: what the circuit keeps, what is lost without it, and against what."""
    row = card.row("circuit")
    label, units = card.circuit["target"]["label"], card.circuit["units"]
    everything = sum(card.widths.values())
    if row.faithfulness.value is None:
        return f"No score of these {units} units is defined with zero ablation: nothing in these layers moves {label}."
    said = [
        f"Alone, {units} of {everything} units ({percent(units / everything)}) keep {share(row.faithfulness.value)} of "
        f"the {metric_name(card, 'value')} of {label} over {over_name(card, card.main)}, all others being silent."
    ]
    if row.necessity.value is not None:
        said.append(f"Without them {share(row.necessity.value)} of it is lost.")
    controls = [other for other in card.rows if other.method != "circuit" and _beside(other, row)]
    best = max(controls, key=lambda other: other.faithfulness.value or 0.0, default=None)
    random = next((other for other in controls if other.method == "random"), None)
    if random is not None and best is not None:
        said.append(
            f"Random units of the same shape keep {share(random.faithfulness.value)}; the best control, "
            f"{METHOD_NAMES[best.method]}, keeps {share(best.faithfulness.value)}."
        )
    if row.edges is not None and row.edges.value is not None:
        said.append(f"Its {card.circuit['edges']} edges alone carry {share(row.edges.value)}.")
    return " ".join(said)


def _beside(row: "Row", other: "Row") -> bool:
    return (row.over, row.baseline, row.metric) == (other.over, other.baseline, other.metric)


def overshoot(card: "Card") -> str:
    """A sentence on scores above 1, if there are any; they look like errors and are none."""
    row = card.row("circuit")
    values = [found.value for found in (row.faithfulness, row.necessity) if found.value is not None]
    if not values or max(values) <= 1.05:
        return ""
    return (
        "More than 100 % is no error: the circuit shows what argues for the target and leaves out what argues against "
        "it, so that alone it can say more than the whole network, and without it more can be lost than there was."
    )
