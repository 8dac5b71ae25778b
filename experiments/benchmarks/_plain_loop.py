"""The peer of whole searches: Optuna over `nncf.quantize`, as people write it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
import optuna
from _cases import Case
from _peer import quantize

from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import score
from autoq.searching.study import quiet_optuna

_TIMED = 200


@dataclass(frozen=True)
class Trial:
    """A trial of the loop that has ended.

    Attributes:
        number: Optuna's.
        seconds: By stage, as autoq's records have them; empty where the trial failed.
        front: Models on the front so far by number, the fastest first.
    """

    number: int
    seconds: Mapping[str, float]
    front: Mapping[int, ov.Model]


def plain_loop(case: Case, seconds: float) -> Iterator[Trial]:
    """Quantizes, scores on all validation data and times alone, again and again, until the time is up.

    Searched are the settings that people vary: preset, subset size, bias correction, and which layers to ignore.
    """
    deadline = time.perf_counter() + seconds
    layers = [
        op.get_friendly_name()
        for op in case.model.get_ordered_ops()
        if op.get_type_name() in {"Convolution", "GroupConvolution", "MatMul"}
    ]
    runtime = RuntimeConfig()
    validation = case.validation()
    models: dict[int, ov.Model] = {}
    took: dict[int, dict[str, float]] = {}

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        ticks = [time.perf_counter()]
        subset = trial.suggest_categorical("subset_size", [100, 300])
        model = quantize(
            case.model.clone(),
            case.calibration(subset),
            subset_size=subset,
            model_type=case.model_type,
            preset=trial.suggest_categorical("preset", ["performance", "mixed"]),
            fast_bias_correction=trial.suggest_categorical("fast_bias_correction", [True, False]),
            ignored=[layer for layer in layers if trial.suggest_categorical(f"ignore {layer}", [False, True])],
        )
        models[trial.number] = model
        ticks.append(time.perf_counter())
        compiled = runtime.compile(model)
        ticks.append(time.perf_counter())
        accuracy = float(score(compiled, validation, case.metric).mean())
        ticks.append(time.perf_counter())
        latency = _timed(compiled.compiled_model, case.sample())
        ticks.append(time.perf_counter())
        parts = ("build", "compile", "score", "time")
        took[trial.number] = dict(zip(parts, np.diff(ticks).tolist(), strict=True))
        return accuracy, latency

    with quiet_optuna():
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=0))
        study.enqueue_trial(
            {"subset_size": 300, "preset": "performance", "fast_bias_correction": True}
            | {f"ignore {layer}": False for layer in layers}
        )
        while time.perf_counter() < deadline:
            study.optimize(objective, n_trials=1, catch=(RuntimeError,))
            number = study.trials[-1].number
            best = sorted(study.best_trials, key=lambda trial: trial.values[1])
            yield Trial(number, took.get(number, {}), {one.number: models[one.number] for one in best})


def _timed(compiled: ov.CompiledModel, sample: Any) -> float:
    """Median seconds of an inference, as a loop alone takes it."""
    request = compiled.create_infer_request()
    request.infer(sample)
    ticks = [time.perf_counter()]
    for _ in range(_TIMED):
        request.infer()
        ticks.append(time.perf_counter())
    return statistics.median(np.diff(ticks))
