"""A lease: one process at a time, freed when its owner ends, lost by nobody who lives."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from autoq.core import BusyError
from autoq.stores import FileLease, _lease, leased
from autoq.stores._holder import Holder

CHILD = """
import sys, time
from pathlib import Path
from autoq.stores import FileLease, leased
with leased(FileLease(Path(sys.argv[1])), "study 'x'", "wait") as check:
    print("held", flush=True)
    sys.stdin.readline()
    check()
    print("mine", flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def take(path):
    return leased(FileLease(path), "study 'x'", "wait for it")


@pytest.fixture
def owner(path):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_with_who_holds_it(path, owner):
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    said = re.compile(rf"study 'x' is at work in process {owner.pid} on host \S+, since {since}; wait for it\.")
    for stop in (False, True):
        if stop:
            owner.send_signal(signal.SIGSTOP)
        with pytest.raises(BusyError) as refused, take(path):
            pass
        assert said.fullmatch(str(refused.value))
    owner.send_signal(signal.SIGCONT)
    assert owner.communicate("\n")[0] == "mine\n"
    assert not path.exists()


def test_a_killed_owner_frees_it_at_once(path, owner, monkeypatch):
    owner.kill()
    owner.wait()
    monkeypatch.setattr(_lease.time, "sleep", lambda _: pytest.fail("it was waited for"))
    with take(path) as check:
        check()
    assert not path.exists()


def test_this_process_may_not_take_it_twice_but_again(path):
    with take(path), pytest.raises(BusyError, match=f"process {os.getpid()} "), take(path):
        pass
    with take(path):
        pass


def test_children_do_not_hold_it_beyond_their_parent(path):
    context = multiprocessing.get_context("fork")
    with take(path):
        child = context.Process(target=time.sleep, args=(30,))
        child.start()
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with take(path):
            assert child.is_alive()
    finally:
        child.kill()
        child.join()
        other.communicate(b"\n")


def elsewhere(path, **changes):
    """Writes down a holder of another host."""
    values = json.loads(Holder.this().text) | {"kernel": "another", "host": "elsewhere", "process": 1} | changes
    path.write_text(json.dumps(values))


def test_an_owner_of_another_host_is_watched(path, monkeypatch):
    monkeypatch.setattr(_lease, "_LOOK_S", 0.02)
    monkeypatch.setattr(_lease, "WATCH_S", 0.2)
    elsewhere(path)
    began = time.monotonic()
    with take(path) as check:
        assert time.monotonic() - began > 0.2
        check()


def test_one_that_gives_signs_of_life_is_not_robbed(path, monkeypatch):
    monkeypatch.setattr(_lease, "_LOOK_S", 0.02)
    elsewhere(path)
    beats = iter(range(100))
    monkeypatch.setattr(_lease.time, "sleep", lambda _: os.utime(path, (next(beats), 1)))
    with pytest.raises(BusyError, match="process 1 on host elsewhere"), take(path):
        pass
    assert path.exists()


def test_an_owner_that_was_robbed_changes_no_more(path):
    with take(path) as check:
        check()
        elsewhere(path)
        with pytest.raises(BusyError, match="was taken over by process 1 on host elsewhere"):
            check()
    assert path.exists() is False or "elsewhere" in path.read_text()


def test_an_owner_whose_file_was_removed_goes_on(path):
    with take(path) as check:
        path.unlink()
        check()
        with pytest.raises(BusyError), take(path):
            pass
    assert not path.exists()


def test_it_gives_signs_of_life(path, monkeypatch):
    monkeypatch.setattr(_lease, "BEAT_S", 0.01)
    with take(path):
        os.utime(path, (1, 1))
        until = time.monotonic() + 10
        while path.stat().st_mtime < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert path.stat().st_mtime > 2
