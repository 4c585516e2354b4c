"""What happened in the photo: where a unit fired."""

from circuits.evidence.heatmaps import heat_map

__all__ = ["heat_map"]
