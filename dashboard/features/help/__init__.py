"""Help: four steps, all keys, and the documentation."""
