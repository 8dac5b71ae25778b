"""Quantizers behind reductions: the model answers as the float model does."""

import numpy as np
import openvino as ov
import pytest
from networks import snapshot
from openvino import opset13 as ops
from openvino.utils.node_factory import NodeFactory

import autoq
from autoq.graph import analyze, analyze_original, read_model

SAMPLES = np.random.default_rng(0).normal(0, 1, (8, 6, 16)).astype(np.float32)
POOLED = {
    "mean of tokens": ("ReduceMean", [1], False),
    "largest of tokens": ("ReduceMax", [1], False),
    "smallest of tokens": ("ReduceMin", [1], False),
    "norm of tokens": ("ReduceL2", [1], False),
}


def pooled(kind: str, axes: list[int], keep_dims: bool) -> ov.Model:
    """tokens [-1, 6, 16] -> linear layer -> reduction -> times a number -> linear layer."""
    rng = np.random.default_rng(1)
    tokens = ops.parameter([-1, 6, 16], np.float32, "tokens")
    tokens.output(0).set_names({"tokens"})
    # Each channel has a scale of its own.
    first = rng.normal(0, 1, (64, 16)) * np.linspace(0.3, 3, 64)[:, None]
    x = ops.matmul(tokens, first.astype(np.float32), False, True)
    x.set_friendly_name("first")
    x = NodeFactory("opset13").create(kind, [x, ops.constant(np.int64(axes))], {"keep_dims": keep_dims})
    x.set_friendly_name("pool")
    x = ops.multiply(x, np.float32([[0.5]]))
    width = x.get_output_partial_shape(0)[-1].get_length()
    y = ops.matmul(x, rng.normal(0, 0.3, (5, width)).astype(np.float32), False, True)
    y.set_friendly_name("last")
    return read_model(ov.Model([y], [tokens], "pooled"))


def quantized(model: ov.Model) -> ov.Model:
    return autoq.quantize(model, SAMPLES, model_type="transformer", subset_size=8, progress=False)


def outputs(model: ov.Model) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([compiled(sample[None])[0] for sample in SAMPLES])


@pytest.mark.parametrize("case", POOLED)
def test_what_follows_a_reduction_is_computed_right(case):
    model = pooled(*POOLED[case])
    given = snapshot(model)
    wanted, found = outputs(model), outputs(quantized(model))
    assert np.square(found - wanted).mean() < 0.01 * wanted.var()
    assert snapshot(model) == given


def test_the_quantized_model_has_the_groups_and_the_names_of_the_float_model():
    model = pooled(*POOLED["largest of tokens"])
    one = quantized(model)
    shapes = {op.get_friendly_name(): op.get_output_partial_shape(0) for op in model.get_ops()}
    of_one = {op.get_friendly_name(): op.get_output_partial_shape(0) for op in one.get_ops()}
    assert of_one["pool"] == shapes["pool"]
    found = analyze_original(one, model_type="transformer")
    assert found.groups == analyze(model, model_type="transformer").groups
    assert found.decisions == analyze(model, model_type="transformer").decisions
