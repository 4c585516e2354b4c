"""One forward pass serves all objectives of a batch, each with its own channels of its own images."""

from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from circuits.errors import UnknownError
from circuits.network.network import Network
from circuits.units import Unit
from circuits.visualization.forward import BatchSlice, Canvas, forward, merge_reads
from circuits.visualization.objectives.base import Read
from circuits.visualization.objectives.photo import inversion
from circuits.visualization.objectives.unit import channel, layer
from circuits.visualization.optimize import RenderTask
from circuits.visualization.visualize import bytes_kept, chunked, grouped, largest_batch, task_of, top_layer
from tests.support.drawn import classifier, convolution, network_of, two_layers

drawing = import_module("circuits.visualization.visualize")  # the package has a function of that name


def noise(count: int, side: int = 16) -> Tensor:
    return torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(0))


def expected(network: Network, read: Read, images: Tensor) -> Tensor:
    inputs = network.preprocessing.normalize(images)
    return network.segment(None, read.layer)(inputs, read.channels, rectified=read.rectified)


def test_every_objective_gets_its_channels_of_its_own_images() -> None:
    network, images = two_layers(), noise(5)
    readers = [
        BatchSlice((Read("4", (7,), False),), 1),
        BatchSlice((Read("4", (19, 3)), Read("1", (2,), False)), 2),
        BatchSlice((Read("4", (7,), False), Read("1", (2, 0), False)), 1),
        BatchSlice((Read("7"),), 1),
    ]
    seen = forward(network, Canvas(16), readers, images)
    first = 0
    for reader, values in zip(readers, seen, strict=True):
        assert set(values) == set(reader.reads)
        for read in reader.reads:
            torch.testing.assert_close(values[read], expected(network, read, images[first : first + reader.count]))
        first += reader.count


def test_a_layer_read_whole_by_one_is_handed_out_by_channels_to_the_other() -> None:
    network, images = two_layers(), noise(2)
    readers = [BatchSlice((Read("4"),), 1), BatchSlice((Read("4", (5, 1)),), 1)]
    assert merge_reads(readers) == [("4", None, True)]
    whole, some = forward(network, Canvas(16), readers, images)
    torch.testing.assert_close(whole[Read("4")], expected(network, Read("4"), images[:1]))
    torch.testing.assert_close(some[Read("4", (5, 1))], expected(network, Read("4", (5, 1)), images[1:]))


def test_a_layer_is_read_rectified_and_as_its_pre_activation_in_one_pass() -> None:
    network, images = two_layers(), noise(1)
    reads = (Read("4", None, True), Read("4", None, False), Read("1", None, False), Read("1", None, True))
    [seen] = forward(network, Canvas(16), [BatchSlice(reads, 1)], images)
    for read in reads:
        torch.testing.assert_close(seen[read], expected(network, read, images))
    assert (seen[reads[1]] < 0).any()
    torch.testing.assert_close(seen[reads[0]], seen[reads[1]].relu())


def test_the_gradient_reaches_each_image_from_its_own_objective_alone() -> None:
    network = two_layers()
    images = noise(3).requires_grad_(True)
    readers = [BatchSlice((Read("4", (channel,), False),), 1) for channel in (3, 7, 3)]
    seen = forward(network, Canvas(16), readers, images)
    (gradient,) = torch.autograd.grad(seen[1][readers[1].reads[0]].sum(), images)
    assert (gradient[[0, 2]] == 0).all()
    assert (gradient[1] != 0).any()


def test_what_the_canvas_says_is_resized() -> None:
    network = two_layers()
    [seen] = forward(network, Canvas(16, resize=(32, 32)), [BatchSlice((Read("1", (0,)),), 1)], noise(1))
    assert seen[Read("1", (0,))].shape == (1, 1, 32, 32)


def test_unknown_layers_and_channels_are_refused() -> None:
    with pytest.raises(UnknownError, match="No layer 'conv9' in tiny"):
        forward(two_layers(), Canvas(16), [BatchSlice((Read("conv9"),), 1)], noise(1))
    with pytest.raises(UnknownError, match="No unit 4:20 in tiny; 4 has 20 channels"):
        forward(two_layers(), Canvas(16), [BatchSlice((Read("4", (20,)),), 1)], noise(1))


def test_tasks_are_grouped_by_the_highest_layer_they_read_and_by_having_a_photo() -> None:
    from PIL import Image

    network = two_layers()
    objectives = [
        channel("4:1"),
        channel("1:0"),
        channel("1:0") + channel("4:2"),
        inversion(Image.new("RGB", (16, 16)), "4"),
        layer("4"),
    ]
    tasks = [task_of(objective, 0) for objective in objectives]
    assert [top_layer(network, task) for task in tasks] == ["4", "1", "4", "4", "4"]
    assert grouped(network, tasks) == [[0, 2, 4], [1], [3]]


def test_images_of_one_objective_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LARGEST_BATCH", 4)
    network = two_layers()
    tasks = [RenderTask(channel(Unit("4", at)), tuple(range(count))) for at, count in enumerate((3, 1, 1, 6, 2, 2))]
    assert chunked(network, tasks, Canvas(16), 16) == [[0, 1], [2], [3], [4, 5]]


def test_what_a_step_keeps_is_counted_and_bounds_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(convolution(torch.ones(4, 3, 3, 3)), nn.ReLU(), *classifier(4))
    task, side = task_of(channel("1:0"), 0), 32
    kept = bytes_kept(network, task, Canvas(side), side)
    # The input of the convolution is of no use on the way back; the input of 32 x 32 x 3 normalised by a constant too.
    assert kept < 4 * side**2 * 4 * 4
    whole = task_of(layer("1"), 0)
    more = bytes_kept(network, whole, Canvas(side), side)
    assert more >= 4 * side**2 * 4  # the rectified map, 4 channels of 4 bytes
    assert bytes_kept(network, whole, Canvas(2 * side), 2 * side) == pytest.approx(4 * more, rel=0.05)
    monkeypatch.setattr(drawing, "BATCH_BYTES", 3 * more)
    assert largest_batch(network, whole, Canvas(side), side) == 3
    monkeypatch.setattr(drawing, "BATCH_BYTES", 1)
    assert largest_batch(network, whole, Canvas(side), side) == 1
