"""Unstructured sparsity: which weights are zero, and how they stay zero while the others learn."""

from autoq.training.sparsity._choice import kept_at_a_price, kept_globally, kept_in_fours, kept_locally
from autoq.training.sparsity._masks import SparseWeight, WeightMasks

__all__ = [
    "SparseWeight",
    "WeightMasks",
    "kept_at_a_price",
    "kept_globally",
    "kept_in_fours",
    "kept_locally",
]
