"""Getting a network: built-in, of torchvision by name, or one's own, with weights, labels and sizes."""

import hashlib
import http.client
import re
import shutil
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from circuits import available_networks, load_network
from circuits.errors import InputError, UnknownError
from circuits.network.loading import far_from_training
from tests.support.nets import difference, image_for, randomize, shared, zoo

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 64

OWN = """
import torch
from torch import nn

class Own(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

class Grey(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

def factory():
    return Own()

made = Own()
number = 3

def gives_a_number():
    return 3

def needs(classes):
    return Own()

def fails():
    raise RuntimeError("no disk left")
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file with networks of one's own."""
    (tmp_path / "my_nets.py").write_text(OWN)
    return tmp_path / "my_nets.py"


@pytest.fixture(scope="module")
def squeezenet() -> torch.nn.Module:
    """squeezenet1_1 with its thousand classes and seeded weights."""
    with torch.device("meta"):
        module = models.squeezenet1_1()
    return randomize(module.to_empty(device="cpu"), 5).eval()


@pytest.fixture(scope="module")
def squeezenet_file(squeezenet: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its state dict, named with its hash as torchvision names its files."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(squeezenet.state_dict(), folder / "weights.pth")
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()[:8]
    return (folder / "weights.pth").rename(folder / f"squeezenet1_1-{digest}.pth")


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A function that lets torchvision's weights of squeezenet1_1 come from a URL; the cache is empty."""
    entry = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    before = entry.url
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    yield lambda url: object.__setattr__(entry.value, "url", url)
    object.__setattr__(entry.value, "url", before)


def logits(network, images: torch.Tensor) -> torch.Tensor:
    return network.logits(images)


def expected_logits(module: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return module(images.clone())


def test_the_names_are_builtin_and_the_classifiers_of_torchvision():
    names = available_networks()
    assert names[0] == "builtin"
    assert {"alexnet", "googlenet", "vgg16", "squeezenet1_1", "convnext_tiny", "regnet_y_400mf"} <= set(names)
    assert not [name for name in names if "rcnn" in name or "deeplab" in name or "quantized" in name]


def test_the_built_in_network_brings_everything():
    network = load_network()
    assert network.name == network.source == "builtin"
    assert network.layers[0] == "conv1"
    assert network.layers[-1] == "fc"
    assert len(network.labels) == network.layer_list[-1].channels
    assert network.piecewise_linear
    assert load_network("builtin").sha256 == network.sha256
    assert load_network(layers=["conv3"]).layers == ("conv3", "fc")


@pytest.mark.parametrize(
    "options", [{"weights": "random"}, {"labels": ["a"]}, {"size": 32}, {"mean": (0.0,) * 3}, {"std": (1.0,) * 3}]
)
def test_the_built_in_network_takes_nothing_of_it_from_elsewhere(options):
    expected = r"^The built-in network brings its own weights, labels and input size; give none of them\.$"
    with pytest.raises(InputError, match=expected):
        load_network("builtin", **options)


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnet19", "resnet18"), ("Googlenet", "googlenet"), ("vgg", "vgg11"), ("yolo", "builtin"), ("", "builtin")],
)
def test_an_unknown_name_is_answered_with_names_like_it(name, near):
    known = rf"( \(did you mean '{near}'\?\); there are also|; there are for example .*{near}.*,) timm:NAME"
    expected = rf"^No network '{name}'{known}, .*, or write path/to/file\.py:Factory\.$"
    with pytest.raises(UnknownError, match=expected):
        load_network(name)


def test_a_size_far_from_that_of_the_training_is_told(squeezenet_file):
    said = [
        far_from_training(load_network("squeezenet1_1", weights=weights, size=size, device="cpu"))
        for weights, size in ((squeezenet_file, 64), (squeezenet_file, 112), ("random", 64))
    ]
    assert said[0].startswith(
        "squeezenet1_1 was trained on photos of 224 by 224 pixels; of 64 by 64 it may say anything."
    )
    assert said[1:] == ["", ""]


def test_an_address_of_a_library_is_answered_with_how_it_is_written(tmp_path):
    for name in ("hf:me/cats", "hf-hub:me/cats", "me/cats", "https://huggingface.co/me/cats"):
        expected = r"classifier of the Hugging Face hub is hfmodel:me/cats, one of timm's timm:cats, and your own path/"
        with pytest.raises(UnknownError, match=rf"^No network '{name}'; a {expected}"):
            load_network(name)
    with pytest.raises(UnknownError, match=rf"; a folder that transformers has saved is hfmodel:{tmp_path}, one of"):
        load_network(str(tmp_path))
    with pytest.raises(UnknownError, match=r"; torchvision's go by their names alone, such as resnet18\.$"):
        load_network("torchvision:resnet18")
    with pytest.raises(UnknownError, match=r"leave out the hub's owner, timm:cats, or take .*, hfmodel:me/cats\.$"):
        load_network("timm:hf-hub:me/cats")


def test_random_weights_are_the_same_each_time_and_leave_chance_alone():
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    one = load_network("squeezenet1_1", weights="random", size=SIZE)
    assert torch.equal(torch.rand(3), expected)
    two = load_network("squeezenet1_1", weights="random", size=SIZE)
    assert one.sha256 == two.sha256
    assert one.source == "random"
    assert len(one.labels) == 1000
    assert one.labels[284] == "Siamese cat"
    assert one.preprocessing.mean == MEAN


def test_labels_decide_the_number_of_random_classes():
    network = load_network("squeezenet1_1", weights="random", size=SIZE, labels=["cat", "dog"])
    assert network.labels == ("cat", "dog")
    assert network.layer_list[-1].channels == 2


def test_labels_come_from_a_file(tmp_path):
    (tmp_path / "labels.tsv").write_text("1\tn2\tdog\n0\tn1\tcat\n")
    network = load_network("squeezenet1_1", weights="random", size=SIZE, labels=tmp_path / "labels.tsv")
    assert network.labels == ("cat", "dog")


def test_the_network_is_prepared_as_torchvision_prescribes():
    preprocessing = load_network("mnasnet0_5", weights="random").preprocessing
    assert (preprocessing.size, preprocessing.resize) == ((224, 224), 256 if preprocessing.resize == 256 else 232)
    assert (preprocessing.mean, preprocessing.std, preprocessing.interpolation) == (MEAN, STD, "bilinear")


def test_a_preset_is_taken_over_as_it_is():
    preprocessing = load_network("efficientnet_b0", weights="random").preprocessing
    preset = models.EfficientNet_B0_Weights.DEFAULT.transforms()
    assert preprocessing.interpolation == "bicubic"
    assert (preprocessing.size, preprocessing.resize) == ((preset.crop_size[0],) * 2, preset.resize_size[0])


def test_a_state_dict_from_a_file_is_loaded(squeezenet, squeezenet_file):
    network = load_network("squeezenet1_1", weights=squeezenet_file, size=SIZE)
    images = image_for(network)
    assert difference(logits(network, images), expected_logits(squeezenet, images)) <= 1e-5
    assert network.source == f"file:{squeezenet_file.name}"
    assert network.labels[281] == "tabby"
    assert network.sha256 == load_network("squeezenet1_1", weights=str(squeezenet_file), size=SIZE).sha256


def test_half_precision_safetensors_are_loaded(squeezenet, tmp_path):
    state = {name: value.half() for name, value in squeezenet.state_dict().items()}
    save_file(state, tmp_path / "half.safetensors")
    network = load_network("squeezenet1_1", weights=tmp_path / "half.safetensors", size=SIZE)
    images = image_for(network)
    found = logits(network, images)
    assert 0 < difference(found, expected_logits(squeezenet, images)) <= 1e-2


def test_a_file_of_fewer_classes_makes_a_network_of_fewer_classes(tmp_path):
    module = zoo("resnet18")
    torch.save({"state_dict": {f"module.{k}": v for k, v in module.state_dict().items()}}, tmp_path / "ten.pth")
    network = load_network("resnet18", weights=tmp_path / "ten.pth", size=SIZE)
    assert network.labels == tuple(f"class {number}" for number in range(10))
    images = image_for(network)
    assert difference(logits(network, images), expected_logits(module, images)) <= 1e-5
    with pytest.raises(InputError, match=r"^resnet18 has 10 classes, but 2 labels were given; give one a class\.$"):
        load_network("resnet18", weights=tmp_path / "ten.pth", size=SIZE, labels=["a", "b"])


def test_a_vision_transformer_is_shown_photos_of_the_size_that_its_positions_have(tmp_path, monkeypatch):
    def tiny(name, *, image_size=224, weights=None, **options):
        return models.VisionTransformer(image_size, 16, 1, 1, 8, 8, **options)

    monkeypatch.setattr("torchvision.models.get_model", tiny)
    drawn = load_network("vit_h_14", weights="random")  # its trained weights are for 518 pixels
    assert (drawn.preprocessing.size, drawn.preprocessing.interpolation) == ((224, 224), "bicubic")
    assert float(drawn.logits(image_for(drawn)).std()) > 0
    for file, side, labels in (("mine.pth", 96, 2), ("vit_b_16_swag-9ac1b537.pth", 384, 1000)):
        own = randomize(tiny("vit_b_16", image_size=side, num_classes=labels)).eval().requires_grad_(False)
        torch.save(own.state_dict(), tmp_path / file)
        network = load_network("vit_b_16", weights=tmp_path / file)
        assert (network.preprocessing.size, len(network.labels)) == ((side, side), labels)
        assert difference(network.logits(image_for(network)), own(image_for(network))) <= 1e-5


def test_weights_of_another_network_are_refused_with_what_does_not_fit(tmp_path, squeezenet_file):
    expected = r"^The weights in '.*' do not fit the network: missing: .* and \d+ more; unknown: .* and \d+ more\.$"
    with pytest.raises(InputError, match=expected):
        load_network("resnet18", weights=squeezenet_file)


def test_weights_that_are_no_file_and_no_name_are_refused():
    with pytest.raises(
        InputError, match=r"^There is no weights file 'IMAGENET1K_V9'; give a \.safetensors or \.pth file"
    ):
        load_network("squeezenet1_1", weights="IMAGENET1K_V9")


def test_official_googlenet_weights_bring_their_own_normalisation(tmp_path):
    module = zoo("googlenet", 2)
    state = {**module.state_dict(), "aux1.conv.conv.weight": torch.ones(3), "aux2.fc2.bias": torch.ones(3)}
    official = Path(models.GoogLeNet_Weights.DEFAULT.url).name
    for name in (official, "mine.pth"):
        torch.save(state, tmp_path / name)
        network = load_network("googlenet", weights=tmp_path / name, size=SIZE)
        images = image_for(network)
        module.transform_input = name == official
        assert difference(logits(network, images), expected_logits(module, images)) <= 1e-5
    assert network.layers[0] == "conv1"
    assert load_network("googlenet", weights=tmp_path / official, size=SIZE).piecewise_linear


def test_weights_are_downloaded_once_with_a_progress_bar(download, squeezenet, squeezenet_file, capfd, monkeypatch):
    download(squeezenet_file.as_uri())
    network = load_network("squeezenet1_1", size=SIZE)
    images = image_for(network)
    assert difference(logits(network, images), expected_logits(squeezenet, images)) <= 1e-5
    assert network.source == "torchvision:IMAGENET1K_V1"
    assert re.search(r"100(\.0)?%", capfd.readouterr().err)
    monkeypatch.setattr(torch.hub, "urlopen", lambda *_, **__: pytest.fail("downloaded again"))
    for name in ("IMAGENET1K_V1", "DEFAULT"):
        again = load_network("squeezenet1_1", weights=name, size=SIZE)
        assert (again.sha256, again.source) == (network.sha256, network.source)


def test_a_damaged_download_is_told(download, squeezenet_file, tmp_path, capfd):
    damaged = tmp_path / "squeezenet1_1-00000000.pth"
    shutil.copy(squeezenet_file, damaged)
    download(damaged.as_uri())
    with pytest.raises(InputError, match=r"^The download of squeezenet1_1's weights was damaged; try again\.$"):
        load_network("squeezenet1_1", size=SIZE)
    assert re.search(r"100(\.0)?%", capfd.readouterr().err)
    assert list((tmp_path / "home").rglob("*.pth")) == []


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        urllib.error.HTTPError("https://x", 503, "busy", http.client.HTTPMessage(), None),
        http.client.IncompleteRead(b"half"),
        TimeoutError("slow"),
        ConnectionResetError("gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_a_connection_the_other_ways_are_named(download, monkeypatch, error):
    def offline(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "urlopen", offline)
    download("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth")
    expected = (
        r"^The weights of squeezenet1_1 could not be downloaded from download\.pytorch\.org: there is no connection; "
        r"give a file of weights with --weights, or use the network that ships with circuits, builtin\.$"
    )
    with pytest.raises(InputError, match=expected):
        load_network("squeezenet1_1")


@pytest.mark.parametrize("factory", ["Own", "factory", "made"])
def test_a_network_of_ones_own_comes_from_a_file(own, factory):
    network = load_network(f"{own}:{factory}", size=8, labels=["a", "b", "c"])
    assert network.layers == ("1", "4")
    assert (network.name, network.source) == (factory, "as made")
    assert network.preprocessing.mean == MEAN
    assert network.sha256 == load_network(f"{own}:{factory}", size=8).sha256


def test_a_network_of_ones_own_comes_from_a_package(own, monkeypatch, tmp_path):
    (tmp_path / "my_package").mkdir()
    shutil.copy(own, tmp_path / "my_package" / "nets.py")
    monkeypatch.syspath_prepend(tmp_path)
    network = load_network("my_package.nets:Own", size=8)
    assert network.sha256 == load_network(f"{own}:Own", size=8).sha256
    assert network.labels == ("class 0", "class 1", "class 2")


def test_weights_are_put_into_a_network_of_ones_own_without_changing_it(own, monkeypatch, tmp_path):
    shutil.copy(own, tmp_path / "my_kept_nets.py")
    monkeypatch.syspath_prepend(tmp_path)
    own_module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )
    randomize(own_module, 8).eval()
    torch.save(own_module.state_dict(), tmp_path / "own.pth")
    before = load_network("my_kept_nets:made", size=8)
    network = load_network("my_kept_nets:made", weights=tmp_path / "own.pth", size=8)
    images = image_for(network)
    assert difference(logits(network, images), expected_logits(own_module, images)) <= 1e-5
    assert network.source == "file:own.pth"
    assert load_network("my_kept_nets:made", size=8).sha256 == before.sha256 != network.sha256


def test_random_weights_start_a_network_of_ones_own_again(own, tmp_path):
    own.write_text(OWN + "\nwith torch.no_grad():\n    made[0].weight.fill_(7)\n")
    trained = load_network(f"{own}:made", size=8)
    one, two = (load_network(f"{own}:made", weights="random", size=8) for _ in range(2))
    assert one.source == "random"
    assert one.sha256 == two.sha256 != trained.sha256
    assert float(one.traced.get_parameter("0.weight").abs().max()) < 1


def test_a_network_of_ones_own_may_be_grey_and_not_square(own):
    network = load_network(f"{own}:Grey", size=(6, 9))
    assert network.preprocessing.size == (6, 9)
    assert (network.preprocessing.mean, network.preprocessing.std) == ((0.449,), (0.226,))
    image = network.preprocessing.to_tensor(Image.fromarray(np.full((40, 40, 3), 255, dtype=np.uint8)))
    assert image.shape == (1, 1, 6, 9)
    assert float(image.min()) == pytest.approx((1 - 0.449) / 0.226, rel=1e-5)
    assert load_network(f"{own}:Grey", size=8, mean=(0.1,), std=(0.3,)).preprocessing.std == (0.3,)


def test_size_mean_and_std_are_put_over_the_preset():
    own_mean, own_std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    found = load_network("squeezenet1_1", weights="random", size=(96, 64), mean=own_mean, std=own_std).preprocessing
    assert (found.size, found.mean, found.std) == ((96, 64), own_mean, own_std)
    assert found.resize == 64
    larger = load_network("squeezenet1_1", weights="random", size=140, mean=list(own_mean)).preprocessing
    assert (larger.size, larger.resize, larger.mean, larger.std) == ((140, 140), 160, own_mean, STD)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 0}, r"^The input size is 0; it must be at least 1\.$"),
        ({"size": (8, -1)}, r"^The input size is \(8, -1\); it must be at least 1\.$"),
        ({"std": (1.0, 0.0, 1.0)}, r"^The std is \(1\.0, 0\.0, 1\.0\); each must be above 0\.$"),
        ({"mean": (0.5,)}, r"^mean has 1 numbers and std 3; give both one \(grey\) or three \(RGB\)\.$"),
        ({"mean": (0.5, 0.5), "std": (1.0, 1.0)}, r"^mean has 2 numbers and std 2; give both one"),
        (
            {"mean": (0.5,), "std": (1.0,)},
            r"^squeezenet1_1 does not take an input of \(1, 1, 224, 224\): it reads 3 channels; give mean and std of ",
        ),
        ({"size": 4}, r"^squeezenet1_1 does not take an input of \(1, 3, 4, 4\): .*; give its size\.$"),
    ],
)
def test_sizes_and_numbers_that_cannot_be_are_refused(options, expected):
    with pytest.raises(InputError, match=expected):
        load_network("squeezenet1_1", weights="random", **options)


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("{0}/none.py:Own", InputError, r"^There is no file '.*none\.py'; write path/to/file\.py:Factory\.$"),
        (":Own", InputError, r"^':Own' names no file; write path/to/file\.py:Factory\.$"),
        ("{0}/my_nets.py:Missing", UnknownError, r"^'.*my_nets\.py' has no 'Missing'; it has Own, Grey\.$"),
        ("{0}/my_nets.py:", UnknownError, r"^'.*my_nets\.py' has no ''; it has Own, Grey\.$"),
        ("{0}/my_nets.py:number", InputError, r"^'.*:number' could not be called without arguments: TypeError: "),
        (
            "{0}/my_nets.py:gives_a_number",
            InputError,
            r"^'.*:gives_a_number' gave a int; it must give a torch\.nn\.Mod",
        ),
        (
            "{0}/my_nets.py:needs",
            InputError,
            r"^'.*:needs' could not be called without arguments: TypeError: .*classes",
        ),
        ("{0}/my_nets.py:fails", InputError, r"^'.*:fails' could not be called .*: RuntimeError: no disk left\.$"),
        ("{0}/broken.py:Own", InputError, r"^'.*broken\.py' could not be run: SyntaxError: "),
        (
            "{0}/needy.py:Own",
            InputError,
            r"^'.*needy\.py' could not be run: ModuleNotFoundError: No module named 'not_",
        ),
        ("not_a_package.nets:Own", InputError, r"^'not_a_package\.nets' could not be run: ModuleNotFoundError: "),
        ("json:Own", UnknownError, r"^'json' has no 'Own'; it has dump, dumps, detect_encoding, load, loads\.$"),
        ("{0}/no_module.py:Nope", UnknownError, r"^'.*no_module\.py' has no 'Nope'; it has Encoder, make\.$"),
        ("{0}/nothing.py:Nope", UnknownError, r"^'.*nothing\.py' has no 'Nope'; it has none\.$"),
    ],
)
def test_what_is_wrong_with_a_network_of_ones_own_is_told(own, path, kind, expected):
    own.with_name("broken.py").write_text("def Own(:\n")
    own.with_name("needy.py").write_text("import not_a_package\n")
    own.with_name("nothing.py").write_text("from torch import nn\n")
    own.with_name("no_module.py").write_text("class Encoder: ...\ndef make(): ...\ndef _hidden(): ...\n")
    with pytest.raises(kind, match=expected):
        load_network(path.format(own.parent))


def test_weights_that_do_not_fit_a_network_of_ones_own_are_refused(own, tmp_path, squeezenet_file):
    torch.save({"0.weight": torch.ones(4, 1, 3, 3), "0.bias": torch.ones(4)}, tmp_path / "other.pth")
    expected = (
        r"^The weights in '.*other\.pth' do not fit the network: missing: 4\.weight, 4\.bias; "
        r"of another shape: 0\.weight is \(4, 1, 3, 3\) and should be \(4, 3, 3, 3\)\.$"
    )
    with pytest.raises(InputError, match=expected):
        load_network(f"{own}:Own", weights=tmp_path / "other.pth", size=8)


@pytest.mark.parametrize("count", [2, 4])
def test_the_wrong_number_of_labels_is_refused(own, tmp_path, count):
    (tmp_path / "labels.txt").write_text("\n".join("abcd"[:count]))
    with pytest.raises(InputError, match=rf"^Own has 3 classes, but {count} labels were given; give one a class\.$"):
        load_network(f"{own}:Own", size=8, labels=tmp_path / "labels.txt")


def test_the_shared_googlenet_knows_a_photo():
    path, weights = shared("networks/bvlc_googlenet.py"), shared("networks/bvlc_googlenet.safetensors")
    labels, photo = shared("networks/imagenet_classes.tsv"), shared("photos/130_flamingo.jpg")
    network = load_network(f"{path}:GoogLeNet", weights=weights, labels=labels)
    with Image.open(photo) as image:
        best = int(logits(network, network.preprocessing.to_tensor(image.convert("RGB"))).argmax())
    assert network.label(best) == "flamingo"
    assert network.find_class("flamingo") == 130


def test_the_shared_squeezenet_knows_a_photo():
    weights, photo = shared("networks/squeezenet1_1.safetensors"), shared("photos/130_flamingo.jpg")
    network = load_network("squeezenet1_1", weights=weights)
    with Image.open(photo) as image:
        best = int(logits(network, network.preprocessing.to_tensor(image.convert("RGB"))).argmax())
    assert network.label(best) == "flamingo"
