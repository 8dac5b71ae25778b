"""Small models for the rows of layers: norms, convolutions, pooling, images, detection, signals, cells, attention."""

import numpy as np
import openvino as ov
import openvino.opset1 as op1
import openvino.opset2 as op2
import openvino.opset10 as op10
import openvino.opset13 as op
import openvino.opset14 as op14
import openvino.opset15 as op15
import openvino.opset16 as op16
from graph_models import values
from openvino.utils.node_factory import NodeFactory
from operation_cases import CASES, RNG, add, ints, of_one, positive, real

LAYERS = CASES

# --- norms ---
for mode in ("inside_sqrt", "outside_sqrt"):
    of_one(f"mvn {mode}", lambda x, m=mode: op.mvn(x, ints(1, 2), True, 1e-3, m))
of_one("mvn of the last axis", lambda x: op.mvn(x, ints(-1), True, 1e-5, "inside_sqrt"))
of_one("mvn of means", lambda x: op.mvn(x, ints(1), False, 1e-5, "inside_sqrt"))
for across in (False, True):
    of_one(f"mvn of maps, across {across}", lambda x, a=across: op2.mvn(x, a, True, 1e-2), shape=(2, 3, 4, 5))
of_one("mvn of maps without variance", lambda x: op2.mvn(x, False, False, 1e-2), shape=(2, 3, 4, 5))
of_one("batch norm", lambda x: op.batch_norm_inference(x, values(3), values(3), values(3), positive(3), 1e-3))
of_one("group norm", lambda x: op.group_normalization(x, values(4), values(4), 2, 1e-3), shape=(2, 4, 3, 3))
for mode in ("add", "max"):
    of_one(f"normalize l2 {mode}", lambda x, m=mode: op.normalize_l2(x, ints(1), 1e-3, m), shape=(2, 4, 3, 3))
of_one("lrn", lambda x: op.lrn(x, ints(1), 0.3, 0.75, 1.0, 3), shape=(2, 16, 3, 3))
of_one("grn", lambda x: op1.grn(x, 0.5), shape=(2, 4, 3, 3))


# --- convolutions and products ---
def square(n: int = 2, value: int = 1) -> list[int]:
    return [value] * n


of_one(
    "convolution", lambda x: op.convolution(x, values(5, 3, 3, 3), [2, 1], [1, 0], [0, 2], [1, 2]), shape=(2, 3, 8, 9)
)
for pads in ("same_upper", "same_lower", "valid"):
    of_one(
        f"convolution {pads}",
        lambda x, p=pads: op.convolution(x, values(5, 3, 2, 3), [2, 2], [0, 0], [0, 0], [1, 1], p),
        shape=(2, 3, 8, 9),
    )
of_one("convolution of a line", lambda x: op.convolution(x, values(5, 3, 3), [1], [1], [1], [1]), shape=(2, 3, 8))
of_one(
    "convolution of a volume",
    lambda x: op.convolution(x, values(5, 3, 2, 2, 2), square(3), square(3, 0), square(3, 0), square(3)),
    shape=(2, 3, 4, 5, 4),
)
of_one(
    "group convolution",
    lambda x: op.group_convolution(x, values(2, 3, 2, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1]),
    shape=(2, 4, 6, 6),
)
deconv = {"pads_begin": [1, 0], "pads_end": [0, 1], "dilations": [1, 2]}
of_one(
    "transposed",
    lambda x: op.convolution_backprop_data(x, values(3, 4, 3, 3), [2, 2], **deconv, output_padding=[1, 0]),
    shape=(2, 3, 4, 5),
)
of_one(
    "transposed grouped",
    lambda x: op.group_convolution_backprop_data(x, values(2, 2, 3, 3, 3), [2, 2], **deconv),
    shape=(2, 4, 4, 5),
)
for pads in ("same_upper", "same_lower", "explicit"):
    of_one(
        f"transposed to a shape {pads}",
        lambda x, p=pads: op.convolution_backprop_data(
            x, values(3, 4, 3, 3), [2, 2], ints(8, 10), pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1], auto_pad=p
        ),
        shape=(2, 3, 4, 5),
    )
for a in (False, True):
    for b in (False, True):
        of_one(
            f"matmul {a} {b}",
            lambda x, a=a, b=b: op.matmul(x, values(5, 4) if b else values(4, 5), a, b),
            shape=(2, 4, 4),
        )
add("matmul of two", lambda: ([op.matmul(a := real(2, 3, 4), b := real(2, 5, 4, name="b"), False, True)], [a, b]))
of_one("matmul of a vector", lambda x: op.matmul(x, values(4), False, False))
add("einsum", lambda: ([op.einsum([a := real(2, 3, 4), b := real(2, 5, 4, name="b")], "bij,bkj->bik")], [a, b]))

# --- pooling ---
for rounding in ("floor", "ceil"):
    of_one(
        f"max pool {rounding}",
        lambda x, r=rounding: op.max_pool(x, [2, 2], [1, 1], [1, 0], [0, 1], [3, 3], r).output(0),
        shape=(2, 3, 7, 8),
    )
    for exclude in (False, True):
        of_one(
            f"avg pool {rounding} {exclude}",
            lambda x, r=rounding, e=exclude: op.avg_pool(x, [2, 2], [1, 0], [0, 1], [3, 3], e, r),
            shape=(2, 3, 7, 8),
        )
of_one(
    "max pool ceil torch",
    lambda x: op14.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [2, 2], "ceil_torch").output(0),
    shape=(2, 3, 7, 8),
)
of_one(
    "avg pool ceil torch",
    lambda x: op14.avg_pool(x, [2, 2], [1, 1], [1, 1], [2, 2], False, "ceil_torch"),
    shape=(2, 3, 7, 8),
)
for pads in ("same_upper", "same_lower"):
    of_one(
        f"max pool {pads}",
        lambda x, p=pads: op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [3, 2], "floor", p).output(0),
        shape=(2, 3, 7, 8),
    )
    of_one(
        f"avg pool {pads}",
        lambda x, p=pads: op.avg_pool(x, [2, 2], [0, 0], [0, 0], [3, 2], True, "floor", p),
        shape=(2, 3, 7, 8),
    )
of_one(
    "max pool with places", lambda x: op.max_pool(x, [2, 2], [1, 1], [1, 0], [0, 1], [3, 3], axis=0), shape=(2, 3, 7, 8)
)
of_one(
    "max pool with places of a channel",
    lambda x: op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], axis=2),
    shape=(2, 3, 7, 8),
)
of_one("adaptive avg pool", lambda x: op.adaptive_avg_pool(x, ints(3, 2)), shape=(2, 3, 7, 8))
of_one("adaptive max pool", lambda x: op.adaptive_max_pool(x, ints(3, 2), "i32"), shape=(2, 3, 7, 8))

# --- images ---
for mode in ("constant", "edge", "reflect", "symmetric"):
    of_one(
        f"pad {mode}",
        lambda x, m=mode: op.pad(
            x, ints(0, 2, 1), ints(1 if m == "constant" else 0, 1, 2), m, np.float32(0.5) if m == "constant" else None
        ),
    )
of_one("pad that crops", lambda x: op.pad(x, ints(0, -1, 1), ints(0, 1, -2), "constant"))


def resize(name: str, mode: str, sizes: tuple[int, int] = (7, 5), **more) -> None:
    of_one(
        f"interpolate {name}",
        lambda x: op.interpolate(x, op.constant(np.int64(sizes)), mode, "sizes", axes=ints(2, 3), **more),
        shape=(1, 2, 4, 8),
    )


COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "tf_half_pixel_for_nn", "align_corners")
for how in COORDINATES:
    for mode in ("nearest", "linear", "linear_onnx", "cubic"):
        resize(f"{mode} {how}", mode, coordinate_transformation_mode=how)
for how in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"):
    resize(f"nearest {how}", "nearest", nearest_mode=how)
for mode in ("bilinear_pillow", "bicubic_pillow"):
    resize(mode, mode)
resize("linear antialias", "linear", antialias=True)
resize("pads", "linear_onnx", pads_begin=[0, 0, 1, 0], pads_end=[0, 0, 0, 1])
of_one(
    "interpolate by scales",
    lambda x: op.interpolate(x, op.constant(np.float32([1.5, 0.6])), "linear_onnx", "scales", axes=ints(2, 3)),
    shape=(1, 2, 4, 8),
)
of_one(
    "interpolate of version 4",
    lambda x: op10.interpolate(
        x, ints(6, 5), op.constant(np.float32([1.5, 0.625])), "linear_onnx", "sizes", axes=ints(2, 3)
    ),
    shape=(1, 2, 4, 8),
)
for mode in ("nearest", "linear", "cubic"):
    for corners in (False, True):
        of_one(
            f"interpolate of version 0, {mode} {corners}",
            lambda x, m=mode, c=corners: op1.interpolate(
                x, ints(3, 11), {"axes": [2, 3], "mode": m, "align_corners": c}
            ),
            shape=(1, 2, 4, 8),
        )


def reversed_along(x: ov.Node, axes: ov.Node, mode: str) -> ov.Node:
    return NodeFactory("opset1").create("Reverse", [x.output(0), axes.output(0)], {"mode": mode})


of_one("identity", op16.identity)
of_one("reverse by numbers", lambda x: reversed_along(x, ints(0, 2), "index"))
of_one("reverse by marks", lambda x: reversed_along(x, op.constant(np.array([False, True, True])), "mask"))
for mode in ("bilinear", "nearest", "bicubic"):
    for edge in ("zeros", "border", "reflection"):
        add(
            f"grid sample {mode} {edge}",
            lambda mode=mode, edge=edge: (
                [
                    op.grid_sample(
                        x := real(2, 3, 5, 6),
                        g := real(2, 4, 3, 2, name="g"),
                        {"mode": mode, "padding_mode": edge, "align_corners": True},
                    )
                ],
                [x, g],
            ),
            [
                RNG(0).normal(0, 1, (2, 3, 5, 6)).astype(np.float32),
                RNG(1).uniform(-1.3, 1.3, (2, 4, 3, 2)).astype(np.float32),
            ],
        )
of_one(
    "extract patches", lambda x: op.extract_image_patches(x, [3, 2], [2, 1], [1, 2], "same_upper"), shape=(2, 3, 7, 8)
)
for mode in ("avg", "max"):
    for aligned in ("asymmetric", "half_pixel"):
        add(
            f"roi align {mode} {aligned}",
            lambda mode=mode, aligned=aligned: (
                [
                    op.roi_align(
                        x := real(2, 3, 8, 8),
                        op.constant(np.float32([[1, 1, 6, 5], [0, 2, 7.5, 7]])),
                        op.constant(np.int32([1, 0])),
                        3,
                        2,
                        2,
                        0.9,
                        mode,
                        aligned,
                    )
                ],
                [x],
            ),
        )
add(
    "eye",
    lambda: (
        [
            op.eye(
                op.squeeze(op.slice(op.shape_of(x := real(-1, 4)), ints(0), ints(1), ints(1)), ints(0)),
                np.int64(4),
                np.int64(1),
                "f32",
            )
        ],
        [x],
    ),
)

# --- detection ---
boxes = np.sort(RNG(0).uniform(0, 1, (1, 6, 2, 2)), axis=2).reshape(1, 6, 4).astype(np.float32)
grades = RNG(1).uniform(0, 1, (1, 2, 6)).astype(np.float32)
for encoding in ("corner", "center"):
    add(
        f"nms {encoding}",
        lambda e=encoding: (
            [
                op.non_max_suppression(
                    b := real(1, 6, 4, name="b"),
                    s := real(1, 2, 6, name="s"),
                    np.int64(3),
                    np.float32(0.3),
                    np.float32(0.2),
                    box_encoding=e,
                )
            ],
            [b, s],
        ),
        [boxes, grades],
    )
add(
    "nms soft",
    lambda: (
        [
            op.non_max_suppression(
                b := real(1, 6, 4, name="b"),
                s := real(1, 2, 6, name="s"),
                np.int64(4),
                np.float32(0.7),
                np.float32(0.1),
                np.float32(0.5),
            )
        ],
        [b, s],
    ),
    [boxes, grades],
)

# --- signals ---
for kind in ("dft", "idft", "rdft", "irdft"):
    complex_pair = (2,) if kind != "rdft" else ()
    of_one(kind, lambda x, k=kind: getattr(op, k)(x, ints(1, 2)), shape=(2, 5, 6, *complex_pair))
of_one("rdft of a length", lambda x: op.rdft(x, ints(1, 2), ints(4, 5)), shape=(2, 5, 6))
for turned in (False, True):
    of_one(f"stft {turned}", lambda x, t=turned: op15.stft(x, positive(6), np.int64(8), np.int64(3), t), shape=(2, 32))


# --- recurrent cells ---
def recurrent(
    kind: str, gates: int, states: int, *, directions: int = 0, lengths: tuple[int, ...] = (5, 5), **more
) -> None:
    """A cell, or a sequence if there are directions."""
    d = [directions] if directions else []
    time = [5] if directions else []
    bias_rows = gates + 1 if more.get("linear_before_reset") else gates

    def build():
        x = real(2, *time, 4)
        state = [op.constant(values(2, *d, 3)) for _ in range(states)]
        weights = [
            op.constant(values(*d, rows * 3, *last)) for rows, last in ((gates, [4]), (gates, [3]), (bias_rows, []))
        ]
        size = [3, *(["BIDIRECTIONAL" if directions == 2 else more.get("direction", "FORWARD")] if directions else [])]
        rest = {key: value for key, value in more.items() if key != "direction"}
        seen = [op.constant(np.int32(lengths))] if directions else []
        return [getattr(op, kind)(x, *state, *seen, *weights, *size, **rest)], [x]

    add(f"{kind} {directions} {lengths} {sorted(more)}", build)


recurrent("lstm_cell", 4, 2)
recurrent("lstm_cell", 4, 2, clip=0.3)
recurrent("gru_cell", 3, 1)
recurrent("gru_cell", 3, 1, linear_before_reset=True)
recurrent("rnn_cell", 1, 1, activations=["tanh"], activations_alpha=[], activations_beta=[])
recurrent("lstm_sequence", 4, 2, directions=1)
recurrent("lstm_sequence", 4, 2, directions=1, direction="REVERSE")
recurrent("lstm_sequence", 4, 2, directions=2)
recurrent("lstm_sequence", 4, 2, directions=2, lengths=(3, 5))
# As ONNX names them, for both directions. The device takes the first ones.
recurrent("lstm_sequence", 4, 2, directions=2, activations=["sigmoid", "tanh", "tanh", "sigmoid", "relu", "tanh"])
recurrent("gru_sequence", 3, 1, directions=1)
recurrent("gru_sequence", 3, 1, directions=2, linear_before_reset=True)
recurrent("rnn_sequence", 1, 1, directions=1)
recurrent("rnn_sequence", 1, 1, directions=2)

# --- attention, states, quantizers ---
for causal in (False, True):
    add(
        f"attention {causal}",
        lambda c=causal: (
            [
                op.scaled_dot_product_attention(
                    q := real(2, 3, 5, 4), k := real(2, 3, 5, 4, name="k"), v := real(2, 3, 5, 4, name="v"), causal=c
                )
            ],
            [q, k, v],
        ),
    )
mask = np.where(RNG(0).random((2, 1, 5, 6)) < 0.3, -1e9, 0).astype(np.float32)
add(
    "attention with a mask",
    lambda: (
        [
            op.scaled_dot_product_attention(
                q := real(2, 3, 5, 4),
                k := real(2, 3, 6, 4, name="k"),
                v := real(2, 3, 6, 4, name="v"),
                op.constant(mask),
                np.float32(0.3),
            )
        ],
        [q, k, v],
    ),
)
add(
    "attention with bools",
    lambda: (
        [
            op.scaled_dot_product_attention(
                q := real(2, 3, 5, 4),
                k := real(2, 3, 6, 4, name="k"),
                v := real(2, 3, 6, 4, name="v"),
                op.constant(mask == 0),
            )
        ],
        [q, k, v],
    ),
)
add(
    "attention with no mask but a number",
    lambda: (
        [
            op.scaled_dot_product_attention(
                q := real(2, 3, 5, 4),
                k := real(2, 3, 6, 4, name="k"),
                v := real(2, 3, 6, 4, name="v"),
                op.constant(np.float32(0)),
                np.float32(0.3),
            )
        ],
        [q, k, v],
    ),
)
of_one(
    "fake quantize of other limits",
    lambda x: op.fake_quantize(x, np.float32(-1), np.float32(0.8), np.float32(-2), np.float32(3), 16),
)
of_one(
    "fake quantize",
    lambda x: op.fake_quantize(x, np.float32(-0.128), np.float32(0.127), np.float32(-0.128), np.float32(0.127), 256),
)


# --- bodies ---
def looped() -> tuple[list[ov.Node], list[ov.Node]]:
    """A state that is multiplied three times, and what it was each time."""
    x = real(1, 4)
    step, state = op.parameter([], np.int64, name="step"), real(1, 4)
    next_state = op.add(op.tanh(op.matmul(state, values(4, 4), False, True)), op.convert(step, "f32"))
    body = ov.Model([op.result(next_state), op.result(op.constant(np.array(True)))], [step, state], "body")
    loop = op.loop(op.constant(np.int64(3)), op.constant(np.array(True)))
    loop.set_function(body)
    loop.set_special_body_ports([0, 1])
    loop.set_merged_input(state, x.output(0), body.get_results()[0].output(0))
    last = loop.get_iter_value(body.get_results()[0].output(0), -1)
    every = loop.get_concatenated_slices(body.get_results()[0].output(0), 0, 1, 1, -1, 0)
    return [last, every], [x]


def branched() -> tuple[list[ov.Node], list[ov.Node]]:
    """A product if the sum is positive, else a sum."""
    x = real(2, 4)
    choice = op.if_op(op.greater(op.reduce_sum(x, ints(0, 1), False), op.constant(np.float32(0))).output(0))
    given = [real(2, 4), real(2, 4)]
    then = ov.Model([op.result(op.matmul(given[0], values(4, 4), False, True))], [given[0]], "then")
    otherwise = ov.Model([op.result(op.add(given[1], np.float32(1)))], [given[1]], "else")
    choice.set_then_body(then)
    choice.set_else_body(otherwise)
    choice.set_input(x.output(0), given[0], given[1])
    return [choice.set_output(then.get_results()[0], otherwise.get_results()[0])], [x]


add("loop", looped)
add("if", branched, [positive(2, 4)])
