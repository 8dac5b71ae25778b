"""Recipes: the choices of quantization for a whole model, without the precisions of its groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Self

from autoq.core.quantization._range_estimator import Aggregator, RangeEstimator
from autoq.core.quantization._scheme import QuantizerScheme
from autoq.core.values import brief_repr, is_number, known_keys, whole_number
from autoq.core.vocabulary import BiasCorrection, OverflowFix, Precision, Preset, RuntimePrecision
from autoq.core.words import PlanError, quoted

# The divergence is taken between histograms of 2048 bins.
_MOST_KL_BITS = 11
# Fields of a recipe that a user may write as plain values: their types and their readers.
READERS: Mapping[str, tuple[type, Callable[[Any], Any]]] = MappingProxyType(
    {
        "mode": (Precision, Precision.parse),
        "preset": (Preset, Preset.parse),
        "range_estimator": (RangeEstimator, RangeEstimator.parse),
        "weight_range_estimator": (RangeEstimator, RangeEstimator.parse),
        "activations": (QuantizerScheme, QuantizerScheme.from_dict),
        "weights": (QuantizerScheme, QuantizerScheme.from_dict),
        "bias_correction": (BiasCorrection, BiasCorrection.parse),
        "overflow_fix": (OverflowFix, OverflowFix.parse),
        "runtime_precision": (RuntimePrecision, RuntimePrecision.parse),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The choices that hold for a whole model.

    Attributes:
        mode: Precision of groups that the plan does not name.
        preset: Scheme of the activations.
        range_estimator: Estimator of the ranges of per-tensor activations.
        weight_range_estimator: Estimator of the ranges of weights.
        activations: Prescribed scheme of the quantizers of activations.
        weights: Prescribed scheme of the quantizers of weights.
        subset_size: Number of calibration samples used, from the first one.
        bias_correction: How the mean shift of weighted layers is removed.
        overflow_fix: The weights that use half of their range; only symmetric integers can.
        smooth_quant_alpha: Migration strength of SmoothQuant for MatMul in [0, 1]; None is without SmoothQuant.
        ignored_scope: Name of the ignored scope in the search space; "none" ignores nothing.
        runtime_precision: Precision of float layers.
    """

    mode: Precision = Precision.INT8
    preset: Preset = Preset.PERFORMANCE
    range_estimator: RangeEstimator = RangeEstimator.MEAN_MIN_MAX
    weight_range_estimator: RangeEstimator = RangeEstimator.MIN_MAX
    activations: QuantizerScheme = field(default_factory=QuantizerScheme)
    weights: QuantizerScheme = field(default_factory=QuantizerScheme)
    subset_size: int = 300
    bias_correction: BiasCorrection = BiasCorrection.FAST
    overflow_fix: OverflowFix = OverflowFix.FIRST_LAYER
    smooth_quant_alpha: float | None = None
    ignored_scope: str = "none"
    runtime_precision: RuntimePrecision = RuntimePrecision.DEFAULT

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        for name, (kind, read) in READERS.items():
            if not isinstance(value := getattr(self, name), kind):
                object.__setattr__(self, name, read(value))
        if not self.mode.is_mode:
            msg = f"mode is {str(self.mode)!r}: a recipe says how to quantize; name such groups in the plan."
            raise PlanError(msg)
        if not self.mode.is_integer:
            self._check_scheme()
        self._check_estimators()
        if self.activations.per_channel:
            msg = (
                "activations are per channel only where a depthwise convolution reads them, and there they are by "
                "default: leave per_channel out, or write false."
            )
            raise PlanError(msg)
        whole_number(self.subset_size, "subset_size", least=1)
        alpha = self.smooth_quant_alpha
        if alpha is not None and not (is_number(alpha) and 0 <= alpha <= 1):
            msg = f"smooth_quant_alpha must be in [0, 1] or None, got {quoted(alpha)}."
            raise PlanError(msg)
        if not isinstance(self.ignored_scope, str):
            msg = f"ignored_scope is {quoted(self.ignored_scope)}: it must be the name of a scope."
            raise PlanError(msg)

    def _check_scheme(self) -> None:
        if self.preset is not Preset.PERFORMANCE:
            msg = f"preset is {str(self.preset)!r}: mode {str(self.mode)!r} has no zero points; use 'performance'."
            raise PlanError(msg)
        for kind, scheme in (("activations", self.activations), ("weights", self.weights)):
            if scheme != QuantizerScheme():
                msg = f"{kind} prescribe {scheme.to_plain()}: mode {str(self.mode)!r} has only its own scheme."
                raise PlanError(msg)

    def _check_estimators(self) -> None:
        weights = self.weight_range_estimator
        if weights.search not in {None, Aggregator.MSE} or (weights.search and not self.mode.is_integer):
            msg = (
                f"weight_range_estimator is {str(weights)!r}: of the searches, only 'mse' is for weights, as integers."
            )
            raise PlanError(msg)
        bits = self.activations.width(self.mode)
        if self.range_estimator.search is Aggregator.KL and bits > _MOST_KL_BITS:
            msg = f"range estimator 'kl' tells levels of {_MOST_KL_BITS} bits apart, not of {bits}."
            raise PlanError(msg)

    @property
    def symmetric(self) -> bool:
        """Whether activations are symmetric, unless the model decides."""
        if self.activations.symmetric is not None:
            return self.activations.symmetric
        return self.preset is Preset.PERFORMANCE

    @property
    def placement(self) -> Preset:
        """The preset whose quantizers have the scheme of this recipe, and therefore the same places."""
        return Preset.PERFORMANCE if self.symmetric else Preset.MIXED

    def under(self, precision: Precision) -> Recipe:
        """The recipe for a group with this precision.

        Zero points, prescribed schemes and searched ranges of weights are for integers only: other numbers ignore them.
        """
        mode = replace(precision, weights_only=False)
        if replace(mode, name=self.mode.name) == self.mode:
            return self
        if mode.is_integer:
            return replace(self, mode=mode)
        weights = RangeEstimator.MIN_MAX if self.weight_range_estimator.search else self.weight_range_estimator
        own = QuantizerScheme()
        return replace(
            self,
            mode=mode,
            preset=Preset.PERFORMANCE,
            activations=own,
            weights=own,
            weight_range_estimator=weights,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads a recipe from plain values. Words are parsed, and absent keys have their defaults.

        Raises:
            PlanError: A key or a word is unknown.
        """
        return cls(**known_keys(values, [f.name for f in fields(cls)], "Recipe"))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}


def plain(value: object) -> object:
    """A field of a recipe as a plain value."""
    if isinstance(value, RangeEstimator):
        return value.to_plain()
    if isinstance(value, QuantizerScheme):
        return value.to_plain()
    return str(value) if isinstance(value, str | Precision) else value
