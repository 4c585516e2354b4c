"""Scores of units and edges: hand-wired networks with known answers, and the slow definition in float64, with hooks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits import Baseline, InputError, Network, UnknownError, discard, load_photo, mean_of_photos, trace
from circuits.evaluation.scores import Score, mean_score, score_edges, score_units
from circuits.evaluation.unit_sets import Units, sources_of, units_of
from circuits.network.branches import pack
from circuits.network.execute import image_node
from circuits.network.operations import as_maps, run_node
from circuits.tracing.run import ForwardCache
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import Target, find_target, target_of
from tests.support.branched import Branches, Skip, branched, convolution, linear
from tests.support.handmade import colour_photo, handmade_network, levels
from tests.support.nets import image_for, seeded, zoo_network

RED, GREEN, BLUE = levels(1.0, 0.5, 0.25)
ZERO = Baseline.zero()


def run_on(network: Network, target: str | None = None, seed: int = 0) -> tuple[ForwardCache, Target]:
    """Noise through a network, and a target."""
    run = ForwardCache.of(network, image_for(network, seed=seed))
    return run, find_target(network, target, 0)


def everything(network: Network, layers: Sequence[str]) -> dict[str, range]:
    return {layer: range(network.layer(layer).channels) for layer in layers}


def slow(run: ForwardCache, target: Target, kept: Units, baseline: Baseline) -> float:
    """m of some kept units, by the definition: every node in float64, one after the other, on one photo."""
    network = run.network
    stations = {network.layer(layer).node: layer for layer in kept}
    traced = network.traced.double()
    try:
        values: dict[object, object] = {image_node(traced): run.activations.get("", image_for(network)).double()}
        for node in traced.graph.nodes:
            if node.op in ("placeholder", "output"):
                continue
            values[node] = run_node(traced, node, values)
            if node in stations:
                value = as_maps(values[node]).clone()
                for channel in range(value.shape[1]):
                    if channel not in kept[stations[node]]:
                        base = baseline.means.get(stations[node])
                        value[:, channel] = 0 if base is None else float(base[channel])
                values[node] = value.view_as(values[node])
        top = as_maps(values[network.layer(target.unit.layer).node])
    finally:
        traced.float()
    if target.minus is not None:
        return float(top[0, target.unit.channel] - top[0, target.minus])
    at = target.unit.position
    found = top[0, target.unit.channel]
    return float(found.sum() if at is None else found[at])


def complement(network: Network, kept: Units) -> dict[str, list[int]]:
    return {layer: [n for n in range(network.layer(layer).channels) if n not in kept[layer]] for layer in kept}


def some_units(network: Network, layers: Sequence[str], seed: int) -> dict[str, tuple[int, ...]]:
    source = np.random.default_rng(seed)
    found = {}
    for layer in layers:
        width = network.layer(layer).channels
        count = int(source.integers(0, width + 1))
        found[layer] = tuple(sorted(int(n) for n in source.choice(width, size=count, replace=False)))
    return found


def noise_baseline(network: Network) -> Baseline:
    """A mean over nothing that was measured, different in every channel."""
    source = seeded(3)
    means = {layer.name: torch.rand(layer.channels, generator=source) for layer in network.layer_list}
    return Baseline("mean", "noise", means)


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


def test_the_handmade_circuit_has_the_known_scores(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, top=1)
    assert units_of(network, circuit) == {"conv1": (0,), "conv2": (0,)}
    [found] = score_units(forward_cache(network, circuit), target_of(circuit), [units_of(network, circuit)], ZERO)
    cold = BLUE + 0.5
    assert found.baseline == "zero"
    assert found.value.whole == pytest.approx(3 * (2 * RED - GREEN) - cold + 0.1, abs=1e-5)
    assert found.value.nothing == pytest.approx(0.1, abs=1e-5)
    # Alone, red is doubled with no green to hold it back, and unit 1 of conv2 is ablated with its bias.
    assert found.value.alone == pytest.approx(6 * RED + 0.1, abs=1e-5)
    assert found.value.without == pytest.approx(0.1 - cold, abs=1e-5)
    total = 3 * (2 * RED - GREEN) - cold
    assert found.value.faithfulness == pytest.approx(6 * RED / total, abs=1e-5)
    assert found.value.completeness == pytest.approx(-cold / total, abs=1e-5)
    assert found.value.necessity == pytest.approx(1 + cold / total, abs=1e-5)


def test_the_probability_of_a_class_is_scored_beside_its_logit(network: Network) -> None:
    run = ForwardCache.of(network, network.preprocessing.input_of(colour_photo()))
    [found] = score_units(run, find_target(network, "cold", 0), [{"conv2": [1]}], ZERO)
    assert found.probability is not None
    warm, cold = 3 * (2 * RED - GREEN) - (BLUE + 0.5) + 0.1, BLUE + 0.5
    two = lambda one, other: 1 / (1 + np.exp(other - one))  # noqa: E731  # softmax of two
    assert found.probability.whole == pytest.approx(two(cold, warm), abs=1e-5)
    assert found.probability.nothing == pytest.approx(two(0.0, 0.1), abs=1e-5)
    assert found.probability.alone == pytest.approx(two(cold, 0.1 - cold), abs=1e-5)
    assert found.probability.without == pytest.approx(two(0.0, 3 * (2 * RED - GREEN) + 0.1), abs=1e-5)
    [found] = score_units(run, find_target(network, "conv2:0", 0), [{"conv1": [0]}], ZERO)
    assert found.probability is None


@pytest.mark.parametrize("baseline", ["zero", "mean"])
@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "googlenet"])
def test_all_units_have_faithfulness_one_and_completeness_zero_exactly(name: str, baseline: str) -> None:
    network = zoo_network(name)
    run, target = run_on(network)
    layers = network.layers[-4:-1]
    none = dict.fromkeys(layers, ())
    stands = ZERO if baseline == "zero" else noise_baseline(network)
    found, nothing = score_units(run, target, [everything(network, layers), none], stands)
    assert (found.value.faithfulness, found.value.completeness, found.value.necessity) == (1.0, 0.0, 1.0)
    assert (nothing.value.faithfulness, nothing.value.completeness) == (0.0, 1.0)
    assert found.value.alone == float(target.readout(network).value(run.activations[network.layers[-1]]))


@pytest.mark.parametrize("target", [None, "class 3 - class 5", "features.10:7", "features.11:253@1,1"])
@pytest.mark.parametrize("baseline", ["zero", "mean"])
def test_scores_equal_the_slow_definition_in_a_chain(target: str | None, baseline: str) -> None:
    network = zoo_network("squeezenet1_1")
    run, found_target = run_on(network, target)
    stands = ZERO if baseline == "zero" else noise_baseline(network)
    kept = some_units(network, network.layers[3:6], seed=1)
    [found] = score_units(run, found_target, [kept], stands)
    expected = [
        slow(run, found_target, units, stands)
        for units in ({}, dict.fromkeys(kept, ()), kept, complement(network, kept))
    ]
    score = found.value
    assert (score.whole, score.nothing, score.alone, score.without) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert len(set(expected)) == 4


@pytest.mark.parametrize("seed", [0, 1])
def test_scores_equal_the_slow_definition_inside_branches(seed: int) -> None:
    network = zoo_network("resnet18").with_layers("fine")
    run, target = run_on(network)
    layers = ["layer4.0", "layer4.0.conv2", "layer4_1_relu", "layer4.1.conv2", "layer3.1.conv2"]
    assert set(layers) <= set(network.layers)
    kept = some_units(network, [layer for layer in network.layers if layer in layers], seed)
    [found] = score_units(run, target, [kept], noise_baseline(network))
    expected = [
        slow(run, target, units, noise_baseline(network))
        for units in ({}, dict.fromkeys(kept, ()), kept, complement(network, kept))
    ]
    score = found.value
    assert (score.whole, score.nothing, score.alone, score.without) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", ["densenet_small", "shufflenet_v2_x0_5", "convnext_tiny", "efficientnet_b0"])
def test_scores_equal_the_slow_definition_in_unusual_graphs(name: str) -> None:
    network = zoo_network(name).with_layers("fine")
    run, target = run_on(network)
    kept = some_units(network, network.layers[-6:-1], seed=1)
    baseline = noise_baseline(network)
    [found] = score_units(run, target, [kept], baseline)
    expected = [slow(run, target, units, baseline) for units in (kept, complement(network, kept))]
    assert (found.value.alone, found.value.without) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("module", [Branches, Skip])
def test_hand_wired_branches_have_the_scores_of_the_slow_definition(module: type[nn.Module]) -> None:
    network = branched(module())
    run = ForwardCache.of(network, network.preprocessing.input_of(colour_photo(0.75, 0.5, 0.25)))
    target = find_target(network, "one", 0)
    for seed in range(4):
        kept = some_units(network, network.layers[:-1], seed)
        [found] = score_units(run, target, [kept], noise_baseline(network))
        score = found.value
        for units, value in ((kept, score.alone), (complement(network, kept), score.without)):
            assert value == pytest.approx(slow(run, target, units, noise_baseline(network)), abs=1e-5)


def test_many_sets_at_once_are_scored_as_each_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    network = zoo_network("googlenet")
    run, target = run_on(network)
    sets = [some_units(network, network.layers[-5:-1], seed) for seed in range(5)]
    sets += [some_units(network, network.layers[-3:-1], seed) for seed in range(5)]
    together = score_units(run, target, sets, ZERO)
    monkeypatch.setattr("circuits.evaluation.ablate._BATCH_BYTES", 1)
    for units, found in zip(sets, together, strict=True):
        [alone] = score_units(run, target, [units], ZERO)
        assert alone.baseline == found.baseline
        for one, other in ((alone.value, found.value), (alone.probability, found.probability)):
            assert vars(one) == pytest.approx(vars(other), rel=1e-4, abs=1e-5)


class And(nn.Module):
    """out = max(0, a + b - 1.5) + c; a, b are red and green, c is blue: 1, 1, 0.2 in the photo."""

    def __init__(self, *, either: bool = False) -> None:
        super().__init__()
        self.low = convolution([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
        self.high = convolution([[1.0, 1, 0], [0, 0, 1]], [0.0 if either else -1.5, 0.0])
        self.cap = 1.0 if either else 6.0
        self.fc = linear([[1.0, 1], [0, 1]], [0.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        x = self.high(torch.relu(self.low(x)))
        return self.fc(nn.functional.hardtanh(x, 0.0, self.cap).mean((2, 3)))


def on_colours(module: nn.Module) -> tuple[ForwardCache, Target]:
    network = branched(module, "auto")
    run = ForwardCache.of(network, network.preprocessing.input_of(colour_photo(1.0, 1.0, 0.0)))
    return run, find_target(network, "one", 0)


def test_an_and_of_two_units_needs_both(network: Network) -> None:
    run, target = on_colours(And())
    both, one, other = score_units(run, target, [{"low": units} for units in ([0, 1], [0], [1])], ZERO)
    assert (both.value.faithfulness, both.value.completeness) == pytest.approx((1.0, 0.0))
    for half in (one, other):
        # Half an AND keeps nothing, and yet all is lost without it.
        assert (half.value.faithfulness, half.value.necessity) == pytest.approx((0.0, 1.0))


def test_redundant_units_are_sufficient_and_not_necessary() -> None:
    run, target = on_colours(And(either=True))
    [found] = score_units(run, target, [{"low": [0]}], ZERO)
    assert (found.value.faithfulness, found.value.necessity) == pytest.approx((1.0, 0.0))


def test_the_mean_baseline_is_what_stands_in_the_place_of_ablated_units(network: Network) -> None:
    photos = [colour_photo(0.5, 0.25, 0.25), colour_photo(0.25, 0.25, 0.5)]
    baseline = mean_of_photos(network, photos, source="two colours")
    run = ForwardCache.of(network, network.preprocessing.input_of(colour_photo()))
    [found] = score_units(run, find_target(network, "warm", 0), [{"conv2": [0]}], baseline)
    half, quarter = levels(0.5, 0.25)
    means = [((2 * half - quarter) + (2 * quarter - quarter)) / 2, (quarter + half) / 2 + 0.5]
    assert found.baseline == "mean over two colours (2 photos)"
    assert found.value.nothing == pytest.approx(3 * means[0] - means[1] + 0.1, abs=1e-5)
    assert found.value.alone == pytest.approx(3 * (2 * RED - GREEN) - means[1] + 0.1, abs=1e-5)
    assert found.value.without == pytest.approx(3 * means[0] - (BLUE + 0.5) + 0.1, abs=1e-5)


def test_a_ratio_to_next_to_nothing_is_not_defined(network: Network) -> None:
    run = ForwardCache.of(network, network.preprocessing.input_of(colour_photo()))
    # conv2:2 is dead in the photo, and conv1:3 says nothing.
    [found] = score_units(run, find_target(network, "conv2:2", 0), [{"conv1": [3]}], ZERO)
    assert (found.value.faithfulness, found.value.completeness, found.value.necessity) == (None, None, None)
    assert Score(1.0, 0.0, 0.5).necessity is None
    assert Score(1.00001, 1.0, 5.0, 1.0).faithfulness is None


def test_the_mean_over_photos_has_the_ratio_of_sums() -> None:
    found = mean_score([Score(10.0, 2.0, 6.0, 2.0), Score(2.0, 0.0, 1.0, 1.0)])
    assert (found.faithfulness, found.completeness) == pytest.approx((5 / 10, 1 / 10))
    assert mean_score([Score(1.0, 0.0, 0.5, 0.5), Score(1.0, 0.0, 0.5)]).without is None


def test_sets_that_cannot_be_scored_are_refused(network: Network) -> None:
    run, target = run_on(network, "warm")
    with pytest.raises(UnknownError, match="No unit conv2:7 in handmade; conv2 has 3 channels"):
        score_units(run, target, [{"conv2": [7]}], ZERO)
    with pytest.raises(UnknownError, match="No layer 'conv9'"):
        score_units(run, target, [{"conv9": []}], ZERO)
    with pytest.raises(InputError, match=r"The set of units names no layer, so nothing would be ablated; name .*\."):
        score_units(run, target, [{}], ZERO)
    with pytest.raises(InputError, match=r"conv2 does not lie below conv2:0, the target; score units below it\."):
        score_units(run, find_target(network, "conv2:0", 0), [{"conv2": [1]}], ZERO)
    with pytest.raises(UnknownError, match="not known for layer 'conv2'"):
        score_units(run, target, [{"conv2": [1]}], Baseline("mean", "a few", {}))


def test_discarded_units_do_not_count(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, top=2, signs="both")
    assert units_of(network, circuit) == {"conv1": (0, 1, 2), "conv2": (0, 1)}
    left = discard(circuit, "conv2:1")
    assert units_of(network, left) == {"conv1": (0, 1), "conv2": (0,)}
    nothing_left = discard(left, "conv2:0")
    assert units_of(network, nothing_left) == {"conv2": ()}


def test_a_circuit_of_nothing_but_its_target_cannot_be_scored(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=1, top=1)
    graph = circuit.unfrozen()
    graph.nodes["fc:0"]["expanded"] = False
    with pytest.raises(InputError, match="The circuit holds nothing but its target, warm; expand that before it is"):
        sources_of(type(circuit)(graph))


class Edges(nn.Module):
    """Two units above, each of which reads both of two below: hi:0 = a + b, hi:1 = a + 2 b, out = hi:0 + hi:1."""

    def __init__(self) -> None:
        super().__init__()
        self.low = convolution([[1.0, 0, 0], [0, 1, 0]])
        self.high = convolution([[1.0, 1], [1, 2]])
        self.fc = linear([[1.0, 1], [0, 1]], [0.5, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.high(torch.relu(self.low(x)))).mean((2, 3)))


def test_a_missing_edge_shows_though_the_units_are_faithful() -> None:
    network = branched(Edges(), "auto")
    circuit = trace(network, colour_photo(0.6, 0.4, 0.0), "one", depth=2, top=2)
    run, target = forward_cache(network, circuit), target_of(circuit)
    a, b = levels(0.6, 0.4)
    full = sources_of(circuit)
    assert score_edges(run, target, full, ZERO).faithfulness == pytest.approx(1.0)
    missing = full | {"high:1": tuple(unit for unit in full["high:1"] if unit.channel != 1)}
    [units] = score_units(run, target, [units_of(network, circuit)], ZERO)
    assert units.value.faithfulness == 1.0
    found = score_edges(run, target, missing, ZERO)
    assert (found.whole, found.nothing) == pytest.approx((2 * a + 3 * b + 0.5, 0.5), abs=1e-5)
    assert found.alone == pytest.approx(2 * a + b + 0.5, abs=1e-5)
    assert found.faithfulness == pytest.approx((2 * a + b) / (2 * a + 3 * b), abs=1e-5)
    assert (found.without, found.completeness) == (None, None)
    # What the missing edge would bring is the mean in place of b; nothing is then 2 means of each layer's top.
    means = Baseline("mean", "by hand", {"low": torch.tensor([0.1, 0.2]), "high": torch.tensor([0.3, 0.4])})
    found = score_edges(run, target, missing, means)
    assert (found.nothing, found.alone) == pytest.approx((0.7 + 0.5, (a + b) + (a + 2 * 0.2) + 0.5), abs=1e-5)


def slow_edges(run: ForwardCache, target: Target, sources: Mapping[str, Sequence[object]], baseline: Baseline) -> float:
    """m(edges) by recursion from the target, one unit and one piece of the network at a time."""

    def value(name: str, layer: str, channel: int) -> Tensor:
        if name not in sources:
            return run.activations[layer][0, channel]
        lower = run.below(layer)
        parts = [] if lower.image is None else [lower.image]
        for place, (below, part) in enumerate(lower.activations.items()):
            own = baseline.of(below, part)[0].repeat(1, *part.shape[2:])
            for unit in sources[name]:
                if unit.layer == below:
                    own[unit.channel] = value(str(unit), below, unit.channel)
            parts.insert(place, own[None])
        return lower.piece(pack(parts))[0, channel]

    with torch.no_grad():
        return float(value(target.id, target.unit.layer, target.unit.channel).sum())


@pytest.mark.parametrize(("name", "layers"), [("googlenet", "auto"), ("resnet18", "fine"), ("squeezenet1_1", "auto")])
def test_edges_are_scored_as_by_recursion_from_the_target(name: str, layers: str) -> None:
    network = zoo_network(name).with_layers(layers)
    photo = load_photo(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8), name="noise")
    circuit = trace(network, photo, depth=3, top=4)
    run, target = forward_cache(network, circuit), target_of(circuit)
    for baseline in (ZERO, noise_baseline(network)):
        found = score_edges(run, target, sources_of(circuit), baseline)
        assert found.alone == pytest.approx(slow_edges(run, target, sources_of(circuit), baseline), rel=1e-4, abs=1e-4)
        [units] = score_units(run, target, [units_of(network, circuit)], baseline)
        assert (found.whole, found.nothing) == pytest.approx(
            (units.value.whole, units.value.nothing), rel=1e-4, abs=1e-4
        )


def test_edges_without_a_target_or_from_elsewhere_are_refused(network: Network) -> None:
    circuit = trace(network, colour_photo(), "warm", depth=2, top=1)
    run, target = forward_cache(network, circuit), target_of(circuit)
    sources = sources_of(circuit)
    with pytest.raises(InputError, match=r"fc:0, the target, has no sources; expand it before its edges are scored\."):
        score_edges(run, target, {"conv2:0": sources["conv2:0"]}, ZERO)
    with pytest.raises(InputError, match=r"conv1:0 does not lie in conv2, which its edge leads up from\."):
        score_edges(run, target, {"fc:0": sources["conv2:0"]}, ZERO)
