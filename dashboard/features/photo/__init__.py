"""The photo, its crop and the strip of photos."""
