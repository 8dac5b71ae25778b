"""Plans: parts by kind, of which quantization is one."""

from autoq.core.plans._plan import PART_KINDS, Plan, PlanPart

__all__ = ["PART_KINDS", "Plan", "PlanPart"]
