"""Numbers of Constants, from and to the types that OpenVINO stores them in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops
from openvino.op import Constant

from autoq.transform.compress._encoded import Numbers

_BLOCK = 1 << 18


def numbers_of(constant: ov.Node) -> Numbers:
    """The numbers of a float Constant: a view where numpy has its type, else float32."""
    kind = constant.get_element_type()
    if kind == ov.Type.bf16:
        bits = np.asarray(constant.data).view(np.uint16).astype(np.uint32)
        bits <<= np.uint32(16)
        return bits.view(np.float32)
    if kind.bitwidth < 16:
        return np.asarray(constant.get_data(dtype=np.float32))
    return np.asarray(constant.data)


@dataclass(frozen=True, slots=True)
class StoredArray:
    """Numbers as a Constant holds them.

    Attributes:
        kind: OpenVINO's type.
        shape: Shape of the numbers.
        data: Their bytes, uint8 [bytes].
    """

    kind: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]


def stored(numbers: NDArray[Any], kind: str) -> StoredArray:
    """Packs bits: integers, or the bits of floating point numbers, in a type of 2 to 32 bits.

    Args:
        numbers: Contiguous numbers, each within the bits of the type.
        kind: OpenVINO's type.
    """
    element = getattr(ov.Type, kind)
    if element == ov.Type.u3:
        # Three bits are laid out by OpenVINO.
        data = np.array(ops.constant(numbers, dtype=element).data).view(np.uint8)
    elif element.bitwidth >= 8:
        data = numbers.reshape(-1).view(np.uint8)
    else:
        data = np.empty(byte_size(numbers.size, kind), np.uint8)
        _pack(numbers.reshape(-1), 8 // element.bitwidth, data)
    return StoredArray(kind, numbers.shape, data)


def constant_of(array: StoredArray, name: str) -> ov.Node:
    """A Constant that holds numbers; their bytes are copied."""
    tensor = ov.Tensor(getattr(ov.Type, array.kind), list(array.shape))
    target = tensor.data.reshape(-1)
    target[...] = array.data.view(target.dtype)
    node = Constant(tensor)
    node.set_friendly_name(name)
    return node


def byte_size(count: int, kind: str) -> int:
    """Bytes of so many numbers of OpenVINO's type."""
    bits = int(getattr(ov.Type, kind).bitwidth)
    return math.ceil(count / 8) * 3 if bits == 3 else math.ceil(count * bits / 8)


def _pack(numbers: NDArray[Any], count: int, target: NDArray[Any]) -> None:
    """Writes numbers so that each byte holds several, the first in its lowest bits."""
    flat = numbers.view(np.uint8)
    if count == 4:
        # Pairs first: two bits become four, and four become eight.
        pairs = np.empty(math.ceil(len(flat) / 2), np.uint8)
        _pack_pairs(flat, 2, pairs)
        _pack_pairs(pairs, 4, target)
    else:
        _pack_pairs(flat, 4, target)


def _pack_pairs(flat: NDArray[np.uint8], bits: int, target: NDArray[Any]) -> None:
    """Writes two numbers into each byte; both are read as one of 16 bits, whose lowest are those of the first."""
    mask = np.uint16(((1 << bits) - 1) * 0x0101)
    for start in range(0, len(target), _BLOCK):
        part = flat[2 * start : 2 * (start + _BLOCK)]
        if len(part) % 2:
            part = np.append(part, np.uint8(0))
        both = np.frombuffer(part, "<u2") & mask
        both |= both >> np.uint16(8 - bits)
        target[start : start + len(both)] = both.astype(np.uint8)
