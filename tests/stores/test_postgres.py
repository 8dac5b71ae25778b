"""Studies and runs in PostgreSQL: made once, worked on by one process, waited for, and no password anywhere."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import optuna
import postgres_server
import pytest

from autoq.core import BusyError, ConfigError
from autoq.searching.study import Storage, Study, quiet_optuna
from autoq.stores import StoreWarning, _lease, _patience
from autoq.tracking import MlflowObserver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgres_server.is_there(), reason="there is no PostgreSQL server on this machine"),
]
pytest.importorskip("psycopg")

CHILD = """
import sys
from autoq.searching.study import Storage, Study
with Storage.opened(sys.argv[1], sys.argv[2]) as storage:
    study = Study(storage, sys.argv[2], sampler="random", seed=0, identity={})
    study.remember("key", 1)
    print("held", flush=True)
    sys.stdin.readline()
    study.remember("key", 2)
    print("kept", flush=True)
"""
OPENING = """
import sys
from autoq.searching.study import Storage
from autoq.tracking import MlflowObserver
with Storage.opened(sys.argv[1], sys.argv[3]):
    print(MlflowObserver(sys.argv[2], "autoq").experiment_id)
"""


@pytest.fixture(scope="module")
def server():
    # Others than root cannot enter pytest's folders.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = postgres_server.started(Path(folder) / "server")
        yield server
        server.stop()


@pytest.fixture
def database(server, request):
    name = request.node.name[:50]
    server.create(name)
    return name


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(_patience, "_SILENT_S", 0.5)
    with quiet_optuna():
        yield


def child(url, name):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n", process.communicate()[1]
    return process


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_needs_no_driver(server, database, scheme):
    with Storage.opened(server.url(database, scheme), "s") as storage:
        Study(storage, "s", sampler="random", seed=0, identity={}).remember("key", 1)
        assert postgres_server.PASSWORD not in repr(storage.kept.__dict__)
    stored = optuna.load_study(study_name="s", storage=server.url(database, "postgresql+psycopg"))
    assert stored.user_attrs["autoq/key"]["value"] == 1


def test_one_process_at_a_time_works_on_a_study(server, database):
    url = server.url(database)
    owner = child(url, "s")
    with pytest.raises(BusyError, match=rf"study 's' .* is at work in process {owner.pid} on host") as refused:
        Storage.opened(url, "s").__enter__()
    assert "cret" not in str(refused.value)
    with Storage.opened(url, "another"):
        pass
    owner.kill()
    owner.communicate()
    with Storage.opened(url, "s") as storage:
        assert Study(storage, "s", sampler="random", seed=0, identity={}).recall("key") == 1


def test_an_owner_that_was_robbed_changes_no_more(server, database, monkeypatch):
    from sqlalchemy import create_engine, text

    url = server.url(database)
    owner = child(url, "s")
    engine = create_engine(server.url(database, "postgresql+psycopg"))
    with engine.begin() as connection:
        holder = json.loads(connection.execute(text("SELECT holder FROM autoq_leases")).scalar())
        robber = json.dumps(holder | {"token": "other", "kernel": "other", "host": "elsewhere"})
        connection.execute(text("UPDATE autoq_leases SET holder = :robber"), {"robber": robber})
    out, said = owner.communicate("\n")
    assert "kept" not in out
    assert "BusyError: study 's'" in said
    assert "was taken over by process" in said
    monkeypatch.setattr(_lease, "WATCH_S", 0.3)
    with Storage.opened(url, "s") as storage:  # the robber gives no sign of life
        assert Study(storage, "s", sampler="random", seed=0, identity={}).recall("key") == 1
    engine.dispose()


def test_a_server_that_restarts_is_waited_for(server, database):
    with Storage.opened(server.url(database), "s") as storage:
        study = Study(storage, "s", sampler="random", seed=0, identity={})
        server.stop()
        timer = threading.Timer(1.5, server.start)
        timer.start()
        with pytest.warns(StoreWarning, match=r"waiting for storage 'postgresql://me:\*\*\*@127.0.0.1:\d+/.*', up to"):
            study.remember("key", 2)
        timer.join()
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.remember("key", 3)
    with Storage.opened(server.url(database), "s") as storage:
        assert Study(storage, "s", sampler="random", seed=0, identity={}).recall("key") == 3


def test_runs_are_kept_there_too(server, database):
    observer = MlflowObserver(server.url(database), "autoq")
    assert "cret" not in observer.tracking_uri
    server.stop()
    timer = threading.Timer(1.5, server.start)
    timer.start()
    with pytest.warns(StoreWarning, match="waiting for MLflow store .*"):
        run = observer._client.create_run(observer.experiment_id)
    timer.join()
    assert observer._client.get_run(run.info.run_id).info.status == "RUNNING"


def test_what_is_wrong_is_said_without_the_password(server):
    for url in (server.url("absent"), server.url("postgres", "postgresql", "wrong word")):
        for opening in (lambda url: Storage.opened(url, "s").__enter__(), lambda url: MlflowObserver(url, "autoq")):
            with pytest.raises(ConfigError, match=r"cannot be opened: .*FATAL") as said:
                opening(url)
            for error in (said.value, said.value.__cause__):
                assert "cret" not in str(error)
                assert "wrong" not in str(error)


def test_several_that_start_at_once_all_start(server, database):
    server.create(f"{database}_m")
    urls = [server.url(database), server.url(f"{database}_m")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING, *urls, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for number in range(3)
    ]
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1


def test_an_owner_gives_signs_of_life(server, database, monkeypatch):
    from sqlalchemy import create_engine, text

    monkeypatch.setattr(_lease, "BEAT_S", 0.05)
    engine = create_engine(server.url(database, "postgresql+psycopg"))
    with Storage.opened(server.url(database), "s"), engine.connect() as connection:
        until = time.monotonic() + 20
        while time.monotonic() < until and not connection.execute(text("SELECT beat FROM autoq_leases")).scalar():
            connection.rollback()
            time.sleep(0.05)
        assert connection.execute(text("SELECT beat FROM autoq_leases")).scalar() > 0
    engine.dispose()
