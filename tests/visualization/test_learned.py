"""Images that a decoder makes, on decoders whose latents mean something known."""

import pytest
import torch
from torch import nn

from circuits.errors import InputError
from circuits.visualization.parameterization.learned import LearnedPrior


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class Patterns(nn.Module):
    """0.5 + Σ z_i · pattern i; it counts how it is used, and has batch norm and dropout to be found out by."""

    def __init__(self, colours: int = 3) -> None:
        super().__init__()
        patterns = torch.zeros(2, colours, 4, 4)
        patterns[0, :, :, :2], patterns[1, 0] = 0.1, -0.2
        self.patterns = nn.Parameter(patterns)
        self.norm = nn.BatchNorm2d(colours, momentum=None)
        self.dropout = nn.Dropout(0.5)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        drawn = 0.5 + torch.einsum("ni,icyx->ncyx", latents, self.patterns)
        return self.dropout(self.norm(drawn) * (1 + 1e-5) ** 0.5)


def test_an_image_is_what_the_decoder_makes() -> None:
    images = LearnedPrior(Patterns(), (2,))(4, 3)
    drawn = images(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 2.0]]))
    assert torch.allclose(drawn[0], 0.5 + torch.tensor([0.1, 0.1, 0.0, 0.0]).expand(3, 4, 4), atol=1e-5)
    assert torch.allclose(drawn[1], 0.5 + torch.tensor([-0.2, 0.0, 0.0])[:, None, None].expand(3, 4, 4), atol=1e-5)
    assert torch.allclose(drawn[2, 0, 0], torch.tensor([0.0, 0.0, 0.1, 0.1]), atol=1e-5)


def test_ascent_finds_the_latent_that_a_measure_asks_for() -> None:
    images = LearnedPrior(Patterns(), (2,))(4, 3)
    latents = torch.zeros(1, 2)
    for _ in range(20):
        latents.requires_grad_(True)
        drawn = images(latents)
        left_over_right = drawn[..., :2].mean() - drawn[..., 2:].mean()
        (gradient,) = torch.autograd.grad(left_over_right, latents)
        latents = (latents + gradient).detach()
    assert latents[0].tolist() == pytest.approx([2.0, 0.0], abs=1e-4)


def test_the_decoder_given_stays_as_it_was() -> None:
    decoder = Patterns().train()
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    images = LearnedPrior(decoder, (2,))(4, 3)
    assert torch.equal(images(torch.ones(2, 2)), images(torch.ones(2, 2)))  # no dropout, no batch statistics
    assert decoder.training
    assert all(parameter.requires_grad for parameter in decoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in decoder.state_dict().items())


def test_only_the_latents_get_a_gradient() -> None:
    prior = LearnedPrior(Patterns(), (2,))
    latents = torch.zeros(1, 2, requires_grad=True)
    prior(4, 3)(latents).sum().backward()
    assert latents.grad is not None
    assert [parameter.grad for parameter in prior.decoder.parameters()] == [None] * 3


def test_starts_are_standard_normal_and_each_image_s_own() -> None:
    images = LearnedPrior(Patterns(), (2,))(4, 3)
    starts = images.start(seeded(*range(2000)))
    assert float(starts.mean()) == pytest.approx(0, abs=0.05)
    assert float(starts.std()) == pytest.approx(1, abs=0.05)
    assert torch.equal(images.start(seeded(7))[0], starts[7])


def test_latents_may_have_any_shape_and_the_image_is_scaled_to_the_side() -> None:
    decoder = nn.ConvTranspose2d(5, 3, 4, stride=4)
    images = LearnedPrior(decoder, (5, 2, 2))(32, 3)
    latents = images.start(seeded(0, 1))
    assert latents.shape == (2, 5, 2, 2)
    expected = nn.functional.interpolate(decoder(latents), (32, 32), mode="bilinear", antialias=True).clamp(0, 1)
    assert torch.allclose(images(latents), expected, atol=1e-6)


def test_the_decoder_s_black_and_white_become_0_and_1() -> None:
    class Steps(nn.Module):
        def forward(self, latents: torch.Tensor) -> torch.Tensor:
            return latents.reshape(-1, 1, 1, 4).expand(-1, 1, 4, 4)

    images = LearnedPrior(Steps(), (4,), low=-1.0, high=3.0)(4, 1)
    assert images(torch.tensor([[-1.0, 0.0, 3.0, 9.0]]))[0, 0, 0].tolist() == [0, 0.25, 1, 1]


def test_decoders_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(InputError, match="makes images of 3 colours; the network takes 1"):
        LearnedPrior(Patterns(), (2,))(4, 1)
    with pytest.raises(InputError, match=r"does not take latents of shape \('N', 3\)"):
        LearnedPrior(Patterns(), (3,))
    with pytest.raises(InputError, match=r"makes \(2, 7\) of two latents; it must make \(2, colours, height, width\)"):
        LearnedPrior(nn.Linear(2, 7), (2,))
    with pytest.raises(InputError, match=r"from 1\.0 to 1\.0 are no range; black must be below white"):
        LearnedPrior(Patterns(), (2,), low=1.0)


def test_there_is_no_way_back_from_an_image() -> None:
    with pytest.raises(InputError, match="only decodes: start it from noise"):
        LearnedPrior(Patterns(), (2,))(4, 3).encode(torch.rand(1, 3, 4, 4))
