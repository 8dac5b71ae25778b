"""Small models, one for each way a quantizer can meet a graph. Every operation that a test speaks of has a name."""

from collections.abc import Callable

import numpy as np
import openvino as ov
import openvino.opset13 as op

MODELS: dict[str, Callable[[], ov.Model]] = {}


def model(build: Callable[[], ov.Model]) -> Callable[[], ov.Model]:
    MODELS[build.__name__] = build
    return build


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


def named(node: ov.Node, name: str) -> ov.Node:
    node.set_friendly_name(name)
    return node


def constant(value: np.ndarray | list, name: str) -> ov.Node:
    return named(op.constant(value), name)


def image(name: str = "image", channels: int = 4, size: int | list = 8) -> ov.Node:
    spatial = [size, size] if isinstance(size, int) else size
    return op.parameter([1, channels, *spatial], np.float32, name=name)


def conv(x: ov.Node | ov.Output, name: str, channels: int = 4, kernel: int = 3, *, half: bool = False) -> ov.Node:
    source = x if isinstance(x, ov.Output) else x.output(0)
    inputs = source.get_partial_shape()[1].get_length()
    weight = constant(values(channels, inputs, kernel, kernel), f"{name}/w")
    if half:
        # As a model saved with half precision has it: the tensor to quantize is the Convert's output.
        weight = constant(values(channels, inputs, kernel, kernel).astype(np.float16), f"{name}/w16")
        weight = named(op.convert(weight, "f32"), f"{name}/w")
    pad = [kernel // 2] * 2
    return named(op.convolution(x, weight, [1, 1], pad, pad, [1, 1]), name)


def bias(x: ov.Node, name: str, channels: int = 4) -> ov.Node:
    return named(op.add(x, constant(values(1, channels, 1, 1), f"{name}/b")), name)


def depthwise(x: ov.Node, name: str, channels: int = 4) -> ov.Node:
    weight = constant(values(channels, 1, 1, 3, 3), f"{name}/w")
    return named(op.group_convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), name)


def linear(x: ov.Node | ov.Output, name: str, inputs: int, outputs: int) -> ov.Node:
    return named(op.matmul(x, constant(values(outputs, inputs), f"{name}/w"), False, True), name)


def scaled(x: ov.Node, name: str, value: float = 0.5) -> ov.Node:
    return named(op.multiply(x, constant(np.float32([value]), f"{name}/c")), name)


def shifted(x: ov.Node, name: str, value: float = 0.5) -> ov.Node:
    return named(op.add(x, constant(np.float32([value]), f"{name}/c")), name)


def built(outputs: list[ov.Node], inputs: list[ov.Node]) -> ov.Model:
    results = [named(op.result(output), f"result_{i}") for i, output in enumerate(outputs)]
    return ov.Model(results, inputs, "small")


@model
def conv_bias_relu() -> ov.Model:
    x = image()
    y = named(op.relu(bias(conv(x, "conv_1"), "bias_1")), "relu_1")
    y = named(op.relu(bias(conv(y, "conv_2"), "bias_2")), "relu_2")
    return built([y], [x])


@model
def half_precision_weights() -> ov.Model:
    x = image()
    return built([conv(named(op.relu(conv(x, "conv_1", half=True)), "relu_1"), "conv_2", half=True)], [x])


@model
def preprocessing() -> ov.Model:
    x = op.parameter([1, 8, 8, 3], np.uint8, name="image")
    y = named(op.convert(x, "f32"), "to_float")
    y = named(op.transpose(y, [0, 3, 1, 2]), "to_nchw")
    y = named(op.subtract(y, constant(values(1, 3, 1, 1), "mean")), "minus_mean")
    y = named(op.multiply(y, constant(values(1, 3, 1, 1), "inverse_deviation")), "over_deviation")
    return built([named(op.relu(conv(y, "conv_1")), "relu_1")], [x])


@model
def float_preprocessing() -> ov.Model:
    x = image(channels=3)
    y = named(op.multiply(x, constant(values(1, 3, 1, 1), "scale/c")), "scale")
    y = named(op.add(y, constant(values(1, 3, 1, 1), "shift/c")), "shift")
    return built([conv(y, "conv_1")], [x])


@model
def residual() -> ov.Model:
    x = image()
    y = named(op.relu(bias(conv(x, "conv_1"), "bias_1")), "relu_1")
    z = bias(conv(y, "conv_2"), "bias_2")
    y = named(op.relu(named(op.add(z, y), "sum")), "relu_2")
    return built([conv(y, "conv_3")], [x])


@model
def residual_chain() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "stem")), "relu_0")
    for block in (1, 2, 3):
        z = named(op.relu(bias(conv(y, f"conv_{block}a"), f"bias_{block}a")), f"relu_{block}a")
        z = bias(conv(z, f"conv_{block}b"), f"bias_{block}b")
        y = named(op.relu(named(op.add(y, z), f"sum_{block}")), f"relu_{block}")
    y = named(op.reduce_mean(y, [2, 3], True), "pool")
    return built([conv(y, "head", kernel=1)], [x])


@model
def depthwise_separable() -> ov.Model:
    x = image()
    y = named(op.clamp(bias(conv(x, "conv_1"), "bias_1"), 0, 6), "relu6_1")
    y = named(op.clamp(bias(depthwise(y, "depthwise"), "bias_2"), 0, 6), "relu6_2")
    return built([bias(conv(y, "conv_2", kernel=1), "bias_3")], [x])


@model
def depthwise_beside_pointwise() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    return built([named(op.add(depthwise(y, "depthwise"), conv(y, "pointwise", kernel=1)), "sum")], [x])


@model
def transposed_convolutions() -> ov.Model:
    x = image()
    w = constant(values(4, 6, 2, 2), "up/w")
    y = named(op.convolution_backprop_data(x, w, [2, 2], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]), "up")
    y = named(op.relu(y), "relu_1")
    g = constant(values(2, 3, 2, 2, 2), "up_grouped/w")
    y = op.group_convolution_backprop_data(y, g, [2, 2], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1])
    return built([named(y, "up_grouped")], [x])


@model
def concat_of_convolutions() -> ov.Model:
    x = image()
    branches = [named(op.relu(conv(x, f"branch_{i}")), f"relu_{i}") for i in (1, 2)]
    y = named(
        op.concat([*branches, named(op.max_pool(x, [1, 1], [1, 1], [1, 1], [1, 1], [3, 3]), "pool").output(0)], 1),
        "concat",
    )
    return built([conv(y, "conv_1")], [x])


@model
def concat_read_by_add() -> ov.Model:
    x = image()
    y = named(op.concat([named(op.relu(conv(x, f"branch_{i}")), f"relu_{i}") for i in (1, 2)], 1), "concat")
    z = named(op.sigmoid(x), "sigmoid")
    z = named(op.concat([z, z], 1), "twice")
    return built([named(op.add(y, z), "sum")], [x])


@model
def concat_of_concat() -> ov.Model:
    x = image()
    a = named(op.relu(conv(x, "conv_a")), "relu_a")
    b = named(op.relu(conv(a, "conv_b")), "relu_b")
    ab = named(op.concat([a, b], 1), "concat_ab")
    c = named(op.relu(conv(ab, "conv_c")), "relu_c")
    abc = named(op.concat([ab, c], 1), "concat_abc")
    return built([conv(abc, "conv_d")], [x])


@model
def concat_that_is_also_an_output() -> ov.Model:
    x = image()
    y = named(op.concat([named(op.relu(conv(x, f"branch_{i}")), f"relu_{i}") for i in (1, 2)], 1), "concat")
    return built([conv(y, "conv_1"), y], [x])


@model
def squeeze_and_excitation() -> ov.Model:
    x = image()
    y = named(op.relu(bias(conv(x, "conv_1"), "bias_1")), "relu_1")
    s = named(op.reduce_mean(y, [2, 3], True), "squeeze")
    s = named(op.relu(bias(conv(s, "reduce", 2, 1), "reduce_bias", 2)), "reduce_relu")
    s = named(op.sigmoid(bias(conv(s, "expand", 4, 1), "expand_bias")), "gate")
    y = named(op.multiply(y, s), "excite")
    return built([conv(y, "conv_2")], [x])


@model
def squeeze_and_excitation_of_swish() -> ov.Model:
    x = image()
    y = named(op.swish(bias(conv(x, "conv_1"), "bias_1")), "swish_1")
    s = named(op.reduce_mean(y, [2, 3], True), "squeeze")
    s = named(op.swish(bias(conv(s, "reduce", 2, 1), "reduce_bias", 2)), "reduce_swish")
    s = named(op.sigmoid(bias(conv(s, "expand", 4, 1), "expand_bias")), "gate")
    y = named(op.multiply(s, y), "excite")
    return built([conv(y, "conv_2")], [x])


@model
def hard_swish() -> ov.Model:
    x = image()
    y = bias(conv(x, "conv_1"), "bias_1")
    gate = named(op.clamp(shifted(y, "plus_3", 3.0), 0, 6), "clamp")
    y = scaled(named(op.multiply(y, gate), "times_gate"), "over_6", 1 / 6)
    return built([conv(y, "conv_2")], [x])


@model
def hard_swish_operation() -> ov.Model:
    x = image()
    y = named(op.hswish(bias(conv(x, "conv_1"), "bias_1")), "hswish")
    return built([bias(depthwise(y, "depthwise"), "bias_2")], [x])


@model
def elementwise_with_constants() -> ov.Model:
    x = image()
    y = scaled(named(op.relu(conv(x, "conv_1")), "relu_1"), "scale")
    y = named(op.exp(y), "exp")
    y = shifted(y, "shift")
    y = named(op.sqrt(named(op.abs(y), "abs")), "sqrt")
    return built([conv(named(op.power(y, constant(np.float32([2.0]), "two")), "power"), "conv_2")], [x])


@model
def elementwise_of_inputs() -> ov.Model:
    a, b = image("a"), image("b")
    y = named(op.maximum(named(op.add(a, b), "sum"), named(op.multiply(a, b), "product")), "maximum")
    y = named(op.divide(named(op.exp(y), "exp"), named(op.abs(b), "abs")), "quotient")
    return built([named(op.subtract(y, a), "difference"), named(op.greater(y, b), "greater")], [a, b])


@model
def fully_connected() -> ov.Model:
    x = op.parameter([2, 8], np.float32, name="x")
    y = linear(x, "fc_1", 8, 16)
    y = named(op.relu(named(op.add(y, constant(values(1, 16), "bias_1/b")), "bias_1")), "relu_1")
    y = named(op.add(linear(y, "fc_2", 16, 4), constant(values(1, 4), "bias_2/b")), "bias_2")
    return built([named(op.softmax(y, 1), "softmax")], [x])


@model
def matmul_layouts() -> ov.Model:
    x = op.parameter([2, 3, 8], np.float32, name="x")
    y = named(op.matmul(x, constant(values(8, 6), "right/w"), False, False), "right")
    y = named(op.relu(y), "relu_1")
    y = named(op.matmul(constant(values(5, 3), "left/w"), y, False, False), "left")
    y = named(op.relu(y), "relu_2")
    y = named(op.matmul(y, constant(values(2, 7, 6), "batched/w"), False, True), "batched")
    y = named(op.relu(y), "relu_3")
    return built([named(op.matmul(y, constant(values(7), "vector/w"), False, False), "vector")], [x])


@model
def attention() -> ov.Model:
    x = op.parameter([1, 6, 8], np.float32, name="x")
    heads = []
    for name in ("query", "key", "value"):
        y = named(op.add(linear(x, f"{name}/fc", 8, 8), constant(values(1, 1, 8), f"{name}/b")), f"{name}/bias")
        y = named(op.reshape(y, constant(np.int64([0, 0, 2, 4]), f"{name}/shape"), True), f"{name}/split")
        heads.append(named(op.transpose(y, [0, 2, 1, 3]), f"{name}/heads"))
    query, key, value = heads
    score = scaled(named(op.matmul(query, key, False, True), "score"), "score/scale")
    weight = named(op.softmax(score, 3), "softmax")
    y = named(op.transpose(named(op.matmul(weight, value, False, False), "mix"), [0, 2, 1, 3]), "back")
    y = named(op.reshape(y, constant(np.int64([0, 0, 8]), "merged/shape"), True), "merged")
    y = named(op.add(linear(y, "out/fc", 8, 8), constant(values(1, 1, 8), "out/b")), "out/bias")
    y = named(op.add(y, x), "residual")
    y = named(op.mvn(y, [2], True, 1e-5, "INSIDE_SQRT"), "norm")
    y = named(op.multiply(y, constant(values(1, 1, 8), "gamma/c")), "gamma")
    y = named(op.add(y, constant(values(1, 1, 8), "beta/c")), "beta")
    return built([linear(y, "head", 8, 4)], [x])


@model
def fused_attention() -> ov.Model:
    x = op.parameter([1, 2, 6, 8], np.float32, name="x")
    query, key, value = (linear(x, name, 8, 8) for name in ("query", "key", "value"))
    y = named(op.scaled_dot_product_attention(query, key, value), "attention")
    return built([linear(y, "out", 8, 8)], [x])


@model
def shared_weight() -> ov.Model:
    a, b = image("a"), image("b")
    weight = constant(values(4, 4, 3, 3), "w")
    towers = [
        named(op.relu(named(op.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), f"conv_{i}")), f"relu_{i}")
        for i, x in enumerate((a, b))
    ]
    return built([named(op.add(*towers), "sum")], [a, b])


@model
def embedding() -> ov.Model:
    ids = op.parameter([1, 6], np.int64, name="ids")
    table = constant(values(10, 8), "table")
    y = named(op.gather(table, ids, constant(np.int64(0), "axis")), "embedding")
    y = named(op.add(y, constant(values(1, 6, 8), "positions")), "with_positions")
    return built([linear(y, "fc", 8, 4)], [ids])


@model
def embedding_read_by_matmul() -> ov.Model:
    ids = op.parameter([1, 6], np.int64, name="ids")
    y = named(op.gather(constant(values(10, 8), "table"), ids, constant(np.int64(0), "axis")), "embedding")
    return built([linear(y, "fc", 8, 4)], [ids])


@model
def two_embeddings() -> ov.Model:
    ids, kinds = op.parameter([1, 6], np.int64, name="ids"), op.parameter([1, 6], np.int64, name="kinds")
    words = named(op.gather(constant(values(10, 8), "words/table"), ids, constant(np.int64(0), "axis_1")), "words")
    types = named(op.gather(constant(values(3, 8), "types/table"), kinds, constant(np.int64(0), "axis_2")), "types")
    y = named(op.mvn(named(op.add(words, types), "sum"), [2], True, 1e-5, "INSIDE_SQRT"), "norm")
    return built([linear(y, "fc", 8, 4)], [ids, kinds])


@model
def several_outputs() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    z = named(op.relu(conv(y, "conv_2")), "relu_2")
    return built([y, z, conv(z, "conv_3")], [x])


@model
def several_inputs() -> ov.Model:
    a, b = image("a"), image("b", channels=2)
    ya = named(op.relu(conv(a, "conv_a")), "relu_a")
    yb = named(op.relu(conv(b, "conv_b")), "relu_b")
    return built([named(op.add(ya, yb), "sum")], [a, b])


@model
def input_read_twice() -> ov.Model:
    x = image()
    return built([named(op.add(conv(x, "conv_1"), x), "sum"), named(op.softmax(x, 1), "softmax")], [x])


@model
def dynamic_shapes() -> ov.Model:
    x = op.parameter(ov.PartialShape([-1, 4, -1, -1]), np.float32, name="image")
    y = named(op.relu(bias(conv(x, "conv_1"), "bias_1")), "relu_1")
    y = named(op.relu(bias(depthwise(y, "depthwise"), "bias_2")), "relu_2")
    y = named(op.reduce_mean(y, [2, 3], False), "pool")
    return built([linear(y, "fc", 4, 2)], [x])


@model
def arithmetic_on_shapes() -> ov.Model:
    x = op.parameter(ov.PartialShape([1, 4, -1, -1]), np.float32, name="image")
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    shape = named(op.shape_of(y), "shape")
    size = named(op.gather(shape, constant(np.int64([2, 3]), "indices"), constant(np.int64(0), "axis")), "size")
    size = named(op.convert(size, "f32"), "size_float")
    size = named(op.multiply(size, constant(np.float32([2, 2]), "factor")), "doubled")
    size = named(op.convert(size, "i64"), "size_int")
    up = op.interpolate(y, size, "nearest", "sizes", axes=constant(np.int64([2, 3]), "axes"))
    return built([conv(named(up, "upsample"), "conv_2")], [x])


@model
def moved_values() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    y = named(op.max_pool(y, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]), "max_pool").output(0)
    y = named(op.transpose(y, [0, 2, 3, 1]), "to_nhwc")
    y = named(op.reshape(y, constant(np.int64([1, -1]), "flat"), False), "reshape")
    y = linear(y, "fc_1", 64, 8)
    y = named(op.tile(y, constant(np.int64([1, 2]), "repeats")), "tile")
    y = named(op.unsqueeze(y, constant(np.int64([0]), "axes")), "unsqueeze")
    return built([linear(y, "fc_2", 16, 4)], [x])


@model
def pooling() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    y = named(op.avg_pool(y, [2, 2], [0, 0], [0, 0], [2, 2], True), "avg_pool")
    y = conv(y, "conv_2")
    return built([named(op.reduce_max(named(op.relu(y), "relu_2"), [2, 3], False), "reduce_max")], [x])


@model
def split_into_branches() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    parts = named(op.split(y, constant(np.int64(1), "axis"), 2), "split")
    a = named(op.relu(conv(parts.output(0), "conv_a")), "relu_a")
    b = named(op.sigmoid(parts.output(1)), "sigmoid_b")
    return built([named(op.concat([a, b], 1), "concat")], [x])


@model
def split_read_by_convolutions() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    parts = named(op.split(y, constant(np.int64(1), "axis"), 2), "split")
    return built([conv(parts.output(i), f"part_{i}") for i in (0, 1)], [x])


@model
def swish_and_sum_split() -> ov.Model:
    x = image()
    parts = named(op.split(named(op.swish(conv(x, "conv_1")), "swish"), constant(np.int64(1), "axis"), 2), "split")
    return built([named(op.add(parts.output(0), parts.output(1)), "sum")], [x])


@model
def pad_and_slice() -> ov.Model:
    x = image()
    y = named(op.pad(x, [0, 0, 1, 1], [0, 0, 1, 1], "constant", constant(np.float32(0), "zero")), "pad")
    y = named(op.relu(conv(y, "conv_1")), "relu_1")
    y = named(op.strided_slice(y, [0, 0, 0, 0], [1, 2, 4, 4], [1, 1, 1, 1], [0] * 4, [0] * 4), "strided_slice")
    y = conv(y, "conv_2")
    start, stop, step = (constant(np.int64([v]), f"slice/{v}") for v in (0, 2, 1))
    y = named(op.slice(named(op.relu(y), "relu_2"), start, stop, step), "slice")
    return built([conv(y, "conv_3")], [x])


@model
def branch_left_in_float() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    y = named(op.transpose(y, [0, 1, 3, 2]), "transpose")
    return built([named(op.add(conv(y, "conv_2"), named(op.erf(y), "erf")), "sum")], [x])


@model
def detection_head() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    y = named(
        op.reshape(named(op.sigmoid(conv(y, "conv_2")), "sigmoid"), constant(np.int64([1, -1]), "flat"), False),
        "reshape",
    )
    y = scaled(y, "rescale")
    top = named(op.topk(y, constant(np.int64(5), "k"), 1, "max", "value"), "topk")
    return built([scaled(top.output(0), "final")], [x])


@model
def detection_boxes() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    scores = named(op.sigmoid(conv(y, "conv_scores", 2, 1)), "sigmoid")
    scores = named(op.reshape(scores, constant(np.int64([1, 2, 64]), "scores/shape"), False), "scores")
    boxes = shifted(conv(y, "conv_boxes", 4, 1), "offsets")
    boxes = named(op.reshape(boxes, constant(np.int64([1, 64, 4]), "boxes/shape"), False), "boxes")
    limits = [constant(np.array(v), f"limit_{v}") for v in (np.int64(8), np.float32(0.5), np.float32(0.1))]
    kept = named(op.non_max_suppression(boxes, scores, *limits), "nms")
    return built([kept.output(0), named(op.multiply(y, named(op.sigmoid(y), "gate")), "aside")], [x])


@model
def largest_value_read_by_a_layer() -> ov.Model:
    x = op.parameter([1, 8], np.float32, name="x")
    y = named(op.tanh(shifted(linear(x, "fc_1", 8, 8), "shift")), "tanh")
    top = named(op.topk(named(op.multiply(y, y), "square"), constant(np.int64(4), "k"), 1, "max", "value"), "topk")
    return built([linear(named(op.softmax(top.output(0), 1), "softmax"), "fc_2", 4, 2)], [x])


@model
def recurrent() -> ov.Model:
    x = op.parameter([1, 5, 4], np.float32, name="x")
    state = constant(np.zeros((1, 1, 3), np.float32), "state")
    cell = constant(np.zeros((1, 1, 3), np.float32), "cell")
    length = constant(np.int32([5]), "length")
    w, r, b = constant(values(1, 12, 4), "w"), constant(values(1, 12, 3), "r"), constant(values(1, 12), "b")
    y = named(op.lstm_sequence(x, state, cell, length, w, r, b, 3, "forward"), "lstm")
    y = named(op.squeeze(y.output(0), constant(np.int64([1]), "axes")), "squeeze")
    return built([linear(y, "fc", 3, 2)], [x])


@model
def gated() -> ov.Model:
    x = op.parameter([1, 5, 4], np.float32, name="x")
    state, length = constant(np.zeros((1, 1, 3), np.float32), "state"), constant(np.int32([5]), "length")
    outputs = []
    for name, reset in (("gru", False), ("gru_reset", True)):
        w, r = constant(values(1, 9, 4), f"{name}/w"), constant(values(1, 9, 3), f"{name}/r")
        b = constant(values(1, 12 if reset else 9), f"{name}/b")
        y = op.gru_sequence(x, state, length, w, r, b, 3, "forward", linear_before_reset=reset)
        outputs.append(named(y, name).output(0))
    return built(outputs, [x])


@model
def normalisations() -> ov.Model:
    x = image()
    y = named(op.normalize_l2(x, constant(np.int64([1]), "axis"), 1e-6, "add"), "l2")
    y = scaled(y, "l2_scale")
    y = named(op.mvn(conv(y, "conv_1"), [2, 3], True, 1e-5, "INSIDE_SQRT"), "norm")
    y = named(op.relu(shifted(scaled(y, "gamma"), "beta")), "relu_1")
    y = named(op.reduce_l2(conv(y, "conv_2"), constant(np.int64([2, 3]), "axes"), True), "reduce_l2")
    return built([named(op.reduce_sum(y, [1], True), "reduce_sum")], [x])


@model
def prelu_and_relu_of_sum() -> ov.Model:
    x = image()
    y = named(op.prelu(bias(conv(x, "conv_1"), "bias_1"), constant(values(4), "slope")), "prelu")
    z = named(op.relu(named(op.add(y, named(op.sigmoid(x), "sigmoid")), "sum")), "relu_1")
    return built([conv(z, "conv_2")], [x])


@model
def equal_rows() -> ov.Model:
    x = op.parameter([1, 6], np.float32, name="x")
    mask = named(op.logical_not(named(op.equal(x, constant(np.float32([0]), "zero")), "is_zero")), "mask")
    y = named(op.multiply(x, named(op.convert(mask, "f32"), "mask_float")), "masked")
    return built([linear(y, "fc", 6, 3)], [x])


@model
def rotary() -> ov.Model:
    x = op.parameter([1, 2, 6, 8], np.float32, name="x")
    positions = op.parameter([1, 1, 6], np.float32, name="positions")
    angle = named(op.matmul(constant(values(1, 4, 1), "frequencies"), positions, False, False), "angle")
    angle = named(op.transpose(angle, [0, 2, 1]), "angle_t")
    angle = named(op.concat([angle, angle], 2), "angle_2")
    cos, sin = named(op.cos(angle), "cos"), named(op.sin(angle), "sin")
    y = linear(x, "query", 8, 8)
    turned = named(op.multiply(named(op.negative(y), "rotated"), sin), "times_sin")
    y = named(op.add(named(op.multiply(y, cos), "times_cos"), turned), "rotary")
    return built([named(op.matmul(y, linear(x, "key", 8, 8), False, True), "score")], [x, positions])


@model
def concat_of_embeddings() -> ov.Model:
    ids = op.parameter([1, 6], np.int64, name="ids")
    parts = [
        named(op.gather(constant(values(10, 8), f"table_{i}"), ids, constant(np.int64(0), f"axis_{i}")), f"part_{i}")
        for i in (1, 2)
    ]
    return built([linear(named(op.concat(parts, 2), "concat"), "fc", 16, 4)], [ids])


@model
def embedding_also_in_float() -> ov.Model:
    ids = op.parameter([1, 6], np.int64, name="ids")
    y = named(op.gather(constant(values(10, 8), "table"), ids, constant(np.int64(0), "axis")), "embedding")
    return built([linear(y, "fc", 8, 4), named(op.softmax(y, 2), "softmax")], [ids])


@model
def tied_embedding() -> ov.Model:
    ids = op.parameter([1, 6], np.int64, name="ids")
    table = constant(values(10, 8), "table")
    y = named(op.gather(table, ids, constant(np.int64(0), "axis")), "embedding")
    y = named(op.tanh(linear(y, "fc", 8, 8)), "tanh")
    return built([named(op.matmul(y, table, False, True), "logits")], [ids])


@model
def fused_attention_beside_another_reader() -> ov.Model:
    x = op.parameter([1, 2, 6, 8], np.float32, name="x")
    y = named(op.tanh(x), "tanh")
    z = named(op.scaled_dot_product_attention(y, y, y), "attention")
    return built([linear(z, "out", 8, 8), linear(y, "side", 8, 8)], [x])


@model
def decoder_state() -> ov.Model:
    x = op.parameter([1, 4], np.float32, name="x")
    start = constant(np.zeros((1, 4), np.float32), "start")
    past = named(op.read_value(start, "memory"), "past")
    y = named(op.concat([past, x], 0), "concat")
    new = named(op.tanh(linear(y, "fc", 4, 4)), "tanh")
    kept = named(op.slice(new, *(constant(np.int64([v]), f"slice/{v}") for v in (0, 1, 1))), "kept")
    store = named(op.assign(kept, "memory"), "store")
    return ov.Model([named(op.result(new), "result_0")], [store], [x], "small")


@model
def equal_after_relu() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    z = named(op.convert(named(op.greater(y, constant(np.float32([0.5]), "half")), "greater"), "f32"), "mask")
    return built([named(op.multiply(y, z), "masked")], [x])


@model
def nothing_to_quantize() -> ov.Model:
    x = image()
    return built([named(op.softmax(named(op.relu(x), "relu_1"), 1), "softmax")], [x])


@model
def one_dimensional() -> ov.Model:
    x = op.parameter([1, 4, 16], np.float32, name="signal")
    y = op.convolution(x, constant(values(6, 4, 3), "conv_1/w"), [1], [1], [1], [1])
    y = named(op.relu(named(y, "conv_1")), "relu_1")
    y = op.group_convolution(y, constant(values(6, 1, 1, 3), "depthwise/w"), [1], [1], [1], [1])
    y = op.convolution_backprop_data(
        named(op.relu(named(y, "depthwise")), "relu_2"), constant(values(6, 4, 2), "up/w"), [2]
    )
    return built([named(y, "up")], [x])


@model
def three_dimensional() -> ov.Model:
    x = op.parameter([1, 2, 4, 4, 4], np.float32, name="volume")
    y = op.convolution(x, constant(values(4, 2, 3, 3, 3), "conv_1/w"), [1] * 3, [1] * 3, [1] * 3, [1] * 3)
    y = named(op.relu(named(y, "conv_1")), "relu_1")
    y = named(op.max_pool(y, [2] * 3, [1] * 3, [0] * 3, [0] * 3, [2] * 3).output(0).get_node(), "pool")
    y = op.convolution(y.output(0), constant(values(4, 4, 1, 1, 1), "conv_2/w"), [1] * 3, [0] * 3, [0] * 3, [1] * 3)
    return built([named(y, "conv_2")], [x])


@model
def bidirectional() -> ov.Model:
    x = op.parameter([1, 5, 4], np.float32, name="x")
    states = [constant(np.zeros((1, 2, 3), np.float32), f"state_{i}") for i in range(2)]
    weights = [constant(values(2, 12, 4), "lstm/w"), constant(values(2, 12, 3), "lstm/r")]
    lengths = constant(np.int64([5]), "lengths")
    lstm = op.lstm_sequence(x, *states, lengths, *weights, constant(values(2, 12), "lstm/b"), 3, "BIDIRECTIONAL")
    y = named(
        op.reshape(named(lstm, "lstm").output(0), constant(np.int64([1, 30]), "flat"), special_zero=False), "rows"
    )
    return built([linear(y, "fc", 30, 3)], [x])


@model
def gated_with_linear_before_reset() -> ov.Model:
    x = op.parameter([1, 5, 4], np.float32, name="x")
    gru = op.gru_sequence(
        linear(x, "fc", 4, 4),
        constant(np.zeros((1, 1, 3), np.float32), "state"),
        constant(np.int64([5]), "lengths"),
        constant(values(1, 9, 4), "gru/w"),
        constant(values(1, 9, 3), "gru/r"),
        constant(values(1, 12), "gru/b"),
        3,
        "FORWARD",
        linear_before_reset=True,
    )
    return built([named(op.relu(named(gru, "gru").output(0)), "relu_1")], [x])


@model
def loop_over_time() -> ov.Model:
    x = op.parameter([5, 1, 4], np.float32, name="steps")
    step = op.parameter([1, 1, 4], np.float32, name="step")
    body = built([named(op.relu(linear(step, "inner", 4, 4)), "inner_relu")], [step])
    loop = op.tensor_iterator()
    loop.set_body(body)
    loop.set_sliced_input(step, x.output(0), 0, 1, 1, -1, 0)
    out = loop.get_concatenated_slices(body.get_results()[0].output(0), 0, 1, 1, -1, 0)
    loop.set_friendly_name("loop")
    return built([linear(out, "fc", 4, 3)], [x])


@model
def weight_read_by_convolution_and_sum() -> ov.Model:
    x = image()
    weight = constant(values(4, 4, 1, 1), "shared/w")
    y = named(op.convolution(x, weight, [1, 1], [0, 0], [0, 0], [1, 1]), "conv_1")
    total = named(op.reduce_sum(weight, constant(np.int64([0, 1, 2, 3]), "axes")), "total")
    return built([named(op.add(named(op.relu(y), "relu_1"), total), "sum")], [x])


@model
def brain_float_weights() -> ov.Model:
    x = image()
    w = ov.opset13.constant(values(4, 4, 3, 3), dtype=ov.Type.bf16)
    weight = named(op.convert(named(w, "conv_1/w16"), "f32"), "conv_1/w")
    y = named(op.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), "conv_1")
    return built([conv(named(op.relu(y), "relu_1"), "conv_2")], [x])


@model
def softplus_and_gelu() -> ov.Model:
    x = image()
    y = named(op.softplus(conv(x, "conv_1")), "softplus")
    y = named(op.gelu(conv(y, "conv_2"), "erf"), "gelu")
    y = named(op.mish(conv(y, "conv_3")), "mish")
    return built([conv(y, "conv_4")], [x])


@model
def resized() -> ov.Model:
    x = image()
    y = named(op.relu(conv(x, "conv_1")), "relu_1")
    sizes = constant(np.int64([16, 16]), "sizes")
    near = named(op.interpolate(y, sizes, "nearest", "sizes", axes=constant(np.int64([2, 3]), "axes_1")), "near")
    far = named(op.interpolate(y, sizes, "linear_onnx", "sizes", axes=constant(np.int64([2, 3]), "axes_2")), "linear")
    return built([conv(near, "conv_2"), conv(far, "conv_3")], [x])
