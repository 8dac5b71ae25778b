"""Quantization, and accuracy control."""
