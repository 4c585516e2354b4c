"""Exemplars: an index of what every unit fires on in a folder of photos."""
