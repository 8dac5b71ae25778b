"""Which statistics of which tensors plans will ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from autoq.calibration.statistics._taps import Statistic, Tap
from autoq.core import BiasCorrection, QuantizerScheme, RangeEnd, RangeEstimator, Recipe, SampleStatistic
from autoq.graph import QuantizationGraph, QuantizerSite, Tensor, WeightedLayer

_ALIGNMENT_OUTLIERS = 1e-4
# The mean of the extremes of so many values of a normal distribution cuts off a squared error of a thousandth.
_FEW_VALUES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What recipes ask of calibration.

    Attributes:
        estimators: Range estimators of activations.
        means: Channel means of the inputs of weighted layers, for bias correction.
        smoothing: Extremes per channel of the inputs of MatMuls, for SmoothQuant.
        per_tensor: Statistics of whole tensors where sites have channels.
        output_means: Channel means behind the biases of weighted layers, for accurate bias correction.
        alignment: Quantiles per channel of what is between two convolutions, for channel alignment.
    """

    estimators: frozenset[RangeEstimator] = frozenset({RangeEstimator.MEAN_MIN_MAX})
    means: bool = True
    smoothing: bool = True
    per_tensor: bool = False
    output_means: bool = False
    alignment: bool = False

    @classmethod
    def of(cls, recipes: Iterable[Recipe]) -> Self:
        """What any of the recipes asks for."""
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
        """What is asked inside of bodies, where biases are corrected fast and channels are not aligned."""
        return replace(self, means=self.means or self.output_means, output_means=False, alignment=False)


def channel_axis(site: QuantizerSite, scheme: QuantizerScheme) -> int | None:
    """Axis of an activation that has a range per channel under a scheme; None is per tensor."""
    return site.channel_axes[0] if site.channel_axes and scheme.per_channel is not False else None


def estimator_for(
    estimator: RangeEstimator, axis: int | None, shape: Sequence[int] = (), *, smoothed: bool = False
) -> RangeEstimator:
    """The estimator that a tensor's range is found with.

    As in NNCF 3.4, ranges per channel are the extremes over the subset where the estimator is the default, or one that
    searches: a histogram per channel is not kept. Nor is one of a tensor that SmoothQuant divides, where the default
    stands in for a search.

    Where one sample of a tensor has a few values only, the default takes the extremes over the subset too, which NNCF
    does not: of n values, about one lies beyond the mean of the extremes of n, and is cut off.

    Args:
        estimator: The recipe's.
        axis: Channel axis of the range; None is per tensor.
        shape: Of the tensor, -1 where it is open; () is not known.
        smoothed: The tensor is divided by SmoothQuant.
    """
    if axis is not None and (estimator.search or estimator == RangeEstimator.MEAN_MIN_MAX):
        return RangeEstimator.MIN_MAX
    if estimator == RangeEstimator.MEAN_MIN_MAX and has_few_values(shape):
        return RangeEstimator.MIN_MAX
    return RangeEstimator.MEAN_MIN_MAX if smoothed and estimator.search else estimator


def has_few_values(shape: Sequence[int]) -> bool:
    """Whether a sample of a tensor has fewer values than the mean of their extremes can be trusted for.

    Args:
        shape: -1 where it is open: a first axis is then one of samples, of another one nothing is known.
    """
    known = [1 if place == 0 and size < 0 else size for place, size in enumerate(shape)]
    return 0 < math.prod(known) < _FEW_VALUES and min(known, default=-1) > 0


def required_taps(graphs: Iterable[QuantizationGraph], needs: Needs) -> tuple[Tap, ...]:
    """Taps that let every plan over these graphs be resolved, sorted by key.

    The extremes of every activation site are always among them, per channel where the site has channels: they are what
    most estimators read, and bounds for those that search. The minimum of a tensor that cannot be negative is known
    and not collected: zero quantizes the same.
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
    """Channel means behind the bias of a layer, before which the runtime would have to part the two; None without."""
    return None if layer.bias_add is None else Tap(layer.output, layer.output_axis, Statistic.MEAN)


def alignment_taps(first: WeightedLayer) -> tuple[Tap, Tap]:
    """Range per channel of the output of the first of two convolutions, without its outliers: low, high."""
    low, high = (
        Tap(first.output, first.output_axis, Statistic.QUANTILE, level)
        for level in (_ALIGNMENT_OUTLIERS, 1 - _ALIGNMENT_OUTLIERS)
    )
    return low, high


def tap_of(tensor: Tensor, axis: int | None, end: RangeEnd, level: float) -> Tap | None:
    """The tap that one end of a range reads beside the extremes; None where they are all that it reads."""
    if end.statistic is SampleStatistic.MEAN:
        return Tap(tensor, axis, Statistic.MEAN)
    if end.statistic in {SampleStatistic.QUANTILE, SampleStatistic.ABS_QUANTILE}:
        return Tap(tensor, axis, Statistic(str(end.statistic)), level)
    return None


def required_histograms(graphs: Iterable[QuantizationGraph], needs: Needs) -> tuple[Tensor, ...]:
    """Tensors whose values estimators search in, sorted."""
    if not any(estimator.search for estimator in needs.estimators):
        return ()
    sites = (site for graph in graphs for site in graph.activations if needs.per_tensor or not site.channel_axes)
    return tuple(sorted({site.tensor for site in sites}))
