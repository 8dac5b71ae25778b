from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from autoq.searching.sampler._additive_process import AdditiveProcess, Design

RNG = np.random.default_rng(5)


def design(n, rng=RNG):
    return Design(
        mean=rng.normal(size=n),
        blocks=(rng.normal(size=(n, 2)), rng.normal(size=(n, 5))),
        amplitude=rng.random(n),
        coordinates=rng.normal(size=(n, 3)),
    )


def fitted(n=12, noise=0.1):
    data = design(n)
    y = RNG.normal(size=n)
    return AdditiveProcess.fit(data, y, np.full(n, noise), (1.0, 0.5, 0.3, 0.2), y_scale=1.0), y


def joint_covariance(process, points):
    """By the definition, entry by entry."""
    scales = process.scales
    both = [*rows(process.design), *rows(points)]
    found = np.empty((len(both), len(both)))
    for i, (_, first, amount, where) in enumerate(both):
        for j, (_, second, other, there) in enumerate(both):
            linear = sum(s**2 * float(a @ b) for s, a, b in zip(scales, first, second, strict=False))
            near = np.exp(-np.sum((where - there) ** 2) / process.length_scale)
            found[i, j] = linear + scales[-2] ** 2 * np.sqrt(amount * other) * near
    return found


def alone(process, noise=0.1):
    """Variance that a measured point shares with no other."""
    return process.scales[-1] ** 2 + noise**2 + 1e-6


def rows(points):
    return list(zip(points.mean, zip(*points.blocks, strict=True), points.amplitude, points.coordinates, strict=True))


def test_predictions_are_those_of_the_conditional_normal_distribution():
    process, y = fitted()
    points = design(7)
    covariance = joint_covariance(process, points)
    n = len(y)
    observed = covariance[:n, :n] + np.eye(n) * alone(process)
    weights = covariance[n:, :n] @ np.linalg.inv(observed)
    mean, sd = process.predict(points)
    assert mean == pytest.approx(points.mean + weights @ (y - process.design.mean), abs=1e-8)
    expected = np.diag(covariance[n:, n:] - weights @ covariance[:n, n:])
    assert sd == pytest.approx(np.sqrt(expected), abs=1e-6)


def test_the_scales_make_the_data_most_likely():
    process, y = fitted(20)
    n = len(y)

    def badness(logs):
        other = replace(process, scales=np.exp(logs))
        covariance = joint_covariance(other, design(0)) + np.eye(n) * alone(other)
        likelihood = stats.multivariate_normal(process.design.mean, covariance).logpdf(y)
        return 0.5 * np.sum((logs - np.log([1.0, 0.5, 0.3, 0.2])) ** 2) - likelihood

    best = np.log(process.scales)
    for axis in np.eye(4) * 0.05:
        assert badness(best) < min(badness(best + axis), badness(best - axis))


def test_drawn_weights_have_the_moments_of_bayesian_regression():
    rng = np.random.default_rng(1)
    n = 15
    data = replace(design(n, rng), amplitude=np.zeros(n))
    y = rng.normal(size=n)
    process = AdditiveProcess.fit(data, y, np.full(n, 0.3), (1.0, 0.5, 0.3, 0.2), y_scale=1.0)
    columns = np.hstack(data.blocks)
    prior = np.repeat(process.scales[:2], [2, 5]) ** -2.0
    covariance = np.linalg.inv(columns.T @ columns / alone(process, 0.3) + np.diag(prior))
    mean = covariance @ columns.T @ (y - data.mean) / alone(process, 0.3)
    drawn = np.hstack(process.draw_weights(rng, 20000))
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(drawn.mean(axis=0) - mean).max() < 5 * spread.max() / np.sqrt(20000)
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.05 * spread.max() ** 2)


def test_effects_that_add_up_are_learnt_from_few_points():
    rng = np.random.default_rng(2)
    true = rng.normal(size=8)
    x = (rng.random((40, 8)) < 0.5).astype(float)

    def of(points):
        n = len(points)
        return Design(np.zeros(n), (points,), np.full(n, 0.1), points / np.sqrt(8))

    process = AdditiveProcess.fit(of(x[:16]), x[:16] @ true, np.zeros(16), (1.0, 0.1, 0.01), y_scale=1.0)
    assert process.predict(of(x[16:]))[0] == pytest.approx(x[16:] @ true, abs=0.1)


def test_what_each_point_has_by_itself_is_told_from_effects_though_no_noise_was_measured():
    rng = np.random.default_rng(3)
    x = (rng.random((60, 8)) < 0.5).astype(float)
    data = Design(np.zeros(60), (x,), np.zeros(60), x / np.sqrt(8))
    y = x @ rng.normal(size=8) + 0.3 * rng.normal(size=60)
    process = AdditiveProcess.fit(data, y, np.zeros(60), (1.0, 0.1, 0.05), y_scale=1.0)
    assert process.scales[-1] == pytest.approx(0.3, abs=0.1)
    least_squares = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert process.predict(data)[0] == pytest.approx(least_squares, abs=0.05)


def test_a_point_that_is_left_out_is_predicted_from_the_others():
    process, y = fitted(9)
    for left in range(9):
        kept = np.arange(9) != left
        covariance = joint_covariance(process, design(0))
        observed = covariance + np.eye(9) * alone(process)
        weights = covariance[left, kept] @ np.linalg.inv(observed[np.ix_(kept, kept)])
        predicted = process.design.mean[left] + weights @ (y - process.design.mean)[kept]
        assert process.leave_one_out()[left] == pytest.approx(y[left] - predicted, abs=1e-8)
