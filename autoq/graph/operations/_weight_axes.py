"""The axes of the channels of a weight."""

from __future__ import annotations

import openvino as ov

from autoq.graph.operations._operations import operation


def channel_axes(op: ov.Node, port: int) -> tuple[int, ...]:
    """Axes of a weight along which limits differ; for a MatMul, all except the one that it sums over."""
    axes = operation(op.get_type_name()).channel_axes
    if axes is not None:
        return axes
    rank = len(op.input_value(port).get_partial_shape())
    if rank == 1:
        return ()
    transposed = op.get_attributes()["transpose_b" if port == 1 else "transpose_a"]
    summed = rank - 1 if (port == 1) == bool(transposed) else rank - 2
    return tuple(axis for axis in range(rank) if axis != summed)
