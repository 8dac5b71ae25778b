"""Chooses the format of each weight: NNCF's mixed precision without data.

1. Weights that define the ratio take the primary format, and all others the backup. Integers of 8 bits are for all.
2. Groups that do not fit are an error, leave the weight in float, or shrink, as the recipe says.
3. Below a ratio of 1, weights take the primary format in the order of their errors in 8 bits, the largest first, as
   long as their share stays below the ratio; the others take the backup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from autoq.core import (
    PER_CHANNEL,
    CompressionRecipe,
    GroupSizeFallback,
    ModelError,
    NumberFamily,
    PlanError,
    WeightFormat,
    nearest,
    quoted,
)
from autoq.graph import Weight
from autoq.transform.compress._stored import byte_size
from autoq.transform.compress._stored_weight import stored_bytes

_LEAST_ADJUSTED = 32
_SHOWN = 8


def choose_formats(
    weights: Iterable[Weight], recipe: CompressionRecipe, scores: Callable[[list[Weight]], Mapping[str, float]]
) -> dict[str, WeightFormat]:
    """The format of each weight.

    Args:
        weights: The weights of a model.
        recipe: The settings.
        scores: Gives the sensitivity of weights by name; the lowest take the primary format first. It is called only
            where the ratio needs it.

    Returns:
        Format by name; weights without one stay in float.

    Raises:
        ModelError: Groups do not fit a weight, and the recipe has no fallback.
    """
    able = [weight for weight in weights if weight.reason is None]
    if recipe.format.is_eight_bit_integer:
        return {weight.name: recipe.format for weight in able if _shortens(weight, recipe.format)}
    able = [weight for weight in able if _shortens(weight, recipe.format)]
    ranked = {weight.name: weight for weight in able if weight.defines_ratio}
    sizes = {name: _group_size(weight, recipe) for name, weight in ranked.items()}
    if recipe.group_size_fallback is GroupSizeFallback.IGNORE:
        able = [weight for weight in able if sizes.get(weight.name, 0) is not None]
    ranked = {name: weight for name, weight in ranked.items() if sizes[name] is not None}
    primary = set(ranked)
    if recipe.ratio < 1 and ranked:
        primary = set(_within_ratio(list(ranked.values()), recipe.ratio, scores(list(ranked.values()))))
    found: dict[str, WeightFormat] = {}
    for weight in able:
        size = sizes.get(weight.name)
        if weight.name in primary and size is not None:
            found[weight.name] = _with_groups(recipe.format, size)
        elif (backup := _backup(weight, recipe)) is not None:
            found[weight.name] = backup
    _check(able, found)
    return found


def choices(weight: Weight, forms: Iterable[WeightFormat]) -> tuple[WeightFormat, ...]:
    """Those of some formats that a weight takes, and that make it smaller."""
    size = float_bytes(weight)
    able = (form for form in forms if weight.reason is None and _shortens(weight, form) and _fits(weight, form))
    return tuple(form for form in able if stored_bytes(weight.shape, weight.axes, form) < size)


def float_bytes(weight: Weight) -> int:
    """Bytes of a weight in float."""
    return byte_size(weight.size, weight.element_type)


def check_formats(formats: Mapping[str, WeightFormat], weights: Mapping[str, Weight]) -> None:
    """Checks that weights are there, and take their formats.

    Args:
        formats: Format by name.
        weights: The weights of a model by name.

    Raises:
        PlanError: A weight is not there, has to stay in float, or has another shape than a format needs.
    """
    able = {name: weight for name, weight in weights.items() if weight.reason is None}
    for name, form in formats.items():
        weight = able.get(name)
        if weight is None:
            msg = f"plan compresses weight {quoted(name)}, which the model does not have: {nearest(name, able)}"
            raise PlanError(msg)
        if not _fits(weight, form):
            msg = (
                f"plan gives weight {quoted(name)} the format {form}, whose groups do not fit its shape {weight.shape}."
            )
            raise PlanError(msg)


def _shortens(weight: Weight, form: WeightFormat) -> bool:
    """Whether a format is shorter than the numbers of a weight are."""
    return not (weight.has_eight_bits and form.bits >= 8 and form.family is not NumberFamily.FLOAT)


def _group_size(weight: Weight, recipe: CompressionRecipe) -> int | None:
    """The group size of a weight in the primary format; None where the fallback has none.

    Without a fallback, it may not fit.
    """
    size = recipe.format.group_size
    if size == PER_CHANNEL or weight.length % size == 0 or recipe.group_size_fallback is GroupSizeFallback.ERROR:
        return size
    if recipe.group_size_fallback is GroupSizeFallback.IGNORE:
        return None
    power = weight.length & -weight.length
    return power if power >= _LEAST_ADJUSTED else None


def _backup(weight: Weight, recipe: CompressionRecipe) -> WeightFormat | None:
    """The backup format of a weight; None leaves it in float."""
    form = recipe.backup
    if form is None or not _shortens(weight, form):
        return None
    fits = recipe.group_size_fallback is GroupSizeFallback.ERROR or _fits(weight, form)
    return form if fits else None


def _with_groups(form: WeightFormat, size: int) -> WeightFormat:
    return form if size == form.group_size else replace(form, group_size=size)


def _within_ratio(weights: list[Weight], ratio: float, scores: Mapping[str, float]) -> list[str]:
    total = sum(weight.size for weight in weights)
    taken, found = 0, []
    for weight in sorted(weights, key=lambda one: scores[one.name]):
        if (taken + weight.size) / total >= ratio:
            break
        taken += weight.size
        found.append(weight.name)
    return found


def _fits(weight: Weight, form: WeightFormat) -> bool:
    return not form.is_grouped or (len(weight.axes) == 1 and weight.length % form.group_size == 0)


def _check(weights: Iterable[Weight], formats: Mapping[str, WeightFormat]) -> None:
    """Checks that groups fit."""
    unfit = [weight for weight in weights if weight.name in formats and not _fits(weight, formats[weight.name])]
    if not unfit:
        return
    first, form = unfit[0], formats[unfit[0].name]
    more = f" ({len(unfit) - 1} more do not fit either)" if len(unfit) > 1 else ""
    if len(first.axes) != 1:
        why = f"has several reduced axes and takes no groups: use another backup_mode than {str(form.mode)!r}"
    else:
        sizes = [size for size in range(first.length, 1, -1) if first.length % size == 0][:_SHOWN]
        fits = ", ".join(map(str, sorted(sizes))) or "none"
        why = f"has {first.length} numbers along its reduced axis: group sizes that fit are {fits}, or -1 for one scale"
    msg = (
        f"groups of {form.group_size} ({form.mode}) do not fit weight {quoted(first.name)}{more}: it {why}; "
        "or set group_size_fallback to 'ignore' or 'adjust'."
    )
    raise ModelError(msg)
