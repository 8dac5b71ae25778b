"""Statistics of activations per sample. Subset sizes, presets and range estimators are reductions of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration.sources import ModelInputs
from autoq.calibration.statistics._histograms import BINS, Float64, Spread
from autoq.calibration.statistics._needs import Needs, required_histograms, required_taps
from autoq.calibration.statistics._taps import Statistic, Tap
from autoq.core import DataError, FloatArray, Format, ResetState, SampleStatistic, brief_repr, read_arrays, write_arrays
from autoq.graph import BodyKey, QuantizationGraph, Tensor

_FORMAT = Format("calibration statistics", 2, advice="remove it: statistics are then collected again")


@dataclass(frozen=True)
class Statistics:
    """Statistics with one row per sample (the input of one inference), and one column per channel of each tap.

    Attributes:
        table: float32 [rows, columns].
        columns: First column and one past the last by key of the tap; empty if the channels are not known before a run.
        histograms: Scaled shares as `histogram` gives them, float16 [rows, tensors, 2, BINS].
        places: Place in `histograms` by tensor.
        bodies: Statistics of bodies. Those of a body that no sample runs have no rows.
        unseen: Tensors that were empty on all samples, whose range is not known.
    """

    table: FloatArray
    columns: Mapping[str, tuple[int, int]]
    histograms: NDArray[np.float16] = field(default_factory=lambda: np.empty((0, 0, 2, BINS), np.float16))
    places: Mapping[Tensor, int] = field(default_factory=dict)
    bodies: Mapping[BodyKey, Statistics] = field(default_factory=dict)
    unseen: frozenset[Tensor] = frozenset()

    __repr__ = brief_repr

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.table)

    def __contains__(self, tap: Tap) -> bool:
        start, stop = self.columns.get(tap.key, (0, 0))
        return stop > start

    def rows(self, subset_size: int) -> int:
        """Number of rows that hold the first `subset_size` samples."""
        return min(len(self.table), subset_size)

    def of(self, tap: Tap, subset_size: int) -> FloatArray:
        """Values of one tap, [rows, channels], of the first samples.

        Raises:
            DataError: The tap was not collected, or for another number of channels.
        """
        if tap not in self:
            msg = f"statistics hold no {tap.statistic} of {tap.tensor.producer!r}: collect them again for this model."
            raise DataError(msg)
        start, stop = self.columns[tap.key]
        if tap.axis is None and stop - start != 1:
            msg = (
                f"statistics hold {stop - start} channels of {tap.tensor.producer!r}, and this model has one range "
                "there: collect them again for this model."
            )
            raise DataError(msg)
        return self.table[: self.rows(subset_size), start:stop]

    def extremes(
        self, tensor: Tensor, axis: int | None, subset_size: int, *, non_negative: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        """Per-sample minima and maxima of a tensor, each [rows, channels]."""
        maximum = self.of(Tap(tensor, axis, Statistic.MAX), subset_size)
        tap = Tap(tensor, axis, Statistic.MIN)
        if non_negative and tap not in self:
            return np.zeros_like(maximum), maximum
        return self.of(tap, subset_size), maximum

    def samples(
        self, tensor: Tensor, axis: int | None, subset_size: int, *, non_negative: bool = False
    ) -> Callable[[SampleStatistic, float], FloatArray]:
        """All statistics of a tensor that range estimators read, as `estimate_range` takes them.

        Args:
            tensor: An activation.
            axis: Its channel axis; None is per tensor.
            subset_size: Number of samples used.
            non_negative: Whether the minimum is known to be zero.
        """
        minimum, maximum = self.extremes(tensor, axis, subset_size, non_negative=non_negative)
        known: dict[SampleStatistic, Callable[[], FloatArray]] = {
            SampleStatistic.MIN: lambda: minimum,
            SampleStatistic.MAX: lambda: maximum,
            SampleStatistic.ABS_MAX: lambda: np.maximum(np.abs(minimum), np.abs(maximum)),
            SampleStatistic.MEAN: lambda: self.of(Tap(tensor, axis, Statistic.MEAN), subset_size),
        }

        def of(statistic: SampleStatistic, level: float) -> FloatArray:
            if statistic in known:
                return known[statistic]()
            return self.of(Tap(tensor, axis, Statistic(str(statistic)), level), subset_size)

        return of

    def spread(
        self, tensors: Sequence[Tensor], minimum: Float64, maximum: Float64, subset_size: int
    ) -> tuple[Spread, Spread]:
        """Distributions of the values above zero, and of the magnitudes below, over the first samples.

        Args:
            tensors: Activations.
            minimum: Smallest value of each, [tensors].
            maximum: Largest value of each, [tensors].
            subset_size: Number of samples used; each has the same weight, whatever its size.

        Raises:
            DataError: A histogram was not collected.
        """
        for tensor in tensors:
            if tensor not in self.places:
                msg = f"statistics hold no histogram of {tensor.producer!r}: collect them again for this estimator."
                raise DataError(msg)
        chosen = self.histograms[: self.rows(subset_size), [self.places[tensor] for tensor in tensors]]
        mass = chosen.sum(axis=0, dtype=np.float64)
        mass /= np.maximum(mass.sum(axis=(1, 2), keepdims=True), np.finfo(float).tiny)
        return Spread(mass[:, 0], np.maximum(maximum, 0)), Spread(mass[:, 1], np.maximum(-minimum, 0))

    def covers(self, graphs: Iterable[QuantizationGraph], needs: Needs) -> bool:
        """Whether all statistics that plans over these graphs need were collected."""
        graphs = tuple(graphs)
        keys = {key for graph in graphs for key in graph.bodies}
        inside = ([graph.bodies[key] for graph in graphs if key in graph.bodies] for key in keys)
        return (
            all(tap.key in self.columns for tap in required_taps(graphs, needs))
            and all(tensor in self.places for tensor in required_histograms(graphs, needs))
            and keys <= self.bodies.keys()
            and all(self.bodies[key].covers(parts, needs.of_bodies) for key, parts in zip(keys, inside, strict=True))
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the statistics as `.npz`, whole or not at all."""
        arrays: dict[str, NDArray[Any]] = {}
        layout = self._layout(arrays)
        return write_arrays(Path(path), _FORMAT, layout, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Statistics:
        """Reads what `save` wrote.

        Raises:
            StoredFileError: The file cannot be read, is damaged, or holds no statistics of this version.
        """
        return read_arrays(Path(path), _FORMAT, cls._of_layout)

    def _layout(self, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Everything except the arrays, which are added to those of a file and named by their numbers in it."""
        number = len(arrays) // 2
        arrays |= {f"table_{number}": self.table, f"histograms_{number}": self.histograms}
        return {
            "number": number,
            "columns": self.columns,
            "places": [[tensor.producer, tensor.port] for tensor in self.places],
            "unseen": sorted([tensor.producer, tensor.port] for tensor in self.unseen),
            "bodies": [[*key, inside._layout(arrays)] for key, inside in self.bodies.items()],
        }

    @classmethod
    def _of_layout(cls, layout: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Statistics:
        found = cls(
            table=arrays[f"table_{layout['number']}"],
            columns={key: (int(a), int(b)) for key, (a, b) in layout["columns"].items()},
            histograms=arrays[f"histograms_{layout['number']}"],
            places={Tensor(producer, port): place for place, (producer, port) in enumerate(layout["places"])},
            bodies={(op, int(branch)): cls._of_layout(inside, arrays) for op, branch, inside in layout["bodies"]},
            unseen=frozenset(Tensor(producer, port) for producer, port in layout["unseen"]),
        )
        table, histograms = found.table, found.histograms
        if table.dtype != np.float32 or table.ndim != 2 or histograms.dtype != np.float16 or histograms.ndim != 4:
            msg = f"its arrays are {table.dtype} {table.shape} and {histograms.dtype} {histograms.shape}"
            raise DataError(msg)
        if any(not 0 <= start <= stop <= table.shape[1] for start, stop in found.columns.values()):
            msg = f"it names columns that its table of {table.shape[1]} columns does not have"
            raise DataError(msg)
        if len(found.places) > histograms.shape[1] or (found.places and histograms.shape[0] != len(table)):
            msg = f"it names {len(found.places)} histograms, which {histograms.shape} does not hold"
            raise DataError(msg)
        return found


def statistics_digest(
    model: str, inputs: str, subset_size: int, precision: str, reset_state: ResetState = ResetState.SAMPLE
) -> str:
    """Digest of everything that statistics depend on: the model, the data and the runtime.

    Args:
        model: Digest of the model.
        inputs: Digest of the inputs.
        subset_size: Number of samples used.
        precision: Precision that the model computes in.
        reset_state: When states are reset.

    Returns:
        32 hexadecimal digits.
    """
    said = f"{ov.get_version()}|{model}|{inputs}|{precision}|{subset_size}|{reset_state}"
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def inputs_digest(inputs: ModelInputs, subset_size: int) -> str:
    """Digest of the first samples, 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for feed in islice(inputs, subset_size):
        for name, array in feed.items():
            digest.update(f"{name}|{array.shape}|{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def statistics_file(digest: str) -> str:
    """Name of the file for the statistics with a digest."""
    return f"statistics-{digest}.npz"
