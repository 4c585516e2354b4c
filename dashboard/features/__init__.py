"""What the page does, a folder a feature; features know nothing of each other."""
