"""Whatever breaks while a search runs, what was measured is given out."""

import re
import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from mlflow import MlflowClient
from networks import conv_net, images, run

import autoq
from autoq.core import ConfigError, DeviceError, Estimate, OutputError
from autoq.evaluation.candidate import Evaluator
from autoq.searching.records import TrialState
from autoq.searching.study import Study
from autoq.transform import CandidateBuilder

X = images(60, seed=2)
Y = np.array([out.argmax() for out in np.split(run(conv_net(batch=60), X), 60)])
SPACE = {"subset_sizes": [16, 8], "sampler": "random", "sweep": 1, "range_estimators": "mean_min_max"}


def search(**changes):
    given = {
        "calibration": X[:16],
        "validation": (X, Y),
        "metric": "accuracy",
        "space": SPACE,
        "n_trials": 3,
        "max_drop": 0.9,
        "tracking_uri": "off",
        "progress": False,
        "isolate": False,
    }
    return autoq.search(conv_net(), **(given | changes))


class Observer:
    def on_stage(self, text, done=0, total=None): ...
    def on_start(self, info, earlier): ...
    def on_trial(self, record, front): ...
    def on_finish(self, records, front, files): ...


def fail(error):
    def raised(*_, **__):
        raise error

    return raised


@contextmanager
def told(*patterns):
    """Checks that what is warned of in the block matches each pattern, and gives it."""
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    said += [str(w.message) for w in caught]
    for pattern in patterns:
        assert any(re.search(pattern, text) for text in said), said


def measured(result):
    return [record for record in result.records if record.state is TrialState.COMPLETE]


# --- observers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    ["on_trial", *(pytest.param(event, marks=pytest.mark.slow) for event in ("on_stage", "on_start", "on_finish"))],
)
def test_an_observer_that_raises_costs_one_warning(event):
    broken = type("Broken", (Observer,), {event: fail(RuntimeError("the store is busy"))})
    with told(f"the observer Broken failed in {event}, .*: RuntimeError: the store is busy") as said:
        result = search(observers=[broken()])
    assert len([text for text in said if "observer" in text]) == 1
    assert len(measured(result)) == 3
    assert not result.interrupted


def test_a_store_that_goes_away_costs_a_warning_and_one_that_is_back_misses_nothing(store, monkeypatch):
    # Nobody knows beforehand what else is wrong with an experiment of another program: it is opened first.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "autoq")
    log_batch = MlflowClient.log_batch

    class Cable(Observer):
        def on_trial(self, record, front):
            pulled = record.number == 1
            monkeypatch.setattr(MlflowClient, "log_batch", fail(OSError("no route")) if pulled else log_batch)

    with told(r"the observer MlflowObserver failed in on_trial, .*no route"):
        result = search(tracking_uri=store, observers=[Cable()])
    assert len(measured(result)) == 3
    client = MlflowClient(store)
    runs = client.search_runs([client.get_experiment_by_name("autoq").experiment_id])
    children = [found for found in runs if "autoq.trial" in found.data.tags]
    assert sorted(int(found.data.tags["autoq.trial"]) for found in children if found.data.metrics) == [0, 1, 2]
    (parent,) = [found for found in runs if "autoq.trial" not in found.data.tags]
    assert parent.info.status == "FINISHED"


def test_a_server_that_is_not_there_costs_a_warning():
    with told(r"MlflowObserver failed in on_start, .*MLflow store 'http://127.0.0.1:9' cannot be opened: "):
        result = search(tracking_uri="http://127.0.0.1:9", n_trials=2)
    assert len(measured(result)) == 2


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_store_that_cannot_be_used_ends_the_search_before_any_trial(store, isolate):
    client = MlflowClient(store)
    client.delete_experiment(client.create_experiment("gone"))
    observer = type("Trials", (Observer,), {"on_start": fail(AssertionError())})()
    with pytest.raises(ConfigError, match="MLflow experiment 'gone' was deleted"):
        search(tracking_uri=store, experiment="gone", isolate=isolate, observers=[observer])


@pytest.mark.slow
def test_a_new_store_is_made_after_int8_is_measured(tmp_path):
    file, told = tmp_path / "deep" / "mlflow.db", []

    class Looking(Observer):
        def on_trial(self, record, front):
            told.append((bool(record.quantized_sites), file.exists()))

    search(tracking_uri=f"sqlite:///{file}", observers=[Looking()], n_trials=2)
    assert told == [(True, False), (False, False)]
    client = MlflowClient(f"sqlite:///{file}")
    runs = client.search_runs([client.get_experiment_by_name("autoq").experiment_id])
    assert sorted(found.data.tags["autoq.trial"] for found in runs if "autoq.trial" in found.data.tags) == ["0", "1"]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (MemoryError, "FAILED")])
def test_no_parent_run_is_left_running(store, monkeypatch, error, status):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "autoq")
    monkeypatch.setattr(Evaluator, "evaluate", fail(error()))
    monkeypatch.setattr(Study, "records", lambda self: [])
    monkeypatch.setattr(Study, "finish", fail(error()))
    with pytest.raises(error):
        search(tracking_uri=store)
    client = MlflowClient(store)
    (parent,) = client.search_runs([client.get_experiment_by_name("autoq").experiment_id])
    assert parent.info.status == status


# --- trials ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("Exception from src/core/x.cpp:1:\nCheck 'a' failed at src/y.cpp:2:\nshapes differ\n\n"),
            "differ",
        ),
        (KeyError("conv_7"), "KeyError: 'conv_7'"),
        pytest.param(RuntimeError(), "RuntimeError", marks=pytest.mark.slow),
        pytest.param(MemoryError(), "MemoryError", marks=pytest.mark.slow),
    ],
)
def test_a_build_that_raises_is_a_failed_trial(monkeypatch, error, said):
    build, calls = CandidateBuilder.build, []

    def sometimes(self, plan, **more):
        calls.append(plan)
        if len(calls) == 2:
            raise error
        return build(self, plan, **more)

    monkeypatch.setattr(CandidateBuilder, "build", sometimes)
    result = search(n_trials=4)
    (failed,) = [record for record in result.records if record.state is TrialState.FAILED]
    assert failed.number == 1
    assert said in failed.error
    assert len(measured(result)) == 3


def test_what_cannot_be_found_out_beforehand_is_done_without(monkeypatch):
    monkeypatch.setattr(Evaluator, "switched_distortions", fail(RuntimeError("the device is tired")))
    monkeypatch.setattr(Evaluator, "outputs", fail(RuntimeError("the device is tired")))
    with told("trials begin without knowing the model, .*the device is tired"):
        result = search(n_trials=4)
    assert len(measured(result)) == 4
    assert result.probes is None


def test_a_study_that_can_no_longer_be_stored_ends_the_search_with_what_it_has(tmp_path, monkeypatch):
    set_user_attr = "optuna.Trial.set_user_attr"
    import optuna

    stored = optuna.Trial.set_user_attr

    def full(self, key, value):
        if self.number == 2 and key == "autoq/record":
            raise optuna.exceptions.StorageInternalError("database or disk is full")
        stored(self, key, value)

    monkeypatch.setattr(set_user_attr, full)
    with told("ends early, since its study cannot be stored: .*disk is full"):
        result = search(out=tmp_path / "run", n_trials=5)
    assert result.interrupted
    assert [record.number for record in measured(result)] == [0, 1, 2]
    monkeypatch.setattr(set_user_attr, stored)
    assert len(measured(search(out=tmp_path / "run", n_trials=5))) == 5


def test_a_device_that_fails_in_calibration_is_named_with_its_reason(monkeypatch):
    for error, said in (
        (RuntimeError("Exception from a.cpp:1:\nout of memory\n\n"), "out of memory"),
        (RuntimeError(), "R"),
    ):
        monkeypatch.setattr("autoq.calibration.collecting._collect.infer_all", fail(error))
        with pytest.raises(DeviceError, match=f"'CPU' cannot run the model for calibration: {said}"):
            search()


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def stopped_at(stage):
    class Impatient(Observer):
        def on_stage(self, text, done=0, total=None):
            if re.match(stage, text):
                raise KeyboardInterrupt

    return Impatient()


@pytest.mark.parametrize("stage", ["placing quantizers", "collecting calibration", "scoring and timing the float"])
def test_ctrl_c_before_there_is_any_trial_is_passed_on(tmp_path, stage):
    with pytest.raises(KeyboardInterrupt):
        search(observers=[stopped_at(stage)], out=tmp_path / "run")
    assert len(measured(search(out=tmp_path / "run", n_trials=2))) == 2


@pytest.mark.parametrize("stage", ["measuring the sensitivity", "measuring . finalists", "scoring the front on held"])
def test_ctrl_c_after_a_trial_gives_out_what_there_is(tmp_path, stage, monkeypatch):
    evaluate = Evaluator.evaluate

    def fast(self, *given):
        """Whoever is quantized is on the front: there is no closing session of the float model alone."""
        found, seconds = evaluate(self, *given)
        return replace(found, latency=replace(found.latency, ratio=Estimate(0.5, 0.5, 0.5))), seconds

    monkeypatch.setattr(Evaluator, "evaluate", fast)
    out = tmp_path / "run"
    result = search(observers=[stopped_at(stage)], out=out, holdout=(X[:20], Y[:20]), n_trials=3)
    assert result.interrupted
    assert len(measured(result)) >= 2
    assert autoq.SearchResult.load(out).best.record.number == result.best.record.number


def test_ctrl_c_in_a_trial_gives_out_those_before(monkeypatch):
    evaluate, calls = Evaluator.evaluate, []

    def impatient(self, *given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(self, *given)

    monkeypatch.setattr(Evaluator, "evaluate", impatient)
    result = search()
    assert result.interrupted
    assert [record.number for record in measured(result)] == [0, 1]
    calls[:] = [None, None]
    with pytest.raises(KeyboardInterrupt):
        search()


@pytest.mark.parametrize("last", ["save", "finish"])
def test_ctrl_c_at_the_very_end(tmp_path, monkeypatch, last):
    given = {}
    if last == "save":
        monkeypatch.setattr("autoq.api.results._result.write_report", fail(KeyboardInterrupt()))
    else:
        given["observers"] = [type("Last", (Observer,), {"on_finish": fail(KeyboardInterrupt())})()]
    uri = f"sqlite:///{tmp_path / 't.db'}"
    result = search(out=tmp_path / "run", tracking_uri=uri, **given)
    assert result.interrupted
    assert len(measured(result)) == 3
    assert autoq.SearchResult.load(tmp_path / "run").best.record.fingerprint == result.best.record.fingerprint
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("autoq").experiment_id])
    assert "RUNNING" not in {found.info.status for found in runs}


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_report_that_cannot_be_drawn_costs_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("autoq.api.results._result.write_report", fail(ValueError("no such font")))
    with told("the report could not be written: ValueError: no such font"):
        result = search(out=tmp_path / "run")
    assert not result.interrupted
    assert len(autoq.SearchResult.load(tmp_path / "run").records) == 3


def test_a_full_disk_costs_the_files_and_not_the_result(tmp_path, monkeypatch):
    for module in ("_best_so_far", "_result"):
        full = OutputError("'x' cannot be written: No space left on device.")
        monkeypatch.setattr(f"autoq.api.results.{module}.write_record", fail(full))
    with told("the observer BestSoFar failed .*No space left", "writing the result to .* failed, .*No space left"):
        result = search(out=tmp_path / "run")
    assert len(measured(result)) == 3
    assert result.best.model is not None


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_names_are_names(tmp_path):
    name = 'it\'s "mine" [red] [x] ünï 日本 #1 50% a?b $x_1$ & <b>;'
    uri, out = f"sqlite:///{tmp_path}/it's a störe.db", tmp_path / name
    for n_trials in (2, 3):
        search(out=out, name=f"{name} twice", tracking_uri=uri, experiment=name, n_trials=n_trials, progress=True)
    assert (out / "study.db").exists()
    assert autoq.SearchResult.load(out).best.model is not None
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    assert len(runs) == 4
    assert {file.name for file in tmp_path.iterdir()} == {name, "it's a störe.db", "mlartifacts"}
