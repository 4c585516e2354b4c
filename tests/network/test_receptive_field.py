import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from circuits.errors import UnknownError
from circuits.network.network import Network
from circuits.network.receptive_field import Box, ReceptiveField, receptive_field
from tests.support.nets import randomize, ready, seeded, shared, zoo_module

SIDE = 10


class Thing(nn.Module):
    """A function as a module, with parts that hold weights."""

    def __init__(self, function: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleDict(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, **{name: self.parts[name] for name in self.parts})


def around(thing: nn.Module, side: int | tuple[int, int] = SIDE) -> Network:
    """A network whose layer below the logits is what a module makes of four mixed colours; nothing in it is flat."""
    below = nn.Sequential(nn.Conv2d(3, 4, 1), thing, nn.Softplus())
    height, width = (side, side) if isinstance(side, int) else side
    channels = below(torch.rand(1, 3, height, width)).shape[1]
    module = nn.Sequential(*below, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))
    network = ready(randomize(module), side, layers="fine")
    network.traced.double()
    return network


def support(
    network: Network, layer: str, channels: list[int] | None, position: tuple[int, int], *, images: int = 3
) -> Box:
    """The box around the pixels where the gradient of a position is not zero for one of some images."""
    shape = (images, 3, *network.preprocessing.size)
    # So dark that no capped rectifier reaches its cap.
    shown = (torch.rand(shape, generator=seeded(1), dtype=torch.float64) / 1000).requires_grad_()
    [values] = network.read(shown, [(layer, channels, True)])
    weights = torch.rand(values.shape[1], generator=seeded(2), dtype=torch.float64) + 0.5
    (gradient,) = torch.autograd.grad((values[:, :, *position] * weights).sum(), shown)
    seen = (gradient != 0).any(0).any(0)
    rows, columns = seen.any(1).nonzero().flatten().tolist(), seen.any(0).nonzero().flatten().tolist()
    return Box(rows[0], columns[0], rows[-1] + 1, columns[-1] + 1) if rows else Box(0, 0, 0, 0)


def convolution(size: int, **options: object) -> nn.Conv2d:
    return nn.Conv2d(4, 4, size, **options)


def shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.size()
    return torch.transpose(x.view(n, 2, c // 2, h, w), 1, 2).contiguous().view(n, -1, h, w)


def halves(x: Tensor, wide: nn.Module) -> Tensor:
    left, right = x.chunk(2, dim=1)
    return shuffled(torch.cat((left, wide(right)), dim=1))


def excited(x: Tensor, squeeze: nn.Module) -> Tensor:
    return x * torch.sigmoid(squeeze(torch.nn.functional.adaptive_avg_pool2d(x, 1)))


def interpolated(mode: str, **options: object) -> Thing:
    return Thing(lambda x: torch.nn.functional.interpolate(x, mode=mode, **options))


def functional_steps(x: Tensor, a: nn.Conv2d) -> Tensor:
    x = torch.nn.functional.conv2d(x, a.weight, a.bias, (2, 1), padding=(1, 0))
    return torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (1, 0, 0, 2)), (2, 3), 1)


LAST = {"a": nn.LayerNorm(4)}
THINGS: dict[str, nn.Module] = {
    "strides that leave gaps": convolution(2, stride=3),
    "a dilated kernel": convolution(3, dilation=3, padding=2),
    "another kernel down than across": convolution((1, 5), stride=(2, 1), padding=(0, 2)),
    "padding that is not even": nn.Sequential(nn.ZeroPad2d((3, 0, 0, 1)), convolution(3, stride=2)),
    "padding to the same size": convolution((5, 3), padding="same", dilation=(1, 2)),
    "mirrored padding": convolution(5, padding=2, padding_mode="reflect"),
    "repeated padding": convolution(5, padding=2, padding_mode="replicate"),
    "padding that goes round": convolution(3, padding=1, padding_mode="circular"),
    "mirrored padding of its own": nn.Sequential(nn.ReflectionPad2d(2), convolution(3)),
    "more padding than kernel": convolution(1, padding=1),
    "pooling to the last pixel": nn.AvgPool2d(3, 2, ceil_mode=True),
    "pooling with padding": nn.AvgPool2d(3, 2, padding=1),
    "uneven bins": nn.AdaptiveAvgPool2d((3, 4)),
    "functions instead of modules": Thing(functional_steps, a=nn.Conv2d(4, 4, 3)),
    "a transposed convolution": nn.ConvTranspose2d(4, 4, 2, stride=3, padding=1, output_padding=1),
    "a dilated transposed convolution": nn.ConvTranspose2d(4, 6, 3, dilation=2, groups=2),
    "groups": nn.Sequential(Thing(halves, wide=nn.Conv2d(2, 2, 3, padding=1)), nn.Conv2d(4, 8, 3, groups=4)),
    "half of the channels, shuffled": Thing(halves, wide=nn.Conv2d(2, 2, 5, padding=2)),
    "two branches added": Thing(
        lambda x, a, b: a(x) + b(x), a=convolution(1, stride=2), b=convolution(3, stride=2, padding=1)
    ),
    "two branches with other offsets concatenated": Thing(
        lambda x, a, b: torch.cat([a(x[:, :, 2:, :]), b(x)[:, :, :-2]], 1), a=convolution(3), b=convolution(3)
    ),
    "squeeze and excitation": Thing(excited, squeeze=nn.Conv2d(4, 4, 1)),
    "the mean of each row": Thing(lambda x, a: a(x) + x.mean(3, keepdim=True), a=convolution(3, padding=1)),
    "mirrored columns": Thing(lambda x, a: a(torch.flip(x, [3])), a=convolution(3)),
    "channels last": Thing(lambda x, a: a(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), a=nn.Linear(4, 4)),
    "normalised channels": Thing(lambda x, a: a(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), **LAST),
    "normalised neighbours": nn.Sequential(Thing(halves, wide=nn.Conv2d(2, 2, 3, padding=1)), nn.LocalResponseNorm(2)),
    "softmax over columns": nn.Softmax(dim=3),
    "pixels from channels": nn.Sequential(nn.PixelShuffle(2), nn.Conv2d(1, 2, 3)),
    "nearest neighbours": interpolated("nearest", scale_factor=1.7),
    "interpolation between lines": interpolated("bilinear", size=(7, 15), align_corners=True),
    "cubic interpolation": nn.Upsample(scale_factor=0.5, mode="bicubic"),
    "interpolation without aliases": interpolated("bilinear", size=(4, 5), antialias=True),
}


@pytest.mark.parametrize("name", THINGS)
def test_the_field_of_every_position_is_where_its_gradient_is_not_zero(name: str) -> None:
    network = around(copy.deepcopy(THINGS[name]))
    layer = network.layer_list[-2]
    field = receptive_field(network, layer.name)
    for row in range(layer.height):
        for column in range(layer.width):
            assert field.box((row, column)) == support(network, layer.name, None, (row, column)), (row, column)


@pytest.mark.parametrize("name", ["groups", "half of the channels, shuffled", "normalised neighbours"])
def test_the_field_of_each_channel_is_where_its_own_gradient_is_not_zero(name: str) -> None:
    network = around(copy.deepcopy(THINGS[name]))
    layer = network.layer_list[-2]
    found = []
    for channel in range(layer.channels):
        field = receptive_field(network, layer.name, channel)
        found.append(field.box((3, 4)))
        assert field.box((3, 4)) == support(network, layer.name, [channel], (3, 4))
        assert field.box((0, 0)) == support(network, layer.name, [channel], (0, 0))
    assert len(set(found)) == 2


def averaged(name: str) -> nn.Module:
    """A torchvision network that hides nothing: positive weights of mean 1, and averages in place of maxima."""
    module = copy.deepcopy(zoo_module(name))
    for part in module.modules():
        for child, pool in part.named_children():
            if isinstance(pool, nn.MaxPool2d):
                twin = nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode)
                setattr(part, child, twin)
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if key.endswith(("bias", "running_mean")):
                value.zero_()
            elif value.dim() > 1:
                value.copy_((value.abs() + 0.1) / (value.abs() + 0.1).mean() / value[0].numel())
            elif value.is_floating_point():
                value.fill_(1)
    return module


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("alexnet", 96),
        ("squeezenet1_1", 64),
        ("googlenet", 64),
        ("resnet18", 64),
        ("densenet121", 48),
        ("mobilenet_v2", 64),
        ("shufflenet_v2_x0_5", 64),
    ],
)
def test_fields_of_torchvision_networks_are_where_gradients_are_not_zero(name: str, side: int) -> None:
    twin = ready(averaged(name), side, name=name, check=False)
    twin.traced.double()
    network = ready(zoo_module(name), side, name=name, check=False)
    few = max(1, len(twin.layer_list) // 8)
    for layer in twin.layer_list[::few]:
        bottom, right = layer.height - 1, layer.width - 1
        field = receptive_field(network, layer.name)
        assert (field.boxes == receptive_field(twin, layer.name).boxes).all()
        for position in {(0, 0), (bottom, right), (0, right // 2), (bottom // 2, right), field.middle}:
            assert field.box(position) == support(twin, layer.name, None, position, images=1), (layer.name, position)


def test_the_googlenet_of_caffe_sees_what_was_counted_by_hand() -> None:
    from circuits import load_network

    network = load_network(f"{shared('networks/bvlc_googlenet.py')}:GoogLeNet", weights="random")
    fields = {layer: receptive_field(network, layer) for layer in network.layers}
    assert [fields[layer].size for layer in ("conv1", "conv2_reduce", "conv2")] == [(7, 7), (11, 11), (19, 19)]
    # After the second pooling 27 pixels, 8 apart; a 5×5 kernel there adds 32, in 3a and again in 3b.
    assert fields["inception_3a"].size == (59, 59)
    assert fields["inception_3b"].size == (91, 91)
    assert fields["inception_3b"].stride == (8, 8)
    assert fields["fc"].whole
    # The four branches of 3a: 1×1; 3×3; 5×5; a pooling of 3×3.
    branches = [receptive_field(network, "inception_3a", channel).size for channel in (0, 64, 192, 224)]
    assert branches == [(27, 27), (43, 43), (59, 59), (43, 43)]


def test_size_stride_and_offset_are_those_of_a_position_away_from_the_border() -> None:
    steps = nn.Sequential(convolution(5, stride=2, padding=2), nn.MaxPool2d(3, 2), convolution(3, padding=1))
    network = around(steps, (40, 32))
    field = receptive_field(network, network.layers[-2])
    # 5, then + 2 · 2 = 9 pixels 4 apart, then + 2 · 4 = 17; the first starts at -2 - 4.
    assert (field.size, field.stride, field.offset) == ((17, 17), (4, 4), (-6, -6))
    assert field.box((0, 0)) == Box(0, 0, 11, 11)
    assert field.box((4, 3)) == Box(10, 6, 27, 23)
    assert not field.whole


def test_a_size_is_told_even_where_every_field_is_clipped() -> None:
    network = around(convolution(13, padding=6))
    field = receptive_field(network, network.layers[-2])
    assert not any(field.box((row, row)).height == 13 for row in range(SIDE))
    assert (field.size, field.stride, field.offset) == ((13, 13), (1, 1), (-6, -6))


@pytest.mark.parametrize("name", ["uneven bins", "nearest neighbours"])
def test_a_size_is_not_told_where_no_one_rule_holds(name: str) -> None:
    network = around(copy.deepcopy(THINGS[name]))
    field = receptive_field(network, network.layers[-2])
    assert (field.size, field.stride, field.offset) == (None, None, None)


def test_a_mirrored_layer_has_a_stride_to_the_left() -> None:
    network = around(copy.deepcopy(THINGS["mirrored columns"]))
    field = receptive_field(network, network.layers[-2])
    assert (field.size, field.stride, field.offset) == ((3, 3), (1, -1), (0, SIDE - 3))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_even_kernels_that_keep_the_size_are_padded_more_behind() -> None:
    network = around(convolution(4, padding="same"))
    layer = network.layers[-2]
    field = receptive_field(network, layer)
    assert (field.size, field.offset) == ((4, 4), (-1, -1))
    assert field.box((9, 0)) == support(network, layer, None, (9, 0)) == Box(8, 0, 10, 3)


def test_a_mean_over_all_positions_sees_the_whole_image() -> None:
    network = around(convolution(3))
    field = receptive_field(network, network.layers[-1])
    assert field.whole
    assert field.box((0, 0)) == Box(0, 0, SIDE, SIDE)


@pytest.mark.parametrize(
    "thing",
    [
        Thing(lambda x: torch.cumsum(x, 2)),
        nn.InstanceNorm2d(4),
        Thing(lambda x: torch.nn.functional.conv2d(x, x[:, :4].mean((2, 3), keepdim=True).expand(4, 4, 1, 1))),
    ],
    ids=["cumulated", "normalised over positions", "weights made of the image"],
)
def test_what_is_not_known_is_taken_to_see_the_whole_image(thing: nn.Module) -> None:
    network = around(thing)
    assert receptive_field(network, network.layers[-2]).box((1, 1)) == Box(0, 0, SIDE, SIDE)


def test_a_comparison_with_a_number_sees_its_own_position_alone() -> None:
    network = around(Thing(lambda x: x * (x > 0.1)))
    layer = network.layers[-2]
    assert receptive_field(network, layer).box((1, 1)) == support(network, layer, None, (1, 1)) == Box(1, 1, 2, 2)


def test_attention_sees_the_whole_image_and_what_follows_too() -> None:
    def attend(x: Tensor, attention: nn.Module) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return attention(tokens, tokens, tokens)[0].transpose(1, 2).reshape(1, 4, SIDE, SIDE)

    network = around(Thing(attend, attention=nn.MultiheadAttention(4, 2, batch_first=True)))
    assert receptive_field(network, network.layers[-2]).box((1, 1)) == Box(0, 0, SIDE, SIDE)


def test_a_position_that_no_pixel_reaches_has_an_empty_box() -> None:
    network = around(convolution(1, padding=1))
    field = receptive_field(network, network.layers[-2])
    assert field.box((0, 4)) == Box(0, 0, 0, 0)
    assert field.box((1, 4)) == Box(0, 3, 1, 4)


def test_fields_on_images_of_another_size_are_found_too() -> None:
    network = around(convolution(3, padding=1))
    layer = network.layers[-2]
    assert receptive_field(network, layer, size=(6, 20)).boxes.shape == (6, 20, 4)
    assert receptive_field(network, layer, size=(6, 20)).box((5, 19)) == Box(4, 18, 6, 20)
    assert receptive_field(network, layer).boxes.shape == (SIDE, SIDE, 4)


def test_the_network_is_walked_once() -> None:
    network = around(convolution(3))
    upper = receptive_field(network, network.layers[-1])
    assert receptive_field(network, network.layers[-1]) is upper
    lower = receptive_field(network, network.layers[0])
    assert receptive_field(network, network.layers[0]) is lower


def test_what_does_not_exist_is_refused() -> None:
    network = around(convolution(3))
    layer = network.layers[-2]
    with pytest.raises(UnknownError, match=r"No layer 'conv9' in tiny"):
        receptive_field(network, "conv9")
    with pytest.raises(UnknownError, match=r"No unit 2:4 in tiny; 2 has 4 channels"):
        receptive_field(network, layer, 4)
    with pytest.raises(UnknownError, match=r"No position \(0, 8\); the layer has 8 rows and 8 columns"):
        receptive_field(network, layer).box((0, 8))


def test_boxes_tell_their_sides_and_overlap() -> None:
    box = Box(2, 3, 6, 8)
    assert (box.height, box.width, box.area, box.corners) == (4, 5, 20, (3, 2, 8, 6))
    assert box.overlap(box) == 1
    assert box.overlap(Box(4, 3, 8, 8)) == pytest.approx(10 / 30)
    assert box.overlap(Box(6, 3, 9, 8)) == 0
    assert box.overlap(Box(0, 0, 0, 0)) == 0
    assert Box(0, 0, 0, 0).overlap(Box(0, 0, 0, 0)) == 0


def test_a_field_is_a_value_that_can_be_made_by_hand() -> None:
    boxes = torch.tensor([[[0, 0, 2, 2], [0, 2, 2, 4]]], dtype=torch.int32).numpy()
    field = ReceptiveField(boxes, (2, 4))
    assert field.box((0, 1)) == Box(0, 2, 2, 4)
    assert field.size is None


def test_patches_are_cut_to_the_neighbourhood_where_every_field_is_nearly_the_whole_image() -> None:
    whole = np.broadcast_to(np.array([0, 0, 80, 60]), (8, 6, 4)).astype(np.int32)
    around = ReceptiveField(whole, (80, 60)).for_patches
    # Three of eight rows of ten pixels, three of six columns of ten, moved inwards at the border.
    assert [around.box(at) for at in ((4, 3), (0, 0), (7, 5))] == [
        Box(30, 20, 60, 50), Box(0, 0, 30, 30), Box(50, 30, 80, 60)
    ]  # fmt: skip
    cut = whole.copy()
    cut[:, :, 1] = 10  # five sixths of the image
    for field in (ReceptiveField(cut, (80, 60)), ReceptiveField(whole[:5], (80, 60))):
        assert field.for_patches is field
