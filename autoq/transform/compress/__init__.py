"""Compressed weights: their numbers, and the sub-graphs that hold them."""

from autoq.transform.compress._choose import check_formats, choices, choose_formats, float_bytes
from autoq.transform.compress._codebook_counts import codebook_counts
from autoq.transform.compress._codebook_search import learned_codebooks
from autoq.transform.compress._compress import Encoder, compress_model, plain_encoder, weight_scores
from autoq.transform.compress._encode import decode, encode, usual_scales
from autoq.transform.compress._encoded import Encoded, Layout, Numbers, in_single
from autoq.transform.compress._levels import nearest_level
from autoq.transform.compress._running import runs_compressed
from autoq.transform.compress._stored import StoredArray, byte_size, numbers_of
from autoq.transform.compress._stored_weight import StoredWeight, stored_bytes, stored_layout
from autoq.transform.compress._subgraph import decompressed, replace_constant
from autoq.transform.compress._weight_error import weight_error, weight_noise

__all__ = [
    "Encoded",
    "Encoder",
    "Layout",
    "Numbers",
    "StoredArray",
    "StoredWeight",
    "byte_size",
    "check_formats",
    "choices",
    "choose_formats",
    "codebook_counts",
    "compress_model",
    "decode",
    "decompressed",
    "encode",
    "float_bytes",
    "in_single",
    "learned_codebooks",
    "nearest_level",
    "numbers_of",
    "plain_encoder",
    "replace_constant",
    "runs_compressed",
    "stored_bytes",
    "stored_layout",
    "usual_scales",
    "weight_error",
    "weight_noise",
    "weight_scores",
]
