"""Groups that a device refuses to run quantized: all later proposals leave them in float."""

from __future__ import annotations

import warnings

from autoq.core import DeviceLostError, RuntimeChoice
from autoq.evaluation.candidate import Contest
from autoq.evaluation.distortion import refused_groups
from autoq.searching.problem import Clock, Problem, Stage
from autoq.searching.records import Part, TrialRecord, TrialState
from autoq.searching.study import Study

_REFUSED = "refused"
# Number of groups that a warning names.
_NAMED = 8
# Largest share of the rest of the time for these tries.
_SHARE = 0.3


def without_refused(problem: Problem, study: Study, clock: Clock, stage: Stage) -> Problem:
    """The problem without the groups that the device refuses. They are found once per study.

    If a quantized model was measured, nothing is refused. If all quantized models failed, groups are tried by halves:
    each part is compiled and run on one input. If all groups together pass this, each part is also scored and timed.

    Args:
        problem: What is searched.
        study: Has the trials, and keeps the refused groups.
        clock: Clock of the search. Groups that there is no time to try count as refused.
        stage: Told what is tried.

    Returns:
        The problem with the refused groups in float. If all are refused, it has no groups.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """
    failed = _refused_record(study.records()) if problem.groups else None
    if failed is None or study.recall(_REFUSED) is not None:
        return problem
    with clock.spent(Part.REFUSALS):
        found = _found(problem, clock, stage)
    if found:
        study.remember(_REFUSED, found)
        more = f" and {len(found) - _NAMED} more" if found[_NAMED:] else ""
        some = ", ".join(map(repr, found[:_NAMED])) + more
        msg = f"left in float in all that follows, since no model with these in 8 bits is run: {some}: {failed.error}"
        warnings.warn(msg, stacklevel=2)
    return problem.without(found)


def refused_before(problem: Problem, study: Study) -> Problem:
    """The problem without the groups that an earlier session found to be refused."""
    return problem.without(study.recall(_REFUSED) or ())


def _refused_record(records: list[TrialRecord]) -> TrialRecord | None:
    """The first quantized trial if all quantized trials failed; else None."""
    tried = [record for record in records if record.quantized_sites]
    if any(record.state is TrialState.COMPLETE for record in tried):
        return None
    return next((record for record in tried if record.state is TrialState.FAILED), None)


def _found(problem: Problem, clock: Clock, stage: Stage) -> list[str]:
    """The groups that the device refuses; none if it takes all of them this time."""
    groups, recipe = problem.groups, problem.space.default_recipe()
    deadline = clock.now() + _SHARE * clock.left_s
    sample, asked, thorough = [problem.inputs[0]], 0, False

    def takes(quantized: frozenset[str]) -> bool:
        nonlocal asked
        if clock.now() > deadline:
            return False
        asked += 1
        stage("finding out which groups the device refuses", asked, None)
        left = problem.without([group for group in groups if group not in quantized])
        try:
            model = problem.builder.build(left.whole(recipe))
            problem.evaluator.outputs(model, sample)
            if thorough:
                problem.evaluator.evaluate(model, RuntimeChoice(recipe.runtime_precision), Contest(None))
        except DeviceLostError:
            raise
        except Exception:  # noqa: BLE001  # of any kind that trials fail with
            return False
        return True

    if takes(frozenset(groups)):
        thorough = True
        if takes(frozenset(groups)):
            return []
    return list(refused_groups(groups, takes))
