"""Builds an attention over the tokens of this inference and those kept of earlier ones.

The CPU runs it fused, cache included, in this form alone: ReadValue -> Gather by `beam_idx` -> Concat with the new keys
-> heads repeated by Unsqueeze, Broadcast (bidirectional), Reshape -> ScaledDotProductAttention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.transform.stateful._cached import Cached, Source

# Finite in half precision, where a row that may read nothing must not become NaN.
_HIDDEN = np.float32(-65504)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all attentions read.

    Attributes:
        sequences: Number of sequences, [1].
        beams: The sequence that each sequence goes on from, [n].
        mask: What is added to scores, [n, 1, t, all tokens].
    """

    sequences: ov.Output
    beams: ov.Output
    mask: ov.Output


def hidden_tokens(tokens: ov.Output, attention_mask: ov.Output) -> ov.Output:
    """What is added to scores: a token reads itself and those before it that are no padding.

    Args:
        tokens: The new tokens, [n, t].
        attention_mask: 1 for tokens, 0 for padding, [n, tokens kept and new].

    Returns:
        [n, 1, t, tokens kept and new].
    """
    length = _axis(tokens, 1)
    every = _axis(attention_mask, 1)
    zero, one = ops.constant(np.int64(0)), ops.constant(np.int64(1))
    places = ops.range(zero, every, one, "i64")
    new = ops.unsqueeze(ops.range(ops.subtract(every, length), every, one, "i64"), one)
    before = ops.less_equal(ops.unsqueeze(places, zero), new)
    real = ops.convert(ops.unsqueeze(attention_mask, ops.constant(np.array([1, 2], np.int64))), "boolean")
    allowed = ops.logical_and(real, before)
    return ops.select(allowed, ops.constant(np.float32(0)), ops.constant(_HIDDEN)).output(0)


def attend(cached: Cached, inputs: Inputs, number: int) -> tuple[ov.Output, list[ov.Node]]:
    """An attention that keeps its keys and values.

    Args:
        cached: The attention, and what it keeps.
        inputs: What all attentions read.
        number: Its number, for the names of its states.

    Returns:
        Its output [n, heads, t, size], and the operations that keep states.
    """
    name = cached.attention.op.get_friendly_name()
    kept: list[ov.Node] = []
    parts = []
    for source, part in ((cached.key, "key"), (cached.value, "value")):
        whole, assign = _kept(source, inputs, f"past_key_values.{number}.{part}present.{number}.{part}")
        kept.append(assign)
        parts.append(_repeated(whole, source, cached.heads))
    rest: list[Any] = [inputs.mask]
    if cached.scale is not None:
        rest.append(ops.constant(np.float32(cached.scale)))
    found = ops.scaled_dot_product_attention(cached.attention.query, *parts, *rest, causal=False)
    found.set_friendly_name(name)
    return found.output(0), kept


def _kept(source: Source, inputs: Inputs, state: str) -> tuple[ov.Output, ov.Node]:
    """All keys or values, kept and new, [n, heads, all tokens, size], and the operation that keeps them."""
    new = source.value
    if source.order != (0, 1, 2, 3):
        new = ops.transpose(new, ops.constant(np.array(source.order, np.int64))).output(0)
    kind = new.get_element_type()
    shape = ops.concat([inputs.sequences, ops.constant(np.array([source.heads, 0, source.size], np.int64))], 0)
    nothing = ops.broadcast(ops.constant(np.float32(0)) if kind == ov.Type.f32 else _zero(kind), shape)
    past = ops.read_value(nothing, state, kind, ov.PartialShape([-1, source.heads, -1, source.size]))
    chosen = ops.gather(past, inputs.beams, ops.constant(np.int64(0)))
    whole = ops.concat([chosen, new], 2)
    return whole.output(0), ops.assign(whole, state)


def _zero(kind: ov.Type) -> ov.Node:
    return ops.convert(ops.constant(np.float32(0)), kind.get_type_name())


def _repeated(value: ov.Output, source: Source, heads: int) -> ov.Output:
    times = heads // source.heads
    if times == 1:
        return value
    apart = ops.unsqueeze(value, ops.constant(np.int64(2)))
    each = ops.broadcast(apart, ops.constant(np.array([1, 1, times, 1, 1], np.int64)), broadcast_spec="BIDIRECTIONAL")
    joined = ops.constant(np.array([0, heads, -1, source.size], np.int64))
    return ops.reshape(each, joined, special_zero=True).output(0)


def _axis(value: ov.Output, axis: int) -> ov.Node:
    """Length of an axis, a scalar."""
    return ops.gather(ops.shape_of(value), ops.constant(np.int64(axis)), ops.constant(np.int64(0)))
