"""Convolutions whose results are summed with what is computed from them: the model answers as the float model does."""

import numpy as np
import openvino as ov
import pytest
from networks import snapshot
from openvino import opset13 as ops

import autoq
from autoq.graph import analyze, analyze_original, read_model

IMAGES = np.random.default_rng(0).normal(0, 1, (4, 3, 8, 8)).astype(np.float32)
BRANCHES = {"gelu": lambda x: ops.gelu(x, "erf"), "relu": ops.relu, "itself": lambda x: x}


def residual(branch: str) -> ov.Model:
    """images [-1, 3, 8, 8] -> convolution without a bias -> sum with a function of it."""
    image = ops.parameter([-1, 3, 8, 8], np.float32, "image")
    image.output(0).set_names({"image"})
    weight = np.random.default_rng(1).normal(0, 0.2, (16, 3, 3, 3)).astype(np.float32)
    x = ops.convolution(image, weight, [1, 1], [1, 1], [1, 1], [1, 1])
    x.set_friendly_name("conv")
    y = ops.add(x, BRANCHES[branch](x))
    y.set_friendly_name("sum")
    return read_model(ov.Model([y], [image], "residual"))


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_sum_is_computed_right(branch):
    model = residual(branch)
    given = snapshot(model)
    quantized = autoq.quantize(model, IMAGES, subset_size=4, model_type="transformer", progress=False)
    wanted, found = (
        ov.Core().compile_model(one, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(IMAGES[:1])[0]
        for one in (model, quantized)
    )
    assert np.square(found - wanted).mean() < 0.01 * wanted.var()
    assert snapshot(model) == given
    found_again = analyze_original(quantized, model_type="transformer")
    assert found_again.groups == analyze(model, model_type="transformer").groups
    assert found_again.decisions == analyze(model, model_type="transformer").decisions


def test_operations_that_a_user_named_so_stay():
    x = ops.parameter([1, 4, 6, 6], np.float32, name="x")
    first = ops.relu(x, name="mask/reduced")
    model = ov.Model([ops.result(ops.add(first, np.float32(1), name="head/apart"))], [x], "named")
    assert {"mask/reduced", "head/apart"} <= {decision.op for decision in analyze_original(model).decisions}
