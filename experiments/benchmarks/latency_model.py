"""How well the latency of plans is predicted that were not measured: ours beside what else people reckon with.

On recorded tables, a number of plans drawn at random is given with their measured latency ratios, and the ratios of all
other plans are predicted. Ours: the model that a search proposes by. Count only: a straight line over the number of
units in int8. One at a time: what each unit alone in int8 gains, added up, for which each was measured. Profile: the
gains that profiles of the float model and of the model in int8 tell, less the expected cost of borders, nothing
measured. And what there is to learn from: the plans that a search begins with beside as many of an orthogonal design
(Plackett and Burman, Biometrika 33, 1946) and as many at random. Figures are the root of the mean square error in
latency ratio, the median of all draws; `noise` is what measuring alone contributes, `spread` the error of who predicts
the mean.

    python experiments/benchmarks/latency_model.py [CASE ...] [--seeds 20] [--quick]
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from _cases import parser
from _courses import OURS, judged, table_of, tables_asked
from _judged import MAX_DROP
from _lines import Lines, short
from _methods import INT8, METHODS, predicted_ratios

from autoq.core import RuntimeChoice
from autoq.searching.recorded import RecordedTable, recorded_problem
from autoq.searching.records import TrialRecord, TrialState
from autoq.searching.sampler import predict
from autoq.searching.space import UNIT_KINDS

GIVEN = (10, 20, 40)
# First row of the design of twelve runs for up to eleven units; the others are its rotations, and no unit at all.
PLACKETT_BURMAN = np.array([1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0], np.bool_)


def compare(name: str, lines: Lines, *, seeds: int) -> None:
    """Prints the figures of one table."""
    table = table_of(name)
    plans = list(table.space)
    units = table.space.dimensions.units
    x = np.array([[UNIT_KINDS[unit.kind].read(plan, unit) == INT8 for unit in units.values()] for plan in plans])
    ratios = table.ratios
    everything = records(table)
    of_first_recipe = len(plans) // len(table.space.recipes)
    alone = [
        1 + int(np.flatnonzero((x[1 : 1 + of_first_recipe] == unit).all(axis=1))[0]) for unit in np.eye(len(units))
    ]
    added = 1 - x @ (1 - ratios[alone])
    profiled = predicted_ratios(table.knowledge, list(units), x)
    for given in GIVEN:
        errors = []
        for seed in range(seeds):
            train = 1 + np.random.default_rng(seed).permutation(len(plans) - 1)[:given]
            test = np.setdiff1d(np.arange(1, len(plans)), train)
            mean, _ = predict(
                recorded_problem(table).dimensions,
                table.knowledge,
                [everything[0], *(everything[row] for row in train)],
                [plans[row] for row in test],
            )
            line = np.polyfit(x[train].sum(axis=1), ratios[train], 1)
            guesses = (mean[:, 1], np.polyval(line, x[test].sum(axis=1)), added[test], profiled[test])
            errors.append([np.sqrt(np.mean((guess - ratios[test]) ** 2)) for guess in guesses])
        ours, count, one_at_a_time, profile = np.median(errors, axis=0).tolist()
        lines.figure(
            name,
            f"error_from_{given}_plans",
            ours,
            count_only=short(count),
            one_at_a_time=short(one_at_a_time),
            profile=short(profile),
            noise=short(judged(name).ratio_noise),
            spread=short(float(np.std(ratios[1:]))),
        )


def designs(name: str, lines: Lines, *, seeds: int) -> None:
    """Prints what one table's latencies are predicted by from equally many plans that were chosen differently."""
    table, count = table_of(name), len(PLACKETT_BURMAN) + 1
    everything, plans = records(table), list(table.space)

    def error(given: np.ndarray) -> float:
        others = np.setdiff1d(np.arange(1, len(plans)), given)
        trials = [everything[row] for row in dict.fromkeys([0, *given.tolist()])]
        mean, _ = predict(recorded_problem(table).dimensions, table.knowledge, trials, [plans[row] for row in others])
        return float(np.sqrt(np.mean((mean[:, 1] - table.ratios[others]) ** 2)))

    runs = np.vstack([*(np.roll(PLACKETT_BURMAN, shift) for shift in range(count - 1)), np.zeros(count - 1, np.bool_)])
    dimensions, recipe = table.space.dimensions, recorded_problem(table).space.default_recipe()
    chosen = [{unit: INT8 for unit, int8 in zip(dimensions.units, run, strict=False) if int8} for run in runs]
    design = np.array([table.space.row(dimensions.plan_of(some, recipe)) for some in chosen])
    begun = [
        np.array([evaluated.row for evaluated in islice(METHODS[OURS](table, MAX_DROP, seed), count)])
        for seed in range(seeds)
    ]
    drawn = [1 + np.random.default_rng(seed).permutation(len(plans) - 1)[:count] for seed in range(seeds)]
    lines.figure(
        name,
        f"error_from_{count}_chosen_plans",
        float(np.median([error(rows) for rows in begun])),
        orthogonal_design=short(error(design)),
        random=short(float(np.median([error(rows) for rows in drawn]))),
        noise=short(judged(name).ratio_noise),
    )


def records(table: RecordedTable) -> list[TrialRecord]:
    """Trials of all plans, by row."""
    problem = recorded_problem(table)
    found = []
    for row, plan in enumerate(table.space):
        evaluation, seconds = problem.evaluator.evaluate(problem.builder.build(plan), RuntimeChoice())
        record = TrialRecord(
            number=row,
            state=TrialState.COMPLETE,
            origin="random",
            plan=plan,
            fingerprint=str(table.fingerprints[row]),
            hardware=problem.hardware,
            evaluation=evaluation,
            seconds=seconds,
        )
        found.append(record)
    return found


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--seeds", type=int, default=20, help="draws of plans")
    options = command.parse_args()
    lines = Lines("latency_model")
    for name in tables_asked(options.cases):
        seeds = 2 if options.quick else options.seeds
        compare(name, lines, seeds=seeds)
        designs(name, lines, seeds=seeds)
    lines.finish()


if __name__ == "__main__":
    main()
