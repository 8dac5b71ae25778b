"""Plans of pruning: how many channels each group keeps, how they are chosen, and what is done about the others."""

from autoq.core.pruning._plan import PruningPlan
from autoq.core.pruning._words import PruningMethod, Repair

__all__ = ["PruningMethod", "PruningPlan", "Repair"]
