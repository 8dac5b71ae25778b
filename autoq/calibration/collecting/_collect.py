"""One pass over the calibration data."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration.collecting._batches import in_batches, samples_together, several_samples
from autoq.calibration.collecting._bodies import collect_bodies
from autoq.calibration.collecting._infer import infer_all
from autoq.calibration.collecting._tapped import TappedModel
from autoq.calibration.sources import Feed, ModelInputs, Shape
from autoq.calibration.statistics import (
    BINS,
    Needs,
    Statistics,
    check_finite,
    required_histograms,
    required_taps,
    without_empty,
)
from autoq.core import DeviceError, FloatArray, ResetState, StoredFileError, TargetDevice, reason
from autoq.graph import BodyKey, QuantizationGraph, core, has_given_lengths, with_float_ends

logger = logging.getLogger(__name__)
# At least so many samples are run, even with little time.
_FEWEST = 8
# So many samples are read before the first run, to tell whether all have one shape.
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
    reset_state: str | ResetState = ResetState.SAMPLE,
    max_seconds: float = math.inf,
    path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Statistics:
    """Runs the model once over the calibration data, and keeps the statistics that quantization needs.

    Several samples of one shape are run at a time if the model is known to keep them apart.

    Args:
        model: The float model, as `read_model` gives it; never modified.
        graphs: Placements of the plans.
        inputs: Calibration inputs.
        needs: The statistics that plans need; by default all without quantiles and histograms.
        subset_size: Number of samples used, from the first one; all if there are fewer. No more are read.
        device: OpenVINO device.
        precision: "f32" is exact; "bf16" is faster on devices that have it.
        reset_state: When the state of a model is reset, if it has one: before each "sample", or "never", if samples are
            the steps of one sequence.
        max_seconds: Seconds for the runs. Samples that are not run in this time are left out; eight are used in any
            case.
        path: File for the statistics of all samples. If it exists and holds all that is needed, the model is not run.
        progress: Called with the numbers of samples done and of all samples, after each inference.

    Returns:
        Statistics, one row per sample.

    Raises:
        ModelError: The model computes NaN or infinity.
        DeviceError: The device refuses the model.
    """
    needs = Needs() if needs is None else needs
    graphs = tuple(graphs)
    if (kept := _kept(path)) is not None and kept.covers(graphs, needs):
        logger.debug("statistics of %d samples are read from %s", len(kept), path)
        return kept
    taps, tensors = required_taps(graphs, needs), required_histograms(graphs, needs)
    count = inputs.at_most(subset_size)
    feeds = _Feeds(_in_time(islice(inputs, count), max_seconds))
    resets = ResetState.parse(reset_state)
    # The state would be lost between the two models that run several samples and single ones.
    in_one = resets is ResetState.NEVER and bool(model.get_sinks())
    as_it_is = in_one or (model.is_dynamic() and has_given_lengths(model))
    shapes = None if as_it_is else feeds.common_shapes(_PEEKED if model.is_dynamic() else 1)
    together = None
    if (
        shapes is not None and device == TargetDevice.CPU
    ):  # what it gains is known of CPUs; some others do not take several
        together = samples_together(model, taps, tensors, shapes, count)
    grown = shapes if shapes is None or together is None else several_samples(shapes, together)
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    bodies: dict[BodyKey, Statistics] = {}
    try:
        tapped = TappedModel.of(model, taps, tensors, grown, together)
        collection = _Collection.of(tapped, count, device, settings, resets, progress)
        if tapped.model.outputs:
            collection.run(tapped, in_batches(feeds if shapes is None else feeds.of_shapes(shapes), together or 1))
            if feeds.any_left():
                collection.run(TappedModel.of(model, taps, tensors), in_batches(feeds, 1))
            count = collection.done
        if any(graph.bodies for graph in graphs):
            bodies = collect_bodies(
                model,
                graphs,
                islice(inputs, count),
                needs=needs,
                compile_model=lambda part: core().compile_model(with_float_ends(part), device, settings),
                reset_state=resets,
            )
    except RuntimeError as error:
        msg = f"{device!r} cannot run the model for calibration: {reason(error)}"
        raise DeviceError(msg) from error
    table, histograms = collection.taken(count if tapped.model.outputs else len(inputs))
    table, unseen = without_empty(table, tapped.columns)
    for tensor in sorted(unseen):
        warnings.warn(
            f"{tensor.producer!r} gives no numbers on any calibration sample: it stays in float.", stacklevel=3
        )
    check_finite(table, tapped.columns, graphs)
    places = {tensor: place for place, tensor in enumerate(tapped.histograms)}
    columns = {tap.key: span for tap, span in tapped.columns.items()}
    statistics = Statistics(table, columns, histograms, places, bodies, unseen)
    logger.debug("statistics of %d samples, %d columns, were collected on %s", *table.shape, device)
    if path is not None and len(statistics) == inputs.at_most(subset_size):
        statistics.save(path)
    return statistics


def _kept(path: Path | None) -> Statistics | None:
    """Statistics of an earlier session; None if there are none that can be used."""
    if path is None or not path.exists():
        return None
    try:
        return Statistics.load(path)
    except StoredFileError as error:
        warnings.warn(f"statistics are collected again: {error}", stacklevel=3)
        return None


@dataclass(slots=True)
class _Collection:
    """The statistics that were collected so far.

    Attributes:
        table: float32 [samples, columns].
        histograms: float16 [samples, tensors, 2, BINS].
        device: OpenVINO device.
        settings: Compile settings.
        reset_state: When the state of a model is reset.
        progress: Called with the numbers of samples done and of all samples.
        done: Number of filled rows.
    """

    table: FloatArray
    histograms: NDArray[np.float16]
    device: str
    settings: Mapping[str, str]
    reset_state: ResetState
    progress: Callable[[int, int], None] | None
    done: int = 0

    @classmethod
    def of(
        cls,
        tapped: TappedModel,
        count: int,
        device: str,
        settings: Mapping[str, str],
        reset_state: ResetState,
        progress: Callable[[int, int], None] | None,
    ) -> Self:
        """Empty rows for so many samples."""
        histograms = np.empty((count, len(tapped.histograms), 2, BINS), np.float16)
        return cls(np.empty((count, tapped.width), np.float32), histograms, device, settings, reset_state, progress)

    def taken(self, count: int) -> tuple[FloatArray, NDArray[np.float16]]:
        """The filled rows, which may be fewer than the expected samples."""
        if count >= len(self.table):
            return self.table, self.histograms
        return self.table[:count].copy(), self.histograms[:count].copy()

    def run(self, source: TappedModel, batches: Iterable[tuple[Feed, int]]) -> None:
        """Collects the statistics of feeds, each with the number of samples that it holds."""
        sizes: deque[int] = deque()

        def feeds() -> Iterator[Feed]:
            for feed, size in batches:
                sizes.append(size)
                yield feed

        def take(request: ov.InferRequest) -> None:
            rows = slice(self.done, self.done + sizes.popleft())
            source.read(request, self.table[rows], self.histograms[rows])
            self.done = rows.stop
            if self.progress is not None:
                self.progress(self.done, len(self.table))

        compiled = core().compile_model(with_float_ends(source.model), self.device, dict(self.settings))
        infer_all(compiled, feeds(), take, reset_state=self.reset_state)


def _in_time(feeds: Iterable[Feed], seconds: float) -> Iterator[Feed]:
    """Yields samples until a moment has passed."""
    end = time.monotonic() + seconds
    for number, feed in enumerate(feeds):
        if number >= _FEWEST and time.monotonic() >= end:
            return
        yield feed


class _Feeds:
    """Samples that are read once, by several readers one after the other."""

    def __init__(self, feeds: Iterator[Feed]) -> None:
        # Unlike a generator, this is not closed by a reader that stops.
        self._feeds = islice(feeds, None)
        self._next: deque[Feed] = deque()

    def __iter__(self) -> Iterator[Feed]:
        while self._next:
            yield self._next.popleft()
        yield from self._feeds

    def common_shapes(self, looked_at: int) -> dict[str, Shape] | None:
        """Shapes that all samples seem to have. A model with open shapes runs faster with them."""
        self._next += islice(self._feeds, looked_at)
        first, *others = map(_shapes, self._next)
        return first if all(shapes == first for shapes in others) else None

    def any_left(self) -> bool:
        """Whether samples are left that no reader took."""
        if not self._next:
            self._next += islice(self._feeds, 1)
        return bool(self._next)

    def of_shapes(self, shapes: Mapping[str, Shape]) -> Iterator[Feed]:
        """Samples up to the first one of another shape, which is kept for the next reader."""
        for feed in self:
            if _shapes(feed) != shapes:
                self._next.appendleft(feed)
                return
            yield feed


def _shapes(feed: Feed) -> dict[str, Shape]:
    return {name: array.shape for name, array in feed.items()}
