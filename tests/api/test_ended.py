"""A search that has ended, started again: it says so, gives its result, and measures nothing."""

import json
import sqlite3
from types import SimpleNamespace

import numpy as np
import pytest
from networks import conv_net, images, run

import autoq
from autoq.api import SearchResult
from autoq.api.searches import _prepare
from autoq.api.searches._ended import _is_spent
from autoq.core import Until
from autoq.searching.problem import Clock

X = images(40, seed=2)
Y = run(conv_net(batch=40), X).argmax(axis=1)
SPACE = {"subset_sizes": 8, "sampler": "random", "sweep": 1}


def search(out, **changes):
    given = {
        "calibration": images(8, seed=1),
        "validation": (X, Y),
        "metric": "accuracy",
        "space": SPACE,
        "n_trials": 3,
        "max_drop": 0.5,
        "holdout": (X[:20], Y[:20]),
        "tracking_uri": "off",
        "progress": False,
        "isolate": False,
        "out": out,
    }
    return autoq.search(given.pop("model", None) or changes.pop("model", None) or conv_net(), **(given | changes))


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return search(tmp_path_factory.mktemp("run") / "it")


@pytest.fixture
def unmeasured(monkeypatch):
    """Whoever prepares a search calibrates and measures."""
    monkeypatch.setattr(_prepare, "problem_of", lambda *_: pytest.fail("prepared once more"))


class Watcher:
    def __init__(self):
        self.told = []

    def on_stage(self, text, done=0, total=None):
        self.told.append(text)

    def on_start(self, info, earlier):
        self.told.append((info.notes.get("ended"), len(earlier)))

    def on_trial(self, record, front):
        pytest.fail("a trial was run")

    def on_finish(self, records, front, files):
        self.told.append((len(records), [record.number for record in front], files))


def same(again, before):
    assert [record.number for record in again.records] == [record.number for record in before.records]
    for one, other in zip(again.records, before.records, strict=True):
        assert one.evaluation.accuracy.drop == other.evaluation.accuracy.drop
        assert one.evaluation.latency.ratio == other.evaluation.latency.ratio
        np.testing.assert_array_equal(one.evaluation.accuracy.scores, other.evaluation.accuracy.scores)
    assert [record.number for record in again.front] == [record.number for record in before.front]
    assert (again.verdict, again.holdout_verdict, again.figures) == (
        before.verdict,
        before.holdout_verdict,
        before.figures,
    )


@pytest.mark.slow
def test_its_result_comes_back_and_nothing_is_measured(ended, unmeasured):
    files = {path: path.stat().st_mtime_ns for path in ended.folder.glob("*.*") if path.name != "study.db"}
    watcher = Watcher()
    again = search(ended.folder, observers=[watcher])
    assert again.ended_before
    assert not ended.ended_before
    same(again, ended)
    note = "this search has ended before, after 3 trials: nothing is measured again"
    members = [record.number for record in ended.front]
    assert watcher.told == [(note, 3), (3, members, ended.folder)]
    assert files == {path: path.stat().st_mtime_ns for path in files}
    number = next(record.number for record in ended.records if not record.is_baseline)
    built = [run(result.candidate(number).model, X[:1]) for result in (again, ended)]
    np.testing.assert_array_equal(*built)
    # Asked for less, it has ended too.
    assert search(ended.folder, n_trials=1).ended_before
    assert search(ended.folder, timeout_s=1e-3).ended_before


@pytest.mark.slow
def test_files_that_are_gone_are_written_again(ended, unmeasured):
    for path in (ended.folder / "report.html", ended.folder / "run.json", ended.folder / "best" / "model.bin"):
        path.unlink()
        same(search(ended.folder), ended)
        assert path.exists()
        assert SearchResult.load(ended.folder).verdict == ended.verdict


@pytest.mark.slow
def test_another_choice_of_the_same_trials_needs_no_measurement(tmp_path, monkeypatch):
    before = search(tmp_path, holdout=False, n_trials=4)
    monkeypatch.setattr(_prepare, "problem_of", lambda *_: pytest.fail("prepared once more"))
    again = search(tmp_path, holdout=False, n_trials=4, choose="smallest")
    assert again.info.choose == "smallest"
    assert [record.number for record in again.front] == [record.number for record in before.front]
    assert SearchResult.load(tmp_path).verdict == again.verdict
    # A larger budget is another matter: it goes on.
    monkeypatch.undo()
    more = search(tmp_path, holdout=False, n_trials=5)
    assert not more.ended_before
    assert len(more.records) == 5
    assert search(tmp_path, holdout=False, n_trials=4).ended_before


@pytest.mark.slow
def test_a_study_in_a_storage_of_its_own_needs_no_folder(tmp_path, monkeypatch):
    given = {"storage": f"sqlite:///{tmp_path / 'study.db'}", "name": "mine", "n_trials": 2}
    before = search(None, **given)
    monkeypatch.setattr(_prepare, "problem_of", lambda *_: pytest.fail("prepared once more"))
    again = search(None, **given)
    assert again.ended_before
    assert again.verdict == before.verdict
    np.testing.assert_array_equal(*(run(result.candidate(1).model, X[:1]) for result in (again, before)))


@pytest.mark.slow
def test_one_that_was_killed_before_its_files_stood_writes_them(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SearchResult, "save", killed)
        search(tmp_path, n_trials=2)
    assert not (tmp_path / "run.json").exists()
    again = search(tmp_path, n_trials=2)
    assert again.ended_before
    assert SearchResult.load(tmp_path).verdict == again.verdict


@pytest.mark.slow
def test_a_damaged_note_of_its_end_is_made_again(tmp_path):
    search(tmp_path, n_trials=2)
    (database,) = tmp_path.rglob("study.db")
    with sqlite3.connect(database) as connection:
        changed = connection.execute(
            "UPDATE study_user_attributes SET value_json = replace(value_json, 'accuracy', 'accurate') "
            "WHERE key = 'autoq/ended'"
        )
        assert changed.rowcount == 1
    connection.close()
    assert not search(tmp_path, n_trials=2).ended_before
    assert search(tmp_path, n_trials=2).ended_before


@pytest.mark.slow
def test_one_that_was_interrupted_has_not_ended(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("autoq.api.searches._conclude.close", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert search(tmp_path, n_trials=2).interrupted
    assert not search(tmp_path, n_trials=2).ended_before


@pytest.mark.parametrize(
    ("asked", "trials", "budgets", "spent"),
    [
        # n_trials, timeout_s, until, what is trained
        ((3, None), 3, [], True),
        ((3, 9.0), 4, [], True),
        ((4, None), 3, [[3, None, "gain", None]], False),
        ((5, None), 3, [[5, None, "gain", None]], True),  # the sampler had nothing more to offer
        ((6, None), 3, [[5, None, "gain", None]], False),
        ((None, 240.0), 44, [[None, 240.0, "gain", None]], True),
        ((None, 120.0), 44, [[None, 240.0, "gain", None]], True),
        ((None, 600.0), 44, [[None, 240.0, "gain", None]], False),
        ((100, 240.0), 44, [[60, 240.0, "gain", None]], False),
        ((60, 240.0), 44, [[60, 240.0, "gain", None]], True),
        ((60, 240.0), 44, [[None, 240.0, "gain", None]], True),
        ((60, None), 44, [[None, 240.0, "gain", None]], False),
        ((None, None), 44, [[None, 240.0, "gain", None]], False),  # 60 trials
        ((None, None), 60, [[None, 240.0, "gain", None]], True),
        ((None, 240.0), 60, [[None, 240.0, "gain", None], [60, None, "gain", None]], True),
        ((None, 240.0), 60, [[60, None, "gain", None]], False),
        ((100, None, "time"), 44, [[100, None, "gain", None]], False),  # there was nothing more to gain
        ((100, None, "time"), 44, [[100, None, "time", None]], True),
        ((100, None), 44, [[100, None, "time", None]], True),
        ((3, None, "gain", 2), 3, [[3, None, "gain", None]], False),  # it is tuned later
        ((3, None, "gain", 2), 3, [[3, None, "gain", None], [3, None, "gain", "all-2"]], True),
        ((3, None, "gain", 3), 3, [[3, None, "gain", "all-2"]], False),
        ((3, None), 3, [[3, None, "gain", "all-2"]], True),
        ((None, 120.0, "gain", 2), 44, [[None, 240.0, "gain", "all-2"]], True),
        ((None, 120.0, "gain", 2), 44, [[None, 240.0, "gain", None]], False),
    ],
)
def test_what_counts_as_spent(asked, trials, budgets, spent):
    n_trials, timeout_s, until, top = (*asked, *("gain", None)[len(asked) - 2 :])
    given = SimpleNamespace(
        n_trials=n_trials,
        timeout_s=timeout_s,
        clock=Clock.of(timeout_s, 0.0),
        until=Until(until),
        finetune=None if top is None else SimpleNamespace(digest="all", top=top),
    )
    assert _is_spent(given, trials, json.loads(json.dumps(budgets))) is spent
