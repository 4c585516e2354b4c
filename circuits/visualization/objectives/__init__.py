"""Objectives: what an image is optimized for."""
