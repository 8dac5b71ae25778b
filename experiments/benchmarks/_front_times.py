"""Runs one method on one case in a process of its own, and writes when it had which models.

An earlier version of autoq runs this too, where it is found first: so of autoq, only what both versions have is used,
and the cases of this folder are for the peer alone.

    python experiments/benchmarks/_front_times.py {search,loop} CASE FOLDER MOMENT[,MOMENT ...] STARTED [--quick]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import openvino as ov

EXPERIMENTS = Path(__file__).resolve().parent.parent
_ARGUMENTS = ("calibration", "validation", "metric", "max_drop", "space", "sample", "model_type", "holdout", "n_trials")
# Times the limit: what a search of so many seconds comes to may be a little late.
_LATE = 1.05
# What stages were called by earlier versions.
_CALLED = {"accuracy": "score", "latency": "time"}

# Builds the model of a trial.
Build = Callable[[int], ov.Model]


class Course:
    """A search observer that notes the first quantized model, the fronts and the seconds of trials.

    Seconds count from the start of the process. Of models without quantizers nothing is noted.

    Args:
        started: Moment of the system's monotonic clock when the process was started.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self.fronts: list[tuple[float, list[int]]] = []
        self.told: dict[int, float] = {}
        self.stages: dict[int, dict[str, float]] = {}

    @property
    def now(self) -> float:
        """Seconds since the process was started."""
        return time.monotonic() - self._started

    def note_front(self, numbers: Iterable[int]) -> None:
        """Notes what is on the front from now on, the fastest first."""
        self.fronts.append((self.now, list(numbers)))

    def note_trial(self, number: int, stages: Mapping[str, float]) -> None:
        """Notes a trial, which may have been noted before and been measured further since."""
        self.told.setdefault(number, self.now)
        self.stages[number] = {_CALLED.get(stage, stage): seconds for stage, seconds in stages.items()}

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Nothing."""

    def on_start(self, info: object, earlier: object) -> None:
        """Nothing."""

    def on_trial(self, record: Any, front: Any) -> None:  # of either version
        """Notes the trial and the front."""
        if record.quantized_sites and record.evaluation is not None:
            self.note_trial(record.number, record.seconds)
        self._note(front)

    def on_finish(self, records: object, front: Any, files: object) -> None:  # of either version
        """Notes the front."""
        self._note(front)

    def _note(self, front: Any) -> None:
        self.note_front(member.number for member in front.staircase if member.quantized_sites)


def front_at(fronts: Iterable[tuple[float, list[int]]], moment: float) -> list[int]:
    """The front that stood at a moment."""
    standing: list[int] = []
    for seconds, numbers in fronts:
        if seconds <= moment:
            standing = numbers
    return standing


def search(case: str, seconds: float, course: Course, folder: Path, *, quick: bool) -> Build:
    """Runs `autoq.search` with a folder and an MLflow store.

    Returns:
        What builds the models.
    """
    import autoq
    from autoq.config import ExperimentConfig

    given = ExperimentConfig.load(EXPERIMENTS / f"{case}.yaml", quick=quick).search_arguments()
    call = autoq.search
    result = call(
        given["model"],
        **{name: given[name] for name in _ARGUMENTS},
        timeout_s=seconds - course.now,
        out=folder / "run",
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
        progress=False,
        observers=[course],
    )
    course.on_finish(result.records, result.front, None)
    records = {record.number: record for record in result.records}
    return lambda number: result.build(records[number])


def loop(case: str, seconds: float, course: Course) -> Build:
    """Runs the plain loop; else as `search`."""
    from _cases import load
    from _plain_loop import plain_loop

    models: dict[int, ov.Model] = {}
    given = load(case)
    for trial in plain_loop(given, seconds - course.now):
        if trial.seconds:
            course.note_trial(trial.number, trial.seconds)
        course.note_front(trial.front)
        models.update(trial.front)
    return models.__getitem__


def main() -> None:
    """Runs it, and writes course.json and the models that stood on the front at a moment."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("method", choices=["search", "loop"])
    command.add_argument("case")
    command.add_argument("folder", type=Path)
    command.add_argument("moments", help="seconds, with commas; the last one is the time limit")
    command.add_argument("started", type=float)
    command.add_argument("--quick", action="store_true")
    options = command.parse_args()
    course = Course(options.started)
    *moments, limit = map(float, options.moments.split(","))
    if options.method == "loop":
        build = loop(options.case, limit, course)
    else:
        build = search(options.case, limit, course, options.folder, quick=options.quick)
    ended_s = course.now
    standing = [front_at(course.fronts, moment) for moment in (*moments, _LATE * limit)]
    needed = sorted({number for numbers in standing for number in numbers})
    for number in needed:
        ov.save_model(build(number), options.folder / f"{number}.xml", compress_to_fp16=False)
    found = {
        "standing": standing,
        "fronts": course.fronts,
        "told": list(course.told.values()),
        "stages": list(course.stages.values()),
        "ended_s": ended_s,
    }
    (options.folder / "course.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
