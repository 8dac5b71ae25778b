"""`autoq.search`: from a model, data and a metric to the front."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from autoq._stopping import HeldStack, stoppable
from autoq.api.measuring._check_budget import check_budget
from autoq.api.measuring._metric import one_metric
from autoq.api.results._folder import RunFolder
from autoq.api.results._result import SearchResult
from autoq.api.searches._arguments import check_texts, runtime_of, title_of
from autoq.api.searches._conclude import conclude_search
from autoq.api.searches._ended import ended_before, tell_again
from autoq.api.searches._explore import explore_search
from autoq.api.searches._finetuning import FineTuning
from autoq.api.searches._going_on import going_on
from autoq.api.searches._held_out import labelled
from autoq.api.searches._prepare import prepare_search
from autoq.api.searches._request import SearchRequest
from autoq.api.searches._session import SearchSession
from autoq.api.searches._wanted import Wanted
from autoq.calibration import as_inputs
from autoq.core import Against, ModelType, ResetState, TargetDevice, Until
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.isolation import DeviceProcess, check_sendable
from autoq.evaluation.metrics import AnyMetric
from autoq.graph import read_model
from autoq.searching.problem import Clock
from autoq.searching.records import Part
from autoq.searching.shown import SearchObserver
from autoq.searching.space import SearchSpace
from autoq.searching.study import quiet_optuna


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
    against: str | None = None,
    space: str | os.PathLike[str] | Mapping[str, Any] | SearchSpace | None = None,
    device: str = "CPU",
    n_trials: int | None = None,
    timeout_s: float | None = None,
    trial_timeout_s: float | None = None,
    until: str = "gain",
    finetune: Mapping[str, Any] | None = None,
    storage: str | None = None,
    tracking_uri: str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    experiment: str | None = None,
    model_type: str | None = None,
    target_device: str = "ANY",
    runtime: RuntimeConfig | Mapping[str, Any] | None = None,
    reset_state: str | None = None,
    sample: Any = None,  # one model input
    holdout: Any = None,  # whatever ValidationSet takes
    isolate: bool = True,
    progress: bool = True,
    observers: Sequence[SearchObserver] = (),
) -> SearchResult:
    """Searches how a model can be made small and fast: the Pareto front of accuracy drop against latency, or size.

    Called again with the same `out` (or `storage` and `name`), a search goes on where it was stopped, also where it was
    killed. A search that has ended returns its result again and measures nothing, until it is asked for more: a larger
    `n_trials` or `timeout_s`.
    With `out`, the best trial so far is in best.json there. `SearchResult.load` reads it at any moment, also from
    another process.

    Args:
        model: What `autoq.read_model` reads: a path, an `ov.Model`, a `torch.nn.Module`. Never modified.
        calibration: Model inputs, as `autoq.quantize` takes them.
        validation: Labelled data, as `autoq.evaluate` takes them; with `evaluate`, the items that it takes.
        metric: What `autoq.evaluate` takes: a name, a function, a `CorpusMetric`, or an object with `update` and
            `compute`; higher is better.
        evaluate: Instead of `metric`: `(compiled_model, items) -> float | (float, per-item floats)`, as NNCF has it.
        max_drop: Accuracy budget: absolute in the metric's unit, or relative to the float model's score as "1%".
        max_latency: Limit of the median latency: in ms, as a number or "0.8 ms", or relative to the float model's as
            "50%". It is compared with the ratio to the float model, measured beside every candidate, times the float
            model's latency when the search began: milliseconds alone change with what else the machine does.
        max_size: Limit of the size of the weights: in bytes, with a unit as "2 MB", or relative to the float model's
            as "25%".
        choose: Which model of the front is the best one: "fastest", "accurate", "smallest", "knee", or a list of the
            criteria "accuracy", "latency" and "size", the most important first. Models that the evidence does not
            separate by one criterion are compared by the next. By default "fastest", or "smallest" where accuracy is
            weighed against size; "accurate" where the limit of just that is given and `max_drop` is not.
        against: What accuracy is weighed against on the front: "latency", or "size". By default "size" for spaces that
            only compress weights, else "latency".
        space: A shipped name ("cnn", "transformer", "llm", "quick"), a YAML path, plain values or a `SearchSpace`; by
            default "cnn", or "transformer" for `model_type="transformer"`.
        device: OpenVINO device that candidates are timed on.
        n_trials: Candidates to measure, earlier sessions included; 60 where neither budget is given.
        timeout_s: Seconds for this call, preparation included.
        trial_timeout_s: Seconds until a candidate that the device does not finish is given up; by default 20 times the
            seconds of the float model, and at least a minute. The float model is measured several times and has 10
            times as long, at least a minute; by default it has no limit.
        until: "gain" ends the search before its budget is spent, if no further model is expected to differ from the
            best ones by more than measurements can tell. "time" goes on until the budget is spent.
        finetune: Trains models near the front after the trials, and shows each beside the trial that it was made of:
            `{"timeout_s": 600, "top": 3}`. Keys are those of `autoq.finetune`, of which `timeout_s` is for all models
            together and part of the `timeout_s` of the search, or `steps` or `epochs` for each; `top`, the most models;
            and `data`, inputs to train on, by default the calibration data. With a limit of the drop, the cheapest
            models of at most twice that drop are trained, and the trials look for them.
        storage: Optuna storage URL, of a SQLite file or a server; by default a SQLite file in `out`, or memory.
        tracking_uri: MLflow store; by default the one that `mlflow.set_tracking_uri` or `MLFLOW_TRACKING_URI` names,
            else "sqlite:///mlflow.db"; "off" tracks nothing.
        seed: Seed of the sampler.
        out: Folder for the study, the statistics, the report and the chosen model. It belongs to the first name that is
            searched in it. Searches of other names have folders inside its `searches`; see `SearchResult.folder`.
        name: Name of the study and of the MLflow run; by default that of the folder or the model.
        experiment: MLflow experiment; by default that of the run that you have active, else the one that
            `mlflow.set_experiment` or the environment names, else "autoq". A run that you have active in the same store
            becomes the parent of the search's run.
        model_type: "transformer" for its placement rules.
        target_device: Hardware table for placement.
        runtime: Compile settings shared by every candidate and the baseline; fields of `RuntimeConfig`.
        reset_state: When a model with state is reset while samples are run: before each "sample", or "never". Use
            "never" where samples are the steps of one sequence: all of them then run in order, and nothing is held out
            by default. By default the value of `runtime`, else "sample".
        sample: Input to time with; by default the first of the calibration data. Of a stateful decoder, it is a prompt:
            the tokens that follow it are timed, and the prompt beside them; with `runtime={"decoder_time": "prompt"}`
            the prompt alone.
        holdout: Pairs that the search never sees. The models of the front are scored on them once, at the end. By
            default a fifth of `validation` where that has 1,000 pairs or more: one of each five in a row, the same
            pairs in every search of as many pairs. False holds out nothing. With `evaluate`, pass items that it takes;
            nothing is held out by default.
        isolate: Score and time in a process of its own, so that a device that crashes or hangs is a failed trial with a
            message. The metric and the data must then be picklable (functions of a script or a notebook are), and the
            metric sees copies.
        progress: Show a live table on the terminal.
        observers: Told of every trial, besides the table and MLflow.

    Returns:
        The trials, the front, the chosen model within the limits.

    Raises:
        AutoqError: Input cannot be used. Each kind has its class, and a message that says what would be valid.
        BusyError: Another process works on the study, or in the folder. The message says which one, and since when.
    """
    clock = Clock.of(timeout_s, time.monotonic())
    with stoppable(), HeldStack() as outer:
        with clock.spent(Part.READ):
            check_budget(n_trials, timeout_s=timeout_s, trial_timeout_s=trial_timeout_s)
            check_texts(
                seed,
                {"name": name, "experiment": experiment},
                storage=storage,
                tracking_uri=tracking_uri,
                device=device,
            )
            folder = None if out is None else RunFolder.create(out)
            kind = None if model_type is None else ModelType.parse(model_type)
            target = TargetDevice.parse(target_device)
            searched = SearchSpace.load(space if space is not None else "transformer" if kind else "cnn")  # type: ignore[arg-type]
            weighed = searched.usually_against if against is None else Against.parse(against)
            wanted = Wanted.of(max_drop, max_latency, max_size, choose, weighed)
            scorer = one_metric(metric, evaluate)
            if isolate:
                check_sendable({"metric": scorer, "evaluate": evaluate})
            settings = runtime_of(runtime, device, reset_state)
            # Its imports take seconds, while the model and the data are read here.
            process = outer.enter_context(closing(DeviceProcess())) if isolate else None
            network = read_model(model)
            inputs = as_inputs(network, calibration, most=max(searched.subset_sizes))
            in_order = settings.reset_state is ResetState.NEVER
            pairs, held_out = labelled(
                network, validation, holdout, own_function=evaluate is not None, in_order=in_order
            )
            if isolate:
                check_sendable({"validation": pairs, "holdout": held_out})
            request = SearchRequest(
                network=network,
                source=str(Path(model).absolute()) if isinstance(model, str | os.PathLike) else None,
                brought=(model, calibration, validation, holdout, sample),
                inputs=inputs,
                validation=pairs,
                held_out=held_out,
                metric=scorer,
                evaluate=evaluate,
                scored_by=metric if evaluate is None else evaluate,
                in_memory=isinstance(validation, list | tuple | np.ndarray | Mapping),
                space=searched,
                finetune=None
                if finetune is None
                else FineTuning.of(
                    finetune,
                    network,
                    calibration,
                    inputs,
                    search_s=timeout_s,
                    seed=seed,
                    folderless=storage is not None and folder is None,
                ),
                wanted=wanted,
                runtime=settings,
                model_type=kind,
                target_device=target,
                sample=sample,
                n_trials=n_trials,
                clock=clock,
                trial_timeout_s=trial_timeout_s,
                until=Until.parse(until),
                seed=seed,
                title=name or title_of(model, network, folder),
                folder=folder,
                storage=storage,
                tracking_uri=tracking_uri,
                experiment=experiment,
                progress=progress,
                observers=observers,
            )
        with going_on(request) as ending, HeldStack() as stack:
            stack.enter_context(quiet_optuna())
            with clock.spent(Part.OPEN):
                session = SearchSession.opened(stack, request, process)
                ended = ended_before(session)
            if ended is not None:
                return ending.of(tell_again(session, ended))
            prepared = prepare_search(session)
            explored = explore_search(prepared)
            return ending.of(conclude_search(prepared, explored))
