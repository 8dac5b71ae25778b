"""The statistics that plans need, and their tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from autoq.calibration.statistics._taps import Statistic, Tap
from autoq.core import BiasCorrection, QuantizerScheme, RangeEnd, RangeEstimator, Recipe, SampleStatistic
from autoq.graph import QuantizationGraph, QuantizerSite, Tensor, WeightedLayer

_ALIGNMENT_OUTLIERS = 1e-4
# With so many values of a normal distribution, cutting at the mean of the extremes costs a squared error of a
# thousandth.
_FEW_VALUES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The statistics that recipes need.

    Attributes:
        estimators: Range estimators of activations.
        means: Whether channel means of the inputs of weighted layers are needed, for bias correction.
        smoothing: Whether extremes per channel of the inputs of MatMuls are needed, for SmoothQuant.
        per_tensor: Whether statistics of whole tensors are needed for sites with channels too.
        output_means: Whether channel means after the biases of weighted layers are needed, for accurate bias
            correction.
        alignment: Whether quantiles per channel of tensors between two convolutions are needed, for channel alignment.
    """

    estimators: frozenset[RangeEstimator] = frozenset({RangeEstimator.MEAN_MIN_MAX})
    means: bool = True
    smoothing: bool = True
    per_tensor: bool = False
    output_means: bool = False
    alignment: bool = False

    @classmethod
    def of(cls, recipes: Iterable[Recipe]) -> Self:
        """The statistics that any of the recipes needs."""
        recipes = list(recipes)
        return cls(
            estimators=frozenset(recipe.range_estimator for recipe in recipes),
            means=any(recipe.bias_correction is BiasCorrection.FAST for recipe in recipes),
            smoothing=any(recipe.smooth_quant_alpha is not None for recipe in recipes),
            per_tensor=any(recipe.activations.per_channel is False for recipe in recipes),
            output_means=any(recipe.bias_correction is BiasCorrection.ACCURATE for recipe in recipes),
        )

    @property
    def of_bodies(self) -> Needs:
        """The statistics that are needed in bodies, which have fast bias correction and no channel alignment."""
        return replace(self, means=self.means or self.output_means, output_means=False, alignment=False)


def channel_axis(site: QuantizerSite, scheme: QuantizerScheme) -> int | None:
    """Axis of the channels that have ranges of their own under a scheme; None is per tensor."""
    return site.channel_axes[0] if site.channel_axes and scheme.per_channel is not False else None


def estimator_for(
    estimator: RangeEstimator, axis: int | None, shape: Sequence[int] = (), *, smoothed: bool = False
) -> RangeEstimator:
    """The estimator of a tensor's range.

    As in NNCF 3.4, ranges per channel are the extremes over the subset, if the estimator is the default or searches:
    histograms per channel are not kept. There is no histogram either of a tensor that SmoothQuant divides: the default
    replaces a search there.

    If a sample of a tensor has only a few values, the default takes the extremes over the subset too, unlike NNCF: of n
    values, about one lies beyond the mean of the extremes of n values, and would be cut off.

    Args:
        estimator: Estimator of the recipe.
        axis: Channel axis of the range; None is per tensor.
        shape: Shape of the tensor, -1 for an open axis; () if it is not known.
        smoothed: Whether SmoothQuant divides the tensor.
    """
    if axis is not None and (estimator.search or estimator == RangeEstimator.MEAN_MIN_MAX):
        return RangeEstimator.MIN_MAX
    if estimator == RangeEstimator.MEAN_MIN_MAX and has_few_values(shape):
        return RangeEstimator.MIN_MAX
    return RangeEstimator.MEAN_MIN_MAX if smoothed and estimator.search else estimator


def has_few_values(shape: Sequence[int]) -> bool:
    """Whether a sample of a tensor has too few values to rely on the mean of their extremes.

    Args:
        shape: Shape of the tensor, -1 for an open axis. An open first axis counts samples; the length of another open
            axis is not known.
    """
    known = [1 if place == 0 and size < 0 else size for place, size in enumerate(shape)]
    return 0 < math.prod(known) < _FEW_VALUES and min(known, default=-1) > 0


def required_taps(graphs: Iterable[QuantizationGraph], needs: Needs) -> tuple[Tap, ...]:
    """The taps that all plans over these graphs need, sorted by key.

    The extremes of each activation site are always among them, per channel if the site has channels: most estimators
    read them, and they bound searches. The minimum of a tensor that cannot be negative is not collected: zero gives the
    same quantizer.
    """
    taps: set[Tap] = set()
    for graph in graphs:
        for site in graph.activations:
            axes = {site.channel_axes[0] if site.channel_axes else None}
            for axis in axes | ({None} if needs.per_tensor else set()):
                taps |= _range_taps(site, axis, needs.estimators)
        for layer in graph.layers:
            if needs.means:
                taps.add(Tap(layer.input, layer.input_axis, Statistic.MEAN))
            if needs.smoothing and layer.type == "MatMul":
                taps.add(Tap(layer.input, layer.input_axis, Statistic.MIN))
                taps.add(Tap(layer.input, layer.input_axis, Statistic.MAX))
            if needs.output_means and (tap := output_mean(layer)) is not None:
                taps.add(tap)
        if needs.alignment:
            taps |= {tap for first, _ in graph.alignable for tap in alignment_taps(first)}
    return tuple(sorted(taps, key=lambda tap: tap.key))


def _range_taps(site: QuantizerSite, axis: int | None, estimators: Iterable[RangeEstimator]) -> set[Tap]:
    taps = {Tap(site.tensor, axis, Statistic.MAX)}
    if not site.non_negative:
        taps.add(Tap(site.tensor, axis, Statistic.MIN))
    for estimator in estimators:
        used = estimator_for(estimator, axis, site.shape)
        ends = (
            (used.minimum, used.minimum.outlier_probability),
            (used.maximum, 1 - used.maximum.outlier_probability),
        )
        taps |= {tap for end, level in ends if (tap := tap_of(site.tensor, axis, end, level)) is not None}
    return taps


def output_mean(layer: WeightedLayer) -> Tap | None:
    """The tap for channel means after the bias of a layer, which the runtime keeps fused with it; None without bias."""
    return None if layer.bias_add is None else Tap(layer.output, layer.output_axis, Statistic.MEAN)


def alignment_taps(first: WeightedLayer) -> tuple[Tap, Tap]:
    """Taps for the range per channel, without outliers, after the first of two convolutions: low, high."""
    low, high = (
        Tap(first.output, first.output_axis, Statistic.QUANTILE, level)
        for level in (_ALIGNMENT_OUTLIERS, 1 - _ALIGNMENT_OUTLIERS)
    )
    return low, high


def tap_of(tensor: Tensor, axis: int | None, end: RangeEnd, level: float) -> Tap | None:
    """The tap that one end of a range needs beside the extremes; None if it needs no other."""
    if end.statistic is SampleStatistic.MEAN:
        return Tap(tensor, axis, Statistic.MEAN)
    if end.statistic in {SampleStatistic.QUANTILE, SampleStatistic.ABS_QUANTILE}:
        return Tap(tensor, axis, Statistic(str(end.statistic)), level)
    return None


def required_histograms(graphs: Iterable[QuantizationGraph], needs: Needs) -> tuple[Tensor, ...]:
    """Tensors whose histograms estimators search, sorted."""
    if not any(estimator.search for estimator in needs.estimators):
        return ()
    sites = (site for graph in graphs for site in graph.activations if needs.per_tensor or not site.channel_axes)
    return tuple(sorted({site.tensor for site in sites}))
