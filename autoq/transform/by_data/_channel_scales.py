"""Scales the columns of a weight so that those with large activations are rounded more finely: AWQ.

| name | meaning                                                        | shape  |
|------|----------------------------------------------------------------|--------|
| w    | the weight, or one matrix of a stack                           | [O, I] |
| t    | scales: the weight is stored as w t, its input is divided by t | [I]    |
| a    | root of the mean square of each channel of the input           | [I]    |

- With data t = (a / geometric mean of a)^alpha, a cut at its lowest tenth, with the alpha of 0, 0.05 ... 0.5 that gives
  the least squared error of rounding to the nearest numbers, weighted by a^2, over some of the outputs.
- Without data t = 1 / mean |w| of a column, as in NNCF.

Lin et al., "AWQ: activation-aware weight quantization", section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.calibration import Activation, Grams
from autoq.core import FloatArray, WeightFormat
from autoq.graph import Weight, scalable_weights, unique_names
from autoq.transform.compress import Numbers, decode, encode, in_single, numbers_of

_ALPHAS = np.arange(0, 0.501, 0.05)
_LOWEST = 0.1
# Outputs whose error is computed: with all of a layer's columns they tell the alphas apart.
_OUTPUTS = 64
_EPS = np.finfo(np.float32).eps
# Axes of a matrix.
_MATRIX = 2


@dataclass(frozen=True, slots=True)
class ChannelScales:
    """The scales of a model's weights.

    Attributes:
        columns: What columns are multiplied by, [I], by name of the weight; of a stack of matrices [E, I].
        rows: What outputs are divided by, [O], by name of the weight before; of a stack [E, O].
        inputs: Names of the weights whose input is divided by a Multiply.
    """

    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    rows: Mapping[str, FloatArray] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()

    def scaled(self, weight: Weight, numbers: Numbers) -> Numbers:
        """The numbers of a weight as they are stored; the same array where nothing is scaled."""
        columns, rows = self.columns.get(weight.name), self.rows.get(weight.name)
        if columns is None and rows is None:
            return numbers
        (axis,) = weight.axes
        scaled = _rows_last(in_single(numbers), axis)
        if columns is not None:
            scaled *= columns[..., None, :]
        if rows is not None:
            scaled /= rows[..., :, None]
        return _rows_last(scaled, axis)

    def scaled_gram(self, weight: Weight, gram: FloatArray, matrix: int = -1) -> FloatArray:
        """The products of what a weight is then multiplied by; the same array where no column is scaled.

        Args:
            weight: The weight.
            gram: Mean over tokens of x x^T, [I, I].
            matrix: The matrix of a stack; -1 for a weight that is a matrix.
        """
        if weight.name not in self.columns:
            return gram
        columns = self._columns(weight, matrix)
        return gram / columns / columns[:, None]

    def scaled_blocks(self, weight: Weight, blocks: FloatArray, matrix: int = -1) -> FloatArray:
        """The same of blocks along the diagonal, [B, b, b]."""
        if weight.name not in self.columns:
            return blocks
        columns = self._columns(weight, matrix).reshape(len(blocks), -1)
        return blocks / columns[:, None, :] / columns[:, :, None]

    def _columns(self, weight: Weight, matrix: int) -> FloatArray:
        columns = self.columns[weight.name]
        return columns if columns.ndim == 1 else columns[matrix]

    def divide_inputs(self, model: ov.Model, weights: Iterable[Weight]) -> None:
        """Divides the inputs of matrix products in a model, which is changed."""
        nodes = unique_names(model)
        for weight in weights:
            if weight.name in self.inputs:
                port = nodes[weight.name].input(1 - weight.port)
                value = port.get_source_output()
                columns = self.columns[weight.name]
                by_matrix = columns if columns.ndim == 1 else columns[:, None]
                inverse = ops.constant(1 / by_matrix, dtype=value.get_element_type())
                name = f"{value.get_node().get_friendly_name()}/awq_mul"
                inverse.set_friendly_name(f"{name}/scale")
                port.replace_source_output(ops.multiply(value, inverse, name=name).output(0))
        model.validate_nodes_and_infer_types()


def channel_scales(
    model: ov.Model,
    weights: Iterable[Weight],
    formats: Mapping[str, WeightFormat],
    seen: tuple[Grams, Mapping[str, Activation]] | None = None,
) -> ChannelScales:
    """Finds the scales of weights with at most 4 bits.

    Args:
        model: The model that the weights were found in; never modified.
        weights: Its weights.
        formats: Format by name; other weights stay in float, and take up no scales.
        seen: Statistics of activations, and the activation by name of the weight; None without data.
    """
    nodes = unique_names(model)
    by_name = {weight.name: weight for weight in weights if weight.name in formats}
    columns, rows, inputs = {}, {}, set()
    for place in scalable_weights(model, by_name.values()):
        weight, form = by_name[place.weight], formats[place.weight]
        if not form.may_round_by_data:
            continue
        numbers = numbers_of(nodes[weight.constant])
        matrix = _rows_last(numbers, weight.axes[0])
        if seen is None:
            scale = 1 / np.maximum(np.abs(np.asarray(matrix, np.float32)).mean(axis=-2), _EPS)
        else:
            grams, activations = seen
            outputs = matrix.shape[-2]
            some = np.unique(np.linspace(0, outputs - 1, _OUTPUTS).astype(int))
            part = np.array(matrix[..., some, :], np.float32, order="C")
            pairs = zip(part[None] if part.ndim == _MATRIX else part, activations[weight.name].each, strict=True)
            scale = np.stack([_by_squares(own, form, grams.squares(one)) for own, one in pairs])
            scale = scale if part.ndim > _MATRIX else scale[0]
        columns[place.weight] = scale
        if place.previous is None:
            inputs.add(place.weight)
        else:
            rows[place.previous] = scale
    return ChannelScales(columns, rows, frozenset(inputs))


def _rows_last(numbers: Numbers, axis: int) -> Numbers:
    """Outputs of a weight in rows, [.., O, I], and back: a view."""
    return numbers if axis == numbers.ndim - 1 else np.swapaxes(numbers, -1, -2)


def _by_squares(weight: FloatArray, form: WeightFormat, squares: FloatArray) -> FloatArray:
    """The scales with the least error, [I].

    Args:
        weight: float32 [O, I].
        form: Its format.
        squares: Mean square of each channel of the input, [I].
    """
    size = np.sqrt(squares)
    size = np.maximum(size, max(float(np.quantile(size, _LOWEST)), float(_EPS)))
    size /= np.exp(np.log(size).mean())
    best, least = np.ones_like(size), np.inf
    for alpha in _ALPHAS:
        scale = np.asarray(size ** np.float32(alpha), np.float32)
        off = decode(encode(weight * scale, form, (1,)))
        off /= scale
        off -= weight
        error = float((np.square(off, out=off) @ squares).sum())
        if error < least:
            best, least = scale, error
    return best
