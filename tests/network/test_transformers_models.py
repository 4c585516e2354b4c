"""Image classifiers of transformers, made from small configurations and saved to a folder."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import circuits
from circuits.errors import InputError
from circuits.image.photo import load_photo
from circuits.network.loading import load_network
from circuits.network.transformers_models import preprocessing_of
from tests.support.commandline import run
from tests.support.nets import CLASSES
from tests.support.transformers_models import SMALL, made
from tests.support.zoo_checks import check_module

NAMED = {"id2label": {0: "cat", 1: "dog", 2: "cup"}, "label2id": {"cat": 0, "dog": 1, "cup": 2}}
EXACT = {"ResNet", "ResNet with bottlenecks", "RegNetX", "MobileNetV1", "MobileNetV2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with its image processor, as transformers saves them."""
    path = tmp_path_factory.mktemp("models") / "pets"
    made(SMALL["ResNet"](**NAMED)).save_pretrained(path)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 48}, crop_pct=0.75).save_pretrained(path)
    return path


@pytest.mark.parametrize("kind", SMALL)
def test_a_convolutional_model_passes_everything(kind: str) -> None:
    found = check_module(kind, made(SMALL[kind](num_labels=CLASSES)), 64)
    assert (found.exact == len(found.layers) - 1) == (kind in EXACT)


def test_a_folder_that_was_saved_is_loaded_as_it_is(folder: Path) -> None:
    network = load_network(f"hfmodel:{folder}")
    seen = network.preprocessing
    assert (network.name, network.source, network.labels) == ("hfmodel:pets", "folder", ("cat", "dog", "cup"))
    assert (seen.size, seen.resize, seen.interpolation) == ((48, 48), 64, "bicubic")
    assert seen.mean == seen.std == (0.5, 0.5, 0.5)
    assert network.layers == (
        "resnet.embedder", "resnet.encoder.stages.0", "resnet.encoder.stages.1", "resnet.encoder.stages.2.layers.0",
        "resnet.encoder.stages.2.layers.1", "resnet.encoder.stages.3", "classifier.1",
    )  # fmt: skip
    image = seen.input_of(load_photo("example:cat"))
    with torch.no_grad():
        torch.testing.assert_close(
            network.logits(image), made(SMALL["ResNet"](**NAMED))(image).logits, rtol=1e-4, atol=1e-5
        )
    random = load_network(f"hfmodel:{folder}", weights="random")
    assert (random.source, random.sha256 == network.sha256) == ("transformers:random", False)
    assert load_network(f"hfmodel:{folder}", weights=folder / "model.safetensors").sha256 == network.sha256


def test_the_command_line_takes_a_folder(folder: Path) -> None:
    result = run("predict", "example:cat", "--network", f"hfmodel:{folder}")
    assert result.exit_code == 0, result.stderr
    assert "Predictions of hfmodel:pets (folder) for cat:" in result.stdout
    assert str(folder.parent) not in result.stdout


PROCESSORS: dict[str, tuple[Callable[[], Any], tuple[int, int, float, float, str]]] = {
    "shorter side, then the middle": (
        lambda: transformers.BitImageProcessor(image_mean=[0.4] * 3, image_std=[0.2] * 3),
        (224, 224, 0.4, 0.2, "bicubic"),
    ),
    "a margin": (transformers.MobileNetV1ImageProcessor, (224, 256, 0.5, 0.5, "bilinear")),
    "a share of the photo": (
        lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 96}, crop_pct=0.96),
        (96, 100, 0.5, 0.5, "bicubic"),
    ),
    "a margin of its own": (
        lambda: transformers.LevitImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3),
        (224, 256, 0.5, 0.5, "bicubic"),
    ),
    "normalised twice": (transformers.EfficientNetImageProcessor, (346, 346, 0.5, 0.25, "bicubic")),
    "not normalised": (lambda: transformers.ViTImageProcessor(do_normalize=False), (224, 224, 0, 1, "bilinear")),
}


@pytest.mark.parametrize("kind", PROCESSORS)
def test_what_a_processor_does_is_found_by_what_it_makes_of_images(kind: str) -> None:
    make, (size, resize, mean, std, interpolation) = PROCESSORS[kind]
    processor = make()
    found = preprocessing_of(processor, name="me/cats")
    assert (found.size, found.resize, found.interpolation) == ((size, size), resize, interpolation)
    assert (found.mean, found.std) == (pytest.approx((mean,) * 3, abs=1e-5), pytest.approx((std,) * 3, abs=1e-5))
    photo = load_photo("example:cat").image.crop((20, 30, 300, 310))
    expected = processor(photo, return_tensors="pt")["pixel_values"]
    assert float((found.to_tensor(photo) - expected).abs().mean()) <= 0.02 / std


def test_a_processor_that_does_more_is_refused() -> None:
    class Solarized(transformers.ViTImageProcessor):
        def __call__(self, image: Any, **options: Any) -> Any:
            pixels = np.asarray(image)
            return super().__call__(np.where(pixels > 128, pixels, pixels // 2).astype(np.uint8), **options)

    with pytest.raises(InputError, match=r"^The image processor of hfmodel:me/cats does more to a photo than to "):
        preprocessing_of(Solarized(), name="me/cats")


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    made(SMALL["ResNet"](**NAMED)).resnet.save_pretrained(tmp_path)
    transformers.ViTImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"has no trained weights for classifier\.1\.bias, classifier\.1\.weight, so"):
        load_network(f"hfmodel:{tmp_path}")


def test_the_layers_of_a_vision_transformer_are_its_hidden_units(tmp_path: Path) -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    configuration = transformers.ViTConfig(**small, **NAMED)
    transformers.ViTForImageClassification(configuration).save_pretrained(tmp_path)
    transformers.ViTImageProcessor().save_pretrained(tmp_path)
    network = load_network(f"hfmodel:{tmp_path}")
    sizes = [(layer.height, layer.width) for layer in network.layer_list]
    assert sizes == [(14, 14), (14, 14), (1, 1), (14, 14), (1, 1), (1, 1)]
    assert circuits.trace(network, "example:cat", depth=1).edges_into(network.layers[-1] + ":0")


def test_what_is_no_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.json, so it is no model of transformers; give the one that"):
        load_network(f"hfmodel:{tmp_path}")
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r" of transformers: there is none of the kind that its .* tells, 'bert'\.$"):
        load_network(f"hfmodel:{tmp_path}", weights="random")
    for name in ("hfmodel:", "hfmodel: "):  # and not the current folder
        with pytest.raises(InputError, match=r"^hfmodel: names no model; write hfmodel:owner/repository of the hub"):
            load_network(name)
    with pytest.raises(InputError, match=r"^There is no folder 'cats'; write hfmodel:owner/repository of the hub, or"):
        load_network("hfmodel:cats")


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("config.json", {"model_type": "nope"}, "The checkpoint you are trying to load has model type `nope`"),
        ("config.json", {"num_channels": 1}, "its weights have other shapes than those of its config.json."),
        ("config.json", {"hidden_sizes": "x"}, "Validation error for field 'hidden_sizes'"),
        ("preprocessor_config.json", {"image_std": [0, 0, 0]}, "does more to a photo than to resize it, cut its"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 10**6}}, "makes images of 1000000 pixels along a side"),
    ],
)
def test_a_damaged_folder_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path, file: str, changes: dict[str, Any], said: str
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    changed = json.loads((tmp_path / file).read_text("utf-8")) | changes
    (tmp_path / file).write_text(json.dumps(changed), "utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        load_network(f"hfmodel:{tmp_path}")


def test_weights_that_would_run_code_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weight": Path}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"its weights are a file that would run code, which is not read"):
        load_network(f"hfmodel:{tmp_path}")


def test_without_transformers_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    expected = r"^hfmodel:me/cats needs the package transformers; pip install 'circuit-explorer\[transformers\]' brings"
    with pytest.raises(InputError, match=expected):
        load_network("hfmodel:me/cats")


def test_the_hub_is_asked_for_the_files_of_a_model_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []

    def download(repository: str, *, allow_patterns: list[str]) -> str:
        asked.append((repository, allow_patterns))
        return str(folder)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=download))
    network = load_network("hfmodel:me/pets")
    assert (network.name, network.source) == ("hfmodel:me/pets", "transformers")
    load_network("hfmodel:me/pets", weights="random")
    description = ["config.json", "preprocessor_config.json", "processor_config.json"]
    weights = ["model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"]
    assert asked == [("me/pets", description + weights), ("me/pets", description)]
    with pytest.raises(InputError, match=r"^hfmodel:me/pets is of the kind 'resnet', whose classes are no words; "):
        load_network("hfmodel:me/pets", words="a cat; a dog")
    assert {"tokenizer.json", "vocab.*", "merges.txt", *weights} < set(asked[2][1])


def test_without_a_connection_a_model_of_the_hub_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any, **options: Any) -> str:
        raise ConnectionError("Cannot reach it")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=unreachable))
    expected = (
        r"^me/cats could not be had from the Hugging Face hub: Cannot reach it; without a connection give hfmodel: and "
        r"the folder of a model that is on this machine\.$"
    )
    with pytest.raises(InputError, match=expected):
        load_network("hfmodel:me/cats")
