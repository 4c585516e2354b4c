"""What happened in the photo: where a unit fired, on what, for what, and beside which others."""

from circuits.evidence.arguments import EdgeMaps, argument_map, edge_maps, fed_by
from circuits.evidence.exemplars import (
    Exemplar,
    Exemplars,
    UnitExemplars,
    exemplar_crop,
    exemplar_patch,
    find_exemplars,
    kept_in,
)
from circuits.evidence.fields import Box, Field, receptive_field
from circuits.evidence.gradients import gradient_picture
from circuits.evidence.heatmaps import heat_map
from circuits.evidence.indexing import index_photos
from circuits.evidence.likeness import correlations, near_duplicates
from circuits.evidence.peaks import Peak, patch, patch_of_picture, peaks
from circuits.evidence.relative import path_picture, relative_picture
from circuits.evidence.showing import show_map, show_picture
from circuits.evidence.sources import crop_seen
from circuits.evidence.spots import Firing, firing_at, position_at
from circuits.evidence.standings import Standing, standing
from circuits.evidence.tables import LayerTable, layer_table

__all__ = [
    "Exemplar",
    "Exemplars",
    "UnitExemplars",
    "exemplar_crop",
    "exemplar_patch",
    "find_exemplars",
    "index_photos",
    "kept_in",
    "EdgeMaps",
    "argument_map",
    "edge_maps",
    "fed_by",
    "Box",
    "Field",
    "receptive_field",
    "Peak",
    "patch",
    "patch_of_picture",
    "peaks",
    "crop_seen",
    "correlations",
    "near_duplicates",
    "Firing",
    "firing_at",
    "position_at",
    "Standing",
    "standing",
    "gradient_picture",
    "heat_map",
    "LayerTable",
    "layer_table",
    "path_picture",
    "relative_picture",
    "show_map",
    "show_picture",
]
