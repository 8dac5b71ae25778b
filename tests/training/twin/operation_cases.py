"""Small models, at least one for each row of the table of operations: (build, inputs or None for random ones)."""

from collections.abc import Callable

import numpy as np
import openvino as ov
import openvino.opset13 as op13
import openvino.opset15 as op15
from graph_models import values

CASES: dict[str, Callable[[], tuple[ov.Model, list[np.ndarray] | None]]] = {}
op = op13
RNG = np.random.default_rng


def real(*shape: int, name: str = "x") -> ov.Node:
    return op.parameter(list(shape), np.float32, name=name)


def whole(*shape: int, name: str = "i", kind: type = np.int64) -> ov.Node:
    return op.parameter(list(shape), kind, name=name)


def positive(*shape: int) -> np.ndarray:
    return (np.abs(RNG(1).normal(1, 0.4, shape)) + 0.2).astype(np.float32)


def add(name: str, build: Callable[[], tuple[list[ov.Node], list[ov.Node]]], inputs=None) -> None:
    def make() -> tuple[ov.Model, list[np.ndarray] | None]:
        outputs, parameters = build()
        results = [
            op.result(out) for node in outputs for out in (node.outputs() if isinstance(node, ov.Node) else [node])
        ]
        return ov.Model(results, parameters, name), inputs

    CASES[name] = make


def of_one(name: str, apply: Callable[..., ov.Node], shape=(2, 3, 4), inputs=None) -> None:
    """An operation behind a product with a weight, so that a gradient passes through it."""

    def build():
        x = real(*shape)
        y = op.matmul(x, op.constant(values(shape[-1], shape[-1])), False, False) if inputs is None else x
        return [apply(y)], [x]

    add(name, build, inputs)


def ints(*numbers: int) -> ov.Node:
    return op.constant(np.int64(numbers))


# --- functions of one number ---
for kind in [
    "abs",
    "atan",
    "asinh",
    "ceiling",
    "cos",
    "cosh",
    "erf",
    "exp",
    "floor",
    "hsigmoid",
    "hswish",
    "mish",
    "negative",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softplus",
    "softsign",
    "tan",
    "tanh",
    "swish",
]:
    of_one(kind, getattr(op, kind))
for kind in ("sqrt", "log"):
    of_one(kind, getattr(op, kind), inputs=[positive(2, 3, 4)])
for kind in ("asin", "acos", "atanh"):
    of_one(kind, getattr(op, kind), inputs=[RNG(0).uniform(-0.9, 0.9, (2, 3, 4)).astype(np.float32)])
of_one("acosh", op.acosh, inputs=[positive(2, 3, 4) + 1])
of_one("gelu", lambda x: op.gelu(x, "erf"))
of_one("gelu tanh", lambda x: op.gelu(x, "tanh"))
of_one("elu", lambda x: op.elu(x, 0.7))
of_one("selu", lambda x: op.selu(x, np.float32(1.6), np.float32(1.05)))
of_one("prelu", lambda x: op.prelu(x, op.constant(values(3))))
of_one("prelu of one", lambda x: op.prelu(x, op.constant(np.float32([0.2]))))
of_one("hard sigmoid", lambda x: op.hard_sigmoid(x, np.float32(0.3), np.float32(0.4)))
of_one("swish of beta", lambda x: op.swish(x, np.float32(1.7)))
of_one("clamp", lambda x: op.clamp(x, -0.1, 0.2))
add("clamp of integers", lambda: ([op.clamp(i := whole(2, 3), 1.0, 2.0)], [i]))
halves = [np.float32([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3, 1.7]])]
of_one("round", lambda x: op.round(x, "half_to_even"), inputs=halves, shape=(1, 8))
of_one("round away", lambda x: op.round(x, "half_away_from_zero"), inputs=halves, shape=(1, 8))
strange = [np.float32([[1, np.inf, -np.inf, np.nan]])]
for kind in ("is_finite", "is_inf", "is_nan"):
    add(kind, lambda kind=kind: ([getattr(op, kind)(x := real(1, 4))], [x]), strange)
add(
    "is_inf of one sign",
    lambda: ([op.is_inf(x := real(1, 4), {"detect_negative": False})], [x]),
    strange,
)
of_one("softmax", lambda x: op.softmax(x, 1))
of_one("log softmax", lambda x: op.log_softmax(x, -1))
for exclusive in (False, True):
    for reverse in (False, True):
        of_one(f"cumsum {exclusive} {reverse}", lambda x, e=exclusive, r=reverse: op.cum_sum(x, np.int64(1), e, r))

# --- two numbers ---
for kind in [
    "add",
    "subtract",
    "multiply",
    "maximum",
    "minimum",
    "squared_difference",
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
]:
    add(kind, lambda kind=kind: ([getattr(op, kind)(a := real(2, 3), b := real(1, 3, name="b"))], [a, b]))
signs = [np.float32([[5.5, -5.5, 5.5, -5.5]]), np.float32([[2, 2, -2, -2]])]
integers = [np.int32([[7, -7, 7, -7]]), np.int32([[2, 2, -2, -2]])]
for kind in ("divide", "floor_mod", "mod"):
    add(kind, lambda kind=kind: ([getattr(op, kind)(a := real(1, 4), b := real(1, 4, name="b"))], [a, b]), signs)
for kind in ("floor_mod", "mod"):
    add(
        f"{kind} of integers",
        lambda kind=kind: (
            [getattr(op, kind)(a := whole(1, 4, kind=np.int32), b := whole(1, 4, name="b", kind=np.int32))],
            [a, b],
        ),
        integers,
    )
add(
    "divide of integers",
    lambda: ([op.divide(a := whole(3, kind=np.int32), b := whole(3, name="b", kind=np.int32))], [a, b]),
    [np.int32([7, 8, 9]), np.int32([2, 3, 4])],
)
add("power", lambda: ([op.power(a := real(2, 3), b := real(2, 3, name="b"))], [a, b]), [positive(2, 3), values(2, 3)])
of_one("power of a number", lambda x: op.power(x, np.float32(2)))
for kind in ("logical_and", "logical_or", "logical_xor"):
    add(
        kind,
        lambda kind=kind: (
            [getattr(op, kind)(a := whole(2, 3, kind=bool), b := whole(3, name="b", kind=bool))],
            [a, b],
        ),
    )
add("logical_not", lambda: ([op.logical_not(a := whole(2, 3, kind=bool))], [a]))
for kind in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    add(
        kind,
        lambda kind=kind: (
            [getattr(op, kind)(a := whole(2, 3, kind=np.int32), b := whole(3, name="b", kind=np.int32))],
            [a, b],
        ),
    )
add("bitwise_not", lambda: ([op.bitwise_not(a := whole(2, 3, kind=np.int32))], [a]))
for kind in ("bitwise_left_shift", "bitwise_right_shift"):
    add(
        kind,
        lambda kind=kind: (
            [getattr(op15, kind)(a := whole(2, 3, kind=np.int32), b := whole(3, name="b", kind=np.int32))],
            [a, b],
        ),
    )
add("select", lambda: ([op.select(c := whole(2, 3, kind=bool), a := real(2, 3), b := real(3, name="b"))], [c, a, b]))
add("convert", lambda: ([op.convert(i := whole(2, 3), "f32")], [i]))
add("convert to bool", lambda: ([op.convert(i := whole(2, 3), "boolean")], [i]))
add("convert like", lambda: ([op.convert_like(i := whole(2, 3), x := real(1))], [i, x]))

# --- shapes ---
of_one("reshape", lambda x: op.reshape(x, ints(0, -1), True))
of_one("reshape plainly", lambda x: op.reshape(x, ints(4, -1), False))
of_one("transpose", lambda x: op.transpose(x, ints(2, 0, 1)))
of_one("squeeze", lambda x: op.squeeze(x, ints(0, -2)), shape=(1, 3, 1, 4))
of_one("squeeze all", op15.squeeze, shape=(1, 3, 1, 4))
of_one("unsqueeze", lambda x: op.unsqueeze(x, ints(0, -1)))
of_one("concat", lambda x: op.concat([x, op.relu(x)], -2))
of_one("split", lambda x: op.split(x, np.int64(-1), 2))
of_one("variadic split", lambda x: op.variadic_split(x, np.int64(2), ints(1, -1, 1)))
of_one("slice", lambda x: op.slice(x, ints(-1, 0), ints(-100, 3), ints(-1, 2), ints(1, 2)))
of_one("slice of all axes", lambda x: op.slice(x, ints(0, 1, 1), ints(1, 3, 100), ints(1, 1, 1)))
of_one(
    "strided slice",
    lambda x: op.strided_slice(x, ints(0, 1, 0), ints(2, 3, 4), ints(1, 1, 2), [0, 0, 1], [1, 0, 0], [], [], []),
)
of_one(
    "strided slice of masks",
    lambda x: op.strided_slice(
        x, ints(0, 0, 1), ints(0, 1, 2), ints(1, 1, 1), [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]
    ),
)
of_one(
    "strided slice backwards",
    lambda x: op.strided_slice(x, ints(-1), ints(-5), ints(-2), [0], [0], [], [], []),
    shape=(5, 3),
)
of_one("tile", lambda x: op.tile(x, ints(2, 1, 3)))
of_one("tile of more axes", lambda x: op.tile(x, ints(2, 1, 2, 1)))
of_one("broadcast", lambda x: op.broadcast(x, ints(2, 2, 3, 4)))
of_one("broadcast bidirectional", lambda x: op.broadcast(x, ints(3, 1), broadcast_spec="bidirectional"))
of_one(
    "broadcast explicit", lambda x: op.broadcast(x, ints(3, 5, 4), ints(0, 2), broadcast_spec="explicit"), shape=(3, 4)
)
add(
    "range",
    lambda: ([op.range(i := whole(), op.constant(np.int64(9)), op.constant(np.int64(2)), "i64")], [i]),
    [np.int64(1)],
)
add("shape of", lambda: ([op.shape_of(x := real(-1, 4))], [x]))
for mode in ("blocks_first", "depth_first"):
    of_one(f"depth to space {mode}", lambda x, m=mode: op.depth_to_space(x, m, 2), shape=(2, 8, 3, 4))
    of_one(f"space to depth {mode}", lambda x, m=mode: op.space_to_depth(x, m, 2), shape=(2, 2, 6, 4))
of_one(
    "batch to space",
    lambda x: op.batch_to_space(x, ints(1, 1, 2, 2), ints(0, 0, 1, 0), ints(0, 0, 0, 1)),
    shape=(8, 2, 3, 4),
)
of_one(
    "space to batch",
    lambda x: op.space_to_batch(x, ints(1, 1, 2, 2), ints(0, 0, 1, 0), ints(0, 0, 0, 2)),
    shape=(2, 2, 3, 4),
)
of_one("shuffle channels", lambda x: op.shuffle_channels(x, 1, 2), shape=(2, 6, 2, 3))
of_one("roll", lambda x: op.roll(x, ints(1, -2), ints(0, 2)))
of_one("reverse sequence", lambda x: op.reverse_sequence(x, ints(1, 3), 0, 1))

# --- lookups ---
table = values(7, 4)
add("gather", lambda: ([op.gather(op.constant(table), i := whole(2, 3), np.int64(0))], [i]))
of_one("gather of one", lambda x: op.gather(x, op.constant(np.int64(-1)), np.int64(1)))
add("gather in batches", lambda: ([op.gather(x := real(2, 3, 4, 5), i := whole(2, 3, 2), np.int64(3), 2)], [x, i]))
add(
    "gather before the last axis",
    lambda: ([op.gather(x := real(2, 3, 4, 5), i := whole(2, 6), np.int64(2), 1)], [x, i]),
)
add("gather elements", lambda: ([op.gather_elements(x := real(3, 4), i := whole(3, 2), 1)], [x, i]))
add("gather nd", lambda: ([op.gather_nd(x := real(3, 3, 5), i := whole(4, 2))], [x, i]))
add("gather nd in batches", lambda: ([op.gather_nd(x := real(2, 3, 5), i := whole(2, 4, 1), 1)], [x, i]))
add(
    "scatter update",
    lambda: ([op.scatter_update(x := real(3, 4), ints(2, 0), u := real(3, 2, name="u"), np.int64(1))], [x, u]),
)
for how in ("none", "sum", "prod", "min", "max", "mean"):
    add(
        f"scatter elements {how}",
        lambda how=how: (
            [
                op.scatter_elements_update(
                    x := real(3, 4),
                    op.constant(np.int64([[2, 0], [1, 2], [0, 3]])),
                    u := real(3, 2, name="u"),
                    np.int64(1),
                    how,
                    True,
                )
            ],
            [x, u],
        ),
    )
    if how != "mean":
        add(
            f"scatter nd {how}",
            lambda how=how: (
                [
                    op15.scatter_nd_update(
                        x := real(3, 4), op.constant(np.int64([[2], [0]])), u := real(2, 4, name="u"), how
                    )
                ],
                [x, u],
            ),
        )
add(
    "scatter nd sub",
    lambda: (
        [
            op15.scatter_nd_update(
                x := real(3, 4), op.constant(np.int64([[2, 1], [0, 0]])), u := real(2, name="u"), "sub"
            )
        ],
        [x, u],
    ),
)
add("one hot", lambda: ([op.one_hot(i := whole(2, 3), np.int64(4), np.float32(2), np.float32(-1), axis=1)], [i]))
add("non zero", lambda: ([op.non_zero(i := whole(3, 4))], [i]))
of_one(
    "bucketize",
    lambda x: op.bucketize(x, op.constant(np.float32([-0.5, 0, 0.5]))),
    inputs=[np.float32([[-1, -0.5, 0.2, 0.5]])],
    shape=(1, 4),
)
of_one(
    "bucketize left",
    lambda x: op.bucketize(x, op.constant(np.float32([-0.5, 0, 0.5])), "i32", False),
    inputs=[np.float32([[-1, -0.5, 0.2, 0.5]])],
    shape=(1, 4),
)
add(
    "search sorted",
    lambda: ([op15.search_sorted(op.constant(np.float32([[0, 1, 2]])), x := real(1, 4), True)], [x]),
    [np.float32([[-1, 0, 1.5, 2]])],
)
for mode in ("max", "min"):
    for sort in ("value", "index"):
        of_one(f"top k {mode} {sort}", lambda x, m=mode, s=sort: op.topk(x, np.int64(2), -1, m, s))
add(
    "embedding bag offsets",
    lambda: (
        [op.embedding_bag_offsets_sum(op.constant(table), i := whole(5), ints(0, 2, 2), op.constant(np.int64(1)))],
        [i],
    ),
)
add(
    "embedding bag packed",
    lambda: ([op.embedding_bag_packed_sum(op.constant(table), i := whole(2, 3), op.constant(values(2, 3)))], [i]),
)

# --- reductions ---
for kind in ("sum", "mean", "max", "min", "prod", "l1", "l2"):
    for keep in (False, True):
        of_one(f"reduce {kind} {keep}", lambda x, k=kind, keep=keep: getattr(op, f"reduce_{k}")(x, ints(0, -1), keep))
for kind in ("and", "or"):
    add(
        f"reduce logical {kind}",
        lambda k=kind: ([getattr(op, f"reduce_logical_{k}")(a := whole(2, 3, kind=bool), ints(1), False)], [a]),
    )
