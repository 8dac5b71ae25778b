"""Builders of plans that compress weights, alone or beside quantizers; each weight is encoded once."""

from autoq.transform.candidates._model_builder import ModelBuilder, ResolvedModel
from autoq.transform.candidates._weight_builder import WeightBuilder

__all__ = ["ModelBuilder", "ResolvedModel", "WeightBuilder"]
