"""Operations with bodies: loops, which are unrolled, and choices of a branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openvino as ov
import torch

from autoq.graph import OPERATIONS

BODIES = frozenset(row.type for row in OPERATIONS.values() if row.has_bodies)


def part_with_bodies(op: ov.Node, twin: Callable[[ov.Model], Any]) -> torch.nn.Module:
    """The module of an operation with bodies.

    Args:
        op: A TensorIterator, a Loop or an If.
        twin: Makes the module of a body.
    """
    if op.get_type_name() == "If":
        return Branches(op, [twin(op.get_function(branch)) for branch in (0, 1)])
    return UnrolledLoop(op, twin(op.get_function()))


def _ports(description: Any, *names: str) -> dict[str, Any]:
    kind = description.get_type_info().name.removesuffix("Description")
    return {"kind": kind} | {name: getattr(description, name) for name in names if hasattr(description, name)}


_OF_INPUT = ("input_index", "body_parameter_index", "body_value_index", "start", "end", "stride", "part_size", "axis")
_OF_OUTPUT = ("output_index", "body_value_index", "start", "end", "stride", "part_size", "axis", "iteration")


class UnrolledLoop(torch.nn.Module):
    """A TensorIterator or a Loop.

    Attributes:
        body: The module of the body.
    """

    def __init__(self, op: ov.Node, body: Any) -> None:
        super().__init__()
        self.body = body
        self.is_loop = op.get_type_name() == "Loop"
        self.inputs = [_ports(one, *_OF_INPUT) for one in op.get_input_descriptions()]
        self.outputs = [_ports(one, *_OF_OUTPUT) for one in op.get_output_descriptions()]
        special: list[int] = list(op.get_special_body_ports()) if self.is_loop else [-1, -1]
        self.place, self.goes_on = special
        self.count = len(op.get_function().get_parameters())

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """One value for each output of the operation."""
        values: list[Any] = [None] * self.count
        for one in self.inputs:
            values[one["body_parameter_index"]] = given[one["input_index"]]
        sliced = [one for one in self.inputs if one["kind"].startswith("Slice")]
        most = int(given[0]) if self.is_loop else -1
        if sliced:
            counts = [_slices(given[one["input_index"]], one)[1] for one in sliced]
            most = min([*counts, *[most] * (most >= 0)])
        runs: list[tuple[torch.Tensor, ...]] = []
        goes_on = bool(given[1]) if self.is_loop else True
        while goes_on and len(runs) != most:
            for one in sliced:
                whole = given[one["input_index"]]
                first, _ = _slices(whole, one)
                size, step = one["part_size"], len(runs) * one["stride"]
                begin = first + step if one["stride"] > 0 else first + step - size
                values[one["body_parameter_index"]] = whole.narrow(one["axis"], begin, size)
            if self.place >= 0:
                like = values[self.place]
                shape = () if like is None else like.shape
                values[self.place] = torch.full(shape, len(runs), dtype=torch.int64, device=given[0].device)
            made = self.body(*values)
            runs.append(made if isinstance(made, tuple) else (made,))
            for one in self.inputs:
                if one["kind"].startswith("Merged"):
                    values[one["body_parameter_index"]] = runs[-1][one["body_value_index"]]
            goes_on = self.goes_on < 0 or bool(runs[-1][self.goes_on])
        found: list[Any] = [None] * len(self.outputs)
        for one in self.outputs:
            parts = [run[one["body_value_index"]] for run in runs]
            if one["kind"].startswith("Concat"):
                found[one["output_index"]] = torch.cat(parts if one["stride"] > 0 else parts[::-1], one["axis"])
            else:
                found[one["output_index"]] = parts[one["iteration"]]
        return tuple(found)


def _slices(whole: torch.Tensor, one: dict[str, Any]) -> tuple[int, int]:
    """Where the slices of an input begin, and how many they are; negative places count from behind the end."""
    length = whole.shape[one["axis"]]
    first, last = (place if place >= 0 else length + 1 + place for place in (one["start"], one["end"]))
    return first, abs(last - first) // abs(one["stride"])


class Branches(torch.nn.Module):
    """An If.

    Attributes:
        then: The module of the branch that runs if the condition holds.
        otherwise: The module of the other one.
    """

    def __init__(self, op: ov.Node, branches: list[Any]) -> None:
        super().__init__()
        self.then, self.otherwise = branches
        self.inputs = [[_ports(one, *_OF_INPUT) for one in op.get_input_descriptions(branch)] for branch in (0, 1)]
        self.outputs = [[_ports(one, *_OF_OUTPUT) for one in op.get_output_descriptions(branch)] for branch in (0, 1)]

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """One value for each output of the operation."""
        branch = 0 if bool(given[0]) else 1
        body = self.otherwise if branch else self.then
        ordered = sorted(self.inputs[branch], key=lambda one: int(one["body_parameter_index"]))
        made = body(*[given[one["input_index"]] for one in ordered])
        made = made if isinstance(made, tuple) else (made,)
        ends = sorted(self.outputs[branch], key=lambda one: int(one["output_index"]))
        return tuple(made[one["body_value_index"]] for one in ends)


def body_places(op: ov.Node, name: str) -> dict[str, int]:
    """Paths of the modules of an operation's bodies, and which branch each one is."""
    return {f"{name}.then": 0, f"{name}.otherwise": 1} if op.get_type_name() == "If" else {f"{name}.body": 0}
