"""Notes in a model on how it was made. They are model-level rt_info, which is saved; notes of other tools stay.

OpenVINO reads the notes on how the model is to be run: they hold unless it is compiled with other settings.
"""

from __future__ import annotations

import json
from importlib.metadata import version

import openvino as ov

from autoq.core import Plan

PLAN_NOTE = ["autoq", "plan"]
VERSION_NOTE = ["autoq", "version"]
SAMPLES_NOTE = ["autoq", "calibration_samples"]


def note_plan(model: ov.Model, plan: Plan, samples: int | None = None) -> None:
    """Notes autoq's version and the plan in a model, and the number of calibration samples if it is known.

    OpenVINO takes the plan's choices of how the model is run from their notes, but for the precision of float layers
    and the rate of sparse weights: these are told to whoever compiles the model.
    """
    model.set_rt_info(version("autoq"), VERSION_NOTE)
    model.set_rt_info(plan.to_json(), PLAN_NOTE)
    runtime = plan.runtime_choice.plan
    for name in runtime.properties.keys() - runtime.told.keys():
        model.set_rt_info(runtime.properties[name], ["runtime_options", name])
    if samples is not None:
        model.set_rt_info(samples, SAMPLES_NOTE)


def noted_samples(model: ov.Model) -> int | None:
    """Number of samples that a model was calibrated on; None if it is not noted."""
    return int(str(model.get_rt_info(SAMPLES_NOTE).value)) if model.has_rt_info(SAMPLES_NOTE) else None


def read_plan(model: ov.Model) -> Plan | None:
    """The plan that `note_plan` noted in a model; None where there is none.

    Raises:
        PlanError: Another version of autoq noted a plan that this one does not understand.
    """
    if not model.has_rt_info(PLAN_NOTE):
        return None
    return Plan.from_dict(json.loads(str(model.get_rt_info(PLAN_NOTE).value)))
