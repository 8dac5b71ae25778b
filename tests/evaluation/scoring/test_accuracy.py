"""Scores and their intervals, against published tables, SciPy's tests and simulation."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, run
from scipy import stats

from autoq.core import DeviceError, Estimate, MetricError, RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import ValidationSet, drop_between, mean_interval, paired_drop, score


def pairs(both, lost, won, neither):
    """0/1 scores with these counts of agreement and disagreement."""
    reference = np.repeat([1, 1, 0, 0], [both, lost, won, neither])
    candidate = np.repeat([1, 0, 1, 0], [both, lost, won, neither])
    return reference, candidate


def test_paired_proportions_as_published():
    """Fagerland, Lydersen and Laake 2014, hyper-responsiveness of 21 children: 1, 1, 7, 12; Tango -0.517 to -0.026."""
    drop = paired_drop(*pairs(1, 1, 7, 12))
    assert drop.value == pytest.approx(-6 / 21)
    assert (drop.low, drop.high) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_continuous_scores_have_the_interval_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    reference = rng.normal(0.8, 0.1, 50)
    candidate = reference - rng.normal(0.02, 0.05, 50)
    drop = paired_drop(reference, candidate)
    expected = stats.ttest_rel(reference, candidate).confidence_interval(0.95)
    assert (drop.low, drop.high) == pytest.approx((expected.low, expected.high))


def test_wilson_interval_as_tabulated():
    """8 of 10: 0.490 to 0.943."""
    mean = mean_interval(np.repeat([1, 0], [8, 2]))
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_nothing_lost_is_not_certainty():
    drop = paired_drop(np.ones(100), np.ones(100))
    assert drop.value == 0
    assert drop.low < 0 < drop.high
    scores = np.random.default_rng(0).normal(size=100)
    drop = paired_drop(scores, scores)
    assert drop.value == 0
    assert -0.1 < drop.low < 0 < drop.high < 0.1


def test_few_changes_of_one_size_have_the_interval_of_proportions():
    reference, candidate = pairs(90, 6, 2, 2)
    drop = paired_drop(reference / 4 + 0.3, candidate / 4 + 0.3)
    expected = paired_drop(reference, candidate)
    wider = stats.t.ppf(0.975, 99) / stats.norm.ppf(0.975)
    assert drop.value == pytest.approx(expected.value / 4)
    assert drop.high - drop.low == pytest.approx((expected.high - expected.low) / 4 * wider, rel=0.01)


@pytest.mark.parametrize(("reference", "scores"), [([], []), ([1, 0], [1])])
def test_scores_that_do_not_pair(reference, scores):
    with pytest.raises(ValueError, match="paired scores"):
        paired_drop(np.array(reference), np.array(scores))


@pytest.mark.parametrize(
    ("reference", "scores"), [([], []), ([1.0, 0.5], []), ([], [1.0]), ([1.0, 0.5], [1.0]), ([1.0], [1.0, 0.5])]
)
def test_a_drop_of_means_alone_has_no_interval(reference, scores):
    drop = drop_between((0.75, np.array(reference)), (0.5, np.array(scores)))
    assert drop == Estimate.unknown(0.25)


def test_a_drop_of_scores_that_pair_has_theirs():
    reference, scores = np.random.default_rng(0).normal(size=(2, 20))
    given = drop_between((float(reference.mean()), reference), (float(scores.mean()), scores))
    assert given == paired_drop(reference, scores)


@pytest.mark.parametrize(("changed", "few"), [(24, True), (25, False), (26, False)])
def test_fewer_than_a_quarter_are_few_changes(changed, few):
    reference = np.random.default_rng(0).normal(size=100)
    drop = paired_drop(reference, reference - 0.25 * (np.arange(100) < changed))
    of_mean = stats.t.interval(0.95, 99, drop.value, stats.sem(0.25 * (np.arange(100) < changed)))
    assert ((drop.low, drop.high) == pytest.approx(of_mean)) is not few


def test_one_score_does_not_tell_its_error():
    assert mean_interval(np.array([0.5])) == Estimate.unknown(0.5)
    assert not paired_drop(np.array([0.5]), np.array([0.25])).known
    assert paired_drop(np.array([1]), np.array([0])).known
    values = np.array([0.1, 0.6])
    expected = stats.t.interval(0.9, 1, 0.35, stats.sem(values))
    found = mean_interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx(expected)


def test_equal_scores_that_do_not_change_tell_nothing():
    assert paired_drop(np.full(50, 0.5), np.full(50, 0.5)) == Estimate.unknown(0.0)


@pytest.mark.parametrize("lost", [0.004, 0.01, 0.05])
@pytest.mark.parametrize("won", [0, 0.01, 0.03])
def test_the_paired_interval_covers_the_truth(lost, won):
    rng = np.random.default_rng(1)
    draws = rng.multinomial(1000, [lost, won, 1 - lost - won], size=1000)
    covered = 0
    for n_lost, n_won, same in draws:
        drop = paired_drop(*pairs(same, n_lost, n_won, 0))
        covered += drop.low <= lost - won <= drop.high
    assert 0.92 <= covered / len(draws) <= 0.98


@pytest.mark.parametrize("changed", [0.003, 0.02, 0.3])
def test_the_interval_of_scores_few_of_which_change_covers_the_truth(changed):
    """The t interval alone covers it six times in ten where a sample in 300 changes."""
    rng = np.random.default_rng(2)
    reference = rng.beta(4, 1, 300)
    covered = 0
    for _ in range(1000):
        change = (rng.random(300) < changed) * rng.exponential(0.1, 300) * rng.choice([1, 1, 1, -1], 300)
        drop = paired_drop(reference, reference - change)
        covered += drop.low <= changed * 0.05 <= drop.high
    assert covered / 1000 >= 0.92


def test_every_sample_gets_its_own_score_in_order():
    model = conv_net()
    data = images(600)
    compiled = RuntimeConfig(performance_hint="THROUGHPUT", inference_precision=RuntimePrecision.F32).compile(model)
    targets = np.arange(600, dtype=np.float32)

    def distance(outputs, target):
        return -abs(float(outputs[0][0, 0]) - target)

    scores = score(
        compiled, ValidationSet.of(model, list(zip(data[:, None], targets, strict=True))), resolve_metric(distance)
    )
    expected = [-abs(float(run(model, x[None])[0, 0]) - t) for x, t in zip(data[:20], targets[:20], strict=True)]
    np.testing.assert_allclose(scores[:20], expected, rtol=1e-4)
    assert scores[599] == pytest.approx(-599, abs=10)


def test_a_batched_model_gets_one_score_per_inference():
    model = conv_net(batch=4)
    labels = np.arange(8) % 3
    scores = score(
        RuntimeConfig().compile(model), ValidationSet.of(model, (images(8), labels)), resolve_metric("accuracy")
    )
    single = conv_net()
    each = score(
        RuntimeConfig().compile(single), ValidationSet.of(single, (images(8), labels)), resolve_metric("accuracy")
    )
    np.testing.assert_allclose(scores, each.reshape(2, 4).mean(axis=1))


def test_a_metric_that_raises_names_itself_and_the_sample():
    model = conv_net()

    def broken(outputs, target):
        raise KeyError("no such label")

    with pytest.raises(MetricError, match=r"metric 'broken' raised KeyError on samples from 0: 'no such label'"):
        score(RuntimeConfig().compile(model), ValidationSet.of(model, (images(2), np.zeros(2))), resolve_metric(broken))


def test_inference_that_fails_is_a_device_error():
    """The shape is only wrong inside: a reshape that the data decide."""
    from openvino import opset13 as ops

    data = ops.parameter([-1, 4], np.float32, "x")
    model = ov.Model([ops.result(ops.reshape(data, ops.constant(np.array([1, 8])), False))], [data])
    data.output(0).tensor.set_names({"x"})
    bad = ValidationSet.of(model, [(np.zeros((3, 4), np.float32), 0)])
    with pytest.raises(DeviceError, match="inference fails on validation samples from number 0"):
        score(RuntimeConfig().compile(model), bad, resolve_metric("accuracy"))
