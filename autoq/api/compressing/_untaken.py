"""Tells of a mode that no weight of a model takes, or that its convolutions do not take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoq.core import CompressionRecipe, WeightFormat, quoted
from autoq.graph import Family, Weight, operation


def untaken(weights: Iterable[Weight], recipe: CompressionRecipe, formats: Mapping[str, WeightFormat]) -> str | None:
    """Why no weight has the mode that was asked for, and what to do, to go on in a sentence that says so.

    Args:
        weights: The weights of a model that need not stay in float.
        recipe: The settings.
        formats: The formats that followed from them, by name of the weight.

    Returns:
        The text; None if some weights have the mode, the ratio says that none has, or all are as short already.
    """
    mode = recipe.format.mode
    weights = [weight for weight in weights if not weight.has_eight_bits or recipe.format.bits < 8]
    defining = [weight for weight in weights if weight.defines_ratio]
    if not weights or recipe.ratio == 0 or (recipe.ratio < 1 and defining):
        return None
    if any(form.mode is mode for form in formats.values()):
        return None
    others = [weight for weight in weights if not weight.defines_ratio]
    convolutions = [weight for weight in others if operation(weight.type).family is Family.CONVOLUTION]
    tables = [weight for weight in others if weight.is_embedding]
    products = len(others) - len(convolutions) - len(tables)
    kinds = [
        *(["convolutions"] if convolutions else []),
        *(["the last matrix product"] if products else []),
        *(["embeddings"] if tables else []),
    ]
    reasons = [
        *([f"groups of {recipe.format.group_size} do not fit"] if defining else []),
        *([f"{', '.join(kinds)}: the backup mode is for these"] if kinds else []),
    ]
    advice = [
        *(["another group_size"] if defining else []),
        *(["all_layers=True"] if tables or products else []),
        "mode='int8_asym', which all weights take",
        *(["autoq.quantize, which makes convolutions faster too"] if convolutions else []),
    ]
    done = f"All have mode {str(recipe.backup_mode)!r}" if formats else "All would stay in float"
    return f"({'; '.join(reasons)}). {done}. Use {', or '.join(advice)}."


def backed_up(weights: Iterable[Weight], recipe: CompressionRecipe, formats: Mapping[str, WeightFormat]) -> str | None:
    """What to say of convolutions that have the backup mode, since the mode that was asked for is not for them.

    Args:
        weights: The weights of a model.
        recipe: The settings.
        formats: The formats that followed from them, by name of the weight.

    Returns:
        A sentence; None if there are none, or they have the mode.
    """
    if recipe.format.is_eight_bit_integer or recipe.backup in {None, recipe.format}:
        return None
    some = [weight for weight in weights if weight.name in formats]
    some = [weight for weight in some if operation(weight.type).family is Family.CONVOLUTION]
    if not some:
        return None
    return (
        f"{len(some)} of {len(formats)} weights are of convolutions ({quoted(some[0].name)}, for example): these have "
        f"the backup mode, {str(recipe.backup_mode)!r}, since {str(recipe.format.mode)!r} is not for them. Give "
        "backup_mode to choose it, or 'none' to leave them in float."
    )
