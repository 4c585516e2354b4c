"""A photo is one row, and says the same alone and among others; a network of which that is not true is run by rows."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import nn

import circuits
from circuits.attribution.ablation import ablated_one_by_one
from circuits.attribution.baseline import Baseline
from circuits.attribution.gradient import Readout, ablation, integrated_gradients
from circuits.errors import InputError
from circuits.exemplars.statistics import StatisticsCollector
from tests.support.body import Body, photos, says_the_same
from tests.support.commandline import run
from tests.support.nets import ready


class MinMax(Body):
    def forward(self, x):
        low = self.relu(self.low(x))
        low = (low - low.min()) / (low.max() - low.min() + 1e-6)
        return self.head(self.relu(self.high(low)))


class ByBatch(Body):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(6, track_running_stats=False)

    def forward(self, x):
        return self.head(self.relu(self.high(self.relu(self.norm(self.low(x))))))


class InTraining(Body):
    def forward(self, x):
        maps = F.batch_norm(self.low(x), None, None, training=True)
        return self.head(self.relu(self.high(self.relu(maps))))


class OneRow(Body):
    def forward(self, x):
        maps = self.maps(x).view(1, -1)
        return self.fc(maps.view(1, 7, -1).mean(2))


class OverPhotos(Body):
    def forward(self, x):
        low = self.relu(self.low(x))
        return self.head(self.relu(self.high(low * low.softmax(0) - low.mean(0, keepdim=True) / 2)))


class Splits(Body):
    def forward(self, x):
        low = self.relu(self.low(x))
        low = low / low.norm()
        left, right = low.chunk(2, 1)
        return self.head(self.relu(self.high(torch.cat([right, left], 1))))


KINDS = [MinMax, ByBatch, InTraining, OneRow, OverPhotos, Splits]


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_says_among_others_what_it_says_alone(kind):
    network = says_the_same(kind())
    assert network.is_one_at_a_time
    together = network.activations(photos(3))
    for name, activation in together.items():
        alone = torch.cat([network.activations(photo[None])[name] for photo in photos(3)])
        torch.testing.assert_close(activation, alone)


@pytest.mark.parametrize("kind", KINDS)
def test_ablation_and_gradients_of_a_batch_are_those_of_one_at_a_time(kind):
    module = kind().eval()
    network = ready(module)
    lower, upper = network.layers[-3:-1] if len(network.layers) > 2 else network.layers[-2:]
    activation, segment = network.activations(photos()[:1])[lower], network.segment(lower, upper)
    readout = Readout.of_unit(1)

    def value(changed):
        return float(segment(changed)[0, 1].sum())

    slow = []
    for channel in range(activation.shape[1]):
        without = activation.clone()
        without[:, channel] = 0
        slow.append(value(activation) - value(without))
    assert ablation(segment, activation, readout).tolist() == pytest.approx(slow, abs=1e-5)
    zero = Baseline.zero().of(lower, activation)
    [(_, lost)] = ablated_one_by_one(segment, activation, [readout], range(activation.shape[1]), zero)
    assert lost[0].tolist() == pytest.approx(slow, abs=1e-5)
    places, weights = np.polynomial.legendre.leggauss(8)
    points = [(activation * place).requires_grad_() for place in (places + 1) / 2]
    gradients = [torch.autograd.grad(segment(point)[0, 1].sum(), point)[0] for point in points]
    total = sum(gradient * weight / 2 for gradient, weight in zip(gradients, weights, strict=True))
    shares = integrated_gradients(segment, activation, readout, steps=8)
    torch.testing.assert_close(shares, (activation * total).sum((0, 2, 3)).float())


def test_interventions_and_statistics_are_those_of_one_at_a_time():
    network = ready(MinMax())
    collect = StatisticsCollector(network, network.layer_list)
    together, alone = collect(photos(3)), [collect(photo[None]) for photo in photos(3)]
    torch.testing.assert_close(together.means, torch.cat([each.means for each in alone]))
    outcome = circuits.intervene(network, "example:cat", {"relu:2": 0}, classes=[1])
    image = network.preprocessing.input_of(circuits.load_photo("example:cat"))
    activation = network.activations(image)["relu"]
    activation[:, 2] = 0
    expected = network.segment("relu", "fc")(activation)[0, 1]
    assert float(outcome.after[1]) == pytest.approx(float(expected), abs=1e-5)


def test_the_books_of_such_a_network_are_not_said_to_close():
    network = ready(OneRow())
    assert not network.piecewise_linear
    circuit = circuits.trace(network, "example:cat", depth=1, top=2)
    assert not circuit.node(circuit.root).books.exact
    assert circuit.network.one_at_a_time
    assert circuits.Circuit.from_dict(circuit.to_dict()) == circuit


def test_other_networks_are_run_in_batches():
    network = says_the_same(Body())
    assert (network.is_one_at_a_time, network.piecewise_linear) == (False, True)
    circuit = circuits.trace(network, "example:cat", depth=1, top=2)
    assert "one_at_a_time" not in circuit.to_dict()["graph"]["network"]


class ViewMinusOne(nn.Module):
    """For 32 × 32 pixels, as it stands in many tutorials."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Linear(4 * 16 * 16, 3)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).view(-1, 4 * 16 * 16))


def test_more_rows_than_photos_are_refused_with_the_size_that_fits():
    expected = r"^tiny gives 4 rows for one photo of 64 × 64; is it 32 × 32\? give its size \(--size\)\.$"
    with pytest.raises(InputError, match=expected):
        ready(ViewMinusOne(), 64)
    assert not ready(ViewMinusOne(), 32).is_one_at_a_time


class MirroredToo(Body):
    def forward(self, x):
        one, other = super().forward(torch.cat([x, x.flip(3)])).chunk(2)
        return (one + other) / 2


class Crops(Body):
    def forward(self, x):
        crops = torch.cat([x[:, :, :6, :6], x[:, :, 2:, 2:], x[:, :, 1:7, 1:7]])
        return super().forward(crops).view(3, -1, 5).mean(0)


@pytest.mark.parametrize(("kind", "rows"), [(MirroredToo, 2), (Crops, 3)])
def test_copies_of_a_photo_inside_are_refused(kind, rows):
    with pytest.raises(
        InputError, match=rf"^tiny makes {rows} rows of one photo at relu, .*; explain the network inside"
    ):
        ready(kind())


def test_a_softmax_over_the_photos_is_refused():
    for head in (nn.Softmax(dim=0), nn.LogSoftmax(dim=-2)):
        with pytest.raises(InputError, match=r"^The network ends in a (log_)?softmax over dimension 0, .*, dim=1\.$"):
            ready(nn.Sequential(Body(), head))


class Dropped(Body):
    def forward(self, x):
        return self.fc(F.dropout(self.maps(x).mean((2, 3)), 0.5))


class Stubborn(Body):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def eval(self):
        super().eval().drop.train()
        return self

    def forward(self, x):
        return self.fc(self.drop(self.maps(x).mean((2, 3))))


class Noisy(Body):
    def forward(self, x):
        return super().forward(x + torch.randn_like(x))


@pytest.mark.parametrize(("kind", "line"), [(Dropped, "F.dropout"), (Stubborn, "self.drop"), (Noisy, "randn_like")])
def test_chance_in_eval_mode_is_told_with_its_line(kind, line):
    state = torch.get_rng_state()
    expected = rf"^tiny gives another answer each time .* \(line \d+ of test_rows\.py, `.*{line}.*`\); make it certain"
    with pytest.raises(InputError, match=expected):
        ready(kind())
    assert torch.equal(torch.get_rng_state(), state)


def test_chance_that_changes_nothing_does_no_harm():
    class Idle(Body):
        def forward(self, x):
            return super().forward(x) + 0 * torch.rand(1)

    says_the_same(Idle())


@pytest.mark.parametrize(
    ("channels", "side", "expected"),
    [
        (
            6,
            8,
            r"^tiny does not take an input of \(1, 3, 8, 8\): it reads 6 channels; a photo has 3, or 1 in grey: put a ",
        ),
        (
            1,
            8,
            r"^tiny does not take an input of \(1, 3, 8, 8\): it reads 1 channels; give mean and std of 1 number each,",
        ),
    ],
)
def test_other_channels_are_told_as_such(channels, side, expected):
    with pytest.raises(InputError, match=expected):
        ready(nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)), side)


def test_a_size_is_only_blamed_where_it_is_at_fault():
    class Whole(Body):
        def forward(self, x):
            return super().forward(x.to(torch.uint8))

    with pytest.raises(InputError) as refused:
        ready(Whole())
    assert "size" not in str(refused.value)
    fixed = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 26 * 26, 2))
    with pytest.raises(InputError, match=r"shapes cannot be multiplied .*; is it 28 × 28\? give its size\.$"):
        ready(fixed, 30)


def test_predict_says_that_it_looks_at_one_photo_at_a_time(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("from tests.network.test_rows import MinMax\n")
    arguments = ["predict", "example:cat", "-n", f"{path}:MinMax", "--size", "8"]
    assert "for cat (run one photo at a time, since what it does depends on others in a batch" in run(*arguments).stdout
    assert '"one_at_a_time": true' in run(*arguments, "--json").stdout


@pytest.mark.parametrize("move", [lambda maps: maps.flip(0), lambda maps: maps.roll(1, 0)])
def test_maps_that_change_places_among_the_photos_are_found_out(move):
    class Moved(Body):
        def forward(self, x):
            return self.head(self.relu(move(self.maps(x))))

    assert says_the_same(Moved()).is_one_at_a_time
