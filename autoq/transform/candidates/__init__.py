"""Builders of models with compressed weights, which compute each encoding once."""

from autoq.transform.candidates._weight_builder import WeightBuilder

__all__ = ["WeightBuilder"]
