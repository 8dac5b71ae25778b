"""`autoq.search`: from a model, data and a metric to the front."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.api._best_so_far import BestSoFar
from autoq.api._folder import RunFolder
from autoq.api._held_out import labelled, score_front, scoring_seconds
from autoq.api._metric import one_metric
from autoq.api._result import Build, Candidate, SearchResult
from autoq.api._sample import timing_sample
from autoq.api._scores import ScoreKeeper
from autoq.api._wanted import Wanted
from autoq.calibration import as_inputs
from autoq.core import ConfigError, ModelType, TargetDevice
from autoq.evaluation import (
    AnyMetric,
    CandidateEvaluator,
    Evaluator,
    IsolatedEvaluator,
    RuntimeConfig,
    describe_hardware,
    item_count,
)
from autoq.graph import read_model
from autoq.report import LiveTable
from autoq.search import (
    MOST_FINALISTS,
    Budget,
    ParetoFront,
    Problem,
    SearchInfo,
    SearchObserver,
    SearchSpace,
    Study,
    TrialRecord,
    close,
    explore,
    likely_trials,
    prediction_error,
    prepare,
    quiet_optuna,
    settle_level,
)
from autoq.tracking import Figures, MlflowObserver

DEFAULT_TRIALS = 60
# Of the time of a search, the share that the closing session gets, and the least by finalist where no time was given.
CLOSING_SHARE = 0.15
FINALIST_S = 1.5
# Of the time that is left after the last trial, the most that scoring on held-out data takes from the closing session.
HELD_OUT_SHARE = 0.5
DEFAULT_TRACKING = "sqlite:///mlflow.db"


def search(
    model: Any,  # whatever read_model reads
    *,
    calibration: Any,  # whatever as_inputs takes
    validation: Any = None,  # whatever ValidationSet takes
    metric: AnyMetric | None = None,
    evaluate: Callable[..., Any] | None = None,
    max_drop: float | str | None = None,
    max_latency: float | str | None = None,
    max_size: float | str | None = None,
    choose: str | Sequence[str] | None = None,
    space: str | os.PathLike[str] | Mapping[str, Any] | SearchSpace | None = None,
    device: str = "CPU",
    n_trials: int | None = None,
    timeout_s: float | None = None,
    trial_timeout_s: float | None = None,
    storage: str | None = None,
    tracking_uri: str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    experiment: str = "autoq",
    model_type: str | None = None,
    target_device: str = "ANY",
    runtime: RuntimeConfig | Mapping[str, Any] | None = None,
    sample: Any = None,  # one model input
    holdout: Any = None,  # whatever ValidationSet takes
    isolate: bool = True,
    progress: bool = True,
    observers: Sequence[SearchObserver] = (),
) -> SearchResult:
    """Searches how a model can be quantized: the Pareto front of accuracy drop against measured latency.

    Run again with the same `out` (or `storage` and `name`), it goes on where it was stopped, however it was stopped.
    With `out`, its best so far is in best.json there after every trial that changes it, and `SearchResult.load` reads
    that at any moment, from another process too.

    Args:
        model: What `autoq.read_model` reads: a path, an `ov.Model`, a `torch.nn.Module`. Never modified.
        calibration: Model inputs without labels: an array [n, ...], a dict of arrays, or an iterable of inputs.
        validation: Pairs of (inputs, target); an iterable, or anything indexable.
        metric: What `autoq.evaluate` takes: a name, a function, a `CorpusMetric`, or an object with `update` and
            `compute`; higher is better.
        evaluate: Instead of `metric`: `(compiled_model, items) -> float | (float, per-item floats)`, as NNCF has it.
        max_drop: Accuracy budget: absolute in the metric's unit, or relative to the float model's score as "1%".
        max_latency: Limit of the median latency: in ms, as a number or "0.8 ms", or relative to the float model's as
            "50%". What counts is the ratio to the float model, which is measured beside every candidate, times what
            that took when the search began: the same model is slower while other programs run.
        max_size: Limit of the size of the weights: in bytes, with a unit as "2 MB", or relative to the float model's
            as "25%".
        choose: Which model of the front is the best one: "fastest", "accurate", "smallest", "knee", or a list of the
            criteria "accuracy", "latency" and "size", the most important first; each looks at those that the evidence
            does not separate from the best by the one before. By default "accurate" where `max_latency` is given and
            `max_drop` is not, else "fastest".
        space: A shipped name ("cnn", "transformer", "quick"), a YAML path, plain values or a `SearchSpace`; by default
            "cnn", or "transformer" for `model_type="transformer"`.
        device: OpenVINO device that candidates are timed on.
        n_trials: Candidates to measure, earlier sessions included; 60 where neither budget is given.
        timeout_s: Seconds for this call, preparation included.
        trial_timeout_s: Seconds until a candidate that the device does not finish is given up; by default 20 times
            what the float model took, and a minute at least. The float model itself, which is measured several times,
            has 10 times as long and a minute at least, by default no limit.
        storage: Optuna storage URL; by default a SQLite file in `out`, or memory.
        tracking_uri: MLflow store, by default "sqlite:///mlflow.db"; "off" tracks nothing.
        seed: Of the sampler.
        out: Folder for the study, the statistics, the report and the chosen model.
        name: Of the study and of the MLflow run; by default the folder's or the model's.
        experiment: MLflow experiment.
        model_type: "transformer" for its placement rules.
        target_device: Hardware table for placement.
        runtime: Compile settings shared by every candidate and the baseline; fields of `RuntimeConfig`.
        sample: Input to time with; by default the first of the calibration data.
        holdout: Pairs that the search never sees; the models of the front are scored on them once, at the end. By
            default a fifth of `validation` where that has 1,000 pairs or more: one of each five in a row, the same ones
            in every search of as many pairs. False holds out nothing. With `evaluate`, items that it takes: nothing
            is held out by default.
        isolate: Score and time in a process of its own, so that a device that crashes or hangs is a failed trial with
            its message. What you bring must then be picklable (functions of a script or a notebook are), and metrics
            see a copy of it.
        progress: Show a live table on the terminal.
        observers: Told of every trial, besides the table and MLflow.

    Returns:
        The trials, the front, the chosen model within the limits.

    Raises:
        AutoqError: Input that cannot be used; each kind has its class, and a message that says what would be valid.
    """
    started = time.monotonic()
    _check_budget(n_trials=n_trials, timeout_s=timeout_s, trial_timeout_s=trial_timeout_s)
    wanted = Wanted.of(max_drop, max_latency, max_size, choose)
    folder = None if out is None else RunFolder.create(out)
    kind = None if model_type is None else ModelType.parse(model_type)
    target = TargetDevice.parse(target_device)
    searched = SearchSpace.load(space if space is not None else "transformer" if kind else "cnn")  # type: ignore[arg-type]
    scorer = one_metric(metric, evaluate)
    settings = _runtime(runtime, device)
    network = read_model(model)
    inputs = as_inputs(network, calibration)
    pairs, held_out = labelled(network, validation, holdout, own_function=evaluate is not None)

    with ExitStack() as stack:
        stack.enter_context(quiet_optuna())
        if folder is not None:
            stack.enter_context(folder.locked())
            folder.keep_float_model(network)
        title = name or _title(model, network, folder)

        def build(record: TrialRecord) -> ov.Model:
            return problem.builder.build(record.plan)

        keeper = ScoreKeeper(None if folder is None else folder.scores)
        told: list[SearchObserver] = [keeper, *([] if folder is None else [BestSoFar(folder)]), *observers]
        told += _own_observers(progress, tracking_uri, experiment, build, figures=lambda: result.figures)

        def stage(text: str, done: int = 0, total: int | None = None) -> None:
            for observer in told:
                observer.on_stage(text, done, total)

        problem = prepare(
            network,
            inputs,
            searched,
            make_evaluator=lambda: _evaluator(
                stack,
                network,
                isolate=isolate,
                timeout_s=trial_timeout_s,
                validation=pairs,
                metric=scorer,
                evaluate=evaluate,
                holdout=held_out,
                runtime=settings,
                sample=timing_sample(network, settings, inputs[0] if sample is None else sample),
            ),
            device=settings.device,
            target_device=target,
            model_type=kind,
            cache=None if folder is None else folder.cache,
            stage=stage,
        )
        metric_name = scorer.name if scorer is not None else getattr(evaluate, "__name__", "evaluate")
        study = Study(
            storage or (None if folder is None else folder.storage),
            title,
            sampler=searched.sampler,
            seed=seed,
            identity={
                "model and calibration": problem.digest,
                "space": problem.space.to_dict(),
                "metric": metric_name,
                "validation samples": problem.evaluator.float_accuracy.n,
                **wanted.identity(problem.evaluator.float_accuracy.mean),
                "device": device,
                "hardware": problem.hardware,
            },
        )
        budget = Budget(
            n_trials=n_trials if n_trials is not None or timeout_s is not None else DEFAULT_TRIALS,
            deadline=None if timeout_s is None else started + timeout_s,
            closing_s=0.0 if timeout_s is None else CLOSING_SHARE * timeout_s,
            limits=wanted.limits(problem, study),
        )
        left_s = None if budget.deadline is None else budget.deadline - budget.closing_s - time.monotonic()
        problem = settle_level(problem, study, likely_trials(budget.n_trials, left_s, problem.evaluator.float_seconds))
        info = replace(
            _info(study, title, problem, budget, metric_name, timeout_s, seed, kind, target),
            choose=wanted.rule,
            held_out=item_count(held_out),
        )
        for observer in told:
            observer.on_start(info, study.records())
        begun = time.monotonic()
        explored = explore(problem, study, budget, told, stage=stage, attach=keeper.attach, seed=seed)
        records = keeper.attach(study.records())
        if not explored.interrupted:
            seconds = _closing_seconds(budget, begun, records, held_out)
            records = tuple(close(problem, study, budget, records, seconds, stage))
        known = explored.knowledge
        result = SearchResult(
            info=info,
            records=records,
            build=build,
            probes=None if known is None else known.probes,
            prediction_error=None if known is None else prediction_error(problem.dimensions, known, records),
            interrupted=explored.interrupted,
            folder=None if folder is None else folder.path,
        )
        if not explored.interrupted and held_out is not None:
            scored = score_front(problem, result.front, result.chosen, budget.deadline, stage)
            result = replace(result, holdout_front=scored)
        if folder is not None:
            result.save(folder.path)
        for observer in told:
            observer.on_finish(records, result.front, result.folder)
    return result


def _check_budget(**given: float | None) -> None:
    for key, value in given.items():
        if value is not None and not value > 0:
            msg = f"{key} is {value}: it must be above 0."
            raise ConfigError(msg)


def _closing_seconds(
    budget: Budget,
    begun: float,
    records: Sequence[TrialRecord],
    held_out: Any,  # whatever the user's function takes, or pairs
) -> float:
    """Seconds for the closing session, that of scoring on held-out data left out."""
    now = time.monotonic()
    if budget.deadline is None:
        return max(FINALIST_S * min(len(ParetoFront(records)), MOST_FINALISTS), CLOSING_SHARE * (now - begun))
    left = budget.deadline - now
    if held_out is None:
        return left
    models = len(ParetoFront(records)) + 1
    return left - min(scoring_seconds(records, item_count(held_out), models), HELD_OUT_SHARE * max(left, 0.0))


def _evaluator(
    stack: ExitStack,
    network: ov.Model,
    *,
    isolate: bool,
    timeout_s: float | None,
    **arguments: Any,  # of Evaluator
) -> CandidateEvaluator:
    """An evaluator in this process, or in one that ends with the stack."""
    if not isolate:
        return Evaluator(network, **arguments)
    return stack.enter_context(IsolatedEvaluator(network, **arguments, timeout_s=timeout_s))


def _own_observers(
    progress: bool, tracking_uri: str | None, experiment: str, build: Build, *, figures: Figures
) -> Iterator[SearchObserver]:
    if progress:
        yield LiveTable()
    if tracking_uri != "off":
        yield MlflowObserver(
            tracking_uri or DEFAULT_TRACKING,
            experiment,
            export=lambda record, path: Candidate(record, build).save(path),
            figures=figures,
        )


def _runtime(runtime: RuntimeConfig | Mapping[str, Any] | None, device: str) -> RuntimeConfig:
    if isinstance(runtime, RuntimeConfig):
        return runtime
    return RuntimeConfig.from_dict({"device": device, **(runtime or {})})


def _title(model: object, network: ov.Model, folder: RunFolder | None) -> str:
    if folder is not None:
        return folder.path.resolve().name
    return Path(model).stem if isinstance(model, str | os.PathLike) else network.get_friendly_name()


def _info(
    study: Study,
    title: str,
    problem: Problem,
    budget: Budget,
    metric_name: str,
    timeout_s: float | None,
    seed: int,
    kind: ModelType | None,
    target: TargetDevice,
) -> SearchInfo:
    """What is fixed for this search; two searches of the same title never share a name."""
    token = study.recall("token")
    if token is None:
        token = uuid.uuid4().hex[:8]
        study.remember("token", token)
    return SearchInfo(
        name=f"{title}-{token}",
        model_name=title,
        metric=metric_name,
        device=problem.evaluator.runtime.device,
        hardware=problem.hardware,
        limits=budget.limits,
        space=problem.space.to_dict(),
        groups=problem.groups,
        float_accuracy=problem.evaluator.float_accuracy,
        float_latency=problem.evaluator.float_latency,
        n_trials=budget.n_trials,
        timeout_s=timeout_s,
        seed=seed,
        settings={
            "model_type": None if kind is None else str(kind),
            "target_device": str(target),
            "statistics": problem.statistics_file,
            "plans": float(problem.dimensions.cardinality),
            "level": str(problem.level),
            "units": len(problem.dimensions.units),
            "hardware": describe_hardware(problem.evaluator.runtime.device),
        },
    )
