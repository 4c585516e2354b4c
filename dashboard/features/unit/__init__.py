"""The pane of a unit."""
