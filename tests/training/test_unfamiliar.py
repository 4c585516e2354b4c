"""The statistics that tell photos of the built-in network's classes from others equal their plain definitions."""

import numpy as np
import pytest
import torch

from tests.support.nets import seeded
from training.builtin.unfamiliar import FeatureDistances, auroc


def test_the_area_is_the_share_of_pairs_in_their_order() -> None:
    known, unknown = torch.tensor([3.0, 1.0, 2.0, 2.0]), torch.tensor([2.0, 0.0, 1.0])
    pairs = [(a > b) + 0.5 * (a == b) for a in known.tolist() for b in unknown.tolist()]
    assert auroc(known, unknown) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc(known, known) == pytest.approx(0.5)
    assert auroc(known + 10, unknown) == 1.0


def test_distances_are_those_to_the_nearest_mean() -> None:
    features = torch.randn(60, 3, generator=seeded(1))
    classes = torch.arange(60) % 4
    distances = FeatureDistances(features, classes)
    given = torch.randn(5, 3, generator=seeded(2)).double()
    means = np.stack([features[classes == each].double().numpy().mean(0) for each in range(4)])
    off = features.double().numpy() - means[classes.numpy()]
    within = np.linalg.inv(off.T @ off / 59)
    spread = features.double().numpy() - features.double().numpy().mean(0)
    whole = np.linalg.inv(spread.T @ spread / 59)
    for row, x in enumerate(given.numpy()):
        far = [x - mean for mean in means]
        plain = min(np.linalg.norm(each) for each in far)
        squared = min(each @ within @ each for each in far)
        to_all = x - features.double().numpy().mean(0)
        angle = max(x @ mean / np.linalg.norm(x) / np.linalg.norm(mean) for mean in means)
        assert distances.plain(given)[row].item() == pytest.approx(-plain)
        assert distances.mahalanobis(given)[row].item() == pytest.approx(-squared)
        assert distances.relative(given)[row].item() == pytest.approx(-squared + to_all @ whole @ to_all)
        assert distances.cosine(given)[row].item() == pytest.approx(angle)
