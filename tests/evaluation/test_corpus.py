"""Metrics of a whole corpus, against SciPy, scikit-learn and formulas; and what their intervals rest on."""

import copy

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics as sklearn_metrics

from autoq.core import MetricError
from autoq.evaluation import CORPUS_METRICS, CorpusMetric, paired_drop, resolve_metric
from autoq.evaluation._corpus import jackknife_scores

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 200)
LOGITS = (RNG.normal(size=(200, 5)) + 2 * np.eye(5)[LABELS]).astype(np.float32)
BINARY = (RNG.random(200) < 0.4).astype(int)
MARGINS = (RNG.normal(size=(200, 1)) + BINARY[:, None]).astype(np.float32)
RATINGS = RNG.gamma(2, 1, 200)
NUMBERS = (RATINGS + RNG.normal(0, 0.5, 200)).astype(np.float32)[:, None]


def scored(metric, outputs, targets):
    """Scores of inferences of one sample each."""
    rows = [([outputs[i : i + 1]], targets[i]) for i in range(len(outputs))]
    return jackknife_scores(metric, [metric.kept(o, t, i) for i, (o, t) in enumerate(rows)])


SHARES = special.softmax(LOGITS.astype(np.float64), axis=1)


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "expected"),
    [
        ("f1", LOGITS, LABELS, sklearn_metrics.f1_score(LABELS, LOGITS.argmax(1), average="macro")),
        ("spearman", NUMBERS, RATINGS, stats.spearmanr(NUMBERS[:, 0], RATINGS).statistic),
        ("pearson", NUMBERS, RATINGS, np.corrcoef(NUMBERS[:, 0], RATINGS)[0, 1]),
        ("f1_macro", LOGITS, LABELS, sklearn_metrics.f1_score(LABELS, LOGITS.argmax(1), average="macro")),
        ("neg_log_loss", LOGITS, LABELS, -sklearn_metrics.log_loss(LABELS, SHARES)),
        ("neg_log_loss", SHARES, LABELS, -sklearn_metrics.log_loss(LABELS, SHARES)),
        ("roc_auc_ovr", LOGITS, LABELS, sklearn_metrics.roc_auc_score(LABELS, SHARES, multi_class="ovr")),
        ("roc_auc", MARGINS, BINARY, sklearn_metrics.roc_auc_score(BINARY, MARGINS[:, 0])),
        ("roc_auc", np.hstack([-MARGINS, MARGINS]), BINARY, sklearn_metrics.roc_auc_score(BINARY, MARGINS[:, 0])),
        ("precision", MARGINS, BINARY, sklearn_metrics.precision_score(BINARY, MARGINS[:, 0] > 0)),
        ("balanced_accuracy", MARGINS, BINARY, sklearn_metrics.balanced_accuracy_score(BINARY, MARGINS[:, 0] > 0)),
        ("r2", NUMBERS, RATINGS, sklearn_metrics.r2_score(RATINGS, NUMBERS[:, 0])),
        ("neg_mean_squared_error", NUMBERS, RATINGS, -np.mean((NUMBERS[:, 0] - RATINGS) ** 2)),
    ],
)  # fmt: skip
def test_the_mean_of_the_scores_is_the_metric(name, outputs, targets, expected):
    scores = scored(resolve_metric(name), outputs, targets)
    assert scores.shape == (40,)
    assert scores.mean() == pytest.approx(expected, rel=1e-6)


def test_perplexity_is_that_of_all_tokens_and_leaves_out_what_is_not_to_be_predicted():
    metric = CORPUS_METRICS["negative_perplexity"]
    lengths = [3, 9, 5]
    kept, logs = [], []
    for number, length in enumerate(lengths):
        logits = RNG.normal(size=(1, length, 7)).astype(np.float32)
        labels = RNG.integers(0, 7, (1, length))
        labels[0, 0] = -100
        kept.append(metric.kept([logits], labels, number))
        shares = special.log_softmax(logits[0].astype(np.float64), axis=-1)
        logs += [shares[i, labels[0, i]] for i in range(1, length)]
        assert sum(array.size for array in kept[-1][0]) == 2  # no logits are kept
    assert jackknife_scores(metric, kept).mean() == pytest.approx(-np.exp(-np.mean(logs)), rel=1e-6)


def test_of_a_mean_they_are_the_samples_own_scores():
    values = RNG.normal(size=(30, 1))
    scores = scored(CorpusMetric("mean", lambda outputs, _: outputs[0].mean()), values, np.zeros(30))
    np.testing.assert_allclose(np.sort(scores), np.sort(values[:, 0]), rtol=1e-9)


def test_paired_differences_have_the_spread_of_the_statistic():
    """The jackknife's interval beside what drawing anew from the same population shows."""
    metric = CORPUS_METRICS["pearson"]

    def draw(rng):
        targets = rng.normal(size=120)
        reference = targets + rng.normal(size=120)
        return reference[:, None], (reference + 0.5 * rng.normal(size=120))[:, None], targets

    drops = []
    for seed in range(60):
        reference, candidate, targets = draw(np.random.default_rng(seed))
        drops.append(paired_drop(scored(metric, reference, targets), scored(metric, candidate, targets)))
    spread = np.std([drop.value for drop in drops])
    claimed = np.median([(drop.high - drop.low) / 2 for drop in drops]) / stats.t.ppf(0.975, 39)
    assert claimed == pytest.approx(spread, rel=0.3)


class Counting:
    """As torchmetrics: told of batches, asked at the end."""

    higher_is_better = False

    def __init__(self):
        self.wrong, self.seen, self.calls = 0, 0, 0

    def reset(self):
        self.__init__()

    def update(self, preds, target):
        assert isinstance(preds, np.ndarray)
        self.calls += 1
        self.wrong += int((preds.argmax(-1) != target).sum())
        self.seen += len(preds)

    def compute(self):
        return self.wrong / self.seen


def test_an_object_with_update_and_compute():
    own = Counting()
    own.seen = 0
    before = copy.deepcopy(vars(own))
    metric = resolve_metric(own)
    assert metric.name == "Counting"
    # Lower is better: it is negated.
    assert scored(metric, LOGITS, LABELS).mean() == pytest.approx(-(LOGITS.argmax(1) != LABELS).mean())
    assert vars(own) == before


def test_inferences_of_unequal_shape_are_told_one_by_one():
    told = []

    class Shapes:
        def update(self, preds, target):
            told.append(preds.shape)

        def compute(self):
            return 1.0

    metric = resolve_metric(Shapes())
    rows = [([np.zeros((1, size))], {"boxes": size}) for size in (2, 3)]
    assert jackknife_scores(metric, [metric.kept(o, t, i) for i, (o, t) in enumerate(rows)]).mean() == 1.0
    assert told[:2] == [(1, 2), (1, 3)]


def test_a_torch_module_is_given_tensors():
    torch = pytest.importorskip("torch")

    class Agreement(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("right", torch.zeros(()))
            self.seen = 0

        def update(self, preds, target):
            self.right += (preds.argmax(-1) == target).sum()
            self.seen += len(target)

        def compute(self):
            return self.right / self.seen

    own = Agreement()
    expected = (LOGITS.argmax(1) == LABELS).mean()
    assert scored(resolve_metric(own), LOGITS, LABELS).mean() == pytest.approx(expected, rel=1e-6)
    assert own.seen == 0


def broken(outputs, targets):
    raise KeyError("weights")


@pytest.mark.parametrize(
    ("metric", "targets", "message"),
    [
        (CorpusMetric("own", broken), LABELS, "metric 'own' raised KeyError on 200 of 200 samples: 'weights'"),
        (CorpusMetric("own", lambda *_: "good"), LABELS, "returned 'good' on 200 of 200 samples: one number"),
        (CorpusMetric("own", lambda *_: np.nan), LABELS, "returned nan on 200 of 200 samples"),
        (resolve_metric("spearman"), np.zeros((200, 3)), "metric 'spearman' raised ValueError on sample 0"),
    ],
)
def test_what_cannot_be_scored(metric, targets, message):
    with pytest.raises(MetricError, match=message):
        scored(metric, LOGITS, targets)


def test_unknown_names_suggest_scikit_learns_too():
    with pytest.raises(MetricError, match="metric 'f1_makro' is unknown: did you mean 'f1_macro'"):
        resolve_metric("f1_makro")
