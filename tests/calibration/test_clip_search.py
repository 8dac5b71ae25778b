"""Ranges found in histograms beside what enumeration finds in the values themselves."""

import numpy as np
import pytest

from autoq.calibration import search_ranges
from autoq.calibration.statistics._histograms import BINS, Spread, bin_edges, histogram
from autoq.core import Aggregator, asymmetric_limits, fake_quantize, symmetric_limits

RNG = np.random.default_rng(3)
TENSORS = {
    "normal": RNG.normal(0, 2, 20000),
    "laplace": RNG.laplace(0, 1, 20000),
    "outliers": np.concatenate([RNG.normal(0, 1, 20000), [40, -25, 60]]),
    "relu": np.maximum(RNG.normal(0, 1, 20000), 0),
    "relu with an outlier": np.append(np.maximum(RNG.normal(0, 1, 20000), 0), 90),
    "one-sided tail": RNG.gamma(2, 3, 20000) - 1,
    "tiny": RNG.normal(0, 1e-3, 20000),
    "uniform": RNG.uniform(-1, 3, 20000),
    "constant": np.full(100, 0.7),
}
VALUES = [values.astype(np.float32) for values in TENSORS.values()]


def spreads(values):
    counts = np.stack([histogram(v) for v in values]).astype(np.float64)
    mass = counts / counts.sum(axis=(1, 2), keepdims=True)
    bounds = np.array([[max(v.max(), 0), max(-v.min(), 0)] for v in values], float)
    return Spread(mass[:, 0], bounds[:, 0]), Spread(mass[:, 1], bounds[:, 1])


def squared_error(values, low, high, *, symmetric):
    rule = symmetric_limits if symmetric else asymmetric_limits
    limits = rule(np.float32([low]), np.float32([high]))
    quantized = fake_quantize(values, limits.low, limits.high, limits.levels)
    return float(np.mean((quantized - values).astype(np.float64) ** 2))


def least_error(values, *, symmetric):
    """Of every range on a fine grid."""
    top, bottom = max(values.max(), 0), min(values.min(), 0)
    shrinks = np.linspace(0.02, 1, 50)
    if symmetric:
        bound = max(top, -bottom)
        return min(squared_error(values, -t if bottom < 0 else 0, t, symmetric=True) for t in bound * shrinks)
    ends = [(low, high) for low in bottom * shrinks[::4] for high in top * shrinks[::4]]
    return min(squared_error(values, low, high, symmetric=False) for low, high in ends)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_squared_error_is_nearly_the_least_that_enumeration_finds(symmetric):
    low, high = search_ranges(*spreads(VALUES), np.full(len(VALUES), symmetric), Aggregator.MSE)
    for name, values, a, b in zip(TENSORS, VALUES, low, high, strict=True):
        found = squared_error(values, a, b, symmetric=symmetric)
        assert found <= 1.1 * least_error(values, symmetric=symmetric) + 1e-12, name


@pytest.mark.parametrize("aggregator", [Aggregator.MSE, Aggregator.KL, Aggregator.HISTOGRAM])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_range_lies_within_the_values(aggregator, symmetric):
    low, high = search_ranges(*spreads(VALUES), np.full(len(VALUES), symmetric), aggregator)
    for name, values, a, b in zip(TENSORS, VALUES, low, high, strict=True):
        bound = np.abs(values).max() * (1 + 1e-6)
        assert -bound <= a <= b <= bound, name
        assert aggregator is Aggregator.HISTOGRAM or (a <= 0 <= b), name


@pytest.mark.parametrize("aggregator", [Aggregator.MSE, Aggregator.KL, Aggregator.HISTOGRAM])
@pytest.mark.parametrize("symmetric", [True, False])
def test_lonely_outliers_are_cut(aggregator, symmetric):
    values = np.append(RNG.normal(0, 1, 500_000), 60).astype(np.float32)
    _, high = search_ranges(*spreads([values]), np.array([symmetric]), aggregator)
    assert high[0] < 40


def test_tensors_do_not_mind_each_other():
    symmetric = np.array([True, False] * len(VALUES))[: len(VALUES)]
    for aggregator in (Aggregator.MSE, Aggregator.KL, Aggregator.HISTOGRAM):
        together = search_ranges(*spreads(VALUES), symmetric, aggregator)
        for i in range(len(VALUES)):
            alone = search_ranges(*spreads(VALUES[i : i + 1]), symmetric[i : i + 1], aggregator)
            np.testing.assert_allclose([side[i] for side in together], [side[0] for side in alone], rtol=1e-6)


def test_bins_hold_the_values_between_their_edges():
    edges = bin_edges()
    assert len(edges) == BINS + 1
    inside = np.float32([1e-6, 0.03, 1, 1.5, 77, 3e5, 1e9])
    for value in inside:
        for side, sign in ((0, 1), (1, -1)):
            (bin_,) = np.flatnonzero(histogram(np.float32([sign * value]))[side])
            assert edges[bin_] <= value < edges[bin_ + 1]


def test_moments_below_a_threshold_are_those_of_the_values():
    values = np.abs(VALUES[1])
    positive, _ = spreads([values])
    for threshold in (0.3, 1.7, 5.0):
        below = values[values < threshold]
        found = [moment[0, 0] for moment in positive.below(np.array([[threshold]]))]
        expected = [len(below), below.sum(), (below**2).sum()] / np.float64(len(values))
        np.testing.assert_allclose(found, expected, rtol=0.01)


@pytest.mark.peers
def test_the_histogram_search_is_the_peers():
    from nncf.common.tensor_statistics.collectors import HistogramAggregator
    from nncf.tensor import Tensor

    names = ["normal", "laplace", "outliers", "relu", "one-sided tail", "uniform"]
    values = [TENSORS[name].astype(np.float32) for name in names]
    low, high = search_ranges(*spreads(values), np.zeros(len(values), bool), Aggregator.HISTOGRAM)
    for name, data, a, b in zip(names, values, low, high, strict=True):
        aggregator = HistogramAggregator()
        aggregator.register_reduced_input([Tensor(data)])
        theirs = aggregator.aggregate()
        extent = data.max() - data.min()
        # Their bins are even from the start, ours become so by interpolation.
        expected = [float(theirs[end].data) for end in ("min_values", "max_values")]
        np.testing.assert_allclose([a, b], expected, atol=0.06 * extent, err_msg=name)
