"""Ways to search a recorded table, ours among them: each says, one after the other, which plans it evaluates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import optuna

from autoq.core import Plan, Precision
from autoq.searching.loop import Budget, least_distorting, run, steer
from autoq.searching.problem import Problem, learn
from autoq.searching.recorded import MEASURED, RecordedTable, recorded_problem
from autoq.searching.records import Limits, TrialRecord, TrialState
from autoq.searching.sensitivity import Knowledge
from autoq.searching.study import Study

INT8 = str(Precision.INT8)
# Trials of the loop at a time.
_CHUNK = 10
# A method that has proposed so many plans, many of them again, is given up; TPE takes long to propose.
_MOST_PROPOSALS = 1000
_MOST_OF_TPE = 400
# What a point of accuracy beyond the budget costs, in latency ratio: dearer than anything that int8 can win.
_PENALTY = 100.0
# Expected cost of a border between precisions, as a share of the mean gain of a unit.
_BORDER = 0.2


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A plan that was evaluated.

    Attributes:
        row: Of the table.
        seconds: That it took when it was recorded, less what was not asked for.
    """

    row: int
    seconds: float


# Table, largest drop that is accepted, seed.
Method = Callable[[RecordedTable, float, int], Iterator[Evaluated]]


class Kept:
    """A search observer that keeps the trials.

    Attributes:
        records: The latest record of each trial, by number.
        told: Each new trial, with the seconds since the one before: further measurements of earlier ones count too.
    """

    def __init__(self) -> None:
        self.records: dict[int, TrialRecord] = {}
        self.told: list[tuple[TrialRecord, float]] = []
        self._waiting_s = 0.0

    def on_trial(self, record: TrialRecord, front: object) -> None:
        """Keeps it."""
        before = self.records.get(record.number)
        self._waiting_s += _measured_s(record) - (0.0 if before is None else _measured_s(before))
        self.records[record.number] = record
        if before is None:
            self.told.append((record, self._waiting_s))
            self._waiting_s = 0.0


def _measured_s(record: TrialRecord) -> float:
    return sum(record.seconds.get(part, 0.0) for part in MEASURED)


def loop(sampler: str, *, informed: bool, most_proposals: int = _MOST_PROPOSALS) -> Method:
    """Autoq's own loop, with a sampler by its name.

    Args:
        sampler: As a search space names it.
        informed: It begins as every search does; else with the two models that users have anyway, float and int8.
        most_proposals: Until it is given up.
    """

    def evaluated(table: RecordedTable, max_drop: float, seed: int) -> Iterator[Evaluated]:
        problem = recorded_problem(table)
        problem = replace(problem, space=problem.space.model_copy(update={"sampler": sampler}))
        study = Study(None, sampler, sampler=sampler, seed=seed, identity={})
        budget = Budget(n_trials=None, limits=Limits(max_drop=max_drop))
        if informed:
            steer(problem, study, budget, learn(problem, study, lambda *_: None), seed)
        else:
            for plan in _ends(problem):
                study.enqueue(problem.dimensions.parameters(plan), "first")
        kept = Kept()
        for most in count(_CHUNK, _CHUNK):
            before = len(kept.told)
            run(problem, study, replace(budget, n_trials=most), [kept], list(kept.records.values()))
            new = [told for told in kept.told[before:] if told[0].state is TrialState.COMPLETE]
            for record, seconds in new:
                yield Evaluated(table.space.row(record.plan), seconds)
            if not new or study.size >= most_proposals:
                return

    return evaluated


def penalized(table: RecordedTable, max_drop: float, seed: int) -> Iterator[Evaluated]:
    """Optuna's TPE on one number: the latency ratio, and a penalty for each point beyond the accepted drop."""
    problem, asked = recorded_problem(table), _Asked(table)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for plan in _ends(problem):
        study.enqueue_trial(problem.dimensions.parameters(plan))
    for _ in range(_MOST_OF_TPE):
        trial = study.ask()
        row = table.space.row(problem.dimensions.suggest(trial))
        yield from asked(row)
        study.tell(trial, table.ratios[row] + _PENALTY * max(table.drops[row] - max_drop, 0.0))


def greedy(table: RecordedTable, max_drop: float, _: int) -> Iterator[Evaluated]:
    """The most sensitive units in float, as few as keep a drop: by bisection, for several drops and each recipe."""
    asked = _Asked(table)
    units = table.knowledge.ranking
    for plan in _ends(recorded_problem(table)):
        yield from asked(table.space.row(plan))
    for recipe in table.space.recipes:
        for accepted in (max_drop, max_drop / 2, max_drop / 4):
            low, high = 0, len(units)
            while low < high:
                middle = (low + high) // 2
                quantized = dict.fromkeys(units[middle:], INT8)
                row = table.space.row(table.space.dimensions.plan_of(quantized, recipe))
                yield from asked(row)
                low, high = (low, middle) if table.drops[row] <= accepted else (middle + 1, high)


def program(table: RecordedTable, _: float, __: int) -> Iterator[Evaluated]:
    """The front that integer programs predict from what is known beforehand, its ends first, then what lies between.

    Of so few units all plans can be predicted, which gives what the programs would.
    """
    known, asked = table.knowledge, _Asked(table)
    for plan in _ends(recorded_problem(table)):
        yield from asked(table.space.row(plan))
    units = list(table.space.dimensions.units)
    x = (np.arange(2 ** len(units))[:, None] >> np.arange(len(units)) & 1).astype(bool)
    distortion, ratio = _predicted_distortion(known, units, x), predicted_ratios(known, units, x)
    order = np.lexsort((distortion, ratio))
    front = order[distortion[order] < np.minimum.accumulate(np.r_[np.inf, distortion[order]])[:-1]]
    recipe = least_distorting(recorded_problem(table), known)
    for place in _halving(len(front)):
        chosen = {unit: INT8 for unit, int8 in zip(units, x[front[place]], strict=True) if int8}
        yield from asked(table.space.row(table.space.dimensions.plan_of(chosen, recipe)))


METHODS: Mapping[str, Method] = {
    "front": loop("front", informed=True),
    "random": loop("random", informed=False),
    "tpe": loop("tpe", informed=False, most_proposals=_MOST_OF_TPE),
    "nsga2": loop("nsga2", informed=False),
    "penalized_tpe": penalized,
    "greedy": greedy,
    "program": program,
}


class _Asked:
    """Evaluates each model once, on all samples."""

    def __init__(self, table: RecordedTable) -> None:
        self._table = table
        self._known: set[str] = set()

    def __call__(self, row: int) -> Iterator[Evaluated]:
        fingerprint = str(self._table.fingerprints[row])
        if fingerprint in self._known:
            return
        self._known.add(fingerprint)
        yield Evaluated(row, sum(self._table.seconds_of(row).values()))


def _ends(problem: Problem) -> Iterator[Plan]:
    """The float model, and the model in int8 by the default recipe."""
    recipe = problem.space.default_recipe()
    for precision in (Precision.FLOAT, Precision.INT8):
        yield Plan.quantized(recipe, dict.fromkeys(problem.groups, precision))


def predicted_ratios(known: Knowledge, units: Sequence[str], x: np.ndarray) -> np.ndarray:
    """Latency ratio of plans [n, units], as far as gains and the cost of borders add up."""
    place = {unit: number for number, unit in enumerate(units)}
    gains = np.array([known.gains[unit][INT8] for unit in units])
    ratio = 1 - x @ gains
    for one, other in known.neighbours:
        ratio = ratio + _BORDER * np.maximum(gains, 0.0).mean() * (x[:, place[one]] ^ x[:, place[other]])
    return ratio


def _predicted_distortion(known: Knowledge, units: Sequence[str], x: np.ndarray) -> np.ndarray:
    """Distortion of plans [n, units], as far as units and pairs of neighbours add up."""
    place = {unit: number for number, unit in enumerate(units)}
    distortion = x @ np.array([known.distortion[unit][INT8] for unit in units])
    for ((one, _), (other, _)), more in known.interactions.items():
        distortion = distortion + more * (x[:, place[one]] & x[:, place[other]])
    return distortion


def _halving(size: int) -> list[int]:
    """Places 0 to size - 1: the ends, the middle, the quarters, and so on."""
    found: dict[int, None] = dict.fromkeys((0, max(size - 1, 0))[:size])
    step = size - 1
    while step > 1:
        step = -(-step // 2)
        found.update(dict.fromkeys(range(0, size, step)))
    return list(found | dict.fromkeys(range(size)))
