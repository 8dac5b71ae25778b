"""Refuses numbers that no layer can be fitted to: NaN, infinity, and what has no finite square in single precision."""

from __future__ import annotations

import numpy as np

from autoq.core import FloatArray, ModelError, quoted
from autoq.graph import Tensor

_WHAT = "NaN, infinity, or numbers whose squares are too large for single precision"


def check_products(layer: str, tensor: Tensor, gram: FloatArray) -> None:
    """Refuses products of what a layer reads.

    Args:
        layer: Name of the layer.
        tensor: What it reads.
        gram: The mean of the products of its channels, [C, C].

    Raises:
        ModelError: One of them is no finite number.
    """
    # No product of two channels is larger than the larger one of their squares.
    if np.isfinite(np.diagonal(gram)).all():
        return
    msg = (
        f"the model computes {_WHAT}, at {quoted(tensor.producer)} on the calibration data: {quoted(layer)} cannot be "
        f"fitted to them. Leave it out with ignored_scope=IgnoredScope(names=[{layer!r}]), or check the data and the "
        "model."
    )
    raise ModelError(msg)


def check_rows(layer: str, tensor: Tensor, rows: FloatArray, *, pruned: bool) -> None:
    """Refuses rows that a layer is fitted to.

    Args:
        layer: Name of the layer.
        tensor: Where the rows come from.
        rows: The rows.
        pruned: Whether the model that is repaired gives them, and not the float model.

    Raises:
        ModelError: They have no finite sum of squares.
    """
    flat = rows.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(flat, flat)):
            return
    whose, advice = ("model", "check the data and the model")
    if pruned:
        whose, advice = ("model without the channels", "let fewer channels go")
    msg = (
        f"the {whose} computes {_WHAT}, at {quoted(tensor.producer)} on the calibration data: {quoted(layer)} cannot "
        f"be repaired by them. Use repair='one_shot', or {advice}."
    )
    raise ModelError(msg)
