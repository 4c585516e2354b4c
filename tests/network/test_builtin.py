"""The built-in network as shipped: weights, labels, architecture, classes."""

import io
import os
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from circuits import builtin
from circuits.builtin import architecture
from tests.support import limits
from tests.support.recipe_photos import trained_batch_norms
from training.builtin import classes, folding

ARCHIVE = Path(__file__).parents[2] / "../shared/data/tiny-imagenet-100.npz"
CARD_TOP1 = re.compile(r"top-1 accuracy: \*\*([0-9.]+) %\*\*")


def prepared(image: Image.Image) -> Tensor:
    """The documented preprocessing, written out: shorter side to 64, centre square, normalised."""
    scale = builtin.INPUT_SIZE / min(image.size)
    wide, high = (round(side * scale) for side in image.size)
    small = image.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = (wide - builtin.INPUT_SIZE) // 2, (high - builtin.INPUT_SIZE) // 2
    square = small.crop((left, top, left + builtin.INPUT_SIZE, top + builtin.INPUT_SIZE))
    values = (np.asarray(square) / 255 - builtin.MEAN) / builtin.STD
    return torch.from_numpy(values.transpose(2, 0, 1)).float()[None]


def answer(image: Image.Image) -> str:
    """The label that the shipped network gives an image."""
    with torch.no_grad():
        return builtin.labels()[int(builtin.load()(prepared(image)).argmax())]


class TestShipped:
    def test_naming_the_package_does_not_import_torch(self) -> None:
        code = "import sys, circuits.builtin; sys.exit('torch' in sys.modules)"
        limits.python("-c", code)

    def test_loading_leaves_the_random_numbers_alone(self) -> None:
        torch.manual_seed(0)
        expected = torch.rand(1)
        torch.manual_seed(0)
        builtin.load()
        assert torch.equal(torch.rand(1), expected)

    def test_the_weights_take_less_than_four_megabytes(self) -> None:
        file = resources.files(builtin).joinpath("weights.safetensors")
        assert 2_000_000 < len(file.read_bytes()) < 4_000_000

    def test_labels_are_unique_lower_case_and_one_for_each_output(self) -> None:
        labels = builtin.labels()
        assert labels == classes.LABELS
        assert len(set(labels)) == len(labels) == builtin.load().fc.out_features
        assert all(label == label.lower().strip() != "" for label in labels)

    def test_it_is_plain_convolutions_in_evaluation_mode(self) -> None:
        network = builtin.load()
        assert not network.training
        assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
        assert network.conv1.convolution.bias is not None

    def test_the_cat_of_scikit_image_is_a_cat(self) -> None:
        assert answer(Image.fromarray(skimage.data.cat())) == "cat"

    def test_the_cat_stays_a_cat_when_the_photo_is_cropped_a_little(self) -> None:
        image = Image.fromarray(skimage.data.cat())
        dx, dy = (round(side * 0.025) for side in image.size)
        assert answer(image.crop((dx, dy, image.width - dx, image.height - dy))) == "cat"

    def test_the_cat_stays_a_cat_in_a_mirror(self) -> None:
        assert answer(Image.fromarray(np.ascontiguousarray(skimage.data.cat()[:, ::-1]))) == "cat"

    def test_held_out_photos_are_recognised_as_often_as_the_card_says(self) -> None:
        if not ARCHIVE.exists() and os.environ.get("CI") != "true":
            pytest.skip("The photos that the network was trained and validated on are not here.")
        stated = CARD_TOP1.search(resources.files(builtin).joinpath("MODEL_CARD.md").read_text("utf-8"))
        assert stated is not None
        with np.load(ARCHIVE) as archive:
            jpeg, offsets, labels, names = (archive[key] for key in ("jpeg", "offsets", "labels", "names"))
            held_out = archive["is_val"]
        kinds = np.asarray(classes.merge(names.tolist()))[labels]
        chosen = np.random.default_rng(0).choice(np.flatnonzero(held_out & (kinds >= 0)), 500, replace=False)
        files = [io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes()) for i in chosen]
        batch = torch.cat([prepared(Image.open(file).convert("RGB")) for file in files])
        with torch.no_grad():
            answers = builtin.load()(batch).argmax(1).numpy()
        # 500 photos of an accuracy near 0.75 have a standard error of 0.02; three of them are allowed.
        assert float((answers == kinds[chosen]).mean()) == pytest.approx(float(stated[1]) / 100, abs=0.06)


class TestArchitecture:
    def test_a_stage_is_a_convolution_a_norm_and_a_rectifier(self) -> None:
        torch.manual_seed(0)
        stage = architecture.Stage(2, 4, 3, batch_norm=True).eval()
        assert stage.norm is not None
        nn.init.constant_(stage.norm.bias, 0.5)
        x = torch.randn(1, 2, 6, 6)
        convolved = functional.conv2d(x, stage.convolution.weight, padding=1)
        expected = (convolved / (1 + stage.norm.eps) ** 0.5 + 0.5).clamp(min=0)
        assert torch.allclose(stage(x), expected, atol=1e-6)

    def test_pooling_before_rectifying_changes_nothing(self) -> None:
        network = trained_batch_norms()
        x = torch.randn(2, 3, 64, 64)
        quick = network.fc(folding.pooled_features(network, x))
        assert torch.allclose(quick, network(x), atol=1e-4)

    def test_folding_the_batch_norms_leaves_the_logits_equal(self) -> None:
        network = trained_batch_norms()
        x = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            expected, folded = network(x), folding.fold(network)(x)
        assert expected.abs().max() > 0.1
        assert torch.allclose(folded, expected, rtol=1e-4, atol=1e-4)

    def test_a_network_without_batch_norms_folds_to_itself(self) -> None:
        network = architecture.build().eval()
        x = torch.randn(1, 3, 32, 32)
        assert torch.equal(folding.fold(network)(x), network(x))


class TestClasses:
    def test_every_synset_is_in_one_class_or_dropped(self) -> None:
        members = [name for names in classes.CLASSES.values() for name in names]
        assert len(members) == len(set(members)) == 100 - len(classes.DROPPED)
        assert not set(members) & set(classes.DROPPED)

    def test_synsets_of_one_everyday_thing_get_one_class(self) -> None:
        tabby, persian, lion, terrier, coral = classes.merge(
            ["tabby", "Persian cat", "lion", "Yorkshire terrier", "brain coral"]
        )
        assert tabby == persian == classes.LABELS.index("cat")
        assert len({tabby, lion, terrier}) == 3
        assert coral == -1

    def test_an_unknown_synset_is_an_error(self) -> None:
        with pytest.raises(LookupError, match="No class has the synset 'unicorn'"):
            classes.merge(["tabby", "unicorn"])
