"""A process that has imported everything, and forks sessions of searches: each runs to its end, or is killed.

It reads one request a line, as JSON, and answers each with one line. A request names sessions that run at the same
time, each with its folder and with what is to end it. Nobody survives an answer: what a session leaves behind is
counted as an orphan, and ended.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("write", "entry", "fsync", "sql")
_PR_SET_CHILD_SUBREAPER = 36
# Children of a killed process are gone by then.
_PATIENCE_S = 5.0
_HEAVY = (
    "alembic.command",
    "autoq.cli",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna.storages",
    "pandas",
    "scipy.optimize",
)


class Counter:
    """Counts events of this process, those of files by a library that was loaded first, and ends it at one of them."""

    def __init__(self) -> None:
        self._files = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._files.events_counted.restype = ctypes.c_long
        self._files.events_arm.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_int]
        self._statements = 0

    def arm(self, kind: str | None, at: int, *, torn: bool) -> None:
        """Begins to count; None ends nothing."""
        last = at if kind == "sql" else 0

        def traced(_: str) -> None:
            self._statements += 1
            if self._statements == last:
                os.kill(os.getpid(), signal.SIGKILL)

        connect = sqlite3.dbapi2.connect

        def connected(*arguments: Any, **keywords: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **keywords)
            connection.set_trace_callback(traced)
            return connection

        sqlite3.connect = sqlite3.dbapi2.connect = connected
        self._files.events_arm(KINDS.index(kind) if kind in KINDS[:-1] else -1, at, torn)

    def counts(self) -> dict[str, int]:
        """So far."""
        files = {kind: int(self._files.events_counted(place)) for place, kind in enumerate(KINDS[:-1])}
        return files | {"sql": self._statements}

    def disarm(self) -> None:
        """Ends to count what files are written."""
        self._files.events_disarm()


class Started:
    """A search observer that notes what was counted when the trials began: all stores are made then."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.counts: dict[str, int] = {}

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Nothing."""

    def on_start(self, info: object, earlier: object) -> None:
        """Notes it."""
        self.counts = self._counter.counts()

    def on_trial(self, record: object, front: object) -> None:
        """Nothing."""

    def on_finish(self, records: object, front: object, files: object) -> None:
        """Nothing."""


@dataclass(slots=True)
class Running:
    """A session that runs.

    Attributes:
        place: Among those of its request.
        began: A moment of the clock.
        ends: When it is to be killed.
    """

    place: int
    began: float
    ends: float


def session(request: Mapping[str, Any], counter: Counter) -> None:
    """Runs one session in this process, and writes how it went."""
    root = Path(request["folder"])
    with (root / "said.txt").open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    os.environ["TMPDIR"] = str(root / "temporary")
    os.chdir(root / "work")
    time.sleep(request.get("delay_s", 0.0))
    outcome = {"pid": os.getpid(), "error": None} | _ended(request, counter)
    counter.disarm()
    draft = Path(f"{request['outcome']}.draft")
    draft.write_text(json.dumps(outcome))
    draft.replace(request["outcome"])


def _ended(request: Mapping[str, Any], counter: Counter) -> dict[str, Any]:
    from _remains import of_folder, of_result
    from _searched import SEARCHES

    from autoq.core import AutoqError

    given = request["given"]
    try:
        if request["do"] == "store":
            from mlflow import MlflowClient

            MlflowClient("sqlite:///mlflow.db").search_experiments()
            return {}
        if request["do"] == "look":
            return {"found": of_folder(Path.cwd(), given, Path(request["folder"]) / "temporary")}
        started, began = Started(counter), time.monotonic()
        counter.arm(request.get("kind"), request.get("at", 0), torn=request.get("torn", False))
        result = SEARCHES[request["do"]](**given, observers=[started])
        counts = {"counts": counter.counts(), "counts_of_stores": started.counts, "seconds": time.monotonic() - began}
        return counts | {"found": of_result(result)}
    except Exception as error:  # noqa: BLE001  # of any kind: it is what is looked for
        import traceback

        traceback.print_exc()
        mine = isinstance(error, AutoqError)
        return {"error": {"type": type(error).__name__, "text": str(error), "is_said": mine}}


def served(requests: Sequence[Mapping[str, Any]], child: Callable[[Mapping[str, Any]], None]) -> list[dict[str, Any]]:
    """Runs sessions at the same time.

    Returns:
        Of each its exit status, or minus the signal that ended it, and what it wrote; of the last all orphans.
    """
    running: dict[int, Running] = {}
    for place, request in enumerate(requests):
        Path(request["outcome"]).unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            child(request)
        now = time.monotonic()
        running[pid] = Running(place, now, now + request.get("after_s", float("inf")))
    answers: list[dict[str, Any]] = [{} for _ in requests]
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in running:
            outcome = Path(requests[running[pid].place]["outcome"])
            written = json.loads(outcome.read_text()) if outcome.exists() else {}
            seconds = time.monotonic() - running[pid].began
            answers[running.pop(pid).place] = (
                {"took_s": seconds} | written | {"status": os.waitstatus_to_exitcode(status)}
            )
        if pid == 0:
            time.sleep(0.005)
            for number in [number for number, one in running.items() if time.monotonic() > one.ends]:
                running[number].ends = float("inf")
                os.kill(number, signal.SIGKILL)
    answers[-1]["orphans"] = _orphans()
    return answers


def _orphans() -> list[str]:
    """Command lines of the processes that sessions left, and that do not end by themselves; these are killed."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return []
        time.sleep(0.01)
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            with suppress(OSError):
                found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200])
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    return found


def main() -> None:
    """Answers requests until there are no more."""
    from _searched import prepared

    for name in _HEAVY:
        importlib.import_module(name)
    prepared()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    counter = Counter()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def child(request: Mapping[str, Any]) -> None:
        answers.close()
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        session(request, counter)
        sys.exit()

    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(served(json.loads(line), child)), file=answers, flush=True)


if __name__ == "__main__":
    main()
