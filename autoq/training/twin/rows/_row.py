"""The form of the table of operations: one function of PyTorch for each type of operation that OpenVINO has.

A function's signature is its row. Its positional parameters are the inputs of the operation, in OpenVINO's order; those
that an operation may lack have a default. Its keyword parameters are attributes with OpenVINO's names. What an input is
stands in its annotation:

| Annotation | The function receives | Training |
|---|---|---|
| `Tensor` | a tensor on the device of the module | a Constant stays as it is |
| `Sizes` | integers: shapes, axes, numbers of channels; of a Constant as a list or an int, else as a tensor | never |
| `LearnedWeight` | a tensor | a Constant learns: weights, biases and norm scales that belong to the operation |
| `LookupTable` | a tensor | a Constant learns if embeddings were asked for |
| `Factor` | a tensor | a Constant with one number for each channel learns, if the other input was learned before |

A function that returns a tuple has one value for each output of the operation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar, get_type_hints

import torch

F = TypeVar("F", bound=Callable[..., Any])


class Role(Enum):
    """What an input of an operation is."""

    VALUE = "value"
    SIZES = "sizes"
    WEIGHT = "weight"
    TABLE = "table"
    FACTOR = "factor"


Sizes = Annotated[Any, Role.SIZES]
LearnedWeight = Annotated[Any, Role.WEIGHT]
LookupTable = Annotated[Any, Role.TABLE]
Factor = Annotated[Any, Role.FACTOR]


@dataclass(frozen=True, slots=True)
class TorchRow:
    """How a type of operation is computed.

    Attributes:
        function: Computes it; its docstring says what differs from PyTorch.
        roles: One for each input; the last one is that of all further inputs if `repeated`.
        repeated: Whether the operation has any number of inputs.
        attributes: The keywords of the function, and whether an operation may lack them.
        is_tuple: Whether the function returns one value for each output.
    """

    function: Callable[..., Any]
    roles: tuple[Role, ...]
    repeated: bool
    attributes: dict[str, bool]
    is_tuple: bool

    def role(self, port: int) -> Role:
        """What the input at a port is."""
        return self.roles[min(port, len(self.roles) - 1)]


ROWS: dict[str, TorchRow] = {}


def row(*kinds: str) -> Callable[[F], F]:
    """Puts a function into the table.

    Args:
        kinds: Types of operations with these inputs and attributes; "Interpolate@opset1" is of that version alone.
    """

    def put(function: F) -> F:
        for kind in kinds:
            ROWS[kind] = row_of(function)
        return function

    return put


def row_of(function: Callable[..., Any]) -> TorchRow:
    """The row that a signature tells."""
    hints = get_type_hints(function, include_extras=True)
    roles, attributes, repeated = [], {}, False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            attributes[name] = parameter.default is not parameter.empty
        else:
            roles.append(next(iter(getattr(hints[name], "__metadata__", ())), Role.VALUE))
            repeated |= parameter.kind is parameter.VAR_POSITIONAL
    return TorchRow(function, tuple(roles), repeated, attributes, "tuple" in str(hints["return"]))


def integers(sizes: Any) -> list[int]:
    """Sizes as a list: a number is a list of one."""
    if isinstance(sizes, torch.Tensor):
        sizes = sizes.tolist()
    return [int(size) for size in sizes] if isinstance(sizes, Sequence) else [int(sizes)]


def integer(sizes: Any) -> int:
    """The one number that sizes hold."""
    (size,) = integers(sizes)
    return size
