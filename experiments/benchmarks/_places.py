"""Folders in which searches are run and killed, and the processes that run them, some at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import Any

HERE = Path(__file__).resolve().parent
PROCESSES = 2
HANGS_S = 600.0
# Lines that are printed of what went wrong.
_LAST = 20
# A folder in memory, where the system has one.
_MEMORY = Path("/dev", "shm")


class Sessions:
    """A process that runs sessions, and is asked by lines of JSON."""

    def __init__(self, library: Path) -> None:
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "OPENBLAS_NUM_THREADS": "1"}
        inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "_sessions.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=inherited | quiet | {"LD_PRELOAD": str(library)},
            text=True,
        )

    def __call__(self, *requests: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Runs sessions at the same time."""
        if self._process.stdin is None or self._process.stdout is None or self._process.poll() is not None:
            msg = "the process that runs sessions has ended."
            raise RuntimeError(msg)
        print(json.dumps(requests), file=self._process.stdin, flush=True)
        while isinstance(answer := json.loads(self._process.stdout.readline()), str):
            pass
        return answer

    def close(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        self._process.wait()


@dataclass(slots=True)
class Place:
    """A folder for one search.

    Attributes:
        root: Folder.
        run: Runs sessions.
        store: An empty MLflow store that it begins with; None begins with none.
        faults: What is wrong, by kind.
        sessions: That were run in it.
        killed: Of these.
    """

    root: Path
    run: Sessions
    store: Path | None = None
    faults: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    killed: int = 0

    def __post_init__(self) -> None:
        for name in ("temporary", "work"):
            (self.root / name).mkdir(parents=True)
        if self.store is not None:
            shutil.copyfile(self.store, self.root / "work" / "mlflow.db")

    def ask(self, *requests: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Runs sessions at the same time, and counts what they did wrong."""
        same = {"folder": str(self.root), "after_s": HANGS_S}
        answers = self.run(*(same | r | {"outcome": str(self.root / f"{n}.json")} for n, r in enumerate(requests)))
        self.sessions += len(requests)
        for request, answer in zip(requests, answers, strict=True):
            self.killed += answer["status"] == -9
            if answer["status"] != 0 and not {"kind", "after_s"} & request.keys():
                self.faults[f"ended with status {answer['status']}"] += 1
        if answers[-1]["orphans"]:
            self.faults["a process was left over"] += 1
        return answers

    def compare(self, found: Mapping[str, Any], whole: Mapping[str, Any], *names: str) -> None:
        """Counts the parts that are not as they were in an uninterrupted search."""
        for name in names or whole:
            if found.get(name) != whole[name]:
                self.faults[f"{name} differ"] += 1
                self.note("\n".join([f"{name} differ:", *_differences(found.get(name), whole[name])]))

    def said(self) -> Iterator[str]:
        """The ends of what was noted, and of what its searches printed."""
        for name in ("faults.txt", "said.txt"):
            if (file := self.root / name).exists():
                yield from (line[:300] for line in file.read_text().splitlines()[-_LAST:])

    def note(self, text: str) -> None:
        """Keeps what is wrong with the folder."""
        with (self.root / "faults.txt").open("a") as file:
            print(text, file=file)


def _differences(found: Any, whole: Any, at: str = "") -> Iterator[str]:  # any JSON values
    """Where two differ, and how."""
    if isinstance(found, list) and isinstance(whole, list) and len(found) == len(whole):
        for place, pair in enumerate(zip(found, whole, strict=True)):
            yield from _differences(*pair, f"{at}[{place}]")
    elif isinstance(found, list) and isinstance(whole, list):
        yield from (f"{at} - {json.dumps(item)[:300]}" for item in whole if item not in found)
        yield from (f"{at} + {json.dumps(item)[:300]}" for item in found if item not in whole)
    elif found != whole:
        yield f"{at} found {json.dumps(found)[:300]}, whole {json.dumps(whole)[:300]}"


@dataclass(slots=True)
class Bench:
    """Runs searches side by side in folders of their own.

    Attributes:
        root: Folder of all.
        processes: That run sessions.
        keep: Where folders of searches that came to harm stay.
    """

    root: Path
    processes: Sequence[Sessions]
    keep: Path | None
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: Lock = field(default_factory=Lock)

    def each(self, jobs: Sequence[Callable[[Place], Any]], store: Path | None = None) -> list[tuple[Place, Any]]:
        """Runs jobs, as many at a time as there are processes.

        Args:
            jobs: Each has a folder of its own.
            store: An MLflow store that each begins with; None begins with none.

        Returns:
            Of each its folder, which is gone, and what it gave.
        """
        queue: Queue[int] = Queue()
        for number in range(len(jobs)):
            queue.put(number)
        done: dict[int, tuple[Place, Any]] = {}
        errors: list[BaseException] = []

        def work(run: Sessions) -> None:
            while not errors:
                try:
                    number = queue.get_nowait()
                except Empty:
                    return
                try:
                    done[number] = self._one(jobs[number], run, store)
                except BaseException as error:  # noqa: BLE001  # of any kind: it ends the benchmark
                    errors.append(error)

        threads = [Thread(target=work, args=(run,)) for run in self.processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return [done[number] for number in range(len(jobs))]

    def _one(self, job: Callable[[Place], Any], run: Sessions, store: Path | None) -> tuple[Place, Any]:
        with self._lock:
            place = Place(self.root / f"{next(self._numbers)}", run, store)
        found = job(place)
        if place.faults:
            print(f"{place.root.name}: {dict(place.faults)}", *place.said(), sep="\n", file=sys.stderr, flush=True)
            if self.keep is not None:
                shutil.copytree(place.root, self.keep / place.root.name, dirs_exist_ok=True)
        shutil.rmtree(place.root)
        return place, found


@contextmanager
def bench(keep: Path | None) -> Iterator[Bench]:
    """Compiles what counts events, and starts the processes."""
    with ExitStack() as stack:
        # Who is killed finds all that was written, flushed or not; so a file system in memory does, and takes no time.
        memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", dir=memory)))
        library = root / "events.so"
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "_events.c"), "-ldl"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        processes = [Sessions(library) for _ in range(PROCESSES)]
        for process in processes:
            stack.callback(process.close)
        yield Bench(root, processes, keep)
