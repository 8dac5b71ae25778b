"""Transformers as PyTorch and its libraries export them."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper
from onnx_net import OnnxNet, below, ones
from registry import onnx_stranger

WIDTH, HEADS, STEPS = 16, 2, 6
DEPTH = WIDTH // HEADS
TOKENS = (("batch", 1), ("sequence", STEPS))
VECTORS = (*TOKENS, WIDTH)


def layer_norm(net: OnnxNet, x: str) -> str:
    """In pieces, as up to opset 16."""
    centred = net("Sub", x, net.with_axes("ReduceMean", x, [-1]))
    variance = net.with_axes("ReduceMean", net("Pow", centred, net.number(2)), [-1])
    y = net("Div", centred, net("Sqrt", net("Add", variance, net.number(1e-5))))
    return net("Add", net("Mul", y, net.weight(WIDTH, mean=1)), net.weight(WIDTH))


def norm(net: OnnxNet, x: str) -> str:
    return net("LayerNormalization", x, net.weight(WIDTH, mean=1), net.weight(WIDTH), axis=-1)


def gelu(net: OnnxNet, x: str) -> str:
    y = net("Add", net("Erf", net("Div", x, net.number(2**0.5))), net.number(1))
    return net("Mul", net("Mul", x, y), net.number(0.5))


def heads(net: OnnxNet, x: str, perm: tuple[int, ...] = (0, 2, 1, 3)) -> str:
    y = net("Reshape", x, net.constant([0, 0, HEADS, DEPTH]))
    return net("Transpose", y, perm=list(perm))


def merged(net: OnnxNet, x: str) -> str:
    return net("Reshape", net("Transpose", x, perm=[0, 2, 1, 3]), net.constant([0, 0, WIDTH]))


def attention(net: OnnxNet, x: str, mask: str | None = None, memory: str | None = None) -> str:
    source = x if memory is None else memory
    query = heads(net, net.linear(x, WIDTH, WIDTH))
    key = heads(net, net.linear(source, WIDTH, WIDTH), (0, 2, 3, 1))
    value = heads(net, net.linear(source, WIDTH, WIDTH))
    scores = net("Div", net("MatMul", query, key), net.number(DEPTH**0.5))
    if mask is not None:
        scores = net("Add", scores, mask)
    context = net("MatMul", net("Softmax", scores, axis=-1), value)
    return net.linear(merged(net, context), WIDTH, WIDTH)


def feed_forward(net: OnnxNet, x: str) -> str:
    return net.linear(gelu(net, net.linear(x, WIDTH, 2 * WIDTH)), 2 * WIDTH, WIDTH)


def embedded(net: OnnxNet, ids: str, rows: int = 30) -> str:
    return net("Gather", net.weight(rows, WIDTH, scale=1), ids, axis=0)


@onnx_stranger(opset=14)
def encoder_of_tokens(net: OnnxNet) -> None:
    """BERT: three embeddings, a mask of large negative numbers, a pooler."""
    ids = net.input("input_ids", TOKENS, below(30), np.int64)
    mask = net.input("attention_mask", TOKENS, ones, np.int64)
    types = net.input("token_type_ids", TOKENS, below(2), np.int64)
    places = net.slice(net.constant(np.arange(32)[None]), 0, STEPS, 1)
    x = net("Add", net("Add", embedded(net, ids), embedded(net, types, 2)), embedded(net, places, 32))
    x = layer_norm(net, x)
    wide = net.with_axes("Unsqueeze", net.with_axes("Unsqueeze", mask, [1]), [2])
    wide = net("Sub", net.number(1), net("Cast", wide, to=1))
    x = layer_norm(net, net("Add", attention(net, x, net("Mul", wide, net.number(-10000))), x))
    x = layer_norm(net, net("Add", feed_forward(net, x), x))
    first = net("Gather", x, net.constant(0), axis=1)
    pooled = net("Tanh", net("Gemm", first, net.weight(WIDTH, WIDTH), net.weight(WIDTH), transB=1))
    net.output(x, pooled)


@onnx_stranger(opset=17)
def sentences_pooled_by_mask(net: OnnxNet) -> None:
    ids = net.input("input_ids", TOKENS, below(30), np.int64)
    mask = net("Cast", net.input("attention_mask", TOKENS, ones, np.int64), to=1)
    x = embedded(net, ids)
    x = norm(net, net("Add", attention(net, x), x))
    wide = net("Expand", net.with_axes("Unsqueeze", mask, [-1]), net("Shape", x))
    total = net.with_axes("ReduceSum", net("Mul", x, wide), [1], keepdims=0)
    count = net("Clip", net.with_axes("ReduceSum", wide, [1], keepdims=0), net.number(1e-9))
    mean = net("Div", total, count)
    length = net("Clip", net.with_axes("ReduceL2", mean, [1]), net.number(1e-12))
    net.output(net("Div", mean, net("Expand", length, net("Shape", mean))))


@onnx_stranger(opset=17)
def block_with_fused_norms(net: OnnxNet) -> None:
    x = net.input("hidden", VECTORS)
    x = net("Add", x, attention(net, norm(net, x)))
    net.output(net("Add", x, feed_forward(net, norm(net, x))))


@onnx_stranger(opset=20)
def block_with_fused_gelu(net: OnnxNet) -> None:
    x = net.input("hidden", VECTORS)
    y = net("Gelu", net.linear(norm(net, x), WIDTH, 32), approximate="tanh")
    net.output(net("Add", x, net.linear(y, 32, WIDTH)))


@onnx_stranger(opset=13)
def gelu_by_tanh(net: OnnxNet) -> None:
    x = net.linear(layer_norm(net, net.input("hidden", VECTORS)), WIDTH, 32)
    cube = net("Mul", net("Pow", x, net.number(3)), net.number(0.044715))
    inner = net("Mul", net("Add", x, cube), net.number((2 / np.pi) ** 0.5))
    x = net("Mul", net("Mul", x, net.number(0.5)), net("Add", net("Tanh", inner), net.number(1)))
    net.output(net.linear(x, 32, WIDTH))


@onnx_stranger(opset=13)
def quick_gelu(net: OnnxNet) -> None:
    x = net.linear(net.input("hidden", VECTORS), WIDTH, 32)
    net.output(net.linear(net("Mul", x, net("Sigmoid", net("Mul", x, net.number(1.702)))), 32, WIDTH))


@onnx_stranger(opset=12)
def attention_by_einsum(net: OnnxNet) -> None:
    x = net.input("hidden", (1, STEPS, WIDTH))
    query, key, value = (
        net("Reshape", net.linear(x, WIDTH, WIDTH), net.constant([1, STEPS, HEADS, DEPTH])) for _ in range(3)
    )
    scores = net("Mul", net("Einsum", query, key, equation="bqhd,bkhd->bhqk"), net.number(DEPTH**-0.5))
    y = net("Einsum", net("Softmax", scores, axis=-1), value, equation="bhqk,bkhd->bqhd")
    y = net("Einsum", y, net.weight(HEADS, DEPTH, WIDTH, scale=0.3), equation="bqhd,hdo->bqo")
    net.output(y)


@onnx_stranger(opset=11)
def fused_projection_split_by_slices(net: OnnxNet) -> None:
    """`torch.nn.MultiheadAttention`: time first, one projection for all three, heads folded into the batch."""
    x = net.input("src", (("steps", STEPS), 1, WIDTH))
    fused = net.linear(x, WIDTH, 3 * WIDTH)
    parts = [net.slice(fused, WIDTH * i, WIDTH * (i + 1), 2) for i in range(3)]
    query, key, value = (
        net("Transpose", net("Reshape", part, net.constant([-1, HEADS, DEPTH])), perm=[1, 0, 2]) for part in parts
    )
    scores = net("MatMul", net("Mul", query, net.number(DEPTH**-0.5)), net("Transpose", key, perm=[0, 2, 1]))
    y = net("MatMul", net("Softmax", scores, axis=2), value)
    y = net("Reshape", net("Transpose", y, perm=[1, 0, 2]), net.constant([-1, WIDTH]))
    y = net("Gemm", y, net.weight(WIDTH, WIDTH), net.weight(WIDTH), transB=1)
    net.output(layer_norm(net, net("Add", net("Reshape", y, net("Shape", x)), x)))


@onnx_stranger(opset=14)
def decoder_with_causal_mask(net: OnnxNet) -> None:
    """Trilu and Where of minus infinity, as GPT-2 comes out."""
    x = embedded(net, net.input("input_ids", TOKENS, below(30), np.int64))
    steps = net("Gather", net("Shape", x), net.constant([1]), axis=0)
    square = net("Concat", steps, steps, axis=0)
    full = net("ConstantOfShape", square, value=numpy_helper.from_array(np.array([-np.inf], np.float32)))
    x = net("Add", x, attention(net, layer_norm(net, x), net("Trilu", full, net.constant(1), upper=1)))
    net.output(net.linear(layer_norm(net, x), WIDTH, 30, bias=False))


@onnx_stranger(opset=13)
def decoder_masked_by_where(net: OnnxNet) -> None:
    x = embedded(net, net.input("input_ids", TOKENS, below(30), np.int64))
    table = net.constant(np.tril(np.ones((1, 1, 16, 16), bool)), bool)
    steps = net("Gather", net("Shape", x), net.constant([1]), axis=0)
    start, step = net.constant([0]), net.constant([1])
    for axis in (2, 3):
        table = net("Slice", table, start, steps, net.constant([axis]), step)
    query, key = heads(net, net.linear(x, WIDTH, WIDTH)), heads(net, net.linear(x, WIDTH, WIDTH), (0, 2, 3, 1))
    scores = net("Where", table, net("MatMul", query, key), net.number(np.finfo(np.float32).min))
    y = net("MatMul", net("Softmax", scores, axis=-1), heads(net, net.linear(x, WIDTH, WIDTH)))
    net.output(net("Add", x, net.linear(merged(net, y), WIDTH, WIDTH)))


@onnx_stranger(opset=17)
def decoder_with_kept_keys(net: OnnxNet) -> None:
    """A decoder with past: keys and values come in and go out."""
    x = net.input("hidden", (("batch", 1), ("new", 1), WIDTH))
    past = [
        net.input(f"past_key_values.0.{part}", (("batch", 1), HEADS, ("past", 4), DEPTH)) for part in ("key", "value")
    ]
    query, *new = (heads(net, net.linear(norm(net, x), WIDTH, WIDTH)) for _ in range(3))
    present = [net("Concat", a, b, axis=2) for a, b in zip(past, new, strict=True)]
    scores = net("Mul", net("MatMul", query, net("Transpose", present[0], perm=[0, 1, 3, 2])), net.number(DEPTH**-0.5))
    y = net("MatMul", net("Softmax", scores, axis=-1), present[1])
    y = net("Add", x, net.linear(merged(net, y), WIDTH, WIDTH))
    net.output(net.linear(y, WIDTH, 30), *present)


@onnx_stranger(opset=17)
def rotary_and_root_mean_square(net: OnnxNet) -> None:
    """LLaMA: RMS norm in pieces, rotary embedding, SwiGLU."""

    def rms(x: str) -> str:
        mean = net.with_axes("ReduceMean", net("Pow", x, net.number(2)), [-1])
        return net("Mul", net.weight(WIDTH, mean=1), net("Div", x, net("Sqrt", net("Add", mean, net.number(1e-6)))))

    def rotated(x: str) -> str:
        half = DEPTH // 2
        turned = net("Concat", net("Neg", net.slice(x, half, DEPTH, 3)), net.slice(x, 0, half, 3), axis=-1)
        return net("Add", net("Mul", x, cos), net("Mul", turned, sin))

    x = net.input("hidden", (1, STEPS, WIDTH))
    angles = np.outer(np.arange(STEPS), 10000.0 ** -np.linspace(0, 1, DEPTH // 2))
    cos, sin = (net.number(np.tile(turn(angles), 2)[None, None]) for turn in (np.cos, np.sin))
    y = rms(x)
    query, key, value = (heads(net, net.linear(y, WIDTH, WIDTH, bias=False)) for _ in range(3))
    scores = net("MatMul", rotated(query), net("Transpose", rotated(key), perm=[0, 1, 3, 2]))
    scores = net("Softmax", net("Mul", scores, net.number(DEPTH**-0.5)), axis=-1)
    x = net("Add", x, net.linear(merged(net, net("MatMul", scores, value)), WIDTH, WIDTH, bias=False))
    y = rms(x)
    gate = net.linear(y, WIDTH, 32, bias=False)
    gate = net("Mul", net("Mul", gate, net("Sigmoid", gate)), net.linear(y, WIDTH, 32, bias=False))
    net.output(net("Add", x, net.linear(gate, 32, WIDTH, bias=False)))


@onnx_stranger(opset=14)
def patches_of_an_image(net: OnnxNet) -> None:
    """ViT: the class token is expanded to the batch."""
    image = net.input("pixel_values", (("batch", 1), 3, 16, 16))
    x = net("Conv", image, net.weight(WIDTH, 3, 4, 4), net.weight(WIDTH), kernel_shape=[4, 4], strides=[4, 4])
    x = net("Transpose", net("Reshape", x, net.constant([0, WIDTH, -1])), perm=[0, 2, 1])
    batch = net("Gather", net("Shape", image), net.constant([0]), axis=0)
    token = net("Expand", net.weight(1, 1, WIDTH), net("Concat", batch, net.constant([1, WIDTH]), axis=0))
    x = net("Add", net("Concat", token, x, axis=1), net.weight(1, 17, WIDTH, scale=0.2))
    x = net("Add", x, attention(net, layer_norm(net, x)))
    x = net("Add", x, feed_forward(net, layer_norm(net, x)))
    first = net("Gather", layer_norm(net, x), net.constant(0), axis=1)
    net.output(net("Gemm", first, net.weight(5, WIDTH), net.weight(5), transB=1))


@onnx_stranger(opset=13)
def shifted_windows(net: OnnxNet) -> None:
    """Swin: rolled by slices, cut into windows, and back."""
    x = net.input("hidden", (1, 4, 4, WIDTH))
    for axis in (1, 2):
        x = net("Concat", net.slice(x, 1, 4, axis), net.slice(x, 0, 1, axis), axis=axis)
    y = net("Transpose", net("Reshape", x, net.constant([1, 2, 2, 2, 2, WIDTH])), perm=[0, 1, 3, 2, 4, 5])
    y = attention(net, layer_norm(net, net("Reshape", y, net.constant([-1, 4, WIDTH]))))
    y = net("Transpose", net("Reshape", y, net.constant([1, 2, 2, 2, 2, WIDTH])), perm=[0, 1, 3, 2, 4, 5])
    net.output(net("Add", x, net("Reshape", y, net.constant([1, 4, 4, WIDTH]))))


@onnx_stranger(opset=15)
def attention_over_a_memory(net: OnnxNet) -> None:
    x = net.input("decoder_hidden", VECTORS)
    memory = net.input("encoder_hidden", (("batch", 1), ("source", 9), WIDTH))
    x = layer_norm(net, net("Add", x, attention(net, x)))
    net.output(layer_norm(net, net("Add", x, attention(net, x, memory=memory))))


@onnx_stranger(opset=13)
def tied_embeddings(net: OnnxNet) -> None:
    """One table is looked up in, and is transposed to give scores."""
    table = net.weight(30, WIDTH, scale=0.3)
    x = net("Gather", table, net.input("input_ids", TOKENS, below(30), np.int64), axis=0)
    x = layer_norm(net, net("Add", x, feed_forward(net, x)))
    net.output(net("MatMul", x, net("Transpose", table, perm=[1, 0])))


@onnx_stranger(opset=13)
def mixed_tokens_and_channels(net: OnnxNet) -> None:
    x = net.input("hidden", (1, 8, WIDTH))
    y = net("Transpose", layer_norm(net, x), perm=[0, 2, 1])
    y = net.linear(gelu(net, net.linear(y, 8, 12)), 12, 8)
    x = net("Add", x, net("Transpose", y, perm=[0, 2, 1]))
    net.output(net("Add", x, feed_forward(net, layer_norm(net, x))))


@onnx_stranger(opset=17)
def convolution_among_tokens(net: OnnxNet) -> None:
    """Conformer's middle: GLU, a depthwise convolution over time, swish."""
    x = net.input("features", (("batch", 1), ("time", 20), WIDTH))
    y = net("Transpose", norm(net, x), perm=[0, 2, 1])
    y = net("Conv", y, net.weight(32, WIDTH, 1), net.weight(32))
    value, gate = net.split(y, [16, 16], 1)
    y = net(
        "Conv",
        net("Mul", value, net("Sigmoid", gate)),
        net.weight(WIDTH, 1, 5),
        net.weight(WIDTH),
        pads=[2, 2],
        group=WIDTH,
    )
    y = net("Conv", net("Mul", y, net("Sigmoid", y)), net.weight(WIDTH, WIDTH, 1), net.weight(WIDTH))
    net.output(net("Add", x, net("Transpose", y, perm=[0, 2, 1])))
