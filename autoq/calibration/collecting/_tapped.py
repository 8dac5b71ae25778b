"""A model that gives statistics of its activations instead of its outputs.

Extremes and means are reductions inside the graph, and leave it as one vector per inference. So the device does not
write activations out, and Python gets one small array per sample. Only quantiles and histograms, which have no such
reduction, are computed from the activation itself. Operations after the last tap are not computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.calibration.sources import Shape, give_shapes
from autoq.calibration.statistics import (
    Statistic,
    Tap,
    as_rows,
    channel_count,
    histogram,
    reduce_channels,
    reduce_in_graph,
)
from autoq.core import FloatArray
from autoq.graph import Tensor, unique_names

_IN_NUMPY = frozenset({Statistic.QUANTILE, Statistic.ABS_QUANTILE})


@dataclass(frozen=True, slots=True)
class TappedModel:
    """A clone of a model that gives statistics instead of its outputs.

    Attributes:
        model: The model. Its first output is the vector of all statistics that the graph reduces; further outputs are
            tensors.
        columns: First column of each tap and one past its last; empty if the channels are not known before a run.
        reduced: Length of the first output.
        fetched: Number of the output by tensor.
        in_numpy: Taps that are computed from fetched tensors, with the channel axis counted from the first.
        histograms: Tensors with a histogram.
        samples: Number of samples of one inference, along the first axis of all tensors; None if an inference is one
            sample.
    """

    model: ov.Model
    columns: Mapping[Tap, tuple[int, int]]
    reduced: int
    fetched: Mapping[Tensor, int]
    in_numpy: tuple[Tap, ...]
    histograms: tuple[Tensor, ...]
    samples: int | None = None

    @property
    def width(self) -> int:
        """Number of columns."""
        return max((stop for _, stop in self.columns.values()), default=0)

    @classmethod
    def of(
        cls,
        model: ov.Model,
        taps: Sequence[Tap],
        histograms: tuple[Tensor, ...],
        shapes: Mapping[str, Shape] | None = None,
        samples: int | None = None,
    ) -> Self:
        """Taps a clone of a model.

        Args:
            model: Never modified.
            taps: The statistics to collect.
            histograms: Tensors with a histogram.
            shapes: Shape of each input, if all inferences have the same; the columns do not depend on it.
            samples: Number of samples in these shapes, if each has its own statistics.
        """
        clone = model.clone()
        nodes = unique_names(clone)

        def output(tensor: Tensor) -> ov.Output:
            return nodes[tensor.producer].output(tensor.port)

        # Taps stand in the order in which the model computes them: the device then runs a reduction while its tensor is
        # still in cache, and drops the tensor.
        order = {name: position for position, name in enumerate(nodes)}
        taps = sorted(taps, key=lambda tap: order[tap.tensor.producer])
        in_graph = [tap for tap in taps if tap.statistic not in _IN_NUMPY]
        in_numpy = tuple(tap for tap in taps if tap.statistic in _IN_NUMPY)
        sizes = {tap: channel_count(output(tap.tensor), tap.axis) or 0 for tap in (*in_graph, *in_numpy)}
        stops = np.cumsum([0, *sizes.values()]).tolist()
        columns = {tap: (start, stop) for tap, start, stop in zip(sizes, stops[:-1], stops[1:], strict=True)}
        if shapes is not None:
            give_shapes(clone, shapes)
        counted = [tap for tap in in_graph if sizes[tap]]
        follows = {tap: source for tap in counted if (source := _per_channel(tap, counted)) is not None}
        reduced = {tap: reduce_in_graph(output(tap.tensor), tap, samples) for tap in counted if tap not in follows}
        parts = [
            reduce_channels(reduced[follows[tap]], tap.statistic) if tap in follows else reduced[tap] for tap in counted
        ]
        fetched = fetched_tensors(taps, histograms)
        results = [ops.result(as_rows(parts, samples))] if parts else []
        results += [ops.result(_as_f32(output(tensor))) for tensor in fetched]
        tapped = ov.Model(results, clone.get_sinks(), clone.get_parameters(), "tapped")
        ports = {tensor: port for port, tensor in enumerate(fetched, start=len(parts) > 0)}
        return cls(tapped, columns, sum(sizes[tap] for tap in in_graph), ports, in_numpy, histograms, samples)

    def read(self, request: ov.InferRequest, rows: FloatArray, histograms: NDArray[np.float16]) -> None:
        """Takes the statistics of one inference.

        Args:
            request: A finished request.
            rows: Rows to fill, [samples, columns]; there may be fewer than samples in the inference.
            histograms: Histograms to fill, [samples, tensors, 2, BINS].
        """
        if self.reduced:
            rows[:, : self.reduced] = request.get_output_tensor(0).data[: len(rows)]
        fetched = {tensor: request.get_output_tensor(port).data for tensor, port in self.fetched.items()}
        for number in range(len(rows)):
            values = fetched if self.samples is None else {t: v[number : number + 1] for t, v in fetched.items()}
            for tap in self.in_numpy:
                start, stop = self.columns[tap]
                rows[number, start:stop] = _quantile(values[tap.tensor], tap)
            for place, tensor in enumerate(self.histograms):
                histograms[number, place] = histogram(values[tensor])


def fetched_tensors(taps: Iterable[Tap], histograms: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Tensors that leave the device whole, since one of their statistics has no reduction in the graph."""
    in_numpy = (tap.tensor for tap in taps if tap.statistic in _IN_NUMPY)
    return tuple(dict.fromkeys([*in_numpy, *histograms]))


def _as_f32(output: ov.Output) -> ov.Output:
    """An output in f32.

    An output in f32 is not converted: if an input is converted to its own type, OpenVINO 2026.4 returns the memory to
    which the next inference writes its input.
    """
    return output if output.get_element_type() == ov.Type.f32 else ops.convert(output, "f32").output(0)


def _per_channel(tap: Tap, taps: Iterable[Tap]) -> Tap | None:
    """The tap of an extreme per channel from which the extreme of the whole tensor follows; None without one."""
    if tap.axis is not None or tap.statistic is Statistic.MEAN:
        return None
    return next(
        (t for t in taps if t.axis is not None and (t.tensor, t.statistic) == (tap.tensor, tap.statistic)), None
    )


def _quantile(values: FloatArray, tap: Tap) -> FloatArray:
    """A quantile of a tensor, interpolated linearly between order statistics, [channels]."""
    if tap.statistic is Statistic.ABS_QUANTILE:
        values = np.abs(values)
    kept = None if tap.axis is None else tap.axis % values.ndim
    axes = tuple(axis for axis in range(values.ndim) if axis != kept)
    return np.asarray(np.quantile(values, tap.level or 0.0, axis=axes), np.float32)
