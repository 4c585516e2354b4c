"""Networks that keep something from one photo to the next."""

import pytest
import torch

from circuits.errors import InputError
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
