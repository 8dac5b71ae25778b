"""Candidates beside the float model."""

from dataclasses import replace

import numpy as np
import pytest
from networks import conv_net, images, rows

from autoq.core import IN_F32, Estimate, MetricError, RuntimeChoice, RuntimePlan
from autoq.evaluation.candidate import Evaluator, Finalist
from autoq.evaluation.candidate._contest import Contest
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import Outcome, ValidationSet

X = images(40)


def labelled(model):
    return ValidationSet.of(model, (X, rows(model, X).argmax(axis=1)))


def evaluator(model, **changes):
    given = {"validation": labelled(model), "metric": resolve_metric("accuracy")} | changes
    return Evaluator(model, runtime=RuntimeConfig(), sample={"image": X[:1]}, max_latency_seconds=0.05, **given)


def test_the_float_model_against_itself_loses_nothing():
    model = conv_net()
    made = evaluator(model)
    assert made.float_accuracy.mean == 1.0
    evaluation, seconds = made.evaluate(model, IN_F32)
    assert evaluation.accuracy.drop.value == 0
    assert evaluation.execution.int8_layers == 0
    assert evaluation.size_bytes > 0
    assert evaluation.runtime["PERFORMANCE_HINT"]
    assert set(seconds) == {"compile", "score", "time"}


def test_a_candidate_is_scored_and_timed_as_it_chooses():
    scored_under = []

    def scored(compiled, items):
        scored_under.append(int(compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE")))
        return 1.0

    model, runtime = conv_net(), RuntimeConfig(properties={"DYNAMIC_QUANTIZATION_GROUP_SIZE": "128"})
    made = Evaluator(
        model,
        validation=X,
        evaluate=scored,
        holdout=X,
        runtime=runtime,
        sample={"image": X[:1]},
        max_latency_seconds=0.01,
    )
    choice = RuntimeChoice(plan=RuntimePlan(64, "f16", 0.5))
    evaluation, _ = made.evaluate(model, choice)
    assert evaluation.runtime["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == "64"
    assert evaluation.runtime["KV_CACHE_PRECISION"] == "f16"
    assert evaluation.runtime["CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE"] == "0.5"
    made.score_held_out(model, choice)
    # The float model and the candidate, then both on held-out data.
    assert scored_under == [128, 64, 128, 64]


def test_another_model_loses_what_it_gets_wrong():
    model, other = conv_net(), conv_net(seed=8)
    expected = 1 - np.mean(rows(other, X).argmax(axis=1) == rows(model, X).argmax(axis=1))
    evaluation, _ = evaluator(model).evaluate(other, IN_F32)
    drop = evaluation.accuracy.drop
    assert drop.value == pytest.approx(expected)
    assert drop.low < drop.value < drop.high


MANY = images(400, seed=1)


def with_answers_of(model):
    return ValidationSet.of(model, (MANY, rows(model, MANY).argmax(axis=1)))


def test_in_a_contest_a_hopeless_candidate_is_scored_on_few_samples():
    model, other = conv_net(), conv_net(seed=8)
    made = evaluator(model, validation=with_answers_of(model))
    contest = Contest(max_drop=0.01)
    accuracy = made.evaluate(other, IN_F32, contest)[0].accuracy
    assert accuracy.outcome is Outcome.INFEASIBLE
    assert accuracy.n == np.isfinite(accuracy.scores).sum() < len(MANY)
    assert accuracy.drop.low > 0.01
    same = made.evaluate(model, IN_F32, contest)[0]
    assert same.accuracy.outcome is not Outcome.INFEASIBLE
    # A rival that is a thousand times as fast and right everywhere.
    fast = replace(same.latency, ratio=Estimate(0.001, 0.001, 0.001))
    rival = replace(same, latency=fast, accuracy=replace(same.accuracy, scores=np.ones(len(MANY))))
    beaten = made.evaluate(other, IN_F32, Contest(None, [rival]))[0].accuracy
    assert beaten.outcome is Outcome.DOMINATED


def test_finalists_are_scored_on_all_samples_and_timed_beside_each_other():
    model, other = conv_net(), conv_net(seed=8)
    made = evaluator(model, validation=with_answers_of(model))
    partly = made.evaluate(other, IN_F32, Contest(max_drop=0.01))[0]
    whole = made.evaluate(other, IN_F32)[0]
    finalists = [Finalist(other, IN_F32, partly), Finalist(model, IN_F32, whole)]
    first, second = made.remeasure(finalists, 0.1)
    assert first.accuracy.outcome is Outcome.FINISHED
    assert first.accuracy.mean == whole.accuracy.mean
    assert first.latency.bursts == second.latency.bursts
    assert second.accuracy is whole.accuracy


def test_a_metric_of_the_corpus_is_not_raced():
    model = conv_net()
    made = evaluator(model, metric=resolve_metric("f1_macro"))
    accuracy = made.evaluate(conv_net(seed=8), IN_F32, Contest(max_drop=0.01))[0].accuracy
    assert accuracy.outcome is Outcome.FINISHED
    assert accuracy.n == made.float_accuracy.n == len(X)
    assert accuracy.drop.value == pytest.approx(made.float_accuracy.mean - accuracy.mean)


def validation_fn(compiled, items):
    scores = [float(compiled(x[None])[0].argmax() == 0) for x in items]
    return float(np.mean(scores)), scores


def test_a_validation_function_with_scores_per_item_is_paired():
    model = conv_net()
    made = evaluator(model, metric=None, validation=X, evaluate=validation_fn)
    evaluation, _ = made.evaluate(conv_net(seed=8), IN_F32)
    assert made.float_accuracy.n == len(X)
    assert evaluation.accuracy.drop.low < evaluation.accuracy.drop.high


def test_a_validation_function_with_a_number_alone():
    made = evaluator(conv_net(), metric=None, validation=X, evaluate=lambda c, items: validation_fn(c, items)[0])
    drop = made.evaluate(conv_net(seed=8), IN_F32)[0].accuracy.drop
    assert not drop.known
    assert not drop.below(Estimate(1, 1, 1))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda c, items: float("nan"), "returned nan"),
        (lambda c, items: "0.9 or so", "a float, or"),
        (lambda c, items: (0.5, [0.5, float("inf")]), "not finite"),
        (lambda c, items: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_validation_function_that_fails(function, message):
    with pytest.raises(MetricError, match=message):
        evaluator(conv_net(), metric=None, validation=X, evaluate=function)


def test_held_out_data_are_scored_beside_the_float_model():
    model, other = conv_net(), conv_net(seed=8)
    made = evaluator(model, holdout=with_answers_of(model))
    right = (rows(other, MANY).argmax(axis=1) == rows(model, MANY).argmax(axis=1)).astype(float)
    accuracy = made.score_held_out(other, IN_F32)
    np.testing.assert_array_equal(accuracy.scores, right)
    assert accuracy.mean == right.mean()
    assert accuracy.drop.value == pytest.approx(1 - right.mean())
    assert accuracy.n == len(MANY)
    assert made.score_held_out(model, IN_F32).drop.value == 0


def test_without_held_out_data_there_is_nothing_to_score():
    model = conv_net()
    with pytest.raises(ValueError, match="no held-out data"):
        evaluator(model).score_held_out(model, IN_F32)


def test_where_scoring_the_float_model_would_take_too_long_all_models_are_scored_on_fewer_items():
    model, other = conv_net(), conv_net(seed=8)
    made = evaluator(model, validation=with_answers_of(model), patience_s=1e-6)
    assert made.float_results.items == 32
    assert made.float_accuracy.n == len(made.float_accuracy.scores) == 32
    evaluation, _ = made.evaluate(other, IN_F32)
    assert evaluation.accuracy.n == len(evaluation.accuracy.scores) == 32
    # As many, and the same, in a process that starts again, and in a search that goes on.
    for known in ({"float_results": made.float_results}, {"items": 32}):
        again = evaluator(model, validation=with_answers_of(model), **known)
        assert again.float_accuracy.n == 32
        assert (again.evaluate(other, IN_F32)[0].accuracy.scores == evaluation.accuracy.scores).all()


def test_what_there_is_no_time_to_compare_is_as_uncertain_as_it_usually_is():
    model = conv_net()
    hurried = evaluator(model, patience_s=1e-6)
    usual = hurried._timer.compilation_sd
    for _ in range(2):
        ratio = hurried.evaluate(model, IN_F32)[0].latency.ratio
        assert ratio.low < 0.98 * ratio.value
        assert ratio.high > 1.02 * ratio.value
    assert hurried._timer.compilation_sd == usual


def test_a_candidate_is_scored_further_and_timed_again():
    model, other = conv_net(), conv_net(seed=8)
    made = evaluator(model, validation=with_answers_of(model))
    first, seconds = made.evaluate(other, IN_F32, Contest(None, items=100))
    assert (first.accuracy.outcome, first.accuracy.n) == (Outcome.PARTIAL, 100)
    assert np.isnan(first.accuracy.scores).sum() == 300
    assert "time float" not in seconds
    known = Finalist(other, IN_F32, first)
    further, seconds = made.go_on(known, Contest(None, items=400))
    whole = made.evaluate(other, IN_F32)[0].accuracy
    np.testing.assert_array_equal(further.accuracy.scores, whole.scores)
    assert further.accuracy.drop == whole.drop
    assert (further.latency, further.size_bytes) == (first.latency, first.size_bytes)
    assert set(seconds) == {"compile", "score"}
    again, seconds = made.go_on(known, Contest(None, items=400), retimed=True)
    assert again.accuracy is first.accuracy
    assert again.latency.ratio.sd < first.latency.ratio.sd
    assert again.latency.bursts > first.latency.bursts
    assert set(seconds) == {"compile", "time"}


def test_a_finalist_is_scored_on_the_samples_that_are_missing():
    model, other = conv_net(), conv_net(seed=8)
    made = evaluator(model, validation=with_answers_of(model))
    first, _ = made.evaluate(other, IN_F32, Contest(None, items=100))
    (closed,) = made.remeasure([Finalist(other, IN_F32, first)], 0.1)
    whole = made.evaluate(other, IN_F32)[0].accuracy
    np.testing.assert_array_equal(closed.accuracy.scores, whole.scores)
    assert (closed.accuracy.outcome, closed.accuracy.n) == (Outcome.FINISHED, 400)


def test_how_much_compilations_differ_is_found_out_before_the_second_candidate():
    model = conv_net()
    made = evaluator(model)
    usual = made._timer.compilation_sd
    assert "time float" not in made.evaluate(model, IN_F32)[1]
    assert made._timer.compilation_sd == usual
    assert made.evaluate(model, IN_F32)[1]["time float"] > 0
    assert made._timer.compilation_sd != usual
    assert "time float" not in made.evaluate(model, IN_F32)[1]
