"""What is written into a view of a tensor changes the tensor, and every other view of it."""

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.network.views import WrittenThrough
from tests.support.body import Body, says_the_same


class Reshaped(Body):
    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x)
        low.view(x.size(0), 6, -1).relu_()
        return self.head(self.relu(self.high(low)))


class Halves(Body):
    """Each overwritten with the other; what a function returned of several is no place of its own."""

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x).relu()
        first, second = low.chunk(2, 1)
        kept = first.clone()
        first.copy_(second * 2)
        second.copy_(kept)
        return self.head(self.relu(self.high(low)))


class Overlapping(Body):
    """A module in place, on one view; then another view of the same numbers; both are read, and the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x)
        first, second = low[:, :4], low[:, 2:]
        self.act(first)
        second.mul_(2)
        return self.head(self.relu(self.high(low + F.pad(first, (0, 0, 0, 0, 0, 2)) + second.mean(1, keepdim=True))))


class Turned(Body):
    """What an operation in place returns is the view itself."""

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x)
        turned = low.permute(0, 2, 3, 1)
        turned += torch.arange(6.0) - 3
        turned.relu_()
        return self.head(self.relu(self.high(low)))


class Filled(Body):
    """A shift of channels, written into zeros."""

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x).relu()
        moved = low.new_zeros(low.shape)
        moved[:, :2, :-1].copy_(low[:, :2, 1:])
        moved[:, 2:] += low[:, 2:]
        return self.head(self.relu(self.high(moved)))


class Before(Body):
    """A view that was taken before its tensor was overwritten."""

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x)
        flat = low.flatten(2)
        low.relu_()
        return self.head(self.relu(self.high(flat.view_as(low))))


def test_views_are_written_through() -> None:
    for kind in (Reshaped, Halves, Overlapping, Turned, Filled, Before):
        network = says_the_same(kind())
        exact = [layer.piecewise_linear for layer in network.layer_list[1:]]
        assert all(exact) or kind in (Halves, Filled), kind.__name__


def test_a_tensor_that_is_written_through_has_the_gradient_of_both() -> None:
    tensor, value = torch.arange(6.0, requires_grad=True), torch.ones(2, requires_grad=True)
    written = WrittenThrough([("call_method", "view"), ("call_method", "select")])(
        tensor, value, [((2, 3), {}), ((1, 2), {})]
    )
    assert written.tolist() == [0, 1, 1, 3, 4, 1]
    ours, theirs = torch.autograd.grad((written * torch.arange(1.0, 7)).sum(), (tensor, value))
    assert ours.tolist() == [1, 2, 0, 4, 5, 0]
    assert theirs.tolist() == [3, 6]
