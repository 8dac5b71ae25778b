"""Builds plans that remove channels, and quantize what is left.

1. Channels go first, and layers are repaired. Then quantizers are put in, as in any other float model.
2. The activations of a pruned model are others: its quantizers have statistics of their own, from a run of it.
3. Plans name the groups of the model with all channels. What they say of quantizers of a branch that is gone changes
   nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import openvino as ov

from autoq.core import CompressionPlan, Plan, PlanError, Precision, PruningPlan, QuantizationPlan, Recipe
from autoq.transform.candidates._pruner import Pruner
from autoq.transform.candidates._weight_builder import with_runtime
from autoq.transform.quantize import FLOAT_FINGERPRINT, CandidateBuilder

# So many pruned models are kept, with the numbers of their quantizers: those that were built last.
_KEPT = 3
# Makes the builder of a pruned model, from the model and its fingerprint; its plans name the groups of the whole model.
Requantizer = Callable[[ov.Model, str], CandidateBuilder]


@dataclass(frozen=True, slots=True)
class ResolvedPruning:
    """What a plan changes.

    Attributes:
        fingerprint: Digest of the model; "float" if nothing is changed.
        quantized_sites: Number of quantizers.
    """

    fingerprint: str
    quantized_sites: int


@dataclass(slots=True)
class _Pruned:
    """A pruned model, and the builder of its quantizers, which is made when one is built."""

    model: ov.Model
    quantizing: CandidateBuilder | None = None


class PruningBuilder:
    """Builds plans of both parts. A plan may also lack a part.

    Args:
        whole: Quantizes the model with all of its channels; None where no plan quantizes.
        pruner: Removes channels of the same model.
        requantizer: Makes the builder that quantizes a pruned model; None where no plan quantizes.
    """

    def __init__(self, whole: CandidateBuilder | None, pruner: Pruner, requantizer: Requantizer | None) -> None:
        self._whole = whole
        self._pruner = pruner
        self._requantizer = requantizer
        self._kept: OrderedDict[str, _Pruned] = OrderedDict()
        # Threads may build at once: a pruned model is run for its statistics once.
        self._lock = threading.RLock()

    def resolve(self, plan: Plan) -> ResolvedPruning:
        """What a plan changes. Nothing is pruned or run for it.

        Plans are told apart by what goes and, if that is something, by their words: quantizers that have the same
        numbers with all channels may have others with fewer.

        Raises:
            PlanError: The plan names something that does not exist, or has a part that is not built here.
        """
        pruned, rest = self._print(plan), self._rest(plan)
        if plan.quantizes:
            resolved = self._quantizes(plan).resolve(rest)
            fingerprint, sites = resolved.fingerprint, resolved.quantized_sites
        else:
            rest.check_only(PruningPlan.kind)
            fingerprint, sites = with_runtime(FLOAT_FINGERPRINT, plan.runtime_choice), 0
        if pruned != FLOAT_FINGERPRINT:
            words = json.dumps(rest.quantization.to_dict(), sort_keys=True) if sites else ""
            fingerprint = hashlib.blake2b(f"{pruned}|{fingerprint}|{words}".encode(), digest_size=8).hexdigest()
        return ResolvedPruning(fingerprint, sites)

    def fingerprint(self, plan: Plan) -> str:
        """Digest of the model of a plan; the errors are those of `resolve`."""
        return self.resolve(plan).fingerprint

    def build(self, plan: Plan, *, fold_weights: bool = True) -> ov.Model:
        """The model of a plan; a new one at each call.

        Args:
            plan: The plan.
            fold_weights: See `CandidateBuilder.build`.

        Raises:
            PlanError: See `resolve`.
            DataError: A pruned model has to be run for its statistics, and there are no data.
        """
        sites = self.resolve(plan).quantized_sites
        pruned, rest = self._print(plan), self._rest(plan)
        with self._lock:
            if pruned == FLOAT_FINGERPRINT:
                return self._quantizes(plan).build(rest, fold_weights=fold_weights) if plan.quantizes else self._bare()
            kept = self._pruned(pruned, plan.pruning)
            if not sites:
                return kept.model.clone()
            if kept.quantizing is None:
                kept.quantizing = self._requantizes(plan)(kept.model, pruned)
            return kept.quantizing.build(rest, fold_weights=fold_weights)

    # --- switches of the part that quantizes -------------------------------------------------------------------------

    @property
    def unswitchable(self) -> frozenset[str]:
        """Groups that `build_switchable` leaves in float."""
        return frozenset() if self._whole is None else self._whole.unswitchable

    def build_switchable(
        self, recipe: Recipe, units: Sequence[Sequence[str]], precision: Precision | None = None
    ) -> ov.Model:
        """The model with switches of groups, and all of its channels; see `CandidateBuilder.build_switchable`."""
        return self._quantizes(Plan.quantized(recipe)).build_switchable(recipe, units, precision)

    # --- pruned models -----------------------------------------------------------------------------------------------

    def _bare(self) -> ov.Model:
        return self._pruner.build(PruningPlan())

    def _print(self, plan: Plan) -> str:
        if CompressionPlan.kind in plan.kinds:
            raise PlanError(_nothing_builds(plan, CompressionPlan.kind))
        return self._pruner.fingerprint(plan.pruning) if PruningPlan.kind in plan.kinds else FLOAT_FINGERPRINT

    def _rest(self, plan: Plan) -> Plan:
        """The plan without pruning. Quantizers of which nothing is left are in float."""
        rest = plan.without(PruningPlan.kind)
        ended = self._pruner.ended(plan.pruning) if plan.quantizes and PruningPlan.kind in plan.kinds else frozenset()
        if not ended or self._whole is None:
            return rest
        gone = {group.name for group in self._whole.groups if ended.issuperset(group.ops)}
        part = rest.quantization
        choices = {name: own for name, own in part.choices.items() if name not in gone}
        precisions = {**part.precisions, **dict.fromkeys(gone, Precision.FLOAT)}
        return rest.having(replace(part, precisions=precisions, choices=choices))

    def _pruned(self, fingerprint: str, part: PruningPlan) -> _Pruned:
        if fingerprint not in self._kept:
            self._kept[fingerprint] = _Pruned(self._pruner.build(part))
        self._kept.move_to_end(fingerprint)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[fingerprint]

    def _quantizes(self, plan: Plan) -> CandidateBuilder:
        if self._whole is None:
            raise PlanError(_nothing_builds(plan, QuantizationPlan.kind))
        return self._whole

    def _requantizes(self, plan: Plan) -> Requantizer:
        if self._requantizer is None:
            raise PlanError(_nothing_builds(plan, QuantizationPlan.kind))
        return self._requantizer


def _nothing_builds(plan: Plan, kind: str) -> str:
    return f"plan has parts of the kinds {', '.join(plan.kinds)}, and nothing here builds {kind!r} beside the others."
