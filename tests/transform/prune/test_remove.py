"""Removed channels: the model computes what it does if they are zero and nothing reads them."""

import numpy as np
import openvino as ov
import pytest
from channel_nets import NETS, conv, data, dense, grouped, ignoring, image, ints, model_of
from graph_models import MODELS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import snapshot
from openvino import opset13 as ops
from weighted_nets import NETS as WEIGHTED

import autoq
from autoq.core import ModelError
from autoq.graph import ChannelGraph, find_channels
from autoq.transform import remove_channels, with_known_shapes


def some(graph: ChannelGraph, rng: np.random.Generator, share: float = 0.5) -> list[int]:
    """Channels of all groups, of each part of which at least one stays."""
    return [
        number
        for group in graph.groups
        for part in group.parts
        for number in rng.permutation(part)[: min(len(part) - 1, round(share * len(part)))].tolist()
    ]


def with_whole_groups(graph: ChannelGraph, removed: list[int], rng: np.random.Generator) -> list[int]:
    """These channels, and all of those of groups, drawn by lot, that can go as a whole."""
    whole = [group.channels for group in graph.groups if group.branch is not None and rng.random() < 0.5]
    return sorted({*removed, *(number for own in whole for number in own)})


def constants(model: ov.Model) -> int:
    floats = [op for op in model.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    return sum(int(np.prod(op.get_output_shape(0))) for op in floats)


def outputs(model: ov.Model, feeds: list[list[np.ndarray]]) -> list[np.ndarray]:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(value) for feed in feeds for value in compiled(feed).values()]


def check(model: ov.Model, graph: ChannelGraph, removed: list[int]) -> ov.Model:
    pruned = remove_channels(model, graph, removed)
    feeds = [data(model, seed=seed) for seed in range(2)]
    for ours, expected in zip(outputs(pruned, feeds), outputs(ignoring(model, graph, removed), feeds), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(expected).max()))
    return pruned


# The others run with the slow tests.
QUICK = {"depthwise", "concatenated", "split", "shuffled", "looked_up", "flattened", "quantized", "fused_heads"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in NETS])
def test_channels_that_go_are_those_that_nothing_reads(name):
    model = autoq.read_model(NETS[name]())
    before, graph = snapshot(model), find_channels(model)
    pruned = check(model, graph, some(graph, np.random.default_rng(len(name))))
    assert snapshot(model) == before
    assert constants(pruned) < constants(model)
    assert [op.get_friendly_name() for op in pruned.get_results()] == [
        op.get_friendly_name() for op in model.get_results()
    ]
    assert find_channels(autoq.read_model(pruned)).groups


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MODELS, *WEIGHTED])
def test_channels_of_any_model_go_alike(name):
    model = autoq.read_model({**MODELS, **WEIGHTED}[name]())
    graph = find_channels(model)
    if graph.groups:
        rng = np.random.default_rng(len(name))
        check(model, graph, with_whole_groups(graph, some(graph, rng), rng))


def test_nothing_removed_is_the_model():
    model = NETS["residual"]()
    assert snapshot(remove_channels(model, find_channels(model), [])) == snapshot(model)


def test_known_shapes_may_be_computed():
    x = conv(image(batch=-1), 8, "first")
    width = ops.gather(ops.shape_of(x), ints(1), ops.constant(0))
    half = ops.divide(width, ops.constant(np.array(2)))
    parts = ops.variadic_split(x, ops.constant(1), ops.concat([half, ints(-1)], 0))
    y = ops.concat([parts.output(1), ops.relu(parts.output(0))], 1)
    size = ops.gather(ops.shape_of(x), ints(0), ops.constant(0))
    y = ops.reshape(y, ops.concat([size, ops.multiply(width, ops.constant(np.array(36)))], 0), False)
    model = model_of(dense(y, 4, "last"))
    assert find_channels(model).groups == ()
    before = snapshot(model)
    known = with_known_shapes(model)
    assert snapshot(model) == before
    assert not [op for op in known.get_ops() if op.get_type_name() == "ShapeOf"]
    graph = find_channels(known)
    assert [len(part) for part in graph.groups[0].parts] == [4, 4]
    check(known, graph, some(graph, np.random.default_rng(0)))
    feeds = [data(model)]
    assert (outputs(known, feeds)[0] == outputs(model, feeds)[0]).all()


def test_a_split_may_have_parts_of_any_length():
    model = autoq.read_model(NETS["split"]())
    graph = find_channels(model)
    pruned = check(model, graph, list(graph.groups[0].channels[:1]))
    (parts,) = [op for op in pruned.get_ops() if op.get_type_name() == "VariadicSplit"]
    assert [list(output.get_shape())[1] for output in parts.outputs()] == [3, 4]


def test_a_tensor_of_which_nothing_is_left_is_named():
    model = NETS["split"]()
    graph = find_channels(model)
    (group, _) = graph.groups
    with pytest.raises(ModelError, match="'upper' would keep no channel"):
        remove_channels(model, graph, group.channels[:4])


KINDS = [
    "conv",
    "pointwise",
    "depthwise",
    "grouped",
    "gate",
    "add",
    "concat",
    "split",
    "gather",
    "shuffle",
    "norm",
    "pool",
    "flat",
]


@st.composite
def networks(draw):
    """Convolutions of random widths, and what stands between them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    tensors = [conv(image(batch=draw(st.sampled_from([1, 2, -1]))), 8, "stem")]
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=7))):
        x = tensors[draw(st.integers(max(0, len(tensors) - 3), len(tensors) - 1))]
        same = [y for y in tensors if y.get_output_partial_shape(0)[1] == x.get_output_partial_shape(0)[1]]
        tensors.append(layer(kind, x, same[draw(st.integers(0, len(same) - 1))], f"{kind}_{number}", rng))
    head = dense(ops.reduce_mean(tensors[-1], ints(2, 3), False), 4, "head")
    model = autoq.read_model(model_of(head, conv(tensors[-2], 2, "second")) if draw(st.booleans()) else model_of(head))
    return model, rng


def layer(kind: str, x: ov.Node, other: ov.Node, name: str, rng: np.random.Generator) -> ov.Node:
    width = x.get_output_partial_shape(0)[1].get_length()

    def swapped() -> ov.Node:
        parts = ops.variadic_split(x, ops.constant(1), ints(width - 2, -1))
        return ops.concat([parts.output(1), parts.output(0)], 1)

    def shuffled() -> ov.Node:
        y = ops.transpose(ops.reshape(x, ints(0, 2, width // 2, 6, 6), True), ints(0, 2, 1, 3, 4))
        return ops.reshape(y, ints(0, -1, 6, 6), True)

    def flat() -> ov.Node:
        y = dense(ops.reshape(x, ints(0, width * 36), True), 4 * 36, name)
        return ops.reshape(y, ints(-1, 4, 6, 6), False)

    kinds = {
        "conv": lambda: ops.relu(conv(x, int(rng.choice([4, 8, 12])), name)),
        "pointwise": lambda: conv(x, int(rng.choice([4, 8])), name, kernel=1),
        "depthwise": lambda: grouped(x, width, int(rng.integers(1, 3)), name),
        "grouped": lambda: grouped(x, width // 2, 2, name),
        "gate": lambda: ops.multiply(x, ops.sigmoid(conv(ops.reduce_mean(x, ints(2, 3), True), width, name, kernel=1))),
        "add": lambda: ops.add(x, other),
        "concat": lambda: ops.concat([x, other], 1),
        "split": swapped,
        # Not as many channels as before: OpenVINO 2026.4 folds such a Gather into weights in a wrong order.
        "gather": lambda: ops.gather(x, ints(*rng.integers(-width, width, width + 2)), ops.constant(1)),
        "shuffle": shuffled,
        "norm": lambda: ops.mvn(x, ints(2, 3), True, 1e-2, "inside_sqrt"),
        "pool": lambda: ops.avg_pool(x, [1, 1], [1, 1], [1, 1], [3, 3], True),
        "flat": flat,
    }
    return kinds[kind]()


def check_network(case) -> None:
    model, rng = case
    graph = find_channels(model)
    check(model, graph, with_whole_groups(graph, some(graph, rng, rng.uniform(0.1, 0.6)), rng))


@given(networks())
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_random_networks(case):
    check_network(case)


@pytest.mark.slow
@given(networks())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_random_networks(case):
    check_network(case)


def test_openvino_keeps_no_fewer_constants():
    from openvino._offline_transformations import apply_pruning_transformation

    x = ops.relu(conv(image(), 8, "stem", bias=False))
    x = ops.add(x, conv(ops.relu(conv(x, 6, "inner", bias=False)), 8, "outer", bias=False))
    model = autoq.read_model(model_of(conv(x, 4, "last")))
    graph = find_channels(model)
    removed = some(graph, np.random.default_rng(0))
    theirs = ignoring(model, graph, removed)
    apply_pruning_transformation(theirs)
    ours = remove_channels(model, graph, removed)
    assert constants(ours) <= constants(theirs) < constants(model)
