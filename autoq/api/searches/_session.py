"""The parts of a search, between what it is asked and its trials."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace

from autoq._stopping import held
from autoq.api.measuring._sample import described, timing_sample
from autoq.api.results._folder import RunFolder
from autoq.api.searches._asked import Asked
from autoq.api.searches._identity import study_identity
from autoq.evaluation.candidate import CandidateEvaluator, Evaluator
from autoq.evaluation.device import describe_hardware
from autoq.evaluation.isolation import DeviceProcess, IsolatedEvaluator
from autoq.evaluation.latency import busy_note
from autoq.evaluation.scoring import item_count, power_note
from autoq.searching.front import SearchInfo
from autoq.searching.loop import Budget, Clock, Problem, Stage, prepare
from autoq.searching.study import Storage, Study, kept_before

# What an earlier session of a search had time to calibrate and to score on, where that was not all.
SAMPLES = "samples"
# Of what is left of the first third of the time, what the float model is scored and timed in.
_FLOAT_SHARE = 0.4
# What a candidate is timed for at most, and of the time of a search.
_TIMING_S, _TIMING_SHARE = 1.0, 1 / 60


def problem_of(
    asked: Asked,
    folder: RunFolder | None,
    storage: Storage,
    stack: ExitStack,
    stage: Stage,
    open_tracking: Callable[[], None],
) -> Problem:
    """Places quantizers, collects statistics, and measures the float model.

    Args:
        asked: Of the search.
        folder: Keeps statistics; None keeps them in memory.
        storage: Of the study.
        stack: Ends what this starts.
        stage: Told what happens.
        open_tracking: Called before the float model is measured, which may take long.
    """
    # Its imports take seconds, in which statistics are collected.
    process = stack.enter_context(closing(DeviceProcess())) if asked.isolate else None
    earlier = kept_before(storage, asked.title)(SAMPLES)
    samples = earlier or {}
    # A search that goes on takes the samples that it began with, however long that takes.
    clock = asked.clock if earlier is None else replace(asked.clock, seconds=math.inf)

    def make_evaluator() -> CandidateEvaluator:
        open_tracking()
        return _evaluator(asked, clock, stack, process, samples.get("scored"))

    return prepare(
        asked.network,
        asked.inputs,
        asked.space,
        make_evaluator=make_evaluator,
        device=asked.runtime.device,
        target_device=asked.target_device,
        model_type=asked.model_type,
        cache=None if folder is None else folder.cache,
        stage=stage,
        reset_state=asked.runtime.reset_state,
        clock=clock,
        calibrated_on=samples.get("calibrated"),
    )


def study_of(asked: Asked, problem: Problem, storage: Storage) -> Study:
    """The study of a search, opened or resumed.

    Raises:
        ConfigError: The study in the storage is of another search.
    """
    with held():
        study = Study(
            storage,
            asked.title,
            sampler=asked.space.sampler,
            seed=asked.seed,
            identity=study_identity(
                asked,
                digests=problem.digests,
                space=problem.space,
                samples=problem.evaluator.float_accuracy.n,
                float_mean=problem.evaluator.float_accuracy.mean,
                hardware=problem.hardware,
            ),
        )
    samples = {"calibrated": problem.calibrated_on, "scored": _scored_on(asked, problem.evaluator)}
    study.remember(SAMPLES, {name: count for name, count in samples.items() if count is not None})
    return study


def info_of(asked: Asked, problem: Problem, study: Study, budget: Budget) -> SearchInfo:
    """What is fixed for this search; two searches of the same title never share a name."""
    token = study.recall("token")
    if token is None:
        token = uuid.uuid4().hex[:8]
        study.remember("token", token)
    return SearchInfo(
        name=f"{asked.title}-{token}",
        model_name=asked.title,
        metric=asked.metric_name,
        device=problem.evaluator.runtime.device,
        hardware=problem.hardware,
        limits=budget.limits,
        space=problem.space.to_dict(),
        groups=problem.groups,
        float_accuracy=problem.evaluator.float_accuracy,
        float_latency=problem.evaluator.float_latency,
        n_trials=budget.n_trials,
        timeout_s=asked.timeout_s,
        seed=asked.seed,
        settings={
            "model_type": None if asked.model_type is None else str(asked.model_type),
            "target_device": str(asked.target_device),
            "cache": problem.digest,
            "model_path": asked.source,
            "plans": float(problem.dimensions.cardinality),
            "level": str(problem.level),
            "units": len(problem.dimensions.units),
            "hardware": describe_hardware(problem.evaluator.runtime.device),
            "inputs": described(asked.network, asked.inputs[0]),
        },
        choose=asked.wanted.rule,
        held_out=item_count(asked.held_out),
        notes=_notes(problem, budget),
    )


def _notes(problem: Problem, budget: Budget) -> dict[str, str]:
    """What is to be known before the first trial."""
    evaluator = problem.evaluator
    found = {
        "timer": busy_note(evaluator.float_latency.ratio),
        "proof": power_note(evaluator.float_accuracy, budget.max_drop),
    }
    return {kind: note for kind, note in found.items() if note is not None}


def _evaluator(
    asked: Asked, clock: Clock, stack: ExitStack, process: DeviceProcess | None, items: int | None
) -> CandidateEvaluator:
    """An evaluator in this process, or in the other one; of so many labelled items as an earlier session had."""
    arguments = {
        "validation": asked.validation,
        "metric": asked.metric,
        "evaluate": asked.evaluate,
        "holdout": asked.held_out,
        "runtime": asked.runtime,
        "sample": timing_sample(
            asked.network, asked.runtime, asked.inputs[0] if asked.sample is None else asked.sample
        ),
        "max_latency_seconds": min(_TIMING_S, _TIMING_SHARE * asked.clock.seconds),
        "patience_s": clock.preparation_s(_FLOAT_SHARE),
        "items": items,
    }
    if process is None:
        made: CandidateEvaluator = Evaluator(asked.network, **arguments)
    else:
        made = stack.enter_context(
            IsolatedEvaluator(
                asked.network, **arguments, timeout_s=asked.trial_timeout_s, ends=asked.clock.ends, process=process
            )
        )
    if (scored := _scored_on(asked, made)) is not None:
        clock.shorten(
            f"models are scored on {scored:,} of {item_count(asked.validation):,} samples, for which there was time."
        )
    return made


def _scored_on(asked: Asked, evaluator: CandidateEvaluator) -> int | None:
    """Labelled items that models are scored on, where these are not all."""
    scored = evaluator.float_accuracy.n
    return scored if asked.evaluate is None and scored < item_count(asked.validation) else None
