"""A device plugin that fails on demand, for evaluators that work in a process of their own."""

import ctypes
import os
import signal
import time
from pathlib import Path

import openvino as ov

from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import _runtime


class FailingDevice:
    """A metric (1 where the first output's largest class is the target) that brings a device of its own.

    In every process that unpickles it, it stands in for OpenVINO's core; so it reaches the device process with what a
    user brings, and leaves the process of the test alone. It does what a file tells: a line, such as "int8 compile
    SIGSEGV", is for the next model compiled that is ("int8") or is not ("float") quantized, and is then taken out. "ok"
    as its third word lets a model pass.

    Args:
        folder: Of the orders, and of a count of the samples that were scored.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.order()

    def order(self, *lines: str) -> None:
        (self.folder / "orders").write_text("\n".join(lines))

    @property
    def scored(self) -> int:
        return (self.folder / "scored").stat().st_size

    def __call__(self, outputs, target) -> float:
        with (self.folder / "scored").open("a") as file:
            file.write("x")
        return float(outputs[0].argmax() == target)

    def __reduce__(self):
        return _install, (self.folder,)

    def next_for(self, model: ov.Model) -> tuple[str, str]:
        """Where and how this model fails."""
        kind = "int8" if any(op.get_type_name() == "FakeQuantize" for op in model.get_ops()) else "float"
        lines = (self.folder / "orders").read_text().splitlines()
        if not lines or not lines[0].startswith(kind):
            return "", ""
        self.order(*lines[1:])
        _, where, how = lines[0].split(maxsplit=2)
        return where, how


def _install(folder: Path) -> FailingDevice:
    device = FailingDevice.__new__(FailingDevice)
    device.folder = folder
    # Times quickly: how a device fails does not take exact latencies.
    Evaluator.__init__.__kwdefaults__["max_latency_seconds"] = 0.05
    real = ov.Core()
    _runtime.core = lambda: _Core(real, device)
    return device


def _fail(how: str) -> None:
    match how:
        case "ok":
            return
        case "raise":
            msg = "Exception from plugin.cpp:1:\nthe double does not like this model"
            raise RuntimeError(msg)
        case "raise another":
            msg = "an argument that the double does not like"
            raise ValueError(msg)
        case "hang":
            while True:
                time.sleep(3600)
        case "hang in native code":
            ctypes.PyDLL(None).sleep(3600)  # keeps the interpreter's lock
        case "abort":
            os.abort()
        case "exit":
            os._exit(3)
        case _:
            os.kill(os.getpid(), signal.Signals[how])


class _Through:
    def __init__(self, real, *rest):
        self._real = real
        self._rest = rest

    def __getattr__(self, name: str):
        return getattr(self._real, name)


class _Core(_Through):
    def compile_model(self, model, *settings):
        (device,) = self._rest
        where, how = device.next_for(model)
        if where == "compile":
            _fail(how)
        compiled = self._real.compile_model(model, *settings)
        return _Compiled(compiled, how) if where == "infer" else compiled


class _Compiled(_Through):
    def create_infer_request(self):
        return _Request(self._real.create_infer_request(), *self._rest)


class _Request(_Through):
    def infer(self, *feed):
        _fail(*self._rest)
        return self._real.infer(*feed)

    def start_async(self, *feed):
        _fail(*self._rest)
        return self._real.start_async(*feed)
