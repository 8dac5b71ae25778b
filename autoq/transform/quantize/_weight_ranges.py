"""The numbers of a weight's quantizer: its range, its scheme, its integers.

| name      | meaning                                        | shape                          |
|-----------|------------------------------------------------|--------------------------------|
| value     | the float weight                               | as the operation reads it      |
| axes      | axes that have a limit of their own each       | of `value`; none is per tensor |
| low, high | its range                                      | [channels], or [1]             |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from autoq.calibration import estimate_range
from autoq.core import (
    Aggregator,
    FloatArray,
    Fp8Scale,
    Precision,
    QuantizerLimits,
    QuantizerScheme,
    RangeEstimator,
    SampleStatistic,
    asymmetric_limits,
    fake_quantize,
    fp8_bytes,
    fp8_scale,
    half_range_limits,
    quantization_level,
    round_to_fp8,
    symmetric_limits,
)
from autoq.transform.quantize._fake_quantize import Folded

LimitsRule = Callable[[FloatArray, FloatArray], QuantizerLimits]

# Ranges are shrunk by these factors: the squared error of a rounded weight is least if few of the largest values are
# cut.
_SHRINKS = np.linspace(1, 0.4, 49, dtype=np.float32)
# Elements of a block of channels. All cores search in weights with more elements than the second number.
_BLOCK = 2**17
_MANY = 2**20


def limits_rule(
    scheme: QuantizerScheme, bits: int, *, symmetric: bool, halved: bool, full_range: bool, multiplied: bool
) -> LimitsRule:
    """A function that turns a range into the limits of a weight's quantizer.

    Args:
        scheme: The prescribed scheme.
        bits: Width of the integers.
        symmetric: Whether zero is the middle of the range.
        halved: Whether half of the range is used.
        full_range: Whether the weight takes the place of an activation: its quantizer has all levels and the sign of
            the data.
        multiplied: Whether a layer multiplies by it: kernels read signed integers alone, whatever the sign of the data.
    """
    if not symmetric:
        return lambda low, high: asymmetric_limits(low, high, bits=bits)
    narrow = not full_range if scheme.narrow_range is None else scheme.narrow_range
    if halved and not full_range:
        return lambda low, high: half_range_limits(low, high, bits=bits, narrow_range=narrow)
    by_data = None if full_range and not multiplied else True
    signed = scheme.signed if scheme.signed is not None else by_data
    return lambda low, high: symmetric_limits(low, high, bits=bits, narrow_range=narrow, signed=signed)


def weight_numbers(
    value: FloatArray,
    axes: tuple[int, ...],
    *,
    estimator: RangeEstimator,
    mode: Precision,
    rule: LimitsRule,
    symmetric: bool,
    per_tensor: bool,
) -> QuantizerLimits | Fp8Scale:
    """Numbers of a weight's quantizer.

    Args:
        value: The float weight.
        axes: Axes along which limits differ.
        estimator: Estimator of the range.
        mode: Integers, or a format of 8-bit floating point.
        rule: Turns a range into limits.
        symmetric: Whether zero is the middle of the range.
        per_tensor: Whether the whole weight has one number.
    """
    reduction = RangeEstimator.MIN_MAX if estimator.search else estimator
    low, high = estimate_range(_statistics(value, axes), reduction, symmetric=symmetric)
    if not mode.is_integer:
        return fp8_scale(low, high, mode, per_channel=not per_tensor)
    if estimator.search is Aggregator.MSE:
        return _least_error(value, axes, low, high, rule)
    return rule(low, high)


def _statistics(value: FloatArray, axes: tuple[int, ...]) -> Callable[[SampleStatistic, float], FloatArray]:
    """Statistics of a weight as `estimate_range` takes those of activations: one sample, [1, channels]."""
    reduced = tuple(axis for axis in range(value.ndim) if axis not in axes)

    def of(statistic: SampleStatistic, level: float) -> FloatArray:
        known: dict[SampleStatistic, Callable[[], Any]] = {
            SampleStatistic.MIN: lambda: value.min(axis=reduced),
            SampleStatistic.MAX: lambda: value.max(axis=reduced),
            SampleStatistic.ABS_MAX: lambda: np.maximum(-value.min(axis=reduced), value.max(axis=reduced)),
            SampleStatistic.MEAN: lambda: value.mean(axis=reduced),
            SampleStatistic.QUANTILE: lambda: np.quantile(value, level, axis=reduced),
            SampleStatistic.ABS_QUANTILE: lambda: np.quantile(np.abs(value), level, axis=reduced),
        }
        return np.asarray(known[statistic](), np.float32).reshape(1, -1)

    return of


def _least_error(
    value: FloatArray, axes: tuple[int, ...], low: FloatArray, high: FloatArray, rule: LimitsRule
) -> QuantizerLimits:
    """The limits with the least squared error of each channel, among those of shrunken ranges."""
    rows = np.moveaxis(value, axes, range(len(axes))).reshape(len(low), -1)
    # The rule gets all channels at once, since it may look at the largest of them.
    limits = [rule(low * shrink, high * shrink) for shrink in _SHRINKS]
    # The number of channels at a time is such that their values stay in the cache.
    step = max(1, _BLOCK // rows.shape[1])
    errors = Parallel(n_jobs=cpu_count() if rows.size >= _MANY else 1, prefer="threads")(
        delayed(_squared_errors)(rows, limits, slice(start, start + step)) for start in range(0, len(rows), step)
    )
    best, channels = np.concatenate(errors, axis=1).argmin(axis=0), np.arange(len(rows))
    lows, highs = np.stack([tried.low for tried in limits]), np.stack([tried.high for tried in limits])
    return QuantizerLimits(lows[best, channels], highs[best, channels], limits[0].levels)


def _squared_errors(rows: FloatArray, limits: Sequence[QuantizerLimits], part: slice) -> NDArray[np.float64]:
    """Squared errors of some channels of a weight [channels, size] by several limits, [limits, channels]."""
    found = []
    for tried in limits:
        error = fake_quantize(rows[part], tried.low[part, None], tried.high[part, None], tried.levels)
        error -= rows[part]
        error *= error
        found.append(error.sum(axis=1, dtype=np.float64))
    return np.array(found)


def quantized_weight(value: FloatArray, numbers: QuantizerLimits | Fp8Scale, shape: tuple[int, ...]) -> FloatArray:
    """The weight that the operation multiplies by.

    Args:
        value: Float weight.
        numbers: Numbers of its quantizer.
        shape: Shape of the numbers, broadcastable to `value`.

    Returns:
        Like `value`.
    """
    if isinstance(numbers, Fp8Scale):
        scale = numbers.scale.reshape(shape)
        return round_to_fp8(value * scale, numbers.precision) / scale
    return fake_quantize(value, numbers.low.reshape(shape), numbers.high.reshape(shape), numbers.levels)


def folded_weight(value: FloatArray, numbers: QuantizerLimits | Fp8Scale, shape: tuple[int, ...]) -> Folded | None:
    """A stored weight, rounded as the quantizer rounds it; None if eight bits cannot hold it.

    Args:
        value: Float weight.
        numbers: Numbers of its quantizer.
        shape: Shape of the numbers, broadcastable to `value`.
    """
    if isinstance(numbers, Fp8Scale):
        scale = numbers.scale.reshape(shape)
        data = fp8_bytes(round_to_fp8(value * scale, numbers.precision), numbers.precision)
        return Folded(data, numbers.precision.storage, np.asarray(1 / scale, np.float32))
    if numbers.levels > Precision.INT8.levels:
        return None
    low, high = numbers.low.reshape(shape), numbers.high.reshape(shape)
    scale = ((high - low) / np.float32(numbers.levels - 1)).astype(np.float32)
    level = quantization_level(value, low, high, numbers.levels)
    if not low.any():
        return Folded(level.astype(np.uint8), "u8", scale)
    zero = np.round(-low / scale)
    middle = numbers.levels // 2
    if (zero == middle).all():
        level -= middle
        return Folded(level.astype(np.int8), "i8", scale)
    return Folded(level.astype(np.uint8), "u8", scale, zero_point=zero.astype(np.uint8))
