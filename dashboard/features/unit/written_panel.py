"""Which hidden units of a block wrote a unit of a transformer's residual stream, each of which can be explained."""

from typing import Any

from dash import html

from circuits.report.text import many, number
from circuits.tracing.node import Node
from circuits.tracing.writers import Writers
from dashboard.answers import Failure
from dashboard.components import failed, section, sends, unbroken
from dashboard.features.unit import charts
from dashboard.work.results import Answers

Component = Any
NAME = "written"


def written(node: Node, found: Answers) -> list[Component]:
    """What the MLP of the block wrote of a unit, and what was there before; nothing where that was not asked.

    Args:
        node: the unit.
        found: what was found out, by query.
    """
    if NAME not in found:
        return []
    answer, block = found[NAME], node.unit.layer.removesuffix(".cls")
    if isinstance(answer, Failure):
        parts = failed(answer)
    elif isinstance(answer, Writers):
        rest = (f"rest ({many(answer.others, 'unit')})", answer.total - sum(by for _, by in answer.units), "other")
        named = [(_why(str(unit), block), by, charts.sign(by)) for unit, by in answer.units]
        ends = [("before the MLP", answer.before, "other"), ("in this photo", answer.value, "whole")]
        parts = [charts.bars([*named, rest, *ends]), html.P(in_words(answer), className="small muted")]
    else:
        parts = [html.Div(className="placeholder waiting chart-room")]
    return [section(f"What wrote it in {block}", NAME, parts)]


def in_words(found: Writers) -> str:
    """What the bars are, in two sentences.

    Example:
        >>> in_words(Writers(702.0, (), 3072, 483.0))[:73]
        'Of 702, summed over its tokens, the hidden units of the block’s MLP wrote'
    """
    words = (
        f"Of {number(found.value)}, summed over its tokens, the hidden units of the block’s MLP wrote "
        f"{number(found.total)}, and {number(found.before)} was there before, from the blocks below and through "
        "attention. Press one to explain why it fired."
    )
    return unbroken(words)


def _why(unit: str, block: str) -> Component:
    return html.Button(
        unit.removeprefix(f"{block}."), type="button", className="link",
        title=f"Why did {unit} fire? Undo brings this circuit back", **sends("root", target=unit),
    )  # fmt: skip
