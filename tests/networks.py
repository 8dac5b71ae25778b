"""Small models for tests, built with OpenVINO's own operations."""

from collections.abc import Iterable

import numpy as np
import openvino as ov
from openvino import opset13 as ops

RNG_SEED = 7


def conv_net(
    *,
    channels: int = 4,
    size: int = 8,
    classes: int = 3,
    batch: int = 1,
    kernel: int = 3,
    depthwise: bool = True,
    seed: int = RNG_SEED,
) -> ov.Model:
    """image [batch, 3, size, size] -> conv+bias+relu -> (depthwise+bias+relu) -> conv+bias -> add -> pool -> logits."""
    rng = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    def conv(x: ov.Node | ov.Output, *shape: int, name: str) -> ov.Node:
        op = ops.group_convolution if len(shape) == 3 else ops.convolution
        same = [kernel // 2] * 2
        y = op(x, weight(*shape, kernel, kernel), [1, 1], same, same, [1, 1])
        return _biased(y, weight(1, channels, 1, 1), name)

    image = ops.parameter([batch, 3, size, size], np.float32, "image")
    image.set_friendly_name("image")
    image.output(0).tensor.set_names({"image"})
    stem = ops.relu(conv(image, channels, 3, name="conv_1"))
    stem.set_friendly_name("relu_1")
    x = stem
    if depthwise:
        x = ops.relu(conv(x, channels, 1, 1, name="depthwise"))
        x.set_friendly_name("relu_2")
    x = conv(x, channels, channels, name="conv_2")
    x = ops.add(x, stem)
    x.set_friendly_name("residual")
    x = ops.reduce_mean(x, np.array([2, 3]), keep_dims=False)
    x.set_friendly_name("pool")
    x = _biased(ops.matmul(x, weight(classes, channels), False, True), weight(1, classes), "head")
    result = ops.result(x)
    model = ov.Model([result], [image], "conv_net")
    model.outputs[0].tensor.set_names({"logits"})
    return model


def scaled_net(**net: int) -> ov.Model:
    """`conv_net` of any batch, times an input without axes, "scale"."""
    model = conv_net(**net)
    model.reshape({"image": [-1, *model.input("image").partial_shape[1:]]})
    scale = ops.parameter([], np.float32, "scale")
    scale.output(0).tensor.set_names({"scale"})
    scaled = ops.multiply(model.output(0).get_node().input_value(0), scale)
    scaled.output(0).tensor.set_names({"scaled"})
    return ov.Model([ops.result(scaled)], [*model.get_parameters(), scale], "scaled_net")


def scaled_images(count: int) -> list[dict[str, np.ndarray]]:
    """Inputs of `scaled_net`."""
    return [{"image": image[None], "scale": np.float32(1 + place % 3)} for place, image in enumerate(images(count))]


def memory_net(*, seed: int = RNG_SEED) -> ov.Model:
    """frame [1, 8] -> linear layer of the frame and a state [1, 8], which the sum replaces and outgrows -> [1, 3]."""
    rng = np.random.default_rng(seed)
    frame = ops.parameter([1, 8], np.float32, "frame")
    frame.set_friendly_name("frame")
    frame.output(0).tensor.set_names({"frame"})
    state = ops.read_value(ops.constant(np.zeros((1, 8), np.float32)), "state", np.float32, [1, 8])
    state.set_friendly_name("state")
    both = ops.concat([frame, state], 1)
    x = ops.relu(
        _biased(
            ops.matmul(both, rng.normal(0, 0.5, (16, 8)).astype(np.float32), False, False),
            np.ones((1, 8), np.float32),
            "cell",
        )
    )
    grown = ops.add(ops.multiply(state, np.float32(1.1)), x)
    grown.set_friendly_name("grown")
    scores = _biased(
        ops.matmul(grown, rng.normal(0, 0.5, (8, 3)).astype(np.float32), False, False),
        np.ones((1, 3), np.float32),
        "head",
    )
    return ov.Model([ops.result(scores)], [ops.assign(grown, "state")], [frame], "memory_net")


def token_net(*, width: int = 8, tied: bool = False, seed: int = RNG_SEED) -> ov.Model:
    """tokens [1, ?] -> embedding -> two linear layers around a GELU -> scores [1, ?, 2]; channels of uneven size.

    With `tied`, a language model: the second layer gives [1, ?, width], and the embedding table gives scores [1, ?,
    16].
    """
    rng = np.random.default_rng(seed)
    tokens = ops.parameter([1, -1], np.int64, "tokens")
    tokens.set_friendly_name("tokens")
    tokens.output(0).tensor.set_names({"tokens"})
    table = ops.constant((rng.normal(0, 1, (16, width)) * np.logspace(-1, 1, width)).astype(np.float32))
    x = ops.gather(table, tokens, 0)
    x.set_friendly_name("embedding")
    x = ops.mvn(x, np.array([-1]), True, 1e-5, "inside_sqrt")
    x.set_friendly_name("norm")
    x = ops.multiply(x, np.logspace(-1, 1, width).astype(np.float32).reshape(1, 1, width))
    x.set_friendly_name("spread")
    first = ops.matmul(x, rng.normal(0, 0.5, (2 * width, width)).astype(np.float32), False, True)
    x = _biased(first, rng.normal(0, 0.1, (1, 1, 2 * width)).astype(np.float32), "up")
    x = ops.gelu(x, "erf")
    x.set_friendly_name("gelu")
    out = width if tied else 2
    second = ops.matmul(x, rng.normal(0, 0.5, (out, 2 * width)).astype(np.float32), False, True)
    x = _biased(second, rng.normal(0, 0.1, (1, 1, out)).astype(np.float32), "down")
    if tied:
        x = ops.matmul(x, table, False, True)
        x.set_friendly_name("scores")
    return ov.Model([ops.result(x)], [tokens], "token_net")


def _biased(op: ov.Node, bias: np.ndarray, name: str) -> ov.Node:
    op.set_friendly_name(name)
    add = ops.add(op, bias)
    add.set_friendly_name(f"{name}_bias")
    return add


def images(count: int, *, size: int = 8, seed: int = 0) -> np.ndarray:
    """Random images [count, 3, size, size]."""
    return np.random.default_rng(seed).normal(0.3, 1, (count, 3, size, size)).astype(np.float32)


def run(model: ov.Model, *inputs: np.ndarray) -> np.ndarray:
    """First output in f32."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(list(inputs))[0])


def rows(model: ov.Model, data: Iterable[np.ndarray]) -> np.ndarray:
    """First output in f32 of each sample by itself, joined along its first axis; compiled once."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([np.array(compiled([x[None]])[0]) for x in data])


def snapshot(model: ov.Model) -> list[tuple[object, ...]]:
    """Everything of a model that a rewrite could change: names, types, edges, constants."""
    found = []
    for op in model.get_ordered_ops():
        data = op.data.tobytes() if op.get_type_name() == "Constant" else repr(sorted(op.get_attributes().items()))
        sources = tuple((v.get_node().get_friendly_name(), v.get_index()) for v in op.input_values())
        found.append((op.get_friendly_name(), op.get_type_name(), sources, data))
    return found
