"""The usual view: units as a network was loaded, or of a transformer whose means are known groups of its tokens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from circuits import Baseline, load_network, load_photo, mean_of_photos, trace
from circuits.cli import explore
from circuits.exemplars.build import index_photos
from circuits.exemplars.finding import find_exemplars
from circuits.report.sentences import circuit_in_words, held_in_words
from circuits.report.text import number
from circuits.tracing.source import forward_cache
from circuits.tracing.targets import target_of
from circuits.tracing.usual import GROUPS, UNITS, usual_view
from dashboard.breakdowns import inspect
from dashboard.library import Library
from dashboard.session.selection import groups_of
from dashboard.session.state import Choices, Session, Work
from dashboard.work.gallery import StoredGallery
from tests.support.tokens import Tokens, tokens

PHOTOS = [load_photo(np.random.default_rng(n).random((4, 6, 3)), name=f"noise {n}") for n in range(4)]


def test_a_transformer_whose_means_are_known_is_usually_explained_by_groups_of_tokens_from_the_mean() -> None:
    network = tokens(Tokens())
    stream = network.with_layers("stream")
    mean = mean_of_photos(stream, PHOTOS[1:], source="noise")
    view = usual_view(network, lambda stream: mean)
    assert (view.network.layers, view.groups, view.units, view.signs) == (stream.layers, GROUPS, UNITS, "both")
    circuit = trace(
        view.network, PHOTOS[0], depth=2, groups=view.groups, units=view.units, signs=view.signs, baseline=view.baseline
    )
    run = forward_cache(view.network, circuit)
    activation, gradient = run.activations["blocks.1.cls"], run.gradient(target_of(circuit), "blocks.1.cls")
    above = activation - mean.of("blocks.1.cls", activation)
    edge = circuit.edges_into(circuit.root)[0]
    # A token is its own direction, and the mean one more, so that what tells it from the mean is that of one group.
    assert edge.source == "blocks.1.cls/0"
    assert edge.attribution == pytest.approx(float((above * gradient).sum()), rel=1e-3)
    for name in (circuit.root, edge.source):
        books = circuit.nodes[name].books
        assert books is not None
        assert books.value == pytest.approx(books.shown + books.rest + books.residual + books.bias, abs=1e-5)
    code = run.code(target_of(circuit), "blocks.0").at_baseline(mean.of("blocks.0", run.activations["blocks.0"]))
    assert code is not None  # the mean's own code is the mean alone
    torch.testing.assert_close(code.weights[:-1], torch.zeros_like(code.weights[:-1]), atol=1e-3, rtol=0)
    labels = {node.label for node in circuit.nodes.values() if str(node.unit).startswith("blocks.0/")}
    assert "blocks.0/4, the mean" in labels
    # One direction is all of a single token: what its layer's mean adds to it is rounding, and not among the best.
    assert "blocks.1.cls/1" not in circuit.nodes
    words = held_in_words(circuit)
    value = circuit.target.value
    through, left = (number(part, sign=True) for part in (edge.attribution, value - edge.attribution))
    assert abs(value - edge.attribution) > 0.1 * value  # which is the mean's, and comes through nothing
    said = f"Of {number(value)}, {through} comes through blocks.1.cls/0; {left} is remainder. Below that, the "
    assert words.startswith(said)
    assert "groups drawn account for" in words
    assert words in circuit_in_words(circuit)
    page = Library(view.network, StoredGallery(view.network), lambda: mean)
    below = inspect(page, circuit, circuit.root, "").breakdown
    assert below is not None
    assert below.rest_count == circuit.dictionaries["blocks.1.cls"].groups - 1  # patches are not read, and have none
    assert groups_of(Session(work=Work(circuit=circuit))) == 4  # the direction of the mean is none of them
    assert page.usual_choices() == Choices(groups=GROUPS, units=UNITS, signs="both", baseline="mean")


def test_a_photo_that_is_its_own_mean_has_no_groups_where_nothing_tells_it_from_that() -> None:
    stream = tokens(Tokens()).with_layers("stream")
    mean = mean_of_photos(stream, PHOTOS[:1], source="itself")
    image = stream.preprocessing.input_of(PHOTOS[0])
    own = replace(mean, means=mean.means | {"blocks.1.cls": stream.activations(image)["blocks.1.cls"][0, :, 0, 0]})
    circuit = trace(stream, PHOTOS[0], groups=3, depth=2, signs="both", baseline=own)
    assert "blocks.1.cls" not in circuit.dictionaries
    assert circuit.dictionaries["blocks.0"].groups == 4


def test_any_other_network_is_explained_by_its_units() -> None:
    network = tokens(Tokens())
    known = mean_of_photos(network, PHOTOS, source="noise")  # of other layers than the tokens after a block
    found: dict[str, Baseline | None] = {}
    page = Library(network, StoredGallery(network), lambda: found["mean"])
    for loaded, found["mean"] in ((network, None), (network, known), (load_network(), known)):
        view = usual_view(loaded, lambda stream: found["mean"])
        assert (view.network, view.groups, view.units, view.baseline.name) == (loaded, 0, None, "zero")
        assert page.usual_choices() == Choices()


def test_a_folder_of_photos_is_begun_before_the_page_opens_so_that_it_has_the_usual_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore, "_FIRST", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    network, folder = tokens(Tokens()), tmp_path / "photos"
    stream = network.with_layers("stream")
    for name in ("a/1", "a/2", "b/3", "b/4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 6, 3), 40 * int(name[-1]), np.uint8)).save(folder / f"{name}.png")
    seen = explore._as_usual(network, folder)
    assert seen.layers == stream.layers
    first = find_exemplars(stream, folder=folder, layers=stream.layers[:-1])
    assert first is not None
    assert first.photos == 2  # of both folders; the page goes on with the others
    every = index_photos(stream, folder)
    assert every.photos == 4
    explore._as_usual(network, folder)
    again = find_exemplars(stream, folder=folder, layers=stream.layers[:-1])
    assert again is not None
    assert again.photos == 4
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "no photo.txt").write_text("words")
    assert explore._as_usual(network, tmp_path / "words") is network
