"""Limits of a FakeQuantize as a scale and a zero point, and the quantizers that share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph.operations import operation
from autoq.training.twin._constants import numbers

# Zero stands on a level if it is this near to it, in levels.
_NEAR = 1e-3


@dataclass(frozen=True, slots=True)
class Grid:
    """The levels of a quantizer: s (0 - z), ..., s (n - z).

    Attributes:
        scale: s, float32, in the shape of the limits.
        zero_point: z, whole numbers as float32, of that shape.
        levels: n + 1.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.float32]
    levels: int

    def limits(self, scale: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The lowest and the highest level, for another scale."""
        exact = np.abs(scale.astype(np.float64))
        most = self.levels - 1
        return (-self.zero_point * exact).astype(np.float32), ((most - self.zero_point) * exact).astype(np.float32)

    def has(self, low: NDArray[np.float32], high: NDArray[np.float32]) -> bool:
        """Whether zero stands on its level between two limits: rounded, they may have moved it."""
        exact = _zero(low.astype(np.float64), high.astype(np.float64), self.levels)
        return bool(np.all((low < high) & (np.abs(exact - self.zero_point) <= _NEAR)))


def grid_of(quantizer: ov.Node) -> Grid | None:
    """The levels of a FakeQuantize; None if zero is not one of them, or if what it gives has other limits."""
    limits = [_numbers(value.get_node()) for value in quantizer.input_values()[1:]]
    if any(limit is None for limit in limits):
        return None
    low, high, made_low, made_high = (np.asarray(limit, np.float64) for limit in limits)
    if not (np.array_equal(low, made_low) and np.array_equal(high, made_high)):
        return None
    if not np.all(np.isfinite(low) & np.isfinite(high) & (low <= 0) & (high >= 0) & (low < high)):
        return None
    levels = int(quantizer.get_attributes()["levels"])
    scale = (high - low) / (levels - 1)
    exact = _zero(low, high, levels)
    zero = np.round(exact)
    if np.any(np.abs(exact - zero) > _NEAR):
        return None
    return Grid(scale.astype(np.float32), np.broadcast_to(zero, scale.shape).astype(np.float32), levels)


def _zero(low: NDArray[np.float64], high: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Where zero stands, in levels above the lowest one."""
    return -low / ((high - low) / (levels - 1))


def constant_of(limit: ov.Node) -> ov.Node:
    """The Constant of a limit, which may be read through a Convert."""
    return limit.input_value(0).get_node() if limit.get_type_name() == "Convert" else limit


def _numbers(limit: ov.Node) -> NDArray[Any] | None:
    constant = constant_of(limit)
    return numbers(constant) if constant.get_type_name() == "Constant" else None


def shared_grids(quantizers: dict[str, Grid], model: ov.Model) -> dict[str, str]:
    """The quantizer whose scale each one has: those before a Concat that have equal limits share one.

    Args:
        quantizers: Levels by OpenVINO's name.
        model: The model.
    """
    first: dict[str, str] = {name: name for name in quantizers}
    for op in model.get_ordered_ops():
        if op.get_type_name() != "Concat":
            continue
        before = [name for value in op.input_values() for name in _quantizers_before(value.get_node(), quantizers)]
        for number, name in enumerate(before):
            for other in before[:number]:
                if _are_equal(quantizers[name], quantizers[other]) and first[name] != first[other]:
                    kept, gone = first[other], first[name]
                    first = {key: kept if value == gone else value for key, value in first.items()}
    return first


def _quantizers_before(op: ov.Node, quantizers: dict[str, Grid]) -> list[str]:
    """The quantizers whose levels a value has: behind them, numbers were only moved."""
    pending, found, seen = [op], [], set()
    while pending:
        node = pending.pop()
        if node.get_name() in seen:
            continue
        seen.add(node.get_name())
        if node.get_name() in quantizers:
            found.append(node.get_name())
        elif node.get_type_name() == "Concat":
            pending += [value.get_node() for value in node.input_values()]
        elif operation(node.get_type_name()).moves_constants and node.get_input_size():
            pending.append(node.input_value(0).get_node())
    return found


def _are_equal(grid: Grid, other: Grid) -> bool:
    return (
        grid.levels == other.levels
        and grid.scale.shape == other.scale.shape
        and np.array_equal(grid.scale, other.scale)
        and np.array_equal(grid.zero_point, other.zero_point)
    )
