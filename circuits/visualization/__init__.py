"""Feature visualisation: what units look for, and what any objective of a network's activations looks like.

`render` and `pictures` draw units, the second with a store; `visualize` draws any objective, written with the functions
here and put together with +, - and numbers.
"""

from circuits.visualization.diverse import diverse_pictures
from circuits.visualization.objectives.base import Objective, balance, pre_activation
from circuits.visualization.objectives.batch import alignment, diversity, interpolation
from circuits.visualization.objectives.direction import direction, direction_at
from circuits.visualization.objectives.photo import caricature, inversion
from circuits.visualization.objectives.unit import (
    channel,
    class_logit,
    class_probability,
    joint,
    layer,
    negative,
    neuron,
)
from circuits.visualization.parameterization.learned import LearnedPrior
from circuits.visualization.parameterization.registry import make_images
from circuits.visualization.regularizers import l1, l2, opacity, total_variation
from circuits.visualization.render import Picture, render
from circuits.visualization.settings import DEFAULT, PLAIN, Settings
from circuits.visualization.store import PictureStore, pictures
from circuits.visualization.visualize import Options, Visualization, visualize

__all__ = [
    "DEFAULT",
    "PLAIN",
    "LearnedPrior",
    "Objective",
    "Options",
    "Picture",
    "PictureStore",
    "Settings",
    "Visualization",
    "alignment",
    "balance",
    "caricature",
    "channel",
    "class_logit",
    "class_probability",
    "direction",
    "direction_at",
    "diverse_pictures",
    "diversity",
    "interpolation",
    "inversion",
    "joint",
    "l1",
    "l2",
    "layer",
    "make_images",
    "negative",
    "neuron",
    "opacity",
    "pictures",
    "pre_activation",
    "render",
    "total_variation",
    "visualize",
]
