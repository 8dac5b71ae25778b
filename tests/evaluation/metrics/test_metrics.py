"""Metrics by name, against scikit-learn and SciPy; and what a user's function may not return."""

import numpy as np
import pytest
from scipy import spatial, special
from sklearn import metrics as sklearn_metrics

from autoq.core import MetricError
from autoq.evaluation.metrics import METRICS, resolve_metric
from autoq.evaluation.metrics._metrics import apply_metric

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(40, 10)).astype(np.float32)
LABELS = RNG.integers(0, 10, 40)


def scored(name, outputs, targets):
    return METRICS[name]([outputs], targets)


def test_accuracy():
    expected = sklearn_metrics.accuracy_score(LABELS, LOGITS.argmax(1))
    assert scored("accuracy", LOGITS, LABELS).mean() == expected


def test_top5():
    expected = sklearn_metrics.top_k_accuracy_score(LABELS, LOGITS, k=5, labels=range(10))
    assert scored("top5", LOGITS, LABELS).mean() == expected


def test_binary_accuracy():
    labels = LABELS % 2
    expected = sklearn_metrics.accuracy_score(labels, LOGITS[:, 0] > 0)
    assert scored("binary_accuracy", LOGITS[:, :1], labels).mean() == expected


def test_log_likelihood():
    expected = -sklearn_metrics.log_loss(LABELS, special.softmax(LOGITS.astype(np.float64), axis=1), labels=range(10))
    assert scored("log_likelihood", LOGITS, LABELS).mean() == pytest.approx(expected, rel=1e-6)


def test_negative_mse():
    other = LOGITS + 1
    assert scored("negative_mse", LOGITS, other).mean() == pytest.approx(
        -sklearn_metrics.mean_squared_error(other, LOGITS), rel=1e-6
    )


def test_cosine():
    other = RNG.normal(size=LOGITS.shape)
    expected = [1 - spatial.distance.cosine(a, b) for a, b in zip(LOGITS, other, strict=True)]
    np.testing.assert_allclose(scored("cosine", LOGITS, other), expected, rtol=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_gives_one_score_per_sample(name):
    targets = LOGITS if name in {"negative_mse", "cosine"} else LABELS % 2
    outputs = LOGITS[:, :1] if name == "binary_accuracy" else LOGITS
    assert scored(name, outputs, targets).shape == (40,)


def test_sequences_of_unequal_length_are_scored_each_by_itself():
    lengths = [5, 5, 3, 5]
    outputs = [[RNG.normal(size=(1, length, 10)).astype(np.float32)] for length in lengths]
    targets = [RNG.integers(0, 10, length) for length in lengths]
    scores = apply_metric(resolve_metric("log_likelihood"), outputs, targets, first=0)
    expected = [
        special.log_softmax(logits[0].astype(np.float64), axis=-1)[np.arange(len(labels)), labels].mean()
        for (logits,), labels in zip(outputs, targets, strict=True)
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda outputs, target: float("nan"), "returned nan on sample 8: scores must be finite"),
        (lambda outputs, target: [], "returned 0 scores"),
        (lambda outputs, target: "good", "raised ValueError"),
        (lambda outputs: 1.0, "raised TypeError"),
        (lambda outputs, target: None, "cannot score samples from 8: it returned None: a number is needed"),
        (
            lambda outputs, target: outputs.argmax(),
            r"'argmax'\. It gets the list of the model's 1 output",
        ),
    ],
)
def test_what_a_function_may_not_return(function, message):
    with pytest.raises(MetricError, match=message):
        apply_metric(resolve_metric(function), [[LOGITS[:1]]], [0], first=8)
