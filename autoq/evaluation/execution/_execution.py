"""The layers that a device really runs, read from its execution graph, and the time of each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
import openvino as ov

from autoq.calibration import Feed
from autoq.core import ResetState
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.execution._executed import ExecutedLayer, ExecutionReport
from autoq.evaluation.execution._executed_ops import executed_ops
from autoq.evaluation.latency import Continued
from autoq.graph import operation, unique_names

T = TypeVar("T")

_SILENT = frozenset({"Const", "Input", "Output", "Parameter", "Result", "Constant"})
_FLOATS = frozenset({"f32", "f16", "bf16"})
_NARROW = frozenset({"u4", "u8", "i4", "i8", "nf4"})
# HETERO numbers the parts of a model in its profile, but not in its execution graph.
_PART = re.compile(r"^subgraph\d+: ")


def execution_report(compiled: Compiled, model: ov.Model) -> ExecutionReport:
    """Lists the nodes of the execution graph that compute, in order, with their precisions and operations.

    Args:
        compiled: The compiled model.
        model: What was compiled.
    """
    layers: list[tuple[int, ExecutedLayer]] = []
    for op in compiled.compiled_model.get_runtime_model().get_ordered_ops():
        info = {key: str(value.astype(str)) for key, value in op.get_rt_info().items() if hasattr(value, "astype")}
        kind = info.get("layerType", op.get_type_name())
        if kind in _SILENT:
            continue
        kernel = info.get("primitiveType", "unknown")
        layer = ExecutedLayer(
            name=op.get_friendly_name(),
            type=kind,
            precision=_computed_in(kind, info.get("runtimePrecision", "unknown"), kernel),
            kernel=kernel,
            ops=tuple(name for name in info.get("originalLayersNames", "").split(",") if name),
        )
        layers.append((int(info.get("execOrder", len(layers))), layer))
    found = [layer for _, layer in sorted(layers, key=lambda numbered: numbered[0])]
    nodes = unique_names(model)
    return ExecutionReport(
        tuple(
            replace(layer, on_floats=any(_reads_floats(nodes[op]) for op in ops))
            for layer, ops in zip(found, executed_ops(model, found), strict=True)
        )
    )


def _reads_floats(op: ov.Node) -> bool:
    return any(value.get_element_type().is_real() for value in op.input_values())


def _computed_in(kind: str, reported: str, kernel: str) -> str:
    """The precision that a layer computes in.

    1. A layer that runs a model inside it is reported with the precision of its condition; the device does not list the
       layers inside.
    2. A layer with only 8-bit weights is reported as int8; the name of its kernel says that it computes in float.
    """
    if operation(kind).has_bodies:
        return "unknown"
    suffix = kernel.rpartition("_")[2].lower()
    return suffix if reported in _NARROW and suffix in _FLOATS else reported


class KernelClock:
    """A model compiled so that the device counts the time of each of its kernels.

    Counting slows a model down, so nothing else is timed with this compilation.

    Args:
        model: The model.
        runtime: Compile settings.

    Raises:
        DeviceError: The device refuses the model.
    """

    def __init__(self, model: ov.Model, runtime: RuntimeConfig) -> None:
        counting = replace(runtime, properties={**runtime.properties, "PERF_COUNT": "YES"})
        self._model = model
        self._compiled = counting.compile(model)
        self._request = self._compiled.compiled_model.create_infer_request()
        self._kinds: dict[tuple[str, int], tuple[str, str]] = {}
        self._ms: dict[tuple[str, int], list[float]] = defaultdict(list)

    def run(self, sample: Feed | Continued, count: int) -> None:
        """Runs the model. One more inference comes first, since it finds cold caches."""
        further = sample if isinstance(sample, Continued) else None
        self._request.reset_state()
        self._request.infer(sample.prompt if isinstance(sample, Continued) else sample)
        if further is not None:
            self._request.infer(further.step(0))
        for number in range(1, count + 1):
            if further is None and self._compiled.reset_state is ResetState.SAMPLE:
                self._request.reset_state()
            self._request.infer(None if further is None else further.step(number))
            profile = self._request.get_profiling_info()
            for key, info in _numbered((_PART.sub("", info.node_name), info) for info in profile):
                self._kinds[key] = (info.node_type, info.exec_type)
                self._ms[key].append(1e3 * info.real_time.total_seconds())

    def layers(self) -> tuple[tuple[ExecutedLayer, float], ...]:
        """The layers that ran, in order, each with the median of its times in ms.

        Nodes that the profile does not list were computed when the model was compiled. Nodes with a time that only the
        profile lists come last.
        """
        times = {key: float(np.median(values)) for key, values in self._ms.items()}
        report = execution_report(self._compiled, self._model).layers
        found = [
            (layer, times.pop(key)) for key, layer in _numbered((layer.name, layer) for layer in report) if key in times
        ]
        for (name, number), ms in times.items():
            kind, kernel = self._kinds[name, number]
            if ms:
                found.append((ExecutedLayer(name, kind, "unknown", kernel, ()), ms))
        return tuple(found)


def _numbered(named: Iterable[tuple[str, T]]) -> Iterator[tuple[tuple[str, int], T]]:
    """Values by name and number of earlier occurrences of the name: a model may use a name twice."""
    seen: Counter[str] = Counter()
    for name, value in named:
        yield (name, seen[name]), value
        seen[name] += 1


def layer_times(model: ov.Model, runtime: RuntimeConfig, sample: Feed, repeats: int = 20) -> dict[str, float]:
    """Milliseconds that a device spends on each operation, from its own profile.

    If several operations run as one kernel, its time counts for the first of them. The model is compiled for this
    measurement alone. Counting slows it down, so that shares are meaningful and sums are not.

    Args:
        model: The model.
        runtime: Compile settings.
        sample: Input to run.
        repeats: Number of inferences; the median time of each kernel counts.

    Raises:
        DeviceError: The device refuses the model.
    """
    clock = KernelClock(model, runtime)
    clock.run(sample, repeats)
    timed = clock.layers()
    found: dict[str, float] = defaultdict(float)
    for ops, (_, ms) in zip(executed_ops(model, [layer for layer, _ in timed]), timed, strict=True):
        for op in ops[:1]:
            found[op] += ms
    return dict(found)
