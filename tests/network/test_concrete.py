"""Code that looks at the sizes of a photo is traced as it runs for one, and gives the same for others."""

import threading
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.attribution.gradient import Readout, gradient_times_activation
from circuits.errors import InputError
from circuits.network.fx import trace_module
from circuits.tracing.run import ForwardCache
from tests.support.body import Body, photos, says_the_same
from tests.support.nets import ready


class Flag(Body):
    def forward(self, x, return_maps=False, scale: float = 1.0, *more, kinds=("maps",), **others):
        maps = self.maps(x)
        if scale != 1.0 or more or others or "logits" in kinds:
            maps = maps * 0
        return (self.head(maps), maps) if return_maps else self.head(maps)


class Optional(Body):
    def forward(self, x, mask=None):
        maps = self.maps(x)
        if mask is not None:
            maps = maps * mask
        return self.head(maps)


class Asserts(Body):
    def forward(self, x):
        assert x.shape[1] == 3, "three colours, please"
        assert x.dim() == 4
        assert x.size(-1) % 2 == 0
        if x.ndim == 3 or not x.is_floating_point() or not isinstance(x, Tensor) or x.requires_grad:
            raise TypeError("a photo, please")
        return super().forward(x)


class Ifs(Body):
    def forward(self, x):
        height, width = x.shape[2:]
        if height % 3 or width % 3:
            x = F.pad(x, (0, 3 - width % 3, 0, 3 - height % 3))
        return super().forward(x)


class Star(Body):
    def forward(self, x):
        count, *others = self.maps(x).shape
        return self.head(self.maps(x).reshape(count, *others))


class Numbers(Body):
    def forward(self, x):
        x = F.interpolate(x, size=(int(x.shape[2] * 1.5), round(x.shape[3] * 1.5)))
        maps = self.maps(x)
        for _ in range(len(maps.shape) - maps.shape[2] // 4):
            maps = maps * 0.9
        return self.head(F.avg_pool2d(maps, min(2, maps.shape[3])))


class Makers(Body):
    def forward(self, x):
        maps = self.maps(x)
        ones = torch.ones(maps.shape[0], 1, maps.shape[2], 1, dtype=maps.dtype, device=maps.device)
        ramp = torch.linspace(0, 1, maps.shape[3], device=maps.device)
        low = torch.finfo(maps.dtype).min
        return self.head((maps * ones + ramp).clamp(min=low))


class Keys(Body):
    def forward(self, x):
        known = {8: 2.0, 16: 3.0}
        assert f"{x.shape[3]:d} of {tuple(x.shape[1:])}" == "8 of (3, 8, 8)"
        return super().forward(x) * known.get(x.shape[2], 0.0) + known[x.size(3)]


class Lengths(Body):
    def forward(self, x):
        return self.fc(self.maps(x).reshape(len(x), 7, -1).mean(len((1, 2))))


class Expanded(Body):
    def forward(self, x):
        rows, rest = divmod(x.shape[2], 3)
        return super().forward(x + torch.full((1, 1, 1), 0.1).expand(x.size(0), -1, -1, -1) * rows * rest)


class Unpacked(Body):
    def forward(self, x):
        low, high = self.low(x).reshape(x.shape[0], 2, 3, 6, 6).transpose(0, 1)
        return self.head(self.high(torch.cat([low, high], 1).relu()).relu())


class Made(Body):
    def __init__(self) -> None:
        super().__init__()
        self.parts = [nn.ReLU(), nn.Sequential(nn.Identity(), nn.ReLU())]

    def forward(self, x):
        x = nn.Upsample(size=x.shape[2:])(nn.AvgPool2d(2)(x))
        return (
            nn.Flatten()(nn.AdaptiveAvgPool2d(1)(self.parts[1](self.high(self.parts[0](self.low(x))))))
            @ self.fc.weight.T
        )


class Written(Body):
    def forward(self, x):
        x = x.clone()
        x[:, 0] = x[:, 0] * 0.5 + 1
        x[:, 1:] -= 0.25
        maps = self.low(x)
        maps[maps < 0] = 0
        rest = torch.zeros_like(maps)
        rest[:, ::2] = maps[:, ::2]
        filled = x.new_empty(maps.shape).fill_(0.5) + torch.empty_like(maps).copy_(maps).zero_()
        return self.head(self.relu(self.high(rest + filled)))


class Squeezes(Body):
    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.maps(x), 1).squeeze())


@pytest.mark.parametrize(
    "kind", [Flag, Optional, Asserts, Ifs, Star, Numbers, Makers, Keys, Lengths, Expanded, Made, Written]
)
def test_sizes_and_arguments_are_known_when_a_network_is_traced(kind: type[Body]) -> None:
    network = says_the_same(kind())
    assert not network.is_one_at_a_time
    alone = torch.cat([network.logits(photo[None]) for photo in photos(3)])
    torch.testing.assert_close(network.logits(photos(3)), alone)


def test_a_squeeze_of_all_leaves_the_photos_apart() -> None:
    module, network = Squeezes().eval(), ready(Squeezes())
    torch.testing.assert_close(network.logits(photos()), module(photos()))
    torch.testing.assert_close(network.logits(photos()[:1]), module(photos())[:1])


def test_a_loop_over_a_tensor_is_run_one_photo_at_a_time() -> None:
    class Loops(Body):
        def forward(self, x):
            return torch.cat([self.head(self.maps(photo.unsqueeze(0))) for photo in x])

    assert says_the_same(Loops()).is_one_at_a_time
    says_the_same(Unpacked())


def test_what_is_written_into_a_tensor_is_a_path() -> None:
    """Gradient × activation through it is autograd's through the module."""

    class Half(Body):
        def above(self, maps: Tensor) -> Tensor:
            rest = torch.zeros_like(maps)
            rest[:, ::2] = maps[:, ::2]
            return self.head(self.relu(self.high(rest)))

        def forward(self, x):
            return self.above(self.relu(self.low(x)))

    network = ready(Half())
    activation = ForwardCache.of(network, photos()[:1]).activations[network.layers[0]]
    wanted = activation.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(Half().above(wanted)[0, 2], wanted)
    expected = (activation * gradient).sum((2, 3))[0]
    segment = network.segment(network.layers[0], "fc")
    found = gradient_times_activation(segment, activation, Readout.of_unit(2))
    assert network.piecewise_linear
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert expected[::2].abs().max() > 0
    assert not expected[1::2].any()


def test_a_size_of_the_batch_that_becomes_a_number_is_run_one_photo_at_a_time() -> None:
    class Counts(Body):
        def forward(self, x):
            maps = self.maps(x)
            return self.fc(maps.reshape(int(maps.shape[0]), 7, -1).mean(2))

    network = says_the_same(Counts())
    assert network.is_one_at_a_time


def test_an_assert_that_does_not_hold_is_told_with_its_words() -> None:
    class Large(Body):
        def forward(self, x):
            assert x.shape[2] >= 64, "64 pixels at least"
            return super().forward(x)

    with pytest.raises(
        InputError, match=r"^tiny does not take an input of \(1, 3, 8, 8\): 64 pixels at least; give its"
    ):
        ready(Large())


class Trains(Body):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(7)

    def forward(self, x):
        self.norm.train()
        return self.head(self.norm(self.maps(x)))


class Asks(Body):
    def forward(self, x):
        return super().forward(x) * (1 if type(x) is Tensor else 2)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            Trains,
            r"of its size; it runs norm in training mode although it was put into eval mode: let it stay there\.$",
        ),
        (
            Asks,
            r"of its size; its forward does something that torch\.fx does not see: move that into a module of its own",
        ),
    ],
)
def test_what_is_not_understood_is_not_called_overwriting(kind: type[Body], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        ready(kind())


def test_numbers_of_a_tensor_are_still_not_known() -> None:
    class Looks(Body):
        def forward(self, x):
            return super().forward(x) * int(x.sum())

    with pytest.raises(InputError, match=r"^torch\.fx cannot trace tiny, .*`.*int\(x\.sum\(\)\)`: "):
        ready(Looks())


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda: Casts(torch.float64), 1e-5),
        (lambda: Casts(torch.bfloat16), 0.03),
        (lambda: Body().double(), 1e-5),
        (lambda: Body().half(), 0.01),
        (lambda: Autocast(), 1e-5),
    ],
)
def test_networks_of_other_types_are_explained_in_float32(make: Callable[[], nn.Module], tolerance: float) -> None:
    network = ready(make())
    expected = ready(Body()).logits(photos())
    assert {weight.dtype for weight in network.traced.parameters()} == {torch.float32}
    torch.testing.assert_close(network.logits(photos()), expected, rtol=tolerance, atol=tolerance)


class Casts(Body):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.to(dtype)

    def forward(self, x):
        return super().forward(x.to(self.dtype)) + torch.zeros(5, dtype=self.dtype)


class Autocast(Body):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x).float()


def test_a_default_type_of_double_changes_nothing() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        logits = ready(Body()).logits(photos().float())
    finally:
        torch.set_default_dtype(torch.float32)
    assert logits.dtype is torch.float32


def test_another_thread_runs_its_network_meanwhile() -> None:
    """fx replaces what calls modules, and looks up their weights, for the whole process."""
    other, image = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1)), torch.ones(1, 3, 4, 4)
    expected, found = other(image), []

    class Waits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            thread = threading.Thread(target=lambda: found.append(other(image)))
            thread.start()
            thread.join(30)
            return self.second(x)

    traced = trace_module(Waits(), name="Waits", example=image)
    torch.testing.assert_close(found[0], expected)
    assert [node.target for node in traced.graph.nodes] == ["x", "first", "second", "output"]
    assert {name for name, _ in traced.named_children()} == {"first", "second"}
