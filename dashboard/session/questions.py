"""What is asked of the network: how a target is written in actions, and how it is said to people."""

from dataclasses import dataclass

from circuits.report.text import AGAINST, place_in_words, question_parts
from circuits.tracing.circuit import Circuit
from circuits.tracing.targets import Target, target_of


@dataclass(frozen=True)
class Wish:
    """A target to explain, as people or `written` write it."""

    target: str


def written(target: Target) -> str:
    """A target as actions write it, without labels: `284`, `conv4:17`, `conv4:17@3,5`, or `284 - 281`.

    Example:
        >>> from circuits.units import Unit
        >>> written(Target("difference", Unit("fc", 284), "Siamese cat - tabby", 281))
        '284 - 281'
    """
    if target.kind == "class":
        return str(target.unit.channel)
    return str(target.unit) if target.minus is None else against(target.unit.channel, target.minus)


def against(plus: int, minus: int) -> str:
    """The difference of two classes as actions write it.

    Example:
        >>> against(284, 281)
        '284 - 281'
    """
    return f"{plus}{AGAINST}{minus}"


def explained(circuit: Circuit | None) -> tuple[int, int | None] | None:
    """Numbers of the class that a circuit explains and of the one that it is held against; `None` for other targets."""
    if circuit is None:
        return None
    target = target_of(circuit)
    return (target.unit.channel, target.minus) if target.kind in ("class", "difference") else None


def question(target: Target) -> str:
    """A question in words."""
    return "".join(question_parts(target.kind, target.unit, target.label))


def question_of(circuit: Circuit) -> tuple[str, ...]:
    """The question that a circuit answers, in parts, of which every second one is what it is about."""
    target = target_of(circuit)
    return question_parts(target.kind, target.unit, target.label)


def subject_of(circuit: Circuit) -> tuple[str, ...]:
    """What a circuit explains, in parts, of which every second one is a class or a unit."""
    target = target_of(circuit)
    if target.kind == "difference":
        plus, _, minus = target.label.partition(AGAINST)
        return "", plus, ", not ", minus
    if target.unit.position is None:
        return "", target.label
    return "", str(target.unit.whole), f" {place_in_words(target.unit.layer, target.unit.position)}"
