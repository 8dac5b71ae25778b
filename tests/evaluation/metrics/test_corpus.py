"""Scores of metrics of all samples together, against the statistic itself, the t interval and simulation."""

import numpy as np
import pytest
from networks import conv_net, images, token_net
from scipy import stats

from autoq.core import MetricError
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import CorpusMetric, jackknife_scores
from autoq.evaluation.scoring import ValidationSet, paired_drop, score

RNG = np.random.default_rng(0)


def ratio(outputs, targets):
    return outputs[0].sum() / targets.sum()


RATIO = CorpusMetric("ratio", ratio)


def kept(values, targets):
    return [([values[i : i + 1]], targets[i : i + 1]) for i in range(len(values))]


@pytest.mark.parametrize("n", [1, 2, 39, 40, 41, 333])
def test_the_mean_of_the_scores_is_the_metric(n):
    values, targets = RNG.random(n), RNG.random(n) + 1
    scores = jackknife_scores(RATIO, kept(values, targets))
    assert len(scores) == min(n, 40)
    assert scores.mean() == pytest.approx(values.sum() / targets.sum())


def test_scores_of_a_mean_are_the_samples_themselves():
    """In the order of the blocks; so their interval is the t interval."""
    values = RNG.random(30)
    scores = jackknife_scores(CorpusMetric("mean", lambda o, t: o[0].mean()), kept(values, values))
    np.testing.assert_allclose(np.sort(scores), np.sort(values))
    drop = paired_drop(scores, np.zeros(30) + scores[0])
    expected = stats.ttest_1samp(values - scores[0], 0).confidence_interval(0.95)
    assert (drop.low, drop.high) == pytest.approx((expected.low, expected.high))


def test_paired_intervals_cover_the_truth():
    """Of a difference of two ratios, whose samples go together."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        size = rng.exponential(1, 120) + 0.2
        one = size * rng.normal(2.0, 0.5, 120)
        drop = paired_drop(
            *(jackknife_scores(RATIO, kept(v, size)) for v in (one, one - size * rng.normal(0.1, 0.1, 120)))
        )
        covered += drop.low <= 0.1 <= drop.high
    assert 0.91 <= covered / 400 <= 0.98


def test_models_are_scored_over_the_same_blocks():
    """A constant that one model adds is the whole difference, without spread."""
    mean = CorpusMetric("mean", lambda outputs, targets: (outputs[0] * targets).sum() / targets.sum())
    values, weights = RNG.random(500), RNG.random(500)
    drop = paired_drop(*(jackknife_scores(mean, kept(v, weights)) for v in (values, values - 0.25)), confidence=0.99)
    assert (drop.low, drop.value, drop.high) == pytest.approx((0.25, 0.25, 0.25))


def test_a_model_is_scored_by_what_is_kept_of_it():
    model, labels = conv_net(batch=4), np.arange(100) % 3
    seen = []

    def agreement(outputs, targets):
        seen.append(len(targets))
        return (outputs[0] == targets).mean()

    whole = CorpusMetric("agreement", lambda outputs, targets: (outputs[0].argmax(axis=1) == targets).mean())
    lean = CorpusMetric("agreement", agreement, keep=lambda outputs, target: ([outputs[0].argmax(axis=1)], target))
    compiled, pairs = RuntimeConfig().compile(model), ValidationSet.of(model, (images(100), labels))
    scores = score(compiled, pairs, whole)
    np.testing.assert_array_equal(score(compiled, pairs, lean), scores)
    assert len(scores) == 25
    assert seen == [100, *[96] * 25]
    single = conv_net()
    each = score(RuntimeConfig().compile(single), ValidationSet.of(single, (images(100), labels)), whole)
    assert each.mean() == pytest.approx(scores.mean())


def test_inferences_of_unequal_shape_are_taken_one_by_one():
    model = token_net()
    pairs = [(RNG.integers(0, 16, (1, length)), length) for length in (3, 5, 9, 4)]
    compiled, data = RuntimeConfig().compile(model), ValidationSet.of(model, pairs)

    def mean_length(outputs, targets):
        assert [output[0].shape[1] for output in outputs] == list(targets)
        return np.mean(targets)

    scores = score(compiled, data, CorpusMetric("length", mean_length, joined=False))
    assert sorted(scores) == pytest.approx([3, 4, 5, 9])
    with pytest.raises(MetricError, match=r"takes joined samples, but they differ in shape.*joined=False takes them"):
        score(compiled, data, CorpusMetric("length", mean_length))


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda o, t: 1 / 0, "metric 'own' raised ZeroDivisionError on 50 of 50 samples: division by zero"),
        (lambda o, t: o[0], r"metric 'own' returned array(.|\n)* on 50 of 50 samples: one number for all of them"),
        (lambda o, t: np.nan, "metric 'own' returned nan on 50 of 50 samples: it must have a value with and without"),
        (
            lambda o, t: 1.0 if 7 in t else np.nan,
            r"returned nan on 4[89] of 50 samples: .* perhaps a class has too few",
        ),
    ],
)
def test_what_a_metric_may_not_return(compute, message):
    with pytest.raises(MetricError, match=message):
        jackknife_scores(CorpusMetric("own", compute), kept(np.zeros(50), np.arange(50)))


def test_targets_that_are_not_one_per_sample():
    model = conv_net(batch=4)
    data = ValidationSet.of(model, [(images(4), np.arange(4)), (images(4), np.arange(3))])
    with pytest.raises(MetricError, match=r"on sample 1: the target has the shape \(3,\), but .* has 4 samples"):
        score(RuntimeConfig().compile(model), data, RATIO)
