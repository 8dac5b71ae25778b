"""Stored weights as float numbers that can learn, and back.

A weight in few bits stands in a model as Constant (integers) -> Convert -> [Subtract] -> Multiply (scale). While it
learns it is a float Constant with a FakeQuantize behind it, whose levels are the stored integers:

| symbol | is                                              |
|--------|-------------------------------------------------|
| q, z   | stored integers and zero point; lo <= q <= hi     |
| s      | scale; it may be negative in symmetric formats    |
| w      | (q - z) s, or the float model's weight moved into the cell of q |

requires: nothing of the model; weights in other forms, such as 8-bit floats and codebooks, stay as they are.
ensures: the two forms give the same numbers, and going there and back gives the same integers, and scales that differ
    by a rounding error at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import FloatArray, quantization_level
from autoq.graph import float_constant, unique_names

_INTEGERS = {"i8": (-128, 127), "u8": (0, 255), "i4": (-8, 7), "u4": (0, 15), "u2": (0, 3)}
# Weights of a layer that might overflow use half of their range, and have to stay there.
_RANGES = {"i8": ((-64, 64), (-127, 127))}
_SMALLEST = np.float32(1e-12)
# A weight of the float model is taken where so many of its numbers lie no farther from the stored ones than this.
_NEAR, _MOSTLY = 0.75, 0.9
# Half of a cell, less what rounding errors may take.
_CELL = 0.499


@dataclass(frozen=True, slots=True)
class LatentWeight:
    """A weight that is stored in integers, and learns as float numbers.

    Attributes:
        name: Name of its FakeQuantize, which is that of the Multiply.
        constant: Name of its Constant.
        storage: OpenVINO's type of the integers.
        lowest: The lowest integer that is used.
        levels: How many are used.
        zero_point: Stored zero point, broadcastable to the integers; None is zero.
        negative: Where the stored scale is negative.
        kind: OpenVINO's type of the product.
    """

    name: str
    constant: str
    storage: str
    lowest: int
    levels: int
    zero_point: NDArray[np.int64] | None
    negative: NDArray[np.bool_]
    kind: str


def with_latent_weights(model: ov.Model, teacher: ov.Model | None) -> tuple[ov.Model, tuple[LatentWeight, ...]]:
    """The model with float weights behind quantizers.

    Args:
        model: Never modified.
        teacher: The float model, whose weights are taken where they round to the stored ones; None takes the stored.
    """
    clone = model.clone()
    floats = {} if teacher is None else unique_names(teacher)
    found = []
    for name, node in unique_names(clone).items():
        stored = _stored(node)
        if stored is None:
            continue
        constant, zero, scale = stored
        weight = _latent(name, constant, zero, scale, node)
        own = _float_numbers(floats.get(weight.constant))
        value = _float_value(weight, _numbers(constant), _scale(scale), own)
        _insert(node, weight, value, _scale(scale))
        found.append(weight)
    clone.validate_nodes_and_infer_types()
    return clone, tuple(found)


def with_stored_weights(model: ov.Model, given: ov.Model, weights: Sequence[LatentWeight]) -> ov.Model:
    """The model with integers again, in the form that they have in the given model.

    Args:
        model: The model with float weights; never modified.
        given: The model that they were made of.
        weights: What `with_latent_weights` found.
    """
    clone, before = model.clone(), unique_names(given)
    nodes = unique_names(clone)
    for weight in weights:
        fake = nodes[weight.name]
        # The Convert that gives the product its type, if there is one, was made together with the quantizer.
        last = nodes.get(_converted(weight.name), fake)
        low, high = (fake.input_value(port).get_node().get_data(dtype=np.float32) for port in (1, 2))
        value = fake.input_value(0).get_node().get_data(dtype=np.float32)
        made = _restored(before[weight.name], weight, value, low, high)
        for target in last.output(0).get_target_inputs():
            target.replace_source_output(made.output(0))
    clone.validate_nodes_and_infer_types()
    return clone


def _stored(node: ov.Node) -> tuple[ov.Node, ov.Node | None, ov.Node] | None:
    """Constant, zero point and scale of a Multiply that makes a weight of integers; None for other operations."""
    if node.get_type_name() != "Multiply":
        return None
    value, scale = (node.input_value(port).get_node() for port in (0, 1))
    zero = None
    if value.get_type_name() == "Subtract":
        zero = _through_convert(value.input_value(1).get_node())
        value = value.input_value(0).get_node()
        if zero.get_type_name() != "Constant":
            return None
    if value.get_type_name() != "Convert" or scale.get_type_name() != "Constant":
        return None
    constant = value.input_value(0).get_node()
    if constant.get_type_name() != "Constant" or constant.get_element_type().get_type_name() not in _INTEGERS:
        return None
    return constant, zero, scale


def _through_convert(node: ov.Node) -> ov.Node:
    return node.input_value(0).get_node() if node.get_type_name() == "Convert" else node


def _latent(name: str, constant: ov.Node, zero: ov.Node | None, scale: ov.Node, node: ov.Node) -> LatentWeight:
    storage, numbers = constant.get_element_type().get_type_name(), _numbers(constant)
    lowest, highest = _INTEGERS[storage]
    for low, high in _RANGES.get(storage, ()) if zero is None else ():
        if low <= numbers.min() and numbers.max() <= high:
            lowest, highest = low, high
            break
    return LatentWeight(
        name=name,
        constant=constant.get_friendly_name(),
        storage=storage,
        lowest=lowest,
        levels=highest - lowest + 1,
        zero_point=None if zero is None else _numbers(zero),
        negative=np.asarray(scale.get_data(dtype=np.float32) < 0),
        kind=node.get_element_type().get_type_name(),
    )


def _numbers(constant: ov.Node) -> NDArray[np.int64]:
    return np.asarray(constant.get_data(dtype=np.int64))


def _scale(constant: ov.Node) -> FloatArray:
    """The size of a scale; that of a channel of zeros becomes a small number."""
    return np.asarray(np.maximum(np.abs(constant.get_data(dtype=np.float32)), _SMALLEST))


def _float_numbers(node: ov.Node | None) -> FloatArray | None:
    """The numbers of a float Constant, or of a Convert of one; None for other operations."""
    node = None if node is None else _through_convert(node)
    if node is None or node.get_type_name() != "Constant" or not node.get_element_type().is_real():
        return None
    return np.asarray(node.get_data(dtype=np.float32))


def _signed(weight: LatentWeight, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Integers, less their zero point, by which the size of the scale is multiplied."""
    steps = numbers - (0 if weight.zero_point is None else weight.zero_point)
    return np.where(weight.negative, -steps, steps)


def _float_value(
    weight: LatentWeight, numbers: NDArray[np.int64], scale: FloatArray, own: FloatArray | None
) -> FloatArray:
    steps = _signed(weight, numbers).astype(np.float32)
    if own is not None and own.size == steps.size:
        exact = own.reshape(steps.shape) / scale
        if np.mean(np.abs(exact - steps) <= _NEAR) >= _MOSTLY:
            steps = np.clip(exact, steps - np.float32(_CELL), steps + np.float32(_CELL))
    return np.asarray(steps * scale, np.float32)


def _limits(weight: LatentWeight, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value of the weight."""
    ends = np.array([weight.lowest, weight.lowest + weight.levels - 1], np.int64)
    first, second = (_signed(weight, end) * scale for end in ends)
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.asarray(low, np.float32), np.asarray(high, np.float32)


def _converted(name: str) -> str:
    return f"{name}/latent/type"


def _insert(node: ov.Node, weight: LatentWeight, value: FloatArray, scale: FloatArray) -> None:
    """Puts a float Constant and a FakeQuantize in the place of a Multiply."""
    ends = zip(("low", "high"), _limits(weight, scale), strict=True)
    low, high = (_named(ops.constant(limit), f"{weight.name}/latent/{end}") for end, limit in ends)
    constant = _named(ops.constant(value), weight.constant)
    fake = _named(ops.fake_quantize(constant, low, high, low, high, weight.levels), weight.name)
    made = fake
    if weight.kind != "f32":
        made = _named(ops.convert(fake, weight.kind), _converted(weight.name))
    for target in node.output(0).get_target_inputs():
        target.replace_source_output(made.output(0))


def _restored(before: ov.Node, weight: LatentWeight, value: FloatArray, low: FloatArray, high: FloatArray) -> ov.Node:
    """The operations that the weight had, with the integers and scales that it learned."""
    stored = _stored(before)
    assert stored is not None  # noqa: S101  # it was found by the same function
    constant, _, scale = stored
    sizes = ((high - low) / np.float32(weight.levels - 1)).reshape(_shape_of(scale, high))
    sizes = np.where(weight.negative, -sizes, sizes)
    kept = float_constant(sizes, scale.get_element_type())
    kept.set_friendly_name(scale.get_friendly_name())
    # The integers are those of the scale as it is stored, which may have fewer digits.
    size = _scale(kept)
    level = quantization_level(value, *_limits(weight, size), weight.levels).astype(np.int64)
    highest = weight.lowest + weight.levels - 1
    numbers = np.where(weight.negative, highest - level, weight.lowest + level)
    data = _named(_integers(numbers, weight.storage), constant.get_friendly_name())
    return _rebuilt(before, {constant.get_name(): data, scale.get_name(): kept})


def _shape_of(scale: ov.Node, found: FloatArray) -> tuple[int, ...]:
    shape = tuple(scale.get_output_shape(0))
    return shape if np.prod(shape, dtype=int) == found.size else found.shape


def _integers(numbers: NDArray[np.int64], storage: str) -> ov.Node:
    return ops.constant(
        numbers.astype(np.int8 if storage.startswith("i") else np.uint8), dtype=getattr(ov.Type, storage)
    )


def _rebuilt(node: ov.Node, new: dict[str, ov.Node]) -> ov.Node:
    """A copy of operations down to their Constants, of which some are new."""
    if node.get_name() in new:
        return new[node.get_name()]
    if node.get_type_name() == "Constant":
        return _named(_integers(_numbers(node), node.get_element_type().get_type_name()), node.get_friendly_name())
    inputs = [_rebuilt(value.get_node(), new) for value in node.input_values()]
    match node.get_type_name():
        case "Convert":
            made = ops.convert(inputs[0], node.get_element_type().get_type_name())
        case "Subtract":
            made = ops.subtract(*inputs)
        case _:
            made = ops.multiply(*inputs)
    return _named(made, node.get_friendly_name())


def _named(node: ov.Node, name: str) -> ov.Node:
    node.set_friendly_name(name)
    return node
