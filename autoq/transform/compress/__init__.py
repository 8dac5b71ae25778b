"""Compressed weights: their numbers, and the sub-graphs that hold them."""

from autoq.transform.compress._encode import decode, encode
from autoq.transform.compress._encoded import Encoded, Layout

__all__ = ["Encoded", "Layout", "decode", "encode"]
