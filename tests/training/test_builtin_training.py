"""The recipe of the built-in network, on tiny synthetic data."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.progress import Progress
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from circuits.builtin import architecture
from tests.support.recipe_photos import generator, photos, trained_batch_norms
from training.builtin import classes, data, train
from training.builtin.recipe import Recipe, phase_at


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


class TestSharpViews:
    def test_without_reach_a_view_is_the_photo_or_its_mirror_image_brighter_or_darker(self) -> None:
        some = photos(12)
        views = data.shift(some.pixels, reach=0, generator=generator())
        for view, pixels in zip(views, some.pixels.float() / 255, strict=True):
            inside = (view > 0) & (view < 1)
            sides = [pixels, pixels.flip(2)]
            fits = [np.corrcoef(view[inside].numpy(), side[inside].numpy())[0, 1] for side in sides]
            assert max(fits) == pytest.approx(1, abs=1e-5)

    def test_views_are_moved_by_whole_pixels(self) -> None:
        pixels = torch.zeros(40, 3, 16, 16, dtype=torch.uint8)
        pixels[:, :, 8, 8] = 200
        views = data.shift(pixels, reach=3, generator=generator())
        brightest = {divmod(int(view[0].argmax()), 16) for view in views}
        assert len(brightest) > 20
        assert all(5 <= row <= 11 and 4 <= column <= 11 for row, column in brightest)
        assert all(int((view[0] == view[0].max()).sum()) == 1 for view in views)

    def test_views_keep_their_size_and_stay_between_0_and_1_and_depend_on_the_seed_alone(self) -> None:
        some = photos(6)
        once, twice, other = (data.shift(some.pixels, reach=4, generator=generator(seed)) for seed in (1, 1, 2))
        assert once.shape == some.pixels.shape
        assert float(once.min()) >= 0
        assert float(once.max()) <= 1
        assert torch.equal(once, twice)
        assert not torch.equal(once, other)


class TestReading:
    def test_an_archive_is_split_and_its_classes_are_merged(self, tmp_path: Path) -> None:
        names = ["golden retriever", "dugong", "tabby"]
        held = [False, False, False, True]
        write_archive(tmp_path / "photos.npz", (0, 80, 160, 240), [0, 1, 2, 2], held, names, box=8)
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


def write_archive(
    path: Path, shades: tuple[int, ...], labels: list[int], held: list[bool], names: list[str], *, box: int
) -> None:
    """An archive of photos of one shade each, whose objects fill the upper left `box` pixels."""
    files = [jpeg_of(shade) for shade in shades]
    np.savez(
        path,
        jpeg=np.frombuffer(b"".join(files), np.uint8),
        offsets=np.cumsum([0, *map(len, files)]),
        labels=np.array(labels, np.uint8),
        boxes=np.array([[0, 0, box, box]] * len(files), np.uint8),
        is_val=np.array(held),
        names=np.array(names),
    )


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

    def test_a_second_run_starts_from_the_averaged_weights_of_the_first(self, tmp_path: Path) -> None:
        first = train.start(self.recipe, 3)
        with torch.no_grad():
            first.average.network.fc.bias.fill_(0.25)
        train.save(first, self.recipe, tmp_path / "checkpoint.pt")
        second = train.begin(replace(self.recipe, seed=1), 3, tmp_path / "second.pt", after=tmp_path / "checkpoint.pt")
        for run in (second.trainee, second.average):
            for name, tensor in run.state_dict().items():
                assert torch.equal(tensor, first.average.state_dict()[name]), name

    def test_a_second_run_that_was_interrupted_goes_on_with_its_own_weights(self, tmp_path: Path) -> None:
        first, second = train.start(self.recipe, 3), train.start(self.recipe, 3)
        with torch.no_grad():
            second.trainee.network.fc.bias.fill_(0.5)
        second.epoch = 1
        train.save(first, self.recipe, tmp_path / "first.pt")
        train.save(second, self.recipe, tmp_path / "second.pt")
        run = train.begin(self.recipe, 3, tmp_path / "second.pt", after=tmp_path / "first.pt")
        assert float(run.trainee.network.fc.bias.detach().mean()) == 0.5

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
        held = [False, False, True, True]
        write_archive(tmp_path / "photos.npz", (10, 60, 120, 180), [0, 1, 0, 1], held, ["tabby", "lemon"], box=16)
        train.main(tmp_path / "photos.npz", out=tmp_path / "out", epochs=1)
        written = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert written == ["accuracy.json", "checkpoint.pt", "labels.txt", "weights.safetensors"]
