"""Models of formats whose own packages are too heavy for tests, written field by field: `y = relu(x)` on [1, 4]."""

FLOAT = 1  # tensorflow.DataType
FP32, LOD_TENSOR, FEED, FETCH = 5, 7, 9, 10  # paddle VarType.Type


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while True:
        low, number = number & 127, number >> 7
        out += bytes([low | (128 if number else 0)])
        if not number:
            return out


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A protocol buffer of (field number, value) pairs."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return out


def tensorflow_graph(kind_of_step: str = "Relu") -> bytes:
    """A frozen GraphDef with one step."""
    kind = message((6, FLOAT))
    shape = message((7, _tensorflow_shape()))
    attributes = [message((1, "dtype"), (2, kind)), message((1, "shape"), (2, shape))]
    placeholder = message((1, "x"), (2, "Placeholder"), *((5, a) for a in attributes))
    relu = message((1, "y"), (2, kind_of_step), (3, "x"), (5, message((1, "T"), (2, kind))))
    return message((1, placeholder), (1, relu))


def tensorflow_saved_model() -> bytes:
    """The saved_model.pb of a SavedModel folder."""

    def tensor(name: str) -> bytes:
        return message((1, name), (2, FLOAT), (3, _tensorflow_shape()))

    ends = [(1, message((1, "x"), (2, tensor("x:0")))), (2, message((1, "y"), (2, tensor("y:0"))))]
    signature = message(*ends, (3, "tensorflow/serving/predict"))
    signatures = message((1, "serving_default"), (2, signature))
    graph = message((1, message((4, "serve"))), (2, tensorflow_graph()), (5, signatures))
    return message((1, 1), (2, graph))


def _tensorflow_shape() -> bytes:
    return message((2, message((1, 1))), (2, message((1, 4))))


def paddle_program() -> bytes:
    """A ProgramDesc without parameters."""
    tensor = message((1, LOD_TENSOR), (3, message((1, message((1, FP32), (2, 1), (2, 4))))))
    kinds = {"feed": message((1, FEED)), "fetch": message((1, FETCH)), "x": tensor, "y": tensor}
    variables = [(3, message((1, name), (2, kind))) for name, kind in kinds.items()]
    column = message((1, "col"), (2, 0), (3, 0))

    def operation(kind: str, source: str, target: str, *attributes: bytes) -> tuple[int, bytes]:
        ends = [(1, message((1, "X"), (2, source))), (2, message((1, "Out"), (2, target)))]
        return 4, message(*ends, (3, kind), *((4, attribute) for attribute in attributes))

    operations = [
        operation("feed", "feed", "x", column),
        operation("relu", "x", "y"),
        operation("fetch", "y", "fetch", column),
    ]
    block = message((1, 0), (2, -1), *variables, *operations)
    return message((1, block), (4, message((1, 2006000))))
