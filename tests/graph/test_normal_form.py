"""The normal form against OpenVINO's execution: the same numbers, bit for bit, and nothing left to look through."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as oh
import openvino as ov
import openvino.opset13 as op
import pytest
from graph_models import MODELS, constant, named, values
from onnx import TensorProto

from autoq.graph import analyze, normal_form, read_model, unique_names

Inputs = dict[str, np.ndarray]
rng = np.random.default_rng


def run(model: ov.Model, inputs: Inputs) -> list[np.ndarray]:
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(value) for value in compiled(inputs).values()]


def onnx_file(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str],
    constants: dict[str, np.ndarray],
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> Path:
    graph = oh.make_graph(
        nodes,
        "small",
        [oh.make_tensor_value_info("x", kind, shape)],
        [oh.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = folder / "m.onnx"
    onnx.save(oh.make_model(graph, opset_imports=[oh.make_opsetid("", opset)], ir_version=8), path)
    return path


def node(kind: str, inputs: str, output: str = "y", **attributes: object) -> onnx.NodeProto:
    return oh.make_node(kind, inputs.split(), [output], name=f"n_{output}", **attributes)


def w(*shape: int) -> np.ndarray:
    return rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


Kind = tuple[Sequence[onnx.NodeProto], Sequence[int], dict[str, np.ndarray]]

# What exporters write: nodes, shape of x, constants. Each has one weighted operation that reads a weight.
KINDS: dict[str, Kind] = {
    "conv 1d": ([node("Conv", "x w b", pads=[1, 1])], (1, 3, 16), {"w": w(4, 3, 3), "b": w(4)}),
    "conv 2d": ([node("Conv", "x w b", pads=[1] * 4)], (1, 3, 8, 8), {"w": w(4, 3, 3, 3), "b": w(4)}),
    "conv 3d": ([node("Conv", "x w b")], (1, 3, 4, 4, 4), {"w": w(4, 3, 3, 3, 3), "b": w(4)}),
    "depthwise": ([node("Conv", "x w b", group=4)], (1, 4, 8, 8), {"w": w(4, 1, 3, 3), "b": w(4)}),
    "grouped": ([node("Conv", "x w b", group=2)], (1, 4, 8, 8), {"w": w(6, 2, 3, 3), "b": w(6)}),
    "transposed conv": (
        [node("ConvTranspose", "x w b", strides=[2, 2])],
        (1, 3, 8, 8),
        {"w": w(3, 4, 3, 3), "b": w(4)},
    ),
    "transposed depthwise": (
        [node("ConvTranspose", "x w b", strides=[2, 2], group=4)],
        (1, 4, 8, 8),
        {"w": w(4, 1, 3, 3), "b": w(4)},
    ),
    "gemm": ([node("Gemm", "x w b")], (1, 8), {"w": w(8, 4), "b": w(4)}),
    "gemm transposed": (
        [node("Gemm", "x w b", transB=1, beta=2.0)],
        (1, 8),
        {"w": w(4, 8), "b": w(4)},
    ),
    "gemm scaled": ([node("Gemm", "x w c", alpha=0.5)], (1, 8), {"w": w(8, 4), "c": w(4)}),
    "transpose before matmul": (
        [node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "x t")],
        (1, 8),
        {"w": w(4, 8)},
    ),
    "cast before matmul": (
        [node("Cast", "w", "c", to=TensorProto.FLOAT), node("MatMul", "x c")],
        (1, 8),
        {"w": w(8, 4).astype(np.float64)},
    ),
    "reshape and squeeze before matmul": (
        [node("Reshape", "w s", "r"), node("Squeeze", "r a", "q"), node("MatMul", "x q")],
        (1, 8),
        {"w": w(32), "s": np.array([1, 8, 4]), "a": np.array([0])},
    ),
    "slice and concat before matmul": (
        [
            node("Slice", "w zero four", "low"),
            node("Slice", "w four end", "high"),
            node("Concat", "high low", "c", axis=0),
            node("MatMul", "x c"),
        ],
        (1, 8),
        {"w": w(8, 4), "zero": np.array([0]), "four": np.array([4]), "end": np.array([8])},
    ),
    "arithmetic before matmul": (
        [node("Mul", "w s", "m"), node("Add", "m s", "a"), node("MatMul", "x a")],
        (1, 8),
        {"w": w(8, 4), "s": w(4)},
    ),
    "identities": (
        [node("Identity", "w", "i"), node("Identity", "i", "j"), node("Conv", "x j b")],
        (1, 3, 8, 8),
        {"w": w(4, 3, 3, 3), "b": w(4)},
    ),
    "constant of shape": (
        [node("ConstantOfShape", "s", "z"), node("Add", "z w", "a"), node("Conv", "x a b")],
        (1, 3, 8, 8),
        {"s": np.array([4, 3, 3, 3]), "w": w(4, 3, 3, 3), "b": w(4)},
    ),
    "batch norm unfolded": (
        [node("Conv", "x w b", "c"), node("BatchNormalization", "c g e m v")],
        (1, 3, 8, 8),
        {"w": w(4, 3, 3, 3), "b": w(4), "g": w(4), "e": w(4), "m": w(4), "v": np.abs(w(4)) + 1},
    ),
    "prelu": (
        [node("Conv", "x w b", "c"), node("PRelu", "c s")],
        (1, 3, 8, 8),
        {"w": w(4, 3, 3, 3), "b": w(4), "s": w(4, 1, 1)},
    ),
    "instance norm": (
        [node("Conv", "x w b", "c"), node("InstanceNormalization", "c s o")],
        (1, 3, 8, 8),
        {"w": w(4, 3, 3, 3), "b": w(4), "s": w(4), "o": w(4)},
    ),
    "two readers of a weight": (
        [node("Conv", "x w b", "c", pads=[1] * 4), node("Relu", "c", "r"), node("Conv", "r w b", pads=[1] * 4)],
        (1, 3, 8, 8),
        {"w": w(3, 3, 3, 3), "b": w(3)},
    ),
    "constant nodes": (
        [
            oh.make_node("Constant", [], ["w"], value=onnx.numpy_helper.from_array(w(4, 3, 3, 3))),
            oh.make_node("Constant", [], ["b"], value=onnx.numpy_helper.from_array(w(4))),
            node("Conv", "x w b"),
        ],
        (1, 3, 8, 8),
        {},
    ),
}


def opened(shape: Sequence[int], which: str) -> list[int | str]:
    """A shape with names in place of some lengths; the channels of an image stay known."""
    free = {"none": (), "batch": (0,), "rest": range(2, len(shape)), "all": (0, *range(2, len(shape)))}[which]
    return [f"d{axis}" if axis in free else size for axis, size in enumerate(shape)]


def is_read_as_stored(port: ov.Output) -> bool:
    """Whether a value comes from an input, or is a Constant, or the Convert of one of half precision."""
    source = port.get_node()
    if source.get_type_name() == "Convert":
        source = source.input_value(0).get_node()
        return source.get_type_name() != "Constant" or source.get_element_type() in {ov.Type.f16, ov.Type.bf16}
    return source.get_type_name() == "Constant"


def assert_all_constant(model: ov.Model) -> None:
    """No operation reads what is computed from constants alone."""
    depends: dict[str, bool] = {}
    for node in model.get_ordered_ops():
        sources = [value.get_node() for value in node.input_values()]
        varies = [depends[source.get_name()] for source in sources]
        depends[node.get_name()] = node.get_type_name() in {"Parameter", "ReadValue"} or any(varies)
        if depends[node.get_name()]:
            left = [value for value, v in zip(node.input_values(), varies, strict=True) if not v]
            assert all(map(is_read_as_stored, left)), node.get_friendly_name()


@pytest.mark.parametrize("which", ["none", "batch", "rest", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_exporters_write_keeps_its_numbers(kind: str, which: str, tmp_path: Path) -> None:
    nodes, shape, constants = KINDS[kind]
    path = onnx_file(tmp_path, nodes, opened(shape, which), constants)
    model = read_model(path)
    assert_all_constant(model)
    x = {"x": rng(0).normal(0, 1, shape).astype(np.float32)}
    for got, want in zip(run(model, x), run(ov.Core().read_model(path), x), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("which", ["none", "all"])
@pytest.mark.parametrize("kind", [kind for kind, (_, _, constants) in KINDS.items() if "b" in constants])
def test_layers_have_a_bias(kind: str, which: str, tmp_path: Path) -> None:
    nodes, shape, constants = KINDS[kind]
    graph = analyze(read_model(onnx_file(tmp_path, nodes, opened(shape, which), constants)))
    assert graph.layers
    assert all(layer.bias is not None for layer in graph.layers)


@pytest.mark.parametrize("opset", range(11, 22))
def test_every_opset_reads(opset: int, tmp_path: Path) -> None:
    nodes, shape, constants = KINDS["conv 2d"]
    assert_all_constant(read_model(onnx_file(tmp_path, nodes, ["N", *shape[1:]], constants, opset)))


def test_what_is_read_twice_is_the_same(tmp_path: Path) -> None:
    nodes, shape, constants = KINDS["two readers of a weight"]
    path = onnx_file(tmp_path, nodes, shape, constants)

    def described(model: ov.Model) -> list[tuple[str, str]]:
        return [(node.get_friendly_name(), node.get_type_name()) for node in model.get_ordered_ops()]

    once = read_model(path)
    assert described(read_model(path)) == described(once)
    assert described(read_model(once)) == described(once)


# --- models in memory ------------------------------------------------------------------------------------------------


def summed(weight: ov.Node, shape: Sequence[int] = (2, 8)) -> ov.Model:
    """The product of an input and a weight, and its sum with itself."""
    x = op.parameter(list(shape), np.float32, name="x")
    y = named(op.matmul(x, weight, False, False), "product")
    return ov.Model([op.result(y)], [x], "small")


def kinds_of(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops() if node.get_type_name() != "Constant"]


HALVES: dict[str, Callable[[ov.Node], ov.Node]] = {
    "itself": lambda half: half,
    "transposed": lambda half: op.transpose(half, np.array([1, 0])),
    "reshaped twice": lambda half: op.reshape(op.unsqueeze(half, 0), np.array([8, 8]), False),
    "split and joined": lambda half: op.concat(op.split(half, 1, 2).outputs()[::-1], 1),
}


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("kind", HALVES)
def test_half_precision_is_stored_as_it_is(kind: str, dtype: str) -> None:
    stored = named(op.constant(values(8, 8), dtype=getattr(ov.Type, dtype)), "w")
    model = summed(named(HALVES[kind](named(op.convert(stored, "f32"), "half")), "weight"))
    read = read_model(model)
    assert kinds_of(read) == ["Parameter", "Convert", "MatMul", "Result"]
    (convert,) = (node for node in read.get_ops() if node.get_type_name() == "Convert")
    assert convert.get_friendly_name() == "weight"
    assert convert.get_input_element_type(0) == getattr(ov.Type, dtype)
    x = {"x": values(2, 8)}
    np.testing.assert_array_equal(run(read, x)[0], run(model, x)[0])


def test_arithmetic_on_half_precision_is_folded() -> None:
    half = op.convert(op.constant(values(8, 8).astype(np.float16)), "f32")
    scaled = named(op.multiply(op.transpose(half, np.array([1, 0])), np.float32([3])), "weight")
    x = op.parameter([2, 8], np.float32, name="x")
    left = op.add(op.matmul(x, scaled, False, False), op.matmul(x, half, False, False))
    model = ov.Model([left], [x], "small")
    read = read_model(model)
    assert sorted(kinds_of(read)) == ["Add", "Convert", "MatMul", "MatMul", "Parameter", "Result"]
    assert unique_names(read)["weight"].get_type_name() == "Constant"
    np.testing.assert_array_equal(run(read, {"x": values(2, 8)})[0], run(model, {"x": values(2, 8)})[0])


def quantized(kind: str) -> ov.Node:
    if kind == "fake quantize":
        return op.fake_quantize(constant(values(8, 8), "w"), *(np.float32(v) for v in (-1, 1, -1, 1)), 255)
    if kind == "fake convert":
        return op.fake_convert(constant(values(8, 8), "w"), np.float32([2]), destination_type="f8e4m3")
    integers = rng(0).integers(-8, 8, (8, 2, 4))
    if kind == "i8":
        return op.multiply(op.convert(integers.astype(np.int8).reshape(8, 8), "f32"), np.float32([0.1]))
    grouped = op.subtract(op.convert((integers + 8).astype(np.uint8), "f16"), op.convert(np.uint8([8]), "f16"))
    scaled = op.multiply(grouped, rng(1).random((8, 2, 1)).astype(np.float16))
    return op.convert(op.reshape(scaled, np.array([8, 8]), False), "f32")


@pytest.mark.parametrize("kind", ["fake quantize", "fake convert", "i8", "u8 in groups"])
def test_quantized_weights_stay_as_they_are(kind: str) -> None:
    model = summed(quantized(kind))
    read = read_model(model)
    assert kinds_of(read) == kinds_of(model)
    assert analyze(read).weights == ()


def test_what_would_make_the_file_large_is_not_folded() -> None:
    wide = op.broadcast(constant(values(1, 8), "row"), np.array([100_000, 8]))
    x = op.parameter([1, 8], np.float32, name="x")
    added = op.add(x, op.relu(named(wide, "wide")))
    model = ov.Model([op.reduce_mean(added, np.array([0]))], [x], "small")
    assert {"Broadcast", "Relu"} <= set(kinds_of(read_model(model)))
    as_weight = summed(named(op.broadcast(constant(values(8, 1), "column"), np.array([8, 100_000])), "wide"))
    assert kinds_of(read_model(as_weight)) == ["Parameter", "MatMul", "Result"]


def test_state_starts_as_it_did() -> None:
    x = op.parameter([2, 8], np.float32, name="x")
    start = op.broadcast(np.float32([0.5]), np.array([2, 8]))
    state = op.read_value(start, "state", np.float32, [2, 8])
    total = op.add(x, state)
    model = ov.Model([op.result(total)], [op.assign(total, "state")], [x], "stateful")
    read = read_model(model)
    assert "Broadcast" in kinds_of(read)
    assert [len(found) for found in (read.get_sinks(), read.get_variables())] == [1, 1]
    np.testing.assert_array_equal(run(read, {"x": values(2, 8)})[0], values(2, 8) + np.float32(0.5))


def test_names_layout_and_information_are_kept() -> None:
    model = MODELS["residual"]()
    model.set_rt_info("mine", ["section", "key"])
    model.get_parameters()[0].set_layout(ov.Layout("NCHW"))
    model.output(0).set_names({"first", "second"})
    read = read_model(model)
    assert read.get_friendly_name() == model.get_friendly_name()
    assert read.get_rt_info(["section", "key"]).astype(str) == "mine"
    assert read.get_parameters()[0].get_layout() == ov.Layout("NCHW")
    assert read.output(0).get_names() == {"first", "second"}
    assert list(unique_names(read)) == list(unique_names(model))


def test_the_model_of_the_user_is_left_as_it_is() -> None:
    weight = named(op.transpose(constant(values(4, 8), "w"), np.array([1, 0])), "weight")
    model = summed(weight)
    before = [(node.get_name(), dict(node.get_rt_info())) for node in model.get_ordered_ops()]
    assert kinds_of(read_model(model)) != kinds_of(model)
    assert [(node.get_name(), dict(node.get_rt_info())) for node in model.get_ordered_ops()] == before


def test_models_that_share_operations_are_read_apart() -> None:
    weight = named(op.transpose(constant(values(4, 8), "w"), np.array([1, 0])), "weight")
    cut = summed(weight)
    tail = op.sigmoid(cut.get_results()[0].input_value(0))
    whole = ov.Model([tail], cut.get_parameters(), "whole")
    x = {"x": values(2, 8)}
    for model in (cut, whole):
        read = read_model(model)
        own = {node.get_name() for node in read.get_ordered_ops()}
        readers = {t.get_node().get_name() for n in read.get_ops() for o in n.outputs() for t in o.get_target_inputs()}
        assert readers <= own
        np.testing.assert_array_equal(run(read, x)[0], run(model, x)[0])


# --- bodies ----------------------------------------------------------------------------------------------------------


def branches() -> ov.Model:
    def branch(scale: float) -> ov.Model:
        x = op.parameter([2, 8], np.float32)
        weight = op.transpose(op.multiply(constant(values(4, 8), "w"), np.float32([scale])), np.array([1, 0]))
        return ov.Model([op.matmul(x, named(weight, "weight"), False, False)], [x], "branch")

    x = op.parameter([2, 8], np.float32, name="x")
    choice = op.if_op(op.greater(op.reduce_sum(x, np.array([0, 1])), np.float32(0)).output(0))
    bodies = branch(1), branch(-2)
    choice.set_then_body(bodies[0])
    choice.set_else_body(bodies[1])
    choice.set_input(x.output(0), bodies[0].get_parameters()[0], bodies[1].get_parameters()[0])
    return ov.Model([choice.set_output(bodies[0].get_results()[0], bodies[1].get_results()[0])], [x], "choice")


def iterated() -> ov.Model:
    x = op.parameter([1, 5, 4], np.float32, name="x")
    step, state = op.parameter([1, 1, 4], np.float32), op.parameter([1, 8], np.float32)
    weight = named(op.reshape(constant(values(3, 4, 8), "w"), np.array([12, 8]), False), "weight")
    kept = named(quantized("i8"), "kept")
    read = op.matmul(op.concat([op.squeeze(step, np.array([1])), state], 1), weight, False, False)
    body = ov.Model([op.tanh(op.matmul(read, kept, False, False))], [step, state], "body")
    loop = op.tensor_iterator()
    loop.set_body(body)
    loop.set_sliced_input(step, x.output(0), 0, 1, 1, -1, 1)
    result = body.get_results()[0].output(0)
    loop.set_merged_input(state, op.constant(np.zeros((1, 8), np.float32)).output(0), result)
    return ov.Model([loop.get_iter_value(result, -1)], [x], "iterated")


@pytest.mark.parametrize("build", [branches, iterated])
def test_bodies_are_in_the_form_too(build: Callable[[], ov.Model]) -> None:
    model = build()
    read = read_model(model)

    def inside(part: ov.Model) -> list[str]:
        (outer,) = (node for node in part.get_ops() if node.get_type_name() in {"If", "TensorIterator"})
        found = [outer.get_function(i) for i in (0, 1)] if outer.get_type_name() == "If" else [outer.get_function()]
        return sorted(kind for body in found for kind in kinds_of(body))

    moved = {"Transpose", "Reshape"}
    assert moved & set(inside(model))
    assert not moved & set(inside(read))
    # The integers of a body's weight stay: Convert and Multiply.
    assert inside(read).count("Convert") == (1 if build is iterated else 0)
    for sign in (-1, 1):
        shape = model.inputs[0].get_shape()
        x = {"x": sign * np.abs(rng(0).normal(0, 1, shape)).astype(np.float32)}
        np.testing.assert_array_equal(run(read, x)[0], run(model, x)[0])


def test_a_body_alone_is_read_like_a_model() -> None:
    (choice,) = (node for node in branches().get_ops() if node.get_type_name() == "If")
    assert kinds_of(normal_form(choice.get_function(1))) == ["Parameter", "MatMul", "Result"]
