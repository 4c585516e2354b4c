"""What a unit contributes to every logit, against one gradient for each class, straight from the definition."""

import pytest
import torch

from circuits import InputError, Network, Unit, UnknownError
from circuits.evidence.class_effects import class_attributions
from circuits.tracing.run import ForwardCache
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import find_target
from tests.evidence.test_maps import LAYERS, Branches, photo
from tests.support.branched import Branches as Parallel
from tests.support.branched import branched
from tests.support.handmade import colour_photo
from tests.support.nets import randomize, ready


def by_definition(network: Network, image: torch.Tensor, unit: Unit) -> list[float]:
    """Σ_hw a · ∂T_k/∂a of one unit, a class at a time, the network run as it is from its own graph."""
    node = network.layer(unit.layer).node
    values: dict[torch.fx.Node, torch.Tensor] = {}

    class Watched(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            values[n] = super().run_node(n)
            return values[n]

    found = []
    for number in range(network.layer(network.layers[-1]).channels):
        logits = Watched(network.traced).run(image.clone().requires_grad_())
        (gradient,) = torch.autograd.grad(logits[0, number].sum(), values[node])
        product = (values[node] * gradient)[0, unit.channel]
        found.append(float((product.sum() if unit.position is None else product[unit.position]).detach()))
    return found


@pytest.mark.parametrize("layer", ["stem", "cat", "mul"])
@pytest.mark.parametrize("alone", [False, True])
def test_each_class_has_what_its_own_gradient_says(layer: str, *, alone: bool) -> None:
    network = ready(randomize(Branches(), 3), 8, layers=LAYERS)
    source = photo(network)
    maps = network.activations(network.preprocessing.input_of(source), [layer])[layer][0]
    channel = int(maps.amax((1, 2)).argmax())
    row, column = divmod(int(maps[channel].argmax()), maps.shape[2])
    unit = Unit(layer, channel, (row, column) if alone else None)
    expected = by_definition(network, network.preprocessing.input_of(source), unit)
    assert class_attributions(network, source, unit).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert max(map(abs, expected)) > 1e-3


def test_in_a_network_of_parallel_layers_every_path_counts() -> None:
    network = branched(Parallel())
    source = colour_photo(0.75, 0.5, 0.25)
    image = network.preprocessing.input_of(source)
    for layer in network.layers[:-1]:
        expected = by_definition(network, image, Unit(layer, 0))
        found = class_attributions(network, source, Unit(layer, 0)).tolist()
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_it_is_the_column_of_what_every_class_says_of_the_unit() -> None:
    network = ready(randomize(Branches(), 3), 8, layers=LAYERS)
    source = photo(network)
    run: ForwardCache = forward_cache(network, source)
    for number, found in enumerate(class_attributions(network, source, "cat:7")):
        target = find_target(network, number, 0)
        assert float(run.attributions(target, "cat")[7]) == pytest.approx(found, rel=1e-4, abs=1e-6)


def test_a_logit_and_what_does_not_exist_are_refused() -> None:
    network = ready(randomize(Branches(), 3), 8, layers=LAYERS)
    with pytest.raises(InputError, match="fc:1 is a logit itself; ask for a unit of a layer below fc"):
        class_attributions(network, photo(network), "fc:1")
    with pytest.raises(UnknownError, match="No layer 'nothing'"):
        class_attributions(network, photo(network), "nothing:1")
