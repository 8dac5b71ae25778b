"""Parameters of a quantization as a user writes them, with NNCF's names and defaults, parsed and checked together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

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

Scheme = Mapping[str, Any] | QuantizerScheme
EstimatorOption = str | Mapping[str, Any] | RangeEstimator

# NNCF's default migration strength for MatMul; it applies SmoothQuant to transformers only.
_TRANSFORMER_ALPHA = 0.95


class QuantizeOptions(TypedDict, total=False):
    """The parameters that functions which quantize have in common; `autoq.quantize` says what each means."""

    preset: str | None
    mode: str | None
    target_device: str
    subset_size: int | None
    fast_bias_correction: bool
    model_type: str | None
    ignored_scope: Any  # whatever IgnoredScope.of takes
    bias_correction: bool
    overflow_fix: str | None
    quantize_outputs: bool
    smooth_quant_alpha: float | str | None
    channel_alignment: bool
    range_estimator: EstimatorOption | None
    weight_range_estimator: EstimatorOption | None
    activations: Scheme | None
    weights: Scheme | None
    precision: str
    reset_state: str
    cache: str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a quantization is asked for.

    Attributes:
        recipe: The choices that hold for the whole model.
        samples_asked: Calibration samples that the user asked for; 0 leaves it to the default, or what there is.
        model_type: Family of the model.
        target_device: Hardware table for placement.
        ignored_scope: What stays in float.
        quantize_outputs: Quantize the model's outputs too.
        channel_alignment: Even out the channels between convolutions first.
        precision: What the model computes in while statistics are collected.
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
    def of(
        cls,
        *,
        preset: str | None = None,
        mode: str | None = None,
        target_device: str = "ANY",
        subset_size: int | None = None,
        fast_bias_correction: bool = True,
        model_type: str | None = None,
        ignored_scope: Any = None,  # whatever IgnoredScope.of takes
        bias_correction: bool = True,
        overflow_fix: str | None = None,
        quantize_outputs: bool = False,
        smooth_quant_alpha: float | str | None = "default",
        channel_alignment: bool = False,
        range_estimator: EstimatorOption | None = None,
        weight_range_estimator: EstimatorOption | None = None,
        activations: Scheme | None = None,
        weights: Scheme | None = None,
        precision: str = "f32",
        reset_state: str = "sample",
        cache: str | os.PathLike[str] | None = None,
    ) -> Settings:
        """Reads the parameters of `autoq.quantize`.

        Raises:
            PlanError: A word is unknown, a number out of bounds, or two parameters contradict each other.
        """
        kind = None if model_type is None else ModelType.parse(model_type)
        target = TargetDevice.parse(target_device)
        what = Precision.INT8 if mode is None else _mode(mode)
        schemes = [_scheme(activations), _scheme(weights)]
        default = Preset.MIXED if kind is ModelType.TRANSFORMER and what.is_integer else Preset.PERFORMANCE
        correction = BiasCorrection.FAST if fast_bias_correction else BiasCorrection.ACCURATE
        recipe = Recipe(
            mode=what,
            preset=default if preset is None else Preset.parse(preset),
            range_estimator=_estimator(range_estimator, RangeEstimator.MEAN_MIN_MAX),
            weight_range_estimator=_estimator(weight_range_estimator, RangeEstimator.MIN_MAX),
            activations=schemes[0],
            weights=schemes[1],
            subset_size=Recipe().subset_size if subset_size is None else subset_size,
            bias_correction=correction if bias_correction else BiasCorrection.NONE,
            overflow_fix=_overflow_fix(overflow_fix, what, *schemes),
            smooth_quant_alpha=_alpha(smooth_quant_alpha, kind),
        )
        resets = ResetState.parse(reset_state)
        if resets is ResetState.NEVER and recipe.bias_correction is BiasCorrection.ACCURATE:
            msg = "fast_bias_correction=False runs samples apart, and does not go with reset_state='never'."
            raise PlanError(msg)
        if not what.is_integer:
            _check_own_scheme(what, target, quantize_outputs=quantize_outputs)
        return cls(
            recipe=recipe,
            model_type=kind,
            target_device=target,
            samples_asked=subset_size or 0,
            ignored_scope=IgnoredScope.of(ignored_scope),
            quantize_outputs=quantize_outputs,
            channel_alignment=channel_alignment,
            precision=_precision(precision),
            reset_state=resets,
            cache=None if cache is None else path_of(cache, "cache", ConfigError),
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
    """By default the first layer's in 8 bits; other integers have no such kernels, other numbers nothing to halve."""
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
        msg = f"precision is {word!r}: statistics are collected in 'f32' (exact), 'bf16' or 'f16'."
        raise PlanError(msg)
    return word
