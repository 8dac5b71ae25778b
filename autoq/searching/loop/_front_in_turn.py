"""Pruned models near the front are built again with layers that are repaired one after the other.

A search whose models are repaired in one shot tries many of them. Repaired in turn, a model loses about half as much;
that takes runs of the model, and changes neither its time nor its size. So it is done to one of the first models, which
tells how much is left of a drop, and at the end to the few models that are then expected on the front. Each becomes a
trial of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from autoq.core import Against, Plan, Repair
from autoq.searching.front import objectives
from autoq.searching.loop._aside import Aside
from autoq.searching.loop._budget import Budget, is_spent
from autoq.searching.loop._proposals import CUT, coarse_to_fine
from autoq.searching.loop._share_left import share_left_of
from autoq.searching.problem import Problem
from autoq.searching.records import Limits, TrialRecord, TrialState, evaluation_of, untuned

IN_TURN = "in_turn"
# Share of the trials and of their time that is kept for these models, and most of them.
_SHARE, _MOST = 0.15, 12
# Share of the time for trials that the first one may take.
_FIRST_SHARE = 0.05
# Share of its drop that a model is expected to keep, before one of them is measured: it was 0.2 to 0.7 for
# convolutional nets without a quarter or a half of their channels. It counts as much as a model that had the largest
# drop.
_LEFT = 0.5
# A model whose drop is more times the largest one is not worth measuring well, whatever may be won back.
_MOST_REACH = 6.0
# Before one of them is built, it is expected to take so many times as long as the trial that it is made of.
_TIMES = 2.0


def budget_before(problem: Problem, budget: Budget, records: Sequence[TrialRecord]) -> Budget:
    """The budget of the trials before: a share is kept for these models, of which some may be beyond the limit so far.

    Args:
        problem: What is searched.
        budget: Of all trials.
        records: All trials so far.
    """
    if not _repairs_at_once(problem):
        return budget
    trials = None if budget.n_trials is None else budget.n_trials - min(int(_SHARE * budget.n_trials), _MOST)
    kept_s = _SHARE * max(budget.trials_s, 0.0) if budget.clock.is_limited else 0.0
    reach = min(budget.reach / share_left(records, budget.limits), max(budget.reach, _MOST_REACH))
    return replace(budget, n_trials=trials, ending_s=budget.ending_s + kept_s, reach=reach)


def repair_front(aside: Aside, attach: Callable[[Iterable[TrialRecord]], Sequence[TrialRecord]]) -> None:
    """Builds, scores and times models that are expected on the front once they are repaired in turn.

    With a limit of the drop, the cheapest of those that are expected within it come first; otherwise they are spread
    over the front. A model is timed once more before it is taken for the cheapest.

    Args:
        aside: Measures them, within the budget of all trials.
        attach: Gives records of earlier trials their scores back.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """
    if not _repairs_at_once(aside.problem):
        return
    tried: set[int] = set()
    timed: set[int] = set()
    while len(tried) < _MOST:
        records, budget = _records(aside, attach), aside.budget
        worth = worth_repairing(records, budget.limits, budget.reach)
        record = next((r for r in worth if r.number not in tried), None)
        if record is None or is_spent(records, budget, _expected_s(record, records)):
            return
        if aside.problem.against is Against.LATENCY and record.number not in timed:
            timed.add(record.number)
            if aside.time_again(records, record.number):
                continue
        tried.add(record.number)
        _repair(aside, records, record)


def repair_first_cut(aside: Aside, attach: Callable[[Iterable[TrialRecord]], Sequence[TrialRecord]]) -> None:
    """Repairs the first model in turn whose groups of channels all keep one share: it tells what is left of a drop.

    That says how much worse models may be that are worth measuring well. It is not done where it would take more than
    a twentieth of the trials or of their time, or where one is repaired already. See `repair_front`.
    """
    records, budget = _records(aside, attach), aside.budget
    cut = [r for r in records if r.origin == CUT and r.state is TrialState.COMPLETE and objectives(r)[0] > 0]
    if not _repairs_at_once(aside.problem) or not cut or any(record.origin == IN_TURN for record in records):
        return
    is_few = budget.n_trials is not None and _FIRST_SHARE * budget.n_trials < 1
    if not is_few and _expected_s(cut[0], records) <= _FIRST_SHARE * budget.trials_s:
        _repair(aside, records, cut[0])


def _records(aside: Aside, attach: Callable[[Iterable[TrialRecord]], Sequence[TrialRecord]]) -> list[TrialRecord]:
    """All trials so far, with their scores."""
    return [replace(record, remeasured=False) for record in attach(aside.study.records(closed=False))]


def _repair(aside: Aside, records: Sequence[TrialRecord], record: TrialRecord) -> None:
    """Makes a trial of a model whose layers are repaired in turn."""
    plan = in_turn(record.plan)
    with aside.study.attempt(f"trial {record.number} in turn") as may_try:
        if may_try:
            fingerprint = aside.problem.builder.fingerprint(plan)
            aside.add(records, replace(record, origin=IN_TURN, plan=plan, fingerprint=fingerprint))


def in_turn(plan: Plan) -> Plan:
    """The plan with layers that are repaired one after the other."""
    return plan.having(replace(plan.pruning, repair=Repair.SEQUENTIAL))


def worth_repairing(records: Sequence[TrialRecord], limits: Limits, reach: float = 1.0) -> list[TrialRecord]:
    """The models that are expected on the front once they are repaired in turn, the most promising one first.

    Args:
        records: All trials.
        limits: What is acceptable.
        reach: How many times the largest drop a model may have then: training may win back the rest.
    """
    most = None if limits.max_drop is None else reach * limits.max_drop
    complete = [record for record in records if record.state is TrialState.COMPLETE]
    known, left = {record.plan for record in records}, share_left(records, limits)
    others = replace(limits, max_drop=None)
    steps: list[TrialRecord] = []
    for record in sorted(complete, key=lambda record: objectives(record)[::-1]):
        drop, cost = objectives(record)
        if record.tuned is not None or not _is_repaired_at_once(record.plan) or in_turn(record.plan) in known:
            continue
        is_possible = others.keep(evaluation_of(record)) and (most is None or left * drop <= most)
        beaten = any(objectives(step)[0] <= drop for step in steps) or any(
            objectives(other)[0] <= left * drop and objectives(other)[1] <= cost for other in complete
        )
        if drop > 0 and is_possible and not beaten:
            steps.append(record)
    return steps if most is not None else list(coarse_to_fine(steps))


def share_left(records: Sequence[TrialRecord], limits: Limits) -> float:
    """Share of a drop that repair in turn is expected to leave.

    Args:
        records: All trials.
        limits: What is acceptable.
    """
    pairs = [pair for pair in _pairs(records) if pair[0] > 0]
    weight = limits.max_drop or min((before for before, _ in pairs), default=1.0)
    return share_left_of(pairs, _LEFT, weight)


def _pairs(records: Sequence[TrialRecord]) -> list[tuple[float, float]]:
    """Drops of models before, and after they were repaired in turn."""
    measured = [record for record in untuned(records) if record.state is TrialState.COMPLETE]
    after = {record.plan: objectives(record)[0] for record in measured if record.origin == IN_TURN}
    return [
        (objectives(record)[0], after[in_turn(record.plan)])
        for record in measured
        if _is_repaired_at_once(record.plan) and in_turn(record.plan) in after
    ]


def _expected_s(record: TrialRecord, records: Sequence[TrialRecord]) -> float:
    """Expected seconds to build and to measure a model that is repaired in turn: as those before it took at most."""
    before = [sum(other.seconds.values()) for other in records if other.origin == IN_TURN]
    return max(before, default=_TIMES * sum(record.seconds.values()))


def _repairs_at_once(problem: Problem) -> bool:
    part = problem.space.pruning()
    return part is not None and part.repair is Repair.ONE_SHOT


def _is_repaired_at_once(plan: Plan) -> bool:
    return plan.prunes and plan.pruning.repair is Repair.ONE_SHOT
