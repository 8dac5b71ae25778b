"""How a candidate is quantized: a recipe, and the precision of every group."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from autoq.core.quantization._range_estimator import Aggregator, RangeEstimator
from autoq.core.quantization._scheme import QuantizerScheme
from autoq.core.values import brief_repr, is_number, known_keys, mapping_of, whole_number
from autoq.core.vocabulary import BiasCorrection, OverflowFix, Precision, Preset, RuntimePrecision
from autoq.core.words import PlanError, nearest, quoted

# The divergence is taken between histograms of 2048 bins.
_MOST_KL_BITS = 11
# Fields of a recipe that a group may choose for itself.
GROUP_CHOICES = (
    "preset",
    "range_estimator",
    "weight_range_estimator",
    "bias_correction",
    "overflow_fix",
    "smooth_quant_alpha",
)


# Fields of a recipe that a user may write as plain values: their types, and who reads them.
_READERS: Mapping[str, tuple[type, Callable[[Any], Any]]] = MappingProxyType(
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
        mode: What groups that the plan does not name are quantized to.
        preset: Scheme of the activations.
        range_estimator: How the ranges of per-tensor activations are found.
        weight_range_estimator: How the ranges of weights are found.
        activations: What is prescribed for the quantizers of activations.
        weights: What is prescribed for the quantizers of weights.
        subset_size: Calibration samples used, counted from the first.
        bias_correction: How the mean shift of weighted layers is removed.
        overflow_fix: Which weights use half of their range; those that are no symmetric integers never do.
        smooth_quant_alpha: Migration strength of SmoothQuant for MatMul in [0, 1]; None leaves it out.
        ignored_scope: Name of the ignored scope, as the search space calls it; "none" ignores nothing.
        runtime_precision: What layers left in float are executed in.
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
        for name, (kind, read) in _READERS.items():
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
            msg = f"ignored_scope is {quoted(self.ignored_scope)}: it must be the name of one."
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
        """Whether activations are symmetric where the model does not decide."""
        if self.activations.symmetric is not None:
            return self.activations.symmetric
        return self.preset is Preset.PERFORMANCE

    @property
    def placement(self) -> Preset:
        """The preset whose quantizers have this recipe's scheme, and so stand where its quantizers stand."""
        return Preset.PERFORMANCE if self.symmetric else Preset.MIXED

    def under(self, precision: Precision) -> Recipe:
        """The recipe as a group of a precision reads it.

        Zero points, prescribed schemes and searched ranges of weights are for integers: other numbers take none of
        them.
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
        """Reads a recipe from plain values; words are parsed, absent ones keep their default.

        Raises:
            PlanError: A key or a word is unknown.
        """
        return cls(**known_keys(values, [f.name for f in fields(cls)], "Recipe"))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    """The part of a plan that quantizes: a recipe and the precision of every group.

    Attributes:
        recipe: The choices that hold for the whole model.
        precisions: Group name -> precision; a group that is not named is quantized to the recipe's mode.
        choices: Group name -> fields of the recipe that the group chooses for itself, of `GROUP_CHOICES`. What is as
            the recipe has it, and what a group in float chooses, is left out.
    """

    kind: ClassVar[str] = "quantization"

    recipe: Recipe = Recipe()
    precisions: Mapping[str, Precision] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        precisions = {group: Precision.parse(self.precisions[group]) for group in sorted(self.precisions)}
        object.__setattr__(self, "precisions", MappingProxyType(precisions))
        kept = {group: self._own_choices(group, self.choices[group]) for group in sorted(self.choices)}
        object.__setattr__(self, "choices", MappingProxyType({group: own for group, own in kept.items() if own}))

    def _own_choices(self, group: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in given:
            if name not in GROUP_CHOICES:
                msg = f"group {group!r} cannot choose {name!r} for itself: {nearest(name, GROUP_CHOICES)}"
                raise PlanError(msg)
        own = {name: value for name, value in sorted(given.items()) if value != getattr(self.recipe, name)}
        accurate = BiasCorrection.ACCURATE in {self.recipe.bias_correction, own.get("bias_correction")}
        if "bias_correction" in own and accurate:
            msg = f"group {group!r} cannot choose its bias correction where that is 'accurate', which takes all layers."
            raise PlanError(msg)
        replace(self.recipe, **own)  # raises where they do not go together
        return MappingProxyType({} if self.precision(group).is_float else own)

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __reduce__(self) -> tuple[Any, ...]:
        choices = {group: dict(own) for group, own in self.choices.items()}
        return type(self), (self.recipe, dict(self.precisions), choices)

    def precision(self, group: str) -> Precision:
        """Precision of one group."""
        return self.precisions.get(group, self.recipe.mode)

    def recipe_of(self, group: str) -> Recipe:
        """The recipe that holds for one group."""
        own = self.choices.get(group)
        return self.recipe if own is None else replace(self.recipe, **own)

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipe of the model and those of groups that choose for themselves, each once."""
        return tuple(dict.fromkeys([self.recipe, *map(self.recipe_of, self.choices)]))

    @property
    def float_groups(self) -> frozenset[str]:
        """Names of the groups that this plan leaves in float."""
        return frozenset(group for group, precision in self.precisions.items() if precision.is_float)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values."""
        precisions = {group: str(precision) for group, precision in self.precisions.items()}
        choices = {group: {name: _plain(own[name]) for name in own} for group, own in self.choices.items()}
        return {"recipe": self.recipe.to_dict(), "precisions": precisions} | ({"choices": choices} if choices else {})

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipe as plain values by name."""
        return self.recipe.to_dict()

    @property
    def summary(self) -> str:
        """The recipe in a line; what is as always is left out."""
        recipe = self.recipe
        parts = [
            str(recipe.mode),
            f"preset {recipe.preset}",
            f"ranges {recipe.range_estimator}",
            f"of weights {recipe.weight_range_estimator}",
            f"{recipe.subset_size} samples",
            f"bias correction {recipe.bias_correction}",
            *([] if recipe.smooth_quant_alpha is None else [f"SmoothQuant {recipe.smooth_quant_alpha:g}"]),
            *([] if recipe.ignored_scope == "none" else [f"ignored scope {recipe.ignored_scope}"]),
            *([] if str(recipe.runtime_precision) == "default" else [f"float runs in {recipe.runtime_precision}"]),
        ]
        return ", ".join(parts)

    @property
    def facts(self) -> Mapping[str, str]:
        """What there is to say of single groups, by what it is."""
        choices = "; ".join(
            f"{group}: " + ", ".join(f"{name} {value}" for name, value in own.items())
            for group, own in self.to_dict().get("choices", {}).items()
        )
        floats = {"groups in float": ", ".join(sorted(self.float_groups)) or "none"}
        return floats | ({"choices of groups": choices} if choices else {})

    @property
    def computes_in(self) -> Hashable:
        """What a model computes in, however its ranges and biases are found."""
        recipe = self.recipe
        named = frozenset((group, own) for group, own in self.precisions.items() if own != recipe.mode)
        return named, recipe.mode, recipe.ignored_scope, recipe.runtime_precision

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            PlanError: A key or a word is unknown.
        """
        values = known_keys(values, [f.name for f in fields(cls)], "Plan")
        precisions = dict(_by_group(values, "precisions"))
        choices = {
            group: _parsed(mapping_of(own, f"what group {quoted(group)} chooses"))
            for group, own in _by_group(values, "choices")
        }
        return cls(Recipe.from_dict(values.get("recipe", {})), precisions, choices)


def _by_group(values: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    """What a plan says group by group under a key."""
    found = values.get(key, {})
    if not isinstance(found, Mapping) or not all(isinstance(group, str) for group in found):
        msg = f"Plan key {key!r} is {quoted(found)}: it must be a mapping of names of groups."
        raise PlanError(msg)
    return found.items()


def _parsed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a recipe from plain values."""
    return {key: _READERS[key][1](value) if key in _READERS else value for key, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, RangeEstimator):
        return value.to_plain()
    if isinstance(value, QuantizerScheme):
        return value.to_plain()
    return str(value) if isinstance(value, str | Precision) else value
