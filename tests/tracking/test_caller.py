"""A search in the caller's own MLflow: its experiment, its run, its store; and all of them as they were afterwards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from networks import conv_net
from test_mlflow import INFO, RECORDS

from autoq.core import ConfigError
from autoq.export import save_candidate
from autoq.searching.shown import ParetoFront
from autoq.tracking import MlflowObserver, open_sentence

PARENT = "mlflow.parentRunId"
VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID")


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch, tmp_path):
    """MLflow as it starts, and as it was afterwards."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri(None)
    mlflow.tracking.fluent._active_experiment_id = None
    for name in VARIABLES:  # of which MLflow sets some
        os.environ.pop(name, None)


@pytest.fixture
def other(tmp_path, empty_store):
    """Another store."""
    shutil.copyfile(empty_store, tmp_path / "other.db")
    return f"sqlite:///{tmp_path / 'other.db'}"


def search(tracking_uri=None, experiment=None, **changes):
    """The run that a search makes, and its children."""
    with MlflowObserver(tracking_uri, experiment, **changes) as observer:
        observer.on_start(INFO, RECORDS[:2])
        observer.on_finish(RECORDS[:2], ParetoFront(RECORDS[:2]), None)
    client = MlflowClient(observer.tracking_uri)
    runs = client.search_runs([observer.experiment_id])
    (parent,) = (run for run in runs if "autoq.study" in run.data.tags)
    children = [run for run in runs if run.data.tags.get(PARENT) == parent.info.run_id]
    assert len(children) == 2
    return observer, parent


def name_of(observer):
    return MlflowClient(observer.tracking_uri).get_experiment(observer.experiment_id).name


def picture(run_id):
    """All that a store knows of a run."""
    run = MlflowClient().get_run(run_id)
    return run.info.status, run.info.end_time, run.data.to_dictionary(), run.outputs.to_dictionary()["model_outputs"]


@pytest.fixture
def mine(store):
    """The caller's active run, which is left alone."""
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("mine")
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5)
        before = picture(run.info.run_id)
        yield run
        assert mlflow.active_run().info.run_id == run.info.run_id
        assert picture(run.info.run_id) == before
        assert mlflow.get_tracking_uri() == store
        assert os.environ["MLFLOW_TRACKING_URI"] == store


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_is_nested_under_the_active_run(mine):
    observer, parent = search(export=lambda made, path: save_candidate(conv_net(), made, path))
    assert name_of(observer) == "mine"
    assert parent.data.tags[PARENT] == mine.info.run_id
    assert parent.info.status == "FINISHED"


def test_in_an_experiment_that_is_named_it_is_nested_too(mine, store):
    observer, parent = search(experiment="another")
    assert name_of(observer) == "another"
    assert parent.data.tags[PARENT] == mine.info.run_id
    again, _ = search(experiment="mine")
    assert name_of(again) == "mine"


@pytest.mark.parametrize("spelt", ["sqlite:///mlflow.db", "sqlite:///./mlflow.db", "absolute"])
def test_a_store_is_the_same_however_it_is_spelt(mine, store, spelt):
    observer, parent = search(store if spelt == "absolute" else spelt)
    assert name_of(observer) == "mine"
    assert parent.data.tags[PARENT] == mine.info.run_id


def test_a_run_in_another_store_encloses_nothing(mine, other):
    observer, parent = search(other)
    assert name_of(observer) == "autoq"
    assert PARENT not in parent.data.tags


def test_a_run_that_is_active_in_another_store_than_mlflow_was_told_since(store, other):
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("mine")
    with mlflow.start_run():
        mlflow.set_tracking_uri(other)
        os.environ.pop("MLFLOW_EXPERIMENT_ID")
        _, parent = search()
        mlflow.set_tracking_uri(store)  # MLflow ends a run where it was told of last
        assert PARENT not in parent.data.tags


def test_of_nested_runs_the_innermost_encloses_it(mine):
    with mlflow.start_run(nested=True) as inner:
        _, parent = search()
    assert parent.data.tags[PARENT] == inner.info.run_id


def test_called_again_under_another_run_it_moves_there(mine):
    search()
    with mlflow.start_run(nested=True) as inner:
        _, parent = search()
    assert parent.data.tags[PARENT] == inner.info.run_id


def test_without_a_run_the_experiment_is_the_one_that_mlflow_was_told(store, other):
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("told")
    observer, parent = search()
    assert name_of(observer) == "told"
    assert PARENT not in parent.data.tags
    assert f"#/experiments/{observer.experiment_id}/" in open_sentence(None, None)
    # It is an experiment of that store, and of no other.
    assert name_of(search(other)[0]) == "autoq"


def test_the_environment_is_heard(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "by name")
    observer, _ = search()
    assert (observer.tracking_uri, name_of(observer)) == (store, "by name")
    assert (
        f"--backend-store-uri sqlite:///mlflow.db, then http://127.0.0.1:5000/#/experiments/{observer.experiment_id}/"
        in (open_sentence(None, None))
    )
    assert name_of(search(None, "named")[0]) == "named"
    client = MlflowClient(store)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("by id"))
    assert name_of(search()[0]) == "by id"
    run = client.create_run(observer.experiment_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    again, parent = search()
    assert parent.data.tags[PARENT] == run.info.run_id
    assert again.experiment_id == observer.experiment_id
    assert client.get_run(run.info.run_id).info.status == "RUNNING"
    monkeypatch.delenv("MLFLOW_RUN_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "12345")
    with pytest.raises(ConfigError, match=r"MLFLOW_EXPERIMENT_ID is '12345', which MLflow store .* does not have: "):
        MlflowObserver(None, None)
    assert {os.environ.get(name) for name in VARIABLES[:2]} == {store, "12345"}


def test_an_experiment_that_was_deleted_is_named(store):
    client = MlflowClient(store)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(ConfigError, match="MLflow experiment 'gone' was deleted: restore it there, or name another"):
        MlflowObserver(store, "gone")


AUTOLOG = """
import mlflow, numpy as np, autoq
from networks import conv_net, images, run
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.autolog(silent=True)
x = images(40, seed=2)
with mlflow.start_run() as mine:
    result = autoq.search(conv_net(), calibration=x[:8], validation=(x, run(conv_net(batch=40), x).argmax(axis=1)),
        metric="balanced_accuracy", n_trials=2, progress=False, space={"subset_sizes": 8, "sweep": 1})
    assert mlflow.active_run().info.run_id == mine.info.run_id
found = mlflow.MlflowClient().search_runs([mine.info.experiment_id])
print(len(found), {run.info.status for run in found}, mlflow.MlflowClient().get_run(mine.info.run_id).data.metrics)
"""


@pytest.mark.slow
def test_what_logs_by_itself_logs_nothing_of_a_search(tmp_path):
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    said = subprocess.run(
        [sys.executable, "-c", AUTOLOG], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout == "4 {'FINISHED'} {}\n"
