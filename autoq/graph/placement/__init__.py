"""Placement: the sites of quantizers, and the groups that share a precision."""

from autoq.graph.placement._analyze import analyze
from autoq.graph.placement._original import analyze_original
from autoq.graph.placement._placements import NO_SCOPE, Placements
from autoq.graph.placement._standing import (
    OperandQuantizer,
    StandingQuantizer,
    standing_quantizers,
    stores_weights_alone,
    varying_ops,
)

__all__ = [
    "NO_SCOPE",
    "OperandQuantizer",
    "Placements",
    "StandingQuantizer",
    "analyze",
    "analyze_original",
    "standing_quantizers",
    "stores_weights_alone",
    "varying_ops",
]
