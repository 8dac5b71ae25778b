"""The search space: typed, read from YAML, with errors that name the key."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoq.calibration import Needs
from autoq.core import (
    Against,
    BiasCorrection,
    CachePrecision,
    CompressionRecipe,
    ConfigError,
    DistortionMeasure,
    OverflowFix,
    Precision,
    Preset,
    PruningPlan,
    RangeEstimator,
    Recipe,
    Repair,
    Rounding,
    RuntimePrecision,
    WeightFormat,
    brief_repr,
    nearest,
    parse_fields,
    quoted,
    read_yaml,
)
from autoq.graph import IgnoredScope
from autoq.searching.space._values import Choices, Estimator, ScopeRules, UnitPrecision, WeightChoice

_EVERY_CHOICE_ONCE = "lists the same choice twice"
_ACCURATE_BY_UNIT = (
    "of per_unit: 'accurate' measures all layers of one candidate, so that units cannot choose it; leave it out of "
    "bias_corrections"
)

_FLOAT_AND_OTHERS = "of unit_precisions: name 'float' and at least one other precision"
_FLOAT_AND_FORMATS = "of weight_formats: name 'float' and at least one other format, or leave the key out"
_ALL_AND_OTHERS = "of channel_shares: name 1 and at least one share below it, or leave the key out"
_CUT_OR_COMPRESSED = "of channel_shares: a search removes channels or compresses weights; leave weight_formats out"
_NO_ZERO_POINTS = "of presets: float precisions of activations have no zero points; write 'performance'"

# Dimensions that each unit may have for itself.
PerUnit = Literal[
    "presets",
    "range_estimators",
    "weight_range_estimators",
    "bias_corrections",
    "overflow_fixes",
    "smooth_quant_alphas",
]
# Which field of a recipe a dimension is of.
_FIELDS: Mapping[str, str] = {
    "presets": "preset",
    "range_estimators": "range_estimator",
    "weight_range_estimators": "weight_range_estimator",
    "subset_sizes": "subset_size",
    "bias_corrections": "bias_correction",
    "overflow_fixes": "overflow_fix",
    "smooth_quant_alphas": "smooth_quant_alpha",
    "runtime_precisions": "runtime_precision",
}


def _folder() -> Path:
    """Folder of the shipped spaces: inside the wheel, or beside the package in a checkout."""
    packaged = Path(str(files("autoq"))) / "search_spaces"
    return packaged if packaged.is_dir() else packaged.parent.parent / "search_spaces"


class SearchSpace(BaseModel):
    """The choices that a search may combine; a dimension with one choice is fixed.

    Attributes:
        presets: Schemes of the activations.
        range_estimators: How per-sample extremes become ranges.
        weight_range_estimators: How the ranges of weights are found.
        subset_sizes: Numbers of calibration samples; the largest number is collected once.
        bias_corrections: How the mean shift of weighted layers is removed.
        overflow_fixes: Which weights use half of their range.
        smooth_quant_alphas: SmoothQuant strengths; null leaves it out.
        runtime_precisions: Precisions of the layers left in float; those that the device lacks are dropped.
        ignored_scopes: Named scopes; "none" is always there.
        per_unit: Which of the dimensions above each unit has for itself, instead of the model as a whole.
        unit_precisions: Precisions that each unit may take: float, and one or more others. Plans that treat all units
            alike take the first of the others.
        weight_formats: Formats that each compressed weight may take: float, and one or more others, of which a weight
            takes those that fit it. Plans that treat all weights alike take the first of the others. Empty compresses
            no weights. Then `unit_precisions` may hold "float" alone, which quantizes no activations.
        rounding: How numbers of compressed weights are rounded, of at most 4 bits.
        ignored_weights: Operations whose weights are never compressed.
        allow_decompressed: Whether a weight may take formats that OpenVINO's CPU decompresses as a whole. They save
            disk, and no memory.
        channel_shares: Shares of its channels that each group of channels may keep: 1, and one or more others, of which
            a group has those that change its width. With 0 a group goes as a whole, where the model can do without
            it: inside of a residual block or a gate. Empty removes none. Then `unit_precisions` may hold "float" alone.
        channel_multiple_of: Widths become multiples of this, the nearest one for each share.
        channel_repair: What layers do about channels that are gone; "sequential" takes runs of each pruned model.
        ignored_channels: Operations that keep all channels that they read and make.
        dynamic_quantization_group_sizes: Numbers of activations that the device quantizes to int8 together while it
            runs compressed weights; 0 leaves them in float, null leaves the number to the device.
        kv_cache_precisions: Precisions of a decoder's keys and values; null leaves it to the device.
        cpu_sparse_weights_decompression_rates: Shares of zeros from which a CPU keeps weights without them; null is
            never.
        precisions: What a unit is: a group, a block, a type of operation, a prefix of names, or the whole model. With
            "auto" the budget decides between groups, blocks, types and the model.
        sampler: The sampler that proposes after the enqueued plans.
        sensitivity: Measure of the distortion by which units are ranked.
        sweep: Number of plans that are tried first, of the predicted front or of a sweep by sensitivity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    presets: Annotated[tuple[Preset, ...], Choices, Field(min_length=1)] = (Preset.PERFORMANCE, Preset.MIXED)
    range_estimators: Annotated[tuple[Estimator, ...], Choices, Field(min_length=1)] = (
        RangeEstimator.MEAN_MIN_MAX,
        RangeEstimator.MIN_MAX,
    )
    weight_range_estimators: Annotated[tuple[Estimator, ...], Choices, Field(min_length=1)] = (RangeEstimator.MIN_MAX,)
    subset_sizes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Choices, Field(min_length=1)] = (300,)
    bias_corrections: Annotated[tuple[BiasCorrection, ...], Choices, Field(min_length=1)] = (
        BiasCorrection.FAST,
        BiasCorrection.NONE,
    )
    overflow_fixes: Annotated[tuple[OverflowFix, ...], Choices, Field(min_length=1)] = (OverflowFix.FIRST_LAYER,)
    smooth_quant_alphas: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)] | None, ...], Choices, Field(min_length=1)
    ] = (None,)
    runtime_precisions: Annotated[tuple[RuntimePrecision, ...], Choices, Field(min_length=1)] = (
        RuntimePrecision.DEFAULT,
    )
    ignored_scopes: Mapping[str, ScopeRules] = Field(default_factory=dict)
    per_unit: Annotated[tuple[PerUnit, ...], Choices] = ()
    unit_precisions: Annotated[tuple[UnitPrecision, ...], Choices] = (Precision.FLOAT, Precision.INT8)
    weight_formats: Annotated[tuple[WeightChoice, ...], Choices] = ()
    rounding: Rounding = Rounding.COMPENSATED
    ignored_weights: ScopeRules | None = None
    allow_decompressed: bool = False
    channel_shares: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Choices] = ()
    channel_multiple_of: Annotated[int, Field(ge=1)] = 8
    channel_repair: Repair = Repair.ONE_SHOT
    ignored_channels: ScopeRules | None = None
    dynamic_quantization_group_sizes: Annotated[
        tuple[Annotated[int, Field(ge=0)] | None, ...], Choices, Field(min_length=1)
    ] = (None,)
    kv_cache_precisions: Annotated[tuple[CachePrecision | None, ...], Choices, Field(min_length=1)] = (None,)
    cpu_sparse_weights_decompression_rates: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)] | None, ...], Choices, Field(min_length=1)
    ] = (None,)
    precisions: Literal["auto", "group", "block", "type", "prefix", "model"] = "auto"
    sampler: Literal["front", "tpe", "nsga2", "nsga3", "random"] = "front"
    sensitivity: DistortionMeasure = DistortionMeasure.NMSE
    sweep: Annotated[int, Field(ge=0)] = 4

    __repr__ = brief_repr

    @field_validator("*")
    @classmethod
    def _distinct(cls, value: object) -> object:
        if isinstance(value, tuple) and len(set(value)) != len(value):
            raise ValueError(_EVERY_CHOICE_ONCE)
        return value

    @model_validator(mode="after")
    def _units_can_choose(self) -> Self:
        if "bias_corrections" in self.per_unit and BiasCorrection.ACCURATE in self.bias_corrections:
            raise ValueError(_ACCURATE_BY_UNIT)
        return self

    @model_validator(mode="after")
    def _precisions_go_together(self) -> Self:
        others = self.quantized or self.formats or self.shares
        if len(self.quantized) == len(self.unit_precisions) or not others:
            raise ValueError(_FLOAT_AND_OTHERS)
        if len(self.formats) == len(self.weight_formats) != 0 or (self.weight_formats and not self.formats):
            raise ValueError(_FLOAT_AND_FORMATS)
        if len(self.shares) == len(self.channel_shares) != 0 or (self.channel_shares and not self.shares):
            raise ValueError(_ALL_AND_OTHERS)
        if self.shares and self.formats:
            raise ValueError(_CUT_OR_COMPRESSED)
        if not self.mode.is_integer and self.presets != (Preset.PERFORMANCE,):
            raise ValueError(_NO_ZERO_POINTS)
        return self

    @property
    def quantized(self) -> tuple[Precision, ...]:
        """The precisions that units may take beside float, the usual one first."""
        return tuple(precision for precision in self.unit_precisions if not precision.is_float)

    @property
    def formats(self) -> tuple[WeightFormat, ...]:
        """The formats that weights may take beside float, the usual one first."""
        return tuple(form for form in self.weight_formats if form is not None)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of their channels that groups may keep beside all, the largest first."""
        return tuple(sorted((share for share in self.channel_shares if share < 1), reverse=True))

    @property
    def usually_against(self) -> Against:
        """What accuracy is weighed against, unless a search says otherwise."""
        return Against.LATENCY if self.quantized or self.shares else Against.SIZE

    @property
    def mode(self) -> Precision:
        """The precision that quantizers are placed for: the first one that quantizes activations, or else int8."""
        return next((precision for precision in self.quantized if precision.is_mode), Precision.INT8)

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any] | SearchSpace) -> SearchSpace:
        """Reads a space.

        Args:
            source: The name of a shipped space, as "cnn", the path of a YAML file, plain values, or a space.

        Raises:
            ConfigError: No such space or file, or a key or value that autoq does not understand.
        """
        if isinstance(source, SearchSpace):
            return source
        if isinstance(source, Mapping):
            return cls.parse(source, "search space")
        if not isinstance(source, str | Path):
            msg = f"search space is {quoted(source)}: pass a name, the path of a .yaml file, or its keys and values."
            raise ConfigError(msg)
        path = Path(source)
        if path.suffix not in {".yaml", ".yml"}:
            shipped = {p.stem: p for p in _folder().glob("*.yaml")}
            if str(source) not in shipped:
                name = str(source)
                msg = f"search space {quoted(name)} is neither a .yaml file nor shipped: {nearest(name, shipped)}"
                raise ConfigError(msg)
            path = shipped[str(source)]
        values = read_yaml(path, "search space")
        return cls.parse({} if values is None else values, str(path))

    @classmethod
    def parse(cls, values: object, where: str) -> Self:
        """Reads plain values.

        Args:
            values: A mapping.
            where: Named in errors.

        Raises:
            ConfigError: A key or value that autoq does not understand.
        """
        return parse_fields(cls, values, where)

    def to_dict(self) -> dict[str, Any]:
        """The space as plain values, complete with defaults."""
        return self.model_dump(mode="json")

    def scopes(self) -> dict[str, IgnoredScope | None]:
        """Ignored scope by name; "none" comes first."""
        return {"none": None} | {
            name: rules.to_scope() for name, rules in self.ignored_scopes.items() if name != "none"
        }

    def recipe_choices(self) -> dict[str, tuple[Any, ...]]:
        """Choices of the whole model by recipe field; the first choice is the default.

        A field that units have for themselves has its default alone. Without quantization there are none.
        """
        if not self.quantized:
            return {}
        choices = {field: getattr(self, name) for name, field in _FIELDS.items()}
        own = {_FIELDS[name]: choices[_FIELDS[name]][:1] for name in self.per_unit}
        mode = {} if self.mode == Recipe().mode else {"mode": (self.mode,)}
        return choices | own | {"ignored_scope": tuple(self.scopes())} | mode

    def runtime_choices(self) -> dict[str, tuple[Any, ...]]:
        """Choices for the device by field of `RuntimePlan`, the default first; empty if all is left to the device."""
        choices: dict[str, tuple[Any, ...]] = {
            "dynamic_quantization_group_size": self.dynamic_quantization_group_sizes,
            "kv_cache_precision": self.kv_cache_precisions,
            "cpu_sparse_weights_decompression_rate": self.cpu_sparse_weights_decompression_rates,
        }
        return {} if all(values == (None,) for values in choices.values()) else choices

    def unit_choices(self) -> dict[str, tuple[Any, ...]]:
        """Choices of the recipe fields that units have for themselves, the default first; fields of one choice not."""
        choices = {field: getattr(self, name) for name, field in _FIELDS.items() if name in self.per_unit}
        return {field: values for field, values in choices.items() if len(values) > 1}

    def compression(self) -> CompressionRecipe | None:
        """The settings of compressed weights; None without them."""
        if not self.formats:
            return None
        by_data = [form for form in self.formats if form.may_round_by_data]
        return CompressionRecipe(
            format=[*by_data, *self.formats][0],
            all_layers=not self.formats[0].is_eight_bit_integer,
            rounding=self.rounding if by_data else Rounding.NEAREST,
        )

    def pruning(self) -> PruningPlan | None:
        """The settings under which channels are removed; None where none are."""
        return PruningPlan(multiple_of=self.channel_multiple_of, repair=self.channel_repair) if self.shares else None

    def needs(self) -> Needs:
        """The statistics that the recipes of the space need."""
        return Needs(
            estimators=frozenset(self.range_estimators),
            means=BiasCorrection.FAST in self.bias_corrections,
            smoothing=set(self.smooth_quant_alphas) != {None},
            output_means=BiasCorrection.ACCURATE in self.bias_corrections,
        )

    def default_recipe(self) -> Recipe:
        """The first choice of every dimension."""
        return Recipe(**{name: choices[0] for name, choices in self.recipe_choices().items()})
