"""Circuits whose shares are measured from means: books, files, expanding, measuring and scoring them."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from circuits import Baseline, Circuit, InputError, Network, UnknownError, expand, grow, measure, trace
from circuits.evaluation.evaluate import evaluate
from circuits.evidence import argument_map, class_attributions, class_losses, edge_maps, layer_table
from circuits.evidence.maps import target_map
from circuits.report.circuit import to_html
from circuits.report.sentences import from_mean_in_words
from circuits.report.text import methods_differ
from tests.support.handmade import POSITIONS, colour_photo, handmade_network, levels

MEANS = {"conv1": torch.tensor([0.5, 0.25, 0.5, 0.125]), "conv2": torch.tensor([1.0, 1.0, 0.5])}


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture(scope="module")
def mean() -> Baseline:
    return Baseline("mean", "colours (9 photos)", MEANS | {"elsewhere": torch.zeros(2)})


def traced(network: Network, mean: Baseline | None, **options: object) -> Circuit:
    return trace(network, colour_photo(), "warm", **{"depth": 2, "signs": "both", "baseline": mean, **options})


def shares(circuit: Circuit, name: str) -> dict[str, float]:
    return {edge.source: edge.attribution for edge in circuit.edges_into(name)}


def test_shares_and_books_are_those_of_the_known_circuit(network: Network, mean: Baseline) -> None:
    red, green, blue = levels(1, 0.5, 0.25)
    circuit = traced(network, mean)
    warm, high = 3 * (2 * red - green), -(blue + 0.5)
    # Of conv2's dead unit nothing is known but that it is off: where it is, its gradient is zero in fc's weights.
    assert shares(circuit, "fc:0") == pytest.approx({"conv2:0": warm - 3, "conv2:1": high + 1}, abs=1e-5)
    books = circuit.nodes["fc:0"].books
    assert books is not None
    assert (books.bias, books.rest, books.exact, books.bias_name) == (
        pytest.approx(3 * 1.0 - 1.0 + 0.1, abs=1e-5), pytest.approx(0, abs=1e-5), True, "base",
    )  # fmt: skip
    below = {"conv1:0": 2 * (red - 0.5), "conv1:1": -(green - 0.25)}
    assert shares(circuit, "conv2:0") == pytest.approx({n: POSITIONS * s for n, s in below.items()}, abs=1e-4)
    lower = circuit.nodes["conv2:0"].books
    assert lower is not None
    assert lower.bias == pytest.approx(POSITIONS * (2 * 0.5 - 0.25), abs=1e-4)
    zero = traced(network, None)
    assert zero.nodes["fc:0"].books.bias_name == "bias"  # type: ignore[union-attr]
    assert (methods_differ(circuit, zero), methods_differ(zero, zero)) == (True, False)
    silent = Baseline("mean", "none", {name: torch.zeros_like(each) for name, each in MEANS.items()})
    assert shares(traced(network, silent), "fc:0") == shares(zero, "fc:0")


def test_the_file_carries_the_means_so_that_the_circuit_goes_on(
    network: Network, mean: Baseline, tmp_path: Path
) -> None:
    whole, path = traced(network, mean), tmp_path / "warm.json"
    traced(network, mean, depth=1).to_json(path)
    read, data = Circuit.from_json(path), json.loads(path.read_text())
    assert (data["format"], data["graph"]["settings"]["baseline"]) == ("circuits/2", "mean")
    assert data["graph"]["means"]["source"] == "colours (9 photos)"
    assert list(data["graph"]["means"]["layers"]) == ["conv1", "conv2"]
    kept = np.frombuffer(base64.b64decode(data["graph"]["means"]["layers"]["conv2"]), "<f4")
    assert kept.tolist() == MEANS["conv2"].tolist()
    assert shares(expand(network, read, "conv2:0"), "conv2:0") == shares(whole, "conv2:0")
    grown = grow(network, read)
    assert grown.to_dict()["nodes"] == whole.to_dict()["nodes"]
    assert "base" in to_html(whole)
    assert from_mean_in_words(read).startswith("Shares are measured from each unit's mean over colours (9 photos);")
    plain = traced(network, None).to_dict()
    assert plain["format"] == "circuits/1"
    assert "baseline" not in plain["graph"]["settings"]
    assert "means" not in plain["graph"]


def test_ablation_to_the_same_means_is_what_the_shares_say(network: Network, mean: Baseline) -> None:
    for mode in ("sum", "target", "ig", "ablate", "frozen"):
        circuit = measure(network, traced(network, mean, mode=mode, depth=1))
        for edge in circuit.edges_into("fc:0"):
            assert edge.ablated == edge.ablation_mean == pytest.approx(edge.attribution, abs=1e-5), mode
            assert edge.integrated == pytest.approx(edge.attribution, abs=1e-5)
            assert not edge.warnings
        by_name = {found.baseline: found for found in circuit.nodes["fc:0"].measured}
        assert by_name["mean"].error == pytest.approx(0, abs=1e-5)
        assert by_name["zero"].error is not None
        assert by_name["zero"].error > 0.5
    other = Baseline("mean", "others", {name: each + 1 for name, each in MEANS.items()})
    with pytest.raises(InputError, match=r"from the mean over colours \(9 photos\), so its .* over others; leave"):
        measure(network, circuit, baseline=other)


def test_a_score_is_that_of_the_circuit_from_the_means(network: Network, mean: Baseline) -> None:
    circuit = traced(network, mean, depth=1, top=1, signs="positive")
    assert list(shares(circuit, "fc:0")) == ["conv2:0"]
    card = evaluate(network, circuit, controls=False, ladder=(1,), stability=1, seed=1)
    assert card.settings["baselines"][1] == {"name": "mean", "source": "colours (9 photos)"}
    # With conv2:1 at its mean, what is lost is the share of conv2:0.
    row = card.row("circuit", baseline="mean")
    assert row.values is not None
    assert row.values.alone - row.values.nothing == pytest.approx(shares(circuit, "fc:0")["conv2:0"], abs=1e-5)
    assert card.stability is not None
    assert card.stability.edge_mean == 1


def test_what_the_page_shows_beside_the_shares_is_measured_from_the_same_means(
    network: Network, mean: Baseline
) -> None:
    red, green, _ = levels(1, 0.5, 0.25)
    circuit, groups = traced(network, mean, mode="target"), traced(network, mean, mode="target", groups=1)
    share = 3 * (2 * red - green) - 3
    node = circuit.nodes["conv2:0"]
    assert shares(circuit, "fc:0")["conv2:0"] == pytest.approx(share, abs=1e-5)
    # In mode target a unit's value is its share, and its base what the means below it give beyond its own.
    assert node.value == pytest.approx(share, abs=1e-5)
    assert node.books is not None
    assert node.books.bias == pytest.approx(3 * (2 * 0.5 - 0.25) - 3, abs=1e-4)
    for each in (circuit, groups):
        for edge in each.edges_into("fc:0"):
            known = pytest.approx(edge.attribution, abs=1e-4)
            assert argument_map(network, each, edge.source).sum() == known
            assert edge_maps(network, each, edge.source, "fc:0").attribution == known
            assert class_attributions(network, each, edge.source)[0] == known
            assert class_losses(network, each, edge.source)[0] == known
            assert each.nodes[edge.source].value == known
    found = layer_table(network, circuit, "conv2").attributions
    assert found is not None
    assert found[:2].tolist() == pytest.approx([shares(circuit, "fc:0")[f"conv2:{n}"] for n in (0, 1)], abs=1e-5)
    assert float(target_map(network, circuit).sum()) == pytest.approx(float(found.sum()), abs=1e-5)
    # Logits have no mean; from zero the share of a unit that is usually on is another.
    assert layer_table(network, circuit, "fc").attributions is not None
    assert traced(network, None, mode="target").nodes["conv2:0"].value == pytest.approx(share + 3, abs=1e-5)


def test_groups_are_measured_from_their_code_of_the_means(network: Network, mean: Baseline) -> None:
    circuit = measure(network, traced(network, mean, groups=1, depth=1))
    books = circuit.nodes["fc:0"].books
    assert books is not None
    assert books.shown + books.rest + books.residual + books.bias == pytest.approx(books.value, abs=1e-5)
    assert books.bias == pytest.approx(2.1, abs=1e-4)
    for edge in circuit.edges_into("fc:0"):
        assert edge.ablation_mean == pytest.approx(edge.attribution, abs=1e-4)


def test_what_cannot_be_measured_from_is_refused(network: Network, mean: Baseline) -> None:
    with pytest.raises(UnknownError, match="is not known for layer 'conv1', only for conv2"):
        traced(network, Baseline("mean", "one layer", {"conv2": torch.zeros(3)}))
    with pytest.raises(InputError, match="which has 4; it belongs to another network"):
        traced(network, Baseline("mean", "others", {"conv1": torch.zeros(5), "conv2": torch.zeros(3)}))
    good = traced(network, mean).to_dict()

    def broken(**changes: object) -> str:
        means = {**good["graph"]["means"], **changes}
        with pytest.raises(InputError) as told:
            Circuit.from_dict({**good, "graph": {**good["graph"], "means": means}})
        return str(told.value)

    layers = good["graph"]["means"]["layers"]
    assert "has been changed since it was written" in broken(layers={**layers, "conv2": layers["conv1"]})
    assert "is not float32 numbers in base64" in broken(layers={**layers, "conv2": "AAA="})
    nan = base64.b64encode(np.array([np.nan] * 3, "<f4").tobytes()).decode()
    assert "of conv2 is not finite" in broken(layers={**layers, "conv2": nan})
    without = {**good["graph"]}
    del without["means"]
    with pytest.raises(InputError, match="measured from means and has none"):
        Circuit.from_dict({**good, "graph": without})
