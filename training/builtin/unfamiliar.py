"""Which statistic of the built-in network tells photos of its classes from others best: figures of the model card.

    python -m training.builtin.unfamiliar tiny-imagenet-100.npz fits none

Each statistic is high where a class fits: the best probability; the best logit; the energy log Σ exp(logit) (Liu 2020);
and of the features that `fc` sees, minus the distance to the nearest mean of a class, by angle, plainly, or by the
classes' common covariance (Mahalanobis: Lee 2018; less the distance to all photos' mean: Ren 2021). Printed is the area
under the ROC curve against the photos that are held out.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from circuits.image.photo import load_photo
from circuits.network.loading import load_network
from circuits.network.network import Network
from training.builtin.classes import merge
from training.builtin.data import decode

BATCH = 256


@dataclass(frozen=True)
class Outputs:
    """Features that `fc` sees, and logits, of some photos."""

    features: Float[Tensor, "n c"]
    logits: Float[Tensor, "n classes"]


def outputs(network: Network, images: Iterator[Tensor]) -> Outputs:
    """Features and logits of photos.

    Args:
        network: the built-in one.
        images: (n, 3, 64, 64) each, from 0 to 1.
    """
    features, logits = [], []
    with torch.no_grad():
        for batch in images:
            found = network.activations(network.preprocessing.normalize(batch), list(network.layers[-2:]))
            features.append(found[network.layers[-2]].mean((2, 3)))
            logits.append(found[network.layers[-1]].flatten(1))
    return Outputs(torch.cat(features), torch.cat(logits))


class FeatureDistances:
    """Distances of features to what training photos have.

    Args:
        features: of the training photos.
        classes: theirs.
    """

    def __init__(self, features: Float[Tensor, "n c"], classes: Int[Tensor, " n"]) -> None:
        features = features.double()
        self.means = torch.stack([features[classes == each].mean(0) for each in torch.unique(classes)])
        self.mean = features.mean(0)
        self.precision = torch.linalg.pinv(torch.cov((features - self.means[classes]).T))
        self.whole = torch.linalg.pinv(torch.cov(features.T))

    def cosine(self, features: Tensor) -> Tensor:
        """The highest cosine to a class's mean."""
        return torch.nn.functional.cosine_similarity(features.double()[:, None], self.means, dim=2).amax(1)

    def plain(self, features: Tensor) -> Tensor:
        """Minus the distance to the nearest mean."""
        return -torch.cdist(features.double(), self.means).amin(1)

    def mahalanobis(self, features: Tensor) -> Tensor:
        """Minus the least squared distance to a mean, in units of the classes' spread."""
        off = features.double()[:, None] - self.means
        return -torch.einsum("nkc,cd,nkd->nk", off, self.precision, off).amin(1)

    def relative(self, features: Tensor) -> Tensor:
        """The same, less that to the mean of all."""
        off = features.double() - self.mean
        return self.mahalanobis(features) + torch.einsum("nc,cd,nd->n", off, self.whole, off)


def auroc(known: Tensor, unknown: Tensor) -> float:
    """How often a photo of the first kind has more than one of the second, ties counted half."""
    values = np.concatenate([known.numpy(), unknown.numpy()])
    order = values.argsort(kind="stable")
    ranks: NDArray[np.float64] = np.empty(len(values))
    ranks[order] = np.arange(1, len(values) + 1)
    _, inverse = np.unique(values, return_inverse=True)
    ranks = (np.bincount(inverse, ranks) / np.bincount(inverse))[inverse]
    return float((ranks[: len(known)].sum() / len(known) - (len(known) + 1) / 2) / len(unknown))


def read(path: Path) -> tuple[Callable[[NDArray[np.bool_]], Iterator[Tensor]], NDArray[np.int64], NDArray[np.bool_]]:
    """The photos of an archive by a mask, their classes (-1: of none), and whether they are held out."""
    with np.load(path, allow_pickle=False) as archive:
        jpeg, offsets, labels, held, names = (archive[n] for n in ("jpeg", "offsets", "labels", "is_val", "names"))
    classes = np.asarray(merge(names.tolist()))[labels]

    def images(mask: NDArray[np.bool_]) -> Iterator[Tensor]:
        chosen = np.flatnonzero(mask)
        for start in range(0, len(chosen), BATCH):
            part = [decode(jpeg[offsets[i] : offsets[i + 1]].tobytes()) for i in chosen[start : start + BATCH]]
            yield torch.from_numpy(np.stack(part)).float() / 255

    return images, classes, held


def photos_in(network: Network, folder: Path) -> Iterator[Tensor]:
    """The photos of a folder as the network sees them, not normalised."""
    for file in sorted(folder.iterdir()):
        crop = np.asarray(network.preprocessing.crop(load_photo(file).image))
        yield torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of areas."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("fits", type=Path, help="a folder of photos that a class fits")
    parser.add_argument("none", type=Path, help="a folder of photos that none fits")
    given = parser.parse_args(arguments)
    network = load_network()
    images, classes, held = read(given.archive)
    trained = outputs(network, images((classes >= 0) & ~held))
    known = outputs(network, images((classes >= 0) & held))
    left_out = outputs(network, images(classes < 0))
    fits, none = (outputs(network, photos_in(network, folder)) for folder in (given.fits, given.none))
    distances = FeatureDistances(trained.features, torch.from_numpy(classes[(classes >= 0) & ~held]))
    statistics: dict[str, Callable[[Outputs], Tensor]] = {
        "best probability": lambda given: given.logits.softmax(1).amax(1),
        "best logit": lambda given: given.logits.amax(1),
        "energy": lambda given: given.logits.logsumexp(1),
        "cosine to a class mean": lambda given: distances.cosine(given.features),
        "distance to a class mean": lambda given: distances.plain(given.features),
        "Mahalanobis": lambda given: distances.mahalanobis(given.features),
        "relative Mahalanobis": lambda given: distances.relative(given.features),
    }
    print(f"{'statistic':26} {len(known.logits)} / {len(left_out.logits)}   {len(fits.logits)} / {len(none.logits)}")
    for name, value in statistics.items():
        areas = auroc(value(known), value(left_out)), auroc(value(fits), value(none)), auroc(value(known), value(none))
        print(f"{name:26} " + "   ".join(f"{area:.3f}" for area in areas))


if __name__ == "__main__":
    main()
