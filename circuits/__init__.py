"""A circuit explorer for image classifiers: why did it say cat?

Everything public is named here; modules are imported when a name is first used, so that `import circuits` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuits.attribution.agreement import Agreement as Agreement
    from circuits.attribution.gradient import (
        MODES as MODES,
        Readout as Readout,
        ablation as ablation,
        gradient_times_activation as gradient_times_activation,
        integrated_gradients as integrated_gradients,
    )
    from circuits.attribution.ablation import Baseline as Baseline, mean_of_photos as mean_of_photos
    from circuits.attribution.decomposition import Books as Books
    from circuits.tracing.circuit import Circuit as Circuit, Node as Node
    from circuits.tracing.compare import (
        Comparison as Comparison,
        LayerComparison as LayerComparison,
        SharedUnit as SharedUnit,
        compare as compare,
    )
    from circuits.errors import CircuitsError as CircuitsError, InputError as InputError, UnknownError as UnknownError
    from circuits.evaluation.card import Card as Card
    from circuits.evaluation.scores import (
        Score as Score,
        Scored as Scored,
        score_edges as score_edges,
        score_units as score_units,
    )
    from circuits.evaluation.controls import (
        by_activation as by_activation,
        by_gradient as by_gradient,
        by_tracing as by_tracing,
        by_weights as by_weights,
        random_like as random_like,
        randomised as randomised,
    )
    from circuits.evaluation.evaluate import evaluate as evaluate
    from circuits.evaluation.unit_sets import sources_of as sources_of, units_of as units_of
    from circuits.exemplars.exemplars import Exemplars as Exemplars, find_exemplars as find_exemplars
    from circuits.evidence.layer_statistics import (
        Firing as Firing,
        Standing as Standing,
        firing_at as firing_at,
        standing as standing,
    )
    from circuits.evidence.maps import argument_map as argument_map, edge_maps as edge_maps, heat_map as heat_map
    from circuits.evidence.near_duplicates import correlations as correlations, near_duplicates as near_duplicates
    from circuits.exemplars.build import index_photos as index_photos
    from circuits.evidence.patches import patch as patch
    from circuits.evidence.saliency import (
        gradient_picture as gradient_picture,
        path_picture as path_picture,
        relative_picture as relative_picture,
    )
    from circuits.network.receptive_field import receptive_field as receptive_field
    from circuits.explorer import Exploration as Exploration, explore as explore
    from circuits.tracing.trace import collapse as collapse, grow as grow
    from circuits.report.circuit import to_html as to_html
    from circuits.image.photo import Photo as Photo, load_photo as load_photo
    from circuits.image.preprocessing import Preprocessing as Preprocessing
    from circuits.tracing.intervene import Effect as Effect, Outcome as Outcome, intervene as intervene
    from circuits.network.layers import Layer as Layer
    from circuits.network.loading import available_networks as available_networks, load_network as load_network
    from circuits.tracing.verify import measure as measure
    from circuits.network.network import Network as Network, prepare as prepare
    from circuits.network.predict import Prediction as Prediction, predict as predict
    from circuits.network.segments import Segment as Segment
    from circuits.tracing.trace import (
        Contributions as Contributions,
        contributions as contributions,
        discard as discard,
        expand as expand,
        restore as restore,
        trace as trace,
    )
    from circuits.units import Edge as Edge, Unit as Unit
    from circuits.visualization.render import Picture as Picture, render as render
    from circuits.visualization.store import PictureStore as PictureStore, pictures as pictures
    from circuits.visualization.settings import Settings as Settings
    from circuits.visualization.visualize import visualize as visualize

_HOME = {
    "attribution.ablation": (
        "Baseline",
        "mean_of_photos",
    ),
    "attribution.agreement": ("Agreement",),
    "attribution.decomposition": ("Books",),
    "attribution.gradient": (
        "MODES",
        "Readout",
        "ablation",
        "gradient_times_activation",
        "integrated_gradients",
    ),
    "errors": (
        "CircuitsError",
        "InputError",
        "UnknownError",
    ),
    "evaluation.card": ("Card",),
    "evaluation.controls": (
        "by_activation",
        "by_gradient",
        "by_tracing",
        "by_weights",
        "random_like",
        "randomised",
    ),
    "evaluation.evaluate": ("evaluate",),
    "evaluation.scores": (
        "Score",
        "Scored",
        "score_edges",
        "score_units",
    ),
    "evaluation.unit_sets": (
        "sources_of",
        "units_of",
    ),
    "evidence.layer_statistics": (
        "Firing",
        "Standing",
        "firing_at",
        "standing",
    ),
    "evidence.maps": (
        "argument_map",
        "edge_maps",
        "heat_map",
    ),
    "evidence.near_duplicates": (
        "correlations",
        "near_duplicates",
    ),
    "evidence.patches": ("patch",),
    "evidence.saliency": (
        "gradient_picture",
        "path_picture",
        "relative_picture",
    ),
    "exemplars.build": ("index_photos",),
    "exemplars.exemplars": (
        "Exemplars",
        "find_exemplars",
    ),
    "explorer": (
        "Exploration",
        "explore",
    ),
    "image.photo": (
        "Photo",
        "load_photo",
    ),
    "image.preprocessing": ("Preprocessing",),
    "network.layers": ("Layer",),
    "network.loading": (
        "available_networks",
        "load_network",
    ),
    "network.network": (
        "Network",
        "prepare",
    ),
    "network.predict": (
        "Prediction",
        "predict",
    ),
    "network.receptive_field": ("receptive_field",),
    "network.segments": ("Segment",),
    "report.circuit": ("to_html",),
    "tracing.circuit": (
        "Circuit",
        "Node",
    ),
    "tracing.compare": (
        "Comparison",
        "LayerComparison",
        "SharedUnit",
        "compare",
    ),
    "tracing.intervene": (
        "Effect",
        "Outcome",
        "intervene",
    ),
    "tracing.trace": (
        "Contributions",
        "collapse",
        "contributions",
        "discard",
        "expand",
        "grow",
        "restore",
        "trace",
    ),
    "tracing.verify": ("measure",),
    "units": (
        "Edge",
        "Unit",
    ),
    "visualization.render": (
        "Picture",
        "render",
    ),
    "visualization.settings": ("Settings",),
    "visualization.store": (
        "PictureStore",
        "pictures",
    ),
    "visualization.visualize": ("visualize",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [*sorted(_MODULE_OF)]  # the names are those of the table above


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'circuits' has no attribute {name!r}")
    found = getattr(import_module(f"circuits.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
