"""Weights in integers as float weights that learn: OpenVINO runs both forms alike, and going back changes nothing."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, run, snapshot, token_net

import autoq

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training.tuning._latent import with_latent_weights, with_stored_weights  # noqa: E402  # after the skip

TOKENS = np.arange(6, dtype=np.int64)[None]
MODES = {
    "int8": lambda model: autoq.quantize(model, images(20), progress=False),
    "uint8": lambda model: autoq.quantize(model, images(20), weights={"symmetric": False}, progress=False),
    "int8_asym": lambda model: autoq.compress_weights(model, mode="int8_asym"),
    "int4_asym": lambda model: autoq.compress_weights(model, mode="int4_asym", group_size=4, all_layers=True),
    "int4_sym": lambda model: autoq.compress_weights(model, mode="int4_sym", group_size=4, all_layers=True),
    "int2_sym": lambda model: autoq.compress_weights(model, mode="int2_sym", group_size=4, all_layers=True),
}


def stored(kind: str) -> tuple[ov.Model, ov.Model, np.ndarray]:
    is_net = kind in {"int8", "uint8"}
    model = autoq.read_model(conv_net() if is_net else token_net())
    return MODES[kind](model), model, images(1, seed=9) if is_net else TOKENS


def exact(model: ov.Model, values: np.ndarray) -> np.ndarray:
    """Outputs without the rounding of activations that a CPU does for weights in few bits."""
    options = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    return np.array(ov.Core().compile_model(model, "CPU", options)(values)[0])


def constants(model: ov.Model) -> list[np.ndarray]:
    return [op.get_data() for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("taught", [False, True], ids=["stored", "of the float model"])
@pytest.mark.parametrize("kind", MODES)
def test_both_forms_compute_the_same_and_the_way_back_gives_the_same_integers(kind, taught):
    model, teacher, values = stored(kind)
    before = snapshot(model)
    latent, weights = with_latent_weights(model, teacher if taught else None)
    assert weights
    fakes = [op for op in latent.get_ops() if op.get_type_name() == "FakeQuantize"]
    assert {weight.name for weight in weights} <= {op.get_friendly_name() for op in fakes}
    expected = exact(model, values)
    np.testing.assert_allclose(exact(latent, values), expected, atol=2e-3 * np.abs(expected).max())
    back = with_stored_weights(latent, model, weights)
    assert [found[:3] for found in snapshot(back)] == [found[:3] for found in snapshot(model)]
    for ours, theirs in zip(constants(back), constants(model), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=3e-7 if ours.dtype.kind == "f" else 0)
    assert snapshot(model) == before


def test_where_a_float_weight_rounds_to_the_stored_one_it_is_what_learns():
    model, teacher, _ = stored("int8")
    latent, weights = with_latent_weights(model, teacher)
    nodes, floats = ({op.get_friendly_name(): op for op in one.get_ops()} for one in (latent, teacher))
    for weight in weights:
        learns, own = nodes[weight.constant].data, floats[weight.constant].data
        step = float((nodes[weight.name].input_value(2).get_node().data).max()) / 127
        assert np.abs(learns - own).max() < 2e-3 * step
        assert np.abs(learns - own).max() < np.abs(run_constant(nodes[weight.name]) - own).max()


def run_constant(node: ov.Node) -> np.ndarray:
    one = ov.opset13.parameter([1], np.float32)
    rounded = ov.opset13.multiply(node, one)
    return run(ov.Model([ov.opset13.result(rounded)], [one]), np.ones(1, np.float32))


def test_a_foreign_float_model_is_not_taken():
    model, _, _ = stored("int8")
    foreign = conv_net(seed=1)
    with_own, _ = with_latent_weights(model, foreign)
    without, _ = with_latent_weights(model, None)
    assert snapshot(with_own) == snapshot(without)
