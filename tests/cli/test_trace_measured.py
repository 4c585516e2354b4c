"""`circuits trace --measure` tells warnings and agreement, with zero and with means over an index of exemplars."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from circuits import Circuit, Edge, Network, measure, trace
from circuits.attribution.agreement import Agreement
from circuits.cli._trace_tables import agreement_table, warnings
from circuits.report.edge_words import error_in_words, joint_in_words, ranks_in_words, warning_label, warning_sentence
from tests.support.commandline import on_handmade, refusal, run, save_photo
from tests.support.handmade import colour_photo, handmade_network
from tests.support.verified import halves, logic


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    return [str(save_photo(tmp_path)), *on_handmade(tmp_path), "--depth", "1"]


@pytest.fixture(scope="module")
def network() -> Network:
    return logic()


def told(circuit: Circuit, baseline: str = "zero") -> list[list[str]]:
    table = agreement_table(circuit, baseline)
    return [list(cells) for cells in zip(*(column.cells for column in table.columns), strict=True)]


def test_the_mean_over_an_index_is_taken_where_it_is_asked_for(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "colours").mkdir()
    for name, red in (("dim", 0), ("bright", 255)):
        Image.fromarray(np.full((4, 4, 3), (red, 0, 0), dtype=np.uint8)).save(tmp_path / "colours" / f"{name}.png")
    kept, out = tmp_path / "kept", tmp_path / "out.json"
    assert run("exemplars", tmp_path / "colours", *asked[1:-2], "--into", kept).exit_code == 0
    result = run("trace", *asked, "--measure", "--baseline", "mean", "--exemplars", kept, "-o", out)
    assert result.exit_code == 0, result.stderr
    told = "Agreement of attributions with the drop when units below are set to"
    assert f"{told} zero, medians by layer:" in result.stdout
    assert f"{told} their mean over colours (2 photos), medians by layer:" in result.stdout
    circuit = Circuit.from_json(out)
    (edge,) = circuit.edges_into(circuit.root)
    assert edge.ablation == pytest.approx(3 * (2 - 128 / 255), abs=1e-5)
    assert edge.ablation_mean == pytest.approx(3 * (2 - 128 / 255 - 1), abs=1e-5)  # its mean is that of 0 and 2
    assert [found.source for found in circuit.nodes[circuit.root].measured] == ["", "colours (2 photos)"]


def test_what_cannot_be_a_baseline_is_refused(asked: list[str], tmp_path: Path) -> None:
    assert "--baseline 'median' does not exist; write zero or mean" in refusal(
        run("trace", *asked, "--measure", "--baseline", "median")
    )
    assert "There is no index of exemplars of Handmade in " in refusal(
        run("trace", *asked, "--measure", "--baseline", "mean", "--exemplars", tmp_path / "none")
    )
    assert "--exemplars says where means are taken from; give --baseline mean, or --measure, too" in refusal(
        run("trace", *asked, "--exemplars", tmp_path)
    )


def test_json_on_standard_output_is_the_circuit_alone(asked: list[str]) -> None:
    result = run("trace", *asked, "--measure", "--json")
    [root] = [row for row in json.loads(result.stdout)["nodes"] if row["expanded"]]
    assert root["measured"][0]["baseline"] == "zero"


def test_each_kind_of_warning_is_counted_and_its_edges_are_named(network: Network) -> None:
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), "top:1", depth=1))
    lines = warnings(circuit).splitlines()
    assert lines == [
        "Measured by ablation: 0 of 2 edges disagree (another sign, or one more than twice the other).",
        "Parts that cancel: 0 of 2 edges (net under a tenth of gross).",
        "Saturated or past a threshold: 2 of 2 edges (gradient and integrated gradient differ as much):",
        *[f"  conv1:{n} → top:1: +1.60, integrated +{circuit.edges_into('top:1')[0].integrated:.2f}" for n in (0, 1)],
    ]
    cancels = halves([1.0, 1.0, 1.0], [-0.95, 0.0, 0.0])
    circuit = measure(cancels, trace(cancels, colour_photo(1.0, 1.0, 0.0), "yes", depth=1))
    assert "Parts that cancel: 1 of 2 edges (net under a tenth of gross):" in warnings(circuit)
    assert "  conv1:0 → fc:0: +0.400, of +8.00 and \N{MINUS SIGN}7.60" in warnings(circuit)


def test_only_the_first_ten_edges_are_named() -> None:
    network = handmade_network()
    circuit = measure(network, trace(network, colour_photo(), "warm", depth=1))
    data = circuit.to_dict()
    for channel in range(12):
        data["nodes"].append({**data["nodes"][1], "id": f"conv2:{channel + 5}", "channel": channel + 5})
        data["edges"].append(
            {**data["edges"][0], "source": f"conv2:{channel + 5}", "rank": channel + 2, "ablation": -1}
        )
    lines = warnings(Circuit.from_dict(data)).splitlines()
    assert lines[0].startswith("Measured by ablation: 12 of 13 edges disagree")
    assert lines[11].strip() == "and 2 more"
    assert len([line for line in lines if "ablated \N{MINUS SIGN}1.00" in line]) == 10


def test_agreement_is_told_layer_by_layer(network: Network) -> None:
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), "leaky", depth=2))
    assert told(circuit) == [["fc", "1", "1.00", "0 %", "100 %"], ["top", "1", "1.00", "0 %", "600 %"]]
    assert told(circuit, "mean") == []


def test_the_joint_effect_is_put_into_words(network: Network) -> None:
    def words(name: str, **options: object) -> str:
        circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), name, depth=1, **options))
        return joint_in_words(circuit, circuit.nodes[name].measured[0], name)

    both = "When both are ablated together, {} drops by {}; one at a time, the drops add up to {}."
    assert words("top:1") == both.format("top:1", "19.2", "3.20") + " They are redundant."
    assert words("top:0", mode="ig") == both.format("top:0", "16.0", "0") + " They are redundant."
    assert words("top:3") == both.format("top:3", "32.0", "32.0")
    assert words("top:2", top=1) == "When it is ablated, top:2 drops by 16.0."
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), "top:2", depth=1))
    # Of exactly half it is not said.
    assert joint_in_words(circuit, circuit.nodes["top:2"].measured[0], "top:2") == both.format("top:2", "16.0", "32.0")
    assert joint_in_words(circuit, Agreement("zero", "", 3, joint=15.0), "top:2").endswith("Each needs the others.")
    assert joint_in_words(circuit, Agreement("zero", "", 3, joint=-1.0), "top:2") == (
        "When both are ablated together, top:2 rises by 1.00; one at a time, the drops add up to 32.0."
    )
    assert joint_in_words(circuit, Agreement("zero", "", 3), "top:2") == ""


@pytest.mark.parametrize(
    ("spearman", "words"),
    [
        (1.0, "1.00"), (0.894, "0.89"), (0.0, "0.00"), (-0.5, "\N{MINUS SIGN}0.50"),
    ],
)  # fmt: skip
def test_ranks_are_put_into_words(spearman: float, words: str) -> None:
    assert ranks_in_words(Agreement("zero", "", 48, spearman=spearman)) == f"Rank correlation {words} over 48 units."


def test_what_is_not_known_is_not_said() -> None:
    assert ranks_in_words(Agreement("zero", "", 48)) == ""
    assert error_in_words(Agreement("zero", "", 48)) == ""


def test_warnings_have_their_numbers_in_a_sentence(network: Network) -> None:
    circuit = measure(network, trace(network, colour_photo(1.0, 1.0, 0.0), "top:1", depth=1))
    edge = Edge("conv1:0", "top:1", 2.0, 1, ablation=-1.0, positive=5.0, negative=-4.9, integrated=9.0)
    assert warning_sentence(circuit, edge, "disagrees") == "Ablation gives \N{MINUS SIGN}1.00, not +2.00."
    assert warning_sentence(circuit, edge, "cancels") == (
        "conv1:0 excites top:1 in some places (+5.00) and inhibits it in others (\N{MINUS SIGN}4.90); the two nearly "
        "cancel, so their sum says little."
    )
    assert warning_sentence(circuit, edge, "saturates") == (
        "A small change has less effect at the photo than on the path from zero: gradient × activation gives +0.100, "
        "integrated along the path +9.00."
    )
    late = Edge("conv1:0", "top:1", 2.0, 1, positive=2.0, negative=0.0, integrated=0.5)
    assert warning_label(late, "saturates") == "past a threshold"
    assert warning_sentence(circuit, late, "saturates").startswith("A small change has more effect at the photo than")
