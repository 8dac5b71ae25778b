"""The settings that the formats of a model's weights follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from autoq.core.values import is_number, known_keys
from autoq.core.vocabulary import Word
from autoq.core.weights._format import WeightFormat
from autoq.core.weights._mode import WeightMode
from autoq.core.weights._rounding import Objective, Rounding
from autoq.core.words import PlanError, quoted


class BackupMode(Word):
    """The mode of weights that do not take the primary one."""

    NONE = "none"  # they stay in float
    INT8_ASYM = "int8_asym"
    INT8_SYM = "int8_sym"
    FP8_E4M3 = "fp8_e4m3"
    MXFP8_E4M3 = "mxfp8_e4m3"


class GroupSizeFallback(Word):
    """What becomes of a weight whose reduced axis the group size does not divide."""

    ERROR = "error"
    IGNORE = "ignore"  # it stays in float
    ADJUST = "adjust"  # it takes the largest power of two that fits, if that is 32 or more, else the backup mode


class SensitivityMetric(Word):
    """How weights are ranked that may take the primary mode."""

    WEIGHT_QUANTIZATION_ERROR = "weight_quantization_error"  # by their errors alone, without data
    HESSIAN_INPUT_ACTIVATION = "hessian_input_activation"
    MEAN_ACTIVATION_VARIANCE = "mean_activation_variance"
    MAX_ACTIVATION_VARIANCE = "max_activation_variance"
    MEAN_ACTIVATION_MAGNITUDE = "mean_activation_magnitude"

    @property
    def needs_data(self) -> bool:
        """Whether activations count."""
        return self is not SensitivityMetric.WEIGHT_QUANTIZATION_ERROR


_WORDS: Mapping[str, type[Word]] = {
    "backup_mode": BackupMode,
    "group_size_fallback": GroupSizeFallback,
    "sensitivity_metric": SensitivityMetric,
    "rounding": Rounding,
    "objective": Objective,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionRecipe:
    """The settings of a compression, for the whole model.

    Attributes:
        format: Primary format.
        ratio: Share of the numbers that may take the primary format, of weights that can; the others take the backup.
            The share stays below the ratio.
        all_layers: Whether the last matrix product and the tables of embeddings take the primary format too.
        backup_mode: Mode of the other weights.
        group_size_fallback: What becomes of weights that groups do not fit.
        sensitivity_metric: How weights are ranked where the ratio is below 1.
        rounding: How numbers are rounded, of weights with at most 4 bits.
        awq: Whether columns of such weights are scaled, and the inverse is taken up before them; by data if there are.
        lora_correction: Whether a product of low rank is added to such layers, which makes up for errors of rounding.
        objective: The data by which errors are judged.
        across_blocks: Whether weights of one place in all blocks share a codebook that is learned.
    """

    format: WeightFormat
    ratio: float = 1.0
    all_layers: bool = False
    backup_mode: BackupMode = BackupMode.INT8_ASYM
    group_size_fallback: GroupSizeFallback = GroupSizeFallback.ERROR
    sensitivity_metric: SensitivityMetric = SensitivityMetric.WEIGHT_QUANTIZATION_ERROR
    rounding: Rounding = Rounding.NEAREST
    awq: bool = False
    lora_correction: bool = False
    objective: Objective = Objective.TOKENS
    across_blocks: bool = False

    def __post_init__(self) -> None:
        if not is_number(self.ratio) or not 0 <= self.ratio <= 1:
            msg = f"ratio is {quoted(self.ratio)}: it must be a number from 0 to 1."
            raise PlanError(msg)
        if self.format.is_eight_bit_integer and (self.ratio != 1 or self.all_layers):
            msg = f"mode {str(self.format.mode)!r} is for all weights: ratio and all_layers do not go with it."
            raise PlanError(msg)
        if self.group_size_fallback is GroupSizeFallback.ADJUST and self.format.has_fixed_groups:
            msg = f"group_size_fallback is 'adjust', but groups of mode {str(self.format.mode)!r} have one size only."
            raise PlanError(msg)
        if self.across_blocks and not self.format.is_learned:
            msg = f"across_blocks goes with mode 'adaptive_codebook', and not with {str(self.format.mode)!r}."
            raise PlanError(msg)
        self._check_rounding()

    def _check_rounding(self) -> None:
        mode = str(self.format.mode)
        by_data = "awq" if self.awq else "lora_correction" if self.lora_correction else str(self.rounding)
        if (self.rounds_by_data or self.awq) and not self.format.may_round_by_data:
            msg = (
                f"{by_data} does not go with mode {mode!r}: it is for at most 4 bits, with one scale for each group or "
                "channel."
            )
            raise PlanError(msg)
        if (
            self.rounding.searches_scales
            and self.rounding is not Rounding.COMPENSATED
            and not self.format.has_any_scale
        ):
            msg = f"{self.rounding} does not go with mode {mode!r}: its scales are powers of two."
            raise PlanError(msg)
        if self.lora_correction and self.rounding is Rounding.GPTQ:
            msg = "lora_correction does not go with gptq: use one of them, or rounding='compensated' with it."
            raise PlanError(msg)
        by_tokens = self.rounding.passes_errors_on or self.awq or not self.rounds_by_data
        if self.objective is Objective.SAMPLE_MEANS and by_tokens:
            msg = "objective 'sample_means' is for scale_estimation and lora_correction; others need 'tokens'."
            raise PlanError(msg)

    @property
    def rounds_by_data(self) -> bool:
        """Whether weights are rounded, or corrected, by data."""
        return self.rounding is not Rounding.NEAREST or self.lora_correction

    @property
    def ranks_by_data(self) -> bool:
        """Whether weights are ranked by data."""
        return self.ratio < 1 and self.sensitivity_metric.needs_data

    @property
    def backup(self) -> WeightFormat | None:
        """Format of the other weights; None leaves them in float."""
        if self.backup_mode is BackupMode.NONE:
            return None
        mode = WeightMode.parse(self.backup_mode)
        return WeightFormat(mode, self.format.group_size) if mode is WeightMode.FP8_E4M3 else WeightFormat.default(mode)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        return {
            **self.format.to_dict(),
            "ratio": float(self.ratio),
            "all_layers": self.all_layers,
            "backup_mode": str(self.backup_mode),
            "group_size_fallback": str(self.group_size_fallback),
            "sensitivity_metric": str(self.sensitivity_metric),
            "rounding": str(self.rounding),
            "awq": self.awq,
            "lora_correction": self.lora_correction,
            "objective": str(self.objective),
            "across_blocks": self.across_blocks,
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Reads what `to_dict` wrote; absent keys keep their default.

        Raises:
            PlanError: A key or a word is unknown, or a value is not possible.
        """
        own = [field.name for field in fields(cls) if field.name != "format"]
        given = dict(
            known_keys(values, ["mode", "group_size", "codebook", "codebook_type", *own], "compression recipe")
        )
        rest = {name: given.pop(name) for name in own if name in given}
        for name, kind in _WORDS.items():
            if name in rest:
                rest[name] = kind.parse(rest[name])
        return cls(format=WeightFormat.from_dict(given), **rest)

    @property
    def summary(self) -> str:
        """The settings in a line, without those that have their usual values."""
        return ", ".join([f"weights {self.format}", *self.beside_format])

    @property
    def beside_format(self) -> list[str]:
        """A text for each setting beside the format that has not its usual value."""
        return [
            *([] if self.ratio == 1 else [f"ratio {self.ratio:g}"]),
            *(["all layers"] if self.all_layers else []),
            *([] if str(self.backup_mode) == str(self.format.backup) else [f"backup {self.backup_mode}"]),
            *([] if self.rounding is Rounding.NEAREST else [f"rounding {self.rounding}"]),
            *(["awq"] if self.awq else []),
            *(["lora correction"] if self.lora_correction else []),
            *(["codebooks across blocks"] if self.across_blocks else []),
            *([] if self.group_size_fallback is GroupSizeFallback.ERROR else [f"groups {self.group_size_fallback}"]),
        ]
