"""How long a search takes to its first quantized model, and to which share of the front after so many seconds.

Ours, ours as it was at an earlier commit, and the loop of Optuna over `nncf.quantize` that people write, in turn, each
in a process of its own that starts cold: seconds count from its start, with imports and reading. The models that stood
on each one's front at each moment are then scored on held-out data and timed, all in one session. The joint front is
that of all these models together, and a share is that of the area between it and the float model's latency and the
budget. Areas are means over draws of samples: one half decides which model stands where, and its drop is that of the
other half, so that many models that nothing separates are no better than a few. At the time limit counts what was there
a twentieth later. Seconds until a share was reached are at most those told, since models that stood on a front between
two moments are not judged.

    python experiments/benchmarks/time_to_front.py [CASE ...] [--seconds 600] [--methods ours,before,loop] [--quick]
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import openvino as ov
from _cases import EXPERIMENTS, Case, cases, parser
from _held_out import Drawn, Point, hypervolume, judged
from _lines import Lines, short
from numpy.typing import NDArray

CASES = ("cifar10_repvgg", "cifar10_resnet20", "cifar10_mbv3", "effnet_lite0_cifar10", "minilm_l6", "ppocrv4_rec")
SMALLEST = CASES[1:2]
OURS, BEFORE, LOOP = METHODS = ("ours", "before", "loop")
# The commit of "before", and the tree of all others.
_EARLIER = "4e2a139"
_TREE = EXPERIMENTS.parent
_CHILD = Path(__file__).with_name("_front_times.py")
MOMENTS = (30, 60, 120, 300, 600)
# Of convolutional nets, the share of the front that is to be reached after so many seconds.
_SHARES = {60: 0.8, 120: 0.95}
_FASTER = ">= 2"

# Of a model: method and number.
Key = tuple[str, int]


@dataclass(frozen=True)
class Run:
    """How one method went on one case.

    Attributes:
        standing: Numbers of the models on its front at each moment.
        fronts: Seconds, and numbers of the models on the front from then on.
        told: Seconds when each trial of a quantized model was first told of.
        stages: Seconds by stage of each of these trials.
        ended_s: Seconds when it was over.
        models: By number, those that stood on a front at a moment.
    """

    standing: Sequence[Sequence[int]]
    fronts: Sequence[tuple[float, list[int]]]
    told: Sequence[float]
    stages: Sequence[Mapping[str, float]]
    ended_s: float
    models: Mapping[int, ov.Model]

    @property
    def first_s(self) -> float:
        """Seconds to the first quantized model."""
        return self.told[0] if self.told else math.inf

    @property
    def trial_s(self) -> float:
        """Seconds from one trial to the next, the median."""
        return statistics.median(np.diff(self.told)) if len(self.told) > 1 else math.inf

    def stage_s(self, stage: str) -> float:
        """Seconds of a trial in a stage, the mean."""
        known = any(stage in trial for trial in self.stages)
        return statistics.fmean(trial.get(stage, 0.0) for trial in self.stages) if known else math.inf


def compare(case: Case, lines: Lines, methods: Mapping[str, Path], *, moments: Sequence[float], quick: bool) -> None:
    """Prints the figures of one case.

    Args:
        case: The case.
        lines: Where to.
        methods: The tree of each method.
        moments: Seconds from the start; the last is the time limit.
        quick: Whether this is a smoke test.
    """
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            method: run(method, tree, case, Path(folder) / method, moments, quick=quick)
            for method, tree in methods.items()
        }
        keys = [(method, number) for method, one in runs.items() for number in one.models]
        points = judged(case, [(method, runs[method].models[number]) for method, number in keys], quick=quick)
    faster = _FASTER if case.convolutional and not quick else None
    _figure(lines, case, "first_quantized_s", {m: one.first_s for m, one in runs.items()}, goal=faster)
    _figure(lines, case, "trial_s", {m: one.trial_s for m, one in runs.items()}, goal=faster)
    for stage in dict.fromkeys(stage for one in runs.values() for trial in one.stages for stage in trial):
        _figure(lines, case, f"trial_s, {stage}", {m: one.stage_s(stage) for m, one in runs.items()})
    trials = {m: len(one.told) for m, one in runs.items()}
    _figure(lines, case, "ended_s", {m: one.ended_s for m, one in runs.items()}, trials=trials)
    _shares(lines, case, runs, dict(zip(keys, points, strict=True)), moments, quick=quick)


def _shares(
    lines: Lines,
    case: Case,
    runs: Mapping[str, Run],
    points: Mapping[Key, Point],
    moments: Sequence[float],
    *,
    quick: bool,
) -> None:
    """Prints which share of the joint front each method had when."""
    budget = float(case.given["max_drop"])
    places = {key: place for place, key in enumerate(points)}

    drawn = Drawn.of(list(points.values())) if points else None
    whole = 0.0 if drawn is None else float(drawn.areas(range(len(points)), budget).mean())

    @cache
    def shares_of(method: str, numbers: tuple[int, ...]) -> NDArray[np.float64]:
        if drawn is None or not whole:
            return np.array([math.nan])
        own = [places[method, number] for number in numbers if (method, number) in places]
        return drawn.areas(own, budget) / whole

    def share(method: str, numbers: Sequence[int]) -> float:
        return float(shares_of(method, tuple(numbers)).mean())

    lines.figure(
        case.name,
        "joint_hypervolume",
        hypervolume(list(points.values()), budget),
        models={m: [[round(p.drop, 4), round(p.ratio.value, 3)] for p in points.values() if p.side == m] for m in runs},
    )
    for place, moment in enumerate(moments):
        wanted = _SHARES.get(moment) if case.convolutional and not quick else None
        shares = {m: share(m, one.standing[place]) for m, one in runs.items()}
        goal = None if wanted is None else f">= {wanted}"
        _figure(lines, case, f"share_at_{moment:g}_s", shares, goal=goal, judged=shares.get(OURS))
    for wanted in _SHARES.values():
        reached = {m: _first(s for s, f in one.fronts if share(m, f) >= wanted) for m, one in runs.items()}
        goal = None if quick or case.convolutional else _FASTER
        _figure(lines, case, f"seconds_to_{100 * wanted:g}%", reached, goal=goal)
    if points and {OURS, BEFORE} <= runs.keys():
        ours, before = (shares_of(method, tuple(runs[method].standing[-1])) for method in (OURS, BEFORE))
        low, middle, high = np.quantile(ours - before, [0.025, 0.5, 0.975])
        goal = ">= 0" if moments[-1] == MOMENTS[-1] and not quick else None
        interval = [short(low), short(high)]
        lines.figure(case.name, "share_ahead_of_before", middle, goal=goal, judged=high, interval=interval)


def _figure(
    lines: Lines,
    case: Case,
    name: str,
    values: Mapping[str, float],
    *,
    goal: str | None = None,
    judged: float | None = None,
    **more: object,
) -> None:
    """One line of all methods; what never came is null, and misses its goal."""
    others = {method: short(value) for method, value in values.items() if method not in {OURS, BEFORE}}
    own, before = values.get(OURS, math.inf), values.get(BEFORE)
    lines.figure(case.name, name, own, before, goal=goal, judged=judged, **others, **more)


def _first(seconds: Iterator[float]) -> float:
    return next(seconds, math.inf)


def run(method: str, tree: Path, case: Case, folder: Path, moments: Sequence[float], *, quick: bool) -> Run:
    """Runs a method in a process of its own.

    Args:
        method: Of `METHODS`.
        tree: Where autoq is imported from.
        case: The case.
        folder: To be made, for what it writes.
        moments: As in `compare`.
        quick: Likewise.

    Raises:
        RuntimeError: It failed; its error output is the message.
    """
    folder.mkdir()
    command = [sys.executable, str(_CHILD), LOOP if method == LOOP else "search", case.name, str(folder)]
    command += [",".join(map(str, moments)), str(time.monotonic()), *(["--quick"] if quick else [])]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(tree)}, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    course = json.loads((folder / "course.json").read_text("utf-8"))
    core = ov.Core()
    return Run(**course, models={int(path.stem): core.read_model(path) for path in sorted(folder.glob("*.xml"))})


@contextmanager
def trees(methods: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Where each method imports autoq from, compiled to bytecode; the earlier commit is in a worktree for so long."""
    git = shutil.which("git") or "git"

    def worktree(*arguments: str) -> None:
        subprocess.run([git, "-C", str(_TREE), "worktree", *arguments], check=True, stdout=sys.stderr)

    found = dict.fromkeys(methods, _TREE)
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / _EARLIER
        if BEFORE in methods:
            worktree("add", "--quiet", "--detach", str(earlier), _EARLIER)
            found[BEFORE] = earlier
        try:
            for tree in set(found.values()):
                subprocess.run([sys.executable, "-m", "compileall", "-q", str(tree / "autoq")], check=True)
            yield found
        finally:
            if BEFORE in methods:
                worktree("remove", "--force", str(earlier))


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument(
        "--seconds", type=float, default=max(MOMENTS), help="of each search; later moments are left out"
    )
    command.add_argument("--methods", default=",".join(METHODS), help="some of these, with commas")
    options = command.parse_args()
    methods = options.methods.split(",")
    if not set(methods) <= set(METHODS):
        command.error(f"--methods is {options.methods!r}: some of {', '.join(METHODS)} are needed.")
    seconds = 15.0 if options.quick else options.seconds
    moments = [*(moment for moment in MOMENTS if moment < seconds), seconds]
    lines = Lines("time_to_front")
    with trees(methods) as found:
        for case in cases(options.cases, SMALLEST if options.quick else CASES):
            compare(case, lines, found, moments=moments, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
