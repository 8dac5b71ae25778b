"""What the float model says of labelled data: computed once, kept in a file, and read beside the outputs of others."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import MetricError
from autoq.evaluation.device import RuntimeConfig, in_f32
from autoq.evaluation.metrics import BesideFloat, InferenceOutputs, scored_log_probabilities
from autoq.evaluation.scoring._together import one_at_a_time
from autoq.graph import goes_on


class BesideFloatItems(Sequence[tuple[Feed, Any]]):
    """Labelled data, with the log-probabilities of the float model in f32 beside each target.

    They lie in a file without a name, which the system removes when nobody reads it any more, however the process ends.
    What is used of it stays in the system's cache as far as there is memory.

    Args:
        items: Labelled data.
        model: The float model.
        runtime: Compile settings, without shapes.
    """

    def __init__(self, items: Sequence[tuple[Feed, Any]], model: ov.Model, runtime: RuntimeConfig) -> None:
        self._items = items
        self._model = model
        self._runtime = runtime.with_choice(in_f32(model, runtime.device))
        # Opened at the first use, and open as long as this object is.
        self._file: Any = None
        self._places: dict[int, tuple[int, tuple[int, ...]]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Feed, Any]:  # type: ignore[override]  # single items only
        if index not in self._places:
            self.compute([index])
        inputs, target = self._items[index]
        offset, shape = self._places[index]
        return inputs, BesideFloat(target, np.memmap(self._file, np.float16, "r", offset, shape))

    def __iter__(self) -> Iterator[tuple[Feed, Any]]:
        return (self[index] for index in range(len(self)))

    def compute(self, indices: Iterable[int]) -> None:
        """Runs the float model on the items that it was not run on yet.

        Args:
            indices: Numbers of items.

        Raises:
            DeviceError: The device refuses the float model.
            MetricError: Its outputs are no probabilities of classes, or there is no room for them.
        """
        missing = [index for index in indices if index not in self._places]
        if not missing:
            return
        pairs = [self._items[index] for index in missing]
        left = iter(zip(missing, pairs, strict=True))

        def take(outputs: InferenceOutputs) -> None:
            index, (_, target) = next(left)
            self._keep(index, scored_log_probabilities(outputs, target))

        # Compiled for throughput as all models are that are scored, but for those that run on one request.
        runtime = self._runtime if goes_on(self._model) else self._runtime.with_hint("THROUGHPUT")
        compiled = runtime.compile(self._model)
        one_at_a_time(compiled)((inputs for inputs, _ in pairs), take)

    def _keep(self, index: int, array: NDArray[np.float16]) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as this object is
            offset = self._file.seek(0, 2)
            self._file.write(array.data)
            self._file.flush()
        except OSError as error:
            each = array.nbytes / 1e6
            msg = (
                f"the outputs of the float model cannot be kept in {tempfile.gettempdir()!r}, {len(self)} samples of "
                f"{each:.3g} MB: {error.strerror}; set TMPDIR to a folder with more room, or use fewer samples."
            )
            raise MetricError(msg) from error
        self._places[index] = offset, array.shape
