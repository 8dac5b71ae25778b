"""Parts of candidates that were compiled: candidates that differ elsewhere run them again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import openvino as ov

from autoq.core import TargetDevice
from autoq.graph import core, model_digest, stores_weights_alone, with_float_ends

_MOST_PARTS = 256
_MOST_BYTES = 384 << 20
# A part keeps memory of about so many times its inputs, even once it gave back what its inferences took.
_HELD = 2


@dataclass(frozen=True, slots=True)
class _Part:
    compiled: ov.CompiledModel
    size_bytes: int


class CompiledParts:
    """Compiled models by what they compute; those that were used last are kept.

    Args:
        most: Most of them.
        most_bytes: Most bytes that they take.

    Attributes:
        most: Most of them.
    """

    def __init__(self, most: int = _MOST_PARTS, most_bytes: int = _MOST_BYTES) -> None:
        self.most, self._most_bytes = most, most_bytes
        self._known: OrderedDict[str, _Part] = OrderedDict()
        self._bytes = 0
        # Threads may build at once.
        self._lock = threading.Lock()

    def compiled(self, model: ov.Model, input_bytes: int = 0) -> ov.CompiledModel:
        """The model, compiled for the CPU to run many samples with float in f32.

        Args:
            model: Its inputs and outputs are those of the compiled one, in this order.
            input_bytes: Bytes of the largest sample.

        Raises:
            RuntimeError: The device refuses it.
        """
        if not self.most:
            return _compiled(model)
        key = _key(model)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key].compiled
        constants = sum(op.get_byte_size() for op in model.get_ops() if op.get_type_name() == "Constant")
        part = _Part(_compiled(model), constants + _HELD * input_bytes)
        with self._lock:
            self._keep(key, part)
        return part.compiled

    def _keep(self, key: str, part: _Part) -> None:
        if key in self._known or part.size_bytes > self._most_bytes:
            return
        self._known[key] = part
        self._bytes += part.size_bytes
        while len(self._known) > self.most or self._bytes > self._most_bytes:
            self._bytes -= self._known.popitem(last=False)[1].size_bytes


def _compiled(model: ov.Model) -> ov.CompiledModel:
    # Where weights are in 8 bits and computed in float, OpenVINO 2026.4 may give wrong outputs in several streams.
    hint = "LATENCY" if stores_weights_alone(model) else "THROUGHPUT"
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
    return core().compile_model(with_float_ends(model), TargetDevice.CPU, settings)


def _key(model: ov.Model) -> str:
    """Digest of the computation, with the order of inputs and outputs."""
    places = {op.get_name(): place for place, op in enumerate(model.get_ordered_ops())}
    inputs = [places[op.get_name()] for op in model.get_parameters()]
    outputs = [places[op.get_name()] for op in model.get_results()]
    return f"{model_digest(model)}|{inputs}|{outputs}"
