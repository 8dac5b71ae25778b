"""Metrics of all samples by name, against scikit-learn, SciPy and the direct formula."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from scipy import special, stats
from sklearn import metrics as sklearn_metrics

from autoq.core import MetricError
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import CORPUS_METRICS, jackknife_scores
from autoq.evaluation.scoring import ValidationSet, score

RNG = np.random.default_rng(0)


def value(name, outputs, targets):
    """The metric of these arrays, one sample an inference."""
    metric = CORPUS_METRICS[name]
    kept = [metric.kept([outputs[i : i + 1]], targets[i], i) for i in range(len(outputs))]
    return jackknife_scores(metric, kept).mean()


def test_f1():
    logits, labels = RNG.normal(size=(200, 5)), RNG.integers(0, 4, 200)
    expected = sklearn_metrics.f1_score(labels, logits.argmax(1), average="macro")
    assert value("f1_macro", logits, labels) == pytest.approx(expected)


def test_f1_of_one_logit_is_that_of_its_sign():
    logits, labels = RNG.normal(size=(200, 1)), RNG.integers(0, 2, 200)
    expected = sklearn_metrics.f1_score(labels, logits[:, 0] > 0, average="macro")
    assert value("f1_macro", logits, labels) == pytest.approx(expected)


def test_f1_of_tokens_leaves_out_what_is_ignored():
    logits, labels = RNG.normal(size=(60, 7, 4)), RNG.integers(0, 4, (60, 7))
    scored = RNG.random((60, 7)) < 0.7
    expected = sklearn_metrics.f1_score(labels[scored], logits.argmax(-1)[scored], average="macro")
    assert value("f1_macro", logits, np.where(scored, labels, -100)) == pytest.approx(expected)


def test_correlations():
    targets = RNG.integers(0, 6, 100)
    outputs = (targets + RNG.normal(0, 1, 100)).astype(np.float32)[:, None]
    assert value("pearson", outputs, targets) == pytest.approx(stats.pearsonr(outputs[:, 0], targets).statistic)
    assert value("spearman", outputs, targets) == pytest.approx(stats.spearmanr(outputs[:, 0], targets).statistic)


def language_model(vocabulary, seed=0):
    """tokens [1, ?] -> logits [1, ?, vocabulary]: a table."""
    table = np.random.default_rng(seed).normal(size=(vocabulary, vocabulary)).astype(np.float32)
    tokens = ops.parameter([1, -1], np.int64, "tokens")
    tokens.output(0).tensor.set_names({"tokens"})
    return ov.Model([ops.result(ops.gather(ops.constant(table), tokens, ops.constant(0)))], [tokens]), table


def test_perplexity_of_sequences_of_unequal_length():
    model, table = language_model(11)
    pairs, found = [], []
    for length in RNG.integers(2, 30, 50):
        text = RNG.integers(0, 11, length + 1)
        following = np.where(np.arange(length) < length // 3, -100, text[1:])
        pairs.append((text[None, :-1], following))
        logits = special.log_softmax(table[text[:-1]].astype(np.float64), axis=-1)
        found += [logits[i, token] for i, token in enumerate(following) if token != -100]
    runtime = RuntimeConfig(inference_precision="f32").compile(model)
    scores = score(runtime, ValidationSet.of(model, pairs), CORPUS_METRICS["negative_perplexity"])
    assert len(scores) == 40
    assert scores.mean() == pytest.approx(-np.exp(-np.mean(found)), rel=1e-5)


def test_no_logits_are_kept_for_perplexity():
    outputs, target = CORPUS_METRICS["negative_perplexity"].kept(
        [np.zeros((2, 512, 1000), np.float32)], [[7] * 512] * 2, 0
    )
    assert [array.size for array in outputs] == [1]
    assert outputs[0][0] == pytest.approx(-1024 * np.log(1000))
    assert list(target) == [1024]


@pytest.mark.parametrize(
    ("name", "output", "target", "message"),
    [
        ("f1_macro", np.zeros((1, 4)), [0, 1], "metric 'f1_macro' cannot score sample 3: 2 labels beside outputs of"),
        ("spearman", np.zeros((1, 4)), 0.5, r"outputs of the shape \(1, 4\) beside targets of the shape \(\): one num"),
        ("negative_perplexity", np.zeros((1, 4, 9)), [1, 2, 3], r"\(3,\) beside logits of the shape \(1, 4, 9\): one"),
    ],
)
def test_data_that_do_not_fit(name, output, target, message):
    with pytest.raises(MetricError, match=message):
        CORPUS_METRICS[name].kept([output], target, 3)
