"""If, Loop and Scan, as scripted modules and decoders have them."""

from __future__ import annotations

import numpy as np
from onnx_net import OnnxNet
from registry import onnx_stranger

WIDTH = 12
ROWS = (("batch", 1), WIDTH)


def positive(net: OnnxNet, x: str) -> str:
    """Whether the mean of x is above 0, a scalar."""
    mean = net.with_axes("ReduceMean", x, list(range(2)), keepdims=0)
    return net("Greater", mean, net.number(0))


def branch(net: OnnxNet, name: str, x: str, *weights: str) -> object:
    """A layer over an outer value; its weights are the outer graph's, or its own."""
    with net.body() as close:
        y = net("Relu", net("MatMul", x, weights[0] if weights else net.weight(WIDTH, WIDTH)))
        y = net("Add", y, net.weight(WIDTH))
        return close(name, [], [net.value(y)])


@onnx_stranger(opset=13)
def branches_with_layers(net: OnnxNet) -> None:
    x = net.linear(net.input("x", ROWS), WIDTH, WIDTH)
    y = net("If", positive(net, x), then_branch=branch(net, "then", x), else_branch=branch(net, "else", x))
    net.output(net.linear(y, WIDTH, 5))


@onnx_stranger(opset=16)
def branches_that_share_a_weight(net: OnnxNet) -> None:
    shared = net.weight(WIDTH, WIDTH)
    x = net("MatMul", net.input("x", ROWS), shared)
    bodies = {f"{name}_branch": branch(net, name, x, shared) for name in ("then", "else")}
    net.output(net("Relu", net("If", positive(net, x), **bodies)))


@onnx_stranger(opset=13)
def branches_inside_of_branches(net: OnnxNet) -> None:
    """Three ways, and samples that are clearly on one of them: a sample on the border would change sides in 8 bits."""

    def on_one_side(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(-0.8, 0.8, shape) + rng.choice([-1.0, 1.0, 3.0])

    given = net.input("x", ROWS, on_one_side)
    x = net.linear(given, WIDTH, WIDTH)
    with net.body() as close:
        flag = positive(net, net("Sub", given, net.number(2)))
        y = net("If", flag, then_branch=branch(net, "a", x), else_branch=branch(net, "b", x))
        y = net.linear(y, WIDTH, WIDTH)
        inner = close("outer_then", [], [net.value(y)])
    y = net("If", positive(net, given), then_branch=inner, else_branch=branch(net, "outer_else", x))
    net.output(net("Tanh", y))


@onnx_stranger(opset=13)
def branch_by_number_of_dimensions(net: OnnxNet) -> None:
    """A squeeze only where the axis has length one, as PyTorch's exporter writes it."""
    x = net.conv(net.input("x", (("batch", 1), 3, 8, 8)), 3, WIDTH)
    x = net("GlobalAveragePool", x)
    size = net("Gather", net("Shape", x), net.constant([3]), axis=0)
    flag = net.with_axes("Squeeze", net("Equal", size, net.constant([1])), [0])
    with net.body() as close:
        y = net.with_axes("Squeeze", x, [3])
        squeezed = close("then", [], [net.value(y)])
    with net.body() as close:
        y = net("Identity", x)
        kept = close("else", [], [net.value(y)])
    y = net("If", flag, then_branch=squeezed, else_branch=kept)
    y = net("Reshape", y, net.constant([-1, WIDTH]))
    net.output(net.linear(y, WIDTH, 5))


@onnx_stranger(opset=13)
def convolutions_for_two_rates(net: OnnxNet) -> None:
    """A voice detector: one network for 16000 samples a second, another for 8000."""
    x = net.input("input", (("batch", 1), 1, ("time", 64)))
    rate = net.input("sr", (), lambda rng, shape: np.full(shape, 16000), np.int64)
    bodies = {}
    for name, kernel in (("then_branch", 16), ("else_branch", 8)):
        with net.body() as close:
            y = net("Relu", net("Conv", x, net.weight(WIDTH, 1, kernel), net.weight(WIDTH), strides=[8]))
            y = net("Conv", y, net.weight(WIDTH, WIDTH, 3), net.weight(WIDTH), pads=[1, 1])
            y = net.with_axes("ReduceMean", net("Relu", y), [2], keepdims=0)
            bodies[name] = close(name, [], [net.value(y)])
    y = net("If", net("Equal", rate, net.constant(16000)), **bodies)
    net.output(net("Sigmoid", net.linear(y, WIDTH, 1)))


def loop(net: OnnxNet, x: str, times: str, *, scanned: bool = False) -> tuple[str, ...]:
    """A layer with a residual, again and again over the same weights; bounded, so that few samples tell its range."""
    weight, bias = net.weight(WIDTH, WIDTH, scale=0.2), net.weight(WIDTH)
    with net.body() as close:
        number, going, state = (f"/loop/{part}" for part in ("number", "going", "state"))
        y = net("Tanh", net("Add", state, net("Add", net("MatMul", state, weight), bias)))
        on = net("Identity", going)
        outs = [net.value(on, [], bool), net.value(y)] + ([net.value(net("Identity", y))] if scanned else [])
        given = [net.value(number, [], np.int64), net.value(going, [], bool), net.value(state)]
        body = close("body", given, outs)
    return net("Loop", times, net.constant(True, bool), x, body=body, outs=1 + scanned)


@onnx_stranger(opset=13)
def layer_in_a_loop(net: OnnxNet) -> None:
    y = loop(net, net.linear(net.input("x", ROWS), WIDTH, WIDTH), net.constant(3))
    net.output(net.linear(y, WIDTH, 5))


@onnx_stranger(opset=16)
def loop_as_long_as_asked(net: OnnxNet) -> None:
    times = net.input("steps", (), lambda rng, shape: rng.integers(1, 4, shape), np.int64)
    x = net.linear(net.input("x", ROWS), WIDTH, WIDTH)
    last, _ = loop(net, x, times, scanned=True)
    net.output(net.linear(last, WIDTH, 5))


@onnx_stranger(opset=13)
def loop_that_keeps_every_step(net: OnnxNet) -> None:
    _, steps = loop(net, net.linear(net.input("x", (1, WIDTH)), WIDTH, WIDTH), net.constant(4), scanned=True)
    net.output(net.linear(steps, WIDTH, 5))


@onnx_stranger(opset=16)
def scan_over_time(net: OnnxNet) -> None:
    w, u, b = net.weight(WIDTH, WIDTH), net.weight(WIDTH, WIDTH, scale=0.2), net.weight(WIDTH)
    with net.body() as close:
        state, step = "/scan/state", "/scan/step"
        y = net("Tanh", net("Add", net("Add", net("MatMul", step, w), net("MatMul", state, u)), b))
        kept = net("Identity", y)
        rows = [1, WIDTH]
        body = close(
            "body", [net.value(state, rows), net.value(step, rows)], [net.value(y, rows), net.value(kept, rows)]
        )
    start = net.number(np.zeros((1, WIDTH)))
    last, _ = net("Scan", start, net.input("x", (5, 1, WIDTH)), body=body, num_scan_inputs=1, outs=2)
    net.output(net.linear(last, WIDTH, 5))
