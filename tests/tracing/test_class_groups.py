"""Groups of a class: found in several photos at once, the same in each of them."""

from functools import cache

import numpy as np
import pytest
import torch

from circuits import CircuitsError, Network, fit_groups, load_network, load_photo, trace
from circuits.groups.coding import importance_of
from circuits.groups.fit import fit
from circuits.tracing import class_groups
from circuits.tracing.run import ForwardCache
from circuits.tracing.targets import find_target


@cache
def builtin() -> Network:
    return load_network()


def photos() -> list[np.ndarray]:
    """The cat, as it is and mirrored."""
    pixels = np.asarray(load_photo("example:cat").pixels)
    return [pixels, pixels[:, ::-1].copy()]


def test_the_positions_of_all_photos_are_fitted_at_once() -> None:
    network = builtin()
    found = fit_groups(network, photos(), "cat", groups=3, depth=1, source="cats")["conv7"]
    target = find_target(network, "cat", 0)
    columns, worth = [], []
    for photo in photos():
        run = ForwardCache.of(network, network.preprocessing.input_of(load_photo(photo)))
        columns.append(run.activations["conv7"][0].flatten(1))
        worth.append(importance_of(run.gradient(target, "conv7")[0]).float())
    wanted = fit(torch.cat(columns, 1), 3, torch.cat(worth, 1).double())
    assert torch.equal(found.directions, wanted)
    assert (found.source, found.weighted) == ("cats (2 photos)", True)


def test_a_group_means_the_same_in_every_photo() -> None:
    groups = fit_groups(builtin(), photos(), "cat", groups=3, depth=1)
    circuits = [trace(builtin(), photo, "cat", groups=groups, depth=1) for photo in photos()]
    one, other = (each.dictionaries["conv7"].directions for each in circuits)
    assert torch.equal(one, other)
    for circuit in circuits:
        books = circuit.nodes[circuit.root].books
        assert books.shown > abs(books.residual)


def test_the_target_is_what_is_predicted_of_most() -> None:
    network = builtin()
    predicted = int(network.logits(network.preprocessing.input_of(load_photo("example:cat")))[0].argmax())
    ours = fit_groups(network, photos(), None, groups=2, depth=1)["conv7"]
    named = fit_groups(network, photos(), predicted, groups=2, depth=1)["conv7"]
    assert torch.equal(ours.directions, named.directions)


def test_of_many_positions_some_of_each_photo_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def fitted(activation: torch.Tensor, count: int, importance: torch.Tensor, *, signed: bool) -> torch.Tensor:
        sizes.append(tuple(activation.shape))
        assert activation.shape == importance.shape
        assert not signed
        return fit(activation, count, importance)

    monkeypatch.setattr(class_groups, "POSITIONS", 11)
    monkeypatch.setattr(class_groups, "fit", fitted)
    fit_groups(builtin(), photos(), "cat", groups=2, depth=1)
    assert sizes == [(384, 2 * 6)]  # every third of 16 positions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"photos": []}, "no photos to fit"),
        ({"layers": ["fc"]}, "does not lie below"),
        ({"layers": ["conv99"]}, "No layer"),
        ({"groups": [4, 4]}, "2 numbers for a depth of 1"),
        ({"groups": 0}, "0 at every level"),
        ({"depth": 0}, "must be at least 1"),
        ({"layers": "conv9"}, "No layer 'conv9'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options: dict, message: str) -> None:
    with pytest.raises(CircuitsError, match=message):
        fit_groups(builtin(), **{"photos": ["example:cat"], "target": "cat", "depth": 1, **options})
