"""A card of scores in words."""

from typing import TYPE_CHECKING

from circuits.numbers import chance as chance
from circuits.numbers import decimals as decimals
from circuits.numbers import number as number
from circuits.numbers import percent as percent
from circuits.numbers import share as share

if TYPE_CHECKING:
    from circuits.evaluation.card import Card
    from circuits.evaluation.estimates import Estimate
    from circuits.evaluation.statistics import ScoreRow
from circuits.report.text import many, value_name

METHOD_NAMES = {
    "circuit": "this circuit",
    "permuted": "shuffled groups",
    "random": "random units",
    "activation": "strongest units",
    "gradient": "gradient × activation",
    "weights": "weights alone",
    "randomised": "shuffled network",
}
"""The circuit and its controls, as they are called."""


METHOD_TEXTS = {
    "circuit": "the units that the circuit shows",
    "permuted": "the same groups with the channels of each shuffled: any directions of that shape",
    "random": "as many units of each layer, drawn at random",
    "activation": "as many units of each layer, those that fire most in the photo",
    "gradient": "as many units of each layer, by attribution to the target, without walking along edges",
    "weights": "as many units of each layer, by the gradient at a grey image: no photo, no activation",
    "randomised": "as many units of each layer, from a circuit traced with all weights shuffled",
}
"""What they are."""


def interval(estimate: "Estimate | None") -> str:
    """The ends of an interval, empty where there is none.

    Example:
        >>> from circuits.evaluation.estimates import Estimate
        >>> interval(Estimate(0.5, 0.41, 0.62)), interval(Estimate(0.5))
        ('41 to 62 %', '')
    """
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{share(estimate.low).removesuffix(' %')} to {share(estimate.high)}"


def metric_name(card: "Card", metric: str) -> str:
    """What is measured: the target's own value, or the probability of its class."""
    return "probability" if metric == "probability" else value_name(card.circuit["target"]["kind"])


def over_name(card: "Card", over: str) -> str:
    """Which photos a number is over."""
    if over == "own":
        return f"its own photo, {card.circuit['photo']['name']}"
    return many(len(card.counted), "photo")


def left_out(card: "Card") -> str:
    """How many photos are not scored and why, in a sentence; "" if all are."""
    others, label = card.left_out, card.circuit["target"]["label"]
    if not others:
        return ""
    given = len(others) + len(card.counted)
    said = f"The network does not call {len(others)} of {many(given, 'photo')} {label}; " if given > 1 else ""
    said = said or f"The network does not call the photo {label}; "
    if not card.counted:
        return f"{said}so only the circuit's own photo is scored."
    return f"{said}only the other {'one is' if len(card.counted) == 1 else f'{len(card.counted)} are'} scored."


def headline(card: "Card") -> str:
    """The card in a few sentences: what the circuit keeps, what is lost without it, and against what."""
    row = card.row("circuit")
    label, units = card.circuit["target"]["label"], card.circuit["units"]
    everything = sum(card.widths.values())
    if row.faithfulness.value is None:
        over, name = over_name(card, card.main), metric_name(card, "value")
        refused = f"No share of the {name} of {label} can be given for these {units} units over {over}."
        return f"{refused} {_values(row)}".strip()
    are_groups = any(other.method == "permuted" for other in card.rows)
    which, others = ("groups", "others, and what is in no group,") if are_groups else ("units", "others")
    said = [
        f"Alone, {units} of {everything} {which} ({percent(units / everything)}) keep {share(row.faithfulness.value)} "
        f"of the {metric_name(card, 'value')} of {label} over {over_name(card, card.main)}, with all {others} ablated."
    ]
    if row.necessity.value is not None:
        said.append(f"Without them {share(row.necessity.value)} of it is lost.")
    controls = [other for other in card.rows if other.method != "circuit" and _beside(other, row)]
    best = max(controls, key=lambda other: other.faithfulness.value or 0.0, default=None)
    random = next((other for other in controls if other.method == "random"), None)
    if random is not None and best is not None:
        chance = "As many random channels" if are_groups else "Random units of the same shape"
        said.append(
            f"{chance} keep {share(random.faithfulness.value)}; the best control, "
            f"{METHOD_NAMES[best.method]}, keeps {share(best.faithfulness.value)}."
        )
    if row.edges is not None and row.edges.value is not None:
        said.append(f"Its {card.circuit['edges']} edges alone carry {share(row.edges.value)}.")
    return " ".join(said)


def scale_in_words(card: "Card", row: "ScoreRow") -> str:
    """What the ends of the scale stand for, as the end of a sentence on percentages; they are no shares of the value.

    Example:
        >>> from circuits import evaluate, load_network, trace
        >>> network = load_network()
        >>> card = evaluate(network, trace(network, "example:cat", depth=1), controls=False, ladder=(), stability=0)
        >>> scale_in_words(card, card.row("circuit"))[:8], scale_in_words(card, card.row("circuit"))[-42:]
        (': 0 % is', 'ablated; 100 % is 9.07, with none ablated.')
    """
    if row.values is None:
        return "."
    mean = "on average " if card.main == "photos" else ""
    return (
        f": 0 % is {mean}{number(row.values.nothing)}, with all units of these layers ablated; "
        f"100 % is {mean}{number(row.values.whole)}, with none ablated."
    )


def _values(row: "ScoreRow") -> str:
    """What was measured, on average over photos, in a sentence."""
    score = row.values
    if score is None:
        return ""
    without = "" if score.without is None else f", {number(score.without)} without them"
    nothing = f"{number(score.nothing)} with all channels of these layers ablated"
    return (
        f"It is {number(score.whole)} in the whole network, {number(score.alone)} with them alone{without}, {nothing}."
    )


def _beside(row: "ScoreRow", other: "ScoreRow") -> bool:
    return (row.over, row.baseline, row.metric) == (other.over, other.baseline, other.metric)


def overshoot(card: "Card") -> str:
    """A sentence on scores above 1, if there are any; they look like errors and are none."""
    row = card.row("circuit")
    values = [score.value for score in (row.faithfulness, row.necessity) if score.value is not None]
    if not values or max(values) <= 1.05:
        return ""
    if card.circuit["settings"]["signs"] == "both":
        return "More than 100 % is no error: on balance, the units that the circuit leaves out lower the target."
    return (
        "More than 100 % is no error: the circuit shows what excites the target and leaves out what inhibits it, so "
        "that by itself it can exceed the whole network, and more can be lost without it than there was."
    )
