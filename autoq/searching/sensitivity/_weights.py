"""Sensitivities of weights: the distortion of the outputs when each weight is rounded, in each of its formats.

One model has a switch for each weight, between float and its first format: a weight costs a few inferences and no
compilation. The error of a layer's outputs is known exactly in every format, from the products of what the weight is
multiplied by. It says how much more, or less, the other formats distort: the distortion by a small error is in
proportion to its square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov

from autoq.calibration import Feed
from autoq.core import DistortionMeasure, WeightFormat
from autoq.evaluation.candidate import ModelRunner
from autoq.evaluation.distortion import SwitchedRuns
from autoq.graph import Comparable
from autoq.searching.sensitivity._knowledge import ByChoice
from autoq.searching.sensitivity._sensitivity import alike
from autoq.transform import SWITCHES, WeightBuilder

_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class WeightSensitivities:
    """Distortions of a model's outputs by its weights.

    Attributes:
        alone: Distortion with one weight alone in a format, by the name of the weight and the word of the format.
        whole: Distortion with every weight in its first format.
        inferences: Number of forward passes at most.
    """

    alone: ByChoice
    whole: float
    inferences: int


def measure_weight_sensitivities(
    builder: WeightBuilder,
    model: ov.Model,
    formats: Mapping[str, Sequence[WeightFormat]],
    *,
    inputs: Sequence[Feed],
    evaluator: ModelRunner,
    measure: DistortionMeasure = DistortionMeasure.NMSE,
    samples: int,
    max_seconds: float = math.inf,
    limit_s: float = math.inf,
) -> WeightSensitivities:
    """Distortion of each weight alone, and of all.

    Args:
        builder: Rounds the weights.
        model: The float model.
        formats: Formats by the name of the weight; the distortion by the first one is measured.
        inputs: Calibration inputs; some inputs of the most frequent shape are run.
        evaluator: Runs models in f32.
        measure: Measure of the distortion.
        samples: Largest number of inputs.
        max_seconds: Time limit: the first inputs that fit into it are run, at least four.
        limit_s: Time limit of these four: as many as fit are run, at least one.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    switches = np.concatenate([np.ones((1, len(formats))), np.eye(len(formats))]).astype(np.float32)
    feeds = alike(inputs, samples)
    switchable = builder.build_switchable([{name: own[0]} for name, own in formats.items()])
    runs = SwitchedRuns(
        model=Comparable.of(model).put_out_by(switchable),
        inputs=feeds,
        switches=switches,
        name=SWITCHES,
        measure=measure,
        needed=len(switches),
        max_seconds=max_seconds,
        limit_s=limit_s,
    )
    whole, *alone = evaluator.switched_distortions(runs).tolist()
    by_weight = dict(zip(formats, alone, strict=True))
    return WeightSensitivities(spread_over_formats(builder, formats, by_weight), whole, len(switches) * len(feeds))


def spread_over_formats(
    builder: WeightBuilder,
    formats: Mapping[str, Sequence[WeightFormat]],
    by_weight: Mapping[str, float],
    rounded: Sequence[str] | None = None,
) -> dict[str, dict[str, float]]:
    """The distortion by every format of each weight, from that by its first one and the errors of its layer.

    Args:
        builder: Rounds the weights.
        formats: Formats by the name of the weight.
        by_weight: Distortion by the first format.
        rounded: Weights whose errors are taken in each format. Of the others, errors are as much larger or smaller than
            in the first format as they are in the median of these. None rounds all of them.
    """
    ratios: dict[str, dict[str, float]] = {}
    for name in formats if rounded is None else rounded:
        own = formats[name]
        first = max(builder.error(name, own[0]), _TINY)
        ratios[name] = {str(form): builder.error(name, form) / first for form in own[1:]}
    usual = _medians(formats, ratios)
    found = {}
    for name, own in formats.items():
        by_format = {str(own[0]): 1.0, **usual[str(own[0])], **ratios.get(name, {})}
        found[name] = {str(form): by_weight[name] * by_format[str(form)] for form in own}
    return found


def _medians(
    formats: Mapping[str, Sequence[WeightFormat]], ratios: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Median ratio by the first format, and by each other one; by the bits of numbers where nothing was rounded so."""
    found: dict[str, dict[str, float]] = {}
    for own in formats.values():
        first = found.setdefault(str(own[0]), {})
        for form in own[1:]:
            if str(form) not in first:
                alike = [of[str(form)] for name, of in ratios.items() if formats[name][0] == own[0] and str(form) in of]
                # A bit less makes steps twice as large.
                first[str(form)] = float(np.median(alike)) if alike else 4.0 ** (own[0].bits - form.bits)
    return found
