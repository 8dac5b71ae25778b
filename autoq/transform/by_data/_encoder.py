"""Rounds the weights of a model by what they are multiplied by.

1. Weights of matrix products with at most 4 bits are rounded as the recipe says: matrices, and stacks of them, such as
   those of experts, each matrix by the tokens that it is multiplied by. All others are rounded to the nearest numbers:
   in 8 bits, of convolutions, and of embeddings.
2. Weights that read one activation share what is computed of it.
3. Corrections of low rank are found beside, for each matrix of a stack too, and are added to the model at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import openvino as ov

from autoq.calibration import Activation
from autoq.core import CompressionRecipe, FloatArray, Objective, Rounding, WeightFormat
from autoq.graph import Weight, unique_names
from autoq.transform.by_data._adapters import add_adapters
from autoq.transform.by_data._by_gram import round_by_gram
from autoq.transform.by_data._channel_scales import ChannelScales
from autoq.transform.by_data._layer import (
    RowEncoder,
    by_matrix,
    by_rows,
    encoded_with,
    scales_of,
    stacked,
    stored_scales,
)
from autoq.transform.by_data._low_rank import correction, correction_by_means
from autoq.transform.by_data._products import Products
from autoq.transform.by_data._scale_estimation import MeanTokens, estimate_scales
from autoq.transform.by_data._scale_search import columns_together, search_scales
from autoq.transform.compress import Encoded, Numbers, decode, plain_encoder

# Samples that scale estimation and corrections see, where the mean token of each counts alone.
_SCALE_SAMPLES, _CORRECTION_SAMPLES = 64, 128
# Axes of a matrix.
_MATRIX = 2


def rounded_by_data(weight: Weight, form: WeightFormat) -> bool:
    """Whether data change how a weight is rounded, where its activation is known."""
    is_matrix = len(weight.shape) in {_MATRIX, _MATRIX + 1} and len(weight.axes) == 1
    return is_matrix and (form.may_round_by_data or form.is_learned)


def products_needed(weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> int | None:
    """Columns that stand together whose products are needed to round a weight by data; None for those of all columns.

    Scale estimation counts products of errors within a group; scaled columns alone need the square of each.
    """
    if recipe.rounding.passes_errors_on or recipe.lora_correction or form.is_learned:
        return None
    return 1 if recipe.rounding is Rounding.NEAREST else _columns_together(weight, form)


class DataEncoder:
    """An encoder that rounds by data.

    Args:
        recipe: The settings.
        products: What is computed of the activations.
        activations: Activation by name of the weight.
        scales: What columns and rows of weights are scaled by.
    """

    def __init__(
        self,
        recipe: CompressionRecipe,
        products: Products,
        activations: Mapping[str, Activation],
        scales: ChannelScales,
    ) -> None:
        self._recipe = recipe
        self._scales = scales
        self._products = products
        self._activations = activations
        self._corrections: dict[str, tuple[FloatArray, FloatArray]] = {}

    def __call__(self, weight: Weight, numbers: Numbers, form: WeightFormat) -> Encoded:
        """Finds the stored numbers of a weight, and its correction if there is to be one."""
        numbers = self._scales.scaled(weight, numbers)
        activation = self._activations.get(weight.name)
        if activation is None or not rounded_by_data(weight, form):
            return plain_encoder(weight, numbers, form)
        (axis,) = weight.axes
        if self._recipe.rounding is Rounding.NEAREST:
            encoded = plain_encoder(weight, numbers, form)
        elif len(weight.shape) == _MATRIX:
            encoded = by_rows(numbers, form, axis, self._rounding(weight, form, activation, self._products))
        elif activation.matrices == 1:
            rounding = self._rounding(weight, form, activation, self._products)
            encoded = stacked(by_matrix(numbers, lambda part, _: by_rows(part, form, axis - 1, rounding)))
        else:
            # Several threads find products of their own: no two matrices share them.
            def rounded(part: Numbers, place: int) -> Encoded:
                products = Products(self._products.grams)
                rounding = self._rounding(weight, form, activation.each[place], products)
                return by_rows(part, form, axis - 1, rounding)

            encoded = stacked(by_matrix(numbers, rounded))
        if self._recipe.lora_correction:
            self._corrections[weight.name] = self._correction(weight, numbers, encoded)
        return encoded

    def add_corrections(self, model: ov.Model, weights: Iterable[Weight]) -> None:
        """Adds the corrections of low rank to a model whose weights were encoded."""
        nodes = unique_names(model)
        for weight in weights:
            if weight.name in self._corrections:
                axis = self._activations[weight.name].axis
                for name, port in weight.readers:
                    add_adapters(nodes[name], port, axis, *self._corrections[weight.name])
        model.validate_nodes_and_infer_types()

    def _rounding(self, weight: Weight, form: WeightFormat, activation: Activation, products: Products) -> RowEncoder:
        """What rounds outputs of a weight."""
        name, rounding = weight.name, self._recipe.rounding
        if rounding.passes_errors_on:
            gram = self._gram(weight, activation, products)
            scaled = name in self._scales.columns
            passed = products.factorized(gram, activation) if scaled else products.factor(activation)
            search = rounding.searches_scales
            return lambda rows, form: round_by_gram(rows, form, gram, passed, search=search)
        if self._recipe.objective is Objective.SAMPLE_MEANS:
            return partial(_by_means, self._means(activation, _SCALE_SAMPLES))
        blocks = products.grams.diagonal_blocks(activation, _columns_together(weight, form))
        return partial(_by_products, self._scales.scaled_blocks(weight, blocks, activation.matrix))

    def _correction(self, weight: Weight, numbers: Numbers, encoded: Encoded) -> tuple[FloatArray, FloatArray]:
        """The correction of a weight; those of a stack are stacked."""
        activation, group = self._activations[weight.name], encoded.format.group_size
        difference = np.moveaxis(np.asarray(numbers, np.float32) - decode(encoded), weight.axes[0], -1)

        def found(part: FloatArray, one: Activation) -> tuple[FloatArray, FloatArray]:
            if self._recipe.objective is Objective.SAMPLE_MEANS:
                return correction_by_means(part, self._means(one, _CORRECTION_SAMPLES), group)
            return correction(part, self._gram(weight, one, self._products))

        if difference.ndim == _MATRIX:
            return found(difference, activation)
        each = activation.each if activation.matrices > 1 else [activation] * len(difference)
        pairs = [found(part, one) for part, one in zip(difference, each, strict=True)]
        return np.stack([left for left, _ in pairs]), np.stack([right for _, right in pairs])

    def _means(self, activation: Activation, count: int) -> MeanTokens:
        grams = self._products.grams
        return MeanTokens.of(grams.means[activation], grams.tokens[activation], count)

    def _gram(self, weight: Weight, activation: Activation, products: Products) -> FloatArray:
        """The products of what a weight is multiplied by."""
        return self._scales.scaled_gram(weight, products.gram(activation), activation.matrix)


def _columns_together(weight: Weight, form: WeightFormat) -> int:
    return columns_together(form.group_size if form.is_grouped else weight.length)


def _by_means(means: MeanTokens, rows: FloatArray, form: WeightFormat) -> Encoded:
    scale, zero = scales_of(rows, form)
    found = estimate_scales(rows, means, form, scale, zero)
    return encoded_with(rows, form, stored_scales(found, form, scale), zero)


def _by_products(products: FloatArray, rows: FloatArray, form: WeightFormat) -> Encoded:
    scale, zero = scales_of(rows, form)
    return encoded_with(rows, form, *search_scales(rows, products, form, scale, zero))
