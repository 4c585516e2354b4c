"""How a single unit is expanded: as was chosen for it, else as it was, else as the next circuit will be."""
