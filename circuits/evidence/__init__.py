"""What happened in the photo: where a unit fired, on what, for what, and beside which others."""

from circuits.evidence.attention import ClassAttention as ClassAttention, class_attention as class_attention
from circuits.evidence.class_effects import class_attributions as class_attributions, class_losses as class_losses
from circuits.evidence.layer_statistics import (
    Firing as Firing,
    LayerTable as LayerTable,
    Standing as Standing,
    firing_at as firing_at,
    highest_reaching as highest_reaching,
    layer_table as layer_table,
    position_at as position_at,
    standing as standing,
)
from circuits.evidence.maps import (
    EdgeMaps as EdgeMaps,
    argument_map as argument_map,
    edge_maps as edge_maps,
    fed_by as fed_by,
    heat_map as heat_map,
)
from circuits.evidence.near_duplicates import correlations as correlations, near_duplicates as near_duplicates
from circuits.evidence.patches import Peak as Peak, patch as patch, patch_of_picture as patch_of_picture, peaks as peaks
from circuits.evidence.saliency import (
    gradient_picture as gradient_picture,
    path_picture as path_picture,
    relative_picture as relative_picture,
)
from circuits.exemplars.build import index_photos as index_photos
from circuits.exemplars.exemplars import (
    Exemplar as Exemplar,
    Exemplars as Exemplars,
    UnitExemplars as UnitExemplars,
    exemplar_crop as exemplar_crop,
    exemplar_patch as exemplar_patch,
)
from circuits.exemplars.finding import find_exemplars as find_exemplars, kept_in as kept_in
from circuits.image.encode import show_map as show_map, show_picture as show_picture
from circuits.network.receptive_field import (
    Box as Box,
    ReceptiveField as ReceptiveField,
    receptive_field as receptive_field,
)
from circuits.tracing.source import input_crop as input_crop

crop_seen, Field = input_crop, ReceptiveField  # their names before
