"""The quantization graph of the float model from which a quantized one was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.utils.node_factory import NodeFactory

from autoq.core import ModelType, TargetDevice
from autoq.graph.flow import bodies_of, set_body
from autoq.graph.operations import APART, REDUCED, Family, QuantizationGraph, operation, unique_names
from autoq.graph.placement._analyze import analyze
from autoq.graph.placement._standing import dequantized


def analyze_original(
    model: ov.Model,
    *,
    target_device: str | TargetDevice = TargetDevice.ANY,
    model_type: str | ModelType | None = None,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
) -> QuantizationGraph:
    """Decides where quantizers may stand in a model, after its own quantizers are removed.

    So a quantized model has the same groups, by name, as its float original. The operations of SmoothQuant are removed
    too, and those that keep a reduction or a convolution apart.

    Args:
        model: A float or a quantized model; never modified.
        target_device: As for `analyze`.
        model_type: As for `analyze`.
        ignored_scope: As for `analyze`.

    Raises:
        PlanError: The scope matches nothing, or a word is unknown.
    """
    return analyze(
        _without_quantizers(model), target_device=target_device, model_type=model_type, ignored_scope=ignored_scope
    )


def _without_quantizers(model: ov.Model) -> ov.Model:
    """A clone in float whose stored weights are zeros, since placement only reads their shapes."""
    clone = model.clone()
    nodes = unique_names(clone)
    for body in bodies_of(model):
        set_body(nodes[body.op], body.branch, _without_quantizers(body.model))
    # From the outputs up, so that the end of a dequantizing chain is met first.
    for node in reversed(clone.get_ordered_ops()):
        if operation(node.get_type_name()).quantizer or _smooths(node) or _is_apart(node):
            _replace(node, node.input_value(0))
        elif (stored := dequantized(node)) is not None:
            _replace(node, _float_source(node, stored))
        elif _is_reduced(node):
            _with_own_shape(node)
    return clone


def _float_source(node: ov.Node, stored: ov.Output) -> ov.Output:
    """The values that a dequantizing chain replaces: those before they were rounded, or a weight."""
    if stored.get_node().get_type_name() == "Convert":
        return stored.get_node().input_value(0)
    # Zeros in shared memory are never written, so that they take no memory.
    zeros = np.zeros(tuple(node.get_output_shape(0)), node.get_element_type().to_dtype())
    return ops.constant(zeros, shared_memory=True).output(0)


def _smooths(node: ov.Node) -> bool:
    return node.get_type_name() == "Multiply" and "smooth_quant" in node.get_friendly_name().rpartition("/")[2]


def _is_apart(node: ov.Node) -> bool:
    """Whether it is the sum that keeps a convolution apart from others."""
    name = node.get_friendly_name()
    return bool(node.get_type_name() == "Add" and name == node.input_value(0).get_node().get_friendly_name() + APART)


def _is_reduced(node: ov.Node) -> bool:
    """Whether it is a reduction whose shape another operation gives, which has its name."""
    readers = {target.get_node().get_friendly_name() + REDUCED for target in node.output(0).get_target_inputs()}
    family = operation(node.get_type_name()).family
    return family in {Family.EXTREME, Family.TOTAL} and readers == {node.get_friendly_name()}


def _with_own_shape(reduced: ov.Node) -> None:
    """Puts the reduction of the float model in the place of a Squeeze or Unsqueeze behind another one."""
    (shaped,) = (target.get_node() for target in reduced.output(0).get_target_inputs())
    keep_dims = not reduced.get_attributes()["keep_dims"]
    own = NodeFactory("opset13").create(reduced.get_type_name(), reduced.input_values(), {"keep_dims": keep_dims})
    own.set_friendly_name(shaped.get_friendly_name())
    _replace(shaped, own.output(0))


def _replace(node: ov.Node, value: ov.Output) -> None:
    for target in node.output(0).get_target_inputs():
        target.replace_source_output(value)
