"""One pass over the data: statistics, and the ranges that follow from them."""

from autoq.calibration._clip_search import search_ranges
from autoq.calibration._collect import collect
from autoq.calibration._infer import infer_all
from autoq.calibration._needs import (
    Needs,
    alignment_taps,
    channel_axis,
    estimator_for,
    has_few_values,
    output_mean,
    required_histograms,
    required_taps,
)
from autoq.calibration._ranges import estimate_range, extremes
from autoq.calibration._samples import Feed, ModelInputs, as_inputs
from autoq.calibration._statistics import Statistics, inputs_digest, statistics_digest, statistics_file
from autoq.calibration._taps import Statistic, Tap

__all__ = [
    "Feed",
    "ModelInputs",
    "Needs",
    "Statistic",
    "Statistics",
    "Tap",
    "alignment_taps",
    "as_inputs",
    "channel_axis",
    "collect",
    "estimate_range",
    "estimator_for",
    "extremes",
    "has_few_values",
    "infer_all",
    "inputs_digest",
    "output_mean",
    "required_histograms",
    "required_taps",
    "search_ranges",
    "statistics_digest",
    "statistics_file",
]
