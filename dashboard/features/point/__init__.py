"""The units that fire at a point of the photo."""
