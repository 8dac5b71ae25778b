"""Stacks of matrices, such as those of experts: each is rounded by the tokens that it is multiplied by."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from weighted_nets import numbers, product

import autoq
from autoq.graph import find_weights, unique_names
from autoq.transform import read_plan

pytestmark = pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")

PLAIN = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}
EXPERTS, LENGTH = 3, 64


def inputs(count: int, seed: int = 0) -> np.ndarray:
    """Tokens [count, E, T, I], whose numbers go together in another way for each expert."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(7)
    size = np.exp(fixed.normal(0, 1, (EXPERTS, 1, LENGTH)))
    mix = fixed.normal(0, 1, (EXPERTS, LENGTH, LENGTH)) * size
    return (rng.normal(0, 1, (count, EXPERTS, 8, LENGTH)) @ mix).astype(np.float32) / 8


def experts(weight: np.ndarray, *, transposed: bool = True, leading: int | None = EXPERTS) -> ov.Model:
    shape = [-1, LENGTH] if leading is None else [leading, -1, LENGTH]
    x = ops.parameter(shape, np.float32, name="x")
    y = product(x, weight, "experts", transposed=transposed)
    model = ov.Model([ops.result(product(y, numbers(8, weight.shape[1 if transposed else 2]), "last"))], [x], "net")
    model.inputs[0].get_tensor().set_names({"x"})
    return model


def compress(model: ov.Model, data: np.ndarray | None, **settings) -> ov.Model:
    settings = {"mode": "int4_sym", "group_size": 32, "backup_mode": "none"} | settings
    return autoq.compress_weights(model, dataset=None if data is None else list(data), progress=False, **settings)


def held(model: ov.Model, name: str = "experts") -> np.ndarray:
    """The weight that OpenVINO computes with."""
    part = ov.Model([ops.result(unique_names(model)[name].input_value(1))], [])
    return np.array(ov.Core().compile_model(part, "CPU", PLAIN)([])[0])


def error(model: ov.Model, compressed: ov.Model, samples: np.ndarray) -> float:
    run, other = (ov.Core().compile_model(each, "CPU", PLAIN) for each in (model, compressed))
    return float(sum(np.square(run(x)[0] - other(x)[0]).sum() for x in samples))


@pytest.mark.parametrize(
    "settings", [{}, pytest.param({"mode": "nf4", "rounding": "scale_estimation"}, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("transposed", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_expert_is_rounded_as_it_would_be_alone(transposed, settings):
    weight = numbers(EXPERTS, 48, LENGTH) if transposed else numbers(EXPERTS, LENGTH, 48)
    model, data = experts(weight, transposed=transposed), inputs(40)
    found = compress(model, data, **settings)
    assert read_plan(found).compression.formats["experts"].group_size == 32
    for place in range(EXPERTS):
        single = experts(weight[place : place + 1], transposed=transposed, leading=1)
        alone = compress(single, data[:, place : place + 1], **settings)
        np.testing.assert_array_equal(held(found)[place], held(alone)[0])


def test_data_lower_the_error_of_all_experts_on_other_data():
    weight = numbers(EXPERTS, 48, LENGTH)
    model, samples = experts(weight), inputs(10, 1)
    plain, found = compress(model, None), compress(model, inputs(100))
    assert error(model, found, samples) < 0.5 * error(model, plain, samples)
    off, before = (
        np.square(samples @ np.swapaxes(held(each) - weight, 1, 2)).sum((0, 2, 3)) for each in (found, plain)
    )
    assert (off < 0.6 * before).all()


def gated(*, folded: bool = True) -> ov.Model:
    """Experts whose gates have outliers, each in other channels."""
    x = ops.parameter([EXPERTS, -1, LENGTH], np.float32, name="x")
    size = np.where(np.arange(96) % 16 == 3 + np.arange(EXPERTS)[:, None], 8.0, 1.0).astype(np.float32)
    gate = ops.swish(product(x, numbers(EXPERTS, 96, LENGTH) * size[..., None], "gate"))
    inner = ops.multiply(gate, product(x, numbers(EXPERTS, LENGTH, 96), "up", transposed=False)) if folded else gate
    last = product(product(inner, numbers(EXPERTS, LENGTH, 96), "down"), numbers(8, LENGTH), "last")
    model = ov.Model([ops.result(last)], [x], "gated")
    model.inputs[0].get_tensor().set_names({"x"})
    return model


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("data", [True, False])
def test_columns_of_every_expert_are_scaled(folded, data):
    model, samples, seen = gated(folded=folded), inputs(10, 1), inputs(60)
    plain = compress(model, None)
    given = {"dataset": list(seen), "rounding": "nearest"} if data else {"dataset": None}
    found = autoq.compress_weights(
        model, mode="int4_sym", group_size=32, backup_mode="none", awq=True, progress=False, **given
    )
    dividers = [op for op in found.get_ops() if op.get_friendly_name().endswith("/awq_mul")]
    assert [op.get_output_partial_shape(0)[0].get_length() for op in dividers] == ([] if folded else [EXPERTS])
    # Without data, columns with large inputs are not known: the scales only must not change what is computed.
    assert error(model, found, samples) < (0.98 if data else 1.5) * error(model, plain, samples)
    weight = numbers(EXPERTS, LENGTH, 96)
    scales = np.abs(held(found, "down")).mean(axis=1) / np.abs(weight).mean(axis=1)
    if not data:
        np.testing.assert_allclose(scales, 1 / np.abs(weight).mean(axis=1), rtol=0.05)
    assert not np.allclose(scales[0], scales[1], rtol=0.05)


@pytest.mark.parametrize("objective", ["tokens", pytest.param("sample_means", marks=pytest.mark.slow)])
def test_every_expert_has_its_correction(objective):
    model, samples = experts(numbers(EXPERTS, 48, LENGTH)), inputs(10, 1)
    given = {"rounding": "nearest", "lora_correction": True, "objective": objective}
    plain, found = compress(model, None), compress(model, inputs(60), **given)
    nodes = unique_names(found)
    assert [list(nodes[f"experts_lora_{name}"].shape) for name in "AB"] == [[EXPERTS, 8, LENGTH], [EXPERTS, 48, 8]]
    np.testing.assert_array_equal(held(found), held(plain))
    assert error(model, found, samples) < (0.7 if objective == "tokens" else 0.98) * error(model, plain, samples)


def test_a_codebook_is_learned_by_the_tokens_of_all_experts():
    """Columns with large inputs hold numbers of few sizes, and are others in each expert."""
    weight, size = numbers(EXPERTS, 48, LENGTH), np.ones((EXPERTS, 1, LENGTH), np.float32)
    for place in range(EXPERTS):
        large = slice(8 * place, 8 * place + 8)
        weight[place, :, large] = np.sign(weight[place, :, large]) * 0.5 + weight[place, :, large] / 50
        size[place, :, large] = 20
    model, (seen, samples) = (
        experts(weight),
        (np.random.default_rng(3).normal(0, 1, (2, 20, EXPERTS, 8, LENGTH)) * size),
    )
    given = {"mode": "adaptive_codebook", "group_size": -1}
    plain = compress(model, None, **given)
    found = compress(model, seen.astype(np.float32), rounding="nearest", **given)
    samples = samples.astype(np.float32)
    assert error(model, found, samples) < 0.5 * error(model, plain, samples)


def test_experts_that_share_their_tokens_share_their_products():
    weight = numbers(EXPERTS, 48, LENGTH)
    data = inputs(40)[:, 0]
    model = experts(weight, leading=None)
    (known, _) = find_weights(model).every
    assert known.shape == (EXPERTS, 48, LENGTH)
    found = held(compress(model, data))
    for place in range(EXPERTS):
        alone = compress(experts(weight[place : place + 1], leading=None), data)
        np.testing.assert_array_equal(found[place], held(alone)[0])


def test_statistics_of_experts_are_kept(tmp_path, monkeypatch):
    from autoq.calibration.collecting import _kept

    model, data = experts(numbers(EXPERTS, 48, LENGTH)), inputs(20)
    first = held(compress(model, data, cache=tmp_path))
    monkeypatch.setattr(_kept, "collected_grams", None)
    np.testing.assert_array_equal(held(compress(model, data, cache=tmp_path)), first)


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("method", ["scale_estimation", "gptq"])
def test_the_error_is_below_that_of_the_peer(method):
    nncf = pytest.importorskip("nncf")
    model, data, samples = experts(numbers(EXPERTS, 48, LENGTH)), inputs(100), inputs(20, 1)
    given = {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": 32, "backup_mode": nncf.BackupMode.NONE}
    peers = nncf.compress_weights(model.clone(), dataset=nncf.Dataset(list(data)), **given, **{method: True})
    found = compress(model, data, **{method: True})
    assert error(model, found, samples) < 0.9 * error(model, peers, samples)
