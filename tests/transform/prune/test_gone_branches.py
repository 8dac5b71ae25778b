"""Blocks that only add to a residual stream may go as a whole: their mean is left."""

from collections.abc import Callable

import numpy as np
import openvino as ov
import pytest
from channel_nets import SAME, conv, data, dense, grouped, ignoring, image, ints, model_of, named, numbers
from networks import snapshot
from openvino import opset13 as ops

import autoq
from autoq.calibration import as_inputs, collected_grams
from autoq.graph import ChannelGraph, find_channels, unique_names
from autoq.transform import (
    Prunable,
    kept_counts,
    pruned_at_once,
    remove_channels,
    removed_channels,
    repair_in_turn,
    without_inner,
)

NETS = {}


def net(build):
    NETS[build.__name__] = build
    return build


@net
def two_blocks() -> ov.Model:
    """An inverted residual with a gate, and a plain one behind it."""
    x = conv(image(), 8, "stem")
    y = grouped(ops.relu(conv(x, 12, "expand", kernel=1)), 12, 1, "depthwise")
    gate = ops.relu(conv(ops.reduce_mean(y, ints(2, 3), True), 4, "squeeze", kernel=1))
    y = ops.multiply(y, ops.sigmoid(conv(gate, 12, "excite", kernel=1)))
    x = ops.add(x, conv(y, 8, "project", kernel=1))
    x = ops.relu(ops.add(conv(ops.relu(conv(x, 6, "inner")), 8, "outer", bias=False), x))
    return model_of(conv(x, 4, "last"))


@net
def two_sides() -> ov.Model:
    """A sum of two branches of one input: one of them must stay."""
    x = ops.relu(conv(image(), 8, "stem"))
    left = conv(ops.relu(conv(x, 6, "left")), 8, "of_left")
    right = conv(ops.relu(conv(x, 4, "right")), 8, "of_right")
    return model_of(conv(ops.relu(ops.add(left, right)), 4, "last"))


def _gated(batch: int, shape: Callable[[ov.Node], ov.Node]) -> ov.Model:
    """A gate of matrix products, whose numbers get the shape of images again."""
    x = ops.relu(conv(image(batch=batch), 8, "stem"))
    gate = ops.relu(dense(ops.reduce_mean(x, ints(2, 3), False), 4, "squeeze"))
    gate = ops.sigmoid(dense(gate, 8, "excite"))
    return model_of(conv(ops.multiply(x, ops.reshape(gate, shape(x), False)), 4, "last"))


@net
def gate_of_products() -> ov.Model:
    return _gated(2, lambda _: ints(2, 8, 1, 1))


@net
def gate_of_the_shape_of_its_input() -> ov.Model:
    return _gated(-1, lambda x: ops.concat([ops.gather(ops.shape_of(x), ints(0), ops.constant(0)), ints(8, 1, 1)], 0))


@net
def beside_others() -> ov.Model:
    """The layer behind a group reads other channels as well: it must stay."""
    x = ops.relu(conv(image(), 8, "stem"))
    y = ops.concat([ops.relu(conv(x, 4, "new")), x], 1)
    return model_of(conv(ops.add(x, conv(y, 8, "of_both")), 4, "last"))


@net
def halves() -> ov.Model:
    """A block of a bottleneck whose weights are stored in half precision."""

    def half(x: ov.Node, width: int, read: int, kernel: int, name: str) -> ov.Node:
        weight = ops.convert(ops.constant(numbers(width, read, kernel, kernel).astype(np.float16)), "f32")
        made = named(ops.convolution(x, weight, *SAME) if kernel == 3 else ops.convolution(x, weight, *ONE), name)
        return ops.add(made, ops.convert(ops.constant(numbers(1, width, 1, 1).astype(np.float16)), "f32"))

    x = ops.relu(conv(image(), 8, "stem"))
    y = ops.relu(half(ops.relu(half(x, 4, 8, 1, "down")), 6, 4, 3, "middle"))
    return model_of(conv(ops.relu(ops.add(x, half(y, 8, 6, 1, "up"))), 4, "last"))


@net
def perceptron() -> ov.Model:
    x = dense(ops.reshape(image(), ints(-1, 36, 3), False), 8, "first")
    x = ops.add(dense(ops.gelu(dense(x, 16, "hidden"), "erf"), 8, "back"), x)
    return model_of(dense(ops.reduce_mean(x, ints(1), False), 4, "last"))


ONE = ([1, 1], [0, 0], [0, 0], [1, 1])
BRANCHES = {
    "two_blocks": {"expand": {"project"}, "squeeze": {"excite"}, "inner": {"outer"}},
    "two_sides": {"left": {"of_left"}},
    "gate_of_products": {"squeeze": {"excite"}},
    "gate_of_the_shape_of_its_input": {"squeeze": {"excite"}},
    "beside_others": {},
    "halves": {"middle": {"up"}},
    "perceptron": {"hidden": {"back"}},
}


def run(model: ov.Model, *values: np.ndarray) -> np.ndarray:
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(list(values))[0]


def whole(graph: ChannelGraph, *names: str) -> list[int]:
    return [number for group in graph.groups if group.name in names for number in group.channels]


@pytest.mark.parametrize("name", NETS)
def test_groups_that_only_add_to_a_stream_can_go(name):
    graph = find_channels(autoq.read_model(NETS[name]()))
    found = {group.name: {end.op for end in group.branch.exits} for group in graph.groups if group.branch is not None}
    assert found == BRANCHES[name]


@pytest.mark.parametrize("name", [name for name, branches in BRANCHES.items() if branches])
def test_without_a_branch_the_model_is_the_one_that_ignores_it(name):
    model = autoq.read_model(NETS[name]())
    before, graph = snapshot(model), find_channels(model)
    rng = np.random.default_rng(len(name))
    for names in [*([own] for own in BRANCHES[name]), list(BRANCHES[name])]:
        # Channels of others go as well.
        narrower = [n for g in graph.groups for n in rng.permutation(g.channels)[: len(g.channels) // 3].tolist()]
        removed = sorted({*whole(graph, *names), *narrower})
        pruned = remove_channels(model, graph, removed)
        values = data(model, seed=3)
        expected = run(ignoring(model, graph, removed), *values)
        np.testing.assert_allclose(run(pruned, *values), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
        gone = {op for group in graph.groups if group.name in names for op in group.branch.ops}
        assert unique_names(model).keys() >= gone
        assert not gone & unique_names(pruned).keys()
        # What the formula says of multiplications is what the shapes of the layers that are left say.
        again = find_channels(autoq.read_model(pruned))
        products = [sum(layer.products for layer in each.layers) for each in (again, graph)]
        assert products[0] / products[1] == pytest.approx(graph.products_left(removed))
    assert snapshot(model) == before


def test_a_block_that_is_named_as_another_stays():
    x = ops.relu(conv(image(), 8, "stem"))
    x = ops.add(x, conv(ops.relu(conv(x, 6, "inner")), 8, "outer"))
    x = ops.add(x, conv(ops.relu(conv(x, 6, "further")), 8, "outer"))
    graph = find_channels(model_of(conv(x, 4, "last")))
    assert [group.name for group in graph.groups if group.branch is not None] == []


@pytest.mark.parametrize("name", ["perceptron", "halves", "two_blocks", "gate_of_products"])
def test_the_mean_of_a_branch_is_left(name):
    model = autoq.read_model(NETS[name]())
    samples = [data(model, seed=n)[0] for n in range(12)]
    prunable = Prunable.of(model)
    graph = prunable.graph
    (group,) = [one for one in graph.groups if one.name == next(iter(BRANCHES[name]))]
    (end,) = group.branch.exits
    every = prunable.activations.values()
    with collected_grams(model, every, as_inputs(model, np.concatenate(samples)), products=every) as grams:
        parts = prunable.model, graph, group.channels
        pruned = pruned_at_once(*parts, prunable.activations, grams)
    # OpenVINO's own execution tells what the branch adds.
    ((_, (added, port)),) = end.ends
    nodes = unique_names(model)
    ends = ov.Model([ops.result(nodes[added].input_value(port))], model.get_parameters(), "branch")
    axis = graph.layer[end.op].output_axis
    axes = tuple(place for place in range(len(nodes[added].get_output_partial_shape(0))) if place != axis)
    expected = np.mean([run(ends, value).mean(axis=axes) for value in samples], axis=0)
    constant = unique_names(pruned)[added].input_value(port).get_node()
    kept = constant.input_value(0).get_node() if constant.get_type_name() == "Convert" else constant
    np.testing.assert_allclose(kept.data.ravel().astype(np.float32), expected, rtol=2e-3, atol=2e-3)
    assert kept.get_element_type() == (ov.Type.f16 if name == "halves" else ov.Type.f32)


def test_layers_behind_a_branch_make_up_for_it():
    model = autoq.read_model(two_blocks())
    samples, (value,) = [data(model, seed=n)[0] for n in range(60)], data(model, seed=99)
    prunable, expected = Prunable.of(model), run(model, value)
    removed = whole(prunable.graph, "expand")
    every, inputs = prunable.activations.values(), as_inputs(model, np.concatenate(samples))
    with collected_grams(model, every, inputs, products=every) as grams:
        bare = remove_channels(prunable.model, prunable.graph, removed)
        errors = [np.square(run(bare, value) - expected).mean()]
        parts = prunable.model, prunable.graph, removed
        bare = pruned_at_once(*parts, prunable.activations, grams)
        errors.append(np.square(run(bare, value) - expected).mean())
        repair_in_turn(bare, prunable.model, prunable.graph, removed, inputs)
        errors.append(np.square(run(bare, value) - expected).mean())
    assert errors[2] < 0.8 * errors[1]
    assert errors[1] < errors[0]


def test_a_layer_beside_a_branch_makes_up_for_it_though_it_reads_all_of_its_channels():
    """As the projection beside the first block of a stage: its sum is with a constant then."""
    model = autoq.read_model(two_sides())
    samples, (value,) = [data(model, seed=n)[0] for n in range(60)], data(model, seed=99)
    prunable, expected = Prunable.of(model), run(model, value)
    removed = [*whole(prunable.graph, "left"), *prunable.graph.groups[0].channels[:2]]
    every, inputs = prunable.activations.values(), as_inputs(model, np.concatenate(samples))
    with collected_grams(model, every, inputs, products=every) as grams:
        parts = prunable.model, prunable.graph, removed
        pruned = pruned_at_once(*parts, prunable.activations, grams)
    before = np.square(run(pruned, value) - expected).mean()
    repair_in_turn(pruned, prunable.model, prunable.graph, removed, inputs)
    assert np.square(run(pruned, value) - expected).mean() < 0.9 * before


def test_what_is_inside_of_a_block_goes_with_it():
    graph = find_channels(autoq.read_model(NETS["two_blocks"]()))
    assert kept_counts(graph, 1.0, 1) == {"stem": (8,), "expand": (0,), "squeeze": (0,), "inner": (0,)}
    every = {"stem": (8,), "expand": (0,), "squeeze": (4,), "inner": (0,)}
    inside = without_inner(graph, every)
    assert inside == {**every, "squeeze": (0,)}
    assert without_inner(graph, {**every, "expand": (12,)}) == {**every, "expand": (12,)}
    scores = {group.name: np.zeros(len(group.channels)) for group in graph.groups}
    removed = removed_channels(graph, inside, scores)
    assert sorted(removed) == sorted(whole(graph, "expand", "squeeze", "inner"))
    assert remove_channels(autoq.read_model(NETS["two_blocks"]()), graph, removed).get_results()
