from dataclasses import replace

import numpy as np
import optuna
import pytest
from records import record

from autoq.core import ConfigError, Plan, Precision, Recipe, StoredFileError
from autoq.evaluation.scoring import Outcome
from autoq.searching.loop._proposals import first_plans, sweep_plans
from autoq.searching.records import Limits, TrialState, record_from_dict, record_to_dict
from autoq.searching.space import SearchSpace
from autoq.searching.space._parameters import Dimensions
from autoq.searching.study import Storage, Study, quiet_optuna
from autoq.searching.study._identity import as_digest, differences, plain

IDENTITY = {"model": "m", "max_drop": 0.01}
GROUPS = ["a", "b", "c", "d"]
EACH = {group: (group,) for group in GROUPS}
DIMENSIONS = Dimensions.of(SearchSpace(), EACH)
LIMITS = Limits(max_drop=0.01)


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


def open_study(tmp_path, **changes):
    settings = {"sampler": "random", "seed": 0, "identity": IDENTITY} | changes
    return Study(Storage(optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")), "s", **settings)


@pytest.mark.parametrize("units", [EACH, {"x": ("a", "c"), "y": ("b", "d")}, {"*": GROUPS}])
def test_parameters_are_the_inverse_of_suggest(units):
    space = SearchSpace.load({"smooth_quant_alphas": [None, 0.5], "subset_sizes": [300, 100]})
    dimensions = Dimensions.of(space, units)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        plan = dimensions.suggest(study.ask())
        fixed = optuna.trial.FixedTrial(dimensions.parameters(plan))
        assert dimensions.suggest(fixed) == plan


def test_cardinality_counts_every_combination():
    space = SearchSpace.load(
        {"presets": ["mixed", "performance"], "range_estimators": "min_max", "bias_corrections": "fast"}
    )
    assert Dimensions.of(space, EACH).cardinality == 2 * 2**4


def test_the_first_plans_are_float_then_int8_with_every_recipe():
    plans = list(first_plans(DIMENSIONS, [Recipe(), Recipe(subset_size=10)]))
    assert [origin for origin, _ in plans] == ["float", "int8", "recipe"]
    assert plans[0][1].float_groups == set(GROUPS)
    assert not plans[1][1].float_groups
    assert plans[2][1].quantization.recipe.subset_size == 10


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [1]), (3, [1, 2, 3]), (9, [1, 2, 3])])
def test_the_sweep_keeps_the_most_sensitive_groups_in_float(count, expected):
    plans = [plan for _, plan in sweep_plans([f"precision/{group}" for group in GROUPS], DIMENSIONS, Recipe(), count)]
    assert [plan.float_groups for plan in plans] == [frozenset(GROUPS[:k]) for k in expected]


def test_a_killed_trial_is_run_again_under_its_own_number(tmp_path):
    study = open_study(tmp_path)
    dimensions = Dimensions.of(SearchSpace(), EACH)
    plan = Plan.quantized(Recipe(), dict.fromkeys(GROUPS, Precision.FLOAT))
    study.enqueue(dimensions.parameters(plan), "float")
    first = study.ask()
    assert study.begin(first)
    assert dimensions.suggest(first) == plan
    drawn = study.ask()
    proposal = dimensions.suggest(drawn)

    reopened = open_study(tmp_path)
    again = reopened.settle(LIMITS)
    assert [trial.number for trial in again] == [first.number, drawn.number]
    assert dimensions.suggest(again[0]) == plan
    assert again[0].user_attrs["origin"] == "float"
    assert dimensions.suggest(again[1]) == proposal
    assert reopened.begin(again[0])
    reopened.finish(again[0], record(again[0].number), LIMITS)
    assert [r.number for r in open_study(tmp_path).records()] == [again[0].number]


def test_a_trial_killed_between_its_record_and_optuna_is_told_not_run(tmp_path, monkeypatch):
    study = open_study(tmp_path)
    trial = study.ask()
    with monkeypatch.context() as patch:
        patch.setattr(study, "_tell", lambda *_: None)
        study.finish(trial, record(trial.number), LIMITS)
    reopened = open_study(tmp_path)
    assert reopened.settle(LIMITS) == []
    assert open_study(tmp_path).settle(LIMITS) == []
    assert [r.number for r in reopened.records()] == [trial.number]


def test_a_trial_that_keeps_ending_its_process_is_given_up(tmp_path):
    trial = open_study(tmp_path).ask()
    allowed = []
    for killed in range(6):
        study = open_study(tmp_path)
        again = study.settle(LIMITS)
        assert [t.number for t in again] == [trial.number]
        allowed.append(study.begin(again[0]))
        if killed == 1:
            # Ctrl-C, or a device that another model killed.
            study.put_back(again[0])
    assert allowed == [True] * 5 + [False]


def test_what_is_done_when_the_process_is_killed_over_and_over_is_left_out(tmp_path):
    allowed, never_left = [], []
    for _ in range(5):
        study = open_study(tmp_path)
        never_left.append(study.attempt("probing"))
        allowed.append(never_left[-1].__enter__())
        with study.attempt("another thing") as may_try:
            assert may_try
    assert allowed == [True] * 4 + [False]


@pytest.mark.parametrize("sampler", ["front", "tpe", "nsga2", "nsga3", "random"])
def test_what_is_proposed_does_not_depend_on_how_often_a_search_is_started(sampler):
    space = SearchSpace.load({"smooth_quant_alphas": [None, 0.5], "subset_sizes": [300, 100]})
    dimensions = Dimensions.of(space, EACH)

    def proposed(*, restarted):
        storage = Storage.in_memory()
        study, found = Study(storage, "s", sampler=sampler, seed=0, identity={}), []
        for number in range(14):
            trial = study.ask()
            if restarted:
                if number % 3 == 1:
                    # Killed when a part of the parameters was stored.
                    trial.suggest_categorical(*next(iter(_distributions(dimensions).items())))
                study = Study(storage, "s", sampler=sampler, seed=0, identity={})
                (trial,) = study.settle(LIMITS)
            plan = dimensions.suggest(trial)
            found.append(plan)
            drop = 0.002 * len(plan.float_groups) + 0.001 * (plan.quantization.recipe.subset_size == 100)
            study.finish(trial, record(trial.number, drop, 1 - 10 * drop), LIMITS)
        return found

    assert proposed(restarted=True) == proposed(restarted=False)


def _distributions(dimensions):
    trial = optuna.create_study().ask()
    dimensions.suggest(trial)
    return {name: distribution.choices for name, distribution in trial.distributions.items()}


def test_proposals_of_known_models_are_counted_across_sessions(tmp_path):
    study = open_study(tmp_path)
    for kind in ("twin", "new", "twin", "twin"):
        trial = study.ask()
        (study.finish if kind == "new" else study.finish_as)(trial, record(trial.number), LIMITS)
    assert study.stale == open_study(tmp_path).stale == 2


def test_a_study_that_was_closed_has_had_its_last_word(tmp_path):
    study = open_study(tmp_path)
    for _ in range(2):
        trial = study.ask()
        study.finish(trial, record(trial.number), LIMITS)
    made = study.records()
    study.close([replace(made[0], remeasured=True), made[1]], ended=False)
    assert not study.is_closed(made)
    study.close([replace(made[0], remeasured=True), made[1]], ended=True)
    reopened = open_study(tmp_path)
    assert reopened.is_closed(reopened.records())
    assert [r.remeasured for r in reopened.records()] == [True, False]
    assert [r.remeasured for r in reopened.records(closed=False)] == [False, False]
    trial = reopened.ask()
    reopened.finish(trial, record(trial.number), LIMITS)
    assert not reopened.is_closed(reopened.records())


def stored_trials(tmp_path):
    return optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}").trials


def partly(number, *, n=100, samples=100, **changes):
    """A record that was scored on some of the samples."""
    made = record(number, 0.02, 0.5, width=0.004)
    accuracy = replace(made.evaluation.accuracy, n=n, **changes)
    return replace(made, evaluation=replace(made.evaluation, accuracy=accuracy))


def test_the_sampler_is_told_how_sure_a_measurement_is(tmp_path):
    study = open_study(tmp_path)
    whole, part = study.ask(), study.ask()
    study.finish(whole, record(whole.number, 0.02, 0.5, width=0.004), LIMITS)
    study.finish(part, partly(part.number, sampling_sd=0.003, outcome=Outcome.PARTIAL), LIMITS)
    one, other = stored_trials(tmp_path)
    sd = 0.004 / 1.959964
    measured = study.measured(one, 1000)
    assert measured.values == (0.02, 0.5)
    assert measured.noise == pytest.approx((0, sd))
    assert measured.finer == pytest.approx((0, sd / np.sqrt(2)))
    measured = open_study(tmp_path).measured(other, 400)
    assert measured.noise == (0.003, pytest.approx(sd))
    # A mean of n of N has the variance s^2 (N - n) / (N - 1) / n.
    assert measured.finer[0] == pytest.approx(0.003 * np.sqrt((400 - 200) / 200 / ((400 - 100) / 100)))
    assert study.measured(other, 200).finer[0] == 0
    assert study.fingerprints == {record(number).fingerprint for number in (0, 1)}


def test_a_trial_that_was_measured_further_has_the_later_record(tmp_path):
    study = open_study(tmp_path)
    for _ in range(2):
        trial = study.ask()
        study.finish(trial, partly(trial.number, sampling_sd=0.003, outcome=Outcome.PARTIAL), LIMITS)
    again = study.ask()
    study.finish_as(again, study.records()[1], LIMITS)
    study.revise(record(1, 0.011, 0.5))
    for opened in (study, open_study(tmp_path)):
        assert [r.evaluation.accuracy.drop.value for r in opened.records()] == [0.02, 0.011]
        trials = stored_trials(tmp_path)
        assert [opened.measured(trial, 400).values[0] for trial in trials] == [0.02, 0.011, 0.011]
        assert [opened.measured(trial, 400).noise[0] for trial in trials] == [0.003, 0, 0]


def test_enqueueing_again_adds_nothing(tmp_path):
    parameters = Dimensions.of(SearchSpace(), EACH).parameters(Plan.quantized())
    for _ in range(2):
        open_study(tmp_path).enqueue(parameters, "int8")
    storage = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert len(storage.trials) == 1


def test_what_was_enqueued_and_is_dropped_waits_again(tmp_path):
    study = open_study(tmp_path)
    parameters = DIMENSIONS.parameters(Plan.quantized())
    study.enqueue(parameters, "int8")
    trial = study.ask()
    study.drop(trial)
    study = open_study(tmp_path)
    again = study.ask()
    assert again.number > trial.number
    assert again.user_attrs["origin"] == "int8"
    assert DIMENSIONS.suggest(again) == DIMENSIONS.suggest(optuna.trial.FixedTrial(parameters))
    # What a sampler proposes is proposed anew.
    study.drop(study.ask())
    storage = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert not [trial for trial in storage.trials if trial.state is optuna.trial.TrialState.WAITING]


def test_a_study_of_something_else_is_refused(tmp_path):
    open_study(tmp_path)
    with pytest.raises(ConfigError, match=r"study 's' cannot go on, .*have changed: max_drop: 0.02, was 0.01. Choose"):
        open_study(tmp_path, identity=IDENTITY | {"max_drop": 0.02})


def test_what_changed_is_told_in_words():
    began = {"the labels": as_digest("a"), "runtime": {"num_threads": 2, "hint": "LATENCY"}, "space": {"sweep": (1, 2)}}
    assert list(differences(plain(began), plain(began))) == []
    changed = began | {"the labels": as_digest("b"), "runtime": {"num_threads": 1, "hint": "LATENCY"}}
    assert list(differences(plain(began), plain(changed))) == ["the labels", "runtime.num_threads: 1, was 2"]
    assert list(differences({"a": {"b": 1}}, {"c": "d"})) == ["c: d, was null", 'a: null, was {"b": 1}']


@pytest.mark.parametrize("sampler", ["front", "tpe", "nsga2", "nsga3", "random"])
def test_infeasible_trials_are_told_as_such(tmp_path, sampler):
    study = open_study(tmp_path, sampler=sampler)
    dimensions = Dimensions.of(SearchSpace(), EACH)
    for drop in (0.005, 0.05):
        trial = study.ask()
        dimensions.suggest(trial)
        study.finish(trial, record(trial.number, drop), LIMITS)
    failed = study.ask()
    study.finish(failed, record(failed.number, state=TrialState.FAILED, evaluation=None), LIMITS)
    stored = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert [trial.number for trial in stored.best_trials] == [0]
    assert stored.trials[2].state is optuna.trial.TrialState.FAIL


def test_a_trial_that_builds_an_earlier_model_is_told_and_is_no_record(tmp_path, monkeypatch):
    study = open_study(tmp_path)
    first, again = study.ask(), study.ask()
    study.finish(first, record(first.number, 0.004, 0.5), LIMITS)
    with monkeypatch.context() as patch:
        # Killed before Optuna is told.
        patch.setattr(study, "_tell", lambda *_: None)
        study.finish_as(again, record(first.number, 0.004, 0.5), LIMITS)
    reopened = open_study(tmp_path)
    assert reopened.settle(LIMITS) == []
    assert [r.number for r in reopened.records()] == [first.number]
    stored = stored_trials(tmp_path)
    assert [trial.values for trial in stored] == [[0.004, 0.5]] * 2
    assert reopened.measured(stored[1], 100) == reopened.measured(stored[0], 100)


def test_a_trial_that_is_complete_and_was_not_evaluated_is_no_record():
    values = record_to_dict(record(3, 0.01, 0.7)) | {"evaluation": None}
    with pytest.raises(StoredFileError, match="the trial is complete, but has no evaluation"):
        record_from_dict(values)
