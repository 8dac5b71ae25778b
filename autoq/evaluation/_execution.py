"""What a device really runs, read from its execution graph, and how long each part takes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import openvino as ov

from autoq.calibration import Feed
from autoq.evaluation._records import ExecutedLayer, ExecutionReport
from autoq.evaluation._runtime import Compiled, RuntimeConfig

_SILENT = frozenset({"Const", "Input", "Output", "Parameter", "Result", "Constant"})


def execution_report(compiled: Compiled) -> ExecutionReport:
    """Lists the nodes of the execution graph that compute, with their precision and the operations they execute."""
    layers = []
    for op in compiled.compiled_model.get_runtime_model().get_ordered_ops():
        info = {key: str(value.astype(str)) for key, value in op.get_rt_info().items() if hasattr(value, "astype")}
        kind = info.get("layerType", op.get_type_name())
        if kind in _SILENT:
            continue
        layers.append(
            ExecutedLayer(
                name=op.get_friendly_name(),
                type=kind,
                precision=info.get("runtimePrecision", "unknown"),
                kernel=info.get("primitiveType", "unknown"),
                ops=tuple(name for name in info.get("originalLayersNames", "").split(",") if name),
            )
        )
    return ExecutionReport(tuple(layers))


def layer_times(model: ov.Model, runtime: RuntimeConfig, sample: Feed, repeats: int = 20) -> dict[str, float]:
    """Milliseconds that a device spends on each operation, from its own profile.

    Where several operations run as one kernel, its time counts for the first of them. The model is compiled for this
    alone: counting slows it down, so that shares are telling and sums are not.

    Args:
        model: The model.
        runtime: Compile settings.
        sample: Input to run.
        repeats: Inferences; the median of each kernel's times counts.

    Raises:
        DeviceError: The device refuses the model.
    """
    counting = replace(runtime, properties={**runtime.properties, "PERF_COUNT": "YES"})
    compiled = counting.compile(model)
    fused = {layer.name: layer.ops for layer in execution_report(compiled).layers}
    request = compiled.compiled_model.create_infer_request()
    request.infer(sample)
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        request.infer(sample)
        for info in request.get_profiling_info():
            times[info.node_name].append(1e3 * info.real_time.total_seconds())
    found: dict[str, float] = defaultdict(float)
    for name, samples in times.items():
        for op in fused.get(name, ())[:1]:
            found[op] += float(np.median(samples))
    return dict(found)
