"""Numbers, warnings, measurements and scores in words: the same in the terminal, in reports and in the explorer."""

import textwrap
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells

from circuits.numbers import chance as chance
from circuits.numbers import decimals as decimals
from circuits.numbers import number as number
from circuits.numbers import percent as percent
from circuits.numbers import share as share

if TYPE_CHECKING:
    from circuits.attribution.agreement import Agreement
    from circuits.evaluation.card import Card
    from circuits.evaluation.estimates import Estimate
    from circuits.evaluation.statistics import ScoreRow
    from circuits.tracing.circuit import Circuit
    from circuits.tracing.edge import Edge
    from circuits.units import Unit


ALONE = "each class judged on its own"
"""Said of the predictions of a multi-label network."""


ONE_AT_A_TIME = "run one photo at a time, since what it does depends on others in a batch"
"""Said of a network whose rows depend on each other."""


def network_and_source(name: str, source: str, output: str = "") -> str:
    """A network's name and where its weights come from, once where both are the same; and which output is explained.

    >>> network_and_source("googlenet", "random"), network_and_source("builtin", "builtin")
    ('googlenet (random)', 'builtin')
    >>> network_and_source("Heads", "as made", "output kind of 2 (colour, kind)")
    'Heads (as made), output kind of 2 (colour, kind),'
    """
    called = name if name == source else f"{name} ({source})"
    return f"{called}, {output}," if output else called


def predictions_heading(network: str, photo: str) -> str:
    """The heading of predictions.

    >>> predictions_heading("googlenet (random)", "cat.jpg")
    'Predictions of googlenet (random) for cat.jpg'
    """
    return f"Predictions of {network.removesuffix(',')} for {photo}"


def remark(*, multi_label: bool, one_at_a_time: bool) -> str:
    """What is said in brackets of how a network is run and its classes are judged.

    >>> remark(multi_label=True, one_at_a_time=False), remark(multi_label=False, one_at_a_time=False)
    (' (each class judged on its own)', '')
    """
    said = [text for text, is_so in ((ALONE, multi_label), (ONE_AT_A_TIME, one_at_a_time)) if is_so]
    return f" ({'; '.join(said)})" if said else ""


def cut(words: str, length: int) -> str:
    """A text of at most so many characters; an ellipsis stands for what is left out.

    >>> cut("Siamese cat", 8), cut("cat", 8)
    ('Siamese…', 'cat')
    """
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"


def wrapped(words: str, cells: int) -> list[str]:
    """A text in lines of at most so many cells, of which a Chinese letter takes two; nothing of it is left out.

    >>> wrapped("Shetland sheepdog, Shetland", 16), wrapped("猫" * 9, 16)
    (['Shetland', 'sheepdog,', 'Shetland'], ['猫猫猫猫猫猫猫猫', '猫'])
    """
    if cell_len(words) == len(words):
        return textwrap.wrap(words, max(1, cells)) or [words]
    return chop_cells(words, max(2, cells))


AGAINST = " - "
"""Between the two classes of a difference."""


def question(circuit: "Circuit") -> str:
    """The question that a circuit answers."""
    return "".join(question_parts(circuit.target.kind, circuit.nodes[circuit.root].channel, circuit.target.label))


def question_parts(kind: str, unit: "Unit", label: str) -> tuple[str, ...]:
    """A question in parts, of which every second one is what it is about.

    Example:
        >>> from circuits.units import Unit
        >>> "".join(question_parts("class", Unit("fc", 284), "Siamese cat"))
        'Why Siamese cat?'
        >>> "".join(question_parts("difference", Unit("fc", 284), "Siamese cat - tabby"))
        'Why Siamese cat, not tabby?'
        >>> "".join(question_parts("neuron", Unit("conv4", 17, (3, 5)), "conv4:17@3,5"))
        'Why did conv4:17 fire at row 3, column 5?'
    """
    if kind == "difference":
        plus, _, minus = label.partition(AGAINST)
        return "Why ", plus, ", not ", minus, "?"
    if kind == "class":
        return "Why ", label, "?"
    if unit.position is None:
        return "Why did ", str(unit), " fire?"
    return "Why did ", str(unit.whole), f" fire {place_in_words(unit.layer, unit.position)}?"


def is_of_tokens(layer: str) -> bool:
    """Whether a layer is that of a transformer's tokens which are no patches, by its name; see `blocks.name_nodes`."""
    return layer.endswith(".cls")


def place_in_words(layer: str, position: tuple[int, int]) -> str:
    """Where in a layer something is: the tokens of a transformer that are no patches have no rows and columns.

    The first of these is called the class token, as it is in all networks that have one.

    Example:
        >>> place_in_words("conv4", (3, 5)), place_in_words("blocks.0.act.cls", (0, 0))
        ('at row 3, column 5', 'in the class token')
        >>> place_in_words("blocks.0.act.cls", (0, 2))
        'in extra token 2'
    """
    row, column = position
    if is_of_tokens(layer):
        return f"in extra token {column}" if column else "in the class token"
    return f"at row {row}, column {column}"


MODE_NAMES = {
    "sum": "gradient × activation",
    "target": "gradient × activation weighted by the target",
    "ig": "integrated gradients",
    "ablate": "ablation",
    "frozen": "gradient × activation with attention, norms and gates frozen",
}
"""The modes of attribution, as they are called."""


def method_in_words(circuit: "Circuit") -> str:
    """How the shares of a circuit were found.

    Example:
        >>> from circuits import load_network, mean_of_photos, trace
        >>> network = load_network()
        >>> mean = mean_of_photos(network, ["example:cat"], source="one cat")
        >>> method_in_words(trace(network, "example:cat", depth=1, mode="ig", baseline=mean))
        'integrated gradients, from the mean over one cat (1 photo)'
    """
    mode, start = MODE_NAMES[circuit.settings.mode], circuit.baseline
    return mode if start.name == "zero" else f"{mode}, from the mean over {start.source}"


def methods_differ(left: "Circuit", right: "Circuit") -> bool:
    """Whether the shares of two circuits cannot be compared, because they were found in other ways."""
    return (left.settings.mode, left.settings.baseline) != (right.settings.mode, right.settings.baseline)


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


def many(count: int, name: str, names: str = "") -> str:
    """How many there are, with their name, whose plural is given where it is no s more.

    Example:
        >>> many(1, "changed photo"), many(0, "changed photo"), many(10880, "class", "classes")
        ('1 changed photo', '0 changed photos', '10880 classes')
    """
    return f"{count} {name}" if count == 1 else f"{count} {names or f'{name}s'}"


def short_label(label: str) -> str:
    """The first of a class's synonyms.

    >>> short_label("tench, Tinca tinca"), short_label(", comma")
    ('tench', ', comma')
    """
    return label.partition(",")[0].strip() or label


def metric_name(card: "Card", metric: str) -> str:
    """What is measured: the target's own value, or the probability of its class."""
    return "probability" if metric == "probability" else value_name(card.circuit["target"]["kind"])


def value_name(kind: str) -> str:
    """What the value of a target of this kind is called."""
    return {"class": "logit", "difference": "difference of logits"}.get(kind, "activation")


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
