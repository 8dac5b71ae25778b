"""`autoq.compress_weights` with a dataset: what it gains, what it refuses, and in which forms data come."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from weighted_nets import NETS, held, numbers, product

import autoq
from autoq.api.observing import _observed
from autoq.core import DataError, ModelError, Plan, PlanError
from autoq.transform import read_plan

pytestmark = pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses 1 of 4 weights")

PLAIN = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}


def compress(model: ov.Model, dataset: object = None, mode: str = "int4_sym", **settings) -> ov.Model:
    settings = {"group_size": 32} | settings
    return autoq.compress_weights(model, mode=mode, dataset=dataset, progress=False, **settings)


def inputs(count: int, seed: int = 0) -> np.ndarray:
    """Vectors whose numbers differ in size and go together."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(0, 1, (64, 64)) * np.exp(np.random.default_rng(8).normal(0, 1, 64))
    return (rng.normal(0, 1, (count, 64)) @ mix).astype(np.float32) / 8


def network() -> ov.Model:
    x = ops.parameter([-1, 64], np.float32, name="x")
    first = product(x, numbers(64, 96), "first", transposed=False)
    second = product(ops.tanh(first), numbers(32, 96), "second")
    turned = ops.matmul(held(numbers(40, 32), "turned/w"), second, False, True)
    turned.set_friendly_name("turned")
    last = product(ops.transpose(turned, [1, 0]), numbers(8, 40), "last")
    model = ov.Model([ops.result(last)], [x], "network")
    model.inputs[0].get_tensor().set_names({"x"})
    return model


def held_numbers(model: ov.Model) -> list[tuple[str, str, bytes]]:
    """Operations in order, with the numbers of constants; automatic names differ between two equal models."""
    return [
        (op.get_type_name(), str(op.get_output_element_type(0)), op.data.tobytes() if is_constant(op) else b"")
        for op in model.get_ordered_ops()
    ]


def is_constant(op: ov.Node) -> bool:
    return op.get_type_name() == "Constant"


def outputs(model: ov.Model, x: np.ndarray) -> np.ndarray:
    return np.array(ov.Core().compile_model(model, "CPU", PLAIN)(x)[0])


def error(compressed: ov.Model, x: np.ndarray) -> float:
    expected = outputs(network(), x)
    return float(np.square(outputs(compressed, x) - expected).mean() / np.square(expected).mean())


@pytest.fixture(scope="module")
def nearest_error() -> float:
    return error(compress(network()), inputs(100, 1))


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({}, 0.6),
        pytest.param({"gptq": True}, 0.9, marks=pytest.mark.slow),
        pytest.param({"scale_estimation": True}, 0.95, marks=pytest.mark.slow),
        pytest.param({"gptq": True, "scale_estimation": True}, 0.6, marks=pytest.mark.slow),
        pytest.param({"lora_correction": True}, 0.5, marks=pytest.mark.slow),
        ({"rounding": "nearest", "lora_correction": True}, 0.9),
        pytest.param(
            {"rounding": "nearest", "lora_correction": True, "objective": "sample_means"}, 0.97, marks=pytest.mark.slow
        ),
        ({"scale_estimation": True, "objective": "sample_means"}, 1.0),
    ],
    ids=str,
)
def test_data_lower_the_error_on_other_data(settings, share, nearest_error):
    compressed = compress(network(), inputs(400)[:, None], **settings)
    assert error(compressed, inputs(100, 1)) < share * nearest_error


@pytest.mark.parametrize("settings", [{}, {"group_size": -1}, {"awq": True}], ids=str)
def test_scale_estimation_needs_no_products_beyond_its_groups(settings, monkeypatch):
    """With the products of all columns, which are collected otherwise, the numbers are the same."""
    x = inputs(40)[:, None]
    found = decompressed(compress(network(), x, scale_estimation=True, **settings))
    monkeypatch.setattr(_observed, "_MOST_COLUMNS", 0)
    whole = decompressed(compress(network(), x, scale_estimation=True, **settings))
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-6)


def decompressed(model: ov.Model) -> list[np.ndarray]:
    """The weights of products as the model computes with them."""
    weights = [op.input_value(port) for op in model.get_ops() if op.get_type_name() == "MatMul" for port in (0, 1)]
    known = [value for value in weights if value.get_partial_shape().is_static]
    return [
        np.array(value) for value in ov.Core().compile_model(ov.Model([ops.result(v) for v in known], []))([]).values()
    ]


def test_only_numbers_differ_from_a_model_without_data():
    plain, found = compress(network()), compress(network(), inputs(50)[:, None])
    assert [row[:2] for row in held_numbers(plain)] == [row[:2] for row in held_numbers(found)]
    assert read_plan(found).compression.recipe.rounding == "compensated"


@pytest.mark.parametrize("form", ["array", "dict", "list of dicts", "generator", "tuples"])
def test_data_come_in_the_forms_that_quantize_takes(form):
    x = inputs(6)
    data = {
        "array": x[:, None],
        "dict": {"x": x[:, None]},
        "list of dicts": [{"x": row[None]} for row in x],
        "generator": (row[None] for row in x),
        "tuples": [(row[None], 3) for row in x],
    }[form]
    assert held_numbers(compress(network(), data)) == held_numbers(compress(network(), [row[None] for row in x]))


def test_no_more_is_read_than_asked_for_and_nothing_is_changed():
    model, before = network(), held_numbers(network())
    read = []
    data = (read.append(1) or row[None] for row in inputs(9))
    compress(model, data, subset_size=4)
    assert len(read) <= 5
    assert held_numbers(model) == before


def test_a_plan_that_rounds_by_data_builds_the_same_model_and_needs_data():
    x = inputs(40)[:, None]
    compressed = compress(network(), x)
    plan = read_plan(compressed)
    assert Plan.from_dict(plan.to_dict()) == plan
    assert held_numbers(autoq.compress_weights(network(), plan=plan, dataset=x, progress=False)) == held_numbers(
        compressed
    )
    with pytest.raises(DataError, match="dataset is missing: rounding 'compensated' needs inputs"):
        autoq.compress_weights(network(), plan=plan, progress=False)


def gated(*, folded: bool) -> ov.Model:
    """A block whose gate has outliers; the inverse of scales goes into the other product, or before the last one."""
    x = ops.parameter([-1, 64], np.float32, name="x")
    outliers = np.where(np.arange(96) % 16 == 3, 8.0, 1.0).astype(np.float32)
    gate = ops.swish(product(x, numbers(96, 64) * outliers[:, None], "gate"))
    inner = ops.multiply(gate, product(x, numbers(96, 64), "up")) if folded else gate
    last = product(product(inner, numbers(64, 96), "down"), numbers(8, 64), "last")
    model = ov.Model([ops.result(last)], [x], "gated")
    model.inputs[0].get_tensor().set_names({"x"})
    return model


@pytest.mark.parametrize("folded", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_columns_are_scaled_and_the_inverse_is_taken_up(folded):
    model, x = gated(folded=folded), inputs(200, 1)
    expected = outputs(model, x)
    settings = {"rounding": "nearest", "backup_mode": "none"}
    plain = compress(model, **settings)
    found = compress(model, inputs(300)[:, None], awq=True, **settings)
    dividers = [op for op in found.get_ops() if op.get_friendly_name().endswith("/awq_mul")]
    assert len(dividers) == (0 if folded else 1)
    errors = [np.square(outputs(each, x) - expected).mean() for each in (plain, found)]
    assert errors[1] < 0.98 * errors[0]
    both = compress(model, inputs(300)[:, None], awq=True, lora_correction=True, backup_mode="none")
    assert np.square(outputs(both, x) - expected).mean() < 0.6 * errors[0]


@pytest.mark.parametrize("kind", ["decoder_half", pytest.param("decoder_single", marks=pytest.mark.slow)])
def test_decoders_are_rounded_by_their_tokens(kind):
    ids = np.random.default_rng(0).integers(0, 80, (12, 1, 9))
    model = NETS[kind]()
    sample = np.random.default_rng(1).integers(0, 80, (4, 20))
    expected = outputs(model, sample)
    errors = [
        np.square(outputs(found, sample) - expected).mean() for found in (compress(model), compress(model, list(ids)))
    ]
    assert errors[1] < 0.8 * errors[0]


def test_data_rank_weights_where_the_ratio_is_below_one():
    x = inputs(20)[:, None]
    for metric in (None, "hessian_input_activation"):
        found = compress(network(), x, ratio=0.7, sensitivity_metric=metric)
        recipe = read_plan(found).compression.recipe
        assert recipe.sensitivity_metric == metric or (metric is None and recipe.ranks_by_data)
        bits = [form.bits for form in read_plan(found).compression.formats.values()]
        assert {4, 8} == set(bits)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"gptq": True}, DataError, "dataset is missing: rounding 'gptq' needs inputs"),
        ({"lora_correction": True}, DataError, "lora_correction needs inputs"),
        ({"ratio": 0.5, "sensitivity_metric": "max_activation_variance"}, DataError, "sensitivity_metric 'max_act"),
        ({"dataset": [], "gptq": True}, DataError, "compression data are empty"),
        ({"dataset": 1, "gptq": True, "lora_correction": True}, PlanError, "does not go with gptq"),
        ({"dataset": 1, "rounding": "gptq", "gptq": True}, PlanError, "leave one of them out"),
        ({"dataset": 1, "rounding": "compensate"}, PlanError, "did you mean 'compensated'"),
        ({"dataset": 1, "rounding": "nearest"}, PlanError, "dataset is of no use"),
        ({"dataset": 1, "objective": "sample_means"}, PlanError, "is for scale_estimation and lora_correction"),
        ({"dataset": 1, "awq": True, "objective": "sample_means"}, PlanError, "others need 'tokens'"),
        ({"awq": True, "mode": "int8_sym", "group_size": None}, PlanError, "leave out awq"),
        ({"awq": True, "mode": "nvfp4", "group_size": None}, PlanError, "awq does not go with mode 'nvfp4'"),
        ({"dataset": 1, "gptq": 1}, PlanError, "gptq is 1: it must be True or False"),
        ({"dataset": 1, "subset_size": 0}, PlanError, "subset_size is 0"),
        ({"dataset": 1, "mode": "int8_sym", "group_size": None}, PlanError, "leave out dataset"),
        ({"gptq": True, "mode": "nvfp4", "group_size": None}, PlanError, "gptq does not go with mode 'nvfp4'"),
        ({"dataset": 1, "scale_estimation": True, "mode": "mxfp4"}, PlanError, "scales are powers of two"),
        ({"dataset": 1, "group_size": 48, "ratio": 0.5}, ModelError, "groups of 48"),
    ],
    ids=str,
)
def test_what_does_not_apply_is_refused_before_data_are_read(settings, kind, message):
    if settings.get("dataset") == 1:
        settings = settings | {"dataset": (_ for _ in [pytest.fail])}
    with pytest.raises(kind, match=message):
        compress(network(), **settings)
