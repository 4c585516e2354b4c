"""The built-in network as shipped, and the recipe that made it on tiny synthetic data."""

import io
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from rich.progress import Progress
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from circuits import builtin
from circuits.builtin import architecture, classes, data, train
from circuits.builtin.recipe import Recipe, phase_at

ARCHIVE = Path(__file__).parents[1] / "../shared/data/tiny-imagenet-100.npz"
CARD_TOP1 = re.compile(r"top-1 accuracy: \*\*([0-9.]+) %\*\*")


def generator(seed: int = 0) -> torch.Generator:
    """A source of chance with a seed."""
    return torch.Generator().manual_seed(seed)


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


def photos(count: int = 24, *, kinds: int = 3, size: int = 16) -> data.Photos:
    """Random photos of the first classes, in turn; the box of each is its middle."""
    source = generator(7)
    kind = torch.arange(count) % kinds
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=source).to(torch.uint8)
    boxes = torch.tensor([0.25, 0.25, 0.75, 0.75]).repeat(count, 1)
    return data.Photos(pixels, kind.clone(), kind, boxes)


def trained_batch_norms() -> architecture.Network:
    """A network whose batch norms have statistics, factors and shifts like after training."""
    torch.manual_seed(3)
    network = architecture.build(batch_norm=True).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network


class TestShipped:
    def test_naming_the_package_does_not_import_torch(self) -> None:
        code = "import sys, circuits.builtin; sys.exit('torch' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_it_loads_in_well_under_a_second(self) -> None:
        builtin.load()
        begun = time.perf_counter()
        builtin.load()
        assert time.perf_counter() - begun < 1

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
        quick = network.fc(architecture.pooled_features(network, x))
        assert torch.allclose(quick, network(x), atol=1e-4)

    def test_folding_the_batch_norms_leaves_the_logits_equal(self) -> None:
        network = trained_batch_norms()
        x = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            expected, folded = network(x), architecture.fold(network)(x)
        assert expected.abs().max() > 0.1
        assert torch.allclose(folded, expected, rtol=1e-4, atol=1e-4)

    def test_a_network_without_batch_norms_folds_to_itself(self) -> None:
        network = architecture.build().eval()
        x = torch.randn(1, 3, 32, 32)
        assert torch.equal(architecture.fold(network)(x), network(x))


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


class TestDrawing:
    def test_power_zero_gives_every_class_the_same_share(self) -> None:
        portions = data.shares(photos(30, kinds=5), power=0.0, emphasis={})
        assert torch.allclose(portions[:5], torch.full((5,), 0.2))
        assert float(portions[5:].sum()) == 0

    def test_shares_grow_with_the_power_of_size_and_with_emphasis(self) -> None:
        some = photos(4)
        unequal = replace(some, classes=torch.tensor([0, 1, 1, 1]))
        assert torch.allclose(data.shares(unequal, power=1.0, emphasis={})[:2], torch.tensor([0.25, 0.75]))
        assert torch.allclose(
            data.shares(unequal, power=0.5, emphasis={"cat": 3.0})[:2], torch.tensor([0.6340, 0.3660]), atol=1e-4
        )

    def test_emphasis_on_no_class_is_an_error(self) -> None:
        with pytest.raises(LookupError, match="No class 'unicorn' to emphasise"):
            data.shares(photos(), power=0.5, emphasis={"unicorn": 2.0})

    def test_an_epoch_holds_each_class_as_often_as_its_share_says(self) -> None:
        kinds = torch.tensor([0] * 90 + [1] * 10)
        drawn = data.draw(kinds, torch.tensor([0.5, 0.5]), count=100, generator=generator())
        assert torch.bincount(kinds[drawn]).tolist() == [50, 50]
        times = torch.bincount(drawn, minlength=100)
        assert times[:90].max() == 1
        assert times[90:].tolist() == [5] * 10

    def test_drawing_depends_on_the_seed_alone(self) -> None:
        kinds = torch.arange(40) % 2
        first, again, other = (
            data.draw(kinds, torch.tensor([0.5, 0.5]), count=40, generator=generator(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


class TestVaryingViews:
    def test_views_have_the_wanted_size_and_stay_between_0_and_1(self) -> None:
        some = photos(8)
        views = data.vary(some.pixels, some.boxes, size=12, closest=0.5, generator=generator())
        assert views.shape == (8, 3, 12, 12)
        assert views.dtype == torch.float32
        assert 0 <= float(views.min()) < float(views.max()) <= 1

    def test_views_depend_on_the_seed_alone(self) -> None:
        some = photos(4)
        first, again, other = (
            data.vary(some.pixels, some.boxes, size=16, closest=0.5, generator=generator(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(first, again)
        assert not torch.allclose(first, other)

    def test_the_views_of_one_photo_differ(self) -> None:
        some = photos(1)
        views = data.vary(
            some.pixels.repeat(2, 1, 1, 1), some.boxes.repeat(2, 1), size=16, closest=0.5, generator=generator()
        )
        assert not torch.allclose(views[0], views[1])

    def test_a_view_is_taken_where_the_object_is(self) -> None:
        # Bright in the upper left quarter, which is the box: a view is never mostly dark.
        pixels = torch.zeros(200, 3, 32, 32, dtype=torch.uint8)
        pixels[:, :, :16, :16] = 200
        near = data.vary(
            pixels, torch.tensor([0.0, 0.0, 0.5, 0.5]).repeat(200, 1), size=16, closest=0.5, generator=generator()
        )
        far = data.vary(
            pixels, torch.tensor([0.5, 0.5, 1.0, 1.0]).repeat(200, 1), size=16, closest=0.5, generator=generator()
        )
        assert float(near.mean()) > 2 * float(far.mean())


class TestReading:
    def test_an_archive_is_split_and_its_classes_are_merged(self, tmp_path: Path) -> None:
        names = ["golden retriever", "dugong", "tabby"]
        files = [jpeg_of(shade) for shade in (0, 80, 160, 240)]
        np.savez(
            tmp_path / "photos.npz",
            jpeg=np.frombuffer(b"".join(files), np.uint8),
            offsets=np.cumsum([0, *map(len, files)]),
            labels=np.array([0, 1, 2, 2], np.uint8),
            boxes=np.array([[0, 0, 8, 8]] * 4, np.uint8),
            is_val=np.array([False, False, False, True]),
            names=np.array(names),
        )
        training, held_out = data.read(tmp_path / "photos.npz")
        assert [classes.LABELS[kind] for kind in training.classes.tolist()] == ["dog", "cat"]
        assert training.synsets.tolist() == [0, 2]
        assert training.pixels.float().mean((1, 2, 3)).tolist() == pytest.approx([0, 160], abs=2)
        assert held_out.boxes.tolist() == [[0.0, 0.0, 0.5, 0.5]]
        assert len(held_out) == 1

    def test_an_archive_without_boxes_is_an_error(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "photos.npz", **{key: np.zeros(1) for key in data.KEYS if key != "boxes"})
        with pytest.raises(ValueError, match="has no array 'boxes'; training needs jpeg"):
            data.read(tmp_path / "photos.npz")


def jpeg_of(shade: int) -> bytes:
    """A grey photo of 16×16 as a file's bytes."""
    file = io.BytesIO()
    Image.new("L", (16, 16), shade).save(file, "jpeg")
    return file.getvalue()


class TestTraining:
    recipe = Recipe(epochs=2, batch=8, phases=((0.0, 16, 0.5),))

    def test_an_interrupted_run_ends_like_one_that_was_not(self, tmp_path: Path) -> None:
        whole = train.start(self.recipe, 3)
        train.train_epoch(whole, photos(12), self.recipe, progress=Progress(disable=True))
        train.train_epoch(whole, photos(12), self.recipe, progress=Progress(disable=True))

        train.save(self.after_one_epoch(), self.recipe, tmp_path / "checkpoint.pt")
        resumed = train.resume(self.recipe, 3, tmp_path / "checkpoint.pt")
        assert resumed.epoch == 1
        train.train_epoch(resumed, photos(12), self.recipe, progress=Progress(disable=True))

        for kept in ("trainee", "average"):
            expected, found = getattr(whole, kept).state_dict(), getattr(resumed, kept).state_dict()
            assert all(torch.equal(expected[name], found[name]) for name in expected)

    def after_one_epoch(self) -> train.Run:
        run = train.start(self.recipe, 3)
        train.train_epoch(run, photos(12), self.recipe, progress=Progress(disable=True))
        return run

    def test_a_checkpoint_of_another_recipe_is_not_resumed(self, tmp_path: Path) -> None:
        train.save(train.start(self.recipe, 3), self.recipe, tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match="written with seed 0, not 1"):
            train.resume(replace(self.recipe, seed=1), 3, tmp_path / "checkpoint.pt")

    def test_steps_lower_the_loss(self) -> None:
        recipe = replace(self.recipe, rate=0.02)
        run = train.start(recipe, 3)
        for group in run.optimizer.param_groups:
            group["lr"] = 0.02
        few = photos(6)
        views = train.normalise(few.pixels.float() / 255)
        losses = [train.train_step(run, recipe, views, few.classes, few.synsets) for _ in range(6)]
        assert losses[-1] < 0.7 * losses[0]

    def test_the_average_of_weights_follows_the_weights(self) -> None:
        run = train.start(self.recipe, 3)
        few = photos(6)
        before = run.average.network.fc.weight.clone()
        train.train_step(run, self.recipe, train.normalise(few.pixels.float() / 255), few.classes, few.synsets)
        moved = run.average.network.fc.weight - before
        assert torch.allclose(moved, (run.trainee.network.fc.weight - before) * (1 - 2 / 11), atol=1e-6)

    def test_batch_norms_are_measured_on_whole_photos(self) -> None:
        network = trained_batch_norms()
        some = photos(12)
        train.measure(network, some, count=12, batch=6)
        with torch.no_grad():
            whole = functional.max_pool2d(network.conv1(train.normalise(some.pixels.float() / 255)), 2)
            convolved = network.conv2.convolution(whole)
        assert network.conv2.norm is not None
        assert not network.training
        measured = network.conv2.norm.running_mean
        assert torch.allclose(measured, convolved.mean((0, 2, 3)), atol=1e-4)

    def test_the_biases_go_part_of_the_way_to_the_classes_as_they_occur(self) -> None:
        # Three photos of dogs to one of a cat, drawn equally: odds of 3 are log 3 between the logits.
        few = replace(photos(4), classes=torch.tensor([0, 1, 1, 1]))
        recipe = replace(self.recipe, power=0.0, emphasis=(), prior=0.5)
        run = train.start(recipe, 3)
        bias = (train.finish(run, few, recipe).fc.bias - run.average.network.fc.bias).detach()
        assert float(bias[1] - bias[0]) == pytest.approx(0.5 * np.log(3), abs=1e-5)
        assert not bool(bias[2:].any())

    def test_views_grow_over_the_run(self) -> None:
        recipe = Recipe(phases=((0.0, 48, 0.5), (0.5, 64, 0.7)))
        early, late = (48, 0.5), (64, 0.7)
        assert [phase_at(part, recipe) for part in (0, 0.49, 0.5, 1)] == [early, early, late, late]

    def test_predictions_and_recalls_count_whole_photos(self) -> None:
        network = architecture.build().eval()
        nn.init.zeros_(network.fc.weight)
        with torch.no_grad():
            network.fc.bias[1] = 1.0
        some = photos(6)
        answers = train.predict(network, some, batch=4)
        assert answers.tolist() == [1] * 6
        assert train.recalls(answers, some.classes) == {"cat": 0.0, "dog": 1.0, "lion": 0.0}

    def test_exported_weights_are_halves_in_the_order_of_the_labels(self, tmp_path: Path) -> None:
        network = architecture.build()
        train.export(network, tmp_path)
        tensors = load_file(tmp_path / "weights.safetensors")
        assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
        assert torch.allclose(tensors["fc.weight"].float(), network.fc.weight, atol=1e-3)
        assert (tmp_path / "labels.txt").read_text("utf-8").splitlines() == list(classes.LABELS)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.txt", "weights.safetensors"]

    def test_a_whole_run_writes_weights_and_figures(self, tmp_path: Path) -> None:
        files = [jpeg_of(shade) for shade in (10, 60, 120, 180)]
        np.savez(
            tmp_path / "photos.npz",
            jpeg=np.frombuffer(b"".join(files), np.uint8),
            offsets=np.cumsum([0, *map(len, files)]),
            labels=np.array([0, 1, 0, 1], np.uint8),
            boxes=np.array([[0, 0, 16, 16]] * 4, np.uint8),
            is_val=np.array([False, False, True, True]),
            names=np.array(["tabby", "lemon"]),
        )
        train.main(tmp_path / "photos.npz", out=tmp_path / "out", epochs=1)
        written = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert written == ["accuracy.json", "checkpoint.pt", "labels.txt", "weights.safetensors"]
