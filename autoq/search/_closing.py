"""The closing session: what may be on the front is measured once more, all of it together.

While a search goes on, each candidate is compiled once, timed for as long as telling it from the others takes, and
perhaps not scored on all samples; and of many candidates, those look best that were lucky. So the last word is had by a
session of its own, in which none is preferred: each is scored on all samples, compiled several times, and timed in turn
with all others.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autoq.evaluation import Finalist, Outcome
from autoq.search._front import ParetoFront
from autoq.search._problem import Problem, Stage
from autoq.search._records import TrialRecord, evaluation_of
from autoq.search._run import Budget, evaluated, why
from autoq.search._study import Study

MOST_FINALISTS = 12
# Compilations and bursts of a finalist, beside those of its trial.
_EFFORT = 6.0


def close(
    problem: Problem, study: Study, budget: Budget, records: Sequence[TrialRecord], seconds: float, stage: Stage
) -> list[TrialRecord]:
    """Measures the finalists together, in several rounds where a round shows that others should have been among them.

    Args:
        problem: What is searched.
        study: Keeps what is found.
        budget: What is acceptable.
        records: Of the study.
        seconds: For the session; two finalists are measured in any case.
        stage: Told what happens.

    Returns:
        The records, those of the finalists with their new evaluations.
    """
    deadline = time.monotonic() + seconds
    current = {record.number: replace(record, remeasured=False) for record in records}
    while True:
        # What an earlier round measured is not in question any more: the front is looked for among the others too.
        front = ParetoFront([replace(record, remeasured=False) for record in current.values()])
        waiting = [record for record in _by_importance(front) if not current[record.number].remeasured]
        done = len([record for record in current.values() if record.remeasured])
        finalists = waiting[: MOST_FINALISTS - done]
        finalists = finalists[: _affordable(finalists, problem, deadline - time.monotonic(), least=0 if done else 2)]
        if not finalists:
            break
        stage(f"measuring {len(finalists)} finalists together", 0, None)
        try:
            measured = problem.evaluator.remeasure(
                [_finalist(problem, record) for record in finalists], max(deadline - time.monotonic(), 0.0)
            )
        except Exception as error:  # noqa: BLE001  # of any kind that a device or a build has
            warnings.warn(f"the finalists could not be measured once more: {why(error)}", stacklevel=2)
            break
        for record, evaluation in zip(finalists, measured, strict=True):
            current[record.number] = replace(evaluated(record, evaluation, budget.limits), remeasured=True)
    study.close(current.values())
    return list(current.values())


def _by_importance(front: ParetoFront) -> Iterator[TrialRecord]:
    """The steps of the front, fastest first, then what is tied with them."""
    yield from front.staircase
    steps = {record.number for record in front.staircase}
    yield from (record for record in front if record.number not in steps)


def _affordable(finalists: Sequence[TrialRecord], problem: Problem, seconds: float, least: int) -> int:
    """How many of the finalists, from the first, can be measured in some time."""
    count = 0
    for record in finalists:
        seconds -= _cost(record, problem.evaluator.float_accuracy.n)
        if seconds < 0:
            break
        count += 1
    return max(count, least)


def _cost(record: TrialRecord, samples: int) -> float:
    """Seconds that measuring it once more will probably take."""
    accuracy = evaluation_of(record).accuracy
    scoring = record.seconds["accuracy"] * samples / accuracy.n if accuracy.outcome is not Outcome.FINISHED else 0.0
    return record.seconds["build"] + scoring + _EFFORT * record.seconds["compile"]


def _finalist(problem: Problem, record: TrialRecord) -> Finalist:
    model = problem.builder.build(record.plan)
    return Finalist(model, record.plan.recipe.runtime_precision, evaluation_of(record))
