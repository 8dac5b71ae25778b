"""Random graphs quantize, compile and run, and stay within the error that their ranges imply.

The bound is worked out beside the graph, tensor by tensor: a quantizer adds at most half a step and never widens an
error (it projects onto its range, which covers what calibration saw); a weighted layer passes the error of its input on
times the sum of its weights' magnitudes, and adds what its weights are off by times the largest input.
"""

from unittest import mock

import numpy as np
import openvino as ov
import pytest
from graph_models import named
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from networks import snapshot
from openvino import opset1
from openvino import opset13 as ops

import autoq
import autoq.calibration.collecting._batches as batches
from autoq.calibration import as_inputs
from autoq.core import Plan, Preset, RangeEstimator, Recipe
from autoq.graph import Placements, unique_names

CHANNELS = 4
SIZE = 6
KINDS = ["conv", "pointwise", "depthwise", "shared", "relu", "clamp", "pool", "scale", "residual", "concat", "split"]


@st.composite
def graphs(draw):
    """A model, its calibration data, and whether its spatial size is open."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    dynamic = draw(st.booleans())
    size = -1 if dynamic else SIZE
    inputs = [ops.parameter([1, CHANNELS, size, size], np.float32, f"x{i}") for i in range(draw(st.integers(1, 2)))]
    for index, parameter in enumerate(inputs):
        parameter.set_friendly_name(f"x{index}")
        parameter.output(0).tensor.set_names({f"x{index}"})
    shared = ops.constant(rng.normal(0, 0.3, (CHANNELS, CHANNELS, 1, 1)).astype(np.float32))
    tensors = list(inputs)
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=9))):
        source = tensors[draw(st.integers(max(0, len(tensors) - 3), len(tensors) - 1))]
        other = tensors[draw(st.integers(0, len(tensors) - 1))]
        tensors.append(named(layer(kind, source, other, shared, rng), f"{kind}_{number}"))
    head = named(layer("pointwise", tensors[-1], None, shared, rng), "head")
    outputs = [head] if draw(st.booleans()) else [head, tensors[-1]]
    model = ov.Model([ops.result(output) for output in outputs], inputs, "random")
    data = [
        {f"x{i}": rng.normal(0, 1, (1, CHANNELS, SIZE, SIZE)).astype(np.float32) for i in range(len(inputs))}
        for _ in range(3)
    ]
    return model, data


def layer(kind, x, other, shared, rng):
    """One layer that keeps the shape."""

    def weight(*shape):
        return rng.normal(0, 0.3, shape).astype(np.float32)

    def convolution(source, value, pad=0):
        return ops.convolution(source, value, [1, 1], [pad, pad], [pad, pad], [1, 1])

    def swapped_halves():
        halves = ops.split(x, ops.constant(1), 2)
        return ops.concat([halves.output(1), halves.output(0)], 1)

    same = ([1, 1], [1, 1], [1, 1], [1, 1])
    kinds = {
        "conv": lambda: ops.add(convolution(x, weight(CHANNELS, CHANNELS, 3, 3), 1), weight(1, CHANNELS, 1, 1)),
        "pointwise": lambda: convolution(x, weight(CHANNELS, CHANNELS, 1, 1)),
        "depthwise": lambda: ops.group_convolution(x, weight(CHANNELS, 1, 1, 3, 3), *same),
        "shared": lambda: convolution(x, shared),
        "relu": lambda: ops.relu(x),
        "clamp": lambda: ops.clamp(x, -0.5, 1.5),
        "pool": lambda: opset1.max_pool(x, [1, 1], [1, 1], [1, 1], [3, 3]),
        "scale": lambda: ops.multiply(x, np.float32([[[[0.7]]]])),
        "residual": lambda: ops.add(x, other),
        "concat": lambda: convolution(ops.concat([x, other], 1), weight(CHANNELS, 2 * CHANNELS, 1, 1)),
        "split": swapped_halves,
    }
    return kinds[kind]()


def run(model, data, *, integers=True):
    settings_ = {"INFERENCE_PRECISION_HINT": "f32"}
    if not integers:
        settings_["LP_TRANSFORMS_MODE"] = "NO"
    compiled = ov.Core().compile_model(model, "CPU", settings_)
    return [[np.array(value) for value in compiled(feed).values()] for feed in data]


def wired(op):
    """Producers of an operation's inputs."""
    return [value.get_node().get_friendly_name() for value in op.input_values()]


class Bound:
    """Largest possible error of every tensor of a quantized model."""

    def __init__(self, model, data, plan, placements, statistics):
        self.nodes = unique_names(model)
        self.name = {op.get_name(): name for name, op in self.nodes.items()}
        builder = autoq.transform.CandidateBuilder(model, placements, statistics)
        self.steps = {}
        for quantizer in builder.resolve(plan).quantizers:
            limits = quantizer.numbers
            half = np.max((limits.high - limits.low) / (limits.levels - 1)) / 2
            for edge in quantizer.consumers:
                self.steps[edge] = half
        clone = model.clone()
        outputs = [
            op.output(0) for op in unique_names(clone).values() if op.get_type_name() not in {"Constant", "Result"}
        ]
        names = [name for name, op in self.nodes.items() if op.get_type_name() not in {"Constant", "Result"}]
        values = run(ov.Model([ops.result(output) for output in outputs], clone.get_parameters()), data)
        self.largest = dict(zip(names, np.max([[np.abs(v).max() for v in row] for row in values], axis=0), strict=True))
        self.error = {}
        for name in self.nodes:
            self.error[name] = self.of(name)

    def arriving(self, name, port):
        source = self.nodes[name].input_value(port).get_node()
        return self.error[self.name[source.get_name()]] + self.steps.get((name, port), 0.0)

    def of(self, name):
        op = self.nodes[name]
        kind = op.get_type_name()
        if kind in {"Parameter", "Constant"}:
            return 0.0
        if kind in {"Convolution", "GroupConvolution"}:
            source = self.name[op.input_value(0).get_node().get_name()]
            weight = np.abs(op.input_value(1).get_node().data)
            if kind == "GroupConvolution":
                weight = weight.reshape(-1, *weight.shape[2:])
            half = self.steps.get((name, 1), 0.0)
            rows = weight.reshape(len(weight), -1).sum(axis=1).max()
            taps = weight[0].size
            arriving = self.arriving(name, 0)
            return (rows + taps * half) * arriving + taps * half * self.largest[source]
        if kind == "Add":
            return self.arriving(name, 0) + self.arriving(name, 1)
        if kind == "Multiply":
            return 0.7 * self.arriving(name, 0)
        return max(self.arriving(name, port) for port in range(len(op.inputs())))


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_statistics_are_the_same_several_samples_at_a_time(case):
    model, (first, *_) = case
    note(f"{[(op.get_friendly_name(), wired(op)) for op in model.get_ordered_ops()]}")
    data = [{name: array * (1 + number / 8) for name, array in first.items()} for number in range(9)]
    placements, inputs = Placements.of(model), as_inputs(model, data)
    tables, inferences = [], []
    for cores in (1, 64):  # with as many cores as that, samples are not worth running together
        done = []
        with mock.patch.object(batches, "cpu_count", return_value=cores):
            collected = autoq.collect(
                model, placements, inputs, progress=lambda *counts, done=done: done.append(counts)
            )
        tables.append(collected.table)
        inferences.append(len(done))
    assert inferences[1] == 9
    # Where OpenVINO merges equal operations of a model that is given shapes, the names of some are lost.
    assume(inferences[0] == 5)
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4, atol=1e-5)


def check_quantized(case, preset):
    model, data = case
    note(f"{[(op.get_friendly_name(), wired(op)) for op in model.get_ordered_ops()]}")
    before = snapshot(model)
    arguments = {
        "preset": str(preset),
        "range_estimator": "min_max",
        "bias_correction": False,
        "overflow_fix": "enable",  # else CPUs without VNNI saturate
        "progress": False,
    }
    quantized = autoq.quantize(model, data, **arguments)
    assert snapshot(model) == before
    assert snapshot(autoq.quantize(model, data, **arguments)) == snapshot(quantized)
    assert all(np.isfinite(value).all() for row in run(quantized, data) for value in row)
    # OpenVINO 2026.4 loses the scale of some integer layers whose output is also an output of the model, whoever
    # quantized it; the quantizers themselves are what is tested here.
    expected, actual = run(model, data), run(quantized, data, integers=False)
    placements = Placements.of(model)
    plan = Plan.quantized(
        Recipe(
            preset=preset,
            range_estimator=RangeEstimator.MIN_MAX,
            bias_correction="none",
            overflow_fix=autoq.core.OverflowFix.ENABLE,
        )
    )
    statistics = autoq.collect(model, placements, as_inputs(model, data))
    bound = Bound(model, data, plan, placements, statistics)
    for port, result in enumerate(model.get_results()):
        allowed = bound.error[bound.name[result.input_value(0).get_node().get_name()]]
        off = max(np.abs(a[port] - e[port]).max() for a, e in zip(actual, expected, strict=True))
        assert off <= allowed * (1 + 1e-3) + 1e-4


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.sampled_from(Preset))
def test_random_graphs(case, preset):
    check_quantized(case, preset)


@pytest.mark.slow
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.sampled_from(Preset))
def test_many_random_graphs(case, preset):
    check_quantized(case, preset)
