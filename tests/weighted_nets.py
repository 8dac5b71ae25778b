"""Models with weights of all kinds, wide enough for groups."""

from collections.abc import Callable

import numpy as np
import openvino as ov
from graph_models import built, named
from openvino import opset13 as ops

NETS: dict[str, Callable[[], ov.Model]] = {}


def net(build: Callable[[], ov.Model]) -> Callable[[], ov.Model]:
    NETS[build.__name__] = build
    return build


def numbers(*shape: int, scale: float = 0.3) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, scale, shape).astype(np.float32)


def held(value: np.ndarray, name: str, kind: str = "f32") -> ov.Node:
    """A constant in a type, as a float32 value."""
    if kind == "f32":
        return named(ops.constant(value), name)
    stored = ops.constant(value, dtype=getattr(ov.Type, kind))
    return named(ops.convert(named(stored, f"{name}_compressed"), "f32"), name)


def product(
    x: ov.Node | ov.Output, value: np.ndarray, name: str, kind: str = "f32", *, transposed: bool = True
) -> ov.Node:
    return named(ops.matmul(x, held(value, f"{name}/w", kind), False, transposed), name)


def decoder(kind: str, *, tied: bool, inner: int = 64) -> ov.Model:
    ids = ops.parameter([-1, -1], np.int64, name="ids")
    table = held(numbers(80, 64), "table", kind)
    x = named(ops.gather(table, ids, ops.constant(0)), "embedding")
    for block in range(3):
        up = product(x, numbers(inner, 64) * (block + 1), f"block_{block}/up", kind)
        gate = product(x, numbers(64, inner) * 2, f"block_{block}/gate", kind, transposed=False)
        y = named(ops.multiply(named(ops.swish(gate), f"block_{block}/act"), up), f"block_{block}/mul")
        down = product(y, numbers(64, inner, scale=0.05 * (block + 1)), f"block_{block}/down", kind)
        x = named(ops.add(x, down), f"block_{block}/sum")
    head = table if tied else held(numbers(80, 64, scale=0.2), "head/w", kind)
    return built([named(ops.matmul(x, head, False, True), "head")], [ids])


@net
def decoder_single() -> ov.Model:
    return decoder("f32", tied=False)


@net
def decoder_half() -> ov.Model:
    return decoder("f16", tied=False)


@net
def decoder_brain() -> ov.Model:
    return decoder("bf16", tied=True)


@net
def decoder_tied() -> ov.Model:
    return decoder("f32", tied=True)


@net
def decoder_odd() -> ov.Model:
    return decoder("f16", tied=False, inner=99)


@net
def two_heads() -> ov.Model:
    x = ops.parameter([-1, 64], np.float32, name="x")
    y = product(x, numbers(160, 64), "body")
    return built([product(y, numbers(8, 160), "second"), product(y, numbers(160, 4), "first", transposed=False)], [x])


@net
def experts() -> ov.Model:
    x = ops.parameter([4, -1, 64], np.float32, name="x")
    y = product(x, numbers(4, 96, 64), "up", "f16")
    y = product(named(ops.relu(y), "relu"), numbers(4, 96, 64), "down", transposed=False)
    return built([product(y, numbers(32, 64), "head")], [x])


@net
def convolutions() -> ov.Model:
    x = ops.parameter([1, 8, 8, 8], np.float32, name="image")
    y = named(ops.convolution(x, held(numbers(16, 8, 3, 3), "conv/w"), [1, 1], [1, 1], [1, 1], [1, 1]), "conv")
    weight = held(numbers(16, 1, 1, 3, 3), "depthwise/w", "f16")
    y = named(ops.group_convolution(y, weight, [1, 1], [1, 1], [1, 1], [1, 1]), "depthwise")
    y = named(ops.convolution_backprop_data(y, held(numbers(16, 4, 2, 2), "up/w"), [2, 2]), "up")
    y = named(ops.reshape(y, ops.constant(np.array([1, -1, 64])), special_zero=False), "rows")
    return built([product(product(y, numbers(32, 64), "fc"), numbers(10, 32), "head")], [x])


@net
def extremes() -> ov.Model:
    x = ops.parameter([-1, 64], np.float32, name="x")
    empty = numbers(64, 64)
    empty[:, :32] = 0
    for name, value in {
        "tiny": numbers(64, 64, scale=1e-6),
        "huge": numbers(64, 64, scale=1e4),
        "empty": empty,
        "nothing": np.zeros((64, 64), np.float32),
        "positive": np.abs(numbers(64, 64)) + 1,
        "head": numbers(64, 64),
    }.items():
        x = product(x, value, name)
    return built([x], [_first(x)])


def _first(node: ov.Node) -> ov.Node:
    while node.get_type_name() != "Parameter":
        node = node.input_value(0).get_node()
    return node


@net
def wide() -> ov.Model:
    """Weights of 10,000 numbers and more, which NNCF computes by OpenVINO."""
    x = ops.parameter([-1, 192], np.float32, name="x")
    y = product(x, numbers(192, 192), "first")
    y = product(y, numbers(256, 192, scale=0.01), "second", "f16")
    return built([product(y, numbers(256, 128), "head", transposed=False)], [x])
