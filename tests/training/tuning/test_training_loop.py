"""The steps of a training, on a module that is written by hand, beside what torch and numpy compute."""

import math
from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from autoq.core import ConfigError, DataError

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training.tuning import (  # noqa: E402  # after the skip
    HeldOutLoss,
    Learner,
    OutputTerm,
    SampleChunk,
    Teacher,
    TrainingLoss,
    TrainingPlan,
    TrainingSamples,
    TuningEnd,
    TuningLimit,
    train,
)
from autoq.training.tuning._held_out_loss import EXACT  # noqa: E402
from autoq.training.tuning._schedule import rate_share  # noqa: E402

CLASSES, FEATURES = 4, 6


def linear(weight: np.ndarray) -> ov.Model:
    x = ops.parameter([-1, FEATURES], np.float32, "x")
    x.output(0).tensor.set_names({"x"})
    return ov.Model([ops.result(ops.matmul(x, ops.constant(weight), False, True))], [x], "linear")


class Linear(torch.nn.Module):
    def __init__(self, weight: np.ndarray) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.from_numpy(weight.copy()))

    def forward(self, x):
        return x @ self.weight.T


def data(count: int = 160) -> list[dict[str, np.ndarray]]:
    rows = np.random.default_rng(1).normal(size=(count, 1, FEATURES)).astype(np.float32)
    return [{"x": row} for row in rows]


def training(*, rate=0.03, steps=60, own=None, share=1.0, targets=None, taught=True, noise=0.5, checks=None):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(CLASSES, FEATURES)).astype(np.float32)
    begun = truth + rng.normal(0, noise, truth.shape).astype(np.float32)
    items = data() if targets is None else list(zip(data(), targets, strict=True))
    samples = TrainingSamples.of(items, labelled=targets is not None, batch_size=8, joined=True, seed=0)
    teacher = Teacher(linear(truth), EXACT, joined=True) if taught else None
    chunks = list(samples.held_out_chunks())
    reference = None if teacher is None else [teacher(chunk) for chunk in chunks]
    terms = () if reference is None else (OutputTerm.of([values[0] for values in reference], alone=True),)
    loss = TrainingLoss(terms, own, share)
    learner = Learner(Linear(begun), ["x"], loss, teacher, torch.device("cpu"))
    judge = HeldOutLoss(chunks, reference, loss)
    plan = TrainingPlan(
        samples=samples,
        judge=judge,
        loss=judge,
        publish=lambda module: linear(module.weight.detach().numpy().copy()),
        limit=TuningLimit(steps=steps),
        rate=rate,
        on_check=None if checks is None else checks.append,
    )
    return learner, plan, linear(begun), truth


def test_the_rate_goes_up_in_a_line_and_down_along_a_cosine():
    shares = [rate_share(done) for done in (0, 0.025, 0.05, 0.05 + 0.95 / 3, 0.525, 1, 2)]
    np.testing.assert_allclose(shares, [0, 0.5, 1, 0.75, 0.5, 0, 0], atol=1e-12)


def test_a_student_comes_close_to_its_teacher_and_the_report_tells_its_course():
    seen = []
    learner, plan, given, truth = training(checks=seen)
    report = train(learner, plan, given)
    assert report.best < 0.1 * report.start
    assert report.checks == tuple(seen)
    assert report.steps == seen[-1].step == 60
    assert report.end is TuningEnd.DONE
    centred = [w - w.mean(axis=0) for w in (learner.module.weight.detach().numpy(), truth)]
    # A softmax does not see what all logits have in common.
    assert np.abs(centred[0] - centred[1]).max() < 0.35


def test_the_distance_of_classes_is_the_divergence_of_softened_probabilities():
    rng = np.random.default_rng(0)
    teacher, student = rng.normal(size=(2, 5, CLASSES)).astype(np.float32)
    term = OutputTerm.of([teacher], alone=True)

    def soft(values):
        raised = np.exp(values.astype(np.float64) / 2)
        return raised / raised.sum(-1, keepdims=True)

    expected = 4 * np.mean(np.sum(soft(teacher) * np.log(soft(teacher) / soft(student)), -1))
    assert float(term(torch.from_numpy(student), torch.from_numpy(teacher))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "alone"),
    [
        (np.random.default_rng(0).normal(size=(5, 3, 4, 4)), True),
        (np.random.default_rng(0).normal(size=(5, 1)), True),
        (np.random.default_rng(0).normal(size=(5, 4)), False),
        (np.eye(5, 4)[[0, 1, 2, 0]] - np.eye(5, 4)[[1, 2, 3, 3]], True),
    ],
    ids=["a map", "one number", "beside another output", "embeddings of one length"],
)
def test_other_outputs_are_compared_by_their_squared_error_over_their_variance(values, alone):
    teacher = values.astype(np.float32)
    student = teacher + np.float32(0.1)
    found = float(OutputTerm.of([teacher], alone=alone)(torch.from_numpy(student), torch.from_numpy(teacher)))
    assert found == pytest.approx(0.01 / teacher.astype(np.float64).var(), rel=1e-3)


def test_boxes_and_scores_in_one_output_are_compared_like_two_outputs():
    rng = np.random.default_rng(0)
    boxes, scores = rng.uniform(0, 640, (5, 4, 30)), rng.uniform(0, 1, (5, 8, 30)) ** 4
    moved, other = boxes + rng.normal(0, 3, boxes.shape), rng.permuted(scores, axis=-1)
    teacher, student = (np.concatenate(each, 1).astype(np.float32) for each in ((boxes, scores), (moved, other)))
    found = float(OutputTerm.of([teacher], alone=True)(torch.from_numpy(student), torch.from_numpy(teacher)))
    far = [np.square(b - a).mean() / a.var() for a, b in ((boxes, moved), (scores, other))]
    assert found == pytest.approx(sum(far), rel=1e-3)


def test_a_rate_that_makes_it_worse_leaves_the_given_model():
    learner, plan, given, _ = training(rate=30.0, noise=1e-3)
    report = train(learner, plan, given)
    assert report.best == report.start < min(check.held_out for check in report.checks)
    assert not report.improved


def test_the_race_takes_the_rate_that_is_best_on_what_is_held_out():
    learner, plan, given, _ = training(rate=None, steps=400)
    report = train(learner, plan, given)
    assert report.rate == min(report.race, key=report.race.get) == 1e-3
    assert report.best < report.race[1e-3] < report.race[1e-4] < report.start
    assert report.steps == 400


def test_a_training_goes_back_and_on_with_a_lower_rate_where_its_loss_grows():
    learner, plan, given, _ = training(rate=None, noise=2e-5)
    report = train(learner, plan, given)
    grown = [number for number, check in enumerate(report.checks) if check.held_out > 1.5 * report.start]
    assert grown
    assert all(report.checks[number].rate > 2 * report.checks[number + 1].rate for number in grown)
    assert report.rate < 1e-4
    assert report.best < report.start
    # Whoever decides about the model, the loss decides about the rate; a rate that is given stays.
    learner, plan, given, _ = training(rate=None, noise=2e-5)
    assert train(learner, replace(plan, judge=lambda model: 0.0), given).rate == report.rate
    learner, plan, given, _ = training(rate=1e-3, noise=2e-5)
    assert train(learner, plan, given).rate == 1e-3


def test_a_race_goes_down_until_the_loss_does_not_grow():
    learner, plan, given, _ = training(rate=None, steps=200, noise=2e-5)
    report = train(learner, plan, given)
    assert len(report.race) > 1
    assert report.rate <= min(report.race) < max(report.race) == 1e-4
    assert [loss > 1.5 * report.start for _, loss in sorted(report.race.items())][1:] == [True] * (len(report.race) - 1)
    assert report.best < report.start


def test_a_training_whose_time_is_over_before_it_begins_ends():
    learner, plan, given, _ = training(rate=None)
    report = train(learner, replace(plan, limit=TuningLimit(seconds=5.0)), given, before_s=4.9)
    assert report.end is TuningEnd.DONE
    assert report.best <= report.start


def test_labels_alone_and_labels_beside_a_teacher_lower_the_own_loss():
    targets = np.random.default_rng(2).integers(0, CLASSES, 160)
    before = None
    for taught, share in ((False, 1.0), (True, 0.5)):
        learner, plan, given, _ = training(
            own=torch.nn.functional.cross_entropy, targets=targets, taught=taught, share=share
        )
        report = train(learner, plan, given)
        assert report.best < report.start
        before = before or report.start
    logits = np.concatenate([chunk.feed["x"] @ given_weight(given).T for chunk in plan.samples.held_out_chunks()])
    labels = targets[plan.samples.held_out]
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert before == pytest.approx(-logs[np.arange(len(labels)), labels].mean(), rel=1e-5)


def given_weight(model: ov.Model) -> np.ndarray:
    return next(op.data for op in model.get_ops() if op.get_type_name() == "Constant")


def test_a_loss_that_is_not_finite_stops_and_says_where():
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        return outputs.sum() * (math.nan if outputs.requires_grad and len(calls) > 20 else 1)

    learner, plan, given, _ = training(own=loss, taught=False)
    with pytest.warns(UserWarning, match=r"the loss is nan at step \d+, .*training stopped there"):
        report = train(learner, plan, given)
    assert report.end is TuningEnd.NOT_FINITE
    assert report.best < report.start
    assert torch.isfinite(learner.module.weight).all()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda outputs, targets: outputs, r"loss gave a tensor of shape \[8, 4\]: it must be"),
        (lambda outputs, targets: 1.5, r"loss gave 1\.5: it must be"),
        (lambda outputs, targets: outputs.no_such, "loss raised AttributeError"),
        (lambda outputs, targets: torch.ones(()), "loss does not depend on the outputs"),
    ],
)
def test_a_loss_that_is_none_is_refused_in_a_sentence(loss, words):
    learner, plan, _, _ = training(own=loss, taught=False)
    with pytest.raises(ConfigError, match=words):
        learner.step(plan.samples.batch(0), 1e-3)


def test_fewer_samples_than_two_batches_are_refused():
    with pytest.raises(DataError, match=r"training data have 15 samples: with a batch_size of 8, at least 16"):
        TrainingSamples.of(data(15), labelled=False, batch_size=8, joined=True, seed=0)


def test_each_epoch_has_every_sample_once_in_an_order_of_its_own():
    samples = TrainingSamples.of(data(), labelled=False, batch_size=8, joined=True, seed=0)
    epochs = [
        [number for place in range(18) for chunk in samples.batch(18 * epoch + place) for number in chunk.numbers]
        for epoch in range(2)
    ]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == samples.trained.tolist()
    assert not set(samples.trained) & set(samples.held_out)
    assert len(samples.held_out) == 16


def test_samples_of_several_shapes_run_in_chunks_of_one_shape_and_weigh_the_same():
    feeds = data(32)
    joined, single = (
        TrainingSamples.of(feeds, labelled=False, batch_size=16, joined=way, seed=0).batch(0) for way in (True, False)
    )
    assert [len(chunk.numbers) for chunk in joined] == [16]
    assert [len(chunk.numbers) for chunk in single] == [1] * 16
    learners = [training()[0] for _ in range(2)]
    losses = [learner.step(batch, 1e-2) for learner, batch in zip(learners, (joined, single), strict=True)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    weights = [learner.module.weight.detach().numpy() for learner in learners]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4)


def test_the_teacher_answers_anew_for_a_sample_that_its_data_show_otherwise():
    model = linear(np.eye(CLASSES, FEATURES, dtype=np.float32))
    teacher = Teacher(model, EXACT, joined=True)
    rng = np.random.default_rng(0)
    for _ in range(3):
        shown = rng.normal(size=(4, FEATURES)).astype(np.float32)
        chunk = SampleChunk((5, 2, 9, 1), {"x": shown}, None)
        for _ in range(2):
            np.testing.assert_array_equal(teacher(chunk)[0], shown[:, :CLASSES])
    teacher._run = None  # what is shown as before is not run again
    again = SampleChunk((1, 5), {"x": shown[[3, 0]]}, None)
    np.testing.assert_array_equal(teacher(again)[0], shown[[3, 0], :CLASSES])
