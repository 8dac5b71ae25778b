"""`autoq.sensitivity`: which parts of a model suffer from 8 bits."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Unpack

import openvino as ov

from autoq.api.measuring._sample import timing_sample
from autoq.api.quantizing._calibrated import Calibrated, calibrate, calibration_inputs
from autoq.api.quantizing._options import QuantizeOptions, shows_options
from autoq.api.quantizing._settings import Settings
from autoq.api.sensitivities._of_weights import parsed_formats, report_of_weights
from autoq.api.sensitivities._of_widths import parsed_shares, report_of_widths
from autoq.api.sensitivities._sensitivity_report import SensitivityReport
from autoq.api.sensitivities._unit_sensitivity import UnitSensitivity
from autoq.calibration import ModelInputs
from autoq.core import (
    ConfigError,
    DeviceError,
    DistortionMeasure,
    Level,
    Plan,
    PlanError,
    Precision,
    nearest,
)
from autoq.evaluation.device import RuntimeConfig, check_device
from autoq.evaluation.distortion import F32Runner
from autoq.evaluation.execution import profile_model
from autoq.graph import QuantizationGraph, neighbours, operation, read_model
from autoq.graph import units as units_at
from autoq.report import progress_bar
from autoq.searching.sensitivity import Sensitivities, latency_gains, measure_sensitivities

_AUTO = "auto"

Units = Mapping[str, Sequence[str]]


@shows_options
def sensitivity(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    *,
    level: str = "group",
    measure: str = _AUTO,
    samples: int = 30,
    device: str = "CPU",
    gains: bool = False,
    precisions: Sequence[str] = (),
    weight_formats: Sequence[str] = (),
    widths: Sequence[float] = (),
    multiple_of: int = 8,
    progress: bool = True,
    **options: Unpack[QuantizeOptions],
) -> SensitivityReport:
    """Measures how much the quantization of each part of a model distorts its outputs. It needs no labels.

    A unit is a group of quantizers that must share a precision, or several groups. Each unit is quantized alone, then
    pairs of units where one reads the other, then all units together. These are forward passes in f32 of one compiled
    model, with an input that switches units between float and 8 bits. So the rounding of the quantizers is measured,
    and not what kernels of a device do besides, such as saturate on a CPU without VNNI. Accurate bias correction
    measures a whole candidate, and is left out. Some outputs have a shape that depends on values, such as a detector's
    boxes. The floats that decide them are compared instead; where layers with weights follow, as many as both models
    have.

    Args:
        model: What `autoq.read_model` reads; never modified.
        calibration: Model inputs, as `autoq.quantize` takes them.
        level: Level of the units: "group", "block", "type", "prefix" or "model", as in a search.
        measure: How far outputs are from the float model's: "nmse" (squared error over variance), "kl" (divergence
            between the classes along the last axis, for classifiers: of logits, their softmax) or "cosine" (one minus
            the cosine of the angle); the mean over outputs. "auto" is "kl" where every output of the model is a
            Softmax over its last axis, else "nmse": a model does not say that its outputs are logits.
        samples: Number of calibration inputs that are run, the first ones of the most frequent shape. Fewer are faster,
            but then the result depends more on the choice of the inputs.
        device: OpenVINO device that runs the model.
        gains: Also profile the float model and the 8-bit model on the device, and estimate each unit's latency gain.
        precisions: Further precisions in which each unit alone is measured, beside the mode: "int8", "int8_weights",
            "fp8_e4m3", "fp8_e5m2".
        weight_formats: Measure compressed weights instead, each by itself: in the first of these formats, such as
            "int4_sym g64". Of the others, the distortion follows from the errors of the layer. Weights are rounded to
            the nearest numbers. Of the options, `ignored_scope`, `reset_state` and `cache` count.
        widths: Measure channels that go instead: each group of channels by itself keeps the first of these shares, such
            as 0.75, and then each of the others. Layers that read it are repaired in one shot, as in
            `autoq.prune(..., repair="one_shot")`. Of the options, `ignored_scope`, `subset_size`, `reset_state` and
            `cache` count.
        multiple_of: What these widths are multiples of, the nearest one for each share.
        progress: Show a bar on a terminal while statistics are collected, and while units are measured.
        **options: Further parameters of `autoq.quantize`.

    Returns:
        A report of the units, most sensitive first. It draws them, and gives an ignored scope.

    Raises:
        ModelError: The model does not read, has nothing to quantize, or no channels that go.
        DataError: The calibration data do not fit the model.
        PlanError: A parameter or scope names something that does not exist.
        DeviceError: The device is unknown or refuses the float model.
        ConfigError: `samples` is below 1, or both `weight_formats` and `widths` are given.
    """
    if samples < 1:
        msg = f"samples is {samples}: it must be at least 1."
        raise ConfigError(msg)
    shares = () if isinstance(widths, Sequence) and not widths else parsed_shares(widths)
    if shares and weight_formats:
        msg = "weight_formats and widths are two things to measure: pass one of them."
        raise ConfigError(msg)
    check_device(device)
    network = read_model(model)
    chosen, coarse = _measure(measure, network), Level.parse(level)
    settings, further = Settings.of(**options), _further(precisions)
    inputs = calibration_inputs(network, calibration, settings, again=True)
    runtime = RuntimeConfig(device=device, reset_state=settings.reset_state)
    if weight_formats:
        formats = parsed_formats(weight_formats)
        with progress_bar("running the model", shown=progress) as seen:
            return report_of_weights(
                network,
                inputs,
                formats,
                scope=settings.ignored_scope,
                measure=chosen,
                samples=samples,
                runner=F32Runner(runtime),
                reset_state=settings.reset_state,
                cache=settings.cache,
                progress=seen,
            )
    if shares:
        with (
            progress_bar("running the model", shown=progress) as seen,
            progress_bar("measuring sensitivities", shown=progress) as step,
        ):
            return report_of_widths(
                network,
                inputs,
                shares,
                multiple_of=multiple_of,
                scope=settings.ignored_scope,
                measure=chosen,
                samples=samples,
                subset_size=settings.recipe.subset_size,
                runner=F32Runner(runtime),
                reset_state=settings.reset_state,
                cache=settings.cache,
                seen=seen,
                progress=step,
            )
    with progress_bar("collecting calibration statistics", shown=progress) as step:
        calibrated = calibrate(network, inputs, settings, progress=step)
    calibrated.check()
    graph = calibrated.placements.standing(settings.recipe.ignored_scope, settings.recipe.placement)
    units = units_at(calibrated.model, graph, coarse)
    with progress_bar("measuring sensitivities", shown=progress) as step:
        measured = partial(
            measure_sensitivities,
            calibrated.builder,
            calibrated.model,
            units,
            recipe=settings.recipe,
            inputs=inputs,
            evaluator=F32Runner(runtime, step),
            measure=chosen,
            samples=samples,
            # With a limit the ranking would depend on what else the machine does.
            max_seconds=math.inf,
        )
        found = measured(neighbours(calibrated.model, graph, units))
        others = {str(precision): measured((), precision=precision) for precision in further}
    gained = _gains(calibrated, inputs, units, runtime) if gains else {}
    return SensitivityReport(
        units=_ranked(found, units, graph, gained, others),
        interactions=dict(sorted(found.interactions.items(), key=lambda item: -abs(item[1]))),
        whole=found.whole,
        inferences=found.inferences + sum(other.inferences for other in others.values()),
        measure=chosen,
        scope=settings.ignored_scope,
        place=calibrated.under,
    )


def _further(words: Sequence[str]) -> list[Precision]:
    """Precisions by name.

    Raises:
        PlanError: One is unknown, or is float, which distorts nothing.
    """
    found = list(dict.fromkeys(Precision.parse(word) for word in ([words] if isinstance(words, str) else words)))
    if any(precision.is_float for precision in found):
        msg = "precisions holds 'float', in which a unit distorts nothing: leave it out."
        raise PlanError(msg)
    return found


def _measure(word: str, network: ov.Model) -> DistortionMeasure:
    words = {str(member): member for member in DistortionMeasure}
    asked = str(word).lower()
    if asked == _AUTO:
        known = all(map(_is_probabilities, network.get_results()))
        return DistortionMeasure.KL if known else DistortionMeasure.NMSE
    if asked not in words:
        msg = f"measure {word!r} is unknown: {nearest(asked, [_AUTO, *words])}"
        raise PlanError(msg)
    return words[asked]


def _is_probabilities(result: ov.Node) -> bool:
    """Whether an output is a Softmax, or its logarithm, over the last axis."""
    node = result.input_value(0).get_node()
    if not operation(node.get_type_name()).probabilities:
        return False
    axis, rank = node.get_attributes()["axis"], node.get_output_partial_shape(0).rank
    return bool(axis == -1 or (rank.is_static and axis == rank.get_length() - 1))


def _gains(calibrated: Calibrated, inputs: ModelInputs, units: Units, runtime: RuntimeConfig) -> dict[str, float]:
    """Expected fall of the latency ratio by unit; empty where the device counts no times."""
    model, graph, plan = calibrated.model, calibrated.placements.reference, Plan.quantized(calibrated.settings.recipe)
    sample = timing_sample(model, runtime, inputs[0])
    try:
        before = profile_model(model, runtime, sample, graph)
        after = profile_model(calibrated.builder.build(plan), runtime, sample, graph, plan=plan)
    except DeviceError as error:
        warnings.warn(f"the latency gains of units are unknown: {error}", stacklevel=3)
        return {}
    return latency_gains(before, after, units)


def _ranked(
    found: Sensitivities,
    units: Units,
    graph: QuantizationGraph,
    gains: Mapping[str, float],
    others: Mapping[str, Sensitivities],
) -> tuple[UnitSensitivity, ...]:
    ops = {group.name: group.ops for group in graph.groups}
    types = {decision.op: decision.type for decision in graph.decisions}
    ranking = found.ranking
    rows = []
    for number, unit in enumerate(ranking):
        held = tuple(op for group in units[unit] for op in ops[group])
        rows.append(
            UnitSensitivity(
                unit=unit,
                groups=tuple(units[unit]),
                ops=held,
                types=tuple(dict.fromkeys(types[op] for op in held)),
                distortion=found.alone[unit],
                share=_share(found.alone[unit], found.whole),
                left=_share(found.predicted(ranking[number + 1 :]), found.whole),
                gain=gains.get(unit),
                others={precision: other.alone[unit] for precision, other in others.items()},
            )
        )
    return tuple(rows)


def _share(distortion: float, whole: float) -> float:
    """Share of the whole distortion; 1 where both are infinite, or where the whole has none."""
    if whole in {distortion, 0.0}:
        return float(distortion > 0)
    return distortion / whole
