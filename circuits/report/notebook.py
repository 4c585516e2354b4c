"""Which report shows which value; imported by `circuits.notebook` when the first is shown."""

from markupsafe import Markup

from circuits.evaluation.card import Card
from circuits.image.encode import to_data_uri
from circuits.notebook import cell_of, page_of
from circuits.report import circuit as circuit_report
from circuits.report import evaluation as evaluation_report
from circuits.report.text import number
from circuits.tracing.circuit import Circuit
from circuits.tracing.node import Node
from circuits.visualization.render import Picture

page_of.register(Circuit, circuit_report.to_html)
page_of.register(Card, evaluation_report.to_html)
cell_of.register(Node, circuit_report.node_to_html)


@cell_of.register
def _(circuit: Circuit) -> str:
    return _frame(circuit_report.to_html(circuit), "Circuit")


@cell_of.register
def _(card: Card) -> str:
    return _frame(evaluation_report.to_html(card), "Scores of a circuit")


@cell_of.register
def _(picture: Picture) -> str:
    fires = "no image was found that activates it" if picture.dead else f"reaches {number(picture.activation)}"
    figure = Markup(
        '<figure style="display: inline-block; margin: 4px"><img src="{picture}" alt="What {unit} looks for">'
        "<figcaption>{unit}: {fires}</figcaption></figure>"
    )
    return str(figure.format(picture=to_data_uri(picture.image), unit=picture.unit, fires=fires))


def _frame(page: str, title: str) -> str:
    """A page in a frame of its own, so that its style does not leak into the notebook around it."""
    frame = Markup('<iframe srcdoc="{}" width="100%" height="720" style="border: 0" title="{}"></iframe>')
    return str(frame.format(page, title))
