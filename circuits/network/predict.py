"""A network's predictions for a photo: the classes with the highest logits."""

from dataclasses import dataclass

from torch import Tensor

from circuits.errors import InputError
from circuits.image.photo import Photo, PhotoSource, as_photo
from circuits.network.network import Network


@dataclass(frozen=True)
class Prediction:
    """One class with its logit and probability.

    Args:
        index: number of the class.
        label: its label.
        logit: the network's output for it.
        probability: softmax of the logits, 0 to 1; of a multi-label network the sigmoid of its own logit.
    """

    index: int
    label: str
    logit: float
    probability: float


def predict(network: Network, photo: Photo | PhotoSource, *, top: int = 5) -> tuple[Prediction, ...]:
    """The classes with the highest logits, best first; none if the network has no classes.

    Args:
        network: the network.
        photo: a photo, or what `load_photo` takes, such as a path.
        top: how many classes.

    Raises:
        InputError: if top is less than 1.
    """
    if top < 1:
        raise InputError(f"top is {top}; it must be at least 1.")
    logits = network.logits(network.preprocessing.input_of(as_photo(photo)))[0]
    return ranked(network, logits, top)


def ranked(network: Network, logits: Tensor, top: int) -> tuple[Prediction, ...]:
    """The highest of some logits, (classes,), as predictions; none if the network has no classes.

    Raises:
        InputError: if they are not finite: nothing that is said of such a photo would be true.
    """
    if not bool(logits.isfinite().all()):
        raise InputError(
            f"{network.name} puts out NaN or infinity for this photo, so there is nothing to explain; check its "
            "weights and the mean and std of its input."
        )
    if not network.labels:
        return ()
    probabilities = network.probabilities(logits)
    order = logits.argsort(descending=True, stable=True)[:top].tolist()
    return tuple(Prediction(n, network.label(n), float(logits[n]), float(probabilities[n])) for n in order)
