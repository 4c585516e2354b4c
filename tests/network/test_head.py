"""What a network does to its logits: left out where it can be undone, shown as it is where it sums to one."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from circuits.errors import InputError
from circuits.network.predict import predict
from circuits.tracing.trace import trace
from tests.support.body import Body, photos
from tests.support.nets import difference, image_for, randomize, ready


class Ends(nn.Module):
    """A small network whose logits, (N, classes), an end is put on."""

    def __init__(self, end: Callable[[Tensor], Tensor], classes: int = 5) -> None:
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(6, classes)
        self.end = end
        randomize(self)

    def logits(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.b(F.relu(self.a(x)))).mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.logits(x))


UNDONE: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(1),
    "softmax, flattened": lambda x: F.softmax(x, dim=-1).flatten(1),
    "softmax, viewed": lambda x: F.softmax(x[:, :, None, None], dim=1).view(x.size(0), -1),
    "softmax, squeezed": lambda x: F.softmax(x[:, :, None, None], -3).squeeze(3).squeeze(2),
    "softmax, picked": lambda x: torch.softmax(x.unsqueeze(-1).unsqueeze(-1), 1)[:, :, 0, 0],
    "softmax, permuted": lambda x: F.softmax(x[:, :, None], 1).permute(0, 2, 1).flatten(1),
    "softmax, clamped": lambda x: F.softmax(x, 1).clamp(1e-6, 1),
    "softmax, of a type": lambda x: F.softmax(x, 1).to(x.dtype).contiguous(),
    "softmax, twice": lambda x: x.softmax(1).softmax(1),
    "log of softmax": lambda x: torch.log(x.softmax(1) + 1e-9),
    "log-softmax": lambda x: x.log_softmax(1),
    "exp of log-softmax": lambda x: F.log_softmax(x, 1).exp(),
    "in percent": lambda x: x.softmax(1) * 100,
}


@pytest.mark.parametrize("end", UNDONE)
def test_what_follows_the_logits_is_left_out_and_predictions_are_the_networks_own(end: str) -> None:
    module = Ends(UNDONE[end]).eval()
    network = ready(module, 8)
    images = image_for(network, 3)
    with torch.no_grad():
        logits, made = module.logits(images), module(images)
    assert not network.multi_label
    assert difference(network.logits(images), logits) <= 1e-5
    made = made.exp() if end.startswith("log") else made / 100 if "percent" in end else made
    assert difference(network.probabilities(network.logits(images)), made) <= 1e-5
    top = trace(network, "example:cat", depth=1).root
    assert top.startswith(f"{network.layers[-1]}:")


def test_a_softmin_is_the_softmax_of_what_speaks_against() -> None:
    module = Ends(nn.Softmin(1)).eval()
    network = ready(module, 8)
    images = image_for(network, 2)
    with torch.no_grad():
        assert difference(network.logits(images), -module.logits(images)) <= 1e-5
        assert difference(network.probabilities(network.logits(images)), module(images)) <= 1e-5


@pytest.mark.parametrize(
    "end",
    [torch.sigmoid, F.logsigmoid, lambda x: torch.sigmoid(x).clamp(1e-4, 1 - 1e-4), lambda x: torch.sigmoid(x).log()],
)
def test_each_class_is_judged_on_its_own_behind_a_sigmoid(end: Callable[[Tensor], Tensor]) -> None:
    module = Ends(end).eval()
    network = ready(module, 8)
    images = image_for(network, 2)
    assert network.multi_label
    with torch.no_grad():
        assert difference(network.logits(images), module.logits(images)) <= 1e-5
        expected = torch.sigmoid(module.logits(images))
    assert difference(network.probabilities(network.logits(images)), expected) <= 1e-3


ONE_NUMBER: dict[str, Callable[[Tensor], Tensor]] = {
    "squeezed": lambda x: torch.sigmoid(x).squeeze(1),
    "before": lambda x: torch.sigmoid(x.squeeze(-1)),
    "flat": lambda x: torch.sigmoid(x.flatten()),
    "picked": lambda x: x[:, 0].sigmoid(),
    "logit": lambda x: x.view(-1),
}


@pytest.mark.parametrize("end", ONE_NUMBER)
def test_one_number_a_photo_is_one_class(end: str) -> None:
    module = Ends(ONE_NUMBER[end], classes=1).eval()
    network = ready(module, 8)
    images = image_for(network, 3)
    assert network.multi_label
    with torch.no_grad():
        assert difference(network.logits(images), module.logits(images)) <= 1e-5
    assert len(predict(network, "example:cat")) == 1


AS_THEY_ARE: dict[str, Callable[[Tensor], Tensor]] = {
    "mean of two": lambda x: (x.softmax(1) + (x / 3).softmax(1)) / 2,
    "one class and the other": lambda x: torch.cat([x[:, :1].sigmoid(), 1 - x[:, :1].sigmoid()], 1),
    "shares": lambda x: x.abs() / x.abs().sum(1, keepdim=True),
}


@pytest.mark.parametrize("end", AS_THEY_ARE)
def test_what_sums_to_one_and_cannot_be_undone_is_shown_as_it_is(end: str) -> None:
    module = Ends(AS_THEY_ARE[end]).eval()
    network = ready(module, 8)
    images = image_for(network, 3)
    with torch.no_grad():
        expected = module(images)
    assert difference(network.probabilities(network.logits(images)), expected) <= 1e-5
    found = predict(network, "example:cat", top=9)
    assert sum(row.probability for row in found) == pytest.approx(1, abs=1e-5)
    assert all(row.probability == row.logit for row in found)


@pytest.mark.parametrize("end", [lambda x: x, F.relu, torch.tanh, lambda x: x.clamp(-9, 9), lambda x: x.flatten(1)])
def test_what_does_not_squash_is_explained_as_it_is(end: Callable[[Tensor], Tensor]) -> None:
    module = Ends(end).eval()
    network = ready(module, 8)
    images = image_for(network, 2)
    with torch.no_grad():
        made = module(images)
    assert difference(network.logits(images), made) <= 1e-5
    assert difference(network.probabilities(made), made.softmax(1)) <= 1e-6


def test_only_classes_that_are_asked_to_be_judged_alone_are() -> None:
    network = ready(Ends(lambda x: x.softmax(1)).eval(), 8)
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0, 0.5])
    assert network.probabilities(logits).tolist() == logits.softmax(0).tolist()


def test_a_softmax_over_the_batch_is_refused() -> None:
    with pytest.raises(InputError, match=r"^The network ends in a softmax over dimension 0, which is the photos"):
        ready(Ends(lambda x: x.softmax(0).clamp(0, 1)).eval(), 8)


def test_a_softmax_over_the_first_dimension_of_classes_by_photos_is_one_over_classes():
    class Turned(Body):
        def forward(self, x):
            return super().forward(x).t().softmax(0).t()

    network = ready(Turned())
    assert network.logits(photos()).shape == (2, 5)
    with torch.no_grad():
        expected = Body()(photos()).softmax(1)
    torch.testing.assert_close(network.probabilities(network.logits(photos())[0]), expected[0], rtol=1e-4, atol=1e-5)


def test_a_sigmoid_that_is_written_by_hand_is_one_and_what_falls_is_turned() -> None:
    ends: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
        "divided": (lambda x: 1 / (1 + torch.exp(-x)), 1),
        "of tanh": (lambda x: 0.5 * (torch.tanh(x / 2) + 1), 1),
        "hard": (nn.Hardsigmoid(), 1),
        "falling": (lambda x: 1 - torch.sigmoid(x), -1),
    }
    for end, sign in ends.values():
        module = Ends(end).eval()
        network = ready(module, 8)
        images = image_for(network, 2)
        assert network.multi_label
        with torch.no_grad():
            logits = network.logits(images)
            assert difference(logits, sign * module.logits(images)) <= 1e-5
            assert difference(network.probabilities(logits), module(images)) <= 1e-5
        found = [each.probability for each in predict(network, "example:cat")]
        assert found == sorted(found, reverse=True)
