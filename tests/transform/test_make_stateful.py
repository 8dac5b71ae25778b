"""Decoders that keep what they have read give the logits of decoders that read all of it again."""

import numpy as np
import openvino as ov
import pytest
from decoders import HEADS, SIZE, VOCABULARY, decoder_net
from networks import memory_net, snapshot
from openvino import opset13 as ops

import autoq
from autoq.core import ModelError

# Further forms are tried by the slow test.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
KINDS = {
    "grouped, rotary, fused": {"blocks": 1},
    "one head of keys, decomposed": {"kv_heads": 1, "attention": "added", "repeat": "broadcast", "blocks": 1},
    "learned positions": {"kv_heads": 4, "attention": "selected", "positions": "table", "blocks": 1},
}


@pytest.fixture(scope="module")
def made():
    model = decoder_net()
    model.set_rt_info("kept", ["conversion_parameters", "note"])
    return autoq.make_stateful(model)


def compiled(model):
    return ov.Core().compile_model(model, "CPU", EXACT)


def tokens(count, length, seed=3):
    return np.random.default_rng(seed).integers(0, VOCABULARY, (count, length), np.int64)


def logits(model, ids):
    """What a stateless decoder computes."""
    return compiled(model)([ids, np.ones_like(ids)][: len(model.inputs)])[0]


def fed(ids, mask, start, order=None):
    positions = np.maximum(mask.cumsum(1) - 1, 0)[:, start:]
    beams = np.arange(len(ids)) if order is None else order
    return {
        "input_ids": ids[:, start:],
        "attention_mask": mask,
        "position_ids": positions,
        "beam_idx": np.asarray(beams, np.int32),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_a_prompt_and_of_each_further_token_are_those_of_the_model(kind):
    model = decoder_net(**KINDS[kind])
    before = snapshot(model)
    request = compiled(autoq.make_stateful(model)).create_infer_request()
    ids = tokens(3, 9)
    wanted = logits(model, ids)
    found = [request.infer(fed(ids[:, :4], np.ones((3, 4), np.int64), 0))[0].copy()]
    found += [request.infer(fed(ids[:, :n], np.ones((3, n), np.int64), n - 1))[0].copy() for n in range(5, 10)]
    np.testing.assert_allclose(np.concatenate(found, 1), wanted, atol=2e-4)
    assert snapshot(model) == before


def test_padding_before_a_prompt_changes_nothing(made):
    model = decoder_net()
    request = compiled(made).create_infer_request()
    ids = tokens(2, 8)
    mask = np.ones_like(ids)
    mask[1, :3] = 0
    found = request.infer(fed(ids[:, :6], mask[:, :6], 0))[0].copy()
    np.testing.assert_allclose(found[0], logits(model, ids[:1, :6])[0], atol=2e-4)
    np.testing.assert_allclose(found[1, 3:], logits(model, ids[1:, 3:6])[0], atol=2e-4)
    last = request.infer(fed(ids, mask, 6))[0]
    np.testing.assert_allclose(last[1], logits(model, ids[1:, 3:])[0, -2:], atol=2e-4)


def test_beams_go_on_from_the_sequences_that_are_named(made):
    model = decoder_net()
    request = compiled(made).create_infer_request()
    ids = tokens(3, 5)
    request.infer(fed(ids, np.ones_like(ids), 0))
    order = [2, 0, 0]
    longer = np.concatenate([ids[order], tokens(3, 1, seed=9)], 1)
    found = request.infer(fed(longer, np.ones_like(longer), 5, order))[0]
    np.testing.assert_allclose(found[:, 0], logits(model, longer)[:, -1], atol=2e-4)


def test_inputs_outputs_and_states_are_those_of_optimum_intel(made):
    kinds = [(port.get_names(), port.get_element_type().get_type_name()) for port in made.inputs]
    names = [("input_ids", "i64"), ("attention_mask", "i64"), ("position_ids", "i64"), ("beam_idx", "i32")]
    assert kinds == [({name}, kind) for name, kind in names]
    # GenAI finds inputs by these names too.
    assert [port.get_node().get_friendly_name() for port in made.inputs] == [name for name, _ in names]
    assert [str(port.get_partial_shape()) for port in made.inputs] == ["[?,?]"] * 3 + ["[?]"]
    assert "logits" in made.output(0).get_names()
    states = {state.get_variable_id() for state in made.get_sinks()}
    assert states == {f"past_key_values.{n}.{part}present.{n}.{part}" for n in (0, 1) for part in ("key", "value")}
    kept = [op for op in made.get_ordered_ops() if op.get_type_name() == "ReadValue"]
    assert {str(op.get_output_partial_shape(0)) for op in kept} == {f"[?,2,?,{SIZE}]"}


def test_the_cpu_runs_cache_and_attention_fused(made):
    runtime = compiled(made).get_runtime_model()
    layers = [op.get_rt_info()["layerType"].astype(str) for op in runtime.get_ordered_ops()]
    assert layers.count("ScaledDotProductAttention") == 2
    assert "Softmax" not in layers


def test_the_model_is_saved_and_read_with_its_notes(made, tmp_path):
    model = decoder_net()
    ov.save_model(made, tmp_path / "m.xml", compress_to_fp16=False)
    again = ov.Core().read_model(tmp_path / "m.xml")
    assert again.get_rt_info(["conversion_parameters", "note"]).value == "kept"
    ids = tokens(1, 6)
    found = compiled(again).create_infer_request().infer(fed(ids, np.ones_like(ids), 0))[0]
    np.testing.assert_allclose(found, logits(model, ids), atol=2e-4)


def two_outputs():
    model = decoder_net()
    return ov.Model(
        [*model.get_results(), ops.result(model.get_results()[0].input_value(0))], model.get_parameters(), "m"
    )


def of_one_length():
    model = decoder_net()
    model.reshape([1, 8])
    return model


def with_a_mean_over_tokens():
    model = decoder_net(blocks=1)
    last = model.get_results()[0].input_value(0)
    mixed = ops.add(last, ops.reduce_mean(last, np.int64(1), keep_dims=True))
    return ov.Model([ops.result(mixed)], model.get_parameters(), "m")


def without_attention():
    ids = ops.parameter([-1, -1], ov.Type.i64, "input_ids")
    return ov.Model([ops.result(ops.gather(np.eye(VOCABULARY, dtype=np.float32), ids, np.int64(0)))], [ids], "m")


def with_embeddings_as_input():
    x = ops.parameter([-1, -1, 16], np.float32, "inputs_embeds")
    return ov.Model([ops.result(ops.matmul(x, np.eye(16, dtype=np.float32), False, False))], [x], "m")


def with_a_longer_mask():
    """A mask that is cut out of a constant table, in which a token reads 12 tokens."""
    model = decoder_net(attention="masked", blocks=1)
    table = np.tril(np.ones((40, 40), bool)) & ~np.tril(np.ones((40, 40), bool), -12)
    for op in model.get_ordered_ops():
        if op.get_type_name() == "LessEqual":
            length = ops.unsqueeze(ops.gather(ops.shape_of(model.input(0)), np.int64(1), np.int64(0)), np.int64(0))
            ends, zero, one = ops.concat([length, length], 0), np.array([0, 0]), np.array([1, 1])
            op.output(0).replace(ops.slice(ops.constant(table), zero, ends, one, np.array([0, 1])).output(0))
    return ov.Model(model.get_results(), model.get_parameters(), "m")


REFUSED = [
    (memory_net, r"stateful already: it keeps 'state'"),
    (two_outputs, "has outputs of shape .*: a decoder has one"),
    (of_one_length, r"has the shape \[1,8\]: number and length of sequences must be open"),
    (with_embeddings_as_input, "has the inputs .*: a decoder has 'input_ids'"),
    (without_attention, "has no attention"),
    (
        lambda: decoder_net(attention="masked", window=0, blocks=1),
        r"'block\.0\.attention' does not let each token read itself and all tokens before it",
    ),
    (
        lambda: decoder_net(attention="masked", window=20, blocks=1),
        r"'block\.0\.attention' has a mask that depends on the number 20",
    ),
    (with_a_longer_mask, r"'block\.0\.attention' has a table as mask that is not causal"),
    (lambda: decoder_net(attention="masked", positions="bias", blocks=1), "adds '.*' to its scores, which is no mask"),
    (with_a_mean_over_tokens, "would give other logits than the model"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_a_model_that_is_not_understood_is_refused_by_what_was_found(make, said):
    model = make()
    before = snapshot(model)
    with pytest.raises(ModelError, match=said):
        autoq.make_stateful(model)
    assert snapshot(model) == before


@pytest.mark.slow
@pytest.mark.parametrize("kv_heads", [1, 2, HEADS])
@pytest.mark.parametrize("attention", ["fused", "masked", "added", "selected"])
@pytest.mark.parametrize("positions", ["rotary", "table", "none"])
@pytest.mark.parametrize("repeat", ["gather", "broadcast", "tile"])
@pytest.mark.parametrize("mask_input", [False, True])
def test_every_form_of_a_decoder(kv_heads, attention, positions, repeat, mask_input):
    model = decoder_net(
        kv_heads=kv_heads, attention=attention, positions=positions, repeat=repeat, mask_input=mask_input
    )
    request = compiled(autoq.make_stateful(model)).create_infer_request()
    ids = tokens(2, 7)
    found = [request.infer(fed(ids[:, :4], np.ones((2, 4), np.int64), 0))[0].copy()]
    found += [request.infer(fed(ids[:, :n], np.ones((2, n), np.int64), n - 1))[0].copy() for n in (5, 6, 7)]
    np.testing.assert_allclose(np.concatenate(found, 1), logits(model, ids), atol=2e-4)
