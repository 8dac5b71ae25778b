"""Which channels can go together, and why others stay."""

import numpy as np
import openvino as ov
import pytest
from channel_nets import NETS, conv, dense, grouped, image, ints, model_of, named, numbers, tokens
from networks import memory_net, snapshot
from openvino import opset13 as ops

import autoq
from autoq.core import PlanError
from autoq.graph import IgnoredScope, find_channels

# By model: for each group its layers and the number of channels that can go one by one.
GROUPS = {
    "chain": {"first": 8},
    "half_precision": {"first": 8},
    "open_shape": {"first": 8, "second": 8},
    "residual": {"stem outer": 8, "inner": 6},
    "depthwise": {"first depthwise doubling": 8},
    "groups_of_channels": {"first grouped": 4},
    "squeeze_and_excite": {"first excite": 8, "squeeze": 4},
    "concatenated": {"left": 4, "right": 6},
    "concat_meets_sum": {"left other": 4},
    "split": {"first": 8, "upper": 4},
    "uneven_split": {"first": 8},
    "shuffled": {"first": 4},
    "looked_up": {"first": 8},
    "sliced": {"first": 4},
    "sliced_by_steps": {"first": 4},
    "shape_by_steps": {"first gate": 8},
    "of_first_versions": {"first": 8},
    "repeated": {"first gate": 8},
    "generator_of_given_lengths": {"first": 8, "up": 5},
    "group_normalized": {"first": 4},
    "heads_taken_apart": {"fused": 4},
    "padded": {"first second": 6},
    "flattened": {"first": 8, "middle": 10},
    "channels_last": {"first": 8, "up": 10, "down": 6},
    "generator": {"first": 8, "up apart": 4},
    "normalized": {"first": 8},
    "quantized": {"first": 8},
    "shared_constant": {"first": 8, "second": 8},
    "heads": {"query key value": 4, "up": 9},
    "fused_heads": {"query key value": 4, "up": 9},
    "heads_of_open_length": {"query key value": 4, "up": 9},
}


def groups(model: ov.Model) -> dict[str, int]:
    return {" ".join(group.producers): len(group.channels) for group in find_channels(model).groups}


@pytest.mark.parametrize("name", NETS)
def test_channels_that_meet_are_one_group(name):
    model = autoq.read_model(NETS[name]())
    before = snapshot(model)
    assert groups(model) == GROUPS[name]
    assert snapshot(model) == before


def test_a_group_knows_its_readers_and_its_width():
    (group,) = find_channels(NETS["groups_of_channels"]()).groups
    assert (group.name, group.width, group.consumers) == ("first", 8, ("grouped", "last"))


def reason(model: ov.Model, layer: str) -> str:
    graph = find_channels(model)
    (found,) = [fixed for fixed in graph.fixed if fixed.name == layer]
    assert layer not in [name for group in graph.groups for name in group.producers]
    return found.reason


def over_channels(build):
    return model_of(conv(build(conv(image(), 8, "first")), 4, "last"))


STAYING = {
    "output": (lambda: model_of(named(conv(image(), 8, "first"), "sum")), "output 'end' of the model gives it"),
    "input": (
        lambda: model_of(conv(ops.add(conv(x := image(), 3, "first"), x), 4, "last")),
        "it is part of input 'image' of the model",
    ),
    "softmax": (lambda: over_channels(lambda x: ops.softmax(x, 1)), "Softmax 'op' computes over all of it"),
    "norm": (
        lambda: over_channels(lambda x: ops.mvn(x, ints(1), True, 1e-5, "inside_sqrt")),
        "MVN 'op' computes over all of it",
    ),
    "unknown": (
        lambda: over_channels(lambda x: ops.tile(x, ints(1, 1, 1, 1))),
        "Tile 'op' is an operation through which channels are not followed",
    ),
    "transposed": (
        lambda: over_channels(
            lambda x: ops.transpose(conv(ops.transpose(x, ints(0, 2, 1, 3)), 6, "op"), ints(0, 2, 1, 3))
        ),
        "Convolution 'op' moves windows along it",
    ),
    "embedded": (
        lambda: model_of(dense(ops.gather(dense(tokens(), 8, "first"), ops.constant(3), ops.constant(2)), 4, "last")),
        "Gather 'op' looks up in it",
    ),
}


@pytest.mark.parametrize("case", STAYING)
def test_channels_that_stay_have_a_reason(case):
    build, text = STAYING[case]
    model = build()
    for op in model.get_ops():
        if op.get_type_name() in {"Softmax", "MVN", "Tile", "Gather"}:
            op.set_friendly_name("op")
    model.outputs[0].tensor.set_names({"end"})
    assert reason(model, "first") == text


def test_recurrent_layers_and_state_keep_their_channels():
    assert find_channels(memory_net()).groups == ()
    x = dense(tokens(), 8, "first")
    state = ops.constant(np.zeros((2, 1, 3), np.float32))
    cell = ops.gru_sequence(x, state, np.array([5, 5]), numbers(1, 9, 8), numbers(1, 9, 3), numbers(1, 9), 3, "forward")
    cell.set_friendly_name("gru")
    model = model_of(cell.output(1).get_node())
    assert reason(model, "first") == "GRUSequence 'gru' is an operation through which channels are not followed"


def test_a_layer_in_the_scope_keeps_what_it_reads_and_makes():
    model = NETS["open_shape"]()
    graph = find_channels(model, IgnoredScope(names=["second"]))
    assert graph.groups == ()
    assert {fixed.reason for fixed in graph.fixed[:2]} == {"'second' is ignored by name 'second'"}
    with pytest.raises(PlanError, match="'third' matches no operation"):
        find_channels(model, IgnoredScope(names=["third"]))


def test_a_shape_that_is_read_as_a_number_stays():
    x = conv(image(), 8, "first")
    width = ops.convert(ops.gather(ops.shape_of(x), ints(1), ops.constant(0)), "f32")
    model = model_of(conv(ops.divide(x, width), 4, "last"))
    assert reason(model, "first").endswith("reads how long it is")
    rows = ops.convert(ops.gather(ops.shape_of(x), ints(2), ops.constant(0)), "f32")
    assert groups(model_of(conv(ops.divide(x, rows), 4, "last"))) == {"first": 8}


def test_inputs_of_which_no_shape_is_known_leave_all_channels():
    x = named(ops.parameter(ov.PartialShape.dynamic(), np.float32), "x")
    y = dense(ops.reshape(x, ints(-1, 6), False), 8, "first")
    graph = find_channels(model_of(dense(y, 4, "last")))
    assert graph.groups == ()
    assert [fixed.reason for fixed in graph.fixed] == [
        "no shape that fits the inputs, [...], was found: give them lengths"
    ] * 2


def test_a_model_of_one_sample_at_a_time_is_followed_by_the_shape_that_was_seen():
    x = named(ops.parameter([-1, 3, -1, -1], np.float32), "x")
    y = ops.concat([conv(x, 8, "first"), ops.constant(np.ones((1, 2, 12, 12), np.float32))], 1)
    model = model_of(conv(y, 4, "last"))
    seen = {shape: find_channels(model, None, {"x": shape}).groups for shape in ((1, 3, 12, 12), (1, 3, 10, 10))}
    assert [[len(group.channels) for group in found] for found in seen.values()] == [[8], []]


def test_grouped_convolutions_of_one_group_are_dense():
    assert groups(model_of(conv(grouped(conv(image(), 8, "first"), 1, 6, "grouped"), 4, "last"))) == {
        "first": 8,
        "grouped": 6,
    }
