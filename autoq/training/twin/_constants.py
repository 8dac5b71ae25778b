"""The numbers of a model's constants, and the names that they have in the module."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray

from autoq.graph.operations import FLOAT_TYPES
from autoq.training.twin.rows import TYPES

_SHORT_FLOATS = frozenset({"f8e4m3", "f8e5m2", "f8e8m0", "f4e2m1", "nf4"})
_NUMPY = {
    torch.bool: np.bool_,
    torch.float32: np.float32,
    torch.int8: np.int8,
    torch.int16: np.int16,
    torch.int32: np.int32,
    torch.int64: np.int64,
    torch.uint8: np.uint8,
}


def is_float(kind: ov.Type) -> bool:
    """Whether numbers of a type are real ones that can be trained: of 16 bits or more."""
    return kind.get_type_name() in FLOAT_TYPES


def numbers(constant: ov.Node) -> NDArray[Any]:
    """The numbers of a Constant, in the type that PyTorch computes with; a copy."""
    kind = constant.get_element_type().get_type_name()
    dtype = _NUMPY[TYPES[kind]]
    if kind == "boolean":
        return np.array(constant.get_data()).astype(np.bool_)
    # Asked for in their own type, numbers of fewer than 8 bits come packed.
    asked = np.int32 if constant.get_element_type().bitwidth < 8 and dtype != np.float32 else dtype
    return np.array(constant.get_data(dtype=asked)).astype(dtype)


def tensor(constant: ov.Node) -> Any:
    """The numbers of a Constant as a tensor of its own memory."""
    return torch.from_numpy(numbers(constant))


def halves(constant: ov.Node) -> list[ov.Node]:
    """The Converts through which a Constant of half precision is read, if nothing else reads it."""
    if constant.get_element_type().get_type_name() not in {"f16", "bf16"}:
        return []
    readers = [target.get_node() for target in constant.output(0).get_target_inputs()]
    are_converts = all(
        reader.get_type_name() == "Convert" and reader.get_element_type() == ov.Type.f32 for reader in readers
    )
    return sorted(readers, key=lambda reader: str(reader.get_friendly_name())) if are_converts else []


def valid(name: str, is_taken: Callable[[str], bool]) -> str:
    """A friendly name as one of Python that is not taken."""
    made = re.sub(r"\W", "_", name, flags=re.ASCII) or "value"
    if made[0].isdigit() or made[0] == "_" or keyword.iskeyword(made):
        made = f"n{made}"
    free, count = made, 1
    while is_taken(free) or hasattr(torch.nn.Module, free):
        count += 1
        free = f"{made}_{count}"
    return free
