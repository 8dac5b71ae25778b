"""What a device refuses in 8 bits: it is left in float by all that is proposed afterwards."""

from __future__ import annotations

import warnings

from autoq.core import DeviceLostError
from autoq.evaluation.candidate import Contest
from autoq.evaluation.distortion import refused_groups
from autoq.searching.loop._clock import Clock
from autoq.searching.loop._problem import Problem, Stage
from autoq.searching.records import TrialRecord, TrialState
from autoq.searching.study import Study

_REFUSED = "refused"
# Groups that are named in a warning.
_NAMED = 8
# Of what is left of the time, the most that finding out takes.
_SHARE = 0.3


def without_refused(problem: Problem, study: Study, clock: Clock, stage: Stage) -> Problem:
    """The problem without the groups that the device refuses, which are found out once per study.

    Nothing is refused where a quantized model was measured. Where none was and some failed, groups are tried by halves:
    each part is compiled and run on an input, or, where that passes with all groups, scored and timed.

    Args:
        problem: What is searched.
        study: Has the trials; keeps what is found.
        clock: Of the search; where there is no time, what was not tried is refused.
        stage: Told what is tried.

    Returns:
        With the refused groups in float; without any group where all are refused.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """
    failed = _refused_record(study.records())
    if failed is None or study.recall(_REFUSED) is not None:
        return problem
    found = _found(problem, clock, stage)
    if found:
        study.remember(_REFUSED, found)
        more = f" and {len(found) - _NAMED} more" if found[_NAMED:] else ""
        some = ", ".join(map(repr, found[:_NAMED])) + more
        msg = f"left in float in all that follows, since no model with these in 8 bits is run: {some}: {failed.error}"
        warnings.warn(msg, stacklevel=2)
    return problem.without(found)


def refused_before(problem: Problem, study: Study) -> Problem:
    """The problem without the groups that an earlier session of the study found refused."""
    return problem.without(study.recall(_REFUSED) or ())


def _refused_record(records: list[TrialRecord]) -> TrialRecord | None:
    """The first quantized trial, where all of them failed."""
    tried = [record for record in records if record.quantized_sites]
    if any(record.state is TrialState.COMPLETE for record in tried):
        return None
    return next((record for record in tried if record.state is TrialState.FAILED), None)


def _found(problem: Problem, clock: Clock, stage: Stage) -> list[str]:
    """Groups that the device refuses, none where it takes all of them when it is asked again."""
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
                problem.evaluator.evaluate(model, recipe.runtime_precision, Contest(None))
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
