"""Records a table: every plan of a reduced space, built, scored and timed once, for searches without a device.

The groups of the model are merged into a few blocks; each block is int8 or float, under each preset. What every plan
scored on each sample, and how long each of its bursts took beside the float model's, goes into one file, with what a
search would know without trials. A recording that was stopped goes on where it was.

    python experiments/benchmarks/record_table.py EXPERIMENT [--units 8] [--samples N] [--quick]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from _blocks import blocks
from _cases import EXPERIMENTS, Case, load

from autoq.calibration import as_inputs
from autoq.core import (
    ConfigError,
    Estimate,
    ModelType,
    Plan,
    RuntimeChoice,
    TargetDevice,
    nearest,
)
from autoq.evaluation.candidate import Evaluator, size_bytes
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.latency import Conditions, Latency, measure_latency
from autoq.evaluation.scoring import Scorer, ValidationSet
from autoq.searching.problem import learn, prepare
from autoq.searching.recorded import MEASURED, RecordedTable, Recording, ReducedSpace
from autoq.searching.records import Part
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import SearchSpace
from autoq.searching.study import Study, quiet_optuna

TABLES = EXPERIMENTS / "tables"
JOURNALS = EXPERIMENTS.parent / "runs" / "tables"
CALIBRATION = 300
SECONDS_TIMED = 0.2
# A ratio that is known less well than this was disturbed. It is measured again in the end, when it may be quiet.
WIDEST = 0.04
PASSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How an experiment is recorded.

    With 8 bits of weights, int8 hardly costs these models any accuracy where the CPU has VNNI, and there is no front
    between the two ends. So weights have 7 bits, as on CPUs without.

    Attributes:
        space: Choices of the recipes.
        model_type: Of placement.
        properties: Of the runtime.
        units: Blocks.
        samples: Labelled data that are scored.
    """

    space: Mapping[str, Any] = field(default_factory=dict)
    model_type: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    units: int = 10
    samples: int | None = None

    def reduced(self) -> SearchSpace:
        """Its space: both presets, and one choice of all else."""
        fixed = {"range_estimators": "mean_min_max", "bias_corrections": "fast", "overflow_fixes": "enable"}
        return SearchSpace.load({"presets": ["performance", "mixed"], **fixed, **self.space})


SETTINGS = {
    "ppocrv4_rec": Setting(
        space={"range_estimators": "min_max"},
        properties={"INFERENCE_PRECISION_HINT": "f32"},
        units=8,
        samples=400,
    ),
    # The placement of transformers leaves what is sensitive in float; without it there is something to find.
    "minilm_l6": Setting(units=8, samples=600),
    "cifar10_repvgg": Setting(units=8, samples=1500),
}


class Recorder:
    """Builds, scores and times the plans of one case.

    Args:
        case: The experiment.
        setting: How it is recorded.
    """

    def __init__(self, case: Case, setting: Setting) -> None:
        self._case = case
        runtime = RuntimeConfig(properties=setting.properties)
        # Several threads wait for each other, and so for whatever else a core has to do.
        timed = replace(runtime, num_threads=1, num_streams=1)
        labelled = ValidationSet.of(case.model, case.labelled()[: setting.samples])
        self.evaluator = Evaluator(
            case.model, validation=labelled, metric=case.metric, runtime=timed, sample=case.sample()
        )
        self.problem = prepare(
            case.model,
            as_inputs(case.model, case.calibration(CALIBRATION)),
            setting.reduced(),
            make_evaluator=lambda: self.evaluator,
            device=runtime.device,
            target_device=TargetDevice.ANY,
            model_type=None if setting.model_type is None else ModelType.parse(setting.model_type),
            cache=None,
            stage=nothing,
            stack=ExitStack(),  # no weights are compressed
        )
        self._scorer = Scorer(labelled, metric=case.metric, evaluate=None, runtime=runtime)
        self._baseline = timed.compile(case.model)

    def blocks(self, count: int) -> dict[str, tuple[str, ...]]:
        """Groups by block."""
        graph = self.problem.placements.reference
        return blocks(graph, self.evaluator.profile(self.problem.model, graph).groups_ms, count)

    def knowledge(self, space: ReducedSpace) -> Knowledge:
        """What a search would know of the units without trials."""
        problem = replace(self.problem, dimensions=space.dimensions)
        return learn(problem, Study(None, "learn", sampler="random", seed=0, identity={}), nothing)

    def record(self, plan: Plan) -> Recording:
        """What one plan does."""
        marks = [time.perf_counter()]
        resolved = self.problem.builder.resolve(plan)
        model = self.problem.builder.build(plan)
        marks.append(time.perf_counter())
        compiled = self.evaluator.runtime.compile(model)
        marks.append(time.perf_counter())
        scores = self._scorer.of(model, RuntimeChoice())(None)[1]
        marks.append(time.perf_counter())
        latency = self._latency(compiled)
        marks.append(time.perf_counter())
        return Recording(
            fingerprint=resolved.fingerprint,
            quantized_sites=resolved.quantized_sites,
            scores=scores,
            latency=latency,
            size_bytes=size_bytes(model),
            seconds=dict(zip(MEASURED, np.diff(marks).tolist(), strict=True)),
        )

    def time_again(self, plan: Plan, known: Recording) -> Recording:
        """A recording with a new latency, if that is known better."""
        compiled = self.evaluator.runtime.compile(self.problem.builder.build(plan))
        started = time.perf_counter()
        latency = self._latency(compiled)
        seconds = {**known.seconds, Part.TIME: time.perf_counter() - started}
        return replace(known, latency=latency, seconds=seconds) if width(latency) < width(known.latency) else known

    def _latency(self, compiled: Compiled) -> Latency:
        return measure_latency([compiled], [self._baseline], self._case.sample(), max_seconds=SECONDS_TIMED)


def nothing(text: str, done: int = 0, total: int | None = None) -> None:
    """Is not told on."""


def width(latency: Latency) -> float:
    """Half of the interval of its ratio, as a share of that."""
    return (latency.ratio.high - latency.ratio.low) / 2 / latency.ratio.value


class Journal:
    """What was recorded so far: a folder with one file a plan.

    Args:
        folder: Made where it is not there.
        setting: A journal of another setting is not gone on with.

    Raises:
        ConfigError: It holds recordings of another setting.
    """

    def __init__(self, folder: Path, setting: Mapping[str, Any]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        known = self.recall("setting")
        written = json.loads(json.dumps(setting))
        if known is not None and known != written:
            msg = f"{folder} holds recordings of another setting, {known}: delete it, or record with that."
            raise ConfigError(msg)
        self.remember("setting", written)

    def recall(self, name: str) -> Any:  # any JSON value
        """What was kept under this name, None before."""
        file = self._folder / f"{name}.json"
        return json.loads(file.read_text("utf-8")) if file.exists() else None

    def remember(self, name: str, value: Any) -> None:  # any JSON value
        """Keeps a JSON value."""
        (self._folder / f"{name}.json").write_text(json.dumps(value, indent=1), "utf-8")

    def __contains__(self, row: int) -> bool:
        return self._file(row).exists()

    def __setitem__(self, row: int, recording: Recording) -> None:
        values = asdict(recording)
        scores = values.pop("scores")
        unfinished = self._folder / "unfinished.npz"
        np.savez_compressed(unfinished, scores=scores, values=json.dumps(values))
        unfinished.rename(self._file(row))

    def __getitem__(self, row: int) -> Recording:
        with np.load(self._file(row)) as file:
            values = json.loads(str(file["values"]))
            scores = file["scores"]
        latency = values["latency"]
        latency |= {
            "ratio": Estimate(**latency["ratio"]),
            "conditions": Conditions(**latency["conditions"]),
            "log_ratios": tuple(latency["log_ratios"]),
        }
        return Recording(**{**values, "latency": Latency(**latency), "scores": scores})

    def _file(self, row: int) -> Path:
        return self._folder / f"{row:06d}.npz"


def record(case: Case, setting: Setting, journal: Journal) -> RecordedTable:
    """Records what the journal does not hold, and makes a table of it."""
    recorder = Recorder(case, setting)
    if journal.recall("units") is None:
        # Cut by times that were measured: another cut would be another table.
        journal.remember("units", recorder.blocks(setting.units))
    units = {unit: tuple(groups) for unit, groups in journal.recall("units").items()}
    space = ReducedSpace(setting.reduced(), units)
    if journal.recall("knowledge") is None:
        started = time.perf_counter()
        journal.remember("knowledge", recorder.knowledge(space).to_dict())
        journal.remember("knowledge_s", time.perf_counter() - started)
    # In any order but the rows': whatever drifts, a thermal limit or a neighbour, must not look like a unit's effect.
    rows = np.random.default_rng(0).permutation(len(space)).tolist()
    for row in progress(case.name, [row for row in rows if row not in journal]):
        journal[row] = recorder.record(space.plan(row))
    for _ in range(PASSES):
        disturbed = [row for row in rows if width(journal[row].latency) > WIDEST]
        for row in progress(f"{case.name}, timed again", disturbed):
            journal[row] = recorder.time_again(space.plan(row), journal[row])
    return RecordedTable.of(
        [journal[row] for row in range(len(space))],
        name=case.name,
        space=space,
        knowledge=Knowledge.from_dict(journal.recall("knowledge")),
        knowledge_s=journal.recall("knowledge_s"),
        max_drop=float(case.given["max_drop"]),
        hardware=recorder.problem.hardware,
        compilation_sd=recorder.evaluator.compilation_sd,
        reference=recorder.evaluator.float_accuracy.scores,
    )


def progress(name: str, rows: Sequence[int]) -> Iterator[int]:
    """Rows, with a line now and then on how long the others will take."""
    started = time.monotonic()
    for done, row in enumerate(rows):
        if done % 20 == 0 and done:
            each = (time.monotonic() - started) / done
            left = each * (len(rows) - done) / 60
            print(f"{name}: {len(rows) - done} plans to go, {each:.2f} s each, {left:.0f} min", file=sys.stderr)
        yield row


def main() -> None:
    """Records one experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", help=f"one of {', '.join(SETTINGS)}")
    parser.add_argument("--units", type=int, help="blocks that the groups are merged into")
    parser.add_argument("--samples", type=int, help="labelled samples that every plan is scored on")
    parser.add_argument("--quick", action="store_true", help="3 units, 50 samples, into the folder of the journals")
    options = parser.parse_args()
    if options.experiment not in SETTINGS:
        msg = f"experiment {options.experiment!r} is not recorded: {nearest(options.experiment, SETTINGS)}"
        raise ConfigError(msg)
    given = {"units": options.units, "samples": options.samples}
    if options.quick:
        given = {"units": options.units or 3, "samples": options.samples or 50}
    chosen = {key: value for key, value in given.items() if value is not None}
    setting = replace(SETTINGS[options.experiment], **chosen)
    name = f"{options.experiment}_quick" if options.quick else options.experiment
    with quiet_optuna():
        table = record(load(options.experiment), setting, Journal(JOURNALS / name, asdict(setting)))
    path = table.save((JOURNALS if options.quick else TABLES) / f"{name}.npz")
    print(f"{path}: {len(table.space)} plans, {path.stat().st_size / 2**20:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
