"""What a candidate is: an immutable plan, written to and read from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from autoq.core._errors import PlanError, nearest
from autoq.core._vocabulary import (
    BiasCorrection,
    OverflowFix,
    Precision,
    Preset,
    RangeEstimator,
    RuntimePrecision,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The choices that hold for a whole model.

    Attributes:
        preset: Scheme of the activations.
        range_estimator: How per-sample extremes become a range.
        subset_size: Calibration samples used, counted from the first.
        bias_correction: How the mean shift of weighted layers is removed.
        overflow_fix: Which weights use half of their range.
        smooth_quant_alpha: Migration strength of SmoothQuant for MatMul in [0, 1]; None leaves it out.
        ignored_scope: Name of the ignored scope, as the search space calls it; "none" ignores nothing.
        runtime_precision: What layers left in float are executed in.
    """

    preset: Preset = Preset.PERFORMANCE
    range_estimator: RangeEstimator = RangeEstimator.MEAN_MIN_MAX
    subset_size: int = 300
    bias_correction: BiasCorrection = BiasCorrection.FAST
    overflow_fix: OverflowFix = OverflowFix.FIRST_LAYER
    smooth_quant_alpha: float | None = None
    ignored_scope: str = "none"
    runtime_precision: RuntimePrecision = RuntimePrecision.DEFAULT

    def __post_init__(self) -> None:
        if self.subset_size < 1:
            msg = f"subset_size must be at least 1, got {self.subset_size}."
            raise PlanError(msg)
        if self.smooth_quant_alpha is not None and not 0 <= self.smooth_quant_alpha <= 1:
            msg = f"smooth_quant_alpha must be in [0, 1] or None, got {self.smooth_quant_alpha}."
            raise PlanError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads a recipe from plain values; words are parsed, absent ones keep their default.

        Raises:
            PlanError: A key or a word is unknown.
        """
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                msg = f"Recipe key {key!r} is unknown: {nearest(key, known)}"
                raise PlanError(msg)
        words: dict[str, type[Word]] = {
            "preset": Preset,
            "range_estimator": RangeEstimator,
            "bias_correction": BiasCorrection,
            "overflow_fix": OverflowFix,
            "runtime_precision": RuntimePrecision,
        }
        parsed: dict[str, Any] = {
            key: words[key].parse(value) if key in words else value for key, value in values.items()
        }
        return cls(**parsed)


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    """A recipe and the precision of every group: all that is needed, besides statistics, to build one candidate.

    Attributes:
        recipe: The choices that hold for the whole model.
        precisions: Group name -> precision; a group that is not named is int8.
    """

    recipe: Recipe = Recipe()
    precisions: Mapping[str, Precision] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "precisions", MappingProxyType(dict(sorted(self.precisions.items()))))

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.recipe, dict(self.precisions))

    def precision(self, group: str) -> Precision:
        """Precision of one group."""
        return self.precisions.get(group, Precision.INT8)

    @property
    def float_groups(self) -> frozenset[str]:
        """Names of the groups that this plan leaves in float."""
        return frozenset(group for group, precision in self.precisions.items() if precision is Precision.FLOAT)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values."""
        recipe = {key: str(value) if isinstance(value, str) else value for key, value in asdict(self.recipe).items()}
        return {"recipe": recipe, "precisions": {group: str(p) for group, p in self.precisions.items()}}

    def to_json(self) -> str:
        """The plan as one line of JSON, equal for equal plans."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            PlanError: A key or a word is unknown.
        """
        for key in values:
            if key not in {"recipe", "precisions"}:
                msg = f"Plan key {key!r} is unknown: {nearest(key, ['recipe', 'precisions'])}"
                raise PlanError(msg)
        precisions = {group: Precision.parse(p) for group, p in values.get("precisions", {}).items()}
        return cls(Recipe.from_dict(values.get("recipe", {})), precisions)
