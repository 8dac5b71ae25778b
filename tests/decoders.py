"""Small decoders of one's own: token numbers -> logits of 29 tokens."""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as ops

VOCABULARY, HIDDEN, HEADS, SIZE, LONGEST = 29, 16, 4, 4, 64


def decoder_net(
    *,
    kv_heads: int = 2,
    attention: str = "fused",
    positions: str = "rotary",
    repeat: str = "gather",
    window: int | None = None,
    blocks: int = 2,
    mask_input: bool = False,
    seed: int = 0,
    scale: float = 0.4,
) -> ov.Model:
    """A decoder of two blocks.

    Args:
        kv_heads: Heads of keys and values.
        attention: "fused", "masked" (fused, with a mask), "added" or "selected" (MatMul, Softmax, MatMul).
        positions: "rotary", "table" (a slice of learned positions), "bias" (added to scores) or "none".
        repeat: How heads are repeated: "gather", "broadcast" or "tile".
        window: Tokens that each token reads, with a mask.
        blocks: Number of blocks.
        mask_input: Whether there is an input `attention_mask`.
        seed: Of the weights.
        scale: Standard deviation of the weights.
    """
    rng = np.random.default_rng(seed)

    def weight(*shape: int) -> ov.Node:
        return ops.constant(rng.normal(0, scale, shape).astype(np.float32))

    ids = _input("input_ids")
    inputs = [ids]
    x = ops.gather(weight(VOCABULARY, HIDDEN), ids, np.int64(0))
    length = ops.gather(ops.shape_of(ids), np.int64(1), np.int64(0))
    places = ops.range(np.int64(0), length, np.int64(1), "i64")
    row, column = ops.unsqueeze(places, np.int64(0)), ops.unsqueeze(places, np.int64(1))
    allowed: ov.Node = ops.less_equal(row, column)
    if window is not None:
        allowed = ops.logical_and(allowed, ops.greater(row, ops.subtract(column, np.int64(window))))
    if mask_input:
        inputs.append(_input("attention_mask"))
        real = ops.convert(ops.unsqueeze(inputs[1], np.array([1, 2], np.int64)), "boolean")
        allowed = ops.logical_and(ops.unsqueeze(allowed, np.array([0, 1], np.int64)), real)
    if positions == "table":
        taken = ops.slice(
            weight(1, LONGEST, HIDDEN), np.array([0]), ops.unsqueeze(length, np.int64(0)), np.array([1]), np.array([1])
        )
        x = ops.add(x, taken)
    angles = ops.multiply(ops.unsqueeze(ops.convert(places, "f32"), np.int64(1)), np.array([[1.0, 0.3]], np.float32))
    both = ops.concat([angles, angles], 1)
    cos, sin = ops.cos(both), ops.sin(both)

    def heads(of: ov.Node, count: int) -> ov.Node:
        apart = ops.reshape(of, np.array([0, 0, count, SIZE]), special_zero=True)
        return ops.transpose(apart, np.array([0, 2, 1, 3]))

    def turned(of: ov.Node) -> ov.Node:
        if positions != "rotary":
            return of
        first, second = ops.split(of, np.int64(3), 2).outputs()
        rotated = ops.concat([ops.negative(second), first], 3)
        return ops.add(ops.multiply(of, cos), ops.multiply(rotated, sin))

    for number in range(blocks):
        q = turned(heads(ops.matmul(x, weight(HIDDEN, HEADS * SIZE), False, False), HEADS))
        k = turned(heads(ops.matmul(x, weight(HIDDEN, kv_heads * SIZE), False, False), kv_heads))
        v = heads(ops.matmul(x, weight(HIDDEN, kv_heads * SIZE), False, False), kv_heads)
        k, v = _repeated(k, kv_heads, repeat), _repeated(v, kv_heads, repeat)
        found = _attention(attention, q, k, v, allowed, column if positions == "bias" else None)
        found.set_friendly_name(f"block.{number}.attention")
        joined = ops.reshape(ops.transpose(found, np.array([0, 2, 1, 3])), np.array([0, 0, HEADS * SIZE]), True)
        x = ops.add(x, ops.matmul(joined, weight(HEADS * SIZE, HIDDEN), False, False))
        x = ops.add(
            x, ops.matmul(ops.relu(ops.matmul(x, weight(HIDDEN, 24), False, False)), weight(24, HIDDEN), False, False)
        )
    logits = ops.result(ops.matmul(x, weight(HIDDEN, VOCABULARY), False, False))
    logits.output(0).set_names({"logits"})
    return ov.Model([logits], inputs, "decoder_net")


def _input(name: str) -> ov.op.Parameter:
    made = ops.parameter([-1, -1], ov.Type.i64)
    made.set_friendly_name(name)
    made.output(0).set_names({name})
    return made


def _repeated(of: ov.Node, count: int, how: str) -> ov.Node:
    times = HEADS // count
    if times == 1:
        return of
    if how == "gather":
        return ops.gather(of, np.repeat(np.arange(count), times), np.int64(1))
    apart = ops.unsqueeze(of, np.int64(2))
    each = (
        ops.tile(apart, np.array([1, 1, times, 1, 1]))
        if how == "tile"
        else ops.broadcast(apart, np.array([1, 1, times, 1, 1]), broadcast_spec="BIDIRECTIONAL")
    )
    return ops.reshape(each, np.array([0, HEADS, -1, SIZE]), special_zero=True)


def _attention(how: str, q: ov.Node, k: ov.Node, v: ov.Node, allowed: ov.Node, bias: ov.Node | None) -> ov.Node:
    hidden = np.float32(-1e9)
    if how == "fused":
        return ops.scaled_dot_product_attention(q, k, v, causal=True)
    added = ops.select(allowed, np.float32(0), hidden)
    if bias is not None:
        added = ops.add(added, ops.convert(bias, "f32"))
    if how == "masked":
        return ops.scaled_dot_product_attention(q, k, v, added)
    size = ops.convert(ops.gather(ops.shape_of(q), np.int64(3), np.int64(0)), "f32")
    scores: ov.Node = ops.divide(ops.matmul(q, k, False, True), ops.sqrt(size))
    scores = ops.add(scores, added) if how == "added" else ops.select(allowed, scores, hidden)
    return ops.matmul(ops.softmax(scores, 3), v, False, False)
