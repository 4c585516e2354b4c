"""Reports: circuits and scores as text, SVG and HTML."""
