"""`autoq.search(finetune=...)`: models near the front are trained, measured, kept, and trained further after a kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, rows

import autoq
from autoq.api.searches._finetuning import FineTuning
from autoq.calibration import as_inputs
from autoq.core import ConfigError, StoredFileError

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

SPACE = {
    "channel_shares": [1, 0.75, 0.5],
    "channel_multiple_of": 2,
    "presets": "performance",
    "range_estimators": "mean_min_max",
    "bias_corrections": "fast",
    "precisions": "model",
    "subset_sizes": 8,
    "sweep": 2,
}


def searched(**changed):
    """A search whose front is of size, which two runs measure alike."""
    net = conv_net(channels=16, classes=5)
    data = images(300)
    outputs = list(rows(net, data))
    return autoq.search(
        **{
            "model": net,
            "calibration": data[:160],
            "validation": list(zip(data[160:], outputs[160:], strict=True)),
            "metric": "negative_mse",
            "against": "size",
            "space": SPACE,
            "n_trials": 4,
            "finetune": {"steps": 60, "top": 2, "lr": 3e-3, "loss": "nmse"},
            "tracking_uri": "off",
            "isolate": False,
            "progress": False,
            **changed,
        }
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetune")
    return searched(out=folder / "a run's folder", tracking_uri=f"sqlite:///{folder}/mlflow.db")


class Listener:
    """Keeps the notes on batches that a search begins with."""

    def __init__(self, told):
        self.told = told

    def on_start(self, info, earlier):
        self.told.append(info.notes["batches"])

    def on_stage(self, text, done=None, total=None):
        pass

    def on_trial(self, record, front):
        pass

    def on_finish(self, records, front, files):
        pass


def tuned_of(result):
    return [record for record in result.records if record.tuned is not None]


def test_before_and_after_are_points_of_the_front(result):
    drops = {record.number: record.evaluation.accuracy.drop.value for record in result.records}
    found = tuned_of(result)
    assert len(result.records) - len(found) == 4  # trials alone count
    assert found
    for record in found:
        assert drops[record.number] < drops[record.tuned.of]
        assert record.tuned.after < record.tuned.before
        assert record.origin == "tuned"
        assert f"trial {record.tuned.of}, tuned" in record.remark
        before = next(other for other in result.records if other.number == record.tuned.of)
        assert record.plan == before.plan
        assert record.evaluation.size_bytes == before.evaluation.size_bytes
        assert f"trial {record.tuned.of} became trial {record.number}" in result.info.notes["tuning"]
    assert "tuned" in (result.folder / "report.html").read_text()


def test_a_tuned_model_scores_as_its_record_says(result):
    data = images(300)[160:]
    expected = rows(conv_net(channels=16, classes=5), data)
    for record in tuned_of(result):
        found = rows(result.candidate(record.number).model, data)
        assert -np.mean((found - expected) ** 2) == pytest.approx(record.evaluation.accuracy.mean, rel=0.05)


def test_a_run_is_read_again_with_its_tuned_models(result, tmp_path):
    again, data = autoq.SearchResult.load(result.folder), images(20)
    assert [record.tuned for record in again.records] == [record.tuned for record in result.records]
    for record in tuned_of(again):
        candidate = again.candidate(record.number)
        candidate.save(tmp_path / "tuned.xml")
        saved = rows(ov.Core().read_model(tmp_path / "tuned.xml"), data)
        assert np.array_equal(saved, rows(result.candidate(record.number).model, data))
        assert f'"trial": {record.tuned.of}' in (tmp_path / "tuned.xml").read_text().replace("&quot;", '"')


def test_mlflow_has_the_course_of_each_training(result):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{result.folder.parent}/mlflow.db")
    for record in tuned_of(result):
        (run,) = client.search_runs(["1"], f"tags.`autoq.trial` = '{record.number}'")
        curve = client.get_metric_history(run.info.run_id, "tuning/held_out")
        expected = [(0, record.tuned.before), *((point.step, point.held_out) for point in record.tuned.course)]
        assert sorted((metric.step, metric.value) for metric in curve) == sorted(expected)
        assert run.data.params["tuned_trial"] == str(record.tuned.of)


def test_the_same_search_trains_nothing_again_and_a_longer_one_goes_on(result):
    again = searched(out=result.folder)
    assert again.ended_before
    assert [record.tuned for record in again.records] == [record.tuned for record in result.records]
    for record in tuned_of(again):
        assert again.candidate(record.number).model is not None
    more = searched(out=result.folder, n_trials=5)
    assert len(more.records) - len(tuned_of(more)) == 5
    found = tuned_of(result)[0]
    (result.folder / "tuned" / found.tuned.model / "model.bin").write_bytes(b"")
    damaged = autoq.SearchResult.load(result.folder).candidate(found.number)
    with pytest.raises(StoredFileError, match="tuned model"):
        damaged.save(result.folder / "other.xml")


def test_a_finished_search_is_tuned_later(tmp_path):
    first = searched(out=tmp_path, finetune=None)
    assert not tuned_of(first)
    later = searched(out=tmp_path)
    assert tuned_of(later)
    assert [r.fingerprint for r in later.records if r.tuned is None] == [r.fingerprint for r in first.records]


class Stopping:
    """An observer that stops a search in its second training, as Ctrl-C does."""

    def __init__(self):
        self.trained = set()

    def on_stage(self, text, done=0, total=None):
        if text.startswith("tuning trial"):
            self.trained.add(text)
            if len(self.trained) == 2:
                raise KeyboardInterrupt

    def on_start(self, info, earlier):
        pass

    def on_trial(self, record, front):
        pass

    def on_finish(self, records, front, files):
        pass


def test_a_stopped_search_has_what_was_trained_and_goes_on(tmp_path):
    stopped = searched(out=tmp_path, observers=[Stopping()])
    assert stopped.interrupted
    assert len(tuned_of(stopped)) == 1
    whole = searched(out=tmp_path)
    assert not whole.interrupted
    assert [record.tuned for record in tuned_of(whole)][:1] == [record.tuned for record in tuned_of(stopped)]
    assert len(tuned_of(whole)) == 2


SEARCH = """
import os, signal, sys
import openvino as ov
sys.path[:0] = [{tests!r}, {here!r}]
from test_search_finetune import searched, tuned_of
class Killer:
    def on_stage(self, text, done=0, total=None):
        if text.startswith("tuning trial") and done >= 40:
            os.kill(os.getpid(), signal.SIGKILL)
    def on_start(self, info, earlier): pass
    def on_trial(self, record, front): pass
    def on_finish(self, records, front, files): pass
result = searched(out={out!r}, observers=[Killer()] if {kill} else [])
for record in tuned_of(result):
    ov.save_model(result.candidate(record.number).model, f"{out}/{{record.tuned.of}}.xml", compress_to_fp16=False)
print([(r.number, r.tuned.of, r.tuned.model, r.evaluation.accuracy.mean) for r in tuned_of(result)])
"""


@pytest.mark.slow
def test_a_search_that_was_killed_while_it_trained_goes_on_to_the_same_models(tmp_path):
    def run(out: Path, *, kill: bool) -> subprocess.CompletedProcess:
        here = Path(__file__).parent
        code = SEARCH.format(tests=str(here.parent), here=str(here), out=str(out), kill=kill)
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)

    whole = run(tmp_path / "whole", kill=False)
    assert whole.returncode == 0, whole.stderr
    killed = run(tmp_path / "killed", kill=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rest = run(tmp_path / "killed", kill=False)
    assert rest.returncode == 0, rest.stderr
    assert rest.stdout == whole.stdout
    assert len(list((tmp_path / "whole").glob("*.bin"))) > 0
    for path in (tmp_path / "whole").glob("[0-9]*.bin"):
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("finetune", "message"),
    [
        ({"tops": 2, "steps": 5}, "finetune key 'tops' is unknown"),
        ({"top": 0, "steps": 5}, "finetune top is 0"),
        ({"top": 2}, "give one of epochs, steps or timeout_s"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 5, "loss": len}, "finetune data is missing"),
        ({"steps": 5, "data": "nowhere.npy"}, "nowhere.npy"),
        (3, "finetune"),
        ({"steps": 5, "data": images(3)}, "finetune has 3 samples to train on, and needs 4"),
        ({"steps": 5, "data": images(1), "batch_size": 1}, "finetune has 1 sample to train on, and needs 2"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(finetune, message):
    with pytest.raises(autoq.AutoqError, match=message):
        searched(finetune=finetune)


@pytest.mark.parametrize(
    ("count", "asked", "size"),
    [(64, 32, 32), (63, 32, 15), (40, 32, 10), (160, 100, 40), (5, 32, 2), (4, 32, 2), (2, 1, 1)],
)
def test_batches_of_few_samples_are_smaller(count, asked, size):
    net = conv_net()
    for data in (images(count), iter(list(images(count)))):
        read = as_inputs(net, data)
        given = {"steps": 5, "batch_size": asked}
        found = FineTuning.of(given, net, data, read, search_s=None, seed=0, folderless=False)
        assert found.settings.batch_size == size
        said = f"in batches of {size}, since there are {count} samples to train on: batches of {asked} need {2 * asked}"
        assert found.note is None if size == asked else said in found.note


def test_a_search_trains_on_few_samples_and_says_in_what_batches():
    told = []
    found = searched(calibration=images(20), finetune={"steps": 4, "top": 1}, observers=[Listener(told)])
    assert "trained in batches of 5, since there are 20 samples" in found.info.notes["batches"]
    assert told == [found.info.notes["batches"]]
    assert "was not tuned" not in found.info.notes["tuning"]
    assert "could not be tuned" not in found.info.notes["tuning"]


def test_the_time_of_the_training_is_a_part_of_that_of_the_search():
    with pytest.raises(ConfigError, match=r"finetune has steps: 5, and the whole search 60 seconds"):
        searched(timeout_s=60, finetune={"steps": 5})
    with pytest.raises(ConfigError, match=r"finetune has timeout_s: 60.* a part of them"):
        searched(timeout_s=60, finetune={"timeout_s": 60})


def test_storage_without_a_folder_keeps_no_models(tmp_path):
    with pytest.raises(ConfigError, match="finetune needs out"):
        searched(storage=f"sqlite:///{tmp_path}/study.db")


def test_models_are_kept_in_memory_without_a_folder():
    found = searched(finetune={"steps": 20, "top": 1, "lr": 3e-3})
    for record in tuned_of(found):
        assert found.candidate(record.number).model is not found.candidate(record.number).model
