"""Statistics of activations, and the ranges that follow from them."""

from autoq.calibration.statistics._clip_search import search_ranges
from autoq.calibration.statistics._finite import check_finite
from autoq.calibration.statistics._grams import Activation, Grams, Summary
from autoq.calibration.statistics._histograms import BINS, histogram
from autoq.calibration.statistics._kept_grams import load_grams, save_grams
from autoq.calibration.statistics._needs import (
    Needs,
    alignment_taps,
    channel_axis,
    estimator_for,
    has_few_values,
    output_mean,
    required_histograms,
    required_taps,
)
from autoq.calibration.statistics._ranges import estimate_range, extremes
from autoq.calibration.statistics._reductions import as_rows, channel_count, reduce_channels, reduce_in_graph
from autoq.calibration.statistics._statistics import Statistics, inputs_digest, statistics_digest, statistics_file
from autoq.calibration.statistics._taps import Statistic, Tap
from autoq.calibration.statistics._without_empty import without_empty

__all__ = [
    "BINS",
    "Activation",
    "Grams",
    "Needs",
    "Statistic",
    "Statistics",
    "Summary",
    "Tap",
    "alignment_taps",
    "as_rows",
    "channel_axis",
    "channel_count",
    "check_finite",
    "estimate_range",
    "estimator_for",
    "extremes",
    "has_few_values",
    "histogram",
    "inputs_digest",
    "load_grams",
    "output_mean",
    "reduce_channels",
    "reduce_in_graph",
    "required_histograms",
    "required_taps",
    "save_grams",
    "search_ranges",
    "statistics_digest",
    "statistics_file",
    "without_empty",
]
