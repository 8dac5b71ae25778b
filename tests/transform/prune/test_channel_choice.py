"""How many channels go, and which."""

from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from channel_nets import NETS, conv, data, dense, grouped, image, model_of, tokens
from openvino import opset13 as ops

import autoq
from autoq.calibration import as_inputs, collected_grams
from autoq.core import PlanError
from autoq.graph import ChannelGroup, find_channels, unique_names
from autoq.transform import (
    counts_for_products,
    distances,
    interpolative_scores,
    kept_counts,
    magnitudes,
    pruned_at_once,
    read_activations,
    remove_channels,
    removed_channels,
)

# Width, channels that go one by one, channels of each, ratio, multiple: channels that stay.
COUNTS = [
    (64, 64, 1, 0.25, 8, 48),
    (64, 64, 1, 0.25, 1, 48),
    (16, 16, 1, 0.25, 8, 16),  # 12 is as near to 8: the wider one
    (16, 16, 1, 0.3, 8, 8),
    (6, 6, 1, 0.5, 8, 6),  # no multiple fits
    (8, 8, 1, 0.9, 8, 8),
    (20, 20, 1, 0.25, 8, 16),
    (384, 12, 32, 0.25, 8, 9),  # heads
    (36, 12, 3, 0.25, 8, 8),  # heads of odd length: 24
    (10, 4, 1, 0.5, 8, 2),  # six channels stay in any case
    (512, 512, 1, 0.999, 8, 8),
]


@pytest.mark.parametrize(("width", "count", "each", "ratio", "multiple", "kept"), COUNTS)
def test_widths_are_the_nearest_multiples(width, count, each, ratio, multiple, kept):
    group = ChannelGroup("a", ("a",), ("b",), (tuple(range(count)),), width, each)
    graph = find_channels(NETS["chain"]())
    counts = kept_counts(type(graph)((group,), (), (), {}, {}), ratio, multiple)
    assert counts == {"a": (kept,)}


def test_each_half_of_a_split_keeps_its_share():
    graph = find_channels(NETS["split"]())
    group = graph.groups[0]
    assert group.parts == (group.channels[:4], group.channels[4:])
    counts = kept_counts(graph, 0.5, 2)
    assert counts["first"] == (2, 2)
    scores = {one.name: np.arange(float(len(one.channels))) for one in graph.groups}
    gone = removed_channels(graph, counts, scores)
    assert set(gone) >= {*group.channels[:2], *group.channels[4:6]}


def products(model: ov.Model) -> int:
    """Multiplications of convolutions and matrix products, by the shapes of a static model."""
    total = 0
    for op in model.get_ops():
        if op.get_type_name() in {"Convolution", "GroupConvolution", "MatMul"}:
            after, weight = list(op.get_output_shape(0)), list(op.get_input_shape(1))
            channels = after[-1] if op.get_type_name() == "MatMul" else after[1]
            total += int(np.prod(after)) // channels * int(np.prod(weight))
    return total


@pytest.mark.parametrize("name", ["residual", "depthwise", "groups_of_channels", "concatenated", "flattened"])
def test_the_share_of_multiplications_is_that_of_the_shapes(name):
    model = autoq.read_model(NETS[name]())
    graph = find_channels(model)
    for left in (0.8, 0.5):
        counts = counts_for_products(graph, left, 1)
        removed = removed_channels(graph, counts, magnitudes(model, graph))
        share = products(remove_channels(model, graph, removed)) / products(model)
        assert share == pytest.approx(graph.products_left(removed))
        assert left - 0.35 < share <= left
    with pytest.raises(PlanError, match=r"macs is 0\.001: at least 0"):
        counts_for_products(graph, 0.001, 1)


def test_norms_and_distances_are_over_all_layers_that_make_a_channel():
    x = conv(image(), 6, "first")
    x = grouped(ops.add(x, conv(image(), 6, "second")), 6, 2, "doubling")
    model = autoq.read_model(model_of(conv(x, 4, "last")))
    graph = find_channels(model)
    (group,) = graph.groups
    assert group.producers == ("first", "second", "doubling")
    nodes = unique_names(model)
    weights = [nodes[op].input_value(1).get_node().data for op in group.producers]
    rows = np.concatenate([weight.reshape(6, -1) for weight in weights], 1).astype(np.float64)
    np.testing.assert_allclose(magnitudes(model, graph)["first"], np.linalg.norm(rows, axis=1))
    apart = np.linalg.norm(rows[:, None] - rows, axis=2).sum(1)
    np.testing.assert_allclose(distances(model, graph)["first"], apart, rtol=1e-6)


def test_heads_are_compared_by_all_their_rows():
    model = autoq.read_model(NETS["fused_heads"]())
    graph, nodes = find_channels(model), unique_names(model)
    rows = np.concatenate(
        [nodes[op].input_value(1).get_node().data.reshape(4, -1) for op in ("query", "key", "value")], 1
    ).astype(np.float64)
    np.testing.assert_allclose(magnitudes(model, graph)["query"], np.linalg.norm(rows, axis=1))
    apart = np.linalg.norm(rows[:, None] - rows, axis=2).sum(1)
    np.testing.assert_allclose(distances(model, graph)["query"], apart, rtol=1e-6)


def test_equal_scores_keep_the_first_channels():
    graph = find_channels(NETS["chain"]())
    (group,) = graph.groups
    assert removed_channels(graph, {"first": (3,)}, {"first": np.ones(8)}) == list(group.channels[3:])


def test_the_channel_that_those_before_span_least_is_next():
    model = autoq.read_model(model_of(dense(ops.relu(dense(tokens(), 10, "up")), 4, "down")))
    graph = find_channels(model)
    activations = read_activations(model, graph)
    samples = [data(model, seed=seed)[0] for seed in range(12)]
    inputs = as_inputs(model, samples)
    with collected_grams(model, activations.values(), inputs, products=activations.values()) as grams:
        scores = interpolative_scores(model, graph, activations, grams)["up"]
    nodes = unique_names(model)
    up, down = (nodes[name].input_value(1).get_node().data for name in ("up", "down"))
    (adding,) = [target.get_node() for target in nodes["up"].output(0).get_target_inputs()]
    bias = adding.input_value(1).get_node().data.ravel()
    hidden = np.maximum(np.concatenate(samples).reshape(-1, 6) @ up.T + bias, 0)
    rows = (hidden * np.linalg.norm(down, axis=0)).astype(np.float64)
    chosen: list[int] = []
    for _ in range(6):
        spanned = rows[:, chosen] @ np.linalg.lstsq(rows[:, chosen], rows, rcond=None)[0] if chosen else 0 * rows
        chosen.append(int(np.argmax(np.linalg.norm(rows - spanned, axis=0))))
    assert np.argsort(-scores)[:6].tolist() == chosen


def test_channels_that_are_nearly_one_are_mixed_though_their_products_are_rounded():
    """Of many such channels, the least eigenvalue of the products is farther below zero than a ridge is above."""
    model = model_of(dense(ops.relu(dense(tokens(), 16, "up")), 4, "down"))
    graph = find_channels(model)
    activations = read_activations(model, graph)
    inputs = as_inputs(model, [data(model)[0]])
    with collected_grams(model, activations.values(), inputs, products=activations.values()) as found:
        read, turn = activations["down"], np.array([1, -1] * 2 + [0] * 8 + [1, -1, 0, 0])
        count = float(found.tokens[read].sum())
        # Of the twelve channels that stay; few rows have a ridge of a hundredth for each channel beside a row.
        share = 0.01 * 16 / count
        rounded = 1.001 * share / (1 + share / 12)
        product = (np.ones((16, 16)) - rounded / 4 * np.outer(turn, turn)) * count
        grams = replace(found, products={**found.products, read: product.astype(np.float32)})
        removed = graph.groups[0].channels[12:]
        pruned = pruned_at_once(model, graph, removed, activations, grams)
    before, after = (unique_names(each)["down"].input_value(1).get_node().data for each in (model, pruned))
    assert np.abs(after).max() < 4 * np.abs(before).max()
    assert after.sum(axis=1) == pytest.approx(before.sum(axis=1), rel=0.05)
