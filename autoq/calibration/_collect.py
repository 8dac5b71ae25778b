"""One pass over the calibration data.

Every tap is a reduction inside the graph, and all of them leave it as one vector per inference: the device never writes
an activation out, and Python sees one small array per sample. What lies behind the last tap is not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.calibration._samples import ModelInputs
from autoq.calibration._statistics import Statistics
from autoq.calibration._taps import Statistic, Tap, required_taps
from autoq.core import DeviceError, ModelError
from autoq.graph import QuantizationGraph, unique_names

_REDUCTIONS = {Statistic.MIN: ops.reduce_min, Statistic.MAX: ops.reduce_max, Statistic.MEAN: ops.reduce_mean}


def collect(
    model: ov.Model,
    graphs: Iterable[QuantizationGraph],
    inputs: ModelInputs,
    *,
    subset_size: int = 300,
    device: str = "CPU",
    precision: str = "f32",
    progress: Callable[[int, int], None] | None = None,
) -> Statistics:
    """Runs the model once over the calibration data and keeps what quantization needs.

    Args:
        model: The float model; never modified.
        graphs: Placements that plans will be resolved for.
        inputs: Calibration inputs.
        subset_size: Samples used, counted from the first; all of them where there are fewer.
        device: OpenVINO device.
        precision: "f32" is exact; "bf16" is faster on devices that have it.
        progress: Called with inferences done and inferences in all.

    Returns:
        Statistics, one row per inference.

    Raises:
        ModelError: The model computes NaN or infinity.
        DeviceError: The device refuses the model.
    """
    taps = required_taps(graphs)
    tapped, columns = _tap(model, taps)
    batch = _samples_per_inference(inputs)
    count = min(len(inputs), -(-subset_size // batch))
    table = np.empty((count, max((stop for _, stop in columns.values()), default=0)), np.float32)
    done = _Progress(count, progress)

    def keep(request: ov.InferRequest, row: int) -> None:
        table[row] = request.get_output_tensor(0).data
        done.step()

    try:
        compiled = ov.Core().compile_model(
            tapped, device, {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        )
        queue = ov.AsyncInferQueue(compiled)
        queue.set_callback(keep)
        for row in range(count):
            queue.start_async(inputs[row], row)
        queue.wait_all()
    except RuntimeError as error:
        msg = f"{device!r} cannot run the model for calibration: {str(error).splitlines()[-1].strip()}"
        raise DeviceError(msg) from error
    _check_finite(table, taps, columns)
    return Statistics(table, columns, batch)


@dataclass(slots=True)
class _Progress:
    """Counts finished inferences."""

    total: int
    report: Callable[[int, int], None] | None
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.report is not None:
            self.report(self.done, self.total)


def _tap(model: ov.Model, taps: Sequence[Tap]) -> tuple[ov.Model, dict[str, tuple[int, int]]]:
    """A clone whose only output is the vector of all statistics, and the columns of each tap in it."""
    clone = model.clone()
    nodes = unique_names(clone)
    columns: dict[str, tuple[int, int]] = {}
    parts = []
    width = 0
    for tap in taps:
        output = nodes[tap.tensor.producer].output(tap.tensor.port)
        size = _channels(output, tap.axis)
        if size is None:
            columns[tap.key] = (width, width)
            continue
        parts.append(_reduce(output, tap))
        columns[tap.key] = (width, width + size)
        width += size
    vector = ops.concat(parts, 0)
    tapped = ov.Model([ops.result(vector)], clone.get_sinks(), clone.get_parameters(), "tapped")
    return tapped, columns


def _channels(output: ov.Output, axis: int | None) -> int | None:
    """Number of values that a tap gives; None where the channels are not known before the model runs."""
    if axis is None:
        return 1
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic or shape[axis].is_dynamic:
        return None
    return int(shape[axis].get_length())


def _reduce(output: ov.Output, tap: Tap) -> ov.Node:
    """The statistic as a vector."""
    shape = output.get_partial_shape()
    flat = np.array([-1], np.int64)
    if shape.rank.is_dynamic:
        reduced = _REDUCTIONS[tap.statistic](ops.reshape(output, flat, special_zero=False), np.array([0]))
    else:
        rank = shape.rank.get_length()
        kept = None if tap.axis is None else tap.axis % rank
        axes = np.array([axis for axis in range(rank) if axis != kept], np.int64)
        reduced = _REDUCTIONS[tap.statistic](output, axes) if len(axes) else output.get_node()
    if output.get_element_type() != ov.Type.f32:
        reduced = ops.convert(reduced, "f32")
    return ops.reshape(reduced, flat, special_zero=False)


def _samples_per_inference(inputs: ModelInputs) -> int:
    first = next(iter(inputs[0].values()))
    return int(first.shape[0]) if first.ndim else 1


def _check_finite(
    table: np.ndarray[tuple[int, ...], np.dtype[np.float32]], taps: Sequence[Tap], columns: dict[str, tuple[int, int]]
) -> None:
    bad = np.flatnonzero(~np.isfinite(table).all(axis=0))
    if bad.size:
        tap = next(t for t in taps if t.key in columns and columns[t.key][0] <= bad[0] < columns[t.key][1])
        row = int(np.flatnonzero(~np.isfinite(table[:, bad[0]]))[0])
        msg = f"the model computes NaN or infinity at {tap.tensor.producer!r} on calibration sample {row}."
        raise ModelError(msg)
