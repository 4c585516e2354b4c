"""The pieces of the benchmarks in which a silent error would make a figure wrong."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from PIL import Image

from circuits import Readout, load_network, load_photo
from circuits.attribution.gradient import integrated_gradients

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from peers.job import Job, calibrated, check_same, find_parents, make_job, noise_photo, with_markers
from peers.measuring import flops_of, median_seconds, memory_mib
from peers.tools import captum, circuits, treevis

from tests.support import limits


@pytest.fixture(scope="module")
def job() -> Job:
    network = load_network("squeezenet1_1", weights="random", size=64)
    parents = find_parents(network, noise_photo(), 3, 2)
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return Job(network, noise, parents)


def test_a_job_holds_each_unit_that_the_circuit_expands_once(job: Job) -> None:
    assert len(set(job.parents)) == len(job.parents) > 3
    assert all(job.network.below(upper) == lower for upper, lower, _ in job.parents)
    assert sum(map(len, job.groups.values())) == len(job.parents)
    again = make_job("squeezenet1_1", "", job.parents)
    assert (again.parents, tuple(again.image.shape)) == (job.parents, (1, 3, 224, 224))


def test_batch_norms_are_calibrated_so_that_about_half_of_what_a_rectifier_sees_is_zero(tmp_path: Path) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(2)]
    for number, photo in enumerate(photos):
        noise = np.random.default_rng(number).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(noise).save(photo)
    network = calibrated("resnet18", photos, batches=1, at_once=2)
    images = torch.cat([network.preprocessing.to_tensor(load_photo(photo).image) for photo in photos])
    activation = network.activations(images, ["layer4.0"])["layer4.0"]
    assert 0.4 < float((activation == 0).float().mean()) < 0.6


def test_the_reimplemented_procedure_of_cnn_treevis_gives_our_shares(job: Job) -> None:
    ours = circuits(job)()
    assert len(ours) == len(job.parents)
    assert check_same(ours, treevis(job)()) < 1e-5


def test_captum_gives_our_shares(job: Job) -> None:
    assert check_same(circuits(job)(), captum(job)()) < 1e-5


def test_captum_integrates_to_our_shares(job: Job) -> None:
    from peers.same import captum_integrated

    activations = job.network.activations(job.image)
    upper, lower, channel = job.parents[-1]
    segment = job.network.segment(lower, upper)
    mine = integrated_gradients(segment, activations[lower], Readout.of_unit(channel), steps=8)
    theirs = captum_integrated(segment, activations[lower], channel, 8)
    assert float(mine.abs().max()) > 0
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6 * float(mine.abs().max()))


def test_other_shares_are_noticed(job: Job) -> None:
    ours = circuits(job)()
    wrong = {key: row * 1.01 for key, row in ours.items()}
    with pytest.raises(AssertionError, match="not close"):
        check_same(ours, wrong)


def test_markers_change_nothing(job: Job) -> None:
    torch.testing.assert_close(with_markers(job.network)(job.image), job.network.logits(job.image))
    top = job.network.layers[2]
    assert torch.equal(with_markers(job.network, top)(job.image), job.network.activations(job.image)[top])


def test_operations_are_counted_forward_and_back() -> None:
    x, weight = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(5, 3, 3, 3)
    forward = 2 * 2 * 5 * 3 * 9 * 8 * 8
    assert flops_of(lambda: F.conv2d(x, weight, padding=1)) == forward
    back = flops_of(lambda: torch.autograd.grad(F.conv2d(x, weight, padding=1).sum(), x))
    assert back == 2 * forward
    assert flops_of(lambda: torch.bmm(torch.ones(4, 2, 3), torch.ones(4, 3, 5))) == 2 * 4 * 2 * 3 * 5


def test_a_median_is_of_one_run_at_least() -> None:
    calls: list[int] = []
    assert median_seconds(lambda: calls.append(1), at_most=3, within=0.0) >= 0
    assert len(calls) == 1


def test_memory_grows_by_what_is_held() -> None:
    # In a process of its own: what other tests have freed would be used again here.
    script = """
import torch
from benchmarks.peers.measuring import forget_peak, memory_mib

before = memory_mib()
held = torch.ones(16 * 2**20)
after = memory_mib()
del held
forget_peak()
print(after - before, memory_mib(what="VmHWM") - memory_mib())
"""
    done = limits.python("-c", script, cwd=Path(__file__).parents[2])
    grown, above = map(float, done.stdout.split())
    assert 60 < grown < 70
    assert abs(above) < 8
    with pytest.raises(LookupError, match="does not say Nothing"):
        memory_mib(what="Nothing")
