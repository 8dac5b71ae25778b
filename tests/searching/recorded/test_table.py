"""Recorded tables: what a search sees of them is what was recorded, and what it finds is what enumeration says."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from autoq.core import (
    ConfigError,
    DataError,
    DeviceError,
    DistortionMeasure,
    Estimate,
    Plan,
    PlanError,
    Precision,
    Preset,
    Recipe,
    RuntimeChoice,
    StoredFileError,
)
from autoq.evaluation.candidate import Contest, Finalist
from autoq.evaluation.distortion import SwitchedRuns
from autoq.evaluation.scoring import Outcome, paired_drop
from autoq.searching.front import area, objectives
from autoq.searching.loop import Budget, close, run, steer
from autoq.searching.problem import learn
from autoq.searching.recorded import RecordedTable, ReducedSpace, recorded_problem, synthetic_table
from autoq.searching.recorded._score_table import ScoreTable
from autoq.searching.records import Limits
from autoq.searching.shown import ParetoFront
from autoq.searching.space import SearchSpace
from autoq.searching.study import Study, quiet_optuna

UNITS = {"a": ("a1", "a2"), "b": ("b1",), "c": ("c1",)}


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


@pytest.fixture(scope="module")
def table():
    return synthetic_table(3, units=6)


def space(**choices):
    fixed = {"range_estimators": "mean_min_max", "bias_corrections": "fast"}
    return SearchSpace.load({"presets": ["performance", "mixed"], **fixed, **choices})


def searched(table, sampler, n_trials, max_drop=None):
    problem = recorded_problem(table)
    problem = replace(problem, space=problem.space.model_copy(update={"sampler": sampler}))
    study = Study(None, "search", sampler=sampler, seed=0, identity={})
    budget = Budget(n_trials=n_trials, limits=Limits(max_drop=max_drop))
    steer(problem, study, budget, learn(problem, study, lambda *_: None), 0)
    run(problem, study, budget, [], [])
    return problem, study, budget


def enumerated(table):
    """Rows that no other one beats."""
    points = list(zip(table.drops, table.ratios, strict=True))
    return {
        row
        for row, (drop, ratio) in enumerate(points)
        if not any(d <= drop and r <= ratio and (d, r) != (drop, ratio) for d, r in points)
    }


# --- the rows --------------------------------------------------------------------------------------------------------


def test_rows_and_plans_are_each_others_inverse():
    reduced = ReducedSpace(space(), UNITS)
    plans = list(reduced)
    assert len(plans) == len(reduced) == len(set(plans)) == 1 + 2 * 7
    assert [reduced.row(plan) for plan in plans] == list(range(15))
    assert plans[0].float_groups == {"a1", "a2", "b1", "c1"}
    assert plans[1].float_groups == {"b1", "c1"}
    assert not plans[7].float_groups
    assert [plan.quantization.recipe.preset for plan in plans[7:9]] == [Preset.PERFORMANCE, Preset.MIXED]


def test_the_float_model_is_one_row_under_every_recipe():
    reduced = ReducedSpace(space(), UNITS)
    for recipe in reduced.recipes:
        assert reduced.row(Plan.quantized(recipe, dict.fromkeys(["a1", "a2", "b1", "c1"], Precision.FLOAT))) == 0


def test_plans_that_are_no_rows():
    reduced = ReducedSpace(space(), UNITS)
    with pytest.raises(PlanError, match="unit 'a' float, int8"):
        reduced.row(Plan.quantized(reduced.recipes[0], {"a1": Precision.FLOAT}))
    with pytest.raises(PlanError, match="not among the choices"):
        reduced.row(Plan.quantized(Recipe(subset_size=7)))
    with pytest.raises(IndexError):
        reduced.plan(15)


def test_spaces_whose_plans_cannot_be_numbered():
    with pytest.raises(ConfigError, match="17 units"):
        ReducedSpace(space(), {str(number): (str(number),) for number in range(17)})
    with pytest.raises(ConfigError, match="f32"):
        ReducedSpace(space(runtime_precisions=["default", "f32"]), UNITS)


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "kind"),
    [
        (np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]), np.uint8),
        (np.linspace(0, 1, 200).reshape(2, 100), np.uint8),
        (np.linspace(0, 1, 300).reshape(3, 100), np.uint16),
    ],
)
def test_scores_come_back_bit_for_bit(scores, kind):
    kept = ScoreTable.of(scores)
    again = ScoreTable.from_arrays(kept.to_arrays())
    assert kept.codes.dtype == kind
    for row in range(len(scores)):
        assert np.array_equal(kept[row], scores[row])
        assert np.array_equal(again[row], scores[row])
    np.testing.assert_allclose(again.means, scores.mean(axis=1), rtol=1e-12)


def test_scores_of_0_and_1_take_a_bit_each():
    kept = ScoreTable.of(np.random.default_rng(0).integers(0, 2, (4, 1001)).astype(float))
    assert kept.to_arrays()["codes"].nbytes == 4 * 126


def test_more_scores_than_codes_are_rounded():
    scores = np.random.default_rng(0).normal(size=(2, 50_000))
    kept = ScoreTable.of(scores)
    assert kept.codes.dtype == np.uint16
    np.testing.assert_allclose(kept[1], scores[1], rtol=2**-11, atol=2**-24)


def test_a_table_comes_back_bit_for_bit(table, tmp_path):
    again = RecordedTable.load(table.save(tmp_path / "folder" / "t.npz"))
    for name, value in vars(table).items():
        if isinstance(value, np.ndarray):
            assert value.dtype == getattr(again, name).dtype
            assert np.array_equal(value, getattr(again, name), equal_nan=value.dtype.kind == "f")
        elif isinstance(value, ScoreTable):
            assert np.array_equal(value.codes, again.scores.codes)
            assert np.array_equal(value.levels, again.scores.levels)
        elif isinstance(value, ReducedSpace):
            assert list(value) == list(again.space)
        else:
            assert value == getattr(again, name)


def test_files_that_are_no_tables(table, tmp_path):
    with pytest.raises(StoredFileError, match="cannot be read as a recorded table of candidates: No such file"):
        RecordedTable.load(tmp_path / "t.npz")
    np.savez(tmp_path / "t.npz", x=np.zeros(1))
    with pytest.raises(StoredFileError, match="does not say that it is a recorded table of candidates"):
        RecordedTable.load(tmp_path / "t.npz")
    with pytest.raises(DataError, match="'size_bytes': 1"):
        replace(table, size_bytes=table.size_bytes[:1])


# --- what was recorded is what is seen ------------------------------------------------------------------------------


def test_without_a_contest_a_plan_has_all_of_its_scores(table):
    problem = recorded_problem(table)
    for row in (0, 1, 40, 100):
        plan = table.space.plan(row)
        assert problem.builder.fingerprint(plan) == table.fingerprints[row]
        evaluation, seconds = problem.evaluator.evaluate(problem.builder.build(plan), plan.runtime_choice)
        assert np.array_equal(evaluation.accuracy.scores, table.scores[row])
        assert evaluation.accuracy.drop == paired_drop(table.reference, table.scores[row])
        assert evaluation.accuracy.drop.value == pytest.approx(table.drops[row])
        assert evaluation.latency.ratio.value == pytest.approx(np.exp(np.median(table.log_ratios[row])), rel=1e-6)
        assert evaluation.latency.ratio.low < evaluation.latency.ratio.value < evaluation.latency.ratio.high
        assert seconds == pytest.approx({"build": 0.02, "compile": 0.2, "score": 1.0, "time": 0.2})


def test_a_contest_asks_for_no_more_scores_than_it_needs(table):
    problem = recorded_problem(table)
    float_model, _ = problem.evaluator.evaluate(problem.builder.build(table.space.plan(0)), RuntimeChoice())
    # As fast and as accurate as any plan, and not shown to be: whatever keeps the budget has seen enough of the data.
    ratio, drop = float(table.ratios.min()), float(table.drops.min())
    rival = replace(
        float_model,
        accuracy=replace(float_model.accuracy, drop=Estimate.unknown(drop)),
        latency=replace(float_model.latency, ratio=Estimate.unknown(ratio)),
    )
    evaluations = {}
    for row in range(len(table.space)):
        plan = table.space.plan(row)
        model = problem.builder.build(plan)
        evaluation, seconds = problem.evaluator.evaluate(model, plan.runtime_choice, Contest(0.01, [rival]))
        evaluations[row] = evaluation
        asked = ~np.isnan(evaluation.accuracy.scores)
        assert asked.sum() == evaluation.accuracy.n
        assert np.array_equal(evaluation.accuracy.scores[asked], table.scores[row][asked])
        assert seconds["score"] == pytest.approx(0.2 + 0.8 * evaluation.accuracy.n / len(table.reference))
        brief = evaluation.accuracy.outcome is Outcome.INFEASIBLE and evaluation.latency.bursts == 8
        assert seconds["time"] == pytest.approx(0.2 * 8 / 15 if brief else 0.2)
    outcomes = {row: evaluation.accuracy.outcome for row, evaluation in evaluations.items()}
    wrong = [row for row, o in outcomes.items() if o is Outcome.INFEASIBLE and table.drops[row] <= 0.01]
    wrong += [row for row, o in outcomes.items() if o is Outcome.FEASIBLE and table.drops[row] > 0.01]
    assert len(wrong) <= 0.02 * len(outcomes)
    assert {Outcome.FEASIBLE, Outcome.INFEASIBLE} <= set(outcomes.values())


def test_a_plan_that_was_left_behind_is_measured_whole_in_the_end(table):
    problem = recorded_problem(table)
    plan = table.space.plan(63)
    model = problem.builder.build(plan)
    raced, _ = problem.evaluator.evaluate(model, plan.runtime_choice, Contest(0.001))
    (whole,) = problem.evaluator.remeasure([Finalist(model, plan.runtime_choice, raced)], 1.0)
    assert raced.accuracy.n < whole.accuracy.n == len(table.reference)
    assert whole.accuracy.drop.value == pytest.approx(table.drops[63])


def test_what_was_not_recorded(table):
    problem = recorded_problem(table)
    with pytest.raises(PlanError, match="without a plan"):
        problem.evaluator.evaluate(problem.model, RuntimeChoice())
    with pytest.raises(PlanError, match="not among the choices"):
        problem.builder.build(Plan.quantized(Recipe(subset_size=7)))
    with pytest.raises(DeviceError, match="no outputs"):
        problem.evaluator.outputs(problem.model, [])
    with pytest.raises(PlanError, match="switched"):
        problem.builder.build_switchable(Recipe(), [["unit00"]])
    runs = SwitchedRuns(
        model=problem.model,
        inputs=[],
        switches=np.ones((1, 1), np.float32),
        name="switches",
        measure=DistortionMeasure.NMSE,
        needed=1,
        max_seconds=1.0,
    )
    with pytest.raises(DeviceError, match="no distortions"):
        problem.evaluator.switched_distortions(runs)
    with pytest.raises(DeviceError, match="no profiles"):
        problem.evaluator.profile(problem.model, problem.placements.reference)


# --- searches --------------------------------------------------------------------------------------------------------


def test_a_search_through_all_plans_finds_the_front(table):
    problem = recorded_problem(table)
    problem = replace(problem, space=problem.space.model_copy(update={"sampler": "random"}))
    study = Study(None, "search", sampler="random", seed=0, identity={})
    for row in np.random.default_rng(0).permutation(len(table.space)).tolist():
        study.enqueue(problem.dimensions.parameters(table.space.plan(row)), "enumerated")
    run(problem, study, Budget(n_trials=len(table.space)), [], [])
    records = study.records()
    assert len({record.fingerprint for record in records}) == len(table.space)
    assert {record.evaluation.accuracy.outcome for record in records} == {Outcome.FINISHED, Outcome.DOMINATED}
    front = {table.space.row(record.plan) for record in ParetoFront(records).staircase}
    assert {(table.drops[row], table.ratios[row]) for row in front} == {
        (table.drops[row], table.ratios[row]) for row in enumerated(table)
    }


def test_a_short_search_finds_most_of_the_front(table):
    _, study, _ = searched(table, "front", 20, max_drop=0.02)
    found = np.array([objectives(record) for record in ParetoFront(study.records())])
    reference = np.array([0.02, 1.0])
    every = np.column_stack([table.drops, table.ratios])
    assert area(found, reference) >= 0.9 * area(every, reference)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "random"])
def test_every_sampler_runs_on_a_table(table, sampler):
    _, study, _ = searched(table, sampler, 12, max_drop=0.02)
    assert {record.origin for record in study.records()} >= {"float", "int8", "recipe", "sweep"}


def test_a_closing_session_runs_on_a_table(table):
    problem, study, budget = searched(table, "front", 15, max_drop=0.02)
    records = close(problem, study, budget, study.records(), 10.0, lambda *_: None)
    finalists = [record for record in records if record.remeasured]
    assert len(finalists) >= 2
    for record in finalists:
        assert objectives(record)[0] == pytest.approx(table.drops[table.space.row(record.plan)])


# --- the synthetic table ---------------------------------------------------------------------------------------------


def test_the_synthetic_table_has_pairs_and_no_more(table):
    """Of all units, no three do together what pairs of them do not: inclusion and exclusion leave nothing."""
    for chosen in combinations(range(6), 3):
        rows = {subset: sum(1 << unit for unit in subset) for size in range(4) for subset in combinations(chosen, size)}
        for values, tolerance in ((table.ratios, 1e-6), (table.drops, 4.01 / len(table.reference))):
            left = sum((-1) ** len(subset) * values[row] for subset, row in rows.items())
            assert left == pytest.approx(0.0, abs=tolerance)


def test_the_synthetic_table_has_an_interior_front_and_a_seed():
    one, same, other = (synthetic_table(seed, units=4) for seed in (1, 1, 2))
    assert np.array_equal(one.scores.codes, same.scores.codes)
    assert not np.array_equal(one.drops, other.drops)
    assert len(enumerated(one)) >= 4
    assert one.drops[0] == 0.0
    assert one.ratios[0] == 1.0


def test_what_is_known_of_the_synthetic_table_is_true_in_the_main(table):
    alone = np.array([table.drops[1 << unit] for unit in range(6)])
    gains = np.array([1 - table.ratios[1 << unit] for unit in range(6)])
    assert np.corrcoef(alone, list(table.knowledge.usual.values()))[0, 1] > 0.8
    assert np.corrcoef(gains, [gain["int8"] for gain in table.knowledge.gains.values()])[0, 1] > 0.6
