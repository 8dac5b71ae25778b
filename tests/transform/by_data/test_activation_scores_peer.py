"""Weights that data rank, beside NNCF's choice."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from weighted_nets import numbers, product

import autoq
from autoq.transform import read_plan

pytestmark = pytest.mark.peers


def _network(kind: str) -> ov.Model:
    """Layers whose inputs and weights differ in size, so that each metric ranks them in its own way."""
    x = ops.parameter([1, -1, 64], np.float32, name="x")
    y: ov.Node = x
    for place, size in enumerate([0.3, 2.0, 0.05, 1.0, 0.6, 0.1]):
        outlier = np.ones(64, np.float32)
        outlier[place] = 3.0 + 2 * place
        y = product(ops.multiply(ops.tanh(y), ops.constant(outlier)), numbers(64, 64) * size, f"layer_{place}", kind)
    y = product(y, numbers(8, 64), "last", kind)
    model = ov.Model([ops.result(y)], [x], "ranked")
    model.inputs[0].get_tensor().set_names({"x"})
    return model


@pytest.mark.parametrize("kind", ["f32", "f16"])
@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.8])
@pytest.mark.parametrize(
    "metric",
    ["max_activation_variance", "mean_activation_variance", "mean_activation_magnitude", "hessian_input_activation"],
)
def test_the_same_weights_take_the_mode(metric: str, ratio: float, kind: str) -> None:
    nncf = pytest.importorskip("nncf")
    rng = np.random.default_rng(0)
    samples = [rng.normal(0, 1, (1, 5 + n, 64)).astype(np.float32) for n in range(6)]
    found = autoq.compress_weights(
        _network(kind),
        mode="int4_sym",
        group_size=32,
        ratio=ratio,
        dataset=samples,
        sensitivity_metric=metric,
        rounding="nearest",
        progress=False,
    )
    theirs = nncf.compress_weights(
        _network(kind),
        mode=nncf.CompressWeightsMode.INT4_SYM,
        group_size=32,
        ratio=ratio,
        dataset=nncf.Dataset(samples),
        sensitivity_metric=nncf.SensitivityMetric(metric),
    )
    stored = {op.get_friendly_name(): op.get_element_type().get_type_name() for op in theirs.get_ops()}
    suffix = "/w" if kind == "f32" else "/w_compressed"
    formats = read_plan(found).compression.formats
    assert {name: {4: "i4", 8: "u8"}[form.bits] for name, form in formats.items()} == {
        name: stored[f"{name}{suffix}"] for name in formats
    }
