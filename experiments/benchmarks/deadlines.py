"""Whether searches keep the time that they are given, on idle and on loaded cores, files and tracking included.

Each search is the first one of a process of its own, with an output folder and an MLflow store, and counts from the
call on. It may be late by its longest trial, and has measured its first quantized model in the first third of its time.

    python experiments/benchmarks/deadlines.py [CASE ...] [--quick]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from itertools import cycle
from pathlib import Path

from _cases import arguments, load
from _lines import Lines
from _load import competing_load

import autoq
from autoq.searching.records import TrialRecord, TrialState
from autoq.searching.shown import ParetoFront

DEFAULT_CASES = ("cifar10_resnet20", "cifar10_mbv3", "cifar10_repvgg")
SECONDS = (20, 20, 30, 30, 45, 60, 60, 90, 120, 180)
LATE = "<= 1"
FIRST = "<= 0.3333"


class Marks:
    """A search observer that notes when the first quantized model was measured, and how long trials took."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first_s: float | None = None
        self.trials: list[float] = []

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Nothing."""

    def on_start(self, info: object, earlier: object) -> None:
        """Nothing."""

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Notes it."""
        self.trials.append(sum(record.seconds.values()))
        measured = record.state is TrialState.COMPLETE and not record.is_baseline
        if measured and self.first_s is None:
            self.first_s = time.monotonic() - self.started

    def on_finish(self, records: object, front: object, files: object) -> None:
        """Nothing."""


def one(name: str, seconds: float) -> None:
    """Searches once, and prints how that went."""
    case = load(name)
    names = ("calibration", "validation", "metric", "max_drop", "space", "sample", "model_type", "holdout")
    given = {name: case.given[name] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        search, marks = autoq.search, Marks()
        result = search(
            case.path,
            **given,
            timeout_s=seconds,
            out=Path(folder) / "run",
            tracking_uri=f"sqlite:///{folder}/mlflow.db",
            progress=False,
            observers=[marks],
        )
        took = time.monotonic() - marks.started
    found = {
        "took_s": took,
        "first_s": marks.first_s,
        "trial_s": max(marks.trials, default=0.0),
        "trials": len(marks.trials),
        "remeasured": sum(record.remeasured for record in result.records),
        "held_out": 0 if result.holdout is None else result.holdout.n,
        "shortened": list(result.shortened),
    }
    print(json.dumps(found))


def compare(name: str, seconds: float, lines: Lines, *, loaded: bool, quick: bool) -> None:
    """Prints the figures of one search."""
    with competing_load() if loaded else nullcontext():
        command = [sys.executable, __file__, name, "--one", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    found = json.loads(done.stdout.splitlines()[-1])
    case = f"{name}, {seconds:g} s, {'loaded' if loaded else 'idle'}"
    late = found["took_s"] - seconds
    first = float("inf") if found["first_s"] is None else found["first_s"] / seconds
    trial = max(found["trial_s"], 1e-3)
    lines.figure(case, "late_s", late, goal=None if quick else LATE, judged=late / trial, **_rounded(found))
    lines.figure(case, "first_share", first, goal=None if quick else FIRST)


def _rounded(found: dict[str, object]) -> dict[str, object]:
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in found.items()}


def main() -> None:
    """Runs every search, on idle and on loaded cores."""
    options = arguments(__doc__)
    lines = Lines("deadlines")
    for seconds, name in zip(SECONDS[:1] if options.quick else SECONDS, cycle(options.cases or DEFAULT_CASES)):
        for loaded in (False, True):
            compare(name, seconds, lines, loaded=loaded, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    if "--one" in sys.argv:
        one(sys.argv[1], float(sys.argv[3]))
    else:
        main()
