"""The groups of a plan that a device refuses: they have to stay in float so that the rest compiles and runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import openvino as ov

from autoq.calibration import Feed
from autoq.core import DeviceError, Plan, Precision, QuantizationPlan
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.distortion._halving import refused_groups

# A message names so many of the refused groups.
_NAMED = 8

PlanBuild = Callable[[Plan], ov.Model]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A plan that a device accepts.

    Attributes:
        plan: The requested plan, with refused groups in float.
        model: The model of the plan.
        refused: Groups that the device does not run in 8 bits, in their given order.
        reason: The device's error with the requested plan; None where it accepts the plan.
    """

    plan: Plan
    model: ov.Model
    refused: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def refusal(self) -> str:
        """The refused groups, and why."""
        some = ", ".join(map(repr, self.refused[:_NAMED]))
        more = f" and {len(self.refused) - _NAMED} more" if len(self.refused) > _NAMED else ""
        return f"{some}{more}: {self.reason}"


def accepted(
    plan: Plan,
    groups: Sequence[str],
    build: PlanBuild,
    runtime: RuntimeConfig,
    sample: Feed | None = None,
) -> Accepted:
    """The plan with as many groups in 8 bits as a device compiles and runs.

    Args:
        plan: The requested plan.
        groups: Groups of the model, in topological order.
        build: Builds the model of a plan.
        runtime: Compile settings.
        sample: Input to run; None only compiles the model.

    Raises:
        DeviceError: The device is not there, or does not take the float model either.
    """
    model = build(plan)
    reason = _refusal(model, runtime, sample)
    if reason is None:
        return Accepted(plan, model)

    part = plan.quantization
    asked = [group for group in groups if not part.precision(group).is_float]

    def without(refused: Collection[str]) -> Plan:
        floats = dict.fromkeys(refused, Precision.FLOAT)
        return plan.having(QuantizationPlan(part.recipe, {**part.precisions, **floats}, part.choices))

    best_plan = without(asked)
    best = build(best_plan)
    if (in_float := _refusal(best, runtime, sample)) is not None:
        msg = f"device {runtime.device!r} does not take the float model either: {in_float}"
        raise DeviceError(msg)

    def takes(kept: frozenset[str]) -> bool:
        nonlocal best_plan, best
        tried = without([group for group in asked if group not in kept])
        model = build(tried)
        if _refusal(model, runtime, sample) is not None:
            return False
        best_plan, best = tried, model
        return True

    refused = refused_groups(asked, takes)
    return Accepted(best_plan, best, refused, reason)


def _refusal(model: ov.Model, runtime: RuntimeConfig, sample: Feed | None) -> str | None:
    """The device's error with a model; None where it accepts the model."""
    try:
        if sample is None:
            runtime.compile(model)
        else:
            model_outputs(model, [sample], runtime)
    except DeviceError as error:
        return str(error)
    return None
