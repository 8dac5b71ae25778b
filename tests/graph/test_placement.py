import numpy as np
import openvino as ov
import pytest
from graph_expected import MIXED, PERFORMANCE, TRANSFORMER_INSTEAD, TRANSFORMER_WITHOUT
from graph_models import MODELS
from networks import conv_net
from peer import ours, theirs

from autoq.core import PlanError
from autoq.graph import IgnoredScope, QuantizationGraph, SiteKind, analyze, unique_names

WAYS = [(preset, kind) for preset in ("performance", "mixed") for kind in (None, "transformer")]


def place(name: str, preset: str = "performance", model_type: str | None = None) -> QuantizationGraph:
    return analyze(MODELS[name](), preset=preset, model_type=model_type)


@pytest.mark.parametrize(("preset", "model_type"), WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_sites_are_those_recorded_from_the_peer(name: str, preset: str, model_type: str | None) -> None:
    expected = set(PERFORMANCE[name].split())
    if preset == "mixed" and not (name == "two_embeddings" and model_type == "transformer"):
        expected |= set(MIXED.get(name, "").split())
    if model_type == "transformer":
        expected -= set(TRANSFORMER_WITHOUT.get(name, "").split())
        expected |= set(TRANSFORMER_INSTEAD.get(name, "").split())
    assert {site.name for site in place(name, preset, model_type).sites} == expected


@pytest.mark.peers
@pytest.mark.parametrize("name", ["conv_bias_relu", "residual", "several_outputs", "concat_that_is_also_an_output"])
def test_quantized_outputs_are_those_of_the_peer(name: str) -> None:
    model = MODELS[name]()
    assert ours(analyze(model, quantize_outputs=True)) == theirs(model, outputs=True)


def test_quantize_outputs_adds_a_quantizer_to_a_float_output() -> None:
    added = {s.name for s in analyze(MODELS["conv_bias_relu"](), quantize_outputs=True).sites}
    assert added - {s.name for s in place("conv_bias_relu").sites} == {"relu_2/fq_output_0"}


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_agrees_with_its_model_and_with_itself(name: str) -> None:
    model = MODELS[name]()
    graph = analyze(model)
    nodes = unique_names(model)
    for site in graph.sites:
        output = nodes[site.tensor.producer].output(site.tensor.port)
        readers = {(t.get_node().get_friendly_name(), t.get_index()) for t in output.get_target_inputs()}
        assert set(site.consumers) <= readers
        assert list(site.shape) == [d.get_length() if d.is_static else -1 for d in output.get_partial_shape()]
        assert all(axis < len(site.shape) for axis in site.channel_axes)
    assert sorted(name for group in graph.groups for name in group.sites) == sorted(graph.site)
    assert sorted(graph.group_of) == sorted(graph.site)
    speaks_of = [op for op, node in nodes.items() if node.get_type_name() not in {"Constant", "Parameter", "Result"}]
    decided = [decision.op for decision in graph.decisions]
    assert decided == speaks_of
    quantized = {decision.op for decision in graph.decisions if decision.quantized}
    assert quantized == {op for group in graph.groups if group.sites for op in group.ops} & set(decided)
    bodies = {group.name for group in graph.groups if not group.sites}
    assert bodies == graph.body_groups == {op for op, _ in graph.bodies}
    assert all(inside.groups for inside in graph.bodies.values())


@pytest.mark.parametrize("name", ["residual_chain", "attention", "concat_of_concat"])
def test_sites_that_quantize_inputs_of_one_operation_are_in_one_group(name: str) -> None:
    graph = place(name)
    for group in graph.groups:
        for other in graph.groups:
            assert group is other or not set(group.ops) & set(other.ops)
    ranges = {}
    for site in graph.sites:
        if site.unified is not None:
            ranges.setdefault(site.unified, set()).add(graph.group_of[site.name].name)
    assert all(len(groups) == 1 for groups in ranges.values())


def test_groups_of_a_residual_block() -> None:
    groups = {group.name: (set(group.sites), group.ops) for group in place("residual").groups}
    assert groups == {
        "conv_1": ({"image/fq_output_0", "conv_1/fq_weights_1"}, ("conv_1",)),
        # What the sum reads, conv_2 reads too: they are quantized together or not at all.
        "conv_2": ({"relu_1/fq_output_0", "conv_2/fq_weights_1", "bias_2/fq_output_0"}, ("conv_2", "sum")),
        "conv_3": ({"relu_2/fq_output_0", "conv_3/fq_weights_1"}, ("conv_3",)),
    }


def test_inputs_of_a_concat_share_a_range_where_a_convolution_reads_it() -> None:
    unified = {site.name: site.unified for site in place("concat_of_convolutions").activations}
    assert unified["relu_1/fq_output_0"] is not None
    assert len(set(unified.values())) == 1
    assert {site.unified for site in place("concat_read_by_add").sites} == {None}


def test_concats_of_concats_share_one_range() -> None:
    unified = {site.name: site.unified for site in place("concat_of_concat").activations}
    shared = {name for name, label in unified.items() if label is not None}
    assert shared == {"relu_a/fq_output_0", "relu_b/fq_output_0", "relu_c/fq_output_0"}


CHANNEL_AXES = {
    ("conv_bias_relu", "conv_1/fq_weights_1"): (0,),
    ("depthwise_separable", "depthwise/fq_weights_1"): (0, 1),
    ("depthwise_separable", "relu6_1/fq_output_0"): (1,),
    ("depthwise_separable", "relu6_2/fq_output_0"): (),
    ("depthwise_beside_pointwise", "relu_1/fq_output_0"): (),
    ("transposed_convolutions", "up/fq_weights_1"): (1,),
    ("transposed_convolutions", "up_grouped/fq_weights_1"): (0, 2),
    ("matmul_layouts", "right/fq_weights_1"): (1,),
    ("matmul_layouts", "left/fq_weights_0"): (0,),
    ("matmul_layouts", "batched/fq_weights_1"): (0, 1),
    ("matmul_layouts", "vector/fq_weights_1"): (),
    ("embedding", "embedding/fq_weights_0"): (0,),
    ("embedding_read_by_matmul", "embedding/fq_weights_0"): (),
    ("recurrent", "lstm/fq_weights_4"): (1,),
    ("gated", "gru/fq_weights_3"): (1,),
}


@pytest.mark.parametrize(("name", "site"), CHANNEL_AXES)
def test_channel_axes(name: str, site: str) -> None:
    assert place(name).site[site].channel_axes == CHANNEL_AXES[name, site]


def test_a_half_precision_weight_is_quantized_behind_its_convert() -> None:
    assert place("half_precision_weights").site["conv_1/fq_weights_1"].tensor.producer == "conv_1/w"


def test_a_shared_weight_has_one_site_with_all_its_readers() -> None:
    (weight,) = place("shared_weight").weights
    assert set(weight.consumers) == {("conv_0", 1), ("conv_1", 1)}


def test_first_layers_are_the_convolutions_reached_first_from_each_input() -> None:
    first = {name: {s.name for s in place(name).sites if s.first_layer} for name in MODELS}
    assert first["conv_bias_relu"] == {"conv_1/fq_weights_1"}
    assert first["several_inputs"] == {"conv_a/fq_weights_1", "conv_b/fq_weights_1"}
    assert first["concat_of_convolutions"] == {"branch_1/fq_weights_1", "branch_2/fq_weights_1", "conv_1/fq_weights_1"}
    assert first["fully_connected"] == set()


def test_no_layer_becomes_the_first_because_those_before_it_stay_in_float() -> None:
    model = conv_net()
    assert [s.name for s in analyze(model).weights if s.first_layer] == ["conv_1/fq_weights_1"]
    without = analyze(model, ignored_scope=IgnoredScope(names=["conv_1"]))
    assert "conv_2/fq_weights_1" in without.site
    assert not [s.name for s in without.weights if s.first_layer]


def test_non_negative_is_seen_through_operations_that_move_values() -> None:
    assert place("moved_values").site["relu_1/fq_output_0"].non_negative
    assert place("depthwise_separable").site["relu6_1/fq_output_0"].non_negative
    assert not place("conv_bias_relu").site["image/fq_output_0"].non_negative
    assert not place("hard_swish").site["over_6/fq_output_0"].non_negative


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"decoder_state"}))
def test_non_negative_holds_when_the_model_runs(name: str) -> None:
    model = MODELS[name]()
    tapped = [site for site in analyze(model).activations if site.non_negative]
    nodes = unique_names(model)
    outputs = [nodes[site.tensor.producer].output(site.tensor.port) for site in tapped]
    probe = ov.Model([ov.opset13.result(output) for output in outputs], model.get_parameters()) if outputs else None
    if probe is None:
        return
    compiled = ov.compile_model(probe, "CPU")
    rng = np.random.default_rng(0)
    inputs = {}
    for port in compiled.inputs:
        shape = [d.get_length() if d.is_static else 4 for d in port.get_partial_shape()]
        inputs[port] = rng.normal(0, 2, shape) if port.get_element_type().is_real() else rng.integers(0, 3, shape)
    for site, values in zip(tapped, compiled(inputs).values(), strict=True):
        assert values.min() >= 0, site.name


LAYERS = {
    # op, channel axis of input and output, bias Add, constant, port of the constant
    "conv_bias_relu": [("conv_1", 1, 1, "bias_1", "bias_1/b", 1), ("conv_2", 1, 1, "bias_2", "bias_2/b", 1)],
    "depthwise_beside_pointwise": [
        ("conv_1", 1, 1, None, None, None),
        ("pointwise", 1, 1, None, None, None),
        ("depthwise", 1, 1, None, None, None),
    ],
    "fully_connected": [("fc_1", -1, -1, "bias_1", "bias_1/b", 1), ("fc_2", -1, -1, "bias_2", "bias_2/b", 1)],
    "matmul_layouts": [
        ("right", -1, -1, None, None, None),
        ("left", -2, -2, None, None, None),
        ("batched", -1, -1, None, None, None),
        ("vector", -1, -1, None, None, None),
    ],
}


@pytest.mark.parametrize("name", LAYERS)
def test_weighted_layers(name: str) -> None:
    layers = place(name).layers
    found = [(x.op, x.input_axis, x.output_axis, x.bias_add, x.bias, x.bias_port) for x in layers]
    assert sorted(found) == sorted(LAYERS[name])


def test_attention_is_symmetric_whatever_the_preset() -> None:
    graph = place("attention", "mixed", "transformer")
    symmetric = {site.name for site in graph.activations if site.symmetric}
    # The product of queries and keys reads no weight; the other products do.
    assert symmetric == {"query/bias/fq_output_0", "key/bias/fq_output_0"}
    assert not any(site.symmetric for site in place("attention", "mixed").activations)
    fused = place("fused_attention", "mixed")
    assert {s.name for s in fused.activations if s.symmetric} == {"query/fq_output_0", "key/fq_output_0"}


def test_decisions_give_the_reason() -> None:
    reasons = {decision.op: decision.reason for decision in place("squeeze_and_excitation").decisions}
    assert reasons["conv_1"] == "runs on quantized inputs"
    assert "fused into 'conv_1'" in reasons["relu_1"]
    assert "squeeze-and-excitation" in reasons["reduce"]
    transformer = {decision.op: decision.reason for decision in place("residual", model_type="transformer").decisions}
    assert "transformer" in transformer["sum"]


def test_a_model_without_anything_to_quantize_says_why() -> None:
    graph = place("nothing_to_quantize")
    assert graph.sites == graph.groups == graph.layers == ()
    assert {(d.op, d.quantized) for d in graph.decisions} == {("relu_1", False), ("softmax", False)}
    assert all(d.reason for d in graph.decisions)


@pytest.mark.parametrize("name", ["residual_chain", "attention", "half_precision_weights"])
def test_the_model_is_left_as_it_is_and_its_clone_has_the_same_graph(name: str) -> None:
    model = MODELS[name]()
    before = [(op.get_friendly_name(), op.get_type_name(), str(op)) for op in model.get_ordered_ops()]
    graph = analyze(model)
    assert before == [(op.get_friendly_name(), op.get_type_name(), str(op)) for op in model.get_ordered_ops()]
    assert analyze(model.clone()) == graph


@pytest.mark.parametrize("device", ["CPU", "GPU", "NPU"])
def test_most_targets_share_a_table(device: str) -> None:
    model = MODELS["attention"]()
    assert analyze(model, target_device=device) == analyze(model)


SAPPHIRE_RAPIDS = {
    # What it takes from the other targets' quantizers, with the performance preset.
    "residual": "bias_2/fq_output_0",
    "residual_chain": "bias_1b/fq_output_0 bias_2b/fq_output_0 bias_3b/fq_output_0",
    "attention": "out/bias/fq_output_0",
    "shared_weight": "relu_1/fq_output_0",
    "several_inputs": "relu_b/fq_output_0",
    "branch_left_in_float": "erf/fq_output_0",
    "conv_bias_relu": "",
    # Here the peer fails.
    "two_embeddings": "",
    "prelu_and_relu_of_sum": "",
}


@pytest.mark.parametrize("name", SAPPHIRE_RAPIDS)
def test_sapphire_rapids_quantizes_one_side_of_a_sum(name: str) -> None:
    model = MODELS[name]()
    sites = {s.name for s in analyze(model, target_device="CPU_SPR").sites}
    assert {s.name for s in place(name).sites} - sites == set(SAPPHIRE_RAPIDS[name].split())
    assert sites <= {s.name for s in place(name).sites}


@pytest.mark.parametrize(("argument", "value"), [("target_device", "TPU"), ("model_type", "cnn"), ("preset", "fast")])
def test_unknown_words_are_named(argument: str, value: str) -> None:
    with pytest.raises(PlanError, match=value):
        analyze(MODELS["residual"](), **{argument: value})


def test_kinds() -> None:
    graph = place("conv_bias_relu")
    assert {site.kind for site in graph.weights} == {SiteKind.WEIGHT}
    assert {site.kind for site in graph.activations} == {SiteKind.ACTIVATION}
    assert all(site.symmetric for site in graph.weights)
