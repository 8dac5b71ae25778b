"""Encodes single weights, each once in each format, with its error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from threading import Lock

import numpy as np
import openvino as ov
from threadpoolctl import threadpool_limits

from autoq.calibration import Activation, Grams
from autoq.core import CompressionRecipe, DataError, FloatArray, ModelError, Objective, PlanError, WeightFormat, quoted
from autoq.graph import Weight, unique_names
from autoq.transform.by_data import ChannelScales, DataEncoder, Products, rounded_by_data, rounding_error
from autoq.transform.candidates._encodings import EncodedWeight, EncodingKey, Encodings
from autoq.transform.compress import StoredWeight, numbers_of

# Stands for the statistics of a weight that is multiplied by nothing that was observed.
_NONE = "none"


class WeightEncoder:
    """Encodes weights of a model; several threads may ask for them.

    Args:
        model: The float model.
        grams: Statistics of activations; None where they are not at hand.
        activations: Activation by name of the weight.
        encodings: What is known already, and is kept.
    """

    def __init__(
        self, model: ov.Model, grams: Grams | None, activations: Mapping[str, Activation], encodings: Encodings
    ) -> None:
        self._nodes = unique_names(model)
        self._sees = grams is not None
        self._products = Products(Grams({}, {}, {}, {}) if grams is None else grams)
        self._activations = dict(activations)
        self._encodings = encodings
        self._encoders: dict[str, DataEncoder] = {}
        self._digests: dict[object, str] = {}
        # A search builds the next candidate while it builds another one again.
        self._lock = Lock()

    def in_order(self, weights: Iterable[Weight]) -> list[Weight]:
        """The weights, those of one activation after each other: what is computed of it is then computed once."""
        weights = list(weights)
        place: dict[object, int] = {}
        for weight in weights:
            place.setdefault(self._activations.get(weight.name, weight.name), len(place))
        return sorted(weights, key=lambda weight: place[self._activations.get(weight.name, weight.name)])

    def knows(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> bool:
        """Whether an encoding is kept."""
        with self._lock:
            return self._key(weight, form, recipe) in self._encodings

    def encoding(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> EncodedWeight:
        """One weight in one format, encoded if it is not kept.

        Raises:
            PlanError: The codebook of the format has to be learned.
            ModelError: The weight holds numbers that cannot be stored.
            DataError: The weight is rounded by data, and there are no statistics.
        """
        with self._lock:
            key = self._key(weight, form, recipe)
            found = self._encodings.get(key, weight.shape, weight.axes, form)
            if found is None:
                # More threads would mostly wait for each other: there are many small products.
                with threadpool_limits(1, "blas"):
                    found = self._encoded(weight, form, recipe)
                self._encodings.put(key, found)
            return found

    def _encoded(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> EncodedWeight:
        activation = self._activations.get(weight.name)
        gram: FloatArray | Iterable[FloatArray] | None = None
        if self.rounding(weight, form, recipe):
            self._check_statistics(weight, recipe)
        if form.is_learned:
            msg = f"weight {quoted(weight.name)} has the format {form}, which has to be learned before."
            raise PlanError(msg)
        numbers = numbers_of(self._nodes[weight.constant])
        try:
            encoded = self._encoder(recipe)(weight, numbers, form)
        except ValueError as error:
            msg = f"weight {quoted(weight.name)} cannot be compressed: {error}"
            raise ModelError(msg) from None
        if activation is not None and activation in self._products.grams.products:
            gram = self._products.gram(activation)
        elif activation is not None and self._knows_each(activation):
            gram = map(self._products.gram, activation.each)
        return EncodedWeight(StoredWeight.of(encoded), rounding_error(numbers, encoded, weight.axes, gram))

    def _knows_each(self, activation: Activation) -> bool:
        return all(one in self._products.grams.products for one in activation.each)

    def _check_statistics(self, weight: Weight, recipe: CompressionRecipe) -> None:
        grams = self._products.grams
        known = grams.products if recipe.objective is Objective.TOKENS else grams.means
        if any(one not in known for one in self._activations[weight.name].each):
            msg = (
                f"weight {quoted(weight.name)} is to be rounded by data ({recipe.rounding}), but there are no "
                "statistics of what it is multiplied by, and it was not rounded before."
            )
            raise DataError(msg)

    def _encoder(self, recipe: CompressionRecipe) -> DataEncoder:
        key = f"{recipe.rounding}|{recipe.objective}"
        if key not in self._encoders:
            self._encoders[key] = DataEncoder(recipe, self._products, self._activations, ChannelScales())
        return self._encoders[key]

    def rounding(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> str:
        """How a weight is rounded."""
        by_data = weight.name in self._activations and rounded_by_data(weight, form) and recipe.rounds_by_data
        return f"{recipe.rounding}|{recipe.objective}" if by_data else ""

    def _key(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> EncodingKey:
        """All that an encoding and its error depend on."""
        rounding, activation = self.rounding(weight, form, recipe), self._activations.get(weight.name)
        said = {
            "version": version("autoq"),
            # Equal weights of two layers are multiplied by different activations.
            "name": weight.name,
            "format": form.to_dict(),
            "axes": weight.axes,
            "rounding": rounding,
            "weight": self._digest(weight.constant, lambda: _numbers_digest(self._nodes[weight.constant])),
        }
        rounded = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()
        if activation is not None and self._sees:
            return EncodingKey(rounded, self._digest(activation, lambda: self._seen_digest(activation)))
        return EncodingKey(rounded, None if rounding else _NONE)

    def _seen_digest(self, activation: Activation) -> str:
        """Digest of all that is known of an activation, and of its matrices."""
        grams = self._products.grams
        some = [grams.digest(one) for one in dict.fromkeys((activation, *activation.each))]
        return some[0] if len(some) == 1 else hashlib.blake2b("".join(some).encode(), digest_size=16).hexdigest()

    def _digest(self, of: object, digest: Callable[[], str]) -> str:
        if of not in self._digests:
            self._digests[of] = digest()
        return self._digests[of]


def _numbers_digest(constant: ov.Node) -> str:
    digest = hashlib.blake2b(f"{constant.get_element_type()}|{constant.get_output_shape(0)}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(constant.data).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
