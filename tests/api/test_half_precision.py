"""Models that compute in half or double precision, or in part: what is put in has the type of what it joins."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as op
import pytest

import autoq
from autoq.graph import float_constant, with_float_ends

KINDS = ["f16", "bf16"]


def values(*shape: int, scale: float = 0.3) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, scale, shape).astype(np.float32)


def typed(kind: str) -> ov.Type:
    return getattr(ov.Type, kind)


def weight(kind: str, *shape: int, scale: float = 0.3) -> ov.Node:
    return float_constant(values(*shape, scale=scale), typed(kind))


def convolutions(kind: str, scale: float = 0.3) -> ov.Model:
    """Two convolutions with biases and nothing between them, then a third."""
    x = op.parameter([1, 3, 10, 10], typed(kind), name="x")
    y = op.convolution(x, weight(kind, 4, 3, 3, 3, scale=scale), [1, 1], [1, 1], [1, 1], [1, 1])
    y = op.add(y, weight(kind, 1, 4, 1, 1, scale=scale))
    y = op.convolution(y, weight(kind, 4, 4, 3, 3), [1, 1], [0, 0], [0, 0], [1, 1])
    y = op.relu(op.add(y, weight(kind, 1, 4, 1, 1)))
    y = op.convolution(y, weight(kind, 4, 4, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1])
    return ov.Model([op.add(y, weight(kind, 1, 4, 1, 1))], [x], "convolutions")


def products(kind: str) -> ov.Model:
    """A table, normalisation, two products of one input, attention between them."""
    x = op.parameter([1, 6, 16], typed(kind), name="x")
    y = op.mvn(x, np.array([2]), True, 1e-5, "INSIDE_SQRT")
    q, k = (op.matmul(op.multiply(y, weight(kind, 1, 1, 16)), weight(kind, 16, 8), False, False) for _ in range(2))
    y = op.matmul(op.softmax(op.matmul(q, k, False, True), 2), x, False, False)
    return ov.Model([op.matmul(y, weight(kind, 4, 16), False, True)], [x], "products")


def mixed(kind: str) -> ov.Model:
    """Half precision between single precision."""
    x = op.parameter([1, 6, 16], np.float32, name="x")
    y = op.relu(op.matmul(x, op.constant(values(16, 16)), False, False))
    y = op.add(op.matmul(op.convert(y, kind), weight(kind, 16, 16), False, False), weight(kind, 1, 1, 16))
    y = op.matmul(op.convert(op.relu(y), "f32"), op.constant(values(16, 4)), False, False)
    return ov.Model([y], [x], "mixed")


NETWORKS: dict[str, Callable[[str], ov.Model]] = {
    "convolutions": convolutions,
    "products": products,
    "mixed": mixed,
}


def samples(model: ov.Model, count: int = 24) -> list[np.ndarray]:
    shape = [1, *list(model.inputs[0].get_partial_shape().to_shape())[1:]]
    return [np.random.default_rng(i).normal(0, 1, shape).astype(np.float32) for i in range(count)]


def outputs(model: ov.Model, inputs: list[np.ndarray]) -> np.ndarray:
    compiled = ov.compile_model(with_float_ends(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.stack([np.float64(compiled(x)[0]).ravel() for x in inputs])


def error(model: ov.Model, reference: ov.Model, inputs: list[np.ndarray]) -> float:
    want = outputs(reference, inputs)
    return float(((outputs(model, inputs) - want) ** 2).mean() / want.var())


OPTIONS: dict[str, dict[str, object]] = {
    "defaults": {},
    "float weights": {"fold_weights": False},
    "asymmetric": {"preset": "mixed", "weights": {"symmetric": False}},
    "smooth quant": {"smooth_quant_alpha": 0.5},
    "smooth quant of float weights": {"smooth_quant_alpha": 0.5, "fold_weights": False},
    "channel alignment": {"channel_alignment": True},
    "accurate bias correction": {"fast_bias_correction": False},
    "histograms": {"range_estimator": "mse"},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(("kind", "network"), [*itertools.product(KINDS, NETWORKS), ("f64", "mixed")])
def test_it_is_as_good_as_in_single_precision(kind: str, network: str, option: str) -> None:
    model, twin = NETWORKS[network](kind), NETWORKS[network]("f32")
    data = samples(model)
    quantized = autoq.quantize(model, data, **OPTIONS[option])
    assert [p.get_element_type() for p in (*quantized.inputs, *quantized.outputs)] == [
        p.get_element_type() for p in (*model.inputs, *model.outputs)
    ]
    reference = autoq.quantize(twin, data, **OPTIONS[option])
    assert error(quantized, model, data) < max(1.5 * error(reference, twin, data), 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_8_bit_floating_point(kind: str) -> None:
    model = convolutions(kind)
    data = samples(model)
    for fold in (True, False):
        assert error(autoq.quantize(model, data, mode="fp8_e4m3", fold_weights=fold), model, data) < 2e-2


@pytest.mark.parametrize("scale", [1e-3, 1e-4])
def test_small_weights_keep_their_digits(scale: float) -> None:
    model = convolutions("f16", scale)
    x = model.get_parameters()[0]
    small = next(iter(x.output(0).get_target_inputs())).get_node().output(0)
    only = ov.Model([op.result(op.convert(small, "f32"))], [x], "small")
    data = samples(only)
    twin = ov.Model([op.result(op.convert(small, "f32"))], [x], "twin")
    assert error(autoq.quantize(only, data), twin, data) < 2e-3


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("network", [convolutions, products])
def test_inputs_in_double_precision(network: Callable[[str], ov.Model], fast: bool) -> None:
    """OpenVINO's CPU does not compile what quantizes them: that stays in float, and is named."""
    model = network("f64")
    data = samples(model)
    with pytest.warns(UserWarning, match="device 'CPU' does not run these groups in 8 bits, so they stay in float"):
        quantized = autoq.quantize(model, data, fast_bias_correction=fast)
    twin = network("f32")
    reference = autoq.quantize(twin, data, fast_bias_correction=fast)
    assert error(quantized, model, data) < max(1.5 * error(reference, twin, data), 1e-3)
    assert quantized.inputs[0].get_element_type() == model.inputs[0].get_element_type() == ov.Type.f64
    assert [node for node in quantized.get_ops() if node.get_type_name() == "FakeQuantize"]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", KINDS)
def test_sensitivities_scores_and_files(kind: str, network: str, tmp_path: Path) -> None:
    model = NETWORKS[network](kind)
    data = samples(model, 16)
    assert autoq.sensitivity(model, data).to_pandas()["distortion"].between(0, 1).all()
    truth = outputs(model, data)

    def closeness(found: list[np.ndarray], target: np.ndarray) -> float:
        return -float(((np.float64(found[0]).ravel() - target) ** 2).mean())

    path = tmp_path / "m.xml"
    ov.save_model(autoq.quantize(model, data), path, compress_to_fp16=False)
    pairs = list(zip(data, truth, strict=True))
    assert autoq.evaluate(model, pairs, metric=closeness).mean.value > -1e-2 * truth.var()
    assert autoq.evaluate(path, pairs, metric=closeness).mean.value > -1e-1 * truth.var()


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_convolutions_run_in_integers(kind: str) -> None:
    model = convolutions(kind)
    compiled = ov.compile_model(autoq.quantize(model, samples(model)), "CPU")
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    found = [n["runtimePrecision"].astype(str) for n in nodes if n["layerType"].astype(str) == "Convolution"]
    assert found
    assert set(found) <= {"u8", "i8"}
