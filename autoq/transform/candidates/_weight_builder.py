"""Builds the models of plans that compress weights. Each weight is encoded once in each format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import numpy as np
import openvino as ov
from threadpoolctl import threadpool_limits

from autoq.calibration import Activation, Grams
from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    DataError,
    ModelError,
    Objective,
    Plan,
    PlanError,
    WeightFormat,
    nearest,
    quoted,
)
from autoq.graph import Weight, unique_names
from autoq.transform.by_data import ChannelScales, DataEncoder, Products, rounded_by_data, rounding_error
from autoq.transform.candidates._encodings import Encoding, Encodings
from autoq.transform.candidates._switched import switch_weight
from autoq.transform.compress import (
    StoredWeight,
    check_formats,
    choices,
    float_bytes,
    numbers_of,
    replace_constant,
    stored_bytes,
)
from autoq.transform.quantize import FLOAT_FINGERPRINT, Switches

_NO_DYNAMIC_QUANTIZATION = ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"]
Step = Callable[[int, int], None]


class WeightBuilder:
    """Builds the models of plans from weights that are encoded once.

    The numbers are those of `compress_model` with a `DataEncoder`. Scaled columns and corrections of low rank are not
    built: what they change depends on the formats of other weights.

    Args:
        model: The float model; never modified.
        weights: Its weights.
        recipe: How weights are rounded where no plan says it.
        grams: Statistics of activations; None rounds without data.
        activations: Activation by name of the weight, each with its products among the statistics.
        cache: Folder where encodings are kept, and found again by digest; None keeps all of them in memory.

    Raises:
        PlanError: The recipe scales columns or adds corrections.
        DataError: The recipe rounds by data and there are no statistics, or products of an activation are missing.
    """

    def __init__(
        self,
        model: ov.Model,
        weights: Sequence[Weight],
        recipe: CompressionRecipe,
        grams: Grams | None = None,
        activations: Mapping[str, Activation] | None = None,
        cache: Path | None = None,
    ) -> None:
        self._model = model
        self._nodes = unique_names(model)
        self._weights = {weight.name: weight for weight in weights}
        self._products = None if grams is None else Products(grams)
        self._activations = dict(activations or {}) if grams is not None else {}
        self._encodings = Encodings(cache)
        self._encoders: dict[str, DataEncoder] = {}
        self._digests: dict[object, str] = {}
        self._check(recipe)
        self._recipe = recipe

    # --- plans -------------------------------------------------------------------------------------------------------

    def formats(self, plan: Plan) -> Mapping[str, WeightFormat]:
        """The format of each weight that a plan compresses, by name.

        Raises:
            PlanError: A weight is not there or does not take its format, or the recipe cannot be built.
            DataError: The recipe rounds by data, and there are no statistics.
        """
        part = _compression(plan)
        self._check(part.recipe)
        check_formats(part.formats, self._weights)
        return part.formats

    def fingerprint(self, plan: Plan) -> str:
        """Digest of the model that a plan builds; "float" for the float model. Nothing is encoded for it.

        Raises:
            PlanError: See `formats`.
            DataError: See `formats`.
        """
        return self.fingerprint_of(self.formats(plan), plan.compression.recipe)

    def fingerprint_of(self, formats: Mapping[str, WeightFormat], recipe: CompressionRecipe) -> str:
        """Digest of the model in which weights have these formats."""
        if not formats:
            return FLOAT_FINGERPRINT
        said = [
            [name, formats[name].to_dict(), self._rounding(self._weights[name], formats[name], recipe)]
            for name in sorted(formats)
        ]
        return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()

    def build(self, plan: Plan) -> ov.Model:
        """The model of a plan; a new one at each call. Weights that are not encoded yet are.

        Raises:
            ModelError: A weight holds numbers that cannot be stored.
            PlanError: See `formats`.
            DataError: See `formats`.
        """
        formats = self.formats(plan)
        clone = self._model.clone()
        self.replace(unique_names(clone), formats, plan.compression.recipe)
        clone.validate_nodes_and_infer_types()
        return clone

    def replace(
        self, nodes: Mapping[str, ov.Node], formats: Mapping[str, WeightFormat], recipe: CompressionRecipe
    ) -> None:
        """Compresses weights of a clone.

        Args:
            nodes: Operations of the clone by the names of the float model.
            formats: Format by name of the weight.
            recipe: How they are rounded.

        Raises:
            ModelError: A weight holds numbers that cannot be stored.
        """
        self._prepare({name: (form,) for name, form in formats.items()}, recipe)
        for name, weight in self._weights.items():
            if name in formats:
                stored = self._encoding(weight, formats[name], recipe).weight
                replace_constant(nodes[weight.constant], stored, weight.port)

    def build_switchable(self, units: Sequence[Mapping[str, WeightFormat]]) -> ov.Model:
        """The model with an input that switches units of weights between float and their formats.

        Its activations are not rounded at run time, which devices do by default in front of compressed weights.

        Args:
            units: Format by name of the weight, of each unit, in the order of the switches.

        Raises:
            PlanError: A weight is not there, does not take its format, or is in two units.
            ModelError: A weight holds numbers that cannot be stored.
        """
        of_weight: dict[str, tuple[int, WeightFormat]] = {}
        for number, unit in enumerate(units):
            check_formats(unit, self._weights)
            for name, form in unit.items():
                if name in of_weight:
                    msg = f"weight {quoted(name)} is in the units {of_weight[name][0]} and {number}: one unit holds it."
                    raise PlanError(msg)
                of_weight[name] = number, form
        self.prepare({name: (form,) for name, (_, form) in of_weight.items()})
        clone = self._model.clone()
        nodes, switches = unique_names(clone), Switches(clone, len(units))
        for name, (number, form) in of_weight.items():
            weight = self._weights[name]
            switch_weight(nodes, weight, self._encoding(weight, form, self._recipe).weight, switches, number)
        clone.validate_nodes_and_infer_types()
        clone.set_rt_info("0", _NO_DYNAMIC_QUANTIZATION)
        return clone

    # --- single weights ----------------------------------------------------------------------------------------------

    def prepare(self, wanted: Mapping[str, Iterable[WeightFormat]], step: Step | None = None) -> None:
        """Encodes weights in formats, as far as that is not done, in the order in which they share most.

        Args:
            wanted: Formats by name of the weight.
            step: Is told of the encodings done, and of all.

        Raises:
            PlanError: A weight is not there, or does not take a format.
            ModelError: A weight holds numbers that cannot be stored.
        """
        forms = {name: tuple(dict.fromkeys(own)) for name, own in wanted.items()}
        for name, own in forms.items():
            for form in own:
                check_formats({name: form}, self._weights)
        self._prepare(forms, self._recipe, step)

    def error(self, name: str, form: WeightFormat) -> float:
        """The error of a weight in a format, as it is really encoded.

        Returns:
            The mean over tokens of the squared error of all outputs of its layer. Of a weight whose activation is not
            known, the squared error of all its numbers.

        Raises:
            PlanError: The weight is not there, or does not take the format.
            ModelError: The weight holds numbers that cannot be stored.
        """
        check_formats({name: form}, self._weights)
        return self._encoding(self._weights[name], form, self._recipe).error

    def size_bytes(self, name: str, form: WeightFormat | None = None) -> int:
        """Bytes of the Constants of a weight in a format, or in float; nothing is encoded for it.

        Raises:
            PlanError: The weight is not there, or does not take the format.
        """
        weight = self._weight(name)
        if form is None:
            return float_bytes(weight)
        check_formats({name: form}, self._weights)
        return stored_bytes(weight.shape, weight.axes, form)

    def choices(self, name: str, forms: Iterable[WeightFormat]) -> tuple[WeightFormat, ...]:
        """Those of some formats that a weight takes, and that make it smaller.

        Raises:
            PlanError: The weight is not there.
        """
        return choices(self._weight(name), forms)

    def _weight(self, name: str) -> Weight:
        if name not in self._weights:
            msg = f"weight {quoted(name)} is not in the model: {nearest(name, self._weights)}"
            raise PlanError(msg)
        return self._weights[name]

    # --- encodings ---------------------------------------------------------------------------------------------------

    def _prepare(
        self, wanted: Mapping[str, Sequence[WeightFormat]], recipe: CompressionRecipe, step: Step | None = None
    ) -> None:
        # Weights of one activation follow each other, so that what is computed of it is computed once.
        place = {activation: number for number, activation in enumerate(dict.fromkeys(self._activations.values()))}
        weights = [weight for name, weight in self._weights.items() if name in wanted]
        weights.sort(key=lambda weight: place.get(self._activations.get(weight.name), len(place)))  # type: ignore[arg-type]
        pairs = list(chain.from_iterable(((weight, form) for form in wanted[weight.name]) for weight in weights))
        missing = [pair for pair in pairs if self._key(*pair, recipe) not in self._encodings]
        for done, (weight, form) in enumerate(missing, len(pairs) - len(missing)):
            if step is not None:
                step(done, len(pairs))
            self._encoding(weight, form, recipe)

    def _encoding(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> Encoding:
        key = self._key(weight, form, recipe)
        found = self._encodings.get(key, weight.shape, weight.axes, form)
        if found is None:
            # More threads would mostly wait for each other: there are many small products.
            with threadpool_limits(1, "blas"):
                found = self._encoded(weight, form, recipe)
            self._encodings.put(key, found)
        return found

    def _encoded(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> Encoding:
        numbers = numbers_of(self._nodes[weight.constant])
        activation = self._activations.get(weight.name)
        gram = None
        try:
            encoded = self._encoder(recipe)(weight, numbers, form)
        except ValueError as error:
            msg = f"weight {quoted(weight.name)} cannot be compressed: {error}"
            raise ModelError(msg) from None
        if activation is not None and self._products is not None and activation in self._products.grams.products:
            gram = self._products.gram(activation)
        return Encoding(StoredWeight.of(encoded), rounding_error(numbers, encoded, weight.axes, gram))

    def _encoder(self, recipe: CompressionRecipe) -> DataEncoder:
        key = f"{recipe.rounding}|{recipe.objective}"
        if key not in self._encoders:
            products = Products(Grams({}, {}, {}, {})) if self._products is None else self._products
            self._encoders[key] = DataEncoder(recipe, products, self._activations, ChannelScales())
        return self._encoders[key]

    def _rounding(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> str:
        """How a weight is rounded."""
        by_data = weight.name in self._activations and rounded_by_data(weight, form) and recipe.rounds_by_data
        return f"{recipe.rounding}|{recipe.objective}" if by_data else ""

    def _key(self, weight: Weight, form: WeightFormat, recipe: CompressionRecipe) -> str:
        """Digest of all that an encoding and its error depend on."""
        activation = self._activations.get(weight.name)
        said = {
            "version": version("autoq"),
            "format": form.to_dict(),
            "axes": weight.axes,
            "rounding": self._rounding(weight, form, recipe),
            "weight": self._digest(weight.constant, lambda: _numbers_digest(self._nodes[weight.constant])),
            "activation": activation and self._digest(activation, lambda: self._statistics_digest(activation)),
        }
        return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()

    def _digest(self, of: object, digest: Callable[[], str]) -> str:
        if of not in self._digests:
            self._digests[of] = digest()
        return self._digests[of]

    def _statistics_digest(self, activation: Activation) -> str:
        return "" if self._products is None else self._products.grams.digest(activation)

    def _check(self, recipe: CompressionRecipe) -> None:
        if recipe.awq or recipe.lora_correction:
            name = "awq" if recipe.awq else "lora_correction"
            msg = f"recipe has {name}, which changes more than the weights of a plan: it is built by compress_weights."
            raise PlanError(msg)
        if not recipe.rounds_by_data:
            return
        if self._products is None:
            msg = f"rounding {str(recipe.rounding)!r} needs statistics of activations, but there are none."
            raise DataError(msg)
        if recipe.objective is Objective.TOKENS:
            for name, activation in self._activations.items():
                if activation not in self._products.grams.products:
                    msg = f"statistics hold no products of what weight {quoted(name)} is multiplied by."
                    raise DataError(msg)


def _compression(plan: Plan) -> CompressionPlan:
    """The part of a plan that is built here.

    Raises:
        PlanError: It has another part besides, or lacks this one.
    """
    if others := [kind for kind in plan.kinds if kind != CompressionPlan.kind]:
        msg = f"plan has a part of kind {others[0]!r}, which nothing builds: only {CompressionPlan.kind!r} is built."
        raise PlanError(msg)
    return plan.compression


def _numbers_digest(constant: ov.Node) -> str:
    digest = hashlib.blake2b(f"{constant.get_element_type()}|{constant.get_output_shape(0)}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(constant.data).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
