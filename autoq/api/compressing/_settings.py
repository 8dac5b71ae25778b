"""The parameters of a compression as a user writes them, with NNCF's names and defaults: parsed and checked."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from autoq.core import (
    BackupMode,
    CompressionRecipe,
    ConfigError,
    GroupSizeFallback,
    PlanError,
    SensitivityMetric,
    WeightFormat,
    WeightMode,
    is_number,
    quoted,
)


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
) -> CompressionRecipe:
    """Reads the parameters of `autoq.compress_weights`.

    Raises:
        PlanError: A word is unknown, a number is out of bounds, or two parameters contradict each other.
    """
    kind = WeightMode.parse(_word(mode))
    form = WeightFormat.default(kind, _entries(codebook))
    if form.is_eight_bit_integer:
        given = {
            "ratio": None if ratio == 1 else ratio,
            "group_size": None if group_size == form.group_size else group_size,
            "all_layers": all_layers,
            "sensitivity_metric": sensitivity_metric,
            "backup_mode": backup_mode,
        }
        if named := [name for name, value in given.items() if value is not None]:
            msg = f"mode {str(kind)!r} gives all weights 8 bits and each channel one scale: leave out {named[0]}."
            raise PlanError(msg)
    if group_size is not None:
        form = WeightFormat(kind, group_size, form.codebook if kind is WeightMode.CODEBOOK else ())
    if not isinstance(all_layers, bool | None):
        msg = f"all_layers is {quoted(all_layers)}: it must be True or False."
        raise PlanError(msg)
    metric = SensitivityMetric.WEIGHT_QUANTIZATION_ERROR
    return CompressionRecipe(
        format=form,
        ratio=1.0 if ratio is None else ratio,
        all_layers=bool(all_layers),
        backup_mode=BackupMode.parse(str(form.backup) if backup_mode is None else _word(backup_mode)),
        group_size_fallback=GroupSizeFallback.parse(_word(group_size_fallback)),
        sensitivity_metric=metric if sensitivity_metric is None else SensitivityMetric.parse(_word(sensitivity_metric)),
    )


def _word(value: str | Enum) -> str:
    """The text of a word; a member of another library's enumeration counts as its value."""
    return str(value.value) if isinstance(value, Enum) else value


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
