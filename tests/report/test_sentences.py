"""Sentences made from the numbers of a circuit and of predictions."""

import pytest

from circuits import load_network, predict, trace
from circuits.builtin import UNSURE, labels
from circuits.network.predict import Prediction
from circuits.report.sentences import below_in_words, peak_in_words, unsure_in_words, value_in_words
from circuits.report.text import number
from tests.support.handmade import colour_photo, handmade_network


@pytest.mark.parametrize(
    ("shown", "others", "coverage", "said"),
    [
        (5, 379, 0.19, "The 5 channels shown account for 19 % of everything that pushed it up or down; the other 379 "
         "channels hold the rest."),
        (1, 1, 0.6, "The channel shown accounts for 60 % of everything that pushed it up or down; the other one holds "
         "the rest."),
        (2, None, 0.6, "The 2 channels shown account for 60 % of everything that pushed it up or down; the others hold "
         "the rest."),
        (1, 0, 1.0, "The only channel below it is shown."),
        (0, None, 0.0, "None of the channels below it is shown."),
    ],
)  # fmt: skip
def test_what_is_shown_below_a_value_is_said(shown: int, others: int | None, coverage: float, said: str) -> None:
    assert below_in_words(shown, others, coverage) == said


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("warm", "The logit for warm is {}."),
        ("conv2:0", "The activation of conv2:0 sums to {} over the image."),
        ("conv2:0@1,2", "The activation of conv2:0 at row 1, column 2 is {}."),
    ],
)
def test_each_kind_of_target_has_its_own_words(wish: str, said: str) -> None:
    circuit = trace(handmade_network(), colour_photo(), wish, depth=1)
    assert "".join(value_in_words(circuit)) == said.format(number(circuit.target.value))


def test_a_difference_says_which_logit_is_higher_and_by_how_much() -> None:
    network, photo = handmade_network(), colour_photo()
    logits = network.logits(network.preprocessing.input_of(photo))[0]
    by = float(logits[network.labels.index("warm")] - logits[network.labels.index("cold")])
    assert by > 0
    for wish, side in (("warm - cold", "higher"), ("cold - warm", "lower")):
        plus, _, minus = wish.partition(" - ")
        said = "".join(value_in_words(trace(network, photo, wish, depth=1)))
        assert said == f"The logit for {plus} is {number(by)} {side} than that for {minus}."


def test_a_unit_says_where_it_is_most_active() -> None:
    circuit = trace(handmade_network(), colour_photo(), "warm", depth=1)
    node = circuit.nodes[circuit.edges_into(circuit.root)[0].source]
    row, column = node.peak
    said = f"{node.called} is most active at row {row}, column {column}, with {number(node.max)}"
    assert "".join(peak_in_words(node, scalar=False)) == said
    assert "".join(peak_in_words(node, scalar=True)) == f"{node.called} has the value {number(node.max)}"


def test_where_the_best_probability_is_low_no_class_may_fit() -> None:
    network = load_network()

    def leading(probability: float) -> list[Prediction]:
        return [Prediction(3, "pizza", 1.0, probability), Prediction(0, "cat", 0.0, 0.01)]

    said = unsure_in_words(network, leading(UNSURE - 0.001))
    assert said == (
        f"Perhaps none of the {len(labels())} classes fits: even pizza is only at 34.9 %. The built-in network is "
        f"small and knows {len(labels())} everyday things."
    )
    assert unsure_in_words(network, leading(UNSURE)) == ""
    assert unsure_in_words(network, []) == ""
    assert unsure_in_words(network, predict(network, "example:cat")) == ""
    assert unsure_in_words(handmade_network(), leading(0.1)) == ""
