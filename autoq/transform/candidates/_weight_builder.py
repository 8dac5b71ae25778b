"""Builds the models of plans that compress weights. Each weight is encoded once in each format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import openvino as ov

from autoq.calibration import Activation, Grams
from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    ModelError,
    Plan,
    PlanError,
    RuntimeChoice,
    WeightFormat,
    nearest,
    quoted,
)
from autoq.graph import Weight, unique_names
from autoq.transform.candidates._encodings import Encodings
from autoq.transform.candidates._switched import switch_weight
from autoq.transform.candidates._weight_encoder import WeightEncoder
from autoq.transform.compress import check_formats, choices, float_bytes, replace_constant, stored_bytes
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
        grams: Statistics of activations, with the products of those whose weights are rounded by data; without them,
            such weights are only those that the folder keeps.
        activations: Activation by name of the weight.
        cache: Folder where encodings are kept, and found again by digest; None keeps all of them in memory.

    Raises:
        PlanError: The recipe scales columns or adds corrections.
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
        _check(recipe)
        self._model = model
        self._weights = {weight.name: weight for weight in weights}
        self._recipe = recipe
        self._encoder = WeightEncoder(model, grams, activations or {}, Encodings(cache))

    # --- plans -------------------------------------------------------------------------------------------------------

    def formats(self, plan: Plan) -> Mapping[str, WeightFormat]:
        """The format of each weight that a plan compresses, by name.

        Raises:
            PlanError: A weight is not there or does not take its format, or the recipe cannot be built.
        """
        plan.check_only(CompressionPlan.kind)
        part = plan.compression
        _check(part.recipe)
        check_formats(part.formats, self._weights)
        return part.formats

    def fingerprint(self, plan: Plan) -> str:
        """Digest of the model that a plan builds; "float" for the float model.

        Nothing is encoded for it.

        Raises:
            PlanError: See `formats`.
        """
        compressed = self.fingerprint_of(self.formats(plan), plan.compression.recipe)
        return with_runtime(compressed, plan.runtime_choice)

    def fingerprint_of(self, formats: Mapping[str, WeightFormat], recipe: CompressionRecipe) -> str:
        """Digest of the model in which weights have these formats."""
        if not formats:
            return FLOAT_FINGERPRINT
        said = [
            [name, formats[name].to_dict(), self._encoder.rounding(self._weights[name], formats[name], recipe)]
            for name in sorted(formats)
        ]
        return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()

    def build(self, plan: Plan) -> ov.Model:
        """The model of a plan; a new one at each call. Weights that are not encoded yet are.

        Raises:
            ModelError: A weight holds numbers that cannot be stored.
            PlanError: See `formats`.
            DataError: A weight is rounded by data, and there are no statistics.
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
            DataError: A weight is rounded by data, and there are no statistics.
        """
        self._prepare({name: (form,) for name, form in formats.items()}, recipe)
        for name, weight in self._weights.items():
            if name in formats:
                stored = self._encoder.encoding(weight, formats[name], recipe).weight
                replace_constant(nodes[weight.constant], stored, weight.port)

    def build_switchable(self, units: Sequence[Mapping[str, WeightFormat]]) -> ov.Model:
        """The model with an input that switches units of weights between float and their formats.

        Its activations are not rounded at run time, which devices do by default in front of compressed weights.

        Args:
            units: Format by name of the weight, of each unit, in the order of the switches.

        Raises:
            PlanError: A weight is not there, does not take its format, or is in two units.
            ModelError: A weight holds numbers that cannot be stored.
            DataError: A weight is rounded by data, and there are no statistics.
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
            switch_weight(nodes, weight, self._encoder.encoding(weight, form, self._recipe).weight, switches, number)
        clone.validate_nodes_and_infer_types()
        clone.set_rt_info("0", _NO_DYNAMIC_QUANTIZATION)
        return clone

    def readers(self, name: str) -> Collection[tuple[str, int]]:
        """Operation and input port of every operation that reads a weight."""
        return self._weight(name).readers

    # --- single weights ----------------------------------------------------------------------------------------------

    def prepare(self, wanted: Mapping[str, Iterable[WeightFormat]], step: Step | None = None) -> None:
        """Encodes weights in formats, as far as that is not done, in the order in which they share most.

        Args:
            wanted: Formats by name of the weight.
            step: Is told of the encodings done, and of all.

        Raises:
            PlanError: A weight is not there, or does not take a format.
            ModelError: A weight holds numbers that cannot be stored.
            DataError: A weight is rounded by data, and there are no statistics.
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
            DataError: The weight is rounded by data, and there are no statistics.
        """
        check_formats({name: form}, self._weights)
        return self._encoder.encoding(self._weights[name], form, self._recipe).error

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

    def takers(self, forms: Sequence[WeightFormat]) -> dict[str, tuple[WeightFormat, ...]]:
        """Those of some formats that each weight takes, by its name; weights that take none are not there.

        Raises:
            ModelError: No weight takes any of them.
        """
        taken = {name: choices(weight, forms) for name, weight in self._weights.items()}
        taken = {name: own for name, own in taken.items() if own}
        if not taken:
            raise ModelError(f"{self.no_taker(forms)}.")
        return taken

    def no_taker(self, forms: Sequence[WeightFormat]) -> str:
        """The beginning of a message that no weight takes any of some formats."""
        written = ", ".join(map(str, forms))
        return f"model {quoted(self._model.get_friendly_name())} has no weight that takes one of the formats {written}"

    def _weight(self, name: str) -> Weight:
        if name not in self._weights:
            msg = f"weight {quoted(name)} is not in the model: {nearest(name, self._weights)}"
            raise PlanError(msg)
        return self._weights[name]

    def _prepare(
        self, wanted: Mapping[str, Sequence[WeightFormat]], recipe: CompressionRecipe, step: Step | None = None
    ) -> None:
        weights = [weight for weight in self._encoder.in_order(self._weights.values()) if weight.name in wanted]
        pairs = [(weight, form) for weight in weights for form in wanted[weight.name]]
        missing = [pair for pair in pairs if not self._encoder.knows(*pair, recipe)]
        for done, (weight, form) in enumerate(missing, len(pairs) - len(missing)):
            if step is not None:
                step(done, len(pairs))
            self._encoder.encoding(weight, form, recipe)


def _check(recipe: CompressionRecipe) -> None:
    """Checks that a recipe changes no more than single weights."""
    if recipe.awq or recipe.lora_correction:
        name = "awq" if recipe.awq else "lora_correction"
        msg = f"recipe has {name}, which changes more than the weights of a plan: it is built by compress_weights."
        raise PlanError(msg)


def with_runtime(fingerprint: str, runtime: RuntimeChoice) -> str:
    """The digest of a model, and of what is chosen of the settings under which it runs."""
    if runtime == RuntimeChoice():
        return fingerprint
    return hashlib.blake2b(f"{runtime}|{fingerprint}".encode(), digest_size=8).hexdigest()
