"""A circuit explorer for image classifiers: why did it say cat?

Everything public is named here; modules are imported when a name is first used, so that `import circuits` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuits.agreement import Agreement as Agreement
    from circuits.attribution import (
        MODES as MODES,
        Readout as Readout,
        ablation as ablation,
        gradient_times_activation as gradient_times_activation,
        integrated_gradients as integrated_gradients,
    )
    from circuits.baselines import Baseline as Baseline, mean_of_photos as mean_of_photos
    from circuits.books import Books as Books
    from circuits.circuit import Circuit as Circuit, Node as Node
    from circuits.comparing import (
        Comparison as Comparison,
        LayerComparison as LayerComparison,
        SharedUnit as SharedUnit,
        compare as compare,
    )
    from circuits.errors import CircuitsError as CircuitsError, InputError as InputError, UnknownError as UnknownError
    from circuits.evaluation import (
        Card as Card,
        Score as Score,
        Scored as Scored,
        by_activation as by_activation,
        by_gradient as by_gradient,
        by_tracing as by_tracing,
        by_weights as by_weights,
        evaluate as evaluate,
        random_like as random_like,
        randomised as randomised,
        score_edges as score_edges,
        score_units as score_units,
        sources_of as sources_of,
        units_of as units_of,
    )
    from circuits.evidence import (
        Exemplars as Exemplars,
        Firing as Firing,
        Standing as Standing,
        argument_map as argument_map,
        correlations as correlations,
        edge_maps as edge_maps,
        find_exemplars as find_exemplars,
        firing_at as firing_at,
        gradient_picture as gradient_picture,
        heat_map as heat_map,
        index_photos as index_photos,
        near_duplicates as near_duplicates,
        patch as patch,
        path_picture as path_picture,
        receptive_field as receptive_field,
        relative_picture as relative_picture,
        standing as standing,
    )
    from circuits.exploring import Exploration as Exploration, explore as explore
    from circuits.growing import collapse as collapse, grow as grow
    from circuits.html import to_html as to_html
    from circuits.images import Photo as Photo, Preprocessing as Preprocessing, load_photo as load_photo
    from circuits.interventions import Effect as Effect, Outcome as Outcome, intervene as intervene
    from circuits.layers import Layer as Layer
    from circuits.loading import available_networks as available_networks, load_network as load_network
    from circuits.measuring import measure as measure
    from circuits.networks import Network as Network, prepare as prepare
    from circuits.predictions import Prediction as Prediction, predict as predict
    from circuits.segments import Segment as Segment
    from circuits.tracing import (
        Contributions as Contributions,
        contributions as contributions,
        discard as discard,
        expand as expand,
        restore as restore,
        trace as trace,
    )
    from circuits.units import Edge as Edge, Unit as Unit
    from circuits.visualization import (
        Picture as Picture,
        PictureStore as PictureStore,
        Settings as Settings,
        pictures as pictures,
        render as render,
        visualize as visualize,
    )

_HOME = {
    "agreement": ("Agreement",),
    "attribution": ("MODES", "Readout", "ablation", "gradient_times_activation", "integrated_gradients"),
    "baselines": ("Baseline", "mean_of_photos"),
    "books": ("Books",),
    "circuit": ("Circuit", "Node"),
    "comparing": ("Comparison", "LayerComparison", "SharedUnit", "compare"),
    "errors": ("CircuitsError", "InputError", "UnknownError"),
    "evaluation": (
        "Card",
        "Score",
        "Scored",
        "by_activation",
        "by_gradient",
        "by_tracing",
        "by_weights",
        "evaluate",
        "random_like",
        "randomised",
        "score_edges",
        "score_units",
        "sources_of",
        "units_of",
    ),
    "evidence": (
        "Exemplars",
        "Firing",
        "Standing",
        "argument_map",
        "correlations",
        "edge_maps",
        "find_exemplars",
        "firing_at",
        "gradient_picture",
        "heat_map",
        "index_photos",
        "near_duplicates",
        "patch",
        "path_picture",
        "receptive_field",
        "relative_picture",
        "standing",
    ),
    "exploring": ("Exploration", "explore"),
    "growing": ("collapse", "grow"),
    "html": ("to_html",),
    "images": ("Photo", "Preprocessing", "load_photo"),
    "interventions": ("Effect", "Outcome", "intervene"),
    "layers": ("Layer",),
    "loading": ("available_networks", "load_network"),
    "measuring": ("measure",),
    "networks": ("Network", "prepare"),
    "predictions": ("Prediction", "predict"),
    "segments": ("Segment",),
    "tracing": ("Contributions", "contributions", "discard", "expand", "restore", "trace"),
    "units": ("Edge", "Unit"),
    "visualization": ("Picture", "PictureStore", "Settings", "pictures", "render", "visualize"),
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
