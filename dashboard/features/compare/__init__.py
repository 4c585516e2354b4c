"""Two circuits side by side."""
