"""Plans: parts by kind, of which quantization is one, and what a plan chooses for the device that runs its model."""

from autoq.core.plans._plan import PART_KINDS, Plan, PlanPart
from autoq.core.plans._runtime import IN_F32, RuntimeChoice, RuntimePlan

__all__ = ["IN_F32", "PART_KINDS", "Plan", "PlanPart", "RuntimeChoice", "RuntimePlan"]
