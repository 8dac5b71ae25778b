"""Metrics that are objects which are told of samples and asked at the end, as torchmetrics has them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from autoq.evaluation._corpus import CorpusMetric
from autoq.evaluation._metrics import Outputs


def is_stateful(metric: object) -> bool:
    """Whether an object has `update(preds, target)` and `compute()`."""
    return all(callable(getattr(metric, name, None)) for name in ("update", "compute"))


def stateful_metric(metric: Any) -> CorpusMetric:  # of torchmetrics or like them
    """Such an object as a metric; a copy of it is used, and it stays as it is.

    `update` is given the output, or the list of outputs where a model has several, and the target: of as many samples
    at once as have equal shapes, else of one inference at a time. They are torch tensors where the object is a
    `torch.nn.Module`, else numpy arrays. An object whose `higher_is_better` is False is negated.

    Args:
        metric: The object.
    """
    own = copy.deepcopy(metric)
    sign = -1.0 if getattr(own, "higher_is_better", None) is False else 1.0

    def compute(outputs: Sequence[Outputs], targets: Sequence[Any]) -> float:
        fresh = copy.deepcopy(own)
        for answers, target in _together(outputs, targets):
            given = [_as_taken(fresh, answer) for answer in answers]
            fresh.update(given[0] if len(given) == 1 else given, _as_taken(fresh, target))
        return sign * float(fresh.compute())

    return CorpusMetric(type(metric).__name__, compute, joined=False)


def _together(outputs: Sequence[Outputs], targets: Sequence[Any]) -> Iterator[tuple[Outputs, Any]]:
    """All inferences as one where their arrays can be joined, else one by one."""
    rows = [_rows(answers, target) for answers, target in zip(outputs, targets, strict=True)]
    shapes = {tuple((array.shape[1:], array.dtype) for array in row) for row in rows if row is not None}
    if len(shapes) == 1 and all(row is not None for row in rows):
        *answers, target = (np.concatenate(arrays) for arrays in zip(*rows, strict=True))
        yield answers, target
    else:
        yield from zip(outputs, targets, strict=True)


def _rows(answers: Outputs, target: Any) -> list[np.ndarray[Any, Any]] | None:
    """Outputs and target with one row a sample; None where the target is no array of as many rows."""
    if isinstance(target, dict | list | tuple | str):
        return None
    array = np.asarray(target)
    array = array[None] if array.ndim == 0 else array
    if any(len(answer) != len(array) for answer in answers):
        if any(len(answer) != 1 for answer in answers):
            return None
        array = array[None]
    return [*answers, array]


def _as_taken(metric: Any, value: Any) -> Any:
    """An array as the metric takes it."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(metric, torch.nn.Module) and isinstance(value, np.ndarray | np.generic):
        return torch.as_tensor(np.ascontiguousarray(value))
    return value
