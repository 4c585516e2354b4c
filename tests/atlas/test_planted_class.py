"""The circuit of a class of the planted parts: the pair that makes it, and its two parts, by channels and by groups."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.planted import CLASSES, LABELS, PARTS, SIDE, plant, stencil
from circuits import Atlas, Network, Preprocessing, prepare, trace_class
from circuits.atlas.build import build_atlas

TEMPLATE, THRESHOLD = 13, 0.15
ASKED, PHOTOS = 1, 12
WANTED = {f"parts:{part}" for part in CLASSES[ASKED]}


class Templates(nn.Module):
    """A channel for each part, its stencil; one for each class, which adds those of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.parts, self.pairs = nn.Conv2d(3, len(PARTS), TEMPLATE), nn.Conv2d(len(PARTS), len(CLASSES), 1)
        self.everywhere, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(len(CLASSES), len(CLASSES))
        with torch.no_grad():
            for part in range(len(PARTS)):
                drawn = torch.from_numpy(stencil(part, TEMPLATE) - stencil(part, TEMPLATE).mean())
                self.parts.weight[part] = drawn / drawn.square().sum() / 3
            self.parts.bias.fill_(-THRESHOLD)
            self.pairs.weight.zero_()
            for number, pair in enumerate(CLASSES):
                self.pairs.weight[number, list(pair)] = 100.0
            self.pairs.bias.fill_(-0.1)
            self.fc.weight.copy_(torch.eye(len(CLASSES)))
            self.fc.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.relu(self.parts(x))
        return self.fc(torch.relu(self.pairs(self.everywhere(parts))).flatten(1))


@pytest.fixture(scope="module")
def network() -> Network:
    see = Preprocessing((SIDE, SIDE), SIDE, (0.0,) * 3, (1.0,) * 3, "bilinear")
    return prepare(Templates().eval(), name="templates", preprocessing=see, labels=LABELS)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Of one class, with up to three other parts in each."""
    made = plant(120, 0)
    return list(made.pictures[made.asked == ASKED][:PHOTOS])


def test_the_class_circuit_of_an_atlas_is_the_planted_one(
    network: Network, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / LABELS[ASKED]
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number}.png")
    build_atlas(network, tmp_path / "photos", tmp_path / "atlas")
    circuit = Atlas.open(tmp_path / "atlas").circuit(ASKED, depth=2)
    assert circuit.visible == {f"fc:{ASKED}", f"pairs:{ASKED}", *WANTED}
    assert circuit.graph.edges == trace_class(network, pictures, ASKED, depth=2).graph.edges
    others = Atlas.open(tmp_path / "atlas").table("peak", "parts", ASKED)
    assert (others > 0.05).all()  # what argues for no part of it fires as well


def test_groups_of_the_class_are_its_planted_parts(network: Network, pictures: list[np.ndarray]) -> None:
    """Fitted to the pictures, whatever else is in them, two groups are the class's two parts, and hold all of it."""
    circuit = trace_class(network, pictures, ASKED, groups=[1, 2], depth=2)
    rows = circuit.dictionaries["parts"].directions
    assert {f"parts:{int(row.argmax())}" for row in rows} == WANTED
    assert rows.amax(1).tolist() == pytest.approx([1.0, 1.0], abs=0.01)
    for upper in (f"fc:{ASKED}", "pairs/0"):
        books = circuit.nodes[upper].books
        assert books is not None
        assert books.shown > 0.99 * (circuit.nodes[upper].value - books.bias)
