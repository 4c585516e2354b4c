"""Networks on another device: the same numbers as on the CPU, and nothing of the two mixed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import circuits
from circuits import (
    Atlas,
    Circuit,
    InputError,
    Network,
    build_atlas,
    evaluate,
    expand,
    gradient_picture,
    heat_map,
    index_photos,
    intervene,
    load_network,
    load_photo,
    mean_of_photos,
    measure,
    predict,
    prepare,
    render,
    standing,
    trace,
)
from circuits.evidence.class_effects import class_attributions
from circuits.evidence.maps import argument_map, edge_maps
from circuits.evidence.near_duplicates import correlations
from circuits.network import device as devices
from circuits.network.device import chosen_device, exact, halving
from circuits.visualization.settings import Settings
from tests.support.nets import ready, zoo
from tests.support.second_device import AWAY, Elsewhere, moved, second_device

PHOTO = "example:cat"


@pytest.fixture(scope="module")
def here() -> Network:
    return load_network(device="cpu")


@pytest.fixture(scope="module")
def away() -> Iterator[Network]:
    with second_device():
        yield moved(load_network(device="cpu"))


def same(one: object, other: object) -> None:
    """Whether two circuits have the same units and the same numbers."""
    assert isinstance(one, Circuit)
    assert isinstance(other, Circuit)
    assert one.nodes.keys() == other.nodes.keys()
    for name, node in one.nodes.items():
        assert other.nodes[name].value == pytest.approx(node.value, rel=1e-4, abs=1e-4)
        edges = zip(one.edges_into(name), other.edges_into(name), strict=True)
        for mine, theirs in edges:
            assert theirs.source == mine.source
            assert theirs.attribution == pytest.approx(mine.attribution, rel=1e-3, abs=1e-4)


def test_the_second_device_refuses_company() -> None:
    with second_device():
        x = torch.ones(3).to(AWAY)
        assert isinstance(x, Elsewhere)
        assert (x + x).cpu().tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError, match="one device"):
            x + torch.ones(3)
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()


@pytest.mark.parametrize("mode", ["sum", "target", "ig", "ablate"])
def test_a_circuit_is_the_same_on_another_device(here: Network, away: Network, mode: str) -> None:
    assert away.device == AWAY
    same(trace(here, PHOTO, "cat", depth=2, top=3, mode=mode), trace(away, PHOTO, "cat", depth=2, top=3, mode=mode))


def test_a_circuit_of_groups_is_the_same_on_another_device(here: Network, away: Network) -> None:
    one, other = (trace(network, PHOTO, "cat", depth=2, groups=3) for network in (here, away))
    same(one, other)
    same(trace(here, PHOTO, "cat", units=12, depth=2), trace(away, PHOTO, "cat", units=12, depth=2))
    scores = [
        evaluate(network, each, controls=False, ladder=(), stability=0).row("circuit").faithfulness.value
        for network, each in ((here, one), (away, other))
    ]
    assert scores[1] == pytest.approx(scores[0], rel=1e-4)


def test_layers_in_branches_are_the_same_on_another_device() -> None:
    one, other = (ready(zoo("resnet18"), 64, layers="fine") for _ in range(2))
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    before = trace(one, pixels, 0, depth=2, top=3)
    with second_device():
        same(before, trace(moved(other), pixels, 0, depth=2, top=3))


def both(here: Network, away: Network, ask: Callable[[Network, Circuit], object]) -> None:
    """What is asked has the same answer on both devices."""
    answers = [np.asarray(ask(network, trace(network, PHOTO, "cat", depth=2, top=3))) for network in (here, away)]
    assert answers[1] == pytest.approx(answers[0], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    "ask",
    [
        lambda network, _: [row.probability for row in predict(network, PHOTO)],
        lambda network, circuit: intervene(network, circuit, "conv5:3").after.cpu(),
        lambda network, circuit: heat_map(network, circuit, "conv6:3"),
        lambda network, circuit: argument_map(network, circuit, "conv6:3"),
        lambda network, circuit: edge_maps(network, circuit, "conv6:3", "conv7:5").upper,
        lambda network, circuit: class_attributions(network, circuit, "conv6:3"),
        lambda network, circuit: correlations(network, circuit, ["conv6:3", "conv6:4"]),
        lambda network, circuit: gradient_picture(network, circuit, "conv5:3", smooth=2),
        lambda network, circuit: standing(network, circuit, "conv5:3").rank,
        lambda network, _: mean_of_photos(network, [PHOTO]).means["conv5"].cpu(),
        lambda network, circuit: [
            edge.ablation for edge in measure(network, circuit, circuit.root).edges_into(circuit.root)
        ],
        lambda network, circuit: [
            edge.attribution for edge in expand(network, circuit, circuit.root, top=6).edges_into(circuit.root)
        ],
        lambda network, circuit: (
            evaluate(network, circuit, draws=2, stability=1, ladder=(2,)).rows[0].faithfulness.value
        ),
    ],
)
def test_answers_are_the_same_on_another_device(
    here: Network, away: Network, ask: Callable[[Network, Circuit], object]
) -> None:
    both(here, away, ask)


def test_pictures_reach_the_same_on_another_device(
    here: Network, away: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuits.visualization.optimize.has_fast_bfloat16", lambda: False)  # 32 bits on both
    both(here, away, lambda network, _: render(network, ["conv3:5"], settings=Settings(size=32, steps=3))[0].activation)


def test_exemplars_are_the_same_on_another_device(here: Network, away: Network, tmp_path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        load_photo(PHOTO).pixels.crop((40 * number, 0, 250 + 40 * number, 250)).save(photos / f"{number}.png")
    found = []
    for place, network in enumerate((here, away)):
        index = index_photos(network, photos, top=2, into=tmp_path / str(place))
        found.append([(each.photo.name, each.value) for each in index.of("conv5:3").most])
    assert [name for name, _ in found[0]] == [name for name, _ in found[1]]
    assert [value for _, value in found[1]] == pytest.approx([value for _, value in found[0]], rel=1e-4)


def test_an_atlas_has_the_same_links_on_another_device(here: Network, away: Network, tmp_path: Path) -> None:
    photos = tmp_path / "photos" / "cat"
    photos.mkdir(parents=True)
    for number in range(3):
        load_photo(PHOTO).pixels.crop((40 * number, 0, 250 + 40 * number, 250)).save(photos / f"{number}.png")
    circuits = []
    for place, network in enumerate((here, away)):
        build_atlas(network, photos.parent, tmp_path / str(place), layers=["conv5", "conv6", "conv7", "fc"])
        circuits.append(Atlas.open(tmp_path / str(place)).circuit("cat", depth=2, top=3))
    same(*circuits)


def test_the_fingerprint_does_not_depend_on_the_device(here: Network, away: Network) -> None:
    assert here.sha256 == away.sha256


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "_works", lambda device: False)  # a driver that is too old
    assert chosen_device("auto").type == "cpu"
    monkeypatch.setattr(devices, "_works", lambda device: True)
    assert chosen_device("auto").type == "cuda"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("gpu", "There is no device 'gpu'"),
        ("cuda:7", "no device 'cuda:7'"),
        ("cuda:x", "no device 'cuda:x'"),
        ("mps", "no device 'mps'"),
        ("cuda:-1", "no device 'cuda:-1'"),
        ("", "no device ''"),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        chosen_device(wanted)
    with pytest.raises(InputError, match=message):
        load_network(device=wanted)


def test_a_device_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moving that changes a weight, as a device that is silently wrong would its product."""

    def wrong(traced: torch.fx.GraphModule, device: torch.device) -> None:
        next(traced.parameters()).data.mul_(1.01)

    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 2))
    monkeypatch.setattr("circuits.network.prepare.move", wrong)
    monkeypatch.setattr("circuits.network.prepare.chosen_device", lambda wanted: torch.device("meta"))
    with pytest.raises(InputError, match="says something else on meta than on the CPU"):
        prepare(module, size=8, device="cuda")


def test_what_does_not_fit_is_halved() -> None:
    seen: list[int] = []

    def run(items: torch.Tensor) -> torch.Tensor:
        seen.append(len(items))
        if len(items) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 2 * items

    assert torch.cat(halving(run, torch.arange(7))).tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert seen == [7, 3, 1, 2, 4, 2, 2]

    def never(items: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InputError, match="not enough memory for one photo"):
        halving(never, torch.arange(3))


def test_attributions_have_all_digits_and_the_switch_goes_back() -> None:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with exact():
            assert not torch.backends.cudnn.allow_tf32
            with exact():
                assert torch.is_grad_enabled()
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_a_page_runs_the_network_of_a_circuit_on_the_device_that_is_asked_for(here: Network) -> None:
    circuit = trace(here, PHOTO, depth=1, top=2)
    with pytest.raises(InputError, match=r"^There is no device 'cupid'"):
        circuits.explore(circuit, device="cupid", open_browser=False)
    with pytest.raises(InputError, match=r"^The network is on a device already; give device= to load_network or prep"):
        circuits.explore(here, device="cpu", open_browser=False)
