"""Runs a model by OpenVINO on chunks of samples: the teacher, and a tuned model as it will be deployed."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed, port_name
from autoq.core import DeviceError, reason
from autoq.evaluation.device import RuntimeConfig
from autoq.training.tuning._samples import SampleChunk

Arrays = list[NDArray[Any]]
_SHAPES = tuple[tuple[str, tuple[int, ...]], ...]
# Compiled for so many shapes at a time; data of more shapes are run with open ones.
_MOST_SHAPES = 4


class Runner:
    """One model, compiled for the shapes that it gets.

    Args:
        model: Never modified.
        runtime: Compile settings.
    """

    def __init__(self, model: ov.Model, runtime: RuntimeConfig) -> None:
        self._model = model
        self._runtime = runtime
        self._requests: dict[_SHAPES | None, ov.InferRequest] = {}

    def __call__(self, feed: Feed) -> Arrays:
        """Outputs of one inference, copied.

        Raises:
            DeviceError: The device refuses the model, or inference fails.
        """
        request = self._request(feed)
        try:
            request.reset_state()
            return [np.array(value) for value in request.infer(feed).values()]
        except RuntimeError as error:
            msg = f"inference fails: {reason(error)}"
            raise DeviceError(msg) from error

    def _request(self, feed: Feed) -> ov.InferRequest:
        fits = all(
            port.get_partial_shape().compatible(ov.PartialShape(list(feed[port_name(port)].shape)))
            for port in self._model.inputs
        )
        key = None if fits else tuple((name, value.shape) for name, value in feed.items())
        if key not in self._requests:
            if len(self._requests) >= _MOST_SHAPES:
                self._requests.pop(next(iter(self._requests)))
            model = self._model if key is None else shaped_for(self._model, feed)
            self._requests[key] = self._runtime.compile(model).compiled_model.create_infer_request()
        return self._requests[key]


class Teacher:
    """A float model's outputs, kept where samples come again as they were.

    Data may show a sample otherwise each time that it is read, so what is kept belongs to its bytes.

    Args:
        model: The float model.
        runtime: Compile settings.
        joined: Whether outputs have one row for each sample.
        most_bytes: Most memory for outputs that are kept.
    """

    def __init__(self, model: ov.Model, runtime: RuntimeConfig, *, joined: bool, most_bytes: int = 1 << 30) -> None:
        self._run = Runner(model, runtime)
        self._joined = joined
        self._left = most_bytes
        self._kept: dict[int, tuple[int, Arrays]] = {}

    def __call__(self, chunk: SampleChunk) -> Arrays:
        """The outputs for a chunk."""
        seen = [self._checksum(chunk, place) for place in range(len(chunk.numbers))]
        kept = [self._kept.get(number) for number in chunk.numbers]
        if all(own is not None and own[0] == checksum for own, checksum in zip(kept, seen, strict=True)):
            rows = [own[1] for own in kept if own is not None]
            return rows[0] if not self._joined else [np.concatenate(values) for values in zip(*rows, strict=True)]
        outputs = self._run(chunk.feed)
        for place, (number, checksum) in enumerate(zip(chunk.numbers, seen, strict=True)):
            self._keep(number, checksum, self._own(outputs, place, len(chunk.numbers)))
        return outputs

    def _keep(self, number: int, checksum: int, outputs: Arrays) -> None:
        _, before = self._kept.pop(number, (0, []))
        self._left += sum(value.nbytes for value in before)
        size = sum(value.nbytes for value in outputs)
        if size <= self._left:
            self._kept[number] = checksum, outputs
            self._left -= size

    def _checksum(self, chunk: SampleChunk, place: int) -> int:
        """That of the inputs of one sample."""
        found = 0
        for value in chunk.feed.values():
            own = value
            if self._joined:
                count = len(value) // len(chunk.numbers)
                own = value[place * count : (place + 1) * count]
            found = crc32(np.ascontiguousarray(own).data, found)
        return found

    def _own(self, outputs: Arrays, place: int, count: int) -> Arrays:
        """Copies of the rows of one sample."""
        if not self._joined:
            return outputs
        each = [len(value) // count for value in outputs]
        return [value[place * n : (place + 1) * n].copy() for value, n in zip(outputs, each, strict=True)]


def shaped_for(model: ov.Model, feed: Feed) -> ov.Model:
    """A clone with the shapes of a feed."""
    clone = model.clone()
    clone.reshape({port: ov.PartialShape(list(feed[port_name(port)].shape)) for port in clone.inputs})
    return clone
