"""The site of an atlas: static pages of classes, layers and units that open from disk and from any web space."""
