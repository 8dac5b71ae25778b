"""Builders of plans that compress weights or remove channels, alone or beside quantizers; each does its work once."""

from autoq.transform.candidates._in_turn import InTurn
from autoq.transform.candidates._model_builder import ModelBuilder, ResolvedModel
from autoq.transform.candidates._pruner import Prunable, Pruner
from autoq.transform.candidates._pruning_builder import PruningBuilder, ResolvedPruning
from autoq.transform.candidates._weight_builder import WeightBuilder

__all__ = [
    "InTurn",
    "ModelBuilder",
    "Prunable",
    "Pruner",
    "PruningBuilder",
    "ResolvedModel",
    "ResolvedPruning",
    "WeightBuilder",
]
