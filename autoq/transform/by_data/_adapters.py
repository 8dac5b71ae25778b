"""The sub-graph of a correction of low rank; operations and names are NNCF's.

    activation -> MatMul by A "{layer}_lora_A" -> MatMul by B "{layer}_lora_B" -> Add to the layer's output

A and B have 8 bits, and one scale for each row. The Add takes the place of the layer for its readers.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.core import FloatArray, WeightFormat, WeightMode
from autoq.transform.compress import StoredWeight, encode, replace_constant

_FORMAT = WeightFormat(WeightMode.INT8_ASYM)


def add_adapters(layer: ov.Node, port: int, axis: int, left: FloatArray, right: FloatArray) -> None:
    """Adds a correction to a matrix product, whose model is changed.

    Args:
        layer: The matrix product; nothing is done to another operation.
        port: Input port of its weight.
        axis: Axis of its activation that it sums over, counted from the last.
        left: B, [O, r], or one for each matrix of a stack, [E, O, r].
        right: A, [r, I] or [E, r, I].
    """
    if layer.get_type_name() != "MatMul":
        return
    value, name = layer.input_value(1 - port), layer.get_friendly_name()
    targets = layer.output(0).get_target_inputs()
    if port == 1:
        low = _product(value, right, f"{name}_lora_A", first=True, turned=axis == -2)
        made = _product(low, left, f"{name}_lora_B", first=True)
    else:
        low = _product(value, right, f"{name}_lora_A", first=False, turned=axis == -1)
        made = _product(low, left, f"{name}_lora_B", first=False)
    total = ops.add(layer, made)
    for target in targets:
        target.replace_source_output(total.output(0))


def _product(
    value: ov.Node | ov.Output, matrix: FloatArray, name: str, *, first: bool, turned: bool = False
) -> ov.Output:
    """The product of a value with a matrix [rows, summed], or a stack of them, which is compressed.

    Args:
        value: The activation.
        matrix: The matrix.
        name: Name of its constant.
        first: Whether the value is the first operand.
        turned: Whether the value has to be transposed.
    """
    output = value if isinstance(value, ov.Output) else value.output(0)
    constant = ops.constant(np.ascontiguousarray(matrix), dtype=output.get_element_type())
    constant.set_friendly_name(name)
    product = ops.matmul(output, constant, turned, True) if first else ops.matmul(constant, output, False, turned)
    replace_constant(constant, StoredWeight.of(encode(matrix, _FORMAT, (matrix.ndim - 1,))), 1 if first else 0)
    return product.output(0)
