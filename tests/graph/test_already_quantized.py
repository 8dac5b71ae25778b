from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import openvino.opset13 as op
import pytest
from graph_expected import PERFORMANCE
from graph_models import MODELS, built, constant, conv, image, named, values
from openvino._offline_transformations import compress_quantize_weights_transformation
from peer import ours, quantize
from test_read import onnx_model

from autoq.graph import analyze, read_model


def quantizer(x: ov.Node, name: str, low: float = -1, high: float = 1) -> ov.Node:
    limits = [np.float32(limit) for limit in (low, high, low, high)]
    return named(op.fake_quantize(x, *limits, 256), name)


def half_quantized() -> ov.Model:
    """The first convolution has its FakeQuantize operations already, the second has none."""
    x = image()
    weight = quantizer(constant(values(4, 4, 3, 3), "conv_1/w"), "weight_q")
    y = named(op.convolution(quantizer(x, "image_q"), weight, [1, 1], [1, 1], [1, 1], [1, 1]), "conv_1")
    return built([conv(named(op.relu(y), "relu_1"), "conv_2")], [x])


def dequantized_weight() -> ov.Model:
    """A weight kept as integers: Convert -> Subtract -> Multiply."""
    x = image()
    kept = constant(np.random.default_rng(0).integers(-128, 127, (4, 4, 3, 3)).astype(np.int8), "conv_1/w8")
    weight = named(
        op.subtract(named(op.convert(kept, "f32"), "to_float"), constant(np.float32([3]), "zero")), "centred"
    )
    weight = named(op.multiply(weight, constant(np.full((4, 1, 1, 1), 0.01, np.float32), "scale")), "dequantized")
    y = named(op.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), "conv_1")
    return built([conv(named(op.relu(y), "relu_1"), "conv_2")], [x])


def test_edges_behind_a_quantizer_get_no_other() -> None:
    assert {s.name for s in analyze(half_quantized()).sites} == {"relu_1/fq_output_0", "conv_2/fq_weights_1"}


def test_integer_weights_are_left_as_they_are() -> None:
    names = {site.name for site in analyze(dequantized_weight()).sites}
    assert names == {"image/fq_output_0", "relu_1/fq_output_0", "conv_2/fq_weights_1"}


@pytest.mark.parametrize("name", [name for name, sites in PERFORMANCE.items() if sites])
@pytest.mark.peers
def test_a_model_that_the_peer_quantized_asks_for_nothing(name: str, tmp_path: Path) -> None:
    quantized = quantize(MODELS[name](), "performance", None)
    assert ours(analyze(quantized)) == {}
    compress_quantize_weights_transformation(quantized)
    ov.save_model(quantized, tmp_path / "m.xml", compress_to_fp16=False)
    assert ours(analyze(read_model(tmp_path / "m.xml"))) == {}


def q_dq(source: str, scale: str, zero: str, axis: int | None = None) -> list[onnx.NodeProto]:
    options = {} if axis is None else {"axis": axis}
    return [
        onnx.helper.make_node("QuantizeLinear", [source, scale, zero], [f"{source}_q"], **options),
        onnx.helper.make_node("DequantizeLinear", [f"{source}_q", scale, zero], [f"{source}_dq"], **options),
    ]


def test_an_onnx_model_with_q_dq_keeps_its_own(tmp_path: Path) -> None:
    nodes = [
        *q_dq("x", "s", "z"),
        onnx.helper.make_node("DequantizeLinear", ["w8", "ws", "wz"], ["w"], axis=0),
        onnx.helper.make_node("Conv", ["x_dq", "w"], ["c"]),
        onnx.helper.make_node("Relu", ["c"], ["r"]),
        *q_dq("r", "s", "z"),
        onnx.helper.make_node("Conv", ["r_dq", "w"], ["y"]),
    ]
    constants = {
        "s": np.float32(0.05),
        "z": np.uint8(128),
        "w8": np.random.default_rng(0).integers(-127, 127, (4, 4, 1, 1)).astype(np.int8),
        "ws": np.full(4, 0.01, np.float32),
        "wz": np.zeros(4, np.int8),
    }
    onnx.save(onnx_model(nodes, constants), tmp_path / "m.onnx")
    graph = analyze(read_model(tmp_path / "m.onnx"))
    assert graph.sites == ()


def test_only_the_float_part_of_a_q_dq_model_is_quantized(tmp_path: Path) -> None:
    nodes = [
        *q_dq("x", "s", "z"),
        onnx.helper.make_node("Conv", ["x_dq", "w"], ["c"]),
        onnx.helper.make_node("Relu", ["c"], ["r"]),
        onnx.helper.make_node("Conv", ["r", "w"], ["y"]),
    ]
    constants = {"s": np.float32(0.05), "z": np.uint8(0), "w": values(4, 4, 1, 1)}
    onnx.save(onnx_model(nodes, constants), tmp_path / "m.onnx")
    graph = analyze(read_model(tmp_path / "m.onnx"))
    assert {(site.kind.value, site.tensor.producer) for site in graph.sites} == {("weight", "w"), ("activation", "r")}
