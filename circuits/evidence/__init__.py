"""What happened in the photo: where a unit fired, on what, for what, and beside which others."""

from circuits.evidence.layer_statistics import (
    Firing,
    LayerTable,
    Standing,
    firing_at,
    layer_table,
    position_at,
    standing,
)
from circuits.evidence.maps import EdgeMaps, argument_map, edge_maps, fed_by, heat_map
from circuits.evidence.near_duplicates import correlations, near_duplicates
from circuits.evidence.patches import Peak, patch, patch_of_picture, peaks
from circuits.evidence.saliency import gradient_picture, path_picture, relative_picture
from circuits.exemplars.build import index_photos
from circuits.exemplars.exemplars import (
    Exemplar,
    Exemplars,
    UnitExemplars,
    exemplar_crop,
    exemplar_patch,
    find_exemplars,
    kept_in,
)
from circuits.image.encode import show_map, show_picture
from circuits.network.receptive_field import Box, ReceptiveField, receptive_field
from circuits.tracing.run import input_crop

crop_seen, Field = input_crop, ReceptiveField  # their names before

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
    "ReceptiveField",
    "receptive_field",
    "Peak",
    "patch",
    "patch_of_picture",
    "peaks",
    "crop_seen",
    "input_crop",
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
