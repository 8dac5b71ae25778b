"""Builds plans that quantize some layers, and compress the weights of others.

1. Weights are compressed first, then quantizers are put in, and biases are corrected on what both give.
2. A weight that a quantizer of the plan stands on has the numbers of the quantizer: its format is without effect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import openvino as ov

from autoq.core import CompressionPlan, Plan, PlanError, Precision, Recipe, RuntimeChoice, WeightFormat
from autoq.transform.candidates._weight_builder import WeightBuilder, with_runtime
from autoq.transform.quantize import FLOAT_FINGERPRINT, CandidateBuilder, FirstRewrite, ResolvedPlan


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a plan changes.

    Attributes:
        quantized: The numbers of its quantizers; None where the plan has no part that quantizes.
        formats: Format of each compressed weight by name.
        compressed: Digest of the compressed weights; "float" without any.
        runtime: What the plan chooses of the settings under which the candidate runs.
    """

    quantized: ResolvedPlan | None
    formats: Mapping[str, WeightFormat]
    compressed: str
    runtime: RuntimeChoice

    @property
    def quantized_sites(self) -> int:
        """Number of quantizers and of compressed weights."""
        return len(self.formats) + (0 if self.quantized is None else self.quantized.quantized_sites)

    @property
    def fingerprint(self) -> str:
        """Digest of the model, equal for plans that build the same one; "float" if nothing is changed."""
        if self.quantized is None or not self.quantized.quantized_sites:
            return with_runtime(self.compressed, self.runtime)
        if not self.formats:
            return self.quantized.fingerprint
        said = f"{self.compressed}|{self.quantized.fingerprint}"
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


class ModelBuilder:
    """Builds plans of both parts. A plan may also lack a part.

    Args:
        quantizing: Builds the part that quantizes; None where no plan has it.
        compressing: Builds the part that compresses weights of the same model; None where no plan has it.
    """

    def __init__(self, quantizing: CandidateBuilder | None, compressing: WeightBuilder | None) -> None:
        self._quantizing = quantizing
        self._compressing = compressing

    def resolve(self, plan: Plan) -> ResolvedModel:
        """What a plan changes. No weight is encoded for it.

        Raises:
            PlanError: The plan names something that does not exist, or has a part that is not built here.
        """
        quantized = self._quantizes(plan).resolve(plan.without(CompressionPlan.kind)) if plan.quantizes else None
        if not plan.compresses:
            return ResolvedModel(quantized, {}, FLOAT_FINGERPRINT, plan.runtime_choice)
        builder, part = self._compresses(plan), plan.compression
        standing = {read for each in quantized.quantizers for read in each.consumers} if quantized else set()
        formats = {
            name: form
            for name, form in builder.formats(Plan.of(part)).items()
            if standing.isdisjoint(builder.readers(name))
        }
        return ResolvedModel(quantized, formats, builder.fingerprint_of(formats, part.recipe), plan.runtime_choice)

    def fingerprint(self, plan: Plan) -> str:
        """Digest of the model of a plan, see `ResolvedModel`; the errors are those of `resolve`."""
        return self.resolve(plan).fingerprint

    def build(self, plan: Plan, *, fold_weights: bool = True) -> ov.Model:
        """The model of a plan; a new one at each call.

        Args:
            plan: The plan.
            fold_weights: See `CandidateBuilder.build`.

        Raises:
            ModelError: A weight holds numbers that cannot be stored.
            PlanError: See `resolve`.
            DataError: A weight is rounded by data, and there are no statistics.
        """
        resolved = self.resolve(plan)
        if resolved.quantized is None:
            part = CompressionPlan(plan.compression.recipe, resolved.formats)
            return self._compresses(plan).build(Plan.of(part))
        first = None
        if resolved.formats:
            builder, recipe = self._compresses(plan), plan.compression.recipe
            first = FirstRewrite(resolved.compressed, lambda nodes: builder.replace(nodes, resolved.formats, recipe))
        return self._quantizes(plan).build(plan.without(CompressionPlan.kind), fold_weights=fold_weights, first=first)

    # --- switches of the part that quantizes -------------------------------------------------------------------------

    @property
    def unswitchable(self) -> frozenset[str]:
        """Groups that `build_switchable` leaves in float."""
        return frozenset() if self._quantizing is None else self._quantizing.unswitchable

    def build_switchable(
        self, recipe: Recipe, units: Sequence[Sequence[str]], precision: Precision | None = None
    ) -> ov.Model:
        """The model with switches of groups, whose weights are as in float; see `CandidateBuilder.build_switchable`."""
        return self._quantizes(Plan.quantized(recipe)).build_switchable(recipe, units, precision)

    def _quantizes(self, plan: Plan) -> CandidateBuilder:
        if self._quantizing is None:
            raise PlanError(_nothing_builds(plan, "quantization"))
        return self._quantizing

    def _compresses(self, plan: Plan) -> WeightBuilder:
        if self._compressing is None:
            raise PlanError(_nothing_builds(plan, "compression"))
        return self._compressing


def _nothing_builds(plan: Plan, kind: str) -> str:
    return f"plan has parts of the kinds {', '.join(plan.kinds)}, and nothing here builds {kind!r}."
