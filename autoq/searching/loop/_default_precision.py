"""The float model at the device's default precision may break the budget by itself: f32 is then proposed.

A device may run float layers in bf16 or f16, but drops are counted from the float model in f32. If this alone loses too
much accuracy, no choice of units helps: float layers have to run in f32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from autoq.core import RuntimePrecision
from autoq.evaluation.device import supported_precisions
from autoq.evaluation.scoring import Outcome
from autoq.searching.problem import Problem
from autoq.searching.records import Limits, TrialRecord, TrialState, evaluation_of

_F32 = str(RuntimePrecision.F32)


def broken_by_default(records: Iterable[TrialRecord], limits: Limits) -> TrialRecord | None:
    """The trial of the float model at the device's default precision, if its drop is beyond the budget.

    None if it is not, if the device computed in f32, or if the device does not tell its precision.
    """
    for record in records:
        if limits.max_drop is None or not record.is_baseline or record.state is not TrialState.COMPLETE:
            continue
        evaluation = evaluation_of(record)
        is_decided = evaluation.accuracy.outcome is not Outcome.PARTIAL
        if is_decided and evaluation.accuracy.drop.value > limits.max_drop and _hint(record) not in {None, _F32}:
            return record
    return None


def with_f32(problem: Problem, records: Iterable[TrialRecord], limits: Limits) -> Problem:
    """The problem with f32 as the first choice for float layers, if the default precision breaks the budget.

    Args:
        problem: What is searched.
        records: Records of its trials so far.
        limits: What is acceptable.
    """
    space, precision = problem.space, RuntimePrecision.F32
    if not problem.dimensions.quantizes or precision in space.runtime_precisions:
        return problem
    if broken_by_default(records, limits) is None:
        return problem
    if precision not in supported_precisions(problem.evaluator.runtime.device):
        return problem
    wider = space.model_copy(update={"runtime_precisions": (precision, *space.runtime_precisions)})
    return replace(problem, space=wider, dimensions=replace(problem.dimensions, recipe=wider.recipe_choices()))


def _hint(record: TrialRecord) -> str | None:
    return evaluation_of(record).runtime.get("INFERENCE_PRECISION_HINT")
