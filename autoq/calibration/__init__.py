"""One pass over the data: statistics, and the ranges that follow from them."""

from autoq.calibration._collect import collect
from autoq.calibration._ranges import estimate_range, extremes
from autoq.calibration._samples import Feed, ModelInputs, as_inputs
from autoq.calibration._statistics import Statistics, statistics_digest
from autoq.calibration._taps import Statistic, Tap, required_taps

__all__ = [
    "Feed",
    "ModelInputs",
    "Statistic",
    "Statistics",
    "Tap",
    "as_inputs",
    "collect",
    "estimate_range",
    "extremes",
    "required_taps",
    "statistics_digest",
]
