"""Compressed matrices of a model: which numbers they are stored in, and where.

1. Constant (integers, or floats of 4 and 8 bits) -> Convert -> [Subtract zero point] -> Multiply by a scale.
2. Gather (entries of a codebook, their places) -> Multiply by a scale.

A scale that is no Constant of real numbers, as that of MX and of NVFP4, cannot learn: such weights are not taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import FloatArray
from autoq.graph.operations import FLOAT_TYPES
from autoq.training.twin import names_of

_INTEGERS = {"i8": (-128, 127), "u8": (0, 255), "i4": (-8, 7), "u4": (0, 15), "u3": (0, 7), "u2": (0, 3)}
# Weights of a layer that might overflow use half of their range, and have to stay there.
_RANGES = {"i8": ((-64, 64), (-127, 127))}
_FLOATS = frozenset({"nf4", "f4e2m1", "f8e4m3", "f8e5m2"})
_MATRICES = (2, 3)
# Numbers of a block.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredMatrix:
    """A compressed matrix, or a stack of them. Names are those of `names_of`.

    Attributes:
        name: Name of the Multiply.
        origin: Friendly name of the float Constant that it was made of.
        numbers: Name of the Constant with the stored numbers.
        scale: Name of the Constant with the scales.
        storage: OpenVINO's type of the stored numbers.
        levels: What stored numbers stand for before zero point and scale, ascending: float32 [n].
        codes: The stored number of each level: [n].
        is_even: Whether the levels are neighbouring whole numbers.
        zero_point: float32, broadcastable to the numbers; None without one.
        shape: Shape of the matrices: [.., rows, columns].
    """

    name: str
    origin: str
    numbers: str
    scale: str
    storage: str
    levels: FloatArray
    codes: NDArray[np.int32]
    is_even: bool
    zero_point: FloatArray | None
    shape: tuple[int, ...]

    @property
    def borders(self) -> FloatArray:
        """Where the cells of the levels end: [n + 1]; the outer ones are as wide on both sides."""
        between = (self.levels[1:] + self.levels[:-1]) / 2
        first, last = 2 * self.levels[0] - between[0], 2 * self.levels[-1] - between[-1]
        return np.asarray(np.concatenate([[first], between, [last]]), np.float32)

    def places(self, value: FloatArray, scale: FloatArray, zero_point: FloatArray | None) -> NDArray[np.int32]:
        """The place among the levels of what each number is rounded to; a tie between uneven levels is the lower one.

        Args:
            value: Real numbers in the shape of the stored ones, or of a part of them.
            scale: Broadcastable to them.
            zero_point: Broadcastable to them; None without one.
        """
        exact = value / scale
        if zero_point is not None:
            exact = exact + zero_point
        if self.is_even:
            place = np.rint(exact) - self.levels[0]
            return np.asarray(np.clip(place, 0, len(self.levels) - 1), np.int32)
        return np.asarray(np.searchsorted(self.borders[1:-1], exact.reshape(-1)).reshape(exact.shape), np.int32)


def blocks_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis, so that what is computed for one takes little memory."""
    step = max(1, _BLOCK // max(math.prod(shape[1:]), 1))
    yield from (slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step))


def part_of(values: Any, block: slice, shape: tuple[int, ...]) -> Any:  # an array of numpy, or a tensor
    """What of values that are broadcast to a shape belongs to a block; None of None."""
    has_own = values is not None and values.ndim == len(shape) and values.shape[0] > 1
    return values[block] if has_own else values


def stored_matrices(model: ov.Model) -> Iterator[tuple[StoredMatrix, NDArray[np.int32], FloatArray]]:
    """The compressed matrices of a model, the places of their numbers among the levels, and their scales."""
    named = names_of(model)
    own = {op.get_name(): name for name, op in named.items()}
    for name, node in named.items():
        found = _parts(node)
        if found is None or _is_scale(node):
            continue
        numbers, entries, zero, scale = found
        shape = _shape(node)
        if len(shape) not in _MATRICES or min(shape) < 1:
            continue
        kind = numbers.get_element_type().get_type_name()
        zero_point = None if zero is None else np.asarray(zero.get_data(dtype=np.int32)).astype(np.float32)
        levels, codes, places = _of_codebook(numbers, entries) if entries is not None else _of_numbers(numbers, zero)
        yield (
            StoredMatrix(
                name=name,
                origin=(entries or numbers).get_friendly_name(),
                numbers=own[numbers.get_name()],
                scale=own[scale.get_name()],
                storage=kind,
                levels=levels,
                codes=codes,
                is_even=entries is None and kind in _INTEGERS,
                zero_point=zero_point,
                shape=shape,
            ),
            places,
            np.asarray(scale.get_data(dtype=np.float32)),
        )


def _parts(node: ov.Node) -> tuple[ov.Node, ov.Node | None, ov.Node | None, ov.Node] | None:
    """Numbers, entries of a codebook, zero point and scale of a Multiply that makes a weight; None for others."""
    if node.get_type_name() != "Multiply":
        return None
    value, scale = (node.input_value(port).get_node() for port in (0, 1))
    zero = entries = None
    if value.get_type_name() == "Gather":
        entries, numbers = (_through_convert(value.input_value(port).get_node()) for port in (0, 1))
        are_known = entries.get_type_name() == "Constant" and _is_constant(numbers, {"u4", "u8", "u16"})
    else:
        if value.get_type_name() == "Subtract":
            value, zero = (value.input_value(port).get_node() for port in (0, 1))
            zero = _through_convert(zero)
        numbers = _through_convert(value)
        are_known = value.get_type_name() == "Convert" and _is_constant(numbers, _INTEGERS.keys() | _FLOATS)
        are_known = are_known and (zero is None or zero.get_type_name() == "Constant")
    return (numbers, entries, zero, scale) if are_known and _is_constant(scale, FLOAT_TYPES) else None


def _is_scale(node: ov.Node) -> bool:
    """Whether a Multiply makes the scales of another one, as those of NVFP4."""
    readers = [target.get_node() for target in node.output(0).get_target_inputs()]
    made = [target for reader in readers if reader.get_type_name() == "Convert" for target in _targets(reader)]
    return any(target.get_node().get_type_name() == "Multiply" and target.get_index() == 1 for target in made)


def _targets(node: ov.Node) -> Any:  # inputs, of which OpenVINO has no type
    return node.output(0).get_target_inputs()


def _is_constant(node: ov.Node, kinds: Any) -> bool:  # a container of names
    return node.get_type_name() == "Constant" and node.get_element_type().get_type_name() in kinds


def _through_convert(node: ov.Node) -> ov.Node:
    return node.input_value(0).get_node() if node.get_type_name() == "Convert" else node


def _shape(node: ov.Node) -> tuple[int, ...]:
    """The shape that a weight is read in, of which its groups may be a part."""
    readers = [target.get_node() for target in node.output(0).get_target_inputs()]
    shaped = readers[0] if len(readers) == 1 and readers[0].get_type_name() == "Reshape" else node
    return tuple(shaped.get_output_shape(0)) if shaped.get_output_partial_shape(0).is_static else ()


def _of_numbers(numbers: ov.Node, zero: ov.Node | None) -> tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]:
    kind = numbers.get_element_type().get_type_name()
    if kind in _FLOATS:
        return _of_floats(numbers)
    stored = np.asarray(numbers.get_data(dtype=np.int32))
    lowest, highest = _INTEGERS[kind]
    for low, high in _RANGES.get(kind, ()) if zero is None else ():
        if low <= stored.min() and stored.max() <= high:
            lowest, highest = low, high
            break
    codes = np.arange(lowest, highest + 1, dtype=np.int32)
    return codes.astype(np.float32), codes, stored - lowest


def _of_floats(numbers: ov.Node) -> tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]:
    kind = numbers.get_element_type()
    count = 1 << kind.bitwidth
    every = numbers_constant(np.arange(count, dtype=np.int32), kind.get_type_name()).get_data(dtype=np.float32)
    finite = np.flatnonzero(np.isfinite(every))
    # Zero is stored in two ways; the first one is that without a sign.
    levels, first = np.unique(every[finite], return_index=True)
    value = np.asarray(numbers.get_data(dtype=np.float32))
    return levels, finite[first].astype(np.int32), np.searchsorted(levels, value).astype(np.int32)


def _of_codebook(numbers: ov.Node, entries: ov.Node) -> tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]:
    every = np.asarray(entries.get_data(dtype=np.float32)).reshape(-1)
    levels, codes, place = np.unique(every, return_index=True, return_inverse=True)
    places = place.reshape(-1).astype(np.int32)[np.asarray(numbers.get_data(dtype=np.int32))]
    return levels, codes.astype(np.int32), places


def numbers_constant(codes: NDArray[np.int32], kind: str) -> ov.Node:
    """A Constant of stored numbers: integers, or the bits of floats."""
    element = getattr(ov.Type, kind)
    if kind in _FLOATS:
        flat = codes.reshape(-1).astype(np.uint8)
        if element.bitwidth == 4:
            # Two in a byte, the first in its lower half; there may be half a pair at the end.
            flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
            flat = flat[0::2] | flat[1::2] << np.uint8(4)
        tensor = ov.Tensor(element, list(codes.shape))
        target = tensor.data.reshape(-1)
        target[...] = flat.view(target.dtype)
        return ov.op.Constant(tensor)
    dtype = np.dtype(element.to_dtype()) if element.bitwidth >= 8 else np.dtype(np.int8 if kind[0] == "i" else np.uint8)
    return ov.opset13.constant(codes.astype(dtype), dtype=element)
