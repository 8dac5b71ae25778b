"""`autoq.quantize_with_accuracy_control`: NNCF's parameters, one calibration, few evaluations."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Unpack

import openvino as ov
from joblib import cpu_count

from autoq.api.measuring._budget import absolute_drop
from autoq.api.measuring._check_budget import check_budget
from autoq.api.measuring._metric import one_metric
from autoq.api.quantizing._calibrated import calibrate, calibration_inputs
from autoq.api.quantizing._control import Control
from autoq.api.quantizing._options import QuantizeOptions, shows_options
from autoq.api.quantizing._settings import Settings
from autoq.calibration import Needs
from autoq.core import (
    ConfigError,
    Plan,
    Precision,
    Preset,
    RangeEstimator,
    Recipe,
    ResetState,
    nearest,
)
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import AnyMetric
from autoq.evaluation.scoring import ReadOnce, Scorer, ValidationFn, ValidationSet
from autoq.graph import read_model
from autoq.report import progress_bar

_RESTORE_MODES = {"activations_and_weights": Precision.FLOAT, "only_activations": Precision.INT8_WEIGHTS}


@shows_options
def quantize_with_accuracy_control(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    validation: Any,  # whatever ValidationSet takes, or validation_fn
    validation_fn: ValidationFn | None = None,
    *,
    metric: AnyMetric | None = None,
    max_drop: float | str = 0.01,
    drop_type: str = "absolute",
    max_num_iterations: int | None = None,
    num_ranking_workers: int | None = None,
    tune_hyperparams: bool = True,
    restore_mode: str = "activations_and_weights",
    timeout_s: float | None = None,
    device: str = "CPU",
    strict: bool = False,
    progress: bool = True,
    **options: Unpack[QuantizeOptions],
) -> ov.Model:
    """Quantizes a model as far as its accuracy stays within a budget.

    1. The whole model is quantized. If it meets the budget, it is the answer.
    2. Other recipes are tried where `options` leave them open: they cost no latency.
    3. Groups of the best recipe are left in float until the budget is met. Groups that win back most accuracy for their
       latency come first. Groups that turn out not to be needed are quantized again.

    Statistics are collected once. Candidates are tried on the items that earlier ones got most wrong. They are given up
    as soon as a part of the validation data proves that they miss the budget. The returned model was scored on all.

    Args:
        model: What `autoq.read_model` reads; never modified.
        calibration: Model inputs, as `autoq.quantize` takes them.
        validation: Labelled data as `autoq.evaluate` takes them; for a `validation_fn`, the items that it takes.
        validation_fn: `(compiled_model, items) -> float`, `(float | None, one score per item)` or `(float, the outputs
            of each item)`, higher is better, as NNCF has it.
        metric: Instead of `validation_fn`: what `autoq.evaluate` takes.
        max_drop: Largest acceptable drop of the metric.
        drop_type: "absolute", in the metric's unit, or "relative" to the float model's; so is `max_drop="1%"`.
        max_num_iterations: Most candidates that are scored.
        num_ranking_workers: Threads that rank groups with `restore_mode="only_activations"`, where each group needs a
            model of its own; otherwise one model with switches ranks them. By default one thread for each core.
        tune_hyperparams: Try other recipes before groups are left in float.
        restore_mode: "activations_and_weights", or "only_activations", which keeps the weights of restored groups in 8
            bits.
        timeout_s: Seconds until the best candidate so far is returned.
        device: OpenVINO device that models are scored on.
        strict: Raise where the device does not run the quantized model. Otherwise the groups that it refuses stay in
            float, and a warning names them.
        progress: Show a bar on a terminal.
        **options: Further parameters of `autoq.quantize`.

    Returns:
        A new model: the fastest one found that meets the budget. Where none was found, the most accurate one, with a
        warning. Its plan and its score are in its rt_info under "autoq".

    Raises:
        ModelError: The model does not read or has nothing to quantize.
        DataError: The data do not fit the model.
        DeviceError: The device does not run the float model, or, with `strict`, the quantized one.
        MetricError: The metric raised an error, or returned something that is not a score.
        PlanError: A parameter or scope names something that does not exist.
        ConfigError: Neither or both of `metric` and `validation_fn` are given, or a budget makes no sense.
    """
    started = time.monotonic()
    network = read_model(model)
    restored = _RESTORE_MODES.get(restore_mode)
    if restored is None:
        msg = f"restore_mode {restore_mode!r} is unknown: {nearest(str(restore_mode), _RESTORE_MODES)}"
        raise ConfigError(msg)
    relative = _is_relative(drop_type)
    absolute_drop(max_drop, 1.0)
    check_budget(timeout_s=timeout_s)
    settings = Settings.of(**options)
    recipes = [settings.recipe, *(_variations(settings.recipe, options) if tune_hyperparams else ())]
    apart = settings.reset_state is not ResetState.NEVER
    measure_biases = tune_hyperparams and apart and _may_measure_biases(options)
    runtime = RuntimeConfig(device=device, reset_state=settings.reset_state)
    scorer = _scorer(network, validation, validation_fn, metric, runtime)
    inputs = calibration_inputs(network, calibration, settings, again=True)
    with progress_bar("collecting calibration statistics", shown=progress) as step:
        calibrated = calibrate(
            network, inputs, settings, needs=replace(Needs.of(recipes), output_means=measure_biases), progress=step
        )
    calibrated.check()
    taken = calibrated.accepted(Plan.quantized(settings.recipe), device, strict=strict)
    with progress_bar("evaluating candidates", shown=progress) as step:
        control = Control.of(
            calibrated,
            inputs,
            scorer,
            max_drop=max_drop,
            relative=relative,
            deadline=None if timeout_s is None else started + timeout_s,
            most=max_num_iterations,
            refused=frozenset(taken.refused),
            step=step,
        )
        workers = num_ranking_workers or cpu_count()
        control.run(recipes, restored, runtime, measure_biases=measure_biases, workers=workers)
    return control.answer()


def _is_relative(drop_type: str) -> bool:
    if drop_type.lower() not in {"absolute", "relative"}:
        msg = f"drop_type {drop_type!r} is unknown: use 'absolute' or 'relative'."
        raise ConfigError(msg)
    return drop_type.lower() == "relative"


def _scorer(
    network: ov.Model, validation: Any, function: ValidationFn | None, metric: Any, runtime: RuntimeConfig
) -> Scorer:
    resolved = one_metric(metric, function, called="validation_fn")
    items = validation if resolved is None else ReadOnce(ValidationSet.of(network, validation))
    return Scorer(items, metric=resolved, evaluate=function, runtime=runtime, model=network)


def _variations(recipe: Recipe, options: Mapping[str, Any]) -> Iterator[Recipe]:
    """Recipes of the same latency that the user did not rule out; the most likely to help come first."""
    presets = [recipe.preset]
    if options.get("preset") is None and recipe.mode.is_integer:
        presets += [preset for preset in Preset if preset is not recipe.preset]
    estimators = [recipe.range_estimator]
    if options.get("range_estimator") is None:
        estimators += [RangeEstimator.MIN_MAX, RangeEstimator.MEDIAN_MIN_MAX]
    for estimator in estimators:
        for preset in presets:
            varied = replace(recipe, preset=preset, range_estimator=estimator)
            if varied != recipe:
                yield varied


def _may_measure_biases(options: Mapping[str, Any]) -> bool:
    """Whether the user left the bias correction open."""
    return options.get("bias_correction") is None and options.get("fast_bias_correction") is None
