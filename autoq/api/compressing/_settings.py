"""The parameters of a compression as a user writes them, with NNCF's names and defaults: parsed and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from autoq.core import (
    CB4,
    BackupMode,
    CodebookType,
    CompressionRecipe,
    ConfigError,
    DataError,
    GroupSizeFallback,
    Objective,
    PlanError,
    Rounding,
    SensitivityMetric,
    WeightFormat,
    WeightMode,
    is_number,
    quoted,
)

# A place in a codebook that is learned has 8 bits at most.
_MOST_ENTRIES = 256


def read_recipe(
    *,
    mode: str | Enum,
    ratio: float | None,
    group_size: int | None,
    all_layers: bool | None,
    sensitivity_metric: str | Enum | None,
    backup_mode: str | Enum | None,
    group_size_fallback: str | Enum,
    codebook: Iterable[float] | None,
    codebook_type: str | Enum | None = None,
    codebook_size: int | None = None,
    across_blocks: bool | None = None,
    rounding: str | Enum | None = None,
    awq: bool | None = None,
    scale_estimation: bool | None = None,
    gptq: bool | None = None,
    lora_correction: bool | None = None,
    objective: str | Enum | None = None,
    has_data: bool = False,
) -> CompressionRecipe:
    """Reads the parameters of `autoq.compress_weights`.

    Raises:
        PlanError: A word is unknown, a number is out of bounds, or two parameters contradict each other.
    """
    kind = WeightMode.parse(_word(mode))
    entry_type = None if codebook_type is None else CodebookType.parse(_word(codebook_type))
    form = WeightFormat.default(kind, _first_entries(kind, codebook, codebook_size), entry_type)
    if form.is_eight_bit_integer:
        given = {
            "ratio": None if ratio == 1 else ratio,
            "group_size": None if group_size == form.group_size else group_size,
            "all_layers": all_layers,
            "sensitivity_metric": sensitivity_metric,
            "backup_mode": backup_mode,
            "dataset": has_data or None,
            "rounding": rounding,
            "awq": awq,
            "scale_estimation": scale_estimation,
            "gptq": gptq,
            "lora_correction": lora_correction,
            "objective": objective,
        }
        if named := [name for name, value in given.items() if value is not None]:
            msg = f"mode {str(kind)!r} gives all weights 8 bits and each channel one scale: leave out {named[0]}."
            raise PlanError(msg)
    if group_size is not None:
        form = replace(form, group_size=group_size)
    flags = {
        "all_layers": all_layers,
        "awq": awq,
        "scale_estimation": scale_estimation,
        "gptq": gptq,
        "lora_correction": lora_correction,
        "across_blocks": across_blocks,
    }
    for name, value in flags.items():
        if not isinstance(value, bool | None):
            msg = f"{name} is {quoted(value)}: it must be True or False."
            raise PlanError(msg)
    metric = SensitivityMetric.WEIGHT_QUANTIZATION_ERROR
    if has_data and ratio is not None and ratio < 1:
        metric = SensitivityMetric.MAX_ACTIVATION_VARIANCE
    recipe = CompressionRecipe(
        format=form,
        ratio=1.0 if ratio is None else ratio,
        all_layers=bool(all_layers),
        backup_mode=BackupMode.parse(str(form.backup) if backup_mode is None else _word(backup_mode)),
        group_size_fallback=GroupSizeFallback.parse(_word(group_size_fallback)),
        sensitivity_metric=metric if sensitivity_metric is None else SensitivityMetric.parse(_word(sensitivity_metric)),
        rounding=_rounding(form, rounding, bool(scale_estimation), bool(gptq), has_data=has_data),
        awq=bool(awq),
        lora_correction=bool(lora_correction),
        objective=Objective.TOKENS if objective is None else Objective.parse(_word(objective)),
        across_blocks=bool(across_blocks),
    )
    if has_data and not (recipe.rounds_by_data or recipe.ranks_by_data or recipe.awq or form.is_learned):
        msg = f"dataset is of no use here: weights of mode {str(kind)!r} are rounded without data; leave it out."
        raise PlanError(msg)
    check_data(recipe, has_data=has_data)
    return recipe


def check_data(recipe: CompressionRecipe, *, has_data: bool) -> None:
    """Checks that there are data where a recipe needs them.

    Raises:
        DataError: There are none.
    """
    if has_data or not (recipe.rounds_by_data or recipe.sensitivity_metric.needs_data):
        return
    if recipe.rounding is not Rounding.NEAREST:
        what = f"rounding {str(recipe.rounding)!r}"
    else:
        what = "lora_correction" if recipe.lora_correction else f"sensitivity_metric {str(recipe.sensitivity_metric)!r}"
    msg = f"dataset is missing: {what} needs inputs of the model."
    raise DataError(msg)


def _rounding(
    form: WeightFormat, rounding: str | Enum | None, scale_estimation: bool, gptq: bool, *, has_data: bool
) -> Rounding:
    """The rounding that a user asks for, by its name or by NNCF's flags."""
    if rounding is not None and (scale_estimation or gptq):
        flag = "scale_estimation" if scale_estimation else "gptq"
        msg = f"rounding is {quoted(_word(rounding))} beside {flag}=True: leave one of them out."
        raise PlanError(msg)
    if rounding is not None:
        return Rounding.parse(_word(rounding))
    if gptq:
        return Rounding.COMPENSATED if scale_estimation else Rounding.GPTQ
    if scale_estimation:
        return Rounding.SCALE_ESTIMATION
    return Rounding.COMPENSATED if has_data and form.may_round_by_data else Rounding.NEAREST


def _word(value: str | Enum) -> str:
    """The text of a word; a member of another library's enumeration counts as its value."""
    return str(value.value) if isinstance(value, Enum) else value


def _first_entries(kind: WeightMode, codebook: Iterable[float] | None, size: int | None) -> tuple[float, ...]:
    """The entries of a codebook, or those that a codebook begins with that is learned; empty for those of the mode."""
    entries = _entries(codebook)
    if size is None:
        return entries
    if kind is not WeightMode.ADAPTIVE_CODEBOOK:
        msg = f"codebook_size goes with mode 'adaptive_codebook', and not with {str(kind)!r}."
        raise PlanError(msg)
    if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= _MOST_ENTRIES:
        msg = f"codebook_size is {quoted(size)}: it must be a whole number from 2 to {_MOST_ENTRIES}."
        raise PlanError(msg)
    if entries and len(entries) != size:
        msg = f"codebook_size is {size} beside a codebook of {len(entries)}: leave one of them out."
        raise PlanError(msg)
    # At even distances where the mode has none of that size.
    even = tuple(float(entry) for entry in range(-(size // 2), size - size // 2))
    return entries or (() if size == len(CB4) else even)


def _entries(codebook: Iterable[float] | None) -> tuple[float, ...]:
    if codebook is None:
        return ()
    try:
        entries = tuple(codebook)
        if all(map(is_number, entries)):
            return tuple(map(float, entries))
    except TypeError:
        pass
    msg = f"codebook is {quoted(codebook)}: it must be a list of numbers in ascending order."
    raise ConfigError(msg)
