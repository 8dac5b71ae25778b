"""The storage of a study: there as a whole, one process's at a time, waited for, and without its password."""

import os
import sqlite3
import threading
from contextlib import closing

import optuna
import pytest

from autoq.core import BusyError, ConfigError
from autoq.searching.study import Storage, Study, quiet_optuna
from autoq.searching.study import _storage as module
from autoq.stores import StoreWarning, _patience, _sqlite


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(_sqlite, "_STILL_S", 0.02)
    with quiet_optuna():
        yield


def study_in(storage, name="s"):
    return Study(storage, name, sampler="random", seed=0, identity={})


def test_a_file_is_made_and_found_again_by_optuna(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Storage.opened("sqlite:///a b.db", "../a?b") as storage:
        os.chdir("/")  # connections that are made later go to the same file
        study_in(storage, "../a?b").remember("key", 1)
        assert len(list(tmp_path.iterdir())) == 2  # the lock of the study stands beside the file
    assert [file.name for file in tmp_path.iterdir()] == ["a b.db"]
    stored = optuna.load_study(study_name="../a?b", storage=f"sqlite:///{tmp_path}/a b.db")
    assert stored.user_attrs["autoq/key"]["value"] == 1


def test_a_half_made_one_is_put_aside(tmp_path):
    path = tmp_path / "study.db"
    url = f"sqlite:///{path}"
    with Storage.opened(url, "s"):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE trials; DELETE FROM version_info")
    with pytest.warns(StoreWarning, match=r"kept as 'study.db.incomplete-1'"), Storage.opened(url, "s") as storage:
        study_in(storage).ask()


def test_one_with_studies_is_never_put_aside(tmp_path):
    path = tmp_path / "study.db"
    url = f"sqlite:///{path}"
    with Storage.opened(url, "s") as storage:
        study_in(storage)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("UPDATE alembic_version SET version_num = 'v3.0.0.a'")
    with pytest.raises(ConfigError, match=r"older version of Optuna.*optuna storage upgrade"):
        Storage.opened(url, "s").__enter__()
    assert [file.name for file in tmp_path.iterdir()] == ["study.db"]


def test_a_study_is_one_searchs_at_a_time_and_others_stand_beside_it(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    with Storage.opened(url, "s"):
        with pytest.raises(BusyError, match=rf"study 's' in storage .* is at work in process {os.getpid()} on host"):
            Storage.opened(url, "s").__enter__()
        with Storage.opened(url, "another"):
            pass


def test_nothing_is_written_once_the_study_was_taken_over(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    with Storage.opened(url, "s") as storage:
        study = study_in(storage)
        trial = study.ask()
        (lock,) = tmp_path.glob(".*.lock")
        lock.write_text(lock.read_text().replace('"token": "', '"token": "x').replace('"kernel": "', '"kernel": "x'))
        for write in (
            lambda: study.remember("key", 1),
            study.ask,
            lambda: study.enqueue({"x": 1}, "origin"),
            lambda: trial.suggest_float("x", 0, 1),
            lambda: trial.set_user_attr("key", 1),
            lambda: trial.set_constraint("c", 1.0),
            lambda: study._study.tell(trial, [0.0, 0.0]),
        ):
            with pytest.raises(BusyError, match="was taken over by process"):
                write()
    stored = optuna.load_study(study_name="s", storage=url)
    assert "autoq/key" not in stored.user_attrs
    assert [(trial.state.name, trial.params, trial.user_attrs) for trial in stored.trials] == [("RUNNING", {}, {})]


def test_a_file_that_another_program_has_locked_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FILE_WAIT_S", 0.05)
    monkeypatch.setattr(_patience, "_SILENT_S", 0.1)
    path = tmp_path / "study.db"
    with Storage.opened(f"sqlite:///{path}", "s") as storage:
        study = study_in(storage)
        other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.6, lambda: (freed.set(), other.execute("ROLLBACK")))
        freed = threading.Event()
        timer.start()
        with pytest.warns(StoreWarning, match=r"waiting for storage .*, up to 120 s: database is locked\."):
            study.remember("key", 1)
        assert freed.is_set()
        assert study.recall("key") == 1
        timer.join()
        other.close()


def test_one_that_stays_locked_is_an_error_of_the_storage(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FILE_WAIT_S", 0.05)
    monkeypatch.setattr(_patience, "LONGEST_WAIT_S", 0.2)
    path = tmp_path / "study.db"
    with Storage.opened(f"sqlite:///{path}", "s") as storage, closing(sqlite3.connect(path)) as other:
        study = study_in(storage)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(module.optuna.exceptions.StorageInternalError):
            study.remember("key", 1)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////absent/study.db", "storage 'sqlite:////absent/study.db' cannot be opened"),
        ("study.db", "is not the URL of a database"),
        ("postgresql://me:se@cr:et@host/db", r"storage 'postgresql://me:\*\*\*@host/db' is not the URL"),
        ("postgresql://me:secret@host:port/db", r"storage 'postgresql://me:\*\*\*@host:port/db' is not the URL"),
        ("oracle+none://me:secret@host/db", r"storage 'oracle\+none://me:\*\*\*@host/db' cannot be opened"),
        ("sqlite:///nul\0.db", "is not the URL of a database"),
    ],
)
def test_what_cannot_be_opened_is_said_without_its_password(url, said):
    with pytest.raises(ConfigError, match=said) as error:
        Storage.opened(url, "s").__enter__()
    assert "cr" not in str(error.value).replace("cannot", "")
    assert "secret" not in f"{error.value.__cause__} {error.value.__context__}"


def test_a_driver_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("autoq.stores._database._is_there", lambda module: False)
    with pytest.raises(ConfigError, match=r"needs a driver that is not installed: pip install 'psycopg\[binary\]' or "):
        Storage.opened("postgres://host/db", "s").__enter__()
