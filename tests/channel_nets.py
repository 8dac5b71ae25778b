"""Small models, one for each way in which channels pass through a graph; inputs are [2, 3, 6, 6] or [2, 5, 6]."""

from collections.abc import Callable, Iterable

import numpy as np
import openvino as ov
from graph_models import named
from openvino import opset1, opset2
from openvino import opset13 as ops
from openvino.op import Constant

from autoq.graph import ChannelGraph, array_type, stored_constant, unique_names

NETS: dict[str, Callable[[], ov.Model]] = {}
SAME = ([1, 1], [1, 1], [1, 1], [1, 1])


def net(build: Callable[[], ov.Model]) -> Callable[[], ov.Model]:
    NETS[build.__name__] = build
    return build


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape) + len(shape)).normal(0, 0.4, shape).astype(np.float32)


def image(*, size: int = 6, batch: int = 2) -> ov.Node:
    return named(ops.parameter([batch, 3, size, size], np.float32, name="image"), "image")


def tokens(*shape: int) -> ov.Node:
    return named(ops.parameter(list(shape or (2, 5, 6)), np.float32, name="tokens"), "tokens")


def conv(x: ov.Node | ov.Output, width: int, name: str, *, kernel: int = 3, bias: bool = True) -> ov.Node:
    weight = numbers(
        width, x.get_output_partial_shape(0)[1].get_length() if isinstance(x, ov.Node) else _width(x), kernel, kernel
    )
    pad = [kernel // 2] * 2
    y = named(ops.convolution(x, weight, [1, 1], pad, pad, [1, 1]), name)
    return ops.add(y, numbers(1, width, 1, 1)) if bias else y


def _width(x: ov.Output) -> int:
    return x.get_partial_shape()[1].get_length()


def grouped(x: ov.Node, groups: int, each: int, name: str) -> ov.Node:
    read = x.get_output_partial_shape(0)[1].get_length() // groups
    return named(ops.group_convolution(x, numbers(groups, each, read, 3, 3), *SAME), name)


def dense(x: ov.Node, width: int, name: str, *, transposed: bool = True) -> ov.Node:
    read = x.get_output_partial_shape(0)[-1].get_length()
    shape = (width, read) if transposed else (read, width)
    y = named(ops.matmul(x, numbers(*shape), False, transposed), name)
    return ops.add(y, numbers(*[1] * (len(x.get_output_partial_shape(0)) - 1), width))


def ints(*values: int) -> ov.Node:
    return ops.constant(np.array(values, np.int64))


def model_of(*ends: ov.Node) -> ov.Model:
    """A model with these outputs, and all inputs that they read."""
    found, waiting = {}, list(ends)
    while waiting:
        op = waiting.pop()
        if op.get_name() not in found:
            found[op.get_name()] = op
            waiting += [value.get_node() for value in op.input_values()]
    inputs = [op for op in found.values() if op.get_type_name() == "Parameter"]
    return ov.Model([ops.result(end) for end in ends], sorted(inputs, key=lambda op: op.get_friendly_name()), "net")


def three_convs(*, size: int = 6) -> ov.Model:
    """Convolutions of 8, 16 and 8 channels, each of which is a group, and a layer of 4 that stay; reads [1, 3, ...]."""
    x = ops.relu(conv(image(size=size, batch=1), 8, "first"))
    x = ops.relu(conv(x, 16, "second"))
    x = ops.relu(conv(x, 8, "third"))
    return model_of(dense(ops.reduce_mean(x, ints(2, 3), False), 4, "head"))


def two_residual_blocks() -> ov.Model:
    """Blocks of one residual stream, one behind the other; reads [1, 3, 6, 6]."""
    x = ops.relu(conv(image(batch=1), 8, "stem"))
    x = ops.relu(ops.add(conv(ops.relu(conv(x, 8, "inner")), 8, "outer"), x))
    x = ops.relu(ops.add(conv(ops.relu(conv(x, 8, "further")), 8, "furthest"), x))
    return model_of(dense(ops.reduce_mean(x, ints(2, 3), False), 4, "head"))


@net
def chain() -> ov.Model:
    x = ops.relu(conv(image(), 8, "first"))
    return model_of(conv(opset1.max_pool(x, [1, 1], [0, 0], [0, 0], [2, 2]), 4, "last"))


@net
def half_precision() -> ov.Model:
    x = ops.convolution(image(), ops.convert(ops.constant(numbers(8, 3, 3, 3).astype(np.float16)), "f32"), *SAME)
    return model_of(conv(ops.relu(named(x, "first")), 4, "last"))


@net
def open_shape() -> ov.Model:
    x = named(ops.parameter([-1, 3, -1, -1], np.float32, name="image"), "image")
    x = conv(ops.relu(conv(x, 8, "first")), 8, "second")
    return model_of(dense(ops.reduce_mean(x, ints(2, 3), False), 4, "last"))


@net
def residual() -> ov.Model:
    x = ops.relu(conv(image(), 8, "stem"))
    x = ops.add(x, conv(ops.relu(conv(x, 6, "inner")), 8, "outer"))
    return model_of(conv(x, 4, "last"))


@net
def depthwise() -> ov.Model:
    x = grouped(ops.hswish(conv(image(), 8, "first")), 8, 1, "depthwise")
    return model_of(conv(ops.clamp(grouped(x, 8, 2, "doubling"), 0, 6), 4, "last"))


@net
def groups_of_channels() -> ov.Model:
    return model_of(conv(grouped(conv(image(), 8, "first"), 4, 3, "grouped"), 4, "last"))


@net
def squeeze_and_excite() -> ov.Model:
    x = conv(image(), 8, "first")
    gate = ops.relu(conv(ops.reduce_mean(x, ints(2, 3), True), 4, "squeeze", kernel=1))
    gate = ops.sigmoid(conv(gate, 8, "excite", kernel=1))
    return model_of(conv(ops.multiply(x, gate), 4, "last"))


@net
def concatenated() -> ov.Model:
    x = image()
    both = ops.concat([conv(x, 4, "left"), conv(x, 6, "right"), x], 1)
    return model_of(conv(ops.prelu(both, numbers(13)), 4, "last"))


@net
def concat_meets_sum() -> ov.Model:
    x = image()
    both = ops.concat([conv(x, 4, "left"), x], 1)
    return model_of(conv(ops.add(both, conv(x, 7, "other")), 4, "last"))


@net
def split() -> ov.Model:
    parts = ops.split(conv(image(), 8, "first"), ops.constant(1), 2)
    return model_of(conv(conv(parts.output(0), 4, "upper"), 4, "last"), conv(parts.output(1), 5, "lower"))


@net
def uneven_split() -> ov.Model:
    parts = ops.variadic_split(conv(image(), 8, "first"), ops.constant(1), ints(3, -1))
    return model_of(conv(parts.output(0), 4, "upper"), conv(parts.output(1), 5, "lower"))


@net
def shuffled() -> ov.Model:
    x = ops.reshape(conv(image(), 12, "first"), ints(2, 4, 3, 6, 6), False)
    x = ops.reshape(ops.transpose(x, ints(0, 2, 1, 3, 4)), ints(0, 12, 6, 6), True)
    return model_of(conv(x, 4, "last"))


@net
def looked_up() -> ov.Model:
    x = ops.gather(conv(image(), 8, "first"), ints(7, 1, 1, 4, -2, 0), ops.constant(1))
    return model_of(conv(x, 4, "last"))


@net
def padded() -> ov.Model:
    x = ops.pad(conv(image(), 6, "first"), ints(0, 1, 0, 0), ints(0, 1, 0, 0), "constant", np.float32(0))
    return model_of(conv(ops.add(x, conv(image(), 8, "second")), 4, "last"))


@net
def flattened() -> ov.Model:
    x = ops.relu(conv(image(), 8, "first"))
    return model_of(dense(ops.relu(dense(ops.reshape(x, ints(2, 288), False), 10, "middle")), 4, "last"))


@net
def channels_last() -> ov.Model:
    x = ops.transpose(conv(image(), 8, "first"), ints(0, 2, 3, 1))
    x = dense(ops.gelu(dense(x, 10, "up", transposed=False), "erf"), 6, "down")
    return model_of(conv(ops.transpose(x, ints(0, 3, 1, 2)), 4, "last"))


@net
def generator() -> ov.Model:
    x = ops.reshape(dense(ops.reshape(tokens(2, 6), ints(2, 6), False), 32, "first"), ints(-1, 8, 2, 2), False)
    up = named(ops.convolution_backprop_data(x, numbers(8, 8, 2, 2), [2, 2]), "up")
    x = named(ops.group_convolution_backprop_data(ops.relu(up), numbers(4, 2, 2, 2, 2), [2, 2]), "apart")
    return model_of(conv(x, 4, "last"))


@net
def normalized() -> ov.Model:
    x = conv(image(), 8, "first", bias=False)
    x = ops.batch_norm_inference(x, np.abs(numbers(8)), numbers(8), numbers(8), np.abs(numbers(8)) + 1, 1e-3)
    x = ops.mvn(ops.relu(x), ints(2, 3), True, 1e-5, "inside_sqrt")
    x = ops.interpolate(x, ints(12, 12), "nearest", "sizes", axes=ints(2, 3))
    return model_of(conv(x, 4, "last"))


@net
def quantized() -> ov.Model:
    low, high = -np.abs(numbers(8, 1, 1, 1)) - 1, np.abs(numbers(8, 1, 1, 1)) + 1
    weight = ops.fake_quantize(numbers(8, 3, 3, 3), low, high, low, high, 255)
    x = named(ops.convolution(image(), weight, *SAME), "first")
    low, high = -np.abs(numbers(1, 8, 1, 1)) - 2, np.abs(numbers(1, 8, 1, 1)) + 2
    return model_of(conv(ops.fake_quantize(x, low, high, low, high, 256), 4, "last"))


@net
def shared_constant() -> ov.Model:
    shift = ops.constant(numbers(1, 8, 1, 1))
    x = ops.add(conv(image(), 8, "first"), shift)
    return model_of(conv(ops.multiply(conv(x, 8, "second"), shift), 4, "last"))


def attention(*, fused: bool, dynamic: bool = False) -> ov.Model:
    x = tokens(*((-1, -1, 6) if dynamic else (2, 5, 6)))
    heads = []
    for name in ("query", "key", "value"):
        y = ops.reshape(dense(x, 12, name), ints(0, 0, 4, 3), True)
        heads.append(ops.transpose(y, ints(0, 2, 1, 3)))
    query, key, value = heads
    if fused:
        y = ops.scaled_dot_product_attention(query, key, value, causal=False)
    else:
        y = ops.matmul(ops.softmax(ops.matmul(query, key, False, True), -1), value, False, False)
    y = ops.transpose(y, ints(0, 2, 1, 3))
    y = ops.reshape(y, ops.shape_of(ops.concat([x, x], 2)) if dynamic else ints(2, 5, 12), False)
    x = ops.add(x, dense(y, 6, "project"))
    norm = ops.mvn(x, ints(-1), True, 1e-5, "inside_sqrt")
    return model_of(ops.add(x, dense(ops.gelu(dense(norm, 9, "up"), "erf"), 6, "down")))


@net
def heads() -> ov.Model:
    return attention(fused=False)


@net
def fused_heads() -> ov.Model:
    return attention(fused=True)


@net
def heads_of_open_length() -> ov.Model:
    return attention(fused=True, dynamic=True)


def ignoring(model: ov.Model, graph: ChannelGraph, removed: Iterable[int]) -> ov.Model:
    """The model with zeros for channels in the weights of all layers that make them, and of all that read them."""
    clone, gone = model.clone(), np.array(list(removed))
    nodes = unique_names(clone)
    for layer in graph.layers:
        axes = graph.reads.get((layer.op, layer.weight_port))
        constant = stored_constant(nodes[layer.op].input_value(layer.weight_port))
        if axes is None:
            continue
        tensor = ov.Tensor(constant.get_element_type(), list(constant.get_output_shape(0)))
        tensor.data[...] = constant.data
        for axis, own in enumerate(axes):
            if own is not None:
                tensor.data[(slice(None),) * axis + (np.isin(own, gone),)] = 0
        own = nodes[layer.op].input(layer.weight_port)
        direct = own.get_source_output().get_node().get_type_name() == "Constant"
        # Layers may share a constant.
        for target in [own] if direct else constant.output(0).get_target_inputs():
            target.replace_source_output(Constant(tensor).output(0))
    return clone


def data(model: ov.Model, *, seed: int = 0) -> list[np.ndarray]:
    """One value for each input; open axes get lengths, and integers are 0 or 1."""
    rng = np.random.default_rng(seed)
    found = []
    for port in model.inputs:
        shape = [n.get_length() if n.is_static else 2 + 3 * axis for axis, n in enumerate(port.get_partial_shape())]
        kind = array_type(port.get_element_type())
        drawn = rng.normal(0, 1, shape) if port.get_element_type().is_real() else rng.integers(0, 2, shape)
        found.append(drawn.astype(kind))
    return found


@net
def sliced() -> ov.Model:
    x = conv(image(), 8, "first")
    halves = [ops.slice(x, ints(start), ints(stop), ints(1), ints(1)) for start, stop in ((0, 4), (-4, 1 << 40))]
    return model_of(conv(ops.multiply(halves[0], ops.sigmoid(halves[1])), 4, "last"))


@net
def group_normalized() -> ov.Model:
    x = conv(image(), 8, "first")
    x = ops.group_normalization(x, numbers(8), numbers(8), 4, 1e-5)
    return model_of(conv(ops.relu(x), 4, "last"))


@net
def heads_taken_apart() -> ov.Model:
    """Queries, keys and values of one product, taken apart along an axis of their own."""
    x = tokens()
    fused = ops.transpose(ops.reshape(dense(x, 24, "fused"), ints(2, 5, 3, 4, 2), False), ints(2, 0, 3, 1, 4))
    q, k, v = (ops.squeeze(part, ints(0)) for part in ops.split(fused, ops.constant(np.int64(0)), 3).outputs())
    mixed = ops.matmul(ops.softmax(ops.matmul(q, k, False, True), -1), v, False, False)
    return model_of(dense(ops.reshape(ops.transpose(mixed, ints(0, 2, 1, 3)), ints(2, 5, 8), False), 6, "last"))


@net
def sliced_by_steps() -> ov.Model:
    """As TensorFlow writes subscripts: `x[:, :4]`, `x[..., 4:]` of channels last, `x[:, None, :, -3:]`."""
    x = conv(image(), 8, "first")
    first = ops.strided_slice(x, ints(0, 0), ints(0, 4), ints(1, 1), [1, 1], [1, 0])
    last = ops.transpose(x, ints(0, 2, 3, 1))
    last = ops.strided_slice(last, ints(0, 4), ints(0, 0), ints(1, 1), [0, 0], [0, 1], [], [], [1, 0])
    y = ops.multiply(first, ops.sigmoid(ops.transpose(last, ints(0, 3, 1, 2))))
    y = ops.strided_slice(y, ints(0, 0, -3), ints(0, 0, 9), ints(1, 1, 1), [1, 1, 0], [1, 1, 0], [0, 1, 0])
    return model_of(conv(ops.squeeze(y, ints(1)), 4, "last"))


@net
def shape_by_steps() -> ov.Model:
    """As Keras reshapes what it pools: the number of samples is read by a StridedSlice."""
    x = conv(image(batch=-1), 8, "first")
    pooled = ops.reduce_mean(x, ints(2, 3), False)
    count = ops.strided_slice(ops.shape_of(pooled), ints(0), ints(1), ints(1), [0], [0], [], [1])
    shape = ops.concat([ops.unsqueeze(count, ints(0)), ints(8), ints(1, 1)], 0)
    gate = conv(ops.reshape(pooled, shape, False), 8, "gate", kernel=1)
    return model_of(conv(ops.multiply(x, ops.sigmoid(gate)), 4, "last"))


@net
def generator_of_given_lengths() -> ov.Model:
    """As TensorFlow transposes a convolution: it is told the lengths of its output."""
    x = conv(image(), 8, "first")
    x = named(ops.convolution_backprop_data(x, numbers(8, 5, 2, 2), [2, 2], ints(12, 12)), "up")
    return model_of(conv(ops.relu(x), 4, "last"))


@net
def repeated() -> ov.Model:
    """As JAX broadcasts: a gate is repeated to lengths that are computed, a shift to lengths that are told."""
    x = conv(image(batch=-1), 8, "first")
    gate = ops.sigmoid(dense(ops.reduce_mean(x, ints(2, 3), False), 8, "gate"))
    count = ops.gather(ops.shape_of(x), ints(0), ints(0))
    lengths = ops.concat([count, ints(8, 6, 6)], 0)
    x = ops.multiply(x, ops.broadcast(ops.reshape(gate, ints(0, 8, 1, 1), True), lengths))
    x = ops.add(x, ops.broadcast(numbers(8, 1, 1), ints(1, 8, 6, 6)))
    return model_of(conv(x, 4, "last"))


@net
def of_first_versions() -> ov.Model:
    """Operations whose axes were attributes."""
    x = opset2.mvn(conv(image(), 8, "first"), False, True, 1e-3)
    x = opset1.interpolate(x, ints(9, 7), {"axes": [2, 3], "mode": "nearest"})
    return model_of(conv(ops.relu(x), 4, "last"))
