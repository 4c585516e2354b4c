"""Feature visualisation: pictures of what a network's units look for, drawn once and kept."""

from circuits.visualization.rendering import Picture, render
from circuits.visualization.settings import DEFAULT, Settings
from circuits.visualization.store import PictureStore, pictures

__all__ = ["DEFAULT", "Picture", "PictureStore", "Settings", "pictures", "render"]
