"""Stores that may be opened late, since nothing can be wrong with them; MLflow is the judge."""

import sqlite3

import pytest
from mlflow import MlflowClient

from autoq.core import ConfigError
from autoq.tracking import MlflowObserver, opens_surely
from autoq.tracking._caller import VARIABLES


@pytest.fixture(autouse=True)
def unnamed(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def changed(store, statement):
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        connection.execute(statement)


def test_a_store_of_this_version_opens(store):
    assert opens_surely(store, None, None)
    assert opens_surely(store, "another", None)
    MlflowObserver(store, "another")


def test_a_new_file_opens_where_its_folder_can_be_made(tmp_path):
    assert opens_surely(f"sqlite:///{tmp_path}/a folder/mlflow.db", None, None)
    assert (tmp_path / "a folder").is_dir()
    assert not list((tmp_path / "a folder").iterdir())
    with pytest.raises(ConfigError, match=r"MLflow store 'sqlite:////proc/no/m.db' cannot be opened: "):
        opens_surely("sqlite:////proc/no/m.db", None, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'f5a4f2784254'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
def test_a_store_of_another_version_or_half_made_may_not_open(store, statement):
    changed(store, statement)
    assert not opens_surely(store, None, None)


def test_an_experiment_that_was_deleted_may_not_open(store):
    client = MlflowClient(store)
    client.delete_experiment(client.create_experiment("gone"))
    assert not opens_surely(store, "gone", None)
    assert opens_surely(store, None, None)
    client.delete_experiment(client.create_experiment("autoq"))
    assert not opens_surely(store, None, None)


def test_another_file_a_server_and_a_run_of_the_caller_may_not_open(tmp_path, store, monkeypatch):
    (tmp_path / "text.db").write_text("no database")
    sqlite3.connect(tmp_path / "empty.db").close()
    for uri in (f"sqlite:///{tmp_path}/text.db", f"sqlite:///{tmp_path}/empty.db", "http://127.0.0.1:9", str(tmp_path)):
        assert not opens_surely(uri, None, None)
    assert not opens_surely(store, None, "0123")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "12345")
    assert not opens_surely(store, None, None)
    assert opens_surely(store, "named", None)
