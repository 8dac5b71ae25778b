"""Refuses statistics that are no finite numbers: such activations cannot be quantized."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from autoq.calibration.statistics._taps import Tap
from autoq.core import FloatArray, ModelError
from autoq.graph import QuantizationGraph, Tensor

# A message names so many of the operations that may be left in float.
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
        columns: First column of each tap, and one past its last.
        graphs: Placements that the taps were made for.
        first_sample: Number of the first row.

    Raises:
        ModelError: There are such values; the message names a tensor, and operations that could be left in float.
    """
    bad = ~np.isfinite(table)
    if not bad.any():
        return
    tensors = [tap.tensor for tap, (start, stop) in columns.items() if bad[:, start:stop].any()]
    sample = first_sample + int(np.flatnonzero(bad.any(axis=1))[0])
    readers = list(dict.fromkeys(reader for graph in graphs for reader in _readers(graph, set(tensors))))
    more = "" if len(readers) <= _NAMED else f" and {len(readers) - _NAMED} more"
    msg = (
        f"the model computes NaN or infinity at {tensors[0].producer!r} on calibration sample {sample}, but integers "
        f"have no such values. If they are intended, as in a mask of attention, leave the readers in float: "
        f"ignored_scope=IgnoredScope(names={readers[:_NAMED]}){more}."
    )
    raise ModelError(msg)


def _readers(graph: QuantizationGraph, tensors: set[Tensor]) -> Iterable[str]:
    """Operations that read the observed tensors."""
    for site in graph.activations:
        if site.tensor in tensors:
            yield from site.sinks
    for layer in graph.layers:
        if not tensors.isdisjoint({layer.input, layer.output}):
            yield layer.op
