"""The parts of a search, between what it is asked and its trials."""

from __future__ import annotations

import uuid
from contextlib import ExitStack

from autoq.api._asked import Asked
from autoq.api._folder import RunFolder
from autoq.api._identity import study_identity
from autoq.api._sample import timing_sample
from autoq.evaluation import (
    CandidateEvaluator,
    Evaluator,
    IsolatedEvaluator,
    busy_note,
    describe_hardware,
    item_count,
    power_note,
)
from autoq.search import Budget, Problem, SearchInfo, Stage, Study, prepare


def problem_of(asked: Asked, folder: RunFolder | None, stack: ExitStack, stage: Stage) -> Problem:
    """Places quantizers, collects statistics, and measures the float model; ends what it starts with the stack."""
    return prepare(
        asked.network,
        asked.inputs,
        asked.space,
        make_evaluator=lambda: _evaluator(asked, stack),
        device=asked.runtime.device,
        target_device=asked.target_device,
        model_type=asked.model_type,
        cache=None if folder is None else folder.cache,
        stage=stage,
        reset_state=asked.runtime.reset_state,
    )


def study_of(asked: Asked, problem: Problem, storage: str | None) -> Study:
    """The study of a search, opened or resumed.

    Raises:
        ConfigError: The storage cannot be opened, or the study in it is of another search.
    """
    return Study(
        storage,
        asked.title,
        sampler=asked.space.sampler,
        seed=asked.seed,
        identity=study_identity(asked, problem),
    )


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
            "plans": float(problem.dimensions.cardinality),
            "level": str(problem.level),
            "units": len(problem.dimensions.units),
            "hardware": describe_hardware(problem.evaluator.runtime.device),
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


def _evaluator(asked: Asked, stack: ExitStack) -> CandidateEvaluator:
    """An evaluator in this process, or in one that ends with the stack."""
    arguments = {
        "validation": asked.validation,
        "metric": asked.metric,
        "evaluate": asked.evaluate,
        "holdout": asked.held_out,
        "runtime": asked.runtime,
        "sample": timing_sample(
            asked.network, asked.runtime, asked.inputs[0] if asked.sample is None else asked.sample
        ),
    }
    if not asked.isolate:
        return Evaluator(asked.network, **arguments)
    return stack.enter_context(IsolatedEvaluator(asked.network, **arguments, timeout_s=asked.trial_timeout_s))
