"""Groups of channels: directions of a layer, the code of a photo in them, and how directions are found."""
