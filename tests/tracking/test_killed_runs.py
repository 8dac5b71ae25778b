"""A search that is killed while it writes to MLflow: its next start completes what is there, each once."""

import shutil
from dataclasses import replace

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from networks import conv_net
from records import record, search_info

from autoq.export import save_candidate
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront
from autoq.tracking import MlflowObserver
from autoq.tracking._abandoned import PROCESS, without_process
from autoq.tracking._logged_model import without_uploads

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # MLflow's, of type hints

RECORDS = [
    record(0, 0.0, 1.0, origin="float", fingerprint="float"),
    record(1, 0.004, 0.5, origin="int8"),
    record(2, state=TrialState.FAILED, evaluation=None, error="it does not compile"),
]
INFO = search_info()


class Killed(BaseException):
    """No code of the process runs any more."""


class Client:
    """A client whose process is killed right before, or right after, its n-th call that writes."""

    def __init__(self, client, at, *, after):
        self._client, self._at, self._after, self.calls = client, at, after, []

    def __getattr__(self, name):
        call = getattr(self._client, name)
        if name.startswith(("get_", "search_", "list_")):
            return call

        def counted(*arguments, **keywords):
            if len(self.calls) >= self._at:
                raise Killed
            self.calls.append(name)
            if len(self.calls) == self._at and not self._after:
                raise Killed
            found = call(*arguments, **keywords)
            if len(self.calls) == self._at:
                raise Killed
            return found

        return counted


def session(uri, *, at=10**6, after=False, known=0):
    """Runs a search's observer, which knows so many trials from before; the calls that it made, and of which trials."""
    observer = MlflowObserver(uri, "autoq", export=lambda made, path: save_candidate(conv_net(), made, path))
    client = observer._client = Client(observer._client, at, after=after)
    told = RECORDS[:known]
    try:
        observer.on_start(INFO, list(told))
        for made in RECORDS[known:]:
            told.append(made)
            observer.on_trial(made, ParetoFront(told))
        observer.on_finish(told, ParetoFront(told), None)
    except Killed:
        # What the test's own process held is nobody's any more.
        observer._holder.free()
    return client.calls, len(told)


def found(uri):
    """What is in the store, without ids and times."""
    client = MlflowClient(uri)
    (experiment,) = [e.experiment_id for e in client.search_experiments() if e.name == "autoq"]
    everything = client.search_runs([experiment])
    runs = sorted(
        (
            run.info.run_name,
            run.info.status,
            sorted(run.data.params.items()),
            sorted(run.data.metrics.items()),
            run.data.tags.keys() - {"mlflow.parentRunId"},
            [file.path for file in client.list_artifacts(run.info.run_id)],
            len(run.outputs.model_outputs),
        )
        for run in everything
    )
    of_run = {run.info.run_id: run.info.run_name for run in everything}
    models = client.search_logged_models([experiment])
    return runs, sorted((of_run[m.source_run_id], m.name, str(m.status), len(m.metrics or ())) for m in models)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A store without runs: it takes seconds to make one."""
    place = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowObserver(f"sqlite:///{place}", "autoq")
    return place


def killed(empty, place, at, *, after, twice=False):
    """What is in the store in the end, after a session that was killed at a call, and one that went on."""
    place.mkdir(exist_ok=True)
    shutil.copy(empty, place / "mlflow.db")
    uri = f"sqlite:///{place / 'mlflow.db'}"
    _, known = session(uri, at=at, after=after)
    if twice:
        _, known = session(uri, at=at // 2 + 1, after=after, known=known)
    session(uri, known=known)
    return found(uri)


@pytest.fixture(scope="module")
def whole(empty, tmp_path_factory):
    """What is in the store after a session that was not killed, and the calls that it made."""
    place = tmp_path_factory.mktemp("whole")
    shutil.copy(empty, place / "mlflow.db")
    calls, _ = session(f"sqlite:///{place / 'mlflow.db'}")
    return found(f"sqlite:///{place / 'mlflow.db'}"), calls


def test_what_was_half_logged_when_its_session_was_killed_is_completed(tmp_path, monkeypatch):
    monkeypatch.setattr("autoq.tracking._logged_model._save", lambda folder, *_: folder.mkdir())
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    # Calls of the third trial's run: of one half logged, then of a model that is pending.
    _, known = session(uri, at=13, after=True)
    _, known = session(uri, at=12, after=True, known=known)
    assert "PENDING" in {status for *_, status, _ in found(uri)[1]}
    # Two other searches come along: the first is left alone by the second.
    others = [MlflowObserver(uri, "autoq") for _ in range(2)]
    for number, other in enumerate(others):
        other.on_start(replace(INFO, name=f"other {number}"), [])
    left, models = found(uri)
    statuses = {name: status for name, status, *_ in left}
    assert (statuses["net-1"], statuses["other 0"], statuses["other 1"]) == ("KILLED", "RUNNING", "RUNNING")
    assert [status for *_, status, _ in models] == ["FAILED"]
    for other in others:
        other.__exit__(None, None, None)
    calls, _ = session(uri, known=known)
    runs, models = found(uri)
    runs = [run for run in runs if not run[0].startswith("other")]
    assert [name for name, *_ in runs] == ["net-1", "trial 0 float", "trial 1 int8", "trial 2 tpe"]
    assert [status for _, status, *_ in runs] == ["FINISHED", "FINISHED", "FINISHED", "FAILED"]
    assert [(name, status) for _, name, status, _ in models] == [("trial-1", "READY")]
    assert [outputs for *_, outputs in runs] == [0, 0, 1, 0]
    assert "create_run" not in calls
    assert "create_logged_model" not in calls


@pytest.mark.slow
def test_a_search_that_is_killed_at_any_call_leaves_in_the_end_what_one_leaves_that_was_not(empty, whole, tmp_path):
    expected, calls = whole
    for at in range(1, len(calls) + 1):
        for after in (False, True):
            found = killed(empty, tmp_path / f"{at}-{after}", at, after=after, twice=at % 3 == 0)
            assert found == expected, (at, calls[at - 1], after)


def test_a_run_begun_before_its_trial_was_measured_further_gets_the_later_figures(empty, tmp_path):
    shutil.copy(empty, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    calls, _ = session(uri, at=5, after=True)
    assert calls[-2:] == ["log_batch", "log_artifact"]
    further = [record(0, 0.0, 0.9, origin="float", fingerprint="float"), *RECORDS[1:]]
    observer = MlflowObserver(uri, "autoq")
    observer.on_start(INFO, further)
    observer.on_finish(further, ParetoFront(further), None)
    (run,) = [metrics for name, _, _, metrics, *_ in found(uri)[0] if name == "trial 0 float"]
    assert dict(run)["speedup"] == pytest.approx(1 / 0.9)


def test_files_that_were_being_uploaded_are_removed(tmp_path):
    (tmp_path / "ir").mkdir()
    (tmp_path / "ir" / ".artifact.uploading.abc").write_text("half of")
    (tmp_path / "ir" / "model.xml").write_text("a model")
    without_uploads(tmp_path.as_uri())
    without_uploads("mlflow-artifacts:/1/abc/artifacts")
    assert [path.name for path in (tmp_path / "ir").iterdir()] == ["model.xml"]


def test_two_searches_that_close_the_same_run_at_the_same_moment_do_not_fail(empty, tmp_path):
    shutil.copy(empty, tmp_path / "mlflow.db")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    run = client.create_run("0", tags={PROCESS: "a process that is gone"}).info.run_id
    for _ in range(2):
        without_process(client, run)
    assert PROCESS not in client.get_run(run).data.tags


def test_searches_that_begin_at_the_same_moment_do_not_fail_at_the_charts(tmp_path, monkeypatch):
    def refused(*_):
        raise MlflowException("UNIQUE constraint failed: experiment_tags.key")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refused)
    observer = MlflowObserver(f"sqlite:///{tmp_path / 'mlflow.db'}", "autoq")
    assert MlflowClient(observer.tracking_uri).get_experiment(observer.experiment_id).name == "autoq"
