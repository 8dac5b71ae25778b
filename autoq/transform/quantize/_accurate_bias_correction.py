"""Accurate bias correction: the mean of each layer is measured in the quantized model, after all layers before it.

requires: the candidate with its quantizers, as a workbench that may be cut up; channel means after each bias in the
    float model over the same samples; a state, if there is one, was reset before each sample.
ensures: on these samples every corrected layer has the channel means that it has in the float model.

The model is cut into waves: the wave of a layer is the largest number of corrected layers on a path to it. A wave runs
once over the samples, as a model of its own, on the tensors of earlier waves. Then its layers are corrected, so that
the next wave reads corrected values. All waves together cost about one inference of the whole model per sample. Tensors
that a later wave reads are kept for all samples, and dropped after their last reader. A corrected bias is such a tensor
too: so a wave is the same model in all candidates that have the same precisions there, and is compiled once for them.

NNCF 3.4 does the same with activations in float. Here the candidate runs as it will be used, so that the error of its
activations is corrected too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.calibration import Feed, infer_all
from autoq.core import DeviceError, FloatArray, reason
from autoq.graph import WeightedLayer
from autoq.transform.quantize._bias_correction import acceptable, bias_of, channel_means, shift_biases
from autoq.transform.quantize._compiled_parts import CompiledParts

# A fifth of the calibration samples, and shifts up to this multiple of the bias, as NNCF 3.4 has it.
SHARE_OF_SAMPLES = 0.2
_MAX_MAGNITUDE = 1000.0

# An output of an operation: name of the operation, and index of the output.
OutputKey = tuple[str, int]


def corrected_shifts(
    workbench: ov.Model,
    nodes: Mapping[str, ov.Node],
    layers: Sequence[WeightedLayer],
    float_means: Mapping[str, FloatArray],
    feeds: Sequence[Feed],
    parts: CompiledParts,
) -> dict[str, FloatArray]:
    """Measures and corrects one wave after the other.

    Args:
        workbench: The candidate with uncorrected biases; it is cut up.
        nodes: Its operations by the names that layers use.
        layers: Layers to correct, each with a bias.
        float_means: Channel means after the bias in the float model by operation, [out].
        feeds: Samples by the names of the model's inputs.
        parts: Waves of earlier candidates.

    Returns:
        Shift [out] by operation.

    Raises:
        DeviceError: A part of the model cannot be run.
    """
    _read_reset_state(workbench)
    cut = _Cut.of(workbench, {nodes[layer.op].get_name() for layer in layers})
    kept: dict[OutputKey, list[NDArray[Any]]] = {
        (parameter.get_name(), 0): [feed[_input_name(parameter)] for feed in feeds]
        for parameter in workbench.get_parameters()
    }
    shifts: dict[str, FloatArray] = {}
    by_op = {layer.op: layer for layer in layers}
    waves: dict[int, list[WeightedLayer]] = {}
    for layer in layers:
        waves.setdefault(cut.wave[nodes[layer.op].get_name()], []).append(layer)
    for wave in range(max(waves, default=-1) + 1):
        here = waves.get(wave, [])
        _run(cut, wave, kept, len(feeds), parts)
        for layer in here:
            if layer.bias_add is None or layer.bias_port is None:
                continue
            mean = _channel_mean(kept[nodes[layer.op].get_name(), 0], layer.output_axis)
            bias = bias_of(nodes[layer.bias_add], layer.bias_port)
            bias = channel_means(bias, nodes[layer.op], layer, mean.size)
            shift = np.asarray(float_means[layer.op] - (mean + bias), np.float32)
            if acceptable(shift, bias, _MAX_MAGNITUDE):
                shifts[layer.op] = shift
        shifted = [layer for layer in here if layer.op in shifts]
        shift_biases(nodes, by_op, {layer.op: shifts[layer.op] for layer in shifted})
        for layer in shifted:
            cut.keep_bias(nodes[layer.bias_add or layer.op], layer.bias_port or 0, kept, len(feeds))
        for tensor in [tensor for tensor in kept if cut.last_reader.get(tensor, -1) <= wave]:
            del kept[tensor]
    return shifts


def _read_reset_state(model: ov.Model) -> None:
    """Replaces reads of a state by the value that the state has after a reset."""
    for op in model.get_ordered_ops():
        if op.get_type_name() != "ReadValue":
            continue
        shape = [size.get_length() if size.is_static else 0 for size in op.get_output_partial_shape(0)]
        zeros = ops.convert(np.zeros(shape, np.float32), op.get_output_element_type(0).get_type_name())
        initial = op.input_value(0) if op.get_input_size() else zeros.output(0)
        for target in op.output(0).get_target_inputs():
            target.replace_source_output(initial)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A model cut into waves.

    Attributes:
        wave: Wave by operation, for operations that depend on an input. Names are those of OpenVINO.
        members: These operations by wave.
        last_reader: The last wave that reads a tensor.
    """

    wave: dict[str, int]
    members: dict[int, list[ov.Node]]
    last_reader: dict[OutputKey, int]

    @classmethod
    def of(cls, model: ov.Model, corrected: set[str]) -> _Cut:
        wave: dict[str, int] = {}
        members: dict[int, list[ov.Node]] = {}
        last: dict[OutputKey, int] = {}
        for op in model.get_ordered_ops():
            name = op.get_name()
            values = [(value.get_node().get_name(), value.get_index()) for value in op.input_values()]
            sources = [(source, port) for source, port in values if source in wave]
            if op.get_type_name() == "Parameter":
                wave[name] = 0
            elif sources:
                wave[name] = max(wave[source] + (source in corrected) for source, _ in sources)
            else:
                continue
            members.setdefault(wave[name], []).append(op)
            for tensor in sources:
                last[tensor] = max(last.get(tensor, 0), wave[name])
        return cls(wave, members, last)

    def leaving(self, wave: int) -> list[ov.Output]:
        """Tensors of a wave that later waves read."""
        return [
            output
            for op in self.members.get(wave, [])
            for output in op.outputs()
            if op.get_type_name() != "Parameter"
            and self.last_reader.get((op.get_name(), output.get_index()), wave) > wave
        ]

    def keep_bias(self, add: ov.Node, port: int, kept: dict[OutputKey, list[NDArray[Any]]], count: int) -> None:
        """Makes the corrected bias that an operation reads a tensor of an earlier wave, the same for all samples."""
        bias = add.input_value(port).get_node()
        if bias.get_type_name() == "Constant" and bias.get_element_type() == ov.Type.f32:
            name = bias.get_name()
            self.wave[name], self.last_reader[name, 0] = -1, self.wave[add.get_name()]
            kept[name, 0] = [np.array(bias.data)] * count

    def detach(self, wave: int) -> dict[OutputKey, ov.Node]:
        """Replaces the tensors of earlier waves and the model's inputs by parameters, one for each tensor."""
        found: dict[OutputKey, ov.Node] = {}
        for op in self.members.get(wave, []):
            for target in op.inputs():
                source = target.get_source_output()
                tensor = (source.get_node().get_name(), source.get_index())
                if tensor[0] not in self.wave:
                    continue
                if self.wave[tensor[0]] < wave or source.get_node().get_type_name() == "Parameter":
                    if tensor not in found:
                        kind = source.get_element_type()
                        # OpenVINO 2026.4 does not quantize tensors in double precision.
                        found[tensor] = ops.parameter(
                            source.get_partial_shape(), ov.Type.f32 if kind == ov.Type.f64 else kind
                        )
                    target.replace_source_output(found[tensor].output(0))
        return found


def _run(cut: _Cut, wave: int, kept: dict[OutputKey, list[NDArray[Any]]], count: int, parts: CompiledParts) -> None:
    """Runs one wave over all samples, and keeps the tensors that later waves read.

    The output of a corrected layer is always kept, since its bias belongs to the next wave. Its mean is computed here
    and not in the model: OpenVINO 2026.4 loses the scale of an integer layer that a reduction and another operation
    read.
    """
    inputs = cut.detach(wave)
    crossing = cut.leaving(wave)
    if not crossing:
        return
    columns: list[list[NDArray[Any]]] = [[] for _ in crossing]

    def take(request: ov.InferRequest) -> None:
        for place, column in enumerate(columns):
            column.append(np.array(request.get_output_tensor(place).data))

    model = ov.Model([ops.result(output) for output in crossing], list(inputs.values()), f"wave_{wave}")
    feeds = ([kept[source][sample] for source in inputs] for sample in range(count))
    try:
        compiled = parts.compiled(model, sum(max(sample.nbytes for sample in kept[source]) for source in inputs))
        infer_all(compiled, feeds, take)
        compiled.release_memory()
    except RuntimeError as error:
        msg = f"bias correction cannot run a part of the model: {reason(error)}"
        raise DeviceError(msg) from error
    for output, column in zip(crossing, columns, strict=True):
        kept[output.get_node().get_name(), output.get_index()] = column


def _channel_mean(samples: Sequence[NDArray[Any]], axis: int) -> NDArray[np.float64]:
    """Mean over the samples of their channel means, [channels]."""
    others = tuple(other for other in range(samples[0].ndim) if other != axis % samples[0].ndim)
    return np.asarray(np.mean([sample.mean(axis=others, dtype=np.float64) for sample in samples], axis=0))


def _input_name(parameter: ov.Node) -> str:
    names = parameter.output(0).get_names()
    return min(names) if names else str(parameter.get_friendly_name())
