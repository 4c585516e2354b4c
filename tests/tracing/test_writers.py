"""Which hidden units wrote a unit of the residual stream, against the sum that the block makes of them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from circuits import Circuit, InputError, Network, mean_of_photos, trace
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import target_of
from circuits.tracing.writers import written_by
from dashboard.features.unit import written_panel
from dashboard.library import Library
from dashboard.session.selection import traced_like, why
from dashboard.session.state import Session, Work
from dashboard.work.gallery import StoredGallery
from tests.support.parts import words
from tests.support.tokens import Tokens, tokens
from tests.tracing.test_usual import PHOTOS


@pytest.fixture(scope="module")
def module() -> Tokens:
    return Tokens()


@pytest.fixture(scope="module")
def network(module: Tokens) -> Network:
    return tokens(module).with_layers("stream")


@pytest.fixture(scope="module")
def circuit(network: Network) -> Circuit:
    mean = mean_of_photos(network, PHOTOS[1:], source="noise")
    return trace(network, PHOTOS[0], depth=2, groups=3, units=20, signs="both", baseline=mean)


def added(module: Tokens, network: Network, block: int) -> tuple[Tensor, Tensor]:
    """The hidden units of a block's MLP, (tokens, hidden), and what each adds to a row, (hidden, width)."""
    kept: list[Tensor] = []
    hook = module.blocks[block].act.register_forward_hook(lambda _, given, made: kept.append(made[0].detach()))
    module(network.preprocessing.input_of(PHOTOS[0]))
    hook.remove()
    return kept[0], module.blocks[block].down.weight.detach().T


def test_what_each_hidden_unit_wrote_and_what_was_there_before_make_the_value(
    module: Tokens, network: Network, circuit: Circuit
) -> None:
    hidden, weights = added(module, network, 0)
    run, target = forward_cache(network, circuit), target_of(circuit)
    names = [name for name, node in circuit.nodes.items() if node.unit.layer == "blocks.0"]
    assert len(names) > 1
    for name in names:  # groups of patches, and what is in none
        read = run.readout(target, circuit.nodes[name].unit, "sum", is_root=False).weights
        assert read is not None
        each = torch.einsum("tj,jc,ct->j", hidden[1:], weights, read.flatten(1))
        found = written_by(network, circuit, name, top=3)
        assert found.total == pytest.approx(float(each.sum()), rel=1e-4)
        order = each.abs().argsort(descending=True)[:3].tolist()
        assert [unit.layer for unit, _ in found.units] == ["blocks.0.act"] * 3
        assert [unit.channel for unit, _ in found.units] == order
        assert [by for _, by in found.units] == pytest.approx(each[order].tolist(), rel=1e-4)
        assert found.others == len(each) - 3
        activation = run.activations["blocks.0"][0].flatten(1)
        before = activation - (hidden[1:] @ weights).T  # over the skip and through attention, and the bias
        assert found.before == pytest.approx(float((before * read.flatten(1)).sum()), rel=1e-3, abs=1e-4)


def test_the_class_token_was_written_by_its_own_hidden_units(
    module: Tokens, network: Network, circuit: Circuit
) -> None:
    hidden, weights = added(module, network, 1)
    alone = trace(network, PHOTOS[0], "blocks.1.cls:2", depth=1)
    found = written_by(network, alone, alone.root, top=2)
    each = hidden[0] * weights[:, 2]
    assert {unit.layer for unit, _ in found.units} == {"blocks.1.act.cls"}
    assert found.units[0][1] == pytest.approx(float(each[each.abs().argmax()]), rel=1e-4)
    assert found.total == pytest.approx(float(each.sum()), rel=1e-4)
    assert found.value == pytest.approx(alone.nodes[alone.root].value, rel=1e-5)


def test_what_no_mlp_writes_into_is_refused(network: Network, circuit: Circuit) -> None:
    with pytest.raises(InputError, match="head is no layer of the residual stream, into which MLPs write"):
        written_by(network, circuit, circuit.root)


def test_the_page_explains_a_hidden_unit_by_hidden_units_and_goes_back_to_groups_of_tokens(network: Network) -> None:
    mean = mean_of_photos(network, PHOTOS[1:], source="noise")
    library = Library(network, StoredGallery(network), lambda: mean)
    session = Session(Work(PHOTOS[0], library.predict(PHOTOS[0])), choices=library.usual_choices())

    def ask(session: Session, target: str) -> Session:
        for request in (asked := why(session, target, library)).requests:
            like = traced_like(session, target, library)
            found = library.trace(PHOTOS[0], target, request.choices, lambda *report: None, like=like)
            asked = replace(asked, work=replace(asked.work, circuit=found, selected=found.root), requests=())
        return asked

    by_groups = ask(session, "0")
    below = ask(by_groups, "blocks.0.act:1")
    again = ask(below, "1")
    circuits = [each.work.circuit for each in (by_groups, below, again)]
    assert [each.layers for each in circuits if each] == [network.layers, tokens(Tokens()).layers, network.layers]
    assert [each.settings.baseline for each in circuits if each] == ["mean", "zero", "mean"]
    assert [bool(each.dictionaries) for each in circuits if each] == [True, False, True]
    first = circuits[0]
    assert first is not None
    found = {"written": written_by(network, first, "blocks.0/0")}
    told = words(written_panel.written(first.nodes["blocks.0/0"], found))
    assert "What wrote it in blocks.0" in told
    assert "before the MLP" in told
