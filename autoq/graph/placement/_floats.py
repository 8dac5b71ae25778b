"""The operations that stay in float, with reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import openvino as ov

from autoq.core import ModelType, TargetDevice
from autoq.graph.flow import IGNORED, IGNORED_IN_TRANSFORMER, Flow, find, reads_non_finite
from autoq.graph.operations import IgnoredScope, operation
from autoq.graph.placement._devices import on_device, stays_in_float


def left_in_float(
    flow: Flow,
    model_type: ModelType | None,
    device: TargetDevice,
    scope: IgnoredScope,
    weighted: Mapping[str, Collection[int]],
) -> dict[str, str]:
    """Operations that stay in float, each with the first reason that applies.

    1. The user's scope names them.
    2. They read NaN or infinity, or may read it.
    3. They belong to a block whose error costs more than its speed gains.
    4. They have no int8 kernel in their form.
    5. They dequantize values that the model already quantizes.
    6. They are the post-processing of a detector.
    7. They are of a type that transformers keep in float.

    Args:
        flow: The model.
        model_type: Whether the rules of transformers hold.
        device: Target device.
        scope: The ignored scope.
        weighted: Ports of the constant weights by operation.

    Raises:
        PlanError: A rule of the scope matches nothing.
    """
    named = scope.resolve({name: op.get_type_name() for name, op in flow.nodes.items()}, flow.readers)
    floats = reads_non_finite(flow, weighted) | named
    transformer = model_type is ModelType.TRANSFORMER
    ignored = IGNORED + (IGNORED_IN_TRANSFORMER if transformer else ())
    for match in find(flow, on_device(ignored, device)):
        for op in match.ops:
            floats.setdefault(op, f"stays in float as part of a {match.pattern.name}")
    for name in flow.names:
        if flow.type[name] == "GRUSequence" and flow.nodes[name].get_attributes().get("linear_before_reset"):
            floats.setdefault(name, "a GRUSequence with linear_before_reset has no int8 kernel")
        if operation(flow.type[name]).state_ports and not _starts_from_constants(flow.nodes[name]):
            floats.setdefault(name, f"an integer {flow.type[name]} would round its state on the grid of its input")
        if is_dequantized(flow, name):
            floats.setdefault(name, "dequantizes values that the model already quantizes")
    for name in _post_processing(flow, weighted):
        floats.setdefault(name, "stays in float as part of the post-processing of detections")
    for name in flow.names:
        if stays_in_float(flow.type[name], model_type, device):
            floats.setdefault(name, f"{flow.type[name]} stays in float in a transformer")
    return floats


def _starts_from_constants(op: ov.Node) -> bool:
    """Whether the first state of a recurrent operation is constant: only then it runs in float after quantizers.

    The integer kernels of OpenVINO 2026.4 read input and state with one scale, and lose most of a first state that is
    given or computed. With a constant state, there is nothing to dequantize, and no such kernel is chosen.
    """
    sources = [op.input_value(port).get_node() for port in operation(op.get_type_name()).state_ports]
    stored = [s.input_value(0).get_node() if s.get_type_name() == "Convert" else s for s in sources]
    return all(source.get_type_name() == "Constant" for source in stored)


def is_dequantized(flow: Flow, name: str) -> bool:
    """Whether an operation subtracts or multiplies by a constant in a chain from integers of the model itself."""
    while operation(flow.type[name]).dequantizes and len(flow.in_edges[name]) == 1:
        name = flow.in_edges[name][0].source
        if flow.type[name] == "Convert":
            edge = flow.in_edges[name][0]
            return not edge.is_float and flow.type[edge.source] in {"Convert", "FakeQuantize"}
    return False


def _post_processing(flow: Flow, weighted: Collection[str]) -> set[str]:
    """Operations between a model output and the weighted operations above it, on paths that contain a marker."""

    def unweighted(names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in weighted and flow.type[name] not in {"Parameter", "Result"}]

    outputs = [name for name in flow.names if flow.type[name] == "Result"]
    tail = _walk(
        [name for output in outputs for name in unweighted(flow.producers[output])], flow.producers, unweighted
    )
    markers = [name for name in tail if operation(flow.type[name]).post_processing]
    above = _walk(markers, flow.producers, unweighted)
    below = _walk(markers, flow.readers, unweighted) & tail
    return above | below


def _walk(
    starts: Iterable[str], step: dict[str, frozenset[str]], choose: Callable[[Iterable[str]], list[str]]
) -> set[str]:
    seen: set[str] = set()
    stack = list(starts)
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack.extend(choose(step[name]))
    return seen
