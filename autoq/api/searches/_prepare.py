"""The preparation of a search, before its first trial."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace

from autoq._stopping import held
from autoq.api.measuring._sample import described, timing_sample
from autoq.api.results._best_so_far import BestSoFar
from autoq.api.searches._ended import SECONDS, forget_end
from autoq.api.searches._identity import SAMPLES, study_identity
from autoq.api.searches._request import SearchRequest
from autoq.api.searches._session import SearchSession
from autoq.api.searches._shares import budget_of
from autoq.evaluation.candidate import CandidateEvaluator, Evaluator
from autoq.evaluation.device import describe_hardware
from autoq.evaluation.isolation import IsolatedEvaluator
from autoq.evaluation.latency import busy_note
from autoq.evaluation.metrics import Metric
from autoq.evaluation.scoring import item_count, power_note
from autoq.searching.front import SearchInfo
from autoq.searching.loop import Budget, likely_trials, settle_level
from autoq.searching.problem import Clock, Problem, prepare
from autoq.searching.records import Part
from autoq.searching.space import WEIGHT
from autoq.searching.study import Study, kept_before

# The float model is scored and timed in this share of what is left of the first third of the time.
_FLOAT_SHARE = 0.4
# A candidate is timed for at most so many seconds, and at most this share of the time of a search.
_TIMING_S, _TIMING_SHARE = 1.0, 1 / 60
# No float is larger than the number of plans of thousands of weights.
_MANY = 10**300


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search before its first trial.

    Attributes:
        session: The session of the search.
        problem: The prepared problem: quantizers are placed, statistics are collected, the float model is measured.
        study: Keeps the trials.
        budget: The budget of the trials, and the limits of their models.
        info: The facts of the search.
    """

    session: SearchSession
    problem: Problem
    study: Study
    budget: Budget
    info: SearchInfo


def prepare_search(session: SearchSession) -> PreparedSearch:
    """Calls the observers, prepares the problem, and opens the study.

    Raises:
        AutoqError: The model, the data or the device cannot be used, or the study belongs to another search.
    """
    request, folder = session.request, session.folder
    session.call_observers(*([] if folder is None else [BestSoFar(folder)]))
    with request.clock.spent(Part.CALIBRATE):
        problem = problem_of(session)
    with request.clock.spent(Part.OPEN):
        if folder is not None:
            folder.keep_float_model(request.network, problem.digest)
        study = study_of(session, problem)
        forget_end(study)
        request.clock.ledger.earlier = study.recall(SECONDS) or {}
    budget = budget_of(request, problem, request.wanted.limits(problem, study))
    likely = likely_trials(budget.n_trials, budget.trials_s, problem.evaluator.float_seconds)
    problem = settle_level(problem, study, likely)
    return PreparedSearch(session, problem, study, budget, info_of(request, problem, study, budget))


def problem_of(session: SearchSession) -> Problem:
    """Places quantizers, collects statistics, and measures the float model.

    Tracking is opened while the device process scores the float model, which may take long.
    """
    request, folder = session.request, session.folder
    earlier = kept_before(session.storage, request.title)(SAMPLES)
    samples = earlier or {}
    # A search that goes on uses the samples that it began with, however long that takes.
    clock = request.clock if earlier is None else replace(request.clock, seconds=math.inf)

    def make_evaluator() -> CandidateEvaluator:
        with clock.spent(Part.TRACK):
            session.open_tracking()
            if session.process is None:
                session.join_tracking()
        with clock.spent(Part.START) as spell:
            made = _evaluator(session, clock, samples.get("scored"))
            spent = made.float_results.spent
            spell.told = {Part.SCORE_FLOAT: spent["score"], Part.TIME_FLOAT: spent["time"]}
        with clock.spent(Part.TRACK):
            session.join_tracking()
        return made

    return prepare(
        request.network,
        request.inputs,
        request.space,
        make_evaluator=make_evaluator,
        device=request.runtime.device,
        target_device=request.target_device,
        model_type=request.model_type,
        cache=None if folder is None else folder.cache,
        stage=session.audience.on_stage,
        reset_state=request.runtime.reset_state,
        clock=clock,
        calibrated_on=samples.get("calibrated"),
        against=request.wanted.against,
        stack=session.stack,
        read_tuned=session.tuned.read,
    )


def study_of(session: SearchSession, problem: Problem) -> Study:
    """The study of a search, opened or resumed.

    Raises:
        ConfigError: The study in the storage belongs to another search.
    """
    request = session.request
    with held():
        study = Study(
            session.storage,
            request.title,
            sampler=request.space.sampler,
            seed=request.seed,
            identity=study_identity(
                request,
                digests=problem.digests,
                space=problem.space,
                samples=problem.evaluator.float_accuracy.n,
                float_mean=problem.evaluator.float_accuracy.mean,
                hardware=problem.hardware,
            ),
        )
    samples = {"calibrated": problem.calibrated_on, "scored": _scored_on(request, problem.evaluator)}
    study.remember(SAMPLES, {name: count for name, count in samples.items() if count is not None})
    return study


def info_of(request: SearchRequest, problem: Problem, study: Study, budget: Budget) -> SearchInfo:
    """The facts of this search. Two searches of the same title never have the same name."""
    token = study.recall("token")
    if token is None:
        token = uuid.uuid4().hex[:8]
        study.remember("token", token)
    return SearchInfo(
        name=f"{request.title}-{token}",
        model_name=request.title,
        metric=request.metric_name,
        device=problem.evaluator.runtime.device,
        hardware=problem.hardware,
        limits=budget.limits,
        space=problem.space.to_dict(),
        groups=problem.groups,
        float_accuracy=problem.evaluator.float_accuracy,
        float_latency=problem.evaluator.float_latency,
        n_trials=budget.n_trials,
        timeout_s=request.timeout_s,
        seed=request.seed,
        settings={
            "model_type": None if request.model_type is None else str(request.model_type),
            "target_device": str(request.target_device),
            "cache": problem.digest,
            "model_path": request.source,
            "plans": float(min(problem.dimensions.cardinality, _MANY)),
            "level": str(problem.level),
            "units": len(problem.dimensions.units),
            "weights": sum(unit.kind == WEIGHT for unit in problem.dimensions.units.values()),
            "hardware": describe_hardware(problem.evaluator.runtime.device),
            "inputs": described(request.network, request.inputs[0]),
        },
        choose=request.wanted.rule,
        held_out=item_count(request.held_out),
        notes=_notes(request, problem, budget),
    )


def _notes(request: SearchRequest, problem: Problem, budget: Budget) -> dict[str, str]:
    """Notes that a user should know before the first trial."""
    evaluator = problem.evaluator
    beside_float = isinstance(request.metric, Metric) and request.metric.of_float is not None
    found = {
        "timer": busy_note(evaluator.float_latency.ratio),
        # Scores of the float model beside itself tell nothing of the spread of others.
        "proof": None if beside_float else power_note(evaluator.float_accuracy, budget.limits.max_drop),
        "batches": None if request.finetune is None else request.finetune.note,
    }
    return {kind: note for kind, note in found.items() if note is not None}


def _evaluator(session: SearchSession, clock: Clock, items: int | None) -> Evaluator | IsolatedEvaluator:
    """An evaluator, in the device process where there is one.

    Args:
        session: The session of the search.
        clock: Says how long the float model may take.
        items: Labelled items that an earlier session scored on; None leaves it to the evaluator.
    """
    request = session.request
    arguments = {
        "validation": request.validation,
        "metric": request.metric,
        "evaluate": request.evaluate,
        "holdout": request.held_out,
        "runtime": request.runtime,
        "sample": timing_sample(
            request.network, request.runtime, request.inputs[0] if request.sample is None else request.sample
        ),
        "max_latency_seconds": min(_TIMING_S, _TIMING_SHARE * request.clock.seconds),
        "patience_s": clock.preparation_s(_FLOAT_SHARE),
        "items": items,
        "against": request.wanted.against,
    }
    if session.process is None:
        quiet = session.meanwhile.quiet
        made: Evaluator | IsolatedEvaluator = Evaluator(request.network, **arguments, quiet=quiet)
    else:
        made = session.stack.enter_context(
            IsolatedEvaluator(
                request.network,
                **arguments,
                timeout_s=request.trial_timeout_s,
                ends=request.clock.ends,
                process=session.process,
            )
        )
    if (scored := _scored_on(request, made)) is not None:
        clock.shorten(f"there was time to score models on {scored:,} of {item_count(request.validation):,} samples.")
    return made


def _scored_on(request: SearchRequest, evaluator: CandidateEvaluator) -> int | None:
    """Number of labelled items that models are scored on; None where these are all."""
    scored = evaluator.float_accuracy.n
    return scored if request.evaluate is None and scored < item_count(request.validation) else None
