"""Pruning in words: how many channels stay, which, and what is done about the others; how many weights are zero."""

from autoq.core.pruning._plan import PruningPlan
from autoq.core.pruning._sparsity import Sparsity, SparsitySchedule, SparsityScheme
from autoq.core.pruning._words import PruningMethod, Repair

__all__ = ["PruningMethod", "PruningPlan", "Repair", "Sparsity", "SparsitySchedule", "SparsityScheme"]
