"""Range estimators: they reduce the values of a tensor over the calibration samples to one range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from autoq.core.values import is_number, json_value, known_keys
from autoq.core.vocabulary import Word
from autoq.core.words import PlanError, nearest, quoted


class SampleStatistic(Word):
    """The statistic of a tensor in one sample."""

    MIN = "min"
    MAX = "max"
    ABS_MAX = "abs_max"
    MEAN = "mean"
    QUANTILE = "quantile"  # at the outlier probability for the lower end, at one minus that for the upper
    ABS_QUANTILE = "abs_quantile"
    RAW = "raw"  # all values, as a histogram


class Aggregator(Word):
    """How the statistics of the samples are reduced to one number."""

    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    MEDIAN = "median"
    MEAN_NO_OUTLIERS = "mean_no_outliers"  # of values within the outlier quantiles over the samples
    MEDIAN_NO_OUTLIERS = "median_no_outliers"
    HISTOGRAM = "histogram"  # NNCF's search for the least squared error on a histogram
    MSE = "mse"  # exhaustive search for the least squared error of the quantized values
    KL = "kl"  # exhaustive search for the least divergence between the histograms before and after the quantizer


_SEARCHES = frozenset({Aggregator.HISTOGRAM, Aggregator.MSE, Aggregator.KL})


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeEnd:
    """The estimator of one end of a range.

    Attributes:
        statistic: Statistic of each sample.
        aggregator: Reduces the statistics of the samples.
        outlier_probability: For the quantile statistics, and for the aggregators without outliers.
    """

    statistic: SampleStatistic
    aggregator: Aggregator
    outlier_probability: float = 1e-4

    def __post_init__(self) -> None:
        if not (is_number(self.outlier_probability) and 0 < self.outlier_probability < 0.5):
            msg = f"outlier_probability is {quoted(self.outlier_probability)}: it must lie between 0 and 0.5."
            raise PlanError(msg)
        if (self.statistic is SampleStatistic.RAW) != (self.aggregator in _SEARCHES):
            searches = ", ".join(sorted(_SEARCHES))
            msg = (
                f"range estimator: statistic {str(self.statistic)!r} does not go with aggregator "
                f"{str(self.aggregator)!r}: {searches} search in raw values, the others reduce statistics."
            )
            raise PlanError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads an end from plain values.

        Raises:
            PlanError: A key or a word is unknown, or a value out of bounds.
        """
        values = known_keys(values, [f.name for f in fields(cls)], "range estimator")
        for key in ("statistic", "aggregator"):
            if key not in values:
                msg = f"range estimator lacks {key!r}."
                raise PlanError(msg)
        return cls(
            **{
                **values,
                "statistic": SampleStatistic.parse(values["statistic"]),
                "aggregator": Aggregator.parse(values["aggregator"]),
            }
        )


@dataclass(frozen=True, slots=True)
class RangeEstimator:
    """The estimator of a range. Usual estimators have names, by which they are written.

    Attributes:
        minimum: Estimator of the lower end.
        maximum: Estimator of the upper end; for a symmetric quantizer, the statistic "max" is that of magnitudes.
    """

    minimum: RangeEnd
    maximum: RangeEnd

    MIN_MAX: ClassVar[RangeEstimator]  # extremes over the subset
    MEAN_MIN_MAX: ClassVar[RangeEstimator]  # means of the per-sample extremes: NNCF's default
    MEDIAN_MIN_MAX: ClassVar[RangeEstimator]
    MEAN_NO_OUTLIERS: ClassVar[RangeEstimator]
    MEAN_QUANTILE: ClassVar[RangeEstimator]
    HISTOGRAM: ClassVar[RangeEstimator]
    MSE: ClassVar[RangeEstimator]
    KL: ClassVar[RangeEstimator]

    def __post_init__(self) -> None:
        low, high = self.minimum.aggregator, self.maximum.aggregator
        if low is not high and not _SEARCHES.isdisjoint({low, high}):
            msg = (
                f"range estimator: {str(low)!r} and {str(high)!r} cannot be combined: a search finds both ends at once."
            )
            raise PlanError(msg)

    @property
    def search(self) -> Aggregator | None:
        """The search over histograms that finds the range; None if statistics are reduced."""
        return self.minimum.aggregator if self.minimum.aggregator in _SEARCHES else None

    @classmethod
    def named(cls) -> Mapping[str, RangeEstimator]:
        """Estimators by name."""
        return _NAMED

    @classmethod
    def parse(cls, value: str | Mapping[str, Any] | RangeEstimator) -> RangeEstimator:
        """Reads an estimator as a user writes it.

        Args:
            value: A name; or a mapping with the keys "minimum" and "maximum", which may be given as JSON.

        Raises:
            PlanError: The name or a key is unknown, or a value out of bounds.
        """
        if isinstance(value, RangeEstimator):
            return value
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = json_value(value, "range estimator", PlanError)
        if isinstance(value, Mapping):
            if set(value) != {"minimum", "maximum"}:
                msg = f"range estimator takes the keys 'minimum' and 'maximum', got {quoted(sorted(map(str, value)))}."
                raise PlanError(msg)
            return cls(RangeEnd.from_dict(value["minimum"]), RangeEnd.from_dict(value["maximum"]))
        name = value.lower() if isinstance(value, str) else value
        if not isinstance(name, str) or name not in _NAMED:
            msg = f"range estimator {quoted(value)} is unknown: {nearest(name, _NAMED)}"
            raise PlanError(msg)
        return _NAMED[name]

    def to_plain(self) -> str | dict[str, Any]:
        """Plain values that `parse` reads: the name, if there is one."""
        name = next((name for name, estimator in _NAMED.items() if estimator == self), None)
        return name or {
            end: {k: _plain(v) for k, v in asdict(getattr(self, end)).items()} for end in ("minimum", "maximum")
        }

    def __str__(self) -> str:
        plain = self.to_plain()
        if isinstance(plain, str):
            return plain
        return "..".join(f"{end['aggregator']} of {end['statistic']}" for end in plain.values())


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def _pair(low: tuple[SampleStatistic, Aggregator], high: tuple[SampleStatistic, Aggregator]) -> RangeEstimator:
    return RangeEstimator(*(RangeEnd(statistic=s, aggregator=a) for s, a in (low, high)))


def _extremes(low: Aggregator, high: Aggregator) -> RangeEstimator:
    return _pair((SampleStatistic.MIN, low), (SampleStatistic.MAX, high))


def _search(aggregator: Aggregator) -> RangeEstimator:
    return _pair((SampleStatistic.RAW, aggregator), (SampleStatistic.RAW, aggregator))


RangeEstimator.MIN_MAX = _extremes(Aggregator.MIN, Aggregator.MAX)
RangeEstimator.MEAN_MIN_MAX = _extremes(Aggregator.MEAN, Aggregator.MEAN)
RangeEstimator.MEDIAN_MIN_MAX = _extremes(Aggregator.MEDIAN, Aggregator.MEDIAN)
RangeEstimator.MEAN_NO_OUTLIERS = _extremes(Aggregator.MEAN_NO_OUTLIERS, Aggregator.MEAN_NO_OUTLIERS)
RangeEstimator.MEAN_QUANTILE = _pair(*[(SampleStatistic.QUANTILE, Aggregator.MEAN)] * 2)
RangeEstimator.HISTOGRAM = _search(Aggregator.HISTOGRAM)
RangeEstimator.MSE = _search(Aggregator.MSE)
RangeEstimator.KL = _search(Aggregator.KL)

_NAMED: dict[str, RangeEstimator] = {
    "min_max": RangeEstimator.MIN_MAX,
    "mean_min_max": RangeEstimator.MEAN_MIN_MAX,
    "median_min_max": RangeEstimator.MEDIAN_MIN_MAX,
    "mean_no_outliers": RangeEstimator.MEAN_NO_OUTLIERS,
    "mean_quantile": RangeEstimator.MEAN_QUANTILE,
    "histogram": RangeEstimator.HISTOGRAM,
    "mse": RangeEstimator.MSE,
    "kl": RangeEstimator.KL,
}
