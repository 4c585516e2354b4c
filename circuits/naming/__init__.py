"""Names: what people call a network's units, in a file of their own that can be given to others."""
