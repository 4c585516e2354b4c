"""The built-in network: a small rectified CNN for 64×64 photos and everyday classes, with its weights.

It needs no download, loads in a moment, and is plain enough to be read: see `architecture`, and
`MODEL_CARD.md` for what it was trained on, how well it does, and where it fails. `train` made it.

Preprocessing: resize the shorter side to `INPUT_SIZE` (bilinear, antialiased), crop the centre square,
scale to 0..1, subtract `MEAN` and divide by `STD`.

    >>> labels()[:2]
    ('cat', 'dog')
    >>> network = load()
    >>> network.fc.out_features == len(labels())
    True
"""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuits.builtin.architecture import BuiltinNetwork

__all__ = ["INPUT_SIZE", "MEAN", "STD", "UNSURE", "atlas_folder", "labels", "load"]

INPUT_SIZE = 64
"""Side of the input, in pixels."""

MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue that is subtracted, for values 0 to 1."""

STD = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue to divide by, for values 0 to 1."""

UNSURE = 0.35
"""Where the best probability is lower, perhaps no class fits the photo; measured in `MODEL_CARD.md`."""


def labels() -> tuple[str, ...]:
    """The classes' labels, lower-case, in the order of the logits."""
    text = resources.files(__name__).joinpath("labels.txt").read_text("utf-8")
    return tuple(text.splitlines())


def atlas_folder() -> Path:
    """Where its atlas over Tiny ImageNet lies, a sample with numbers alone; `Atlas.open` reads it.

    >>> from circuits import Atlas
    >>> len(Atlas.open(atlas_folder()).classes)
    68
    """
    return Path(__file__).with_name("atlas")


def load() -> "BuiltinNetwork":
    """The trained network: plain convolutions with bias, float32, in evaluation mode.

    The file holds 16-bit floats, which is half the size and changes no prediction worth the name.

    Raises:
        RuntimeError: if the weights do not fit the architecture.
    """
    import torch
    from safetensors.torch import load as read_tensors

    from circuits.builtin.architecture import build

    tensors = read_tensors(resources.files(__name__).joinpath("weights.safetensors").read_bytes())
    with torch.random.fork_rng(devices=[]):
        network = build()
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()
