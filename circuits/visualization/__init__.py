"""Feature visualisation: what units look for, and what any objective of a network's activations looks like.

`render` and `pictures` draw units, the second with a store; `visualize` draws any objective, written with the functions
here and put together with +, - and numbers.
"""

from circuits.visualization.diverse import diverse_pictures as diverse_pictures
from circuits.visualization.objectives.base import Objective as Objective
from circuits.visualization.objectives.base import balance as balance
from circuits.visualization.objectives.base import pre_activation as pre_activation
from circuits.visualization.objectives.batch import alignment as alignment
from circuits.visualization.objectives.batch import diversity as diversity
from circuits.visualization.objectives.batch import interpolation as interpolation
from circuits.visualization.objectives.direction import direction as direction
from circuits.visualization.objectives.direction import direction_at as direction_at
from circuits.visualization.objectives.photo import caricature as caricature
from circuits.visualization.objectives.photo import inversion as inversion
from circuits.visualization.objectives.unit import channel as channel
from circuits.visualization.objectives.unit import class_logit as class_logit
from circuits.visualization.objectives.unit import class_probability as class_probability
from circuits.visualization.objectives.unit import joint as joint
from circuits.visualization.objectives.unit import layer as layer
from circuits.visualization.objectives.unit import negative as negative
from circuits.visualization.objectives.unit import neuron as neuron
from circuits.visualization.parameterization.learned import LearnedPrior as LearnedPrior
from circuits.visualization.parameterization.registry import make_images as make_images
from circuits.visualization.regularizers import l1 as l1
from circuits.visualization.regularizers import l2 as l2
from circuits.visualization.regularizers import opacity as opacity
from circuits.visualization.regularizers import total_variation as total_variation
from circuits.visualization.render import Picture as Picture
from circuits.visualization.render import render as render
from circuits.visualization.settings import DEFAULT as DEFAULT
from circuits.visualization.settings import PLAIN as PLAIN
from circuits.visualization.settings import Settings as Settings
from circuits.visualization.store import PictureStore as PictureStore
from circuits.visualization.store import pictures as pictures
from circuits.visualization.visualize import Options as Options
from circuits.visualization.visualize import Visualization as Visualization
from circuits.visualization.visualize import visualize as visualize
