"""The closing session: all models that may be on the front are measured once more, together.

During a search, each candidate is compiled once, timed only until it differs from the others, and perhaps scored on a
part of the samples. Among many candidates, lucky ones look best. So a session of its own decides, and prefers none:
each model is scored on all samples, compiled several times, and timed in turn with all others.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autoq.core import Against
from autoq.evaluation.candidate import Finalist
from autoq.evaluation.latency import Latency, burst_seconds
from autoq.evaluation.scoring import Outcome
from autoq.searching.front import Rule, choose
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._costs import finishing_s
from autoq.searching.loop._measuring import evaluated, why
from autoq.searching.loop._run import Keep, nothing_kept
from autoq.searching.problem import Problem, Stage
from autoq.searching.records import Part, TrialRecord, evaluation_of
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Study

MOST_FINALISTS = 12
# Least number of compilations of a finalist, beside that of its trial, and of bursts of all of them.
_EFFORT = 6.0
_BURSTS = 32


def close(
    problem: Problem,
    study: Study,
    budget: Budget,
    records: Sequence[TrialRecord],
    seconds: float,
    stage: Stage,
    keep: Keep = nothing_kept,
    rule: Rule = "fastest",
) -> list[TrialRecord]:
    """Measures the finalists together. If a round shows that others belong to them, another round follows.

    The model that would be chosen comes first, then the other steps of the front. A member that another one beats in
    both point estimates, although the evidence does not separate them, decides little: such members come last.
    If a closing session of all trials has ended before, nothing is measured.

    Args:
        problem: What is searched.
        study: Keeps the new records.
        budget: What is acceptable.
        records: Records of the study.
        seconds: Seconds for the session. Without a limited clock, two finalists are measured in any case. With one,
            there is no session if the time does not suffice for two. There is none of the float model alone either.
        stage: Told what happens.
        keep: Keeps the scores of a finalist, before its record is stored.
        rule: The rule of the choice. The model that it chooses is measured first.

    Returns:
        The records. Those of the finalists have their new evaluations.
    """
    if study.is_closed(records):
        return list(records)
    now, limited = budget.clock.now, budget.clock.is_limited
    deadline, least = now() + seconds, 0 if limited else 2
    current = {record.number: replace(record, remeasured=False) for record in records}
    ended = False
    while True:
        # Finalists of an earlier round are not measured again: the front is made of the other trials too.
        front = ParetoFront([replace(record, remeasured=False) for record in current.values()])
        waiting = [record for record in _by_importance(front, rule) if not current[record.number].remeasured]
        done = len([record for record in current.values() if record.remeasured])
        # Where nothing is timed, each finalist only costs the scores that it lacks.
        is_timed = problem.against is Against.LATENCY
        finalists = waiting[: MOST_FINALISTS - done] if is_timed else _free_ones_first(waiting, front)
        left_s = deadline - now()
        count, spare_s = _affordable(
            finalists, problem, left_s, least=0 if done else least, exact=limited, timed=is_timed
        )
        if not done and count < min(len(finalists), 2):
            budget.clock.shorten("there was no time to measure the best models together once more.")
            break
        finalists = finalists[:count]
        if all(record.is_baseline for record in finalists):
            # All are compared with the float model.
            current |= {record.number: replace(record, remeasured=bool(done)) for record in finalists}
            ended = True
            break
        stage(f"measuring {len(finalists)} finalists together", 0, None)
        try:
            measured = problem.evaluator.remeasure([_finalist(problem, record) for record in finalists], spare_s)
        except Exception as error:  # noqa: BLE001  # of any kind that a device or a build has
            warnings.warn(f"the finalists could not be measured once more: {why(error)}", stacklevel=2)
            break
        for record, evaluation in zip(finalists, measured, strict=True):
            current[record.number] = replace(evaluated(record, evaluation, budget.limits), remeasured=True)
    found = list(current.values())
    for record in found:
        if record.remeasured:
            keep(record)
    study.close(found, ended=ended)
    return found


def _free_ones_first(waiting: Sequence[TrialRecord], front: ParetoFront) -> list[TrialRecord]:
    """Finalists in the order of a session of sizes: where time is short, the last ones lack.

    The most important one comes first, then those that are scored on all samples. Of the others, steps of the front
    come first, and of these the one farthest from all before it, in the logarithm of its size: it leaves a gap.
    """
    steps = {record.number for record in front.staircase}
    found = [*waiting[:1], *(record for record in waiting[1:] if _is_scored(record))]
    lacking = [record for record in waiting[1:] if not _is_scored(record)]
    left = [record for record in lacking if record.number in steps]

    def gap(record: TrialRecord) -> float:
        return min(abs(_log_size(record) - _log_size(other)) for other in found)

    while left:
        found.append(widest := max(left, key=gap))
        left.remove(widest)
    return [*found, *(record for record in lacking if record.number not in steps)]


def _is_scored(record: TrialRecord) -> bool:
    return evaluation_of(record).accuracy.outcome is Outcome.FINISHED


def _log_size(record: TrialRecord) -> float:
    return math.log(evaluation_of(record).size_bytes)


def _by_importance(front: ParetoFront, rule: Rule) -> Iterator[TrialRecord]:
    """The member that would be chosen, the steps of the front, fastest first, then what is tied with them."""
    if not len(front):
        return
    first = {record.number: record for record in (choose(front, rule), *front.staircase)}
    yield from first.values()
    yield from (record for record in front if record.number not in first)


def _affordable(
    finalists: Sequence[TrialRecord], problem: Problem, seconds: float, *, least: int, exact: bool, timed: bool
) -> tuple[int, float]:
    """How many of the finalists can be measured in some time, and the seconds that this leaves for their timing.

    Args:
        finalists: All finalists, the most important first.
        problem: What is searched.
        seconds: Seconds of the session.
        least: Number of finalists that are measured in any case.
        exact: Whether scoring and the shortest timing count too, also those of the float model.
        timed: Whether the finalists are timed.
    """
    if not finalists:
        return 0, 0.0
    left = spare = max(seconds, 0.0)
    if exact and timed:
        left -= _timing_s(finalists[0], problem.evaluator.float_latency)
    count = 0
    for record in finalists:
        before = finishing_s(record, problem.evaluator.float_accuracy.n)
        left -= before
        if timed:
            left -= _timing_s(record, evaluation_of(record).latency if exact else None)
        if left < 0 and count >= least:
            break
        spare -= before if exact else 0.0
        count += 1
    return count, max(spare, 0.0)


def _timing_s(record: TrialRecord, latency: Latency | None) -> float:
    """Expected least seconds to compile such a model several times, and to time each one if its time is known."""
    timing_s = 0.0 if latency is None else _BURSTS * burst_seconds(latency)
    return _EFFORT * record.seconds[Part.COMPILE] + timing_s


def _finalist(problem: Problem, record: TrialRecord) -> Finalist:
    model = problem.build(record)
    return Finalist(model, record.plan.runtime_choice, evaluation_of(record))
