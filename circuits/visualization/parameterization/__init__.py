"""Parameterizations: how an image that is optimized is written, and in which colours."""
