"""The pane of an edge."""
