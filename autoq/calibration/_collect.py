"""One pass over the calibration data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import openvino as ov

from autoq.calibration._histograms import BINS
from autoq.calibration._infer import infer_all
from autoq.calibration._needs import Needs, required_histograms, required_taps
from autoq.calibration._samples import Feed, ModelInputs
from autoq.calibration._statistics import Statistics
from autoq.calibration._tapped import Shape, TappedModel
from autoq.calibration._taps import Tap
from autoq.core import DeviceError, FloatArray, ModelError
from autoq.graph import QuantizationGraph

# As many samples are looked at before they are run, to tell whether all have one shape.
_PEEKED = 8


def collect(
    model: ov.Model,
    graphs: Iterable[QuantizationGraph],
    inputs: ModelInputs,
    *,
    needs: Needs | None = None,
    subset_size: int = 300,
    device: str = "CPU",
    precision: str = "f32",
    path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Statistics:
    """Runs the model once over the calibration data and keeps what quantization needs.

    Args:
        model: The float model; never modified.
        graphs: Placements that plans will be resolved for.
        inputs: Calibration inputs.
        needs: What plans will ask for; by default all that needs no quantile and no histogram.
        subset_size: Samples used, counted from the first; all of them where there are fewer.
        device: OpenVINO device.
        precision: "f32" is exact; "bf16" is faster on devices that have it.
        path: File that keeps the statistics; where it exists and holds all that is needed, the model is not run.
        progress: Called with inferences done and inferences in all.

    Returns:
        Statistics, one row per inference.

    Raises:
        ModelError: The model computes NaN or infinity.
        DeviceError: The device refuses the model.
    """
    needs = Needs() if needs is None else needs
    graphs = tuple(graphs)
    if path is not None and path.exists():
        statistics = Statistics.load(path)
        if statistics.covers(graphs, needs):
            return statistics
    taps, tensors = required_taps(graphs, needs), required_histograms(graphs, needs)
    tapped = TappedModel.of(model, taps, tensors, None)
    batch = _samples_per_inference(inputs)
    count = min(len(inputs), -(-subset_size // batch))
    table = np.empty((count, tapped.width), np.float32)
    histograms = np.empty((count, len(tapped.histograms), 2, BINS), np.float16)
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    row = 0

    def run(source: TappedModel, feeds: Iterable[Feed]) -> None:
        def take(request: ov.InferRequest) -> None:
            nonlocal row
            source.read(request, table[row], histograms[row])
            row += 1
            if progress is not None:
                progress(row, count)

        infer_all(ov.Core().compile_model(source.model, device, settings), feeds, take)

    try:
        feeds = _Feeds(inputs[index] for index in range(count))
        if (shapes := _common_shapes(model, inputs, count)) is not None:
            run(TappedModel.of(model, taps, tensors, shapes), feeds.of_shapes(shapes))
        if row < count:
            run(tapped, feeds)
    except RuntimeError as error:
        msg = f"{device!r} cannot run the model for calibration: {str(error).splitlines()[-1].strip()}"
        raise DeviceError(msg) from error
    _check_finite(table, tapped.columns)
    places = {tensor: place for place, tensor in enumerate(tapped.histograms)}
    columns = {tap.key: span for tap, span in tapped.columns.items()}
    statistics = Statistics(table, columns, batch, histograms, places)
    if path is not None:
        statistics.save(path)
    return statistics


class _Feeds:
    """Samples that are read once, by several readers in turn."""

    def __init__(self, feeds: Iterator[Feed]) -> None:
        self._feeds = feeds
        self._next: list[Feed] = []

    def __iter__(self) -> Iterator[Feed]:
        yield from self._next
        yield from self._feeds

    def of_shapes(self, shapes: Mapping[str, Shape]) -> Iterator[Feed]:
        """Samples up to the first of other shapes, which is kept for the next reader."""
        for feed in self._feeds:
            if _shapes(feed) != shapes:
                self._next = [feed]
                return
            yield feed


def _shapes(feed: Feed) -> dict[str, Shape]:
    return {name: array.shape for name, array in feed.items()}


def _common_shapes(model: ov.Model, inputs: ModelInputs, count: int) -> dict[str, Shape] | None:
    """Shapes that the samples seem to share, where the model leaves some of them open: it runs faster when told."""
    if not model.is_dynamic():
        return None
    first, *others = (_shapes(inputs[row]) for row in range(min(count, _PEEKED)))
    return first if all(shapes == first for shapes in others) else None


def _samples_per_inference(inputs: ModelInputs) -> int:
    first = next(iter(inputs[0].values()))
    return int(first.shape[0]) if first.ndim else 1


def _check_finite(table: FloatArray, columns: Mapping[Tap, tuple[int, int]]) -> None:
    bad = np.flatnonzero(~np.isfinite(table).all(axis=0))
    if bad.size:
        tap = next(tap for tap, (start, stop) in columns.items() if start <= bad[0] < stop)
        row = int(np.flatnonzero(~np.isfinite(table[:, bad[0]]))[0])
        msg = f"the model computes NaN or infinity at {tap.tensor.producer!r} on calibration sample {row}."
        raise ModelError(msg)
