"""Scores and their intervals, against published tables, SciPy's tests and simulation."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, run
from scipy import stats

from autoq.core import DeviceError, MetricError, RuntimePrecision
from autoq.evaluation import RuntimeConfig, ValidationSet, mean_interval, paired_drop, resolve_metric, score


def pairs(both, lost, won, neither):
    """0/1 scores with these counts of agreement and disagreement."""
    reference = np.repeat([1, 1, 0, 0], [both, lost, won, neither])
    candidate = np.repeat([1, 0, 1, 0], [both, lost, won, neither])
    return reference, candidate


def test_paired_proportions_as_published():
    """The approval ratings of 1,600 Britons, 794, 150, 86, 570: with so many, all good intervals say nearly the same.

    Agresti and Min 2005 have 0.0213 to 0.0587 with half a sample added to each cell.
    """
    drop = paired_drop(*pairs(794, 150, 86, 570))
    assert drop.value == pytest.approx(0.04)
    assert (drop.low, drop.high) == pytest.approx((0.0213, 0.0587), abs=4e-4)


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


@pytest.mark.parametrize(("reference", "scores"), [([], []), ([1, 0], [1])])
def test_scores_that_do_not_pair(reference, scores):
    with pytest.raises(ValueError, match="paired scores"):
        paired_drop(np.array(reference), np.array(scores))


@pytest.mark.parametrize("lost", [0.01, 0.05])
@pytest.mark.parametrize("won", [0.01, 0.03])
def test_the_paired_interval_covers_the_truth(lost, won):
    rng = np.random.default_rng(1)
    draws = rng.multinomial(1000, [lost, won, 1 - lost - won], size=1000)
    covered = 0
    for n_lost, n_won, same in draws:
        drop = paired_drop(*pairs(same, n_lost, n_won, 0))
        covered += drop.low <= lost - won <= drop.high
    assert 0.93 <= covered / len(draws) <= 0.98


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
    with pytest.raises(DeviceError, match="inference fails on validation samples from 0"):
        score(RuntimeConfig().compile(model), bad, resolve_metric("accuracy"))
