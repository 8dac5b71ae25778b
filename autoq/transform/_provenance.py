"""What a model says of how it was made, as model-level rt_info, which alone survives saving; others' notes are kept."""

from __future__ import annotations

import json
from importlib.metadata import version

import openvino as ov

from autoq.core import QuantizationPlan

PLAN_NOTE = ["autoq", "plan"]
VERSION_NOTE = ["autoq", "version"]


def note_plan(model: ov.Model, plan: QuantizationPlan) -> None:
    """Notes autoq's version and the plan in a model."""
    model.set_rt_info(version("autoq"), VERSION_NOTE)
    model.set_rt_info(plan.to_json(), PLAN_NOTE)


def read_plan(model: ov.Model) -> QuantizationPlan | None:
    """The plan that `note_plan` noted in a model; None where there is none.

    Raises:
        PlanError: Another version of autoq noted a plan that this one does not understand.
    """
    if not model.has_rt_info(PLAN_NOTE):
        return None
    return QuantizationPlan.from_dict(json.loads(str(model.get_rt_info(PLAN_NOTE).value)))
