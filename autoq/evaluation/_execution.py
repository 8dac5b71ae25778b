"""What a device really runs, read from its execution graph."""

from __future__ import annotations

from autoq.evaluation._records import ExecutedLayer, ExecutionReport
from autoq.evaluation._runtime import Compiled

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
