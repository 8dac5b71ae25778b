"""`autoq.quantize`, `autoq.benchmark`, `autoq.evaluate`."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, rows, run, snapshot, token_net
from openvino import opset13 as ops
from sklearn.metrics import f1_score

import autoq
from autoq.calibration import as_inputs
from autoq.core import ConfigError, DataError, Estimate, ModelError, Plan, PlanError, Precision, RangeEstimator
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.latency import Conditions, Latency
from autoq.graph import Placements

DATA = images(12)
TOKENS = [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(3, 9)]


def fakes(model):
    return {op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "FakeQuantize"}


def test_the_input_is_untouched_and_the_output_is_quantized():
    model = conv_net()
    before = snapshot(model)
    quantized = autoq.quantize(model, DATA)
    assert snapshot(model) == before
    assert quantized is not model
    assert "image/fq_output_0" in fakes(quantized)
    assert any(op.get_type_name() == "Constant" and op.get_element_type() == ov.Type.i8 for op in quantized.get_ops())


def test_twice_the_same_bits():
    model = conv_net()
    assert snapshot(autoq.quantize(model, DATA)) == snapshot(autoq.quantize(model, DATA))


def test_every_parameter_changes_what_it_says():
    model = conv_net()
    base = snapshot(autoq.quantize(model, DATA))
    for changes in (
        {"preset": "mixed"},
        {"subset_size": 3},
        {"bias_correction": False},
        {"overflow_fix": "enable"},
        {"overflow_fix": "disable"},
        {"range_estimator": "min_max"},
        {"quantize_outputs": True},
        {"fold_weights": False},
        {"ignored_scope": autoq.IgnoredScope(names=["head"])},
        {"fast_bias_correction": False},
        {"mode": "fp8_e4m3"},
        {"activations": {"bits": 4}},
        {"activations": {"symmetric": False}},
        {"activations": {"narrow_range": True}},
        {"activations": {"signed": True}},
        {"weights": {"bits": 4}},
        {"weights": {"symmetric": False}},
        {"weights": {"per_channel": False}},
        {"weights": {"narrow_range": False}},
        {"weight_range_estimator": "mse"},
        {"weight_range_estimator": "mean_quantile"},
    ):
        assert snapshot(autoq.quantize(model, DATA, **changes)) != base, changes
    assert snapshot(autoq.quantize(model, DATA, preset="performance", target_device="CPU")) == base


def test_a_transformer_gets_the_mixed_preset_and_smooth_quant():
    quantized = autoq.quantize(token_net(), TOKENS, model_type="transformer")
    assert any("smooth_quant" in name for name in fakes(quantized))
    plain = autoq.quantize(token_net(), TOKENS, model_type="transformer", smooth_quant_alpha=None)
    assert not any("smooth_quant" in name for name in fakes(plain))


def test_statistics_collected_once_serve_every_plan():
    model = conv_net()
    placements = Placements.of(model)
    statistics = autoq.collect(model, placements, as_inputs(model, DATA))
    plan = Plan.quantized(precisions={"conv_2": Precision.FLOAT})
    quantized = autoq.quantize(model, None, statistics=statistics, plan=plan)
    assert not any(name.startswith("conv_2/") for name in fakes(quantized))
    assert snapshot(autoq.quantize(model, None, statistics=statistics)) == snapshot(autoq.quantize(model, DATA))


def test_what_groups_choose_is_collected_too():
    plan = Plan.quantized(choices={"conv_2": {"range_estimator": RangeEstimator.MSE}})
    quantized, usual = (_ranges(autoq.quantize(conv_net(), DATA, plan=given)) for given in (plan, None))
    every = _ranges(autoq.quantize(conv_net(), DATA, range_estimator="mse"))
    (sites,) = [group.sites for group in Placements.of(conv_net()).reference.groups if group.name == "conv_2"]
    assert quantized == usual | {name: every[name] for name in sites if name in every}
    assert quantized != usual


def _ranges(model):
    quantizers = [op for op in model.get_ops() if op.get_type_name() == "FakeQuantize"]
    return {op.get_friendly_name(): op.input_value(2).get_node().data.tolist() for op in quantizers}


def test_what_else_a_model_may_be(tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    model = autoq.read_model(net.eval(), example_input=torch.zeros(1, 3, 8, 8))
    assert fakes(autoq.quantize(model, DATA))
    path = tmp_path / "m.xml"
    ov.save_model(conv_net(), path)
    assert fakes(autoq.quantize(path, DATA)) == fakes(autoq.quantize(str(path), DATA))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"preset": "mixd"}, PlanError, "preset 'mixd' is unknown: did you mean 'mixed'"),
        ({"overflow_fix": "always"}, PlanError, "overflow fix 'always' is unknown"),
        ({"range_estimator": "max"}, PlanError, "range estimator 'max' is unknown"),
        ({"smooth_quant_alpha": "some"}, PlanError, "smooth_quant_alpha is 'some': write a number in"),
        ({"smooth_quant_alpha": 1.5}, PlanError, r"1\.5"),
        ({"subset_size": 0}, PlanError, "subset_size"),
        ({"mode": "fp8"}, PlanError, "mode 'fp8' is unknown: known: fp8_e4m3, fp8_e5m2, int8"),
        ({"mode": "fp8_e4m3", "target_device": "GPU"}, PlanError, "target_device is 'GPU': mode 'fp8_e4m3' is for ANY"),
        ({"mode": "fp8_e4m3", "quantize_outputs": True}, PlanError, "quantize_outputs does not go with mode"),
        ({"mode": "fp8_e4m3", "overflow_fix": "enable"}, PlanError, "only symmetric integer weights can use half"),
        ({"weights": {"bit": 4}}, PlanError, "quantizer scheme key 'bit' is unknown"),
        ({"precision": "int8"}, PlanError, "precision is 'int8': use 'f32'"),
        ({"ignored_scope": autoq.IgnoredScope(types=["Cnov"])}, PlanError, "'Cnov'"),
        ({"plan": Plan.quantized(precisions={"conv1": Precision.FLOAT})}, PlanError, "group 'conv1'.*'conv_1'"),
        ({"calibration": []}, DataError, "calibration data are empty"),
        ({"calibration": None}, DataError, "calibration data"),
        ({"model": 7}, ModelError, "int"),
    ],
)
def test_what_cannot_be_used(changes, error, message):
    given = {"model": conv_net(), "calibration": DATA} | changes
    with pytest.raises(error, match=message):
        autoq.quantize(given.pop("model"), given.pop("calibration"), **given)


def test_benchmark_compares_two_models():
    comparison = autoq.benchmark(
        autoq.quantize(conv_net(size=64, channels=16), images(4, size=64)),
        against=conv_net(size=64, channels=16),
        sample=images(1, size=64),
        max_seconds=0.5,
    )
    assert comparison.execution.int8_layers > 0
    ratio, timer = comparison.latency.ratio, comparison.timer
    off = max(timer.low, 1 / timer.high, 1.0)
    faster, slower = 1 / ratio.high > off, ratio.low > off
    assert ("faster" in comparison.verdict, "slower" in comparison.verdict) == (faster, slower)
    assert ("no difference" in comparison.verdict) == (not faster and not slower)


@pytest.mark.parametrize(
    ("ratio", "timer", "words"),
    [
        ((0.5, 0.4, 0.625), (1.0, 0.9, 1.1), "2.00x faster, 95% interval 1.60-2.50"),
        ((2.0, 1.6, 2.5), (1.0, 0.9, 1.1), "2.00x slower, 95% interval 1.60-2.50"),
        ((0.8, 0.64, 1.0), (1.0, 0.9, 1.1), "no difference can be shown: speed-up 1.25, 95% interval 1.00-1.56"),
        ((0.8, 0.75, 0.85), (1.3, 1.25, 1.35), "no difference can be shown: speed-up 1.25, 95% interval 1.18-1.33"),
    ],
)
def test_a_comparison_in_words(ratio, timer, words):
    latency = Latency(Estimate(*ratio), 0.9, 1.0, 1.2, 2.0, 12, 1000.0, Conditions())
    assert words in autoq.Comparison(latency, ExecutionReport(()), {}, Estimate(*timer)).verdict


def test_benchmark_needs_a_sample_for_dynamic_shapes():
    with pytest.raises(DataError, match=r"input 'tokens' has the dynamic shape .*: pass a sample to time with"):
        autoq.benchmark(token_net())
    assert autoq.benchmark(token_net(), sample=TOKENS[0], max_seconds=0.1).latency.p50_ms > 0
    # Where the samples' axis alone is open, as models are mostly exported, one sample is timed.
    assert autoq.benchmark(conv_net(batch=-1), max_seconds=0.1).latency.p50_ms > 0


def test_evaluate_scores_like_the_metric():
    labels = rows(conv_net(), DATA).argmax(axis=1)
    labels[:3] = (labels[:3] + 1) % 3
    scoring = autoq.evaluate(conv_net(), (DATA, labels), metric="accuracy")
    assert scoring.mean.value == pytest.approx(9 / 12)
    assert scoring.scores.tolist() == [0] * 3 + [1] * 9
    assert scoring.mean.low < scoring.mean.value < scoring.mean.high
    assert scoring.drop is None
    assert scoring.verdict == "0.7500 [0.4677, 0.9111] on 12 samples"


def test_evaluate_compares_on_the_same_samples():
    model, other = conv_net(), conv_net(seed=1)
    labels = rows(model, DATA).argmax(axis=1)
    against = rows(other, DATA).argmax(axis=1) == labels
    better = autoq.evaluate(model, (DATA, labels), metric="accuracy", against=other)
    worse = autoq.evaluate(other, (DATA, labels), metric="accuracy", against=model)
    assert worse.drop.value == pytest.approx(1 - against.mean())
    assert worse.drop.value == pytest.approx(-better.drop.value)
    assert (worse.drop.low > 0, better.drop.high < 0) == ("worse" in worse.verdict, "better" in better.verdict)
    same = autoq.evaluate(model, (DATA, labels), metric="accuracy", against=model)
    assert "no difference can be shown, drop 0.0000" in same.verdict


def per_item(compiled, items):
    scores = [float(compiled(x[None])[0].argmax() == label) for x, label in items]
    return float(np.mean(scores)), scores


def test_evaluate_takes_a_validation_function():
    model, other = conv_net(), conv_net(seed=1)
    labels = rows(model, DATA).argmax(axis=1)
    items = list(zip(DATA, labels, strict=True))
    scoring = autoq.evaluate(other, items, evaluate=per_item, against=model)
    assert scoring.verdict == autoq.evaluate(other, (DATA, labels), metric="accuracy", against=model).verdict
    alone = autoq.evaluate(other, items, evaluate=lambda compiled, items: per_item(compiled, items)[0], against=model)
    assert alone.mean.value == scoring.mean.value
    assert alone.drop.value == pytest.approx(scoring.drop.value)
    assert not alone.mean.known
    assert not alone.drop.known
    assert alone.verdict == (
        f"{alone.mean.value:.4f} (interval unknown): {alone.drop.value:.4f} worse, but the interval is "
        "unknown without scores of single items"
    )


def test_evaluate_scores_all_samples_together():
    rng = np.random.default_rng(0)
    data, labels = images(100, seed=3), rng.integers(0, 3, 100)
    model = conv_net()
    predicted = rows(model, data).argmax(axis=1)
    scoring = autoq.evaluate(model, (data, labels), metric="f1_macro", against=conv_net(seed=1))
    by_name = autoq.evaluate(model, (data, labels), metric="f1_weighted", inference_precision="f32")
    assert scoring.mean.value == pytest.approx(f1_score(labels, predicted, average="macro"), abs=0.02)
    assert by_name.mean.value == pytest.approx(f1_score(labels, predicted, average="weighted"))
    assert len(scoring.scores) == 40
    assert scoring.mean.low < scoring.mean.value < scoring.mean.high
    assert scoring.drop.known
    assert "on 100 samples" in scoring.verdict


@pytest.mark.parametrize("given", [{}, {"metric": "accuracy", "evaluate": per_item}])
def test_evaluate_needs_one_thing_that_scores(given):
    with pytest.raises(ConfigError, match=r"pass either metric, .* or evaluate"):
        autoq.evaluate(conv_net(), (DATA, np.zeros(12)), **given)


def test_benchmark_compares_two_settings():
    size = {"sample": images(1, size=64), "max_seconds": 0.3}
    model = conv_net(size=64, channels=16)
    slower = autoq.benchmark(model, against_runtime={"properties": {"ENABLE_CPU_PINNING": "NO"}}, num_threads=1, **size)
    assert slower.runtime["INFERENCE_NUM_THREADS"] == "1"
    with pytest.raises(ConfigError, match="runtime key 'threads' is unknown"):
        autoq.benchmark(model, against_runtime={"threads": 1}, **size)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_rows_of_a_table_that_calibration_never_saw_come_out_closer_than_the_peers():
    """The mean of the extremes of eight values lies far within what they take on."""
    import nncf

    rng = np.random.default_rng(0)
    x = ops.parameter([-1, 8], np.float32, "row")
    hidden = ops.relu(ops.matmul(x, rng.normal(0, 0.4, (8, 16)).astype(np.float32), False, False))
    model = ov.Model([ops.matmul(hidden, rng.normal(0, 0.3, (16, 4)).astype(np.float32), False, False)], [x], "table")
    rows = rng.normal(0, 1, (300, 8)).astype(np.float32)
    seen, unseen = list(rows[:100, None]), rows[100:]
    wanted = run(model, unseen)
    ours = np.mean((run(autoq.quantize(model, seen), unseen) - wanted) ** 2)
    theirs = np.mean((run(nncf.quantize(model.clone(), nncf.Dataset(seen)), unseen) - wanted) ** 2)
    assert ours < 0.1 * theirs


def test_a_sample_to_time_with_is_called_so():
    with pytest.raises(DataError, match=r"^timing sample 0: input 'image' has shape \[8, 8\]"):
        autoq.benchmark(conv_net(), sample=np.zeros((8, 8), np.float32))
