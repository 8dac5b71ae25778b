"""What labels mean beside outputs, and which are refused, against scikit-learn on the same data."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from scipy import special
from sklearn import metrics as sklearn_metrics

import autoq
from autoq.core import IN_F32, MetricError
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import METRICS, resolve_metric
from autoq.evaluation.metrics._output_kind import OutputKind, SeenOutputs
from autoq.evaluation.scoring import ValidationSet

RNG = np.random.default_rng(0)
X = RNG.normal(0, 1, (200, 8)).astype(np.float32)
LABELS = RNG.integers(0, 4, 200)
YES = LABELS % 2


def head(width, activation=lambda value: value, *, shape=None, seed=1):
    """[1, 8] -> [1, width], or a shape of as many numbers."""
    weights = np.random.default_rng(seed).normal(0, 1, (8, width)).astype(np.float32)
    x = ops.parameter([1, 8], np.float32, name="x")
    y = activation(ops.matmul(x, ops.constant(weights), False, False))
    if shape is not None:
        y = ops.reshape(y, ops.constant(np.array(shape)), False)
    return ov.Model([y], [x], "head"), X @ weights


def softmax(value):
    return ops.softmax(value, 1)


def biggest(value):
    return ops.squeeze(ops.topk(value, ops.constant(1), 1, "max", "none").output(1), ops.constant([1]))


def scored(model, labels, metric):
    # In f32, since bf16 puts outputs that are near a border on its other side on some machines.
    return autoq.evaluate(model, (X, np.asarray(labels)), metric=metric, inference_precision="f32").mean.value


ACCURACIES = {
    "one logit": (head(1), YES, lambda z: z[:, 0] > 0),
    "one probability": (head(1, ops.sigmoid), YES, lambda z: z[:, 0] > 0),
    "one number without an axis of its own": (head(1, shape=[1]), YES, lambda z: z[:, 0] > 0),
    "floats": (head(4), LABELS.astype(np.float32), lambda z: z.argmax(1)),
    "bools": (head(2), YES.astype(bool), lambda z: z.argmax(1)),
    "one-hot": (head(4), np.eye(4)[LABELS], lambda z: z.argmax(1)),
    "a column": (head(4), LABELS[:, None], lambda z: z.argmax(1)),
    "probabilities": (head(4, softmax), LABELS, lambda z: z.argmax(1)),
    "no axis of samples": (head(4, shape=[4]), LABELS, lambda z: z.argmax(1)),
    "class numbers": (head(4, biggest), LABELS, lambda z: z.argmax(1)),
}


@pytest.mark.parametrize("kind", ACCURACIES)
@pytest.mark.parametrize("metric", ["accuracy", "f1_macro"])
def test_accuracy_and_f1_of_what_people_put_out(kind, metric):
    (model, logits), labels, predicted = ACCURACIES[kind]
    true = LABELS if np.size(labels) != len(X) else np.asarray(labels).reshape(-1).astype(int)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(true, predicted(logits)),
        "f1_macro": sklearn_metrics.f1_score(true, predicted(logits), average="macro"),
    }
    assert scored(model, labels, metric) == pytest.approx(expected[metric])


def test_accuracy_of_pixels_takes_classes_along_the_second_axis():
    model, logits = head(3 * 4, shape=[1, 3, 2, 2])
    pixels = logits.reshape(200, 3, 2, 2)
    labels = RNG.integers(0, 3, (200, 2, 2))
    assert scored(model, labels, "accuracy") == pytest.approx((pixels.argmax(1) == labels).mean())
    one, logits = head(4, ops.sigmoid, shape=[1, 1, 2, 2])
    assert scored(one, labels % 2, "accuracy") == pytest.approx(
        ((logits.reshape(labels.shape) > 0) == labels % 2).mean()
    )


@pytest.mark.parametrize("activation", [lambda value: value, ops.sigmoid])
def test_binary_accuracy_of_a_logit_a_probability_and_several(activation):
    model, logits = head(1, activation)
    assert scored(model, YES, "binary_accuracy") == pytest.approx(((logits[:, 0] > 0) == YES).mean())
    model, logits = head(3, activation)
    many = RNG.integers(0, 2, (200, 3))
    assert scored(model, many, "binary_accuracy") == pytest.approx(((logits > 0) == many).mean())


def test_binary_accuracy_of_two_classes():
    for activation in (softmax, lambda value: value):
        model, logits = head(2, activation)
        assert scored(model, YES, "binary_accuracy") == pytest.approx((logits.argmax(1) == YES).mean())


@pytest.mark.parametrize(
    ("activation", "width", "labels"),
    [
        (lambda value: value, 4, LABELS),
        (softmax, 4, LABELS),
        (lambda value: value, 1, YES),
        (ops.sigmoid, 1, YES),
    ],
)
def test_log_likelihood_of_logits_and_of_probabilities(activation, width, labels):
    model, logits = head(width, activation)
    logits = np.concatenate([np.zeros((200, 1)), logits], axis=1) if width == 1 else logits
    expected = -sklearn_metrics.log_loss(labels, special.softmax(logits.astype(np.float64), axis=1))
    assert scored(model, labels, "log_likelihood") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("width", "labels", "metric", "message"),
    [
        (4, LABELS, "top5", "the target is always among the five largest of 4 classes: use 'accuracy'"),
        (1, YES, "top5", "the target is always among the five largest of 1 class:"),
        (
            4,
            LABELS + 1,
            "accuracy",
            "a label is 4, but outputs of 4 classes have the class numbers 0 to 3: they count from 0",
        ),
        (1, LABELS, "accuracy", r"a label is [23], but one output number for each label has the class numbers 0 to 1"),
        (
            6,
            LABELS - 100,
            "top5",
            "a label is -100, but outputs of 6 classes .* 'f1_macro' and 'negative_perplexity' leave",
        ),
        (4, np.where(LABELS, LABELS, np.nan), "accuracy", "a label is nan, but"),
        (4, LABELS + 0.5, "log_likelihood", r"a label is \d.5, but outputs of 4 classes have the class numbers"),
        (4, np.full((200, 4), 0.25), "accuracy", r"labels have 4 numbers each, .* such as labels.argmax\(-1\)"),
        (4, np.zeros((200, 3), int), "accuracy", r"3 labels beside outputs of the shape \(1, 4\)|600 labels beside"),
        (4, np.array(["cat", "dog"])[YES], "accuracy", "a label is '(cat|dog)': class numbers are needed, 0 to 3"),
        (4, LABELS + 1, "f1_macro", "a label is 4, but outputs of 4 classes"),
        (4, YES, "binary_accuracy", "outputs of 4 classes do not mean 0 or 1: use 'accuracy'"),
        (1, LABELS, "cosine", "the cosine of one number is only its sign"),
        (4, np.zeros((200, 4)), "cosine", "a target is zero everywhere"),
        (4, LABELS, "negative_mse", r"200 target numbers beside outputs of the shape \(200, 4\)"),
        (1, np.where(LABELS, 1.0, np.nan), "negative_mse", "a target is nan: finite numbers are needed"),
        (1, np.where(LABELS, 1.0, np.inf), "pearson", "a target is inf: finite numbers are needed"),
        (1, np.ones(200), "spearman", "all targets are .*: a correlation needs numbers that differ"),
        (4, LABELS[:, None] + [-100], "f1_macro", "a label is -9[789], but"),
        (4, np.full(200, -100), "f1_macro", "all labels are -100, which leaves none to score"),
        (1, np.zeros((200, 1), int), "negative_perplexity", "have one token only, whose probability is always 1"),
    ],
)
def test_what_no_metric_can_judge_is_refused_in_a_sentence(width, labels, metric, message):
    with pytest.raises(MetricError, match=f"metric '{metric}' cannot score .*({message})"):
        scored(head(width)[0], labels, metric)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_outputs_are_is_known_from_all_of_them(dtype):
    logits = RNG.normal(0, 2, (50, 6)).astype(dtype)

    def kind(*arrays):
        seen, order = SeenOutputs(), list(OutputKind)
        assert seen.possible == frozenset(OutputKind)
        for array in arrays:
            before = seen.possible
            seen.update(array)
            assert seen.possible <= before
            assert max(seen.possible, key=order.index) is seen.kind
        return seen.kind

    shares = special.softmax(logits, axis=1).astype(dtype)
    assert kind(logits) is OutputKind.LOGITS
    assert kind(shares) is kind(shares[:1], shares[1:]) is OutputKind.PROBABILITIES
    assert kind(special.expit(logits)) is kind(shares, special.expit(logits)) is OutputKind.SHARES
    assert kind(shares, shares - 0.1) is OutputKind.LOGITS
    assert kind(shares[:, :1]) is OutputKind.SHARES
    assert kind(shares.T.reshape(1, 6, 5, 10)) is OutputKind.PROBABILITIES
    assert kind(np.ones((3, 4), np.int64)) is OutputKind.LOGITS


def test_a_candidate_is_judged_as_the_float_model_is():
    """Beside a sigmoid, one that is shifted a little below 0 would pass for a logit, with another threshold."""
    float_model, logits = head(1, ops.sigmoid)
    shifted, _ = head(1, lambda value: ops.subtract(ops.sigmoid(value), ops.constant(np.float32(0.02))))
    answers = (logits[:, 0] > 0).astype(int)
    assert autoq.evaluate(shifted, (X, answers), metric="accuracy").mean.value < 0.9
    beside = autoq.evaluate(shifted, (X, answers), metric="accuracy", against=float_model)
    expected = ((special.expit(logits[:, 0]) - 0.02 > 0.5) == answers).mean()
    assert beside.mean.value == pytest.approx(expected)


@pytest.mark.parametrize("isolate", [False, True])
def test_a_search_judges_all_candidates_as_the_float_model(isolate):
    """Int8 outputs of a Softmax, and held-out data of one sample, do not change what outputs are."""
    model, logits = head(3, softmax)
    result = autoq.search(
        model,
        calibration=X[:30],
        validation=(X, logits.argmax(1)),
        holdout=(X[:1], logits[:1].argmax(1)),
        metric="log_likelihood",
        space={"subset_sizes": [30], "sampler": "random", "sweep": 0},
        n_trials=2,
        tracking_uri="off",
        progress=False,
        isolate=isolate,
    )
    shares = special.softmax(logits.astype(np.float64), axis=1)
    assert result.info.float_accuracy.mean == pytest.approx(np.log(shares.max(axis=1)).mean(), rel=1e-4)
    assert abs(result.records[1].evaluation.accuracy.drop.value) < 0.05


def test_every_metric_by_name_needs_its_labels():
    for name in METRICS:
        with pytest.raises(MetricError, match=f"metric '{name}' (cannot score|raised)"):
            scored(head(7)[0], np.full((200, 5), "nothing"), name)


def test_an_evaluator_that_starts_again_knows_what_outputs_are():
    """The float model is not scored again then; a candidate whose outputs leave [0, 1] would tell something else."""
    model, logits = head(1, ops.sigmoid)
    shifted, _ = head(1, lambda value: ops.subtract(ops.sigmoid(value), ops.constant(np.float32(0.02))))
    pairs = ValidationSet.of(model, (X, (logits[:, 0] > 0).astype(int)))
    given = {"metric": resolve_metric("accuracy"), "runtime": RuntimeConfig(), "sample": {"x": X[:1]}}
    given |= {"validation": pairs, "holdout": pairs, "max_latency_seconds": 0.01}
    first = Evaluator(model, **given)
    again = Evaluator(model, **given, float_results=first.float_results)
    for made in (first, again):
        evaluation, _ = made.evaluate(shifted, IN_F32)
        expected = (special.expit(logits[:, 0]) - 0.02 > 0.5) == (logits[:, 0] > 0)
        assert evaluation.accuracy.mean == pytest.approx(expected.mean())
        assert made.score_held_out(shifted, IN_F32).mean == pytest.approx(expected.mean())
