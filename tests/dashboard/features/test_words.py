"""What the page says in words, where a word depends on what is shown."""

from circuits import load_network, trace
from circuits.network.predict import Prediction
from circuits.report.sentences import alone_in_words, larger_network
from dashboard.choice_texts import MODES
from dashboard.features.target.view import settings, unsure
from dashboard.library import Library
from dashboard.session.state import Choices, Session, Work
from tests.support.parts import find, words


def method(choices: Choices) -> tuple[list[str], str]:
    """What is pressed in the control of the method, and its hint."""
    parts = settings(Session(choices=choices), (1, 2), tuple(MODES))
    pressed = [each.id for part in parts for each in find(part, **{"aria-pressed": "true"}) if each.id[:5] == "mode-"]
    return pressed, words(next(each for part in parts for each in find(part, id="mode-hint")))


def test_the_method_shows_that_best_units_or_groups_set_it() -> None:
    assert method(Choices(mode="ig"))[0] == ["mode-ig"]
    pressed, hint = method(Choices(mode="ig", units=20))
    assert (pressed, hint.startswith("Set by best units. ")) == (["mode-target"], True)
    pressed, hint = method(Choices(groups=8))
    assert (pressed, hint.startswith("Set by groups. ")) == (["mode-target"], True)


def test_only_a_difference_has_evidence_of_a_class_alone() -> None:
    network = load_network()
    for target, expected in (("cat", ""), ("cat - dog", "cat alone")):
        circuit = trace(network, "example:cat", target, depth=1, top=1)
        assert alone_in_words(circuit.nodes[circuit.root]) == expected


def test_where_other_networks_are_in_the_menu_they_are_named_instead_of_a_command(library: Library) -> None:
    network = load_network()
    best = Prediction(0, network.labels[0], 1.0, 0.1)
    doubtful = Session(Work(predictions=(best,)))
    own = Library(network, library.gallery)
    said = " ".join(words(part) for part in unsure(doubtful, own, [own.name, "squeezenet1_1"]))
    assert said.endswith("For other classes, choose squeezenet1_1 above.")
    alone = " ".join(words(part) for part in unsure(doubtful, own, [own.name]))
    assert alone.endswith(f"circuits explore {larger_network()}")
