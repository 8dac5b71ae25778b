"""The parameters of a quantization as a user writes them, with NNCF's names and defaults: parsed and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from autoq.api.quantizing._options import EstimatorOption, QuantizeOptions, Scheme, with_defaults
from autoq.core import (
    PRECISIONS,
    BiasCorrection,
    ConfigError,
    ModelType,
    OverflowFix,
    PlanError,
    Precision,
    Preset,
    QuantizerScheme,
    RangeEstimator,
    Recipe,
    ResetState,
    TargetDevice,
    nearest,
    path_of,
)
from autoq.graph import IgnoredScope

# NNCF's default migration strength for MatMul; it applies SmoothQuant to transformers only.
_TRANSFORMER_ALPHA = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a quantization.

    Attributes:
        recipe: The choices that hold for the whole model.
        samples_asked: Number of calibration samples that the user asked for; 0 for the default.
        model_type: Family of the model.
        target_device: Hardware table for placement.
        ignored_scope: Operations that stay in float.
        quantize_outputs: Quantize the model's outputs too.
        channel_alignment: First even out the channels between convolutions.
        precision: Precision of the model while statistics are collected.
        reset_state: When the state of the model is reset while samples are run.
        cache: Folder that keeps the statistics.
    """

    recipe: Recipe
    samples_asked: int
    model_type: ModelType | None
    target_device: TargetDevice
    ignored_scope: IgnoredScope | None
    quantize_outputs: bool
    channel_alignment: bool
    precision: str
    reset_state: ResetState
    cache: Path | None

    @classmethod
    def of(cls, **options: Unpack[QuantizeOptions]) -> Settings:
        """Reads the parameters of `autoq.quantize`.

        Raises:
            PlanError: A word is unknown, a number is out of bounds, or two parameters contradict each other.
            TypeError: The name of a parameter is unknown.
        """
        given = with_defaults(options)
        kind = None if given["model_type"] is None else ModelType.parse(given["model_type"])
        target = TargetDevice.parse(given["target_device"])
        what = Precision.INT8 if given["mode"] is None else _mode(given["mode"])
        schemes = [_scheme(given["activations"]), _scheme(given["weights"])]
        default = Preset.MIXED if kind is ModelType.TRANSFORMER and what.is_integer else Preset.PERFORMANCE
        correction = BiasCorrection.FAST if given["fast_bias_correction"] else BiasCorrection.ACCURATE
        recipe = Recipe(
            mode=what,
            preset=default if given["preset"] is None else Preset.parse(given["preset"]),
            range_estimator=_estimator(given["range_estimator"], RangeEstimator.MEAN_MIN_MAX),
            weight_range_estimator=_estimator(given["weight_range_estimator"], RangeEstimator.MIN_MAX),
            activations=schemes[0],
            weights=schemes[1],
            subset_size=Recipe().subset_size if given["subset_size"] is None else given["subset_size"],
            bias_correction=correction if given["bias_correction"] else BiasCorrection.NONE,
            overflow_fix=_overflow_fix(given["overflow_fix"], what, *schemes),
            smooth_quant_alpha=_alpha(given["smooth_quant_alpha"], kind),
        )
        resets = ResetState.parse(given["reset_state"])
        if resets is ResetState.NEVER and recipe.bias_correction is BiasCorrection.ACCURATE:
            msg = "fast_bias_correction=False runs samples separately: it does not go with reset_state='never'."
            raise PlanError(msg)
        if not what.is_integer:
            _check_own_scheme(what, target, quantize_outputs=given["quantize_outputs"])
        return cls(
            recipe=recipe,
            model_type=kind,
            target_device=target,
            samples_asked=given["subset_size"] or 0,
            ignored_scope=IgnoredScope.of(given["ignored_scope"]),
            quantize_outputs=given["quantize_outputs"],
            channel_alignment=given["channel_alignment"],
            precision=_precision(given["precision"]),
            reset_state=resets,
            cache=None if given["cache"] is None else path_of(given["cache"], "cache", ConfigError),
        )


def _mode(word: str) -> Precision:
    known = {name: precision for name, precision in PRECISIONS.items() if precision.is_mode}
    if (found := known.get(str(word).lower())) is None:
        msg = f"mode {word!r} is unknown: {nearest(str(word).lower(), known)}"
        raise PlanError(msg)
    return found


def _scheme(scheme: Scheme | None) -> QuantizerScheme:
    if isinstance(scheme, QuantizerScheme):
        return scheme
    return QuantizerScheme.from_dict(scheme or {})


def _estimator(estimator: EstimatorOption | None, default: RangeEstimator) -> RangeEstimator:
    return default if estimator is None else RangeEstimator.parse(estimator)


def _alpha(alpha: float | str | None, kind: ModelType | None) -> float | None:
    if not isinstance(alpha, str):
        return alpha
    if alpha != "default":
        msg = f"smooth_quant_alpha is {alpha!r}: write a number in [0, 1], None, or leave it out."
        raise PlanError(msg)
    return _TRANSFORMER_ALPHA if kind is ModelType.TRANSFORMER else None


def _overflow_fix(
    word: str | None, mode: Precision, activations: QuantizerScheme, weights: QuantizerScheme
) -> OverflowFix:
    """The overflow fix. The default is the first layer for 8-bit integers; other kernels do not saturate."""
    halvable = mode.is_integer and weights.symmetric is not False
    if word is None:
        eight = activations.width(mode) == weights.width(mode) == Precision.INT8.bits
        return OverflowFix.FIRST_LAYER if eight and halvable else OverflowFix.DISABLE
    fix = OverflowFix.parse(word)
    if fix is not OverflowFix.DISABLE and not halvable:
        msg = f"overflow_fix is {str(fix)!r}, but only symmetric integer weights can use half of their range."
        raise PlanError(msg)
    return fix


def _check_own_scheme(mode: Precision, target: TargetDevice, *, quantize_outputs: bool) -> None:
    if target not in {TargetDevice.ANY, TargetDevice.CPU}:
        msg = f"target_device is {str(target)!r}: mode {str(mode)!r} is for ANY and CPU."
        raise PlanError(msg)
    if quantize_outputs:
        msg = f"quantize_outputs does not go with mode {str(mode)!r}: outputs stay in float."
        raise PlanError(msg)


def _precision(word: str) -> str:
    if word not in {"f32", "bf16", "f16"}:
        msg = f"precision is {word!r}: use 'f32' (exact), 'bf16' or 'f16' to collect statistics."
        raise PlanError(msg)
    return word
