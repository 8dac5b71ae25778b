"""Compression of weights."""
