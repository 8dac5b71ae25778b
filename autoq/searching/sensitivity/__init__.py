"""What is known of a model without trials: distortions and latency gains."""

from autoq.searching.sensitivity._gains import latency_gains
from autoq.searching.sensitivity._knowledge import ByChoice, Knowledge, Option, Pair, Probes
from autoq.searching.sensitivity._plan_builder import PlanBuilder
from autoq.searching.sensitivity._restore import restoration_order, restore
from autoq.searching.sensitivity._sensitivity import (
    MOST_SECONDS,
    Sensitivities,
    alike,
    measure_restorations,
    measure_sensitivities,
)
from autoq.searching.sensitivity._weights import (
    WeightSensitivities,
    measure_weight_sensitivities,
    spread_over_formats,
)
from autoq.searching.sensitivity._width_gains import branch_gains, smooth_gains, width_gains

__all__ = [
    "MOST_SECONDS",
    "ByChoice",
    "Knowledge",
    "Option",
    "Pair",
    "PlanBuilder",
    "Probes",
    "Sensitivities",
    "WeightSensitivities",
    "alike",
    "branch_gains",
    "latency_gains",
    "measure_restorations",
    "measure_sensitivities",
    "measure_weight_sensitivities",
    "restoration_order",
    "restore",
    "smooth_gains",
    "spread_over_formats",
    "width_gains",
]
