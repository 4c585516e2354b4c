"""Networks that keep something from one photo to the next, and what keeps networks."""

import gc
import weakref

import pytest
import torch
from torch import nn

from circuits import Settings, Unit, prepare, render, trace
from circuits.errors import InputError
from circuits.network.attention import attention_patterns
from tests.support.body import Body, photos
from tests.support.nets import ready


def test_a_network_that_changes_with_every_photo_is_refused_with_the_reason():
    class Counts(Body):
        count = 0

        def forward(self, x):
            self.count += 1
            return super().forward(x) * self.count

    with pytest.raises(InputError, match=r"because its forward changes what it keeps, such as a buffer or a counter"):
        ready(Counts())


@pytest.mark.filterwarnings("ignore")  # of the future of the quantisation of torch
def test_observers_of_quantisation_stop_observing():
    from torch.ao.quantization import default_fake_quant

    class Observed(Body):
        def __init__(self):
            super().__init__()
            self.observed = default_fake_quant()

        def forward(self, x):
            return self.head(self.observed(self.maps(x)))

    module = Observed()
    module(photos())
    network = ready(module.eval())
    before = network.logits(photos())
    network.logits(10 * photos())
    assert torch.equal(network.logits(photos()), before)


def test_a_network_that_nobody_holds_is_let_go_of():
    """Also if it was copied with its norms held, or with its attention written out, or if pictures were drawn."""
    network = ready(Body())
    kept = [weakref.ref(each) for each in (network.traced, *network.traced.parameters())]
    trace(network, "example:cat", 0, depth=1, mode="frozen")
    attention_patterns(network.traced, photos(1))
    render(network, [Unit(network.layers[1], channel) for channel in range(3)], settings=Settings(size=16, steps=1))
    del network
    gc.collect()
    assert [each() for each in kept] == [None] * len(kept)


def test_before_a_large_network_is_prepared_those_are_let_go_of_that_nobody_holds():
    def large() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 4096, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4096, 2200)
        )

    gc.disable()
    try:
        kept = weakref.ref(prepare(large(), size=8, labels=[], check=False).traced)
        assert kept() is not None
        prepare(large(), size=8, labels=[], check=False)
        assert kept() is None
    finally:
        gc.enable()
