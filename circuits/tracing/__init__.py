"""Tracing: the circuit behind a target for one photo, its file, and what interventions say of it."""
