"""Units at every level: by hand on small networks, by enumeration of paths, and as a partition on real ones."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as op
import pytest
from graph_models import MODELS, bias, built, conv, depthwise, image, linear, named

from autoq.core import Level, PlanError
from autoq.graph import QuantizationGraph, analyze, read_model, units
from autoq.graph.flow._flow import Flow
from autoq.graph.flow._sequential import LARGEST_BLOCK, sequential_subgraphs

ZOO = sorted((Path(__file__).parents[2] / "experiments" / "zoo").glob("*/model.xml"))
WIDTH = 8


def of(model: ov.Model, level: str = "block", **settings: str) -> dict[str, tuple[str, ...]]:
    return units(model, analyze(model, **settings), Level.parse(level))


def relu(x: ov.Node, name: str) -> ov.Node:
    return named(op.relu(x), name)


def residual_block(x: ov.Node, name: str, *, strided: bool = False) -> ov.Node:
    y = relu(bias(conv(x, f"{name}.a"), f"{name}.a_bias"), f"{name}.a_relu")
    y = bias(conv(y, f"{name}.b"), f"{name}.b_bias")
    skip = bias(conv(x, f"{name}.skip", kernel=1), f"{name}.skip_bias") if strided else x
    return relu(named(op.add(y, skip), f"{name}.sum"), f"{name}.relu")


def bottleneck(x: ov.Node, name: str, *, skips: bool) -> ov.Node:
    y = relu(conv(x, f"{name}.expand", 8, 1), f"{name}.relu_1")
    y = relu(depthwise(y, f"{name}.depthwise", 8), f"{name}.relu_2")
    y = bias(conv(y, f"{name}.project", 4, 1), f"{name}.bias")
    return named(op.add(y, x), f"{name}.sum") if skips else y


def normed(x: ov.Node, name: str) -> ov.Node:
    return named(op.mvn(x, np.array([-1]), True, 1e-5, "inside_sqrt"), name)


def attention(x: ov.Node, name: str, positions: ov.Node | None = None) -> ov.Node:
    q, k, v = (linear(x, f"{name}.{part}", WIDTH, WIDTH) for part in "qkv")
    if positions is not None:
        q, k = (named(op.add(part, positions), f"{name}.{end}_rotated") for part, end in ((q, "q"), (k, "k")))
    y = named(op.scaled_dot_product_attention(q, k, v), f"{name}.sdpa")
    return named(op.add(linear(y, f"{name}.o", WIDTH, WIDTH), x), f"{name}.sum")


def feed_forward(x: ov.Node, name: str) -> ov.Node:
    y = named(op.gelu(linear(x, f"{name}.up", WIDTH, 2 * WIDTH), "erf"), f"{name}.gelu")
    return named(op.add(linear(y, f"{name}.down", 2 * WIDTH, WIDTH), x), f"{name}.sum")


def transformer(layers: int, *, rotary: bool = False) -> ov.Model:
    tokens = op.parameter([1, 4], np.int64, name="tokens")
    table = op.constant(np.random.default_rng(0).normal(0, 1, (16, WIDTH)).astype(np.float32))
    x = normed(named(op.gather(table, tokens, np.int64(0)), "embedding"), "embedding_norm")
    positions = None
    if rotary:
        places = op.parameter([1, 4, WIDTH], np.float32, name="places")
        positions = named(op.sin(linear(places, "rotary", WIDTH, WIDTH)), "positions")
    for layer in range(layers):
        x = normed(attention(x, f"layers.{layer}.attention", positions), f"layers.{layer}.norm_1")
        x = normed(feed_forward(x, f"layers.{layer}.mlp"), f"layers.{layer}.norm_2")
    inputs = [tokens, *([places] if rotary else [])]
    return built([linear(x, "head", WIDTH, 2)], inputs)


def test_a_residual_block_is_a_unit_and_what_stands_alone_another() -> None:
    x = image()
    y = relu(conv(x, "stem"), "stem_relu")
    for name in ("body.0", "body.1"):
        y = residual_block(y, name)
    y = residual_block(y, "body.2", strided=True)
    found = of(built([conv(y, "head", kernel=1)], [x]))
    assert list(found) == ["stem", "body.0", "body.1", "body.2", "head"]
    assert found["body.0"] == ("body.0.a", "body.0.b")
    # The convolution on the skip reads what the first one reads: one group.
    assert found["body.2"] == ("body.2.a", "body.2.b", "body.2.sum")


def test_stages_of_residual_blocks_are_no_blocks() -> None:
    x = image()
    y = relu(conv(x, "stem"), "stem_relu")
    for stage in "ab":
        y = residual_block(y, f"{stage}.0", strided=True)
        for block in (1, 2):
            y = residual_block(y, f"{stage}.{block}")
    found = of(built([y], [x]))
    assert list(found) == ["stem", "a.0", "a.1", "a.2", "b.0", "b.1", "b.2"]


def test_equal_layers_of_a_chain_stay_apart() -> None:
    x = y = image()
    for layer in range(6):
        y = relu(bias(conv(y, f"conv_{layer}"), f"bias_{layer}"), f"relu_{layer}")
    assert of(built([y], [x])) == {f"conv_{layer}": (f"conv_{layer}",) for layer in range(6)}


def test_depthwise_and_pointwise_make_a_block_behind_the_stem() -> None:
    x = image()
    y = relu(conv(x, "stem"), "stem_relu")
    for layer in "abc":
        y = relu(depthwise(y, f"{layer}.depthwise"), f"{layer}.relu_1")
        y = relu(conv(y, f"{layer}.pointwise", kernel=1), f"{layer}.relu_2")
    pairs = {layer: (f"{layer}.depthwise", f"{layer}.pointwise") for layer in "abc"}
    assert of(built([y], [x])) == {"stem": ("stem",)} | pairs


def test_a_bottleneck_without_a_skip_connection_is_a_block_like_the_others() -> None:
    x = image()
    y = relu(conv(x, "stem"), "stem_relu")
    for name, skips in (("b0", False), ("b1", True), ("b2", False), ("b3", True)):
        y = bottleneck(y, name, skips=skips)
    found = of(built([relu(conv(y, "head"), "head_relu")], [x]))
    assert list(found) == ["stem", "b0", "b1", "b2", "b3", "head"]
    assert {len(found[name]) for name in ("b0", "b1", "b2", "b3")} == {3}


@pytest.mark.parametrize("model_type", [None, "transformer"])
def test_two_halves_that_repeat_are_one_layer(model_type: str | None) -> None:
    found = of(transformer(4), model_type=model_type)
    layers = [names for names in found.values() if any(".q" in name or "sdpa" in name for name in names)]
    assert len(layers) == 4
    for names in layers:
        assert {"attention", "mlp"} <= {name.split(".")[2] for name in names if name.startswith("layers")}
    if model_type:
        assert list(found) == ["embedding", *(f"layers.{layer}" for layer in range(4)), "head"]


def test_what_all_layers_read_does_not_make_them_one_block() -> None:
    found = of(transformer(6, rotary=True), model_type="transformer")
    layers = [unit for unit, names in found.items() if any("sdpa" in name for name in names)]
    assert len(layers) == 6
    assert {len(found[unit]) for unit in layers[1:]} == {7}


def test_interwoven_branches_are_cut_into_parts_of_bearable_size() -> None:
    x = image()
    y = z = relu(conv(x, "stem"), "stem_relu")
    for layer in range(3 * LARGEST_BLOCK):
        # Each layer reads the two before it, so that no cut is passed by nothing.
        y, z = relu(named(op.add(conv(y, f"conv_{layer}"), z), f"sum_{layer}"), f"relu_{layer}"), y
    model = built([named(op.add(y, z), "last")], [x])
    found = sequential_subgraphs(Flow.of(model), analyze(model).groups)
    assert 3 <= len(found) <= 12
    assert max(map(len, found)) <= LARGEST_BLOCK


def nameless() -> ov.Model:
    x = image()
    y = residual_block(residual_block(conv(x, "stem"), "0"), "1")
    model = built([y], [x])
    for number, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    return model


def test_blocks_need_no_names() -> None:
    found = of(nameless())
    assert [len(names) for names in found.values()] == [1, 2, 2]
    assert all(unit == names[0] for unit, names in found.items())


def test_prefixes_need_names_that_have_parts() -> None:
    with pytest.raises(PlanError, match=r"0 of their names have parts.*choose one of group, block, type, model"):
        of(nameless(), "prefix")


def test_prefixes_are_as_long_as_makes_the_most_units_that_are_fewer_than_the_groups() -> None:
    found = of(transformer(4), "prefix", model_type="transformer")
    layers = [f"layers.{layer}.{half}" for layer in range(4) for half in ("attention", "mlp")]
    assert list(found) == ["embedding", *layers, "head"]
    # 80 halves of layers are too many; their 40 layers with the two others too; "layers" is left.
    assert list(of(transformer(40), "prefix", model_type="transformer")) == ["embedding", "layers", "head"]


def test_a_type_is_that_of_a_groups_first_operation() -> None:
    model = transformer(2)
    found = of(model, "type", model_type="transformer")
    assert list(found) == ["Gather", "MatMul", "ScaledDotProductAttention"]
    types = {node.get_friendly_name(): node.get_type_name() for node in model.get_ordered_ops()}
    assert all(types[name] == unit for unit, names in found.items() for name in names)


def paths(model: ov.Model, own: set[str]) -> list[tuple[str, ...]]:
    """All ways of floating point values from the first to the last operations of groups, by the model's own edges."""
    readers: dict[str, set[str]] = {}
    order = [node.get_friendly_name() for node in model.get_ordered_ops()]
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        readers[name] = {
            target.get_node().get_friendly_name()
            for output in node.outputs()
            if output.get_element_type().is_real() and node.get_type_name() != "Constant"
            for target in output.get_target_inputs()
        }
    leads: dict[str, bool] = {}
    for name in reversed(order):
        leads[name] = name in own or any(leads[reader] for reader in readers[name])
    behind: set[str] = set(own)
    for name in order:
        if name in behind:
            behind |= readers[name]
    kept = {name: [r for r in readers[name] if leads[r] and r in behind] for name in behind if leads[name]}
    starts = set(kept) - {reader for found in kept.values() for reader in found}

    def onward(way: tuple[str, ...]) -> list[tuple[str, ...]]:
        return [w for reader in kept[way[-1]] for w in onward((*way, reader))] if kept[way[-1]] else [way]

    return [way for start in sorted(starts) for way in onward((start,))]


def cuts_by_enumeration(model: ov.Model, graph: QuantizationGraph) -> list[bool]:
    """Whether two groups in a row have an operation that all ways pass between them, and no group on both sides."""
    order = {node.get_friendly_name(): i for i, node in enumerate(model.get_ordered_ops())}
    ways = paths(model, {member for group in graph.groups for member in group.ops})
    passed = {order[name] for name in set.intersection(*map(set, ways))}
    held = [(min(members), max(members)) for group in graph.groups for members in [[order[o] for o in group.ops]]]
    allowed = {i for i in passed if not any(first <= i < last for first, last in held)}
    return [any(order[one.name] <= i < order[other.name] for i in allowed) for one, other in pairwise(graph.groups)]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_sub_graphs_end_where_all_paths_meet(name: str) -> None:
    model = MODELS[name]()
    graph = analyze(model)
    names = [node.get_friendly_name() for node in model.get_ordered_ops()]
    types = {node.get_type_name() for node in model.get_ordered_ops()}
    if not graph.groups or len(set(names)) < len(names) or "FakeQuantize" in types:
        pytest.skip("enumeration knows no unnamed operations and no quantizers")
    found = sequential_subgraphs(Flow.of(model), graph.groups)
    ends = {subgraph[-1].name for subgraph in found}
    assert [group.name in ends for group in graph.groups[:-1]] == cuts_by_enumeration(model, graph)


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.parent.name)
def test_every_group_is_in_one_unit_at_every_level(path: Path) -> None:
    model = read_model(path)
    graph = analyze(model)
    names = [group.name for group in graph.groups]
    count = {}
    for level in Level:
        try:
            found = units(model, graph, level)
        except PlanError:
            assert level is Level.PREFIX
            continue
        members = [name for unit in found.values() for name in unit]
        assert sorted(members) == sorted(names)
        assert [unit[0] for unit in found.values()] == sorted((unit[0] for unit in found.values()), key=names.index)
        assert all(list(unit) == sorted(unit, key=names.index) for unit in found.values())
        count[level] = len(found)
    assert count[Level.GROUP] >= count[Level.BLOCK] >= count[Level.TYPE] >= count[Level.MODEL] == 1


def test_a_model_without_groups_has_no_units() -> None:
    x = image()
    model = built([relu(x, "relu")], [x])
    assert [of(model, level) for level in ("group", "block", "type", "model")] == [{}] * 4


def test_the_zoo_is_there() -> None:
    assert len(ZOO) == 3
