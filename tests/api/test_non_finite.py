"""NaN and infinity in models: masks of attention, rows that nothing looks up, padding before a maximum."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as op
import pytest
from openvino import opset1

import autoq
from autoq.core import ModelError
from autoq.graph import analyze, float_constant, read_model, with_float_ends

KINDS = ["f32", "f16", "bf16"]
F32 = {"INFERENCE_PRECISION_HINT": "f32"}


def values(*shape: int, scale: float = 0.3) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, scale, shape).astype(np.float32)


def constant(value: Any, kind: str = "f32", name: str | None = None) -> ov.Node:
    node = float_constant(np.asarray(value, np.float32), getattr(ov.Type, kind))
    if name:
        node.set_friendly_name(name)
    return node


def reasons(model: ov.Model) -> dict[str, str]:
    return {decision.op: decision.reason for decision in analyze(read_model(model)).decisions}


def ignored(model: ov.Model) -> dict[str, str]:
    return {name: reason for name, reason in reasons(model).items() if "may read" in reason}


def quantizers(model: ov.Model) -> list[ov.Node]:
    return [node for node in model.get_ops() if node.get_type_name() == "FakeQuantize"]


def assert_close(model: ov.Model, data: Sequence[Any], most: float = 1e-2, **options: Any) -> ov.Model:
    quantized = autoq.quantize(model, data, **options)
    pair = [ov.compile_model(with_float_ends(part), "CPU", F32) for part in (quantized, model)]
    got, want = (np.stack([np.float64(compiled(x)[0]).ravel() for x in data]) for compiled in pair)
    assert np.isfinite(got).all()
    assert ((got - want) ** 2).mean() < most * want.var()
    return quantized


def attention(mask_of: Callable[[ov.Node, ov.Node], ov.Node], kind: str = "f32") -> ov.Model:
    """softmax(x w x^T + mask) x, then a product; the mask is made of [1, 6] lengths of 0 or 1."""
    x = op.parameter([1, 6, 16], getattr(ov.Type, kind), name="x")
    kept = op.parameter([1, 6], np.int64, name="kept")
    query = op.matmul(x, constant(values(16, 16), kind), False, False)
    scores = op.matmul(query, x, False, True)
    masked = mask_of(scores, op.unsqueeze(kept, np.array([1])))
    masked.set_friendly_name("masked")
    y = op.matmul(op.softmax(masked, 2), x, False, False)
    y = op.matmul(y, constant(values(16, 8), kind), False, False)
    return ov.Model([op.convert(y, "f32")], [x, kept], "attention")


def attention_data(kind: str = "f32") -> list[dict[str, np.ndarray]]:
    dtype = np.float16 if kind == "f16" else np.float32
    kept = np.array([[1, 1, 1, 1, 0, 0]])
    return [{"x": values(1, 6, 16 + i, scale=1)[:, :, :16].astype(dtype), "kept": kept} for i in range(8)]


def selected(scores: ov.Node, kept: ov.Node) -> ov.Node:
    kind = scores.get_element_type().get_type_name()
    mask = op.select(op.equal(kept, np.int64(1)), constant(0, kind), constant(-np.inf, kind))
    return op.add(scores, mask)


def filled(scores: ov.Node, kept: ov.Node) -> ov.Node:
    kind = scores.get_element_type().get_type_name()
    return op.select(op.equal(kept, np.int64(1)), scores, constant(-np.inf, kind))


def looked_up(scores: ov.Node, kept: ov.Node) -> ov.Node:
    kind = scores.get_element_type().get_type_name()
    return op.add(scores, op.gather(constant([-np.inf, 0], kind), kept, np.int64(0)))


def causal(scores: ov.Node, kept: ov.Node) -> ov.Node:
    kind = scores.get_element_type().get_type_name()
    return op.add(scores, constant(np.triu(np.full((1, 6, 6), -np.inf, np.float32), 1), kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [selected, filled, looked_up, causal])
def test_masks_are_added_in_float(mask: Callable[[ov.Node, ov.Node], ov.Node], kind: str) -> None:
    model = attention(mask, kind)
    quantized = assert_close(model, attention_data(kind))
    assert len(quantizers(quantized)) >= 3
    if mask is selected:
        assert reasons(model)["masked"].startswith("may read the NaN or infinity of ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["performance", "mixed"])
@pytest.mark.parametrize("lowest", ["of its type", -1e9])
def test_masks_of_the_lowest_numbers_are_added_in_float(lowest: Any, preset: str, kind: str) -> None:
    if lowest != "of its type" and kind == "f16":
        pytest.skip("f16 has no such number")
    least = {"f16": -65504.0, "bf16": -3.3895314e38, "f32": float(np.finfo(np.float32).min)}[kind]
    number = least if lowest == "of its type" else lowest

    def multiplied(scores: ov.Node, kept: ov.Node) -> ov.Node:
        left_out = op.subtract(constant(1, kind), op.convert(kept, kind))
        return op.add(scores, op.multiply(left_out, constant(number, kind, "least")))

    model = attention(multiplied, kind)
    assert reasons(model)["masked"].startswith("may read the lowest numbers of 'least")
    assert_close(model, attention_data(kind), preset=preset)


def test_a_bound_of_the_lowest_number_is_no_mask() -> None:
    """What is at least the lowest number is what it was."""
    x = op.parameter([1, 16], np.float32, name="x")
    bounded = op.maximum(op.matmul(x, constant(values(16, 16)), False, False), constant(np.finfo(np.float32).min))
    y = op.matmul(bounded, constant(values(16, 8), name=None), False, False)
    y.set_friendly_name("y")
    model = ov.Model([y], [x], "bounded")
    assert not {"y", bounded.get_friendly_name()} & set(ignored(model))
    assert_close(model, [values(1, 16, scale=1)])


def test_a_mask_of_minus_infinity_may_be_an_input() -> None:
    x, mask = op.parameter([1, 6, 16], np.float32, name="x"), op.parameter([1, 1, 6], np.float32, name="mask")
    masked = op.add(op.matmul(x, x, False, True), mask)
    masked.set_friendly_name("masked")
    y = op.matmul(op.matmul(op.softmax(masked, 2), x, False, False), constant(values(16, 8)), False, False)
    model = ov.Model([y], [x, mask], "attention")
    data = [{"x": values(1, 6, 16), "mask": np.array([[[0, 0, 0, 0, -np.inf, -np.inf]]])}]
    with pytest.raises(ModelError, match=r"IgnoredScope\(names=\['masked'\]\)"):
        autoq.quantize(model, data)
    assert_close(model, data, ignored_scope="masked")


def test_the_way_out_of_a_mask_that_is_computed_is_named_and_leads_out() -> None:
    def logarithm(scores: ov.Node, kept: ov.Node) -> ov.Node:
        return op.add(scores, op.log(op.convert(kept, "f32")))

    model = attention(logarithm)
    with pytest.raises(ModelError, match=r"on calibration sample 0.*IgnoredScope\(names=\['masked'\]\)\.$"):
        autoq.quantize(model, attention_data())
    assert_close(model, attention_data(), ignored_scope=autoq.IgnoredScope(names=["masked"]))
    assert_close(model, attention_data(), model_type="transformer")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_weight_with_nan_or_infinity_stays_in_float_and_is_named(wrong: float, kind: str) -> None:
    """A table of which no sample looks up the broken row."""
    table = values(20, 16, scale=1)
    table[0, 3] = wrong
    ids = op.parameter([1, 6], np.int64, name="ids")
    x = op.gather(constant(table, kind, "table"), ids, op.constant(np.int64(0)))
    x.set_friendly_name("lookup")
    x = op.mvn(x, np.array([2]), normalize_variance=True, eps=1e-5, eps_mode="inside_sqrt")
    y = op.matmul(x, constant(values(16, 8), kind), False, False)
    model = ov.Model([op.convert(y, "f32")], [ids], "tagger")
    data = [np.random.default_rng(i).integers(1, 20, (1, 6)) for i in range(8)]
    quantized = assert_close(model, data)
    assert "lookup/fq_weights_0" not in {node.get_friendly_name() for node in quantized.get_ops()}
    assert reasons(model)["lookup"].startswith("its weight 'table")


def test_a_layer_with_a_broken_weight_stays_in_float_beside_one_that_does_not() -> None:
    x = op.parameter([1, 16], np.float32, name="x")
    broken = values(16, 8)
    broken[2, 3] = np.inf
    first = op.matmul(x, constant(broken), False, False)
    second = op.matmul(x, constant(values(16, 4)), False, False)
    for node, name in ((first, "broken"), (second, "whole")):
        node.set_friendly_name(name)
    # Of the broken channel, the sign alone is read.
    model = ov.Model([op.concat([op.sign(first), second], 1)], [x], "two")
    quantized = assert_close(model, [np.abs(values(1, 16 + i, scale=1)[:, :16]) for i in range(8)])
    assert {node.get_friendly_name() for node in quantizers(quantized)} == {"whole/fq_input_0"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fast", [True, False])
def test_a_bias_of_minus_infinity_is_left_as_it_is(fast: bool, kind: str) -> None:
    """A class that is switched off."""
    x = op.parameter([1, 16], np.float32, name="x")
    off = values(1, 8)
    off[0, 3] = -np.inf
    y = op.add(op.matmul(op.convert(x, kind), constant(values(16, 8), kind), False, False), constant(off, kind))
    y = op.matmul(op.softmax(y, 1), constant(values(8, 4), kind), False, False)
    model = ov.Model([op.convert(y, "f32")], [x], "switched off")
    assert_close(model, [values(1, 16 + i, scale=1)[:, :16] for i in range(8)], fast_bias_correction=fast)


@pytest.mark.parametrize("kind", KINDS)
def test_quantizers_pass_what_images_are_padded_with_before_a_maximum(kind: str) -> None:
    x = op.parameter([1, 3, 10, 10], getattr(ov.Type, kind), name="x")

    def conv(y: ov.Node, *shape: int) -> ov.Node:
        return op.convolution(y, constant(values(*shape), kind), [1, 1], [0, 0], [0, 0], [1, 1])

    y = op.relu(conv(x, 8, 3, 3, 3))
    y.set_friendly_name("above")
    ends = np.array([0, 0, 1, 1])
    y = op.pad(y, ends, ends, "constant", constant(-np.inf, kind))
    y = opset1.max_pool(y, [2, 2], [0, 0], [0, 0], [3, 3])
    model = ov.Model([op.convert(conv(y, 8, 8, 3, 3), "f32")], [x], "padded")
    dtype = np.float16 if kind == "f16" else np.float32
    quantized = assert_close(model, [values(1, 3 + i, 10, 10, scale=1)[:, :3].astype(dtype) for i in range(8)])
    assert "above/fq_output_0" in {node.get_friendly_name() for node in quantizers(quantized)}


def test_the_largest_of_what_is_masked_is_taken_in_float() -> None:
    x = op.parameter([1, 6, 16], np.float32, name="x")
    kept = op.parameter([1, 6], np.int64, name="kept")
    y = op.matmul(x, constant(values(16, 16)), False, False)
    y = op.select(op.equal(op.unsqueeze(kept, np.array([2])), np.int64(1)), y, constant(-np.inf))
    y = op.reduce_max(y, np.array([1]), keep_dims=False)
    model = ov.Model([op.matmul(y, constant(values(16, 4)), False, False)], [x, kept], "largest")
    quantized = assert_close(model, attention_data(), most=0.1)
    assert len(quantizers(quantized)) == 2


def test_masks_inside_of_a_body() -> None:
    x = op.parameter([1, 6, 16], np.float32, name="x")
    kept = op.parameter([1, 6], np.int64, name="kept")
    some = op.greater(op.reduce_max(kept, np.array([0, 1])), np.int64(0))
    node = op.if_op(some.output(0))
    branches = []
    for number in range(2):
        inner = attention(selected)
        branches.append(inner)
        node.set_then_body(inner) if number == 0 else node.set_else_body(inner)
    for place, outer in enumerate((x, kept)):
        node.set_input(outer.output(0), *(branch.get_parameters()[place] for branch in branches))
    out = node.set_output(*(branch.get_results()[0] for branch in branches))
    with pytest.warns(UserWarning, match="no calibration sample runs the else branch"):
        assert_close(ov.Model([op.result(out)], [x, kept], "branches"), attention_data())


def test_sensitivities_behind_a_mask_are_numbers() -> None:
    table = autoq.sensitivity(attention(selected), attention_data()).to_pandas()
    assert len(table)
    assert np.isfinite(table["distortion"]).all()
