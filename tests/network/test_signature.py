"""Which argument of `forward` is the image, and which tensors lie in what it returns."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from circuits.errors import InputError
from tests.support.body import Body, photos, says_the_same
from tests.support.nets import ready


class ByName(Body):
    def forward(self, input_ids=None, attention_mask=None, pixel_values=None):
        if pixel_values is None:
            raise ValueError("You have to specify pixel_values")
        return super().forward(pixel_values)


class Temperature(Body):
    def forward(self, temperature=1.0, image=None):
        return super().forward(image) / temperature


class Keyword(Body):
    def forward(self, *, x):
        return super().forward(x)


class Packed(Body):
    def forward(self, *args, **others):
        return super().forward(args[0])


@pytest.mark.parametrize("kind", [ByName, Temperature, Keyword, Packed])
def test_the_image_need_not_be_the_first_argument(kind: type[Body]) -> None:
    network, plain = ready(kind()), Body().eval()
    with torch.no_grad():
        torch.testing.assert_close(network.logits(photos()), plain(photos()), rtol=1e-5, atol=1e-6)


def test_other_arguments_that_must_be_given_are_named() -> None:
    class Masked(Body):
        def forward(self, mask, image, train: bool):
            return super().forward(image)

    with pytest.raises(InputError, match="its forward must be given mask, train as well; give that a default"):
        ready(Masked())


def test_a_forward_without_a_named_input_is_refused() -> None:
    class Nameless(Body):
        def forward(self, **given):
            return super().forward(given["x"])

    with pytest.raises(InputError, match=r"^The network's forward names no input; a classifier of images reads one\.$"):
        ready(Nameless())


def test_a_dictionary_as_input_is_not_taken_for_a_wrong_size() -> None:
    class Batch(Body):
        def forward(self, batch):
            return super().forward(batch["image"])

    with pytest.raises(InputError, match=r"dimension 4 \(line \d+ of test_signature.py"):
        ready(Batch())


class Answer:
    def __init__(self, maps: Tensor, logits: Tensor) -> None:
        self.maps, self.inner = maps, SimpleNamespace(logits=logits, itself=self)


def test_outputs_may_lie_in_objects_of_any_class() -> None:
    class Objects(Body):
        def forward(self, x):
            maps = self.maps(x)
            return Answer(maps, self.head(maps))

    network = ready(Objects())
    assert str(network.output) == "output inner.logits of 2 (maps, inner.logits)"
    with torch.no_grad():
        torch.testing.assert_close(network.logits(photos()), Body()(photos()), rtol=1e-5, atol=1e-6)


def test_a_network_that_puts_out_no_tensor_is_told_so() -> None:
    class Nothing(Body):
        def forward(self, x):
            super().forward(x)

    with pytest.raises(InputError, match=r"^tiny puts out no tensor; make it return its logits, \(N, classes\)\.$"):
        ready(Nothing())


def test_a_network_that_does_not_look_is_told_so() -> None:
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = nn.Parameter(torch.ones(1, 3))

        def forward(self, x: Tensor) -> Tensor:
            return self.answer * 2

    with pytest.raises(InputError, match=r"^The network's output does not depend on its input\.$"):
        ready(Blind())


def test_a_module_with_plain_arguments_says_the_same() -> None:
    says_the_same(Body())
