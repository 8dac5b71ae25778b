"""Statistics of what a model computes are numbers, or the model cannot be quantized there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from autoq.calibration.statistics._taps import Tap
from autoq.core import FloatArray, ModelError
from autoq.graph import QuantizationGraph, Tensor

# Of the operations that may be left in float, as many are named in a message.
_NAMED = 8


def check_finite(
    table: FloatArray,
    columns: Mapping[Tap, tuple[int, int]],
    graphs: Iterable[QuantizationGraph],
    first_sample: int = 0,
) -> None:
    """Refuses statistics that hold NaN or infinity.

    Args:
        table: Statistics, [samples, columns].
        columns: First column and one past the last of every tap.
        graphs: Placements that the taps were made for.
        first_sample: Number of the first row.

    Raises:
        ModelError: Names a tensor, and what could be left in float.
    """
    bad = ~np.isfinite(table)
    if not bad.any():
        return
    tensors = [tap.tensor for tap, (start, stop) in columns.items() if bad[:, start:stop].any()]
    sample = first_sample + int(np.flatnonzero(bad.any(axis=1))[0])
    readers = list(dict.fromkeys(reader for graph in graphs for reader in _readers(graph, set(tensors))))
    more = "" if len(readers) <= _NAMED else f" and {len(readers) - _NAMED} more"
    msg = (
        f"the model computes NaN or infinity at {tensors[0].producer!r} on calibration sample {sample}, which integers "
        f"do not have. If it is meant to, as a mask of attention is, leave in float what reads it: "
        f"ignored_scope=IgnoredScope(names={readers[:_NAMED]}){more}."
    )
    raise ModelError(msg)


def _readers(graph: QuantizationGraph, tensors: set[Tensor]) -> Iterable[str]:
    """Operations for whose sake tensors are observed."""
    for site in graph.activations:
        if site.tensor in tensors:
            yield from site.sinks
    for layer in graph.layers:
        if not tensors.isdisjoint({layer.input, layer.output}):
            yield layer.op
