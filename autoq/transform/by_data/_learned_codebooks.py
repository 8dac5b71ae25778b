"""Learns the codebooks of weights: one for each weight, or one for all weights of a kind.

1. The squared error of a number counts what the mean square of its column does; without data, all columns count alike.
   Codebooks with the least error for these counts follow (`learned_codebooks`).
2. One of them, or the one that they began with, is taken: by the error of the layer on all tokens, which the products
   tell exactly, over some of its outputs.
3. Weights share a codebook if their names are equal but for what is no letter: those of one place in all blocks. Each
   then counts by its error over the square of its layer's outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Activation
from autoq.core import FloatArray, ModelError, WeightFormat, quoted
from autoq.graph import Weight, unique_names
from autoq.transform.by_data._channel_scales import ChannelScales
from autoq.transform.by_data._factor import usual_damping
from autoq.transform.by_data._layer import layer_error
from autoq.transform.by_data._products import Products
from autoq.transform.compress import Numbers, codebook_counts, decode, encode, learned_codebooks, numbers_of

# Outputs of a layer whose error is computed.
_OUTPUTS = 256
_LEAST = np.finfo(np.float64).tiny
# Axes of a matrix.
_MATRIX = 2


def learned_formats(
    model: ov.Model,
    weights: Iterable[Weight],
    formats: Mapping[str, WeightFormat],
    products: Products,
    activations: Mapping[str, Activation],
    scales: ChannelScales,
    *,
    across_blocks: bool = False,
) -> dict[str, WeightFormat]:
    """Learns the codebooks of the weights whose format says so.

    Args:
        model: The model that the weights were found in; never modified.
        weights: Its weights.
        formats: Format by name of the weight.
        products: What is computed of the activations; empty without data.
        activations: Activation by name of the weight.
        scales: What columns and rows of weights are scaled by.
        across_blocks: Whether weights of a kind share a codebook.

    Returns:
        All formats, with the codebooks that were learned.

    Raises:
        ModelError: A weight holds numbers that cannot be stored.
    """
    learner = _Learner(model, products, activations, scales)
    kinds: dict[object, list[Weight]] = {}
    for weight in weights:
        form = formats.get(weight.name)
        if form is not None and form.is_learned:
            letters = "".join(filter(str.isalpha, weight.constant))
            kinds.setdefault((letters, form) if across_blocks else weight.name, []).append(weight)
    found = dict(formats)
    for same in kinds.values():
        form = formats[same[0].name]
        entries = learner.learned(same, form)
        found |= {weight.name: form.with_entries(entries) for weight in same}
    return found


class _Learner:
    """Learns one codebook at a time; no more than one weight is held in memory beside the model."""

    def __init__(
        self, model: ov.Model, products: Products, activations: Mapping[str, Activation], scales: ChannelScales
    ) -> None:
        self._nodes = unique_names(model)
        self._products = products
        self._activations = activations
        self._scales = scales

    def learned(self, weights: Sequence[Weight], form: WeightFormat) -> tuple[float, ...]:
        """The entries of the codebook that some weights share."""
        counts = np.sum([self._counts(weight, form, shared=len(weights) > 1) for weight in weights], axis=0)
        found = learned_codebooks(counts, form)
        seen = [weight for weight in weights if self._is_seen(weight)]
        if not seen:
            return found[0]
        found.append(form.codebook)
        errors = np.sum([self._errors(weight, form, found) for weight in seen], axis=0)
        return found[int(errors.argmin())]

    def _is_seen(self, weight: Weight) -> bool:
        is_matrix = len(weight.shape) in {_MATRIX, _MATRIX + 1} and len(weight.axes) == 1
        activation = self._activations.get(weight.name)
        return is_matrix and activation is not None and activation.each[0] in self._products.grams.tokens

    def _numbers(self, weight: Weight) -> Numbers:
        return self._scales.scaled(weight, numbers_of(self._nodes[weight.constant]))

    def _gram(self, weight: Weight, activation: Activation) -> FloatArray:
        grams = self._products.grams
        if activation in grams.products:
            gram = self._products.gram(activation)
        else:
            # The mean token of each sample is all that was kept.
            means = grams.means[activation]
            gram = means.T @ means / np.float32(len(means))
        return self._scales.scaled_gram(weight, gram, activation.matrix)

    def _counts(self, weight: Weight, form: WeightFormat, *, shared: bool) -> NDArray[np.float64]:
        importance = None
        if self._is_seen(weight):
            each = [self._importance(weight, one) for one in self._activations[weight.name].each]
            importance = np.stack(each) if len(each) > 1 else each[0]
        counts = codebook_counts(self._numbers(weight), form, weight.axes, importance)
        if not shared:
            return counts
        middles = np.linspace(-1, 1, len(counts))
        return counts / max(float(counts @ np.square(middles)), _LEAST)

    def _importance(self, weight: Weight, activation: Activation) -> FloatArray:
        """What the squared error of each column counts, [I]."""
        squares = np.diagonal(self._gram(weight, activation))
        damping = usual_damping(len(squares), float(self._products.grams.tokens[activation].sum()))
        return np.asarray(squares + np.float32(damping * squares.mean()), np.float32)

    def _errors(self, weight: Weight, form: WeightFormat, codebooks: Sequence[tuple[float, ...]]) -> FloatArray:
        """The error of a layer with each codebook, over the square of its outputs."""
        rows = np.moveaxis(self._numbers(weight), weight.axes[0], -1)
        stack = rows if rows.ndim > _MATRIX else rows[None]
        each = self._activations[weight.name].each
        outputs = max(1, _OUTPUTS // len(stack))
        some = np.unique(np.linspace(0, stack.shape[1] - 1, outputs).astype(int))
        whole, errors = 0.0, np.zeros(len(codebooks))
        for place, matrix in enumerate(stack):
            part = np.array(matrix[some], np.float32, order="C")
            gram = self._gram(weight, each[place % len(each)])
            whole += float(layer_error(part, gram).sum())
            errors += [_error(weight, form.with_entries(entries), part, gram) for entries in codebooks]
        return np.asarray(errors / max(whole, _LEAST))


def _error(weight: Weight, form: WeightFormat, rows: FloatArray, gram: FloatArray) -> float:
    """The error of some outputs [O', I] in a format."""
    try:
        off = decode(encode(rows, form, (1,)))
    except ValueError as refused:
        msg = f"weight {quoted(weight.name)} cannot be compressed: {refused}"
        raise ModelError(msg) from None
    off -= rows
    return float(layer_error(off, gram).sum())
