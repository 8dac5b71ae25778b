"""What a model says of how it was made, as model-level rt_info, which alone survives saving; others' notes are kept."""

from __future__ import annotations

from importlib.metadata import version

import openvino as ov

from autoq.core import QuantizationPlan

PLAN_NOTE = ["autoq", "plan"]
VERSION_NOTE = ["autoq", "version"]


def note_plan(model: ov.Model, plan: QuantizationPlan) -> None:
    """Notes autoq's version and the plan in a model."""
    model.set_rt_info(version("autoq"), VERSION_NOTE)
    model.set_rt_info(plan.to_json(), PLAN_NOTE)
