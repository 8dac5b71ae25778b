"""The budget is kept, at a price, with every kind of validation; and there is always an answer."""

import json
import warnings

import numpy as np
import pytest
from networks import conv_net, images, snapshot
from sklearn.metrics import f1_score

import autoq
from autoq.core import ConfigError, ModelError, PlanError, RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import ValidationSet as Pairs
from autoq.evaluation.scoring import score

MODEL = conv_net(channels=16, size=16)
CALIBRATION = images(24, size=16)
IMAGES = images(400, size=16, seed=1)


def outputs(model, precision=RuntimePrecision.DEFAULT):
    compiled = autoq.RuntimeConfig(inference_precision=precision).compile(model).compiled_model
    return np.concatenate([compiled(x[None])[0] for x in IMAGES])


# The logits of a random net hardly differ between images; around their means they do.
CENTRE = outputs(MODEL, RuntimePrecision.F32).mean(axis=0)


def chosen(logits):
    return (logits - CENTRE).argmax(axis=-1)


def centred_accuracy(outputs, targets):
    return (chosen(outputs[0]) == targets).astype(float)


LABELS = chosen(outputs(MODEL, RuntimePrecision.F32))
PAIRS = [(x[None], label) for x, label in zip(IMAGES, LABELS, strict=True)]
# Weights of five bits lose a part of the labels.
COARSE = {"weights": {"bits": 5}, "overflow_fix": "disable"}


def accuracy(model):
    return float((chosen(outputs(model)) == LABELS).mean())


def noted(model):
    return json.loads(model.get_rt_info(["autoq", "accuracy_control"]).value)


def floats(model):
    (part,) = json.loads(model.get_rt_info(["autoq", "plan"]).value)["parts"]
    return [group for group, precision in part["precisions"].items() if precision != "int8"]


def per_item(compiled, items):
    scores = [float(chosen(compiled(x)[0][0]) == label) for x, label in items]
    return float(np.mean(scores)), scores


def without_mean(compiled, items):
    return None, per_item(compiled, items)[1]


def mean_only(compiled, items):
    return per_item(compiled, items)[0]


def with_outputs(compiled, items):
    items = list(items)
    return per_item(compiled, items)[0], [[np.array(compiled(x)[0])] for x, _ in items]


def test_the_case_needs_control():
    assert accuracy(MODEL) > 0.95
    assert accuracy(autoq.quantize(MODEL, CALIBRATION, **COARSE)) < 0.95


@pytest.mark.parametrize("max_drop", [0.055, 0.04, "4%"])
def test_the_budget_is_kept_with_some_of_the_model_quantized(max_drop):
    before = snapshot(MODEL)
    tuned = autoq.quantize_with_accuracy_control(
        MODEL, CALIBRATION, PAIRS, metric=centred_accuracy, max_drop=max_drop, progress=False, **COARSE
    )
    assert snapshot(MODEL) == before
    budget = 0.04 if max_drop == "4%" else max_drop
    assert 1 - accuracy(tuned) <= budget + 1e-9
    assert noted(tuned)["drop"] <= budget
    assert 0 < len(floats(tuned)) < 5
    assert any(op.get_type_name() == "FakeQuantize" for op in tuned.get_ops())


@pytest.mark.parametrize("function", [per_item, without_mean, mean_only, with_outputs])
def test_every_kind_of_validation_function(function):
    tuned = autoq.quantize_with_accuracy_control(
        MODEL, CALIBRATION, PAIRS, function, max_drop=0.03, progress=False, tune_hyperparams=False, **COARSE
    )
    assert noted(tuned)["drop"] <= 0.03
    assert 1 - accuracy(tuned) <= 0.03 + 1e-9


def test_where_int8_is_good_enough_nothing_is_restored():
    tuned = autoq.quantize_with_accuracy_control(
        MODEL, CALIBRATION, PAIRS, metric=centred_accuracy, max_drop=0.5, progress=False
    )
    assert floats(tuned) == []
    assert noted(tuned)["evaluations"] == 1
    assert snapshot(tuned) == snapshot(autoq.quantize(MODEL, CALIBRATION))


def test_weights_may_stay_in_8_bits():
    tuned = autoq.quantize_with_accuracy_control(
        MODEL,
        CALIBRATION,
        PAIRS,
        metric=centred_accuracy,
        max_drop=0.07,
        activations={"bits": 6},
        restore_mode="only_activations",
        progress=False,
    )
    assert floats(tuned)
    small = sum(op.get_byte_size() for op in autoq.quantize(MODEL, CALIBRATION).get_ops() if is_weight(op))
    assert sum(op.get_byte_size() for op in tuned.get_ops() if is_weight(op)) == small


def is_weight(op):
    return op.get_type_name() == "Constant" and len(op.output(0).shape) >= 4


@pytest.mark.parametrize("limit", [{"timeout_s": 1e-6}, {"max_num_iterations": 1}])
def test_there_is_always_an_answer(limit):
    with pytest.warns(UserWarning, match="no candidate met the drop of at most 0.01 in 1 evaluations"):
        tuned = autoq.quantize_with_accuracy_control(
            MODEL, CALIBRATION, PAIRS, metric=centred_accuracy, progress=False, **limit, **COARSE
        )
    assert noted(tuned)["drop"] > 0.01


def test_what_the_user_fixes_stays_fixed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = autoq.quantize_with_accuracy_control(
            MODEL,
            CALIBRATION,
            PAIRS,
            metric=centred_accuracy,
            preset="performance",
            range_estimator="mean_min_max",
            fast_bias_correction=True,
            progress=False,
            **COARSE,
        )
    recipe = json.loads(tuned.get_rt_info(["autoq", "plan"]).value)["parts"][0]["recipe"]
    assert (recipe["preset"], recipe["range_estimator"], recipe["bias_correction"]) == (
        *("performance", "mean_min_max"),
        "fast",
    )


def test_a_continuous_metric():
    targets = outputs(MODEL)
    pairs = [(x[None], target[None]) for x, target in zip(IMAGES, targets, strict=True)]
    tuned = autoq.quantize_with_accuracy_control(
        MODEL, CALIBRATION, pairs, metric="negative_mse", max_drop=1e-3, progress=False, **COARSE
    )
    scores = score(RuntimeConfig().compile(tuned), Pairs.of(MODEL, pairs), resolve_metric("negative_mse"))
    assert -1.2e-3 <= scores.mean() < 0


def test_a_metric_of_all_samples_together():
    def f1(outputs, targets):
        return f1_score(targets, chosen(outputs[0]), average="macro")

    tuned = autoq.quantize_with_accuracy_control(
        MODEL,
        CALIBRATION,
        PAIRS,
        metric=autoq.CorpusMetric("f1", f1),
        max_drop=0.03,
        progress=False,
        tune_hyperparams=False,
        **COARSE,
    )
    assert noted(tuned)["drop"] <= 0.03
    assert f1_score(LABELS, chosen(outputs(tuned)), average="macro") >= 0.97 - 1e-9
    assert len(floats(tuned)) > 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"metric": None}, ConfigError, "pass either metric"),
        ({"validation_fn": per_item}, ConfigError, "pass either metric"),
        ({"max_drop": -1}, ConfigError, "max_drop is -1: a drop must be at least 0"),
        ({"max_drop": "a bit"}, ConfigError, "max_drop is 'a bit'"),
        ({"drop_type": "total"}, ConfigError, "drop_type 'total' is unknown"),
        ({"restore_mode": "weights"}, ConfigError, "restore_mode 'weights' is unknown"),
        ({"preset": "mixd"}, PlanError, "preset 'mixd' is unknown"),
        ({"ignored_scope": autoq.IgnoredScope(patterns=[".*"])}, ModelError, "has nothing to quantize"),
    ],
)
def test_what_cannot_be_used(changes, error, message):
    given = {"metric": centred_accuracy, "progress": False} | changes
    with pytest.raises(error, match=message):
        autoq.quantize_with_accuracy_control(MODEL, CALIBRATION, PAIRS, **given)


@pytest.fixture
def bf16_by_default(monkeypatch):
    """A device that computes in bf16 what it is not told to compute in another precision."""
    usual = RuntimeConfig.to_properties
    monkeypatch.setattr(
        RuntimeConfig, "to_properties", lambda config: {"INFERENCE_PRECISION_HINT": "bf16"} | usual(config)
    )


@pytest.mark.usefixtures("bf16_by_default")
def test_where_the_default_precision_is_to_blame_no_layer_is_left_in_float_in_vain():
    """Labels are what the model says in f32; in bf16 it says something else of a part of them."""
    assert accuracy(MODEL) < 0.99
    with pytest.warns(UserWarning, match=r"default precision, drops by .*: the returned model was scored .*_HINT=f32"):
        made = autoq.quantize_with_accuracy_control(
            MODEL, CALIBRATION, PAIRS, metric=resolve_metric(per_sample), max_drop=0.005, progress=False, **COARSE
        )
    said = noted(made)
    assert said["runtime_precision"] == "f32"
    found = float((chosen(outputs(made, RuntimePrecision.F32)) == LABELS).mean())
    assert found == pytest.approx(said["score"])
    assert said["drop"] <= 0.005
    assert said["drop_interval"][0] <= said["drop"] <= said["drop_interval"][1]


def per_sample(outputs, target):
    return float(chosen(outputs[0][0]) == target)


def test_what_few_samples_cannot_prove_is_noted():
    made = autoq.quantize_with_accuracy_control(
        MODEL, CALIBRATION, PAIRS[:12], metric=resolve_metric(per_sample), max_drop=0.5, progress=False
    )
    assert noted(made)["note"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = autoq.quantize_with_accuracy_control(
            MODEL, CALIBRATION, PAIRS[:12], metric=resolve_metric(per_sample), max_drop=0.01, progress=False
        )
    assert noted(made)["note"].startswith("12 validation samples cannot prove a drop of at most 0.01")


@pytest.mark.parametrize("given", [{"max_drop": "1%"}, {"max_drop": 0.01, "drop_type": "relative"}])
def test_a_share_of_a_score_of_0_is_no_budget(given):
    with pytest.raises(ConfigError, match="of the float model's score, which is 0: write a drop in the "):
        autoq.quantize_with_accuracy_control(MODEL, CALIBRATION, PAIRS, metric=lambda *_: 0.0, progress=False, **given)
