"""Exports: the circuit as a file."""
