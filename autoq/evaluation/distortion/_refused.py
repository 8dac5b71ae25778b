"""What of a plan a device refuses: the groups that have to stay in float so that the rest compiles and runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import openvino as ov

from autoq.calibration import Feed
from autoq.core import DeviceError, Plan, Precision, QuantizationPlan
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.distortion._halving import refused_groups

# Of refused groups, as many are named in a message.
_NAMED = 8

PlanBuild = Callable[[Plan], ov.Model]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A plan that a device takes.

    Attributes:
        plan: What was asked for, refused groups in float.
        model: Its model.
        refused: Groups that the device does not run in 8 bits, in the order in which they were given.
        reason: What the device says of the plan that was asked for; None where it takes it.
    """

    plan: Plan
    model: ov.Model
    refused: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def refusal(self) -> str:
        """What is refused, and why."""
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
    """The plan, as much of it as a device compiles and runs.

    Args:
        plan: What is asked for.
        groups: Of the model, in topological order.
        build: Builds the model of a plan.
        runtime: What it is compiled for.
        sample: What it is run on; None compiles it only.

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
    """What a device says against a model; None where it takes it."""
    try:
        if sample is None:
            runtime.compile(model)
        else:
            model_outputs(model, [sample], runtime)
    except DeviceError as error:
        return str(error)
    return None
