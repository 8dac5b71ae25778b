"""A search in an MLflow store: what is in it, once each, and that models in it can be served."""

import json
import socket
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import openvino as ov
import pytest
from mlflow import MlflowClient
from networks import conv_net, images
from records import record, search_info

from autoq.core import ConfigError, Plan
from autoq.export import save_candidate
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront, time_csv, time_rows
from autoq.tracking import MlflowObserver, chart_url, open_sentence

RECORDS = [
    record(0, 0.0, 1.0, origin="float", fingerprint="float"),
    record(1, 0.004, 0.5, origin="int8"),
    record(2, 0.03, 0.4, feasible=False),
    record(3, state=TrialState.FAILED, evaluation=None, error="it does not compile"),
]
# Of these records, what each is.
TAGS = {
    "chosen": [False, True, False, False],
    "front": [True, True, False, False],
    "tied": [False, False, False, False],
    "feasible": [True, True, False, False],
    "pruned": [False, False, False, False],
    "failed": [False, False, False, True],
}
INFO = search_info()


@pytest.fixture
def uri(store):
    return store


def track(uri, records, *, earlier=(), finish=True, export=None, files=None, info=INFO):
    observer = MlflowObserver(uri, "autoq", export=export)
    observer.on_start(info, list(earlier))
    told = list(earlier)
    for made in records:
        told.append(made)
        observer.on_trial(made, ParetoFront(told))
    if finish:
        observer.on_finish(told, ParetoFront(told), files)
    return MlflowClient(uri), observer


def runs(client, observer):
    everything = client.search_runs([observer.experiment_id])
    parents = [found for found in everything if "mlflow.parentRunId" not in found.data.tags]
    children = [found for found in everything if "mlflow.parentRunId" in found.data.tags]
    return parents, sorted(children, key=lambda found: int(found.data.tags["autoq.trial"]))


def test_one_parent_and_a_child_per_trial(tmp_path):
    uri = f"sqlite:///{tmp_path / 'made_here.db'}"
    (tmp_path / "report.html").write_text("<p>report")
    client, observer = track(uri, RECORDS, files=tmp_path)
    parents, children = runs(client, observer)
    (parent,) = parents
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["float/score"] == 0.9
    assert parent.data.params["max_drop"] == "0.01"
    assert "report.html" in {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert [int(child.data.tags["autoq.trial"]) for child in children] == [0, 1, 2, 3]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert children[1].data.metrics["accuracy_drop"] == 0.004
    assert children[1].data.metrics["speedup"] == 2.0
    assert children[1].data.params["preset"] == "performance"
    tags = {name: [child.data.tags[f"autoq.{name}"] for child in children] for name in TAGS}
    assert {name: [value == "true" for value in values] for name, values in tags.items()} == TAGS
    assert {value for values in tags.values() for value in values} == {"true", "false"}
    assert children[3].info.status == "FAILED"
    assert children[3].data.tags["autoq.error"] == "it does not compile"
    plan = client.download_artifacts(children[1].info.run_id, "plan.json", str(tmp_path))
    assert Plan.load(plan) == RECORDS[1].plan
    curve = client.get_metric_history(parent.info.run_id, "search/hypervolume")
    assert [point.value for point in sorted(curve, key=lambda p: p.step)] == sorted(point.value for point in curve)


def test_what_a_search_comes_to_is_on_its_parent(uri, tmp_path):
    figures = {"holdout/gap": 0.002, "holdout/gap_low": float("-inf")}
    time = time_rows({"score float": 2.0, "other": 0.5}, RECORDS)
    observer = MlflowObserver(uri, "autoq", figures=lambda: figures, time=lambda: time)
    observer.on_start(INFO, RECORDS)
    observer.on_finish(RECORDS, ParetoFront(RECORDS), None)
    client = MlflowClient(uri)
    ((parent,), _) = runs(client, observer)
    assert parent.data.metrics["seconds/score_float"] == 2.0
    kept = client.download_artifacts(parent.info.run_id, "seconds.csv", str(tmp_path))
    assert Path(kept).read_text("utf-8") == time_csv(time)
    assert parent.data.metrics["holdout/gap"] == 0.002
    assert "holdout/gap_low" not in parent.data.metrics
    assert parent.data.params["choose"] == "fastest"


def test_what_the_closing_session_measured_takes_the_place_of_what_the_search_did(uri):
    observer = MlflowObserver(uri, "autoq")
    observer.on_start(INFO, [])
    for place, made in enumerate(RECORDS):
        observer.on_trial(made, ParetoFront(RECORDS[: place + 1]))
    again = [*RECORDS[:1], record(1, 0.005, 0.25, origin="int8", remeasured=True), *RECORDS[2:]]
    observer.on_finish(again, ParetoFront(again), None)
    client = MlflowClient(uri)
    _, children = runs(client, observer)
    metrics = children[1].data.metrics
    assert (metrics["speedup"], metrics["accuracy_drop"]) == (4.0, 0.005)
    before, after = client.get_metric_history(children[1].info.run_id, "speedup")
    assert (before.value, after.value) == (2.0, 4.0)
    assert len(client.get_metric_history(children[2].info.run_id, "speedup")) == 1


def test_a_killed_search_goes_on_in_its_own_parent(uri):
    track(uri, RECORDS[:2], finish=False)
    # Trial 2 ended after the store was last written to; the search knows it from its own study.
    client, observer = track(uri, RECORDS[3:], earlier=RECORDS[:3])
    parents, children = runs(client, observer)
    assert len(parents) == 1
    assert [int(child.data.tags["autoq.trial"]) for child in children] == [0, 1, 2, 3]


def test_a_child_whose_session_ended_while_it_was_logged_is_logged_again(uri, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    observer = MlflowObserver(uri, "autoq")
    observer.on_start(INFO, [])
    monkeypatch.setattr(observer._client, "log_artifact", killed)
    with pytest.raises(KeyboardInterrupt):
        observer.on_trial(RECORDS[0], ParetoFront(RECORDS[:1]))
    client, observer = track(uri, RECORDS[1:], earlier=RECORDS[:1])
    _, children = runs(client, observer)
    assert [int(child.data.tags["autoq.trial"]) for child in children] == [0, 1, 2, 3]
    assert {child.info.status for child in children} == {"FINISHED", "FAILED"}


def test_the_users_own_run_is_left_alone(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'own.db'}")
    try:
        with mlflow.start_run() as own:
            track(uri, RECORDS)
            assert mlflow.active_run().info.run_id == own.info.run_id
            assert mlflow.get_tracking_uri() == f"sqlite:///{tmp_path / 'own.db'}"
        assert not MlflowClient().get_run(own.info.run_id).data.metrics
    finally:
        mlflow.set_tracking_uri(None)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_members_of_the_front_are_models_that_predict(uri, capfd):
    info = replace(INFO, device="HETERO:CPU")
    client, observer = track(uri, RECORDS[:3], export=lambda n, path: save_candidate(conv_net(), n, path), info=info)
    said = capfd.readouterr()
    assert said.out == said.err == ""
    found = client.search_logged_models([observer.experiment_id])
    assert [model.name for model in found] == ["trial-1"]
    track(uri, [], earlier=RECORDS[:3], export=lambda made, path: pytest.fail("logged twice"))
    mlflow.set_tracking_uri(uri)
    try:
        served = mlflow.pyfunc.load_model(found[0].model_uri)
        with pytest.raises(RuntimeError, match="NOWHERE"):
            mlflow.pyfunc.load_model(found[0].model_uri, model_config={"device": "NOWHERE"})
    finally:
        mlflow.set_tracking_uri(None)
    x = images(1)
    expected = ov.Core().compile_model(conv_net(), "CPU")(x)[0]  # at the device's default precision, as it is served
    np.testing.assert_allclose(served.predict(x)["logits"], expected, atol=1e-5)
    np.testing.assert_allclose(served.predict({"image": x})["logits"], expected, atol=1e-5)
    assert served.model_config == {"device": "HETERO:CPU"}
    schema = served.metadata.signature
    assert schema.inputs.input_names() == ["image"]
    assert schema.outputs.input_names() == ["logits"]


def test_the_charts_are_laid_out_and_there_is_a_sentence_that_opens_them(uri, tmp_path, monkeypatch):
    client, observer = track(uri, RECORDS)
    tags = client.get_experiment(observer.experiment_id).tags
    view = json.loads(tags["mlflow.sharedViewState.autoq"])
    axes = {(chart["xaxis"]["key"], chart["yaxis"]["key"]) for chart in view["compareRunCharts"] if "xaxis" in chart}
    assert axes == {("speedup", "accuracy_drop")}
    children = runs(client, observer)[1]
    assert {"speedup", "accuracy_drop"} <= set(children[1].data.metrics)
    assert open_sentence(uri, "autoq").startswith(f"mlflow ui --backend-store-uri {uri}, then http://127.0.0.1:5000/#/")
    assert chart_url(observer.experiment_id) in open_sentence(uri, "autoq")
    monkeypatch.chdir(tmp_path)
    assert open_sentence(uri, "autoq").startswith("mlflow ui --backend-store-uri sqlite:///mlflow.db, then http")


@pytest.mark.parametrize("uri", ["sqlite:////proc/no/mlflow.db", "postgres://nowhere", "ftp://x"])
def test_a_store_that_cannot_be_opened(uri):
    with pytest.raises(ConfigError, match=r"MLflow store '.*' (cannot be opened: |needs a driver)"):
        MlflowObserver(uri, "autoq")


def refuse(*_, **__):
    raise OSError("no route")


def test_a_store_that_was_away_gets_what_it_missed(uri, monkeypatch):
    observer = MlflowObserver(uri, "it's mine")
    client, create_run = observer._client, observer._client.create_run
    observer.on_start(INFO, [])
    told = []
    for made in RECORDS:
        told.append(made)
        away = made.number in {1, 2}
        monkeypatch.setattr(client, "create_run", refuse if away else create_run)
        with pytest.raises(OSError, match="no route") if away else nullcontext():
            observer.on_trial(made, ParetoFront(told))
    _, children = runs(MlflowClient(uri), observer)
    assert [int(child.data.tags["autoq.trial"]) for child in children] == [0, 1, 2, 3]


def test_a_server_that_does_not_answer_costs_its_patience_once(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        observer = MlflowObserver(uri, "autoq")
        with pytest.raises(ConfigError, match="cannot be opened"):
            observer.on_start(INFO, [])
        asked = []
        monkeypatch.setattr(observer, "_open", lambda: asked.append(1))
        for made in RECORDS:
            observer.on_trial(made, ParetoFront(RECORDS))
        assert not asked
        assert open_sentence(uri, "autoq") == f"{uri}/ cannot be reached"


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")])
def test_a_parent_run_is_closed_however_its_search_ends(uri, error, status):
    observer = MlflowObserver(uri, "autoq")

    def search():
        with observer:
            observer.on_start(INFO, RECORDS[:1])
            raise error

    with pytest.raises(error):
        search()
    ((parent,), _) = runs(MlflowClient(uri), observer)
    assert parent.info.status == status
