"""Names of scikit-learn's scorers give what its functions give of the same predictions."""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from autoq.core import MetricError
from autoq.evaluation.metrics import jackknife_scores, resolve_metric
from autoq.evaluation.metrics._output_kind import SeenOutputs

RNG = np.random.default_rng(0)
N = 240
LABELS = RNG.integers(0, 3, N)
LOGITS = RNG.normal(size=(N, 3)) + 1.5 * np.eye(3)[LABELS]
SHARES = special.softmax(LOGITS, axis=1)
BINARY = (LABELS > 0).astype(np.int64)
LOGIT = RNG.normal(size=(N, 1)) + BINARY[:, None]
TWO = np.concatenate([-LOGIT, LOGIT], axis=1)
NUMBERS = RNG.random((N, 1)) + 0.1
TRUE = NUMBERS[:, 0] * RNG.uniform(0.8, 1.3, N)
MANY = (RNG.random((N, 4)) < 0.4).astype(np.int64)
LABEL_LOGITS = RNG.normal(size=(N, 4)) + MANY


def of_kind(metric, outputs):
    """The metric for what these outputs are."""
    seen = SeenOutputs()
    seen.update(outputs)
    return metric.kinds(seen.kind)


def scored(name, outputs, targets):
    metric = of_kind(resolve_metric(name), outputs)
    kept = [metric.kept([outputs[i : i + 1]], targets[i], i) for i in range(len(outputs))]
    return jackknife_scores(metric, kept).mean()


CASES = {
    "balanced_accuracy": (LOGITS, LABELS, lambda: metrics.balanced_accuracy_score(LABELS, LOGITS.argmax(1))),
    "f1_weighted": (LOGITS, LABELS, lambda: metrics.f1_score(LABELS, LOGITS.argmax(1), average="weighted")),
    "matthews_corrcoef": (SHARES, LABELS, lambda: metrics.matthews_corrcoef(LABELS, LOGITS.argmax(1))),
    "roc_auc_ovr": (LOGITS, LABELS, lambda: metrics.roc_auc_score(LABELS, SHARES, multi_class="ovr")),
    "roc_auc_ovo": (SHARES, LABELS, lambda: metrics.roc_auc_score(LABELS, SHARES, multi_class="ovo")),
    "neg_log_loss": (LOGITS, LABELS, lambda: -metrics.log_loss(LABELS, SHARES)),
    "f1": (LOGIT, BINARY, lambda: metrics.f1_score(BINARY, LOGIT[:, 0] > 0)),
    "roc_auc": (LOGIT, BINARY, lambda: metrics.roc_auc_score(BINARY, LOGIT[:, 0])),
    "average_precision": (TWO, BINARY, lambda: metrics.average_precision_score(BINARY, LOGIT[:, 0])),
    "precision": (special.expit(LOGIT), BINARY, lambda: metrics.precision_score(BINARY, LOGIT[:, 0] > 0)),
    "neg_brier_score": (LOGIT, BINARY, lambda: -metrics.brier_score_loss(BINARY, special.expit(LOGIT[:, 0]))),
    "r2": (NUMBERS, TRUE, lambda: metrics.r2_score(TRUE, NUMBERS[:, 0])),
    "neg_mean_squared_error": (NUMBERS, TRUE, lambda: -metrics.mean_squared_error(TRUE, NUMBERS[:, 0])),
    "neg_mean_absolute_percentage_error": (
        TWO,
        TWO + 1,
        lambda: -metrics.mean_absolute_percentage_error(TWO + 1, TWO),
    ),
    "neg_mean_poisson_deviance": (NUMBERS, TRUE, lambda: -metrics.mean_poisson_deviance(TRUE, NUMBERS[:, 0])),
    "f1_samples": (
        LABEL_LOGITS[MANY.any(1) & (LABEL_LOGITS > 0).any(1)],
        MANY[MANY.any(1) & (LABEL_LOGITS > 0).any(1)],
        lambda: metrics.f1_score(
            MANY[MANY.any(1) & (LABEL_LOGITS > 0).any(1)],
            LABEL_LOGITS[MANY.any(1) & (LABEL_LOGITS > 0).any(1)] > 0,
            average="samples",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_scorer_by_name(name):
    outputs, targets, expected = CASES[name]
    assert scored(name, outputs, targets) == pytest.approx(expected(), rel=1e-9)


def test_every_label_by_itself():
    expected = metrics.roc_auc_score(MANY, LABEL_LOGITS)
    assert scored("roc_auc", LABEL_LOGITS, MANY) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro"])
def test_names_that_both_have_mean_the_same(name):
    from autoq.evaluation.metrics import apply_metric
    from autoq.evaluation.metrics._sklearn import sklearn_metric

    metric = of_kind(sklearn_metric(name), LOGITS)
    kept = [metric.kept([LOGITS[i : i + 1]], LABELS[i], i) for i in range(N)]
    theirs = jackknife_scores(metric, kept).mean()
    ours = resolve_metric(name)
    if name == "accuracy":
        assert apply_metric(ours, [[row[None]] for row in LOGITS], LABELS, 0).mean() == pytest.approx(theirs)
    else:
        assert scored(name, LOGITS, LABELS) == pytest.approx(theirs)


def test_a_class_that_is_too_rare_to_be_left_out():
    rare = np.zeros(N, np.int64)
    rare[5] = 1
    with pytest.raises(MetricError, match=r"metric 'roc_auc' (returned nan|raised \w+) on 234 of 240 samples"):
        scored("roc_auc", LOGIT, rare)


def test_probabilities_have_one_hot_targets():
    one_hot = np.eye(3)[LABELS]
    assert scored("balanced_accuracy", SHARES, one_hot) == pytest.approx(scored("balanced_accuracy", SHARES, LABELS))
    assert scored("f1_weighted", SHARES, one_hot) == pytest.approx(scored("f1_weighted", SHARES, LABELS))


def test_what_an_int8_model_puts_out_is_read_as_the_float_models():
    """A sigmoid that leaves [0, 1] by a little is no logit."""
    float_ones = special.expit(LOGIT)
    metric = of_kind(resolve_metric("precision"), float_ones)
    int8 = np.round(float_ones * 20) / 20 - 0.01
    kept = [metric.kept([int8[i : i + 1]], BINARY[i], i) for i in range(N)]
    expected = metrics.precision_score(BINARY, int8[:, 0] > 0.5)
    assert jackknife_scores(metric, kept).mean() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "message"),
    [
        ("top_k_accuracy", TWO, BINARY, "the target is always among the two likeliest of 2 classes"),
        ("top_k_accuracy", LOGIT, BINARY, "the target is always among the two likeliest of 2 classes"),
        (
            "balanced_accuracy",
            LOGITS,
            LABELS + 1,
            "a label is 3, but outputs of 3 classes have the class numbers 0 to 2",
        ),
        ("f1", LOGIT, LABELS, "a label is 2, but one output number for each label has the class numbers 0 to 1"),
        (
            "matthews_corrcoef",
            LOGITS,
            np.array(["cat", "dog", "cow"])[LABELS],
            "a label is '[a-z]*': class numbers are",
        ),
    ],
)
def test_labels_that_a_scorer_cannot_judge(name, outputs, targets, message):
    with pytest.raises(MetricError, match=message):
        scored(name, outputs, targets)
