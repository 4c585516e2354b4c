"""With their gates held, networks with hard-swish and squeeze-and-excitation add up exactly too, in float64."""

import pytest

from circuits.attribution.gradient import Readout
from circuits.attribution.modes import attribute, is_exact
from circuits.network.held import hold
from tests.support import reference
from tests.support.nets import image_for, ready, zoo
from tests.support.zoo_checks import double


def test_gates_that_are_held_leave_nothing_but_the_effective_bias() -> None:
    network = ready(zoo("mobilenet_v3_small"), 64, check=False)
    double(network.traced)
    found, middle = network.activations(image_for(network).double()), len(network.layers) // 2
    lower, upper = network.layers[middle : middle + 2]
    segment, readout = network.segment(lower, upper), Readout.of_unit(1)
    assert not segment.piecewise_linear
    assert is_exact("frozen", segment)
    held = hold(segment)
    [shares] = attribute("frozen", segment, found[lower], [readout])
    bias = reference.effective_bias(held.traced, reference.sum_of_channel(held, 1), found[lower])
    value = float(found[upper][0, 1].sum())
    assert value == pytest.approx(float(shares.sum()) + bias, abs=1e-12 * float(shares.abs().sum()))
    [live] = attribute("sum", segment, found[lower], [readout])
    assert float((live - shares).abs().sum()) > 1e-3 * float(shares.abs().sum())
