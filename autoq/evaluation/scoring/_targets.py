"""Splits the targets of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autoq.calibration import is_array
from autoq.core import DataError


def target_rows(target: Any, size: int, where: str, *, parts: bool | None = None) -> list[Any]:  # the user's own
    """The targets of the samples of a batch.

    1. An array with one row per sample: its rows.
    2. A mapping: for each sample, a mapping of the targets in its values.
    3. A list or tuple of parts with one row per sample each: for each sample, a tuple of the targets in the parts.
    4. A list or tuple with one element per sample: its elements.

    Args:
        target: Target of the batch.
        size: Number of samples in the batch.
        where: Names the batch in errors.
        parts: Whether lists hold parts (3) or targets (4); None if this is not known.

    Raises:
        DataError: The target is none of these, or two of them.
    """
    if is_array(target) and len(target) == size:
        return [target[row] for row in range(size)]
    if isinstance(target, Mapping):
        columns = {key: target_rows(value, size, where, parts=parts) for key, value in target.items()}
        return [{key: column[row] for key, column in columns.items()} for row in range(size)]
    if isinstance(target, list | tuple):
        has_parts = parts is not False and bool(target) and all(_has_rows(part, size) for part in target)
        if len(target) == size and parts is not True:
            if has_parts and parts is None and size > 1:
                msg = (
                    f"{where}: the target of a batch of {size} is a {type(target).__name__} of {size} parts, each of "
                    f"{size} rows: pass batches of another size, or single samples."
                )
                raise DataError(msg)
            return list(target)
        if has_parts:
            return list(zip(*(target_rows(part, size, where, parts=parts) for part in target), strict=True))
    if size == 1 and not is_array(target) and not isinstance(target, list | tuple):
        return [target]
    shape = f" of shape {list(target.shape)}" if is_array(target) else ""
    count = f" of {len(target)}" if isinstance(target, list | tuple) else ""
    what = f"{type(target).__name__}{shape or count}"
    msg = f"{where}: the target of a batch of {size} samples is a {what}: {size} are needed."
    raise DataError(msg)


def kept(target: Any) -> Any:  # the user's own
    """A copy of a target, which stays as it is when the user fills the arrays of the target again."""
    if isinstance(target, Mapping):
        return {key: kept(value) for key, value in target.items()}
    if type(target) in {list, tuple}:
        return type(target)(map(kept, target))
    if isinstance(target, np.ndarray):
        return target.copy()
    return target.clone() if is_array(target) and hasattr(target, "clone") else target


def _has_rows(part: Any, size: int) -> bool:  # the user's own
    return is_array(part) and len(part) == size


def has_rows(target: Any, size: int) -> bool:  # the user's own
    """Whether there are as many targets as samples: an array's rows, or the elements of a list."""
    return _has_rows(target, size) or (isinstance(target, list | tuple) and len(target) == size)
