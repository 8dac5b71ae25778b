"""Compressed weights: their numbers, and the sub-graphs that hold them."""

from autoq.transform.compress._choose import choose_formats
from autoq.transform.compress._compress import Encoder, compress_model, plain_encoder, weight_scores
from autoq.transform.compress._encode import decode, encode
from autoq.transform.compress._encoded import Encoded, Layout, Numbers
from autoq.transform.compress._levels import nearest_level
from autoq.transform.compress._stored import numbers_of
from autoq.transform.compress._subgraph import replace_constant
from autoq.transform.compress._weight_error import weight_error, weight_noise

__all__ = [
    "Encoded",
    "Encoder",
    "Layout",
    "Numbers",
    "choose_formats",
    "compress_model",
    "decode",
    "encode",
    "nearest_level",
    "numbers_of",
    "plain_encoder",
    "replace_constant",
    "weight_error",
    "weight_noise",
    "weight_scores",
]
